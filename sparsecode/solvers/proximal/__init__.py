"""Proximal gradient methods: a gradient step on the misfit, a prox on the penalty."""

from .forward_backward import fista, ista
from .nonconvex import nonconvex_ag

__all__ = ["fista", "ista", "nonconvex_ag"]
