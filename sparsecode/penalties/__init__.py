"""What sparsity costs: one penalty a file."""

from ._registry import scalar_prox
from .box import Box
from .capped_l1 import CappedL1
from .cel0 import CEL0
from .group_l1 import GroupL1
from .group_sparse_envelope import GroupSparseEnvelope
from .k_support import KSupport
from .l0 import L0
from .l0_ball import L0Ball
from .l1 import L1
from .l1_ridge import L1Ridge
from .log_sum import LogSum
from .lq import Lq
from .mcp import MCP
from .row_l2 import RowL2
from .scad import SCAD
from .slope import SLOPE
from .sparse_envelope import SparseEnvelope
from .sparse_group_l1 import SparseGroupL1
from .total_variation_1d import TotalVariation1D
from .total_variation_2d import TotalVariation2D

__all__ = [
    "CEL0",
    "L0",
    "L1",
    "MCP",
    "SCAD",
    "SLOPE",
    "Box",
    "CappedL1",
    "GroupL1",
    "GroupSparseEnvelope",
    "KSupport",
    "L0Ball",
    "L1Ridge",
    "LogSum",
    "Lq",
    "RowL2",
    "SparseEnvelope",
    "SparseGroupL1",
    "TotalVariation1D",
    "TotalVariation2D",
    "scalar_prox",
]
