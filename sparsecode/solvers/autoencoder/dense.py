"""The loss of a flat sparse autoencoder and its gradients on dense codes, for arrays of any namespace: the formulas of `gradients` as they stand."""

from __future__ import annotations

from typing import Any, NamedTuple

from ..._array import array_namespace
from .encoder import pre_activations
from .structures import FLAT

__all__ = ["DenseMade", "loss_and_gradients"]


class DenseMade(NamedTuple):
    """What became of a batch."""

    codes: Any  # DenseCodes
    loss: float
    residual: Any  # (n, p)


def loss_and_gradients(parameters, X, target, activation, gradients, structure=FLAT, terms=(), life=None, n_jobs=None):
    """The objective of a batch and what became of it; its gradients are added to `gradients`, in place.

    As `gradients.loss_and_gradients`, of which it knows the flat structure, and no terms.
    """
    xp, n = array_namespace(X), X.shape[0]
    codes = activation.dense(pre_activations(parameters, X), parameters.threshold, life)
    residual = codes.values @ parameters.decoder + parameters.decoder_bias - target
    loss = 0.5 * float(xp.sum(residual * residual)) / n
    share = residual / n  # small, where what follows has all latents
    pulls = share @ parameters.decoder.T
    if codes.pulls is not None:
        pulls = pulls + codes.pulls / n
    back = pulls * codes.slopes
    gradients.decoder[...] += codes.values.T @ share
    gradients.decoder_bias[...] += xp.sum(share, axis=0)
    gradients.encoder[...] += back.T @ X
    gradients.encoder_bias[...] += xp.sum(back, axis=0)
    if codes.jumps is not None:
        gradients.threshold[...] += xp.sum(pulls * codes.jumps, axis=0)
    if codes.of_thresholds is not None:
        gradients.threshold[...] += codes.of_thresholds
    return loss + codes.cost, DenseMade(codes, loss, residual)
