"""Approximate message passing: marginal posteriors for any separable prior, and what error to expect of them."""

from .gamp import gamp
from .state_evolution import StateEvolution, state_evolution
from .vamp import vamp

__all__ = ["StateEvolution", "gamp", "state_evolution", "vamp"]
