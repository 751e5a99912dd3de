"""Contrast between the codes of a batch: codes should be alike where their signals are, and nowhere else.

    s_ij = cos(z_i, z_j) / temperature,      p_i = softmax over j of s_ij,      contrast = mean over i of  KL(q_i || p_i)

and q_i says how alike the others should be to signal i:

    "self"          all weight on i itself: InfoNCE, with the rest of the batch as negatives
    "neighbours"    the same softmax of the signals' own cosines: what is near stays near, which is what retrieval asks for
    labels          equal weight on all others of the same label; signals that are alone with theirs are left out

where j runs over the others, and over i too for "self". The z are the k largest entries of codes of 4 k, of which both are to
reconstruct the signal (`Leading`): latents that the first k leave out still learn.

Wen, Wang, Zeng and others, "Beyond Matryoshka: revisiting sparse coding for adaptive representation", 2025 (arXiv
2503.01776), for the contrast with "self" and the weights of the two reconstructions.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import scipy.sparse as sp
from scipy.special import log_softmax, xlogy

from ..._parallel import single_threaded_blas
from .activations import TopK
from .gradients import add_encoder_gradients
from .structures import RankedBudgets

__all__ = ["Contrast", "Leading", "LeadingTopK", "contrast_of"]


class LeadingTopK(NamedTuple):
    """The k largest positive pre-activations; in training as many as `most`."""

    k: int
    most: int

    def codes(self, parameters, X, life=None, n_jobs=None):
        """Codes of a batch."""
        return TopK(self.k if life is None else self.most).codes(parameters, X, life, n_jobs)

    def dense(self, pre, threshold, life=None):
        """The same from pre-activations (n, m), in any array namespace."""
        return TopK(self.k if life is None else self.most).dense(pre, threshold, life)


class Leading(NamedTuple):
    """Reconstructions by the k largest entries of a code, and with weight 1/8 by as many as `most`."""

    k: int
    most: int

    @property
    def weights(self):
        """The published ones."""
        return 1.0, 0.125

    def levels(self, codes, n_latents):
        """0 for the k largest of a row, 1 for the others."""
        return RankedBudgets((self.k, self.most)).levels(codes, n_latents)


def contrast_of(codes, wanted, temperature):
    """Contrast of codes with the likenesses that are wanted, and its gradient in the entries of the codes.

    Parameters
    ----------
    codes : CSR array of shape (n, m)
        One code a row.
    wanted : array of shape (n, n)
        Rows q_i that add up to one; NaN where a pair does not take part, rows of NaN for signals that do not.
    temperature : float
        Of the softmax.

    Returns
    -------
    value : float
        Mean over the signals that take part; 0 if there are none.
    slopes : array of shape (nnz,)
        Its gradient in the stored entries.
    """
    n = codes.shape[0]
    taking_part = ~np.all(np.isnan(wanted), axis=1)
    if not taking_part.any():
        return 0.0, np.zeros_like(codes.data)
    rows = np.repeat(np.arange(n), np.diff(codes.indptr))
    norms = np.sqrt(np.bincount(rows, codes.data**2, minlength=n))
    norms = np.where(norms > 0, norms, 1.0).astype(codes.dtype)[rows]
    units = sp.csr_array((codes.data / norms, codes.indices, codes.indptr), shape=codes.shape)
    left_out, likeness = np.isnan(wanted), (units @ units.T).toarray() / temperature
    wanted = np.where(left_out, 0.0, wanted)[taking_part]
    log_shares = log_softmax(np.where(left_out, -np.inf, likeness)[taking_part], axis=1)
    shares, log_shares = np.exp(log_shares), np.where(left_out[taking_part], 0.0, log_shares)
    pulls = np.zeros((n, n), dtype=codes.dtype)
    pulls[taking_part] = (shares - wanted) / (temperature * len(wanted))
    with single_threaded_blas():
        of_units = (pulls + pulls.T) @ units  # (n, m), dense
    slopes = of_units[rows, units.indices]
    along = np.bincount(rows, slopes * units.data, minlength=n).astype(codes.dtype)[rows]
    value = float(np.sum(xlogy(wanted, wanted) - wanted * log_shares) / len(wanted))
    return value, (slopes - along * units.data) / norms


class Contrast:
    """The contrast as a term of training, `weight` times as large as the loss of a code without entries on signals of unit variance.

    Parameters
    ----------
    weight : float
        As above; with 0 nothing is added.
    temperature : float
        Of the softmax.
    positives : {"self", "neighbours"}
        What stands in for labels.

    Attributes
    ----------
    labels : int array of shape (n,) or None
        Of the signals of the next batch, where they have any.
    """

    def __init__(self, weight, temperature, positives):
        self.weight, self.temperature, self.positives, self.labels = weight, temperature, positives, None

    def __call__(self, parameters, X, made, gradients, life):
        """Its value; its gradients are added to those of encoder and encoder bias."""
        if self.weight == 0.0:
            return 0.0
        codes = made.codes if made.levels is None else _first_level(made.codes, made.levels)
        shape = X.shape[0], parameters.decoder.shape[0]
        value, slopes = contrast_of(
            sp.csr_array((codes.values, codes.indices, codes.indptr), shape=shape), self.wanted(X), self.temperature
        )
        scale = 0.5 * self.weight * parameters.decoder.shape[1]
        add_encoder_gradients(gradients, codes, X, np.asarray(scale * X.shape[0] * slopes, dtype=X.dtype))
        return scale * value

    def wanted(self, X):
        """How alike the codes of a batch should be, in the form that `contrast_of` takes."""
        n = X.shape[0]
        if self.labels is None and self.positives == "self":
            return np.eye(n)
        others = np.where(np.eye(n, dtype=bool), np.nan, 0.0)
        if n == 1:
            return others
        if self.labels is not None:
            same = self.labels[:, None] == self.labels + others
            count = np.sum(same, axis=1, keepdims=True)
            return np.where(count > 0, same / np.maximum(count, 1), np.nan) + others
        norms = np.linalg.norm(X, axis=1, keepdims=True)
        units = X / np.where(norms > 0, norms, 1)
        with single_threaded_blas():
            likeness = (units @ units.T).astype(np.float64) / self.temperature
        return np.exp(log_softmax(np.where(np.isnan(others), -np.inf, likeness), axis=1)) + others


def _first_level(codes, levels):
    """The entries of level 0 alone."""
    kept = levels == 0
    rows = np.repeat(np.arange(codes.n_signals), np.diff(codes.indptr))[kept]
    indptr = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=codes.n_signals))])
    parts = {name: getattr(codes, name) for name in ("indices", "values", "slopes", "jumps")}
    return codes._replace(indptr=indptr, **{name: None if part is None else part[kept] for name, part in parts.items()})
