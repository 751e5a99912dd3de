"""How good a learned coder is where its features are known: which latent is which feature, what it leaves out, what it hides."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp

from .._array import is_array_api_obj, to_numpy
from ._errors import as_pair, as_values

__all__ = ["absorption", "neighbour_recall", "variance_unexplained"]


def variance_unexplained(reference, estimate):
    """Fraction of the variance that an estimate leaves unexplained.

    ``||reference - estimate||^2 / ||reference - mean||^2``, over all entries, the mean being that of each column.

    Parameters
    ----------
    reference, estimate : array of shape (n_samples, n_features)
        The signals, one a row, and what was made of their codes.

    Returns
    -------
    float
        0 for a perfect estimate, 1 for the mean of each feature. Where the reference does not vary, 0 if the estimate is the same
        and infinity if not.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> from sparsecode.metrics import variance_unexplained
    >>> variance_unexplained([[0.0, 1.0], [2.0, 1.0]], [[0.5, 1.0], [2.0, 1.0]])
    0.125
    """
    reference, estimate = as_pair(reference, estimate)
    error = float(np.sum(np.abs(estimate - reference) ** 2))
    spread = float(np.sum(np.abs(reference - reference.mean(axis=0)) ** 2))
    if spread == 0.0:
        return np.inf if error > 0.0 else 0.0
    return error / spread


def absorption(codes_true, codes, parents, matches):
    """How often a parent's latent is silent although the parent and one of its children are on.

    A sparse coder saves an active latent by giving the child a latent that means "parent and child"; the latent of the parent
    then no longer means the parent, but "parent without these children". Nothing of this shows in the reconstruction.

    Parameters
    ----------
    codes_true : array or sparse matrix of shape (n_samples, n_components_true)
        Which features are truly on: the entries that are not zero.
    codes : array or sparse matrix of shape (n_samples, n_components)
        Codes of the same signals, one column a latent.
    parents : int array of shape (n_components_true,)
        The parent of each feature, -1 for none, as `make_planted_features` returns them.
    matches : int array of shape (n_components_true,)
        The latent of each feature, -1 for none, which counts as silent; see `match_atoms`.

    Returns
    -------
    float
        Between 0 and 1, over all cases of a child on in a signal with its parent; 0 where there is no such case.

    Raises
    ------
    ValueError
        If the shapes do not fit together.

    References
    ----------
    Chanin, Wilken-Smith, Dulka and others, "A is for absorption: studying feature splitting and absorption in sparse
    autoencoders", 2024 (arXiv 2409.14507).

    Examples
    --------
    >>> from sparsecode.metrics import absorption
    >>> absorption([[1.0, 1.0], [1.0, 0.0]], [[0.0, 2.0], [1.0, 0.0]], parents=[-1, 0], matches=[0, 1])
    1.0
    """
    true, found = _columns(codes_true, "codes_true"), _columns(codes, "codes")
    parents, matches = _indices(parents, "parents"), _indices(matches, "matches")
    if true.shape[0] != found.shape[0]:
        raise ValueError(f"codes has {found.shape[0]} signals, but codes_true has {true.shape[0]}; they must agree.")
    for name, given in (("parents", parents), ("matches", matches)):
        if given.shape != (true.shape[1],):
            raise ValueError(
                f"{name} has shape {given.shape}; it needs one entry for each of {true.shape[1]} features."
            )
    if np.max(parents, initial=-1) >= true.shape[1] or np.max(matches, initial=-1) >= found.shape[1]:
        raise ValueError("parents or matches names a feature or latent that there is not.")
    cases = silent = 0
    for child in np.flatnonzero(parents >= 0):
        parent = parents[child]
        both = _on(true, child) & _on(true, parent)
        cases += int(np.count_nonzero(both))
        silent += int(np.count_nonzero(both if matches[parent] < 0 else both & ~_on(found, matches[parent])))
    return silent / cases if cases else 0.0


def neighbour_recall(neighbours_true, neighbours):
    """Share of the true neighbours that are among those found.

    Parameters
    ----------
    neighbours_true : int array of shape (n_queries, n_true)
        Indices of the true neighbours of each query, as scikit-learn's ``kneighbors`` returns them.
    neighbours : int array of shape (n_queries, n_found)
        Indices found, in any order; negative ones stand for none.

    Returns
    -------
    float
        Between 0 and 1: recall at `n_found`, a mean over the queries.

    Raises
    ------
    ValueError
        If the numbers of queries differ, or an argument does not hold integers.

    Examples
    --------
    >>> from sparsecode.metrics import neighbour_recall
    >>> neighbour_recall([[1, 2], [0, 2]], [[2, 5], [2, 0]])
    0.75
    """
    true, found = _indices(neighbours_true, "neighbours_true"), _indices(neighbours, "neighbours")
    if np.min(true, initial=0) < 0:
        raise ValueError("neighbours_true has negative entries; pass as many true neighbours as every query has.")
    if true.ndim != 2 or found.ndim != 2 or true.shape[0] != found.shape[0] or true.size == 0:
        raise ValueError(
            f"neighbours_true has shape {true.shape} and neighbours {found.shape}; both must be (n_queries, n_neighbours), with one "
            "row for each query."
        )
    hits = sum(int(np.count_nonzero(np.isin(wanted, got))) for wanted, got in zip(true, found, strict=True))
    return hits / true.size


def _columns(codes, name):
    """Codes in a form whose columns are cheap to take."""
    if sp.issparse(codes):
        codes = sp.csc_array(codes, copy=True)
        codes.sum_duplicates()
    else:
        codes = as_values(codes)
    if codes.ndim != 2 or 0 in codes.shape:
        raise ValueError(f"{name} has shape {codes.shape}; it must be (n_samples, n_components), one code a row.")
    return codes


def _on(codes, column):
    """Which signals use a component."""
    if not sp.issparse(codes):
        return codes[:, column] != 0
    on = np.zeros(codes.shape[0], dtype=bool)
    start, stop = codes.indptr[column : column + 2]
    on[codes.indices[start:stop][codes.data[start:stop] != 0]] = True
    return on


def _indices(values, name):
    array = to_numpy(values) if is_array_api_obj(values) else np.asarray(values)
    if array.dtype.kind not in "iu":
        raise ValueError(f"{name} has dtype {array.dtype}; it must hold integers.")
    return array
