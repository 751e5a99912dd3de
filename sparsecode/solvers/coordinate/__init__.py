"""Coordinate descent: the Lasso, one strength at a time or along a path."""

from .lasso import lasso
from .path import lasso_path

__all__ = ["lasso", "lasso_path"]
