"""Iterative thresholding under a sparsity constraint."""

from .iht import iht

__all__ = ["iht"]
