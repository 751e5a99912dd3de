"""Optimal transport with sparse answers: certified plans, maps that move few features, and costs learned from pairs."""

from ._class import class_transport
from ._class_transport import ClassTransport
from ._costs import GridCost, PointCost
from ._elastic_cost import elastic_cost
from ._inverse import inverse_transport
from ._inverse_transport import InverseTransport
from ._monge_map import SparseMongeMap
from ._neural_map import NeuralSparseMap
from ._plan import LazyPlan
from ._pot import from_pot, to_pot
from ._result import TransportResult
from ._sinkhorn_newton import sinkhorn_newton_sparse
from ._sinkhorn_solver import sinkhorn
from ._solve import solve
from ._wasserstein_dictionary import WassersteinDictionary

__all__ = [
    "ClassTransport",
    "GridCost",
    "InverseTransport",
    "LazyPlan",
    "NeuralSparseMap",
    "PointCost",
    "SparseMongeMap",
    "TransportResult",
    "WassersteinDictionary",
    "class_transport",
    "elastic_cost",
    "from_pot",
    "inverse_transport",
    "sinkhorn",
    "sinkhorn_newton_sparse",
    "solve",
    "to_pot",
]
