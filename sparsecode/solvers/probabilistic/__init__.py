"""Probabilistic sparse coding: models of hidden causes, fitted by truncated expectation maximisation."""

from .blocks import add_statistics
from .discrete import DiscreteCauses, DiscreteStatistics
from .em import Annealing, CausesProgress, CausesResult, fit_causes
from .inference import Posterior, local_statistics, posterior, update_causes
from .maximal import MaximalCauses, MaximalStatistics
from .spike_slab import SpikeSlabCauses, SpikeSlabStatistics
from .states import Truncation

__all__ = [
    "Annealing",
    "CausesProgress",
    "CausesResult",
    "DiscreteCauses",
    "DiscreteStatistics",
    "MaximalCauses",
    "MaximalStatistics",
    "Posterior",
    "SpikeSlabCauses",
    "SpikeSlabStatistics",
    "Truncation",
    "add_statistics",
    "fit_causes",
    "local_statistics",
    "posterior",
    "update_causes",
]
