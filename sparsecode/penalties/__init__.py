"""What sparsity costs: one penalty a file."""

from ._registry import scalar_prox
from .l0_ball import L0Ball
from .l1 import L1

__all__ = ["L1", "L0Ball", "scalar_prox"]
