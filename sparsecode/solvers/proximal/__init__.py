"""Proximal gradient methods: a gradient step on the misfit, a prox on the penalty."""

from .forward_backward import fista, ista

__all__ = ["fista", "ista"]
