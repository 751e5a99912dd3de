"""Coordinate descent: the Lasso, one strength at a time or along a path."""

from .lasso import lasso
from .path import LassoPath, lasso_path

__all__ = ["LassoPath", "lasso", "lasso_path"]
