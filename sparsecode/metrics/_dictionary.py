"""How close two dictionaries are, up to order and (unless asked otherwise) sign, and how alike the atoms of one are."""

from __future__ import annotations

import numpy as np
from scipy.optimize import linear_sum_assignment

from .._validation import as_count, as_number
from ._errors import as_values

__all__ = [
    "babel",
    "dictionary_distance",
    "dictionary_recovery",
    "match_atoms",
    "mean_max_cosine",
    "mutual_coherence",
]


def match_atoms(dictionary_true, dictionary, *, signed=False):
    """Match true atoms with atoms found, one with one, so that the sum of their cosines is largest (Hungarian assignment).

    Parameters
    ----------
    dictionary_true, dictionary : array of shape (n_components, n_features)
        Atoms in rows, of any norm.
    signed : bool, default=False
        Whether the sign (or phase) of an atom counts, as it does where codes must not be negative: the cosine itself, its
        real part for complex atoms, in place of its modulus.

    Returns
    -------
    matches : int array of shape (n_components_true,)
        The atom of `dictionary` that each true atom is matched with; -1 where `dictionary` has too few.
    cosines : float64 array of shape (n_components_true,)
        Of the matched pairs; 0 where there is none.

    Raises
    ------
    ValueError
        If the atoms differ in length.

    See Also
    --------
    dictionary_recovery : The share of true atoms above a cosine, by the matching that makes that share largest.
    dictionary_distance : The root mean squared distance of these pairs.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", 1955.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import match_atoms
    >>> matches, cosines = match_atoms(np.eye(3), [[0.0, 0.0, -2.0], [1.0, 0.0, 0.0]])
    >>> matches, cosines
    (array([ 1, -1,  0]), array([1., 0., 1.]))
    """
    likeness = _likeness(dictionary_true, dictionary, signed)
    rows, columns = linear_sum_assignment(likeness, maximize=True)
    matches, cosines = np.full(likeness.shape[0], -1), np.zeros(likeness.shape[0])
    matches[rows], cosines[rows] = columns, likeness[rows, columns]
    return matches, cosines


def dictionary_distance(dictionary_true, dictionary, *, signed=False):
    """Root mean squared distance between matched unit-norm atoms, minimised over order and sign (or complex phase).

    ``sqrt(mean_i 2 - 2 |<d_i, e_match(i)>|)``, with the match that makes it smallest (Hungarian assignment).

    Parameters
    ----------
    dictionary_true, dictionary : array of shape (n_components, n_features)
        Atoms in rows, of any norm. Where `dictionary` has fewer atoms, the true ones left over count as orthogonal to
        it; where it has more, the spare ones do not count.
    signed : bool, default=False
        Whether the sign (or phase) of an atom counts, as it does where codes must not be negative: the real part of the
        inner product then stands in place of its modulus.

    Returns
    -------
    float
        Between 0 (the same atoms) and ``sqrt(2)`` (all orthogonal), or 2 with `signed` (all opposite).

    Raises
    ------
    ValueError
        If the atoms differ in length.

    References
    ----------
    Kuhn, "The Hungarian method for the assignment problem", 1955.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import dictionary_distance
    >>> dictionary_distance(np.eye(3), -2.0 * np.eye(3)[[2, 0, 1]])
    0.0
    """
    _, cosines = match_atoms(dictionary_true, dictionary, signed=signed)
    return float(np.sqrt(np.mean(np.maximum(2.0 - 2.0 * cosines, 0.0))))


def dictionary_recovery(dictionary_true, dictionary, *, threshold=0.99, signed=False):
    """Share of the true atoms that are matched by an atom of absolute cosine above `threshold`.

    Parameters
    ----------
    dictionary_true, dictionary : array of shape (n_components, n_features)
        Atoms in rows, of any norm; each atom of `dictionary` can match one true atom only.
    threshold : float, default=0.99
        The customary bound.
    signed : bool, default=False
        Whether an atom of the opposite sign (or another phase) is another atom.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If the atoms differ in length.

    References
    ----------
    Aharon, Elad and Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries", 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import dictionary_recovery
    >>> dictionary_recovery(np.eye(4), [[0, 1, 0, 0], [1, 1, 0, 0], [0, 0, 0, -1]])
    0.5
    """
    threshold = as_number(threshold, "threshold", maximum=1.0)
    above = (_likeness(dictionary_true, dictionary, signed) > threshold).astype(float)
    rows, columns = linear_sum_assignment(above, maximize=True)
    return float(above[rows, columns].sum() / above.shape[0])


def mean_max_cosine(dictionary_true, dictionary, *, signed=False):
    """Mean over the true atoms of the largest absolute cosine with any atom found: ``mean_i max_j |<d_i, e_j>|``.

    Each true atom looks for its own best one, so one atom found can serve several; `dictionary_distance` and
    `dictionary_recovery` let it serve one. Turned round, ``mean_max_cosine(dictionary, dictionary_true)`` says how many of
    the atoms found are true.

    Parameters
    ----------
    dictionary_true, dictionary : array of shape (n_components, n_features)
        Atoms in rows, of any norm; a row of zeros counts as orthogonal to all.
    signed : bool, default=False
        Whether the sign (or phase) of an atom counts: the largest cosine itself, its real part for complex atoms.

    Returns
    -------
    float
        1 where every true atom was found; ``2 - 2 * mean_max_cosine`` is the mean squared distance to the nearest atom.

    Raises
    ------
    ValueError
        If the atoms differ in length.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import mean_max_cosine
    >>> mean_max_cosine(np.eye(2), [[0.0, -3.0], [0.6, 0.8]])
    0.8
    >>> mean_max_cosine(np.eye(2), [[0.0, -3.0], [0.6, 0.8]], signed=True)
    0.7
    """
    return float(np.mean(np.max(_likeness(dictionary_true, dictionary, signed), axis=1)))


def mutual_coherence(A):
    """Largest absolute cosine between two different columns of a matrix.

    Parameters
    ----------
    A : array of shape (n_samples, n_features)
        The design, columns of any norm. For a dictionary with atoms in rows pass ``components_.T``.

    Returns
    -------
    float
        Between ``sqrt((n - m) / (m (n - 1)))`` (Welch) and 1; a column of zeros counts as orthogonal to all.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import mutual_coherence
    >>> round(mutual_coherence(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])), 6)
    0.707107
    """
    columns = _unit_rows(as_values(A).T, "A")
    return _cumulative(columns, 1) if len(columns) > 1 else 0.0


def babel(A, order):
    """Cumulative coherence: the most that `order` columns together can resemble another one.

    ``max_j max_{|S| = order, j not in S} sum_{i in S} |<a_i, a_j>|`` with unit columns. Any support of k columns is
    recovered exactly by orthogonal matching pursuit if ``babel(A, k - 1) + babel(A, k) < 1``.

    Parameters
    ----------
    A : array of shape (n_samples, n_features)
        The design, columns of any norm.
    order : int
        Number of columns added up, less than the number of features.

    Returns
    -------
    float
        At most ``order * mutual_coherence(A)``.

    Raises
    ------
    ValueError
        If `order` is not below the number of features.

    References
    ----------
    Tropp, "Greed is good: algorithmic results for sparse approximation", 2004.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import babel
    >>> round(babel(np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]]), 2), 6)
    1.414214
    """
    columns = _unit_rows(as_values(A).T, "A")
    order = as_count(order, "order")
    if order >= columns.shape[0]:
        raise ValueError(f"order is {order}, but only {columns.shape[0] - 1} other columns exist.")
    return _cumulative(columns, order)


def _cumulative(columns, order):
    likeness = np.abs(columns.conj() @ columns.T)
    np.fill_diagonal(likeness, 0.0)
    largest = np.partition(likeness, columns.shape[0] - order, axis=1)[:, -order:]
    return float(largest.sum(axis=1).max())


def _likeness(dictionary_true, dictionary, signed):
    """Cosine of every true atom with every atom found: its modulus, or its real part where signs count."""
    true, found = _unit_rows(dictionary_true, "dictionary_true"), _unit_rows(dictionary, "dictionary")
    if true.shape[1] != found.shape[1]:
        raise ValueError(
            f"the atoms of dictionary have length {found.shape[1]}, those of dictionary_true {true.shape[1]}."
        )
    cosines = true @ found.conj().T
    return np.real(cosines) if signed else np.abs(cosines)


def _unit_rows(dictionary, name):
    atoms = as_values(dictionary)
    if atoms.ndim != 2 or atoms.size == 0:
        raise ValueError(f"expected a two-dimensional array with at least one atom; got shape {atoms.shape}.")
    if not np.all(np.isfinite(atoms)):
        raise ValueError(f"{name} has entries that are not finite; a cosine with them means nothing.")
    size = np.max(np.abs(atoms), axis=1, keepdims=True)  # squares of what is left stay in range
    atoms = atoms / np.ldexp(1.0, np.frexp(np.where(size > 0, size, 1.0))[1] - 1)
    norms = np.linalg.norm(atoms, axis=1, keepdims=True)
    return np.divide(atoms, norms, out=np.zeros_like(atoms), where=norms > 0)
