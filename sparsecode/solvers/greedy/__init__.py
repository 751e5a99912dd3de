"""Greedy pursuit: one atom at a time, least squares on the selected ones."""

from .batch import SparseCodes, batch_omp, codes_to_csr, iter_batch_omp
from .omp import omp

__all__ = ["SparseCodes", "batch_omp", "codes_to_csr", "iter_batch_omp", "omp"]
