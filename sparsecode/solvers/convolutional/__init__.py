"""Convolutional sparse coding: short atoms that occur anywhere in long signals, coded and learned."""

from .coding import convolutional_lasso

__all__ = ["convolutional_lasso"]
