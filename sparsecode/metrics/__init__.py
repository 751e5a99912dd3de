"""How good an answer is when the truth is known: supports, rankings, errors, dictionaries, features, phase transitions."""

from ._codes import atom_usage, dead_fraction, sparsity
from ._dictionary import (
    babel,
    dictionary_distance,
    dictionary_recovery,
    match_atoms,
    mean_max_cosine,
    mutual_coherence,
)
from ._errors import nmse, psnr
from ._features import absorption, neighbour_recall, variance_unexplained
from ._phase import align_phase, phase_distance
from ._phase_transition import PhaseTransitionResult, l1_weak_threshold, phase_transition
from ._ranking import rank_biased_overlap
from ._support import support_f1, support_precision, support_recall

__all__ = [
    "PhaseTransitionResult",
    "absorption",
    "align_phase",
    "atom_usage",
    "babel",
    "dead_fraction",
    "dictionary_distance",
    "dictionary_recovery",
    "l1_weak_threshold",
    "match_atoms",
    "mean_max_cosine",
    "mutual_coherence",
    "neighbour_recall",
    "nmse",
    "phase_distance",
    "phase_transition",
    "psnr",
    "rank_biased_overlap",
    "sparsity",
    "support_f1",
    "support_precision",
    "support_recall",
    "variance_unexplained",
]
