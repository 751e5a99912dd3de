"""Training of a sparse autoencoder: Adam on all parameters, decoder rows kept on the sphere.

The part of the decoder's gradient along an atom is taken out and the atom is scaled to norm one after each step, since a scale of atoms
could be traded against that of codes. Adam moves everything by about its rate, whatever the scale of the loss.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, asarray_like, is_numpy, to_numpy
from ..._parallel import single_threaded_blas
from ...networks import copied
from .dense import loss_and_gradients as dense_loss_and_gradients
from .gradients import loss_and_gradients
from .parameters import Codes, Life, Parameters, zeros_like
from .steps import SphereAdam, tangent
from .structures import FLAT

__all__ = ["AutoencoderLearner", "Found", "stationarity"]

_CLIP = 10.0  # of the norm of a gradient, for a loss that is a mean over targets: what a batch far out of line may do


class Found(NamedTuple):
    """What one batch says: means over its signals, before the step."""

    objective: float
    made: Any
    gradients: Parameters
    n_signals: int


class AutoencoderLearner:
    """Parameters, Adam, and the life of latents.

    Parameters
    ----------
    parameters : Parameters
        Where to start; they are changed where they are. NumPy arrays, or those of another namespace (flat structure, no terms).
    activation, structure, terms, renewal
        See the package.
    random : RandomState
        What the steps draw from.
    loss : callable, optional
        In the place of `loss_and_gradients`.

    Raises
    ------
    ValueError
        If arrays of another namespace meet what only compressed codes know.
    """

    def __init__(self, parameters, activation, random, *, structure=FLAT, terms=(), renewal=None, loss=None):
        compiled = is_numpy(parameters.encoder)
        if not compiled and (structure is not FLAT or terms or renewal is not None or loss is not None):
            raise ValueError(
                "X is no NumPy array: elsewhere autoencoders are flat, without auxiliary losses and resampling; convert it to NumPy."
            )
        self.parameters, self.activation, self.structure, self.terms = parameters, activation, structure, tuple(terms)
        self.renewal, self.loss = renewal, loss or (loss_and_gradients if compiled else dense_loss_and_gradients)
        self.renews = True  # renewal may be put off
        self.life, self.n_replaced = Life(parameters.encoder.shape[0], random), 0
        self.adam = SphereAdam(list(parameters))

    @property
    def atoms(self):
        """The decoder's rows."""
        return self.parameters.decoder

    def copy(self):
        """A learner of its own that goes on from here."""
        twin = copy.copy(self)
        twin.parameters = Parameters(*map(copied, self.parameters))
        twin.adam, twin.life = copy.copy(self.adam), copy.deepcopy(self.life)
        twin.adam.parameters = list(twin.parameters)
        twin.adam.means, twin.adam.squares = (
            [copied(part) for part in parts] for parts in (self.adam.means, self.adam.squares)
        )
        return twin

    def found(self, X, target, n_jobs=None) -> Found:
        """What a batch says, without a step."""
        gradients = zeros_like(self.parameters)
        objective, made = self.loss(
            self.parameters, X, target, self.activation, gradients, self.structure, self.terms, self.life, n_jobs
        )
        tangent(gradients.decoder, self.atoms, n_jobs)
        return Found(float(objective), made, gradients, X.shape[0])

    def step(self, X, target, rate, n_jobs=None) -> Found:
        """Learn from one batch; what it said is returned.

        Raises
        ------
        ValueError
            If the objective is no finite number.
        """
        with single_threaded_blas():  # once for all of its blocks
            return self._step(X, target, rate, n_jobs)

    def _step(self, X, target, rate, n_jobs):
        found = self.found(X, target, n_jobs)
        self._check_range(found.objective)
        self.adam.step(found.gradients, rate, _CLIP * target.shape[1], n_jobs)
        for part in self.parameters:  # the last step has no batch after it that would tell
            self._check_range(array_namespace(part).sum(part))
        self.life.follow(_counts(found.made.codes, self.atoms.shape[0]), X.shape[0])
        if hasattr(self.activation, "settle"):
            self.activation.settle(self.parameters, found.made.codes, self.life)
        if self.renewal is not None and self.renews:
            self.renewal(self, X, found.made)
        return found

    def _check_range(self, number):
        if not np.isfinite(float(number)):
            raise ValueError(
                f"training left the range of numbers after {self.life.n_steps} batches: lower learning_rate, or scale X by its largest entry."
            )

    def state(self):
        """Numbers, ready for JSON, and arrays by name: all that a run needs to go on from here."""
        count, arrays = self.adam.state()
        numbers = {"adam": count, "life": self.life.state(), "n_replaced": self.n_replaced}
        arrays = {name: to_numpy(array) for name, array in arrays.items()}
        return numbers, {**arrays, "silence": self.life.silence, "density": self.life.density}

    def restore(self, numbers, arrays):
        """Become what `state` told."""
        like = self.parameters.encoder
        own = {name: asarray_like(array, like) for name, array in arrays.items() if name not in ("silence", "density")}
        self.adam.restore(numbers["adam"], own)
        self.life.restore(numbers["life"], arrays["silence"], arrays["density"])
        self.n_replaced = numbers["n_replaced"]


def _counts(codes, n_latents):
    """How many codes have an entry of each latent."""
    if isinstance(codes, Codes):
        return np.bincount(codes.indices, codes.values != 0, minlength=n_latents)
    xp = array_namespace(codes.values)
    return to_numpy(xp.count_nonzero(codes.values, axis=0))


def stationarity(encoder, gradients, energy):
    """To first order the share of half the mean energy of the targets that a step downhill saves which is as long as one row of the parameters.

    The length of a step is measured in rows of each part: atoms have norm one, biases and thresholds count in units of the signals.
    """
    size = float(np.sqrt(np.mean(np.sum(np.asarray(encoder, dtype=np.float64) ** 2, axis=1))))
    lengths = Parameters(size, 1.0, 1.0, 1.0, 1.0)
    square = sum(
        length**2 * float(np.sum(np.asarray(part, dtype=np.float64) ** 2))
        for length, part in zip(lengths, gradients, strict=True)
    )
    return float(np.sqrt(square)) / (0.5 * energy) if energy > 0 else 0.0
