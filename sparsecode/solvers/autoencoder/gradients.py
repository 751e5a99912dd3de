"""Loss of a sparse autoencoder and its gradients, written out, on codes in compressed rows.

    r_l = sum over entries of level <= l  z_j d_j + b - t          residual of level l
    loss = mean over signals of  sum_l  w_l / 2 ||r_l||^2          w_l the weights of the structure
    e_l = sum over l' >= l of w_l' r_l'                            what entries of level l answer for

    d loss / d z_j = <e_l, d_j>,   d loss / d d_j = z_j e_l,   d loss / d b = e_0,   d loss / d pre_j = slope_j  d loss / d z_j

With one level e = r. Only entries of the codes take part: of m latents k, so all of this is cheap beside the encoder's product.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks
from .structures import FLAT

__all__ = ["Made", "add_decoder_gradients", "add_encoder_gradients", "added", "loss_and_gradients", "reconstruct"]

_SIGNALS, _LATENTS = 256, 128  # of a block


class Made(NamedTuple):
    """What became of a batch."""

    codes: Any
    loss: float  # mean over signals, of the reconstructions alone
    residual: Any  # (n, p) r of the last level: reconstruction by the whole code, minus target
    errors: Any  # (n_levels, n, p) the e_l
    levels: Any  # (nnz,) of the entries; None where there is one level
    pulls: Any  # (nnz,) <e_l, d_j>: n times the slope of the loss in the values


def reconstruct(parameters, codes, target, structure=FLAT, n_jobs=None) -> Made:
    """Residuals of codes, their loss, and its slope in every entry."""
    from ...kernels.autoencoder import reconstruct_rows

    dtype = target.dtype
    weights = np.asarray(structure.weights, dtype=dtype)
    levels = None if weights.size == 1 else structure.levels(codes, parameters.decoder.shape[0])
    of_entries = _levels(levels, codes)
    residual, errors = np.empty(target.shape, dtype=dtype), np.empty((weights.size, *target.shape), dtype=dtype)
    pulls = np.empty(codes.values.size, dtype=dtype)
    given = (parameters.decoder, parameters.decoder_bias, target, codes.indptr, codes.indices, codes.values)

    def block(start, stop):
        return reconstruct_rows(*given, of_entries, weights, residual, errors, pulls, start, stop)

    twice = sum(map_blocks(block, target.shape[0], _SIGNALS, n_jobs))
    return Made(codes, 0.5 * twice / target.shape[0], residual, errors, levels, pulls)


def add_decoder_gradients(gradients, made, n_jobs=None):
    """Add the gradients of the mean loss in decoder and decoder bias, in place."""
    codes = made.codes
    _add_by_latent(gradients.decoder, codes, codes.values, made.levels, made.errors, n_jobs)
    gradients.decoder_bias[...] += made.errors[0].sum(axis=0) / codes.n_signals


def add_encoder_gradients(gradients, codes, X, pulls, n_jobs=None):
    """Add what slopes `pulls` (nnz,) of n times a loss in the values of codes say of encoder, its bias and thresholds, in place."""
    n, m = codes.n_signals, gradients.encoder.shape[0]
    back = pulls * codes.slopes
    _add_by_latent(gradients.encoder, codes, back, None, X[None], n_jobs)
    gradients.encoder_bias[...] += np.bincount(codes.indices, back, minlength=m) / n
    if codes.jumps is not None:
        gradients.threshold[...] += np.bincount(codes.indices, pulls * codes.jumps, minlength=m) / n


def _add_by_latent(out, codes, factors, levels, vectors, n_jobs):
    """Add to each row of `out` the mean over signals of factor times vector over the entries of its latent."""
    from ...kernels.autoencoder import sort_by_latent, sum_rows

    starts = np.empty(out.shape[0] + 1, dtype=np.int64)
    order, rows = np.empty((2, codes.indices.size), dtype=np.int64)
    sort_by_latent(codes.indptr, codes.indices, starts, order, rows)
    given = (factors, _levels(levels, codes), vectors, vectors.dtype.type(1.0 / codes.n_signals))

    def block(start, stop):
        sum_rows(starts[start : stop + 1], order, rows, *given, out[start:stop])

    map_blocks(block, out.shape[0], _LATENTS, n_jobs)


def _levels(levels, codes):
    return np.zeros(codes.indices.size, dtype=np.int64) if levels is None else np.asarray(levels, dtype=np.int64)


def loss_and_gradients(parameters, X, target, activation, gradients, structure=FLAT, terms=(), life=None, n_jobs=None):
    """The objective of a batch and what became of it; its gradients are added to `gradients`, in place.

    Parameters
    ----------
    parameters : Parameters
        Where.
    X : array of shape (n, d)
        The batch, centred and scaled.
    target : array of shape (n, p)
        What is to be reconstructed; X itself in an autoencoder.
    activation, structure, terms
        See the package.
    gradients : Parameters
        To add to.
    life : Life, optional
        What training knows of its latents; None outside of training.
    n_jobs : int, optional
        Threads.

    Returns
    -------
    objective : float
        Loss, cost of the codes, and the terms.
    made : Made
        What became of the batch.
    """
    codes = activation.codes(parameters, X, life, n_jobs)
    made = reconstruct(parameters, codes, target, structure, n_jobs)
    add_decoder_gradients(gradients, made, n_jobs)
    pulls = made.pulls if codes.pulls is None else made.pulls + codes.pulls
    add_encoder_gradients(gradients, codes, X, pulls, n_jobs)
    if codes.of_thresholds is not None:
        gradients.threshold[...] += codes.of_thresholds
    return made.loss + codes.cost + added(terms, parameters, X, made, gradients, life), made


def added(terms, *arguments):
    """What terms add to the objective: those that help dead latents add gradients alone."""
    values = [(getattr(term, "is_objective", True), term(*arguments)) for term in terms]
    return sum(value for is_objective, value in values if is_objective)
