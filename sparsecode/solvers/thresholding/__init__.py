"""Iterative thresholding under a sparsity constraint."""

from .htp import htp
from .iht import iht
from .null_space_tuning import null_space_tuning
from .phase_retrieval import sparse_phase_retrieval

__all__ = ["htp", "iht", "null_space_tuning", "sparse_phase_retrieval"]
