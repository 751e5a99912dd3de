"""Planted problems with known answers, and real images that ship inside installed packages."""

from ._activations import load_activations
from ._bars import make_bars
from ._dictionary import make_dictionary_problem
from ._features import make_planted_features
from ._images import load_mri, load_patches, whiten_image
from ._recovery import make_sparse_recovery

__all__ = [
    "load_activations",
    "load_mri",
    "load_patches",
    "make_bars",
    "make_dictionary_problem",
    "make_planted_features",
    "make_sparse_recovery",
    "whiten_image",
]
