"""Inverse problems built from the parts: what is measured is no linear function of the coefficients."""

from ._phase_retrieval import SparsePhaseRetrieval

__all__ = ["SparsePhaseRetrieval"]
