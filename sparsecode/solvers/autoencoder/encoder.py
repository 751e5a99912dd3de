"""The encoder's product, the one dense product of a sparse autoencoder, and what is kept of it: blocks of signals never leave the cache."""

from __future__ import annotations

import numpy as np

from ..._parallel import map_blocks

__all__ = ["above", "largest_of_latents", "largest_of_rows", "largest_scores", "pre_activations"]

_BLOCK = 256  # rows of a product that are held at a time
_NO_BIAS = 0


def pre_activations(parameters, X):
    """``x W^T + b_e``, (n, m)."""
    return X @ parameters.encoder.T + parameters.encoder_bias


def _words(dtype):
    return np.int32 if dtype == np.float32 else np.int64


class _Kept:
    """Buffers for the k largest entries of each row, and the selection itself."""

    def __init__(self, n_rows, n_columns, k, dtype):
        self.k = min(k, n_columns)
        self.indices, self.values = np.empty((n_rows, self.k), dtype=np.int32), np.empty((n_rows, self.k), dtype=dtype)
        self.counts = np.empty(n_rows, dtype=np.int64)

    def select(self, part, products, bias, signed):
        from ...kernels.autoencoder import top_rows

        words = np.empty(products.shape[1], dtype=_words(products.dtype))
        top_rows(
            products,
            bias,
            signed,
            words,
            words.view(products.dtype),
            self.indices[part],
            self.values[part],
            self.counts[part],
        )

    def compressed(self):
        """indptr, indices, values."""
        indptr = np.concatenate([[0], np.cumsum(self.counts)])
        if indptr[-1] == self.indices.size:
            return indptr, self.indices.reshape(-1), self.values.reshape(-1)
        filled = np.arange(self.k) < self.counts[:, None]
        return indptr, self.indices[filled], self.values[filled]


def largest_of_rows(parameters, X, k, signed=False, n_jobs=None):
    """The k largest positive pre-activations of each signal (in modulus, if signed), as compressed rows; ties go to the lowest latent."""
    kept = _Kept(X.shape[0], parameters.encoder.shape[0], k, X.dtype)

    def block(start, stop):
        part = slice(start, stop)
        kept.select(part, X[part] @ parameters.encoder.T, parameters.encoder_bias, signed)

    map_blocks(block, X.shape[0], _BLOCK, n_jobs)
    return kept.compressed()


def largest_scores(parameters, X, slopes, k, n_jobs=None):
    """The k entries of each signal with the largest ``pre_j |<d_j, slope>|``, of those that are positive; values are the pre-activations."""
    kept = _Kept(X.shape[0], parameters.encoder.shape[0], k, X.dtype)
    nothing = np.zeros_like(parameters.encoder_bias)

    def block(start, stop):
        part = slice(start, stop)
        pre = pre_activations(parameters, X[part])
        kept.select(part, pre * np.abs(slopes[part] @ parameters.decoder.T), nothing, False)
        places = np.where(np.arange(kept.k) < kept.counts[part, None], kept.indices[part], 0)
        kept.values[part] = np.take_along_axis(pre, places, axis=1)

    map_blocks(block, X.shape[0], _BLOCK, n_jobs)
    return kept.compressed()


def largest_of_latents(parameters, X, budgets, n_jobs=None):
    """Of each latent the entries of its ``budgets[j]`` largest positive pre-activations in the batch, as compressed rows.

    Ties go to the first signal.
    """
    n_latents = parameters.encoder.shape[0]
    most = max(int(np.max(budgets)), 1)
    kept = _Kept(n_latents, X.shape[0], most, X.dtype)
    nothing = np.zeros(X.shape[0], dtype=X.dtype)

    def block(start, stop):
        part = slice(start, stop)
        products = parameters.encoder[part] @ X.T
        products += parameters.encoder_bias[part, None]
        kept.select(part, products, nothing, False)

    map_blocks(block, n_latents, _BLOCK, n_jobs)
    latents, places = np.nonzero(np.arange(kept.k) < kept.counts[:, None])
    signals, values = kept.indices[latents, places], kept.values[latents, places]
    keep = _within_budgets(latents, values, signals, budgets)
    latents, signals, values = latents[keep], signals[keep], values[keep]
    order = np.lexsort((latents, signals))
    counts = np.bincount(signals, minlength=X.shape[0])
    return np.concatenate([[0], np.cumsum(counts)]), latents[order].astype(np.int32), values[order]


def _within_budgets(latents, values, signals, budgets):
    """Of entries grouped by latent those that rank below its budget, the largest first."""
    order = np.lexsort((signals, -values, latents))
    starts = np.searchsorted(latents[order], np.arange(len(budgets)))
    ranks = np.empty(order.size, dtype=np.int64)
    ranks[order] = np.arange(order.size) - starts[latents[order]]
    return ranks < np.asarray(budgets)[latents]


def above(parameters, X, low, n_jobs=None):
    """The pre-activations above ``low`` (m,), as compressed rows."""
    from ...kernels.autoencoder import count_above, fill_above

    low = low.astype(X.dtype, copy=False)

    def block(start, stop):
        products = X[start:stop] @ parameters.encoder.T
        counts = np.empty(stop - start, dtype=np.int64)
        count_above(products, parameters.encoder_bias, low, counts)
        indptr = np.concatenate([[0], np.cumsum(counts)])
        indices, values = np.empty(indptr[-1], dtype=np.int32), np.empty(indptr[-1], dtype=X.dtype)
        fill_above(products, parameters.encoder_bias, low, indptr, indices, values)
        return counts, indices, values

    counts, indices, values = (
        np.concatenate(part) for part in zip(*map_blocks(block, X.shape[0], _BLOCK, n_jobs), strict=True)
    )
    return np.concatenate([[0], np.cumsum(counts)]), indices, values
