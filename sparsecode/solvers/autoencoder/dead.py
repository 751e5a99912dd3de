"""Latents that no signal uses: a loss that gives them the residual to reconstruct, or a new start.

    aux-k       the k' largest pre-activations of dead latents reconstruct e = t - x';    weight ||e - e'||^2 / ||e - mean e||^2
                where k' is a sixteenth of their number, as far as half the number of targets
    aux-zipf    the same with all latents that are used much less than Zipf's law has it for their rank
    resampling  from time to time dead latents become residuals of signals that are represented badly

The residual is held fixed, so these losses are no part of the objective: they add gradients to it. Gao, la Tour, Tillman and others, "Scaling and evaluating sparse autoencoders", 2024 (arXiv 2406.04093), for
aux-k; Ayonrinde, "Adaptive sparse allocation with mutual choice and feature choice sparse autoencoders", 2024 (arXiv 2411.02124), for
the idea of aux-zipf; Bricken, Templeton, Batson and others, "Towards monosemanticity", 2023, for resampling.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .gradients import add_decoder_gradients, add_encoder_gradients, reconstruct
from .parameters import Codes
from .pursuit import pursue, pursuit_gradient

__all__ = ["AuxiliaryLatents", "AuxiliaryPursuit", "Resampling", "silent", "underused"]

_SHARE = 0.5  # of what Zipf's law says: latents used less than this are helped
_FEW = 16
_WARM = 10  # batches before densities mean anything


def silent(life, after):
    """Latents that have had no entry for so many signals."""
    return life.silence >= after


def underused(life, after):
    """Latents that are silent, or whose density is below half of what Zipf's law gives their rank.

    The law's values add up to the density of all latents; as far as they are above the mean they ask for nothing, or the most used ones
    would count as underused where all are used alike.
    """
    if life.n_steps < _WARM:
        return silent(life, after)
    density = life.density
    law = 1.0 / np.arange(1, density.size + 1)
    law = np.minimum(law * (density.sum() / law.sum()), density.mean())
    wanted = np.empty(density.size)
    wanted[np.argsort(-density, kind="stable")] = law
    return silent(life, after) | (density < _SHARE * wanted)


def few_of(n_latents, most):
    """How many latents of so many a signal gets: were it all of them, each would learn a share of everything and no feature."""
    return max(1, min(n_latents // _FEW, most))


def _energy(error):
    """``||e - mean e||^2``."""
    return float(np.sum((error - error.mean(axis=0)).astype(np.float64) ** 2))


class AuxiliaryLatents(NamedTuple):
    """aux-k and aux-zipf as a term of training; the loss is `weight` times that of a code without entries, at most."""

    after: int  # signals without an entry after which a latent is dead
    weight: float = 1.0 / 32.0
    most: int | None = (
        None  # latents of a signal; unless told a sixteenth of the dead, up to half as many as there are targets
    )
    signed: bool = False
    helped: Any = silent  # which latents

    @property
    def is_objective(self):
        """Whether the value belongs to what is minimised."""
        return False

    def __call__(self, parameters, X, made, gradients, life):
        """Its value; its gradients are added to those of decoder, encoder and encoder bias."""
        latents = np.flatnonzero(self.helped(life, self.after)) if life is not None else np.empty(0, dtype=np.int64)
        energy = _energy(made.residual) if latents.size else 0.0
        if not energy > 0.0:
            return 0.0
        codes = self._codes(parameters, X, latents)
        own = parameters._replace(decoder_bias=np.zeros_like(parameters.decoder_bias))
        again = reconstruct(own, codes, -made.residual)
        n_signals, n_targets = made.residual.shape
        scale = self.weight * n_targets * n_signals / energy  # of a loss that is half a mean
        again = again._replace(errors=np.asarray(scale, dtype=X.dtype) * again.errors)
        add_decoder_gradients(gradients._replace(decoder_bias=np.zeros_like(parameters.decoder_bias)), again)
        add_encoder_gradients(gradients, codes, X, np.asarray(scale, dtype=X.dtype) * again.pulls)
        return scale * again.loss

    def _codes(self, parameters, X, latents):
        """The largest pre-activations among these latents."""
        pre = X @ parameters.encoder[latents].T + parameters.encoder_bias[latents]
        size = np.abs(pre) if self.signed else np.maximum(pre, 0)
        count = min(self.most or few_of(latents.size, parameters.decoder.shape[1] // 2), latents.size)
        places = np.sort(np.argpartition(-size, count - 1, axis=1)[:, :count], axis=1)
        kept = np.take_along_axis(size, places, axis=1) > 0
        values = np.take_along_axis(pre, places, axis=1)[kept]
        indptr = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
        return Codes(
            indptr, latents[places[kept]].astype(np.int32), values, np.ones_like(values), None, 0.0, None, None
        )


class AuxiliaryPursuit(NamedTuple):
    """The same where the encoder is a pursuit: the residual is pursued further, over the latents to be helped alone."""

    after: int
    n_steps: int  # at most
    weight: float = 1.0 / 32.0
    signed: bool = False
    helped: Any = silent

    @property
    def is_objective(self):
        """Whether the value belongs to what is minimised."""
        return False

    def __call__(self, parameters, X, made, gradients, life):
        """Its value; its gradient is added to that of the decoder."""
        latents = np.flatnonzero(self.helped(life, self.after)) if life is not None else np.empty(0, dtype=np.int64)
        energy = _energy(made.residual) if latents.size else 0.0
        if not energy > 0.0:
            return 0.0
        error, atoms = -made.residual, parameters.decoder[latents]
        nothing = np.zeros_like(parameters.decoder_bias)
        pursuit = pursue(error, nothing, atoms, few_of(latents.size, self.n_steps), positive=not self.signed)
        scale = self.weight * error.shape[1] / energy
        pull = np.asarray(scale, dtype=atoms.dtype) * pursuit.residuals
        gradients.decoder[latents] += pursuit_gradient(atoms, pursuit, pull)[0]
        return 0.5 * scale * float(np.sum(pursuit.residuals.astype(np.float64) ** 2))


class Resampling(NamedTuple):
    """A renewal of latents: every so many steps the dead ones become residuals, drawn with the squares of their energies as chances."""

    after: int
    every: int = 100
    tied: bool = True  # signals are their own targets

    def __call__(self, learner, X, made):
        """Change the learner's latents, and forget what Adam knew of them."""
        life, parameters = learner.life, learner.parameters
        random = life.random
        if life.n_steps % self.every:
            return
        dead = np.flatnonzero(silent(life, self.after))
        chances = np.sum(made.residual.astype(np.float64) ** 2, axis=1) ** 2
        dead = random.permutation(dead)[: np.count_nonzero(chances)]
        if dead.size == 0:
            return
        signals = random.choice(chances.size, size=dead.size, replace=False, p=chances / chances.sum())
        atoms = _unit(-made.residual[signals])
        size = (
            np.mean(np.linalg.norm(np.delete(parameters.encoder, dead, axis=0), axis=1))
            if dead.size < life.silence.size
            else 1.0
        )
        parameters.decoder[dead] = atoms
        parameters.encoder[dead] = size * (atoms if self.tied else _unit(X[signals]))
        parameters.encoder_bias[dead] = 0.0
        parameters.threshold[dead] = np.median(parameters.threshold)
        for k, part in enumerate(parameters):
            if part.shape[0] == life.silence.size and part is not parameters.decoder_bias:
                learner.adam.means[k][dead] = learner.adam.squares[k][dead] = 0.0
        life.silence[dead], life.density[dead] = 0, 0.0
        learner.n_replaced += dead.size


def _unit(rows):
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1.0)
