"""Dictionary learning: atoms from the statistics of the codes over them."""

from .alternating import AlternatingLearner
from .compression import KSparseWeight, k_sparse_compression, truncated_svd
from .lp import LpDictionary, lp_dictionary
from .masked_omp import masked_omp
from .online import OnlineLearner
from .start import initial_atoms
from .statistics import (
    Statistics,
    add_statistics,
    local_statistics,
    stationarity,
    surrogate,
    update_dictionary,
)
from .storage import Storage, storage_of

__all__ = [
    "AlternatingLearner",
    "KSparseWeight",
    "LpDictionary",
    "OnlineLearner",
    "Statistics",
    "Storage",
    "add_statistics",
    "initial_atoms",
    "k_sparse_compression",
    "local_statistics",
    "lp_dictionary",
    "masked_omp",
    "stationarity",
    "storage_of",
    "surrogate",
    "truncated_svd",
    "update_dictionary",
]
