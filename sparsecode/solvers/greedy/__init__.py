"""Greedy pursuit: one atom at a time, least squares on the selected ones."""

from .batch import SparseCodes, batch_omp, codes_to_csr, iter_batch_omp
from .cosamp import cosamp
from .gomp import gomp
from .loss_omp import loss_omp
from .mp import mp
from .omp import omp
from .somp import somp
from .stomp import stomp
from .subspace_pursuit import subspace_pursuit

__all__ = [
    "SparseCodes",
    "batch_omp",
    "codes_to_csr",
    "cosamp",
    "gomp",
    "iter_batch_omp",
    "loss_omp",
    "mp",
    "omp",
    "somp",
    "stomp",
    "subspace_pursuit",
]
