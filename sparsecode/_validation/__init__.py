"""The one room that turns what a user passes into designs, targets, weights and numbers, or into an error that names
the argument, says what it got, and what to do.
"""

from .arrays import as_design, as_start, as_target, check_columns, check_products, check_range, refuse_lazy
from .scalars import as_count, as_flag, as_number
from .weights import as_penalty_weights, as_sample_weight, total_weight, weighted

__all__ = [
    "as_count",
    "as_design",
    "as_flag",
    "as_number",
    "as_penalty_weights",
    "as_sample_weight",
    "as_start",
    "as_target",
    "check_columns",
    "check_products",
    "check_range",
    "refuse_lazy",
    "total_weight",
    "weighted",
]
