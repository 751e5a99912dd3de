"""Solvers unfolded into a fixed number of layers whose steps, thresholds and matrices are learned from signals."""

from ._compound_network import CompoundGaussianNetwork
from ._iht import UnrolledIHT
from ._ista import UnrolledFISTA, UnrolledISTA
from ._plug_and_play import PlugAndPlay
from ._proximal_network import LearnedProximalNetwork
from ._solver import LearnedSolver
from ._training import TrainingProgress

__all__ = [
    "CompoundGaussianNetwork",
    "LearnedProximalNetwork",
    "LearnedSolver",
    "PlugAndPlay",
    "TrainingProgress",
    "UnrolledFISTA",
    "UnrolledIHT",
    "UnrolledISTA",
]
