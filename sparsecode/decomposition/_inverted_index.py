"""Retrieval among sparse codes: for each latent the list of signals that use it."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.preprocessing import normalize

from .._tables import check_array
from .._validation import as_count, as_flag, refuse_lazy

__all__ = ["InvertedIndex"]

_BLOCK_ENTRIES = 1 << 22  # of the products of a block of queries, which are held at once


class InvertedIndex:
    """Signals by the latents that they use, so that a query looks only at those with which it shares one.

    The score of a signal is the inner product of its code with that of the query, by default of both scaled to norm one. A query
    with k entries reads k of the lists, which hold ``n_signals * sparsity / n_components`` signals on average.

    Parameters
    ----------
    codes : array or sparse matrix of shape (n_signals, n_components)
        Codes, one a row, for example from ``transform`` with ``sparse_output=True``.
    normalize : bool, default=True
        Whether codes are scaled to norm one, so that the score is a cosine.

    Attributes
    ----------
    n_signals, n_components : int
        Shape of the codes.
    n_entries : int
        Entries of all lists.

    Raises
    ------
    ValueError
        If there are no codes, or they are not finite.

    See Also
    --------
    ContrastiveSparseRepresentation : Learns codes to retrieve by.
    sparsecode.metrics.neighbour_recall : How many of the true neighbours were found.

    Examples
    --------
    >>> from sparsecode.decomposition import InvertedIndex
    >>> index = InvertedIndex([[0.0, 2.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 5.0]])
    >>> scores, neighbours = index.query([[0.0, 1.0, 0.0]], n_neighbors=3)
    >>> neighbours
    array([[ 0,  1, -1]])
    >>> scores.round(3)
    array([[1.   , 0.707, 0.   ]])
    """

    def __init__(self, codes, *, normalize=True):
        self.normalize = as_flag(normalize, "normalize")
        codes = self._checked(codes, "codes")
        self.n_signals, self.n_components = codes.shape
        self._lists = codes.T.tocsr()  # one row a latent

    def __repr__(self):
        return (
            f"InvertedIndex of {self.n_signals} signals over {self.n_components} latents, "
            f"{self.n_entries / self.n_signals:.3g} entries a signal"
        )

    @property
    def n_entries(self):
        """Entries of all lists."""
        return int(self._lists.nnz)

    def query(self, codes, n_neighbors=10):
        """The signals with the largest positive scores, best first; ties go to the lower index.

        Parameters
        ----------
        codes : array or sparse matrix of shape (n_queries, n_components)
            Codes of the queries; with other entries than the index was made of, if that is wanted.
        n_neighbors : int, default=10
            How many.

        Returns
        -------
        scores : array of shape (n_queries, n_neighbors)
            In descending order; 0 where there is no further signal of positive score.
        neighbours : int array of shape (n_queries, n_neighbors)
            Indices of the signals; -1 there.

        Raises
        ------
        ValueError
            If the codes have another number of columns, or `n_neighbors` is not positive.
        """
        n_neighbors = as_count(n_neighbors, "n_neighbors")
        codes = self._checked(codes, "codes")
        if codes.shape[1] != self.n_components:
            raise ValueError(f"codes has {codes.shape[1]} columns, but the index is of {self.n_components} latents.")
        scores = np.zeros((codes.shape[0], n_neighbors), dtype=np.result_type(codes.dtype, self._lists.dtype))
        neighbours = np.full((codes.shape[0], n_neighbors), -1, dtype=np.int64)
        for start, stop in _blocks(codes, self._lists):
            products = codes[start:stop] @ self._lists
            for row in range(stop - start):
                found = slice(*products.indptr[row : row + 2])
                best, values = _largest(products.indices[found], products.data[found], n_neighbors)
                scores[start + row, : best.size], neighbours[start + row, : best.size] = values, best
        return scores, neighbours

    def _checked(self, codes, name):
        refuse_lazy(codes, name)
        codes = check_array(codes, accept_sparse="csr", dtype=[np.float64, np.float32], input_name=name)
        codes = sp.csr_array(codes, copy=True)
        codes.sum_duplicates()
        codes.eliminate_zeros()
        return normalize(codes, copy=False) if self.normalize else codes


def _blocks(codes, lists):
    """Slices of the queries whose products hold about as many entries as may be held at once."""
    length = np.diff(lists.indptr).astype(np.int64)
    cost = np.add.reduceat(np.append(length[codes.indices], 0), codes.indptr[:-1])
    cost[np.diff(codes.indptr) == 0] = 0
    block = np.cumsum(cost) // _BLOCK_ENTRIES
    starts = np.flatnonzero(np.diff(block, prepend=-1))
    return zip(starts, np.append(starts[1:], codes.shape[0]), strict=True)


def _largest(indices, values, count):
    """The positive values, largest first and the lower index first among equals, cut to `count`, and their indices."""
    if values.size > count:  # sorting the rest would be for nothing
        least = np.partition(values, values.size - count)[values.size - count]
        kept = values >= max(least, 0.0)
        indices, values = indices[kept], values[kept]
    kept = values > 0
    indices, values = indices[kept], values[kept]
    order = np.lexsort((indices, -values))[:count]
    return indices[order], values[order]
