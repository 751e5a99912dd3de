"""Coordinate descent: the Lasso, one strength at a time or along a path."""

from .lasso import alpha_max, lasso
from .path import LassoPath, lasso_path

__all__ = ["LassoPath", "alpha_max", "lasso", "lasso_path"]
