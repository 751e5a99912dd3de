"""Structure of a `SparseAutoencoder` and what becomes of its dead latents: from parameters to the parts of a learner."""

from __future__ import annotations

import math
from itertools import pairwise
from numbers import Integral

from .._array import is_numpy
from ..solvers.autoencoder.activations import TopK
from ..solvers.autoencoder.dead import AuxiliaryLatents, AuxiliaryPursuit, Resampling, silent, underused
from ..solvers.autoencoder.gradients import loss_and_gradients
from ..solvers.autoencoder.orthogonality import Apart
from ..solvers.autoencoder.pursuit import MatchingPursuit, pursuit_loss_and_gradients
from ..solvers.autoencoder.structures import FLAT, Matryoshka, RankedBudgets, halving_budgets, halving_prefixes

__all__ = ["DEAD_LATENTS", "STRUCTURES", "add_parts"]

STRUCTURES = ("flat", "transcoder", "matryoshka", "hierarchical", "orthogonal", "matching_pursuit")
DEAD_LATENTS = ("auto", "aux_k", "aux_zipf", "resample")
_ORTHOGONALITY = {"orthogonal": 0.25, "matching_pursuit": 0.25}
_COUNTED = (
    "topk",
    "abstopk",
    "batchtopk",
    "mutual_choice",
    "gradient_topk",
)  # a latent that is passed over has no gradient
_PATIENCE = 100  # a latent is dead that is on so much less often than the average one


def add_parts(estimator, learner):
    """Give a learner, in place, what `structure`, `levels`, `orthogonality`, `dead_latents` and `dead_after` ask for."""
    n_latents = learner.atoms.shape[0]
    pursues = estimator.structure == "matching_pursuit"
    if pursues:
        learner.activation = _pursuit(estimator, learner.activation)
    signed = bool(getattr(learner.activation, "signed", False))
    learner.structure = _structure(estimator, learner.activation, n_latents)
    terms, learner.renewal = _dead(estimator, learner, signed)
    weight = estimator.orthogonality
    weight = _ORTHOGONALITY.get(estimator.structure, 0.0) if weight is None else weight
    if weight > 0.0:
        terms = (*terms, Apart(float(weight), signed=signed))
    learner.terms = terms
    if is_numpy(learner.atoms):
        learner.loss = pursuit_loss_and_gradients if pursues else loss_and_gradients
    elif terms or learner.renewal is not None or estimator.structure not in ("flat", "transcoder"):
        raise ValueError(
            f"X is no NumPy array: there, structure={estimator.structure!r} with dead_latents={estimator.dead_latents!r} and orthogonality="
            f"{estimator.orthogonality!r} is not available; convert X, or use the flat structure with dead_latents=None."
        )


def _pursuit(estimator, activation):
    if not isinstance(activation, (TopK, MatchingPursuit)):
        raise ValueError(
            f"structure='matching_pursuit' has an encoder of its own; activation={estimator.activation!r} must be 'topk', or 'abstopk' for "
            "codes that may be negative."
        )
    return MatchingPursuit(activation.k, activation.signed)


def _structure(estimator, activation, n_latents):
    """Nested reconstructions, or one."""
    name, levels = estimator.structure, estimator.levels
    if name == "matryoshka":
        return Matryoshka(halving_prefixes(n_latents) if levels is None else _levels(levels, n_latents, "latents"))
    if name == "hierarchical":
        k = getattr(activation, "k", None)
        if k is None:
            raise ValueError(
                f"structure='hierarchical' is for activations of so many entries; activation={estimator.activation!r} has no such number, "
                "use 'topk' or its kin."
            )
        return RankedBudgets(halving_budgets(k) if levels is None else _levels(levels, k, "entries"))
    if levels is not None:
        raise ValueError(
            f"levels={levels!r} has no meaning for structure={name!r}; leave it at None, or use 'matryoshka' or 'hierarchical'."
        )
    return FLAT


def _levels(levels, most, what):
    """Ascending numbers, of which the last is all there are."""
    if not len(levels) or not all(isinstance(size, Integral) and int(size) >= 1 for size in levels):
        raise ValueError(f"levels is {levels!r}; it must be ascending numbers of {what}, at least 1.")
    found = tuple(int(size) for size in levels)
    if any(one >= other for one, other in pairwise(found)) or found[-1] > most:
        raise ValueError(f"levels is {levels!r}; it must be ascending numbers of {what}, of which there are {most}.")
    return found if found[-1] == most else (*found, most)


def _dead(estimator, learner, signed):
    """Terms, and the renewal, that help latents that are never on."""
    how, k = estimator.dead_latents, getattr(learner.activation, "k", None)
    counted = isinstance(learner.activation, (TopK, MatchingPursuit)) or estimator.activation in _COUNTED
    if how == "auto":
        how = "aux_k" if counted and is_numpy(learner.atoms) else None
    if how is None:
        if estimator.dead_after is not None:
            raise ValueError(
                f"dead_after={estimator.dead_after!r} has no meaning where dead latents are left alone; leave it at None."
            )
        return (), None
    after = estimator.dead_after or max(1, math.ceil(_PATIENCE * learner.atoms.shape[0] / (k or 1)))
    if how == "resample":
        return (), Resampling(after, tied=estimator.structure != "transcoder")
    helped = underused if how == "aux_zipf" else silent
    if isinstance(learner.activation, MatchingPursuit):
        return (AuxiliaryPursuit(after, learner.activation.k, signed=signed, helped=helped),), None
    if not counted and not isinstance(estimator.activation, str):
        raise ValueError(
            f"dead_latents={how!r} takes the largest pre-activations of dead latents, which activation={estimator.activation!r} does "
            "not know; use 'resample', or None."
        )
    return (AuxiliaryLatents(after, signed=signed, helped=helped),), None
