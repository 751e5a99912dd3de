"""Dictionary learning: atoms from the statistics of the codes over them."""

from .online import (
    OnlineLearner,
    Statistics,
    add_statistics,
    local_statistics,
    stationarity,
    surrogate,
    update_dictionary,
)

__all__ = [
    "OnlineLearner",
    "Statistics",
    "add_statistics",
    "local_statistics",
    "stationarity",
    "surrogate",
    "update_dictionary",
]
