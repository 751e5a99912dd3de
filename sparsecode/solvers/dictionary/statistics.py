"""Sufficient statistics of sparse codes, and the update of a dictionary from them.

    statistics    A = Z^T Z  (K, K),   B = Z^T X  (K, d)        for codes Z (n, K) of signals X (n, d)
    surrogate     1/2 tr(A D D^T) - tr(B D^T)                   over atoms d_j with ||d_j|| <= 1

The surrogate is the misfit of the codes as a function of the atoms, up to a constant. Statistics of parts add up to those of the
whole, so parts may be coded in other processes, or at other times.

Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).
"""

from typing import Any, NamedTuple

import numpy as np

from ..._tables import check_array
from ..._validation import as_count
from .incoherence import incoherent, refuse_coherence
from .replacement import fresh_atoms, useless_atoms

__all__ = [
    "Statistics",
    "add_statistics",
    "bare",
    "codes_statistics",
    "local_statistics",
    "movement",
    "sampling_error",
    "stationarity",
    "surrogate",
    "swept",
    "update_dictionary",
    "updated",
]

_SPARE = 16  # candidates beyond one for each atom: some resemble each other
_LEAST = (
    1e-10  # of the largest product with the codes of another atom: codes of less energy are rounding errors beside them
)


class Statistics(NamedTuple):
    """What the codes Z (n, K) of signals X (n, d) say about the atoms; `add_statistics` joins those of two parts.

    A tuple of arrays and numbers, so it travels between processes as it is.

    Attributes
    ----------
    code_gram : float64 array of shape (K, K)
        ``Z^T Z``.
    code_signal : float64 array of shape (K, d)
        ``Z^T X``.
    usage : float64 array of shape (K,)
        How many signals use each atom.
    n_signals : float
        How many signals there were.
    objective : float
        Sum of their objectives.
    certificate : float
        The largest certificate of a code.
    worst : float64 array of shape (at most K + 16, d)
        The signals of largest objective, from which dead atoms are replaced; the first of them is represented worst.
    worst_objectives : float64 array of shape (at most K + 16,)
        Their objectives, falling.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import local_statistics
    >>> X = np.array([[3.0, 0.0], [0.0, 1.0], [1.0, 0.0]])
    >>> statistics = local_statistics(X, np.eye(2), n_nonzero_coefs=1)
    >>> statistics.code_gram.tolist(), statistics.usage.tolist(), statistics.n_signals
    ([[10.0, 0.0], [0.0, 1.0]], [2.0, 1.0], 3.0)
    """

    code_gram: Any
    code_signal: Any
    usage: Any
    n_signals: float
    objective: float
    certificate: float
    worst: Any
    worst_objectives: Any

    @classmethod
    def empty(cls, n_atoms, n_features):
        """The statistics of no signals.

        Parameters
        ----------
        n_atoms : int
            Atoms of the dictionary, K.
        n_features : int
            Their length, d.

        Returns
        -------
        Statistics
            Zeros; added to others it changes nothing.
        """
        return cls(
            np.zeros((n_atoms, n_atoms)),
            np.zeros((n_atoms, n_features)),
            np.zeros(n_atoms),
            0.0,
            0.0,
            0.0,
            np.zeros((0, n_features)),
            np.zeros(0),
        )


def local_statistics(signals, dictionary, coder, n_jobs=None) -> Statistics:
    """Code signals, rows of a float64 array, over a dictionary, and summarise the codes; `coder` is one of `make_coder`."""
    return codes_statistics(signals, dictionary.shape[0], coder.code(dictionary, signals, n_jobs))


def codes_statistics(signals, n_atoms, coded) -> Statistics:
    """The statistics of codes in compressed rows, with their certificates and objectives."""
    from ...kernels.atoms import accumulate

    empty = Statistics.empty(n_atoms, signals.shape[1])
    accumulate(empty.code_gram, empty.code_signal, signals, coded.indptr, coded.indices, coded.values)
    worst = np.argsort(-coded.objective, kind="stable")[: n_atoms + _SPARE]
    return Statistics(
        empty.code_gram,
        empty.code_signal,
        np.bincount(coded.indices, minlength=n_atoms).astype(np.float64),
        float(signals.shape[0]),
        float(np.sum(coded.objective)),
        float(np.max(coded.certificate, initial=0.0)),
        signals[worst],
        coded.objective[worst],
    )


def add_statistics(past: Statistics, new: Statistics, keep=1.0) -> Statistics:
    """``keep * past + new``: the statistics of all the signals, those of the past with weight `keep`.

    With ``keep=1`` it is associative, so the parts of a data set may be summarised anywhere and joined in any grouping; sums
    then agree to rounding, and `worst` exactly (ties go to the earlier part).

    Parameters
    ----------
    past, new : Statistics
        Statistics of codes over the same dictionary, or, in a stream, over an earlier and a later one.
    keep : float, default=1.0
        What the past counts: below one it is forgotten.

    Returns
    -------
    Statistics
        Those of both.

    Raises
    ------
    ValueError
        If the two belong to dictionaries of different shapes.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import add_statistics, local_statistics
    >>> parts = [local_statistics(part, np.eye(2), n_nonzero_coefs=1) for part in (np.eye(2), 3 * np.eye(2))]
    >>> add_statistics(*parts).code_gram.tolist()
    [[10.0, 0.0], [0.0, 10.0]]
    """
    if past.code_signal.shape != new.code_signal.shape:
        raise ValueError(
            f"past has statistics of a dictionary of shape {past.code_signal.shape}, new of one of shape "
            f"{new.code_signal.shape}: only statistics over dictionaries of one shape add up."
        )
    objectives = np.concatenate([keep * past.worst_objectives, new.worst_objectives])
    worst = np.argsort(-objectives, kind="stable")[: past.usage.size + _SPARE]
    return Statistics(
        keep * past.code_gram + new.code_gram,
        keep * past.code_signal + new.code_signal,
        keep * past.usage + new.usage,
        keep * past.n_signals + new.n_signals,
        keep * past.objective + new.objective,
        float(np.maximum(past.certificate, new.certificate)),  # keeps a NaN
        np.concatenate([past.worst, new.worst])[worst],
        objectives[worst],
    )


def bare(statistics) -> Statistics:
    """The same without the signals represented worst, which sums over batches have no use for."""
    return statistics._replace(worst=statistics.worst[:0], worst_objectives=statistics.worst_objectives[:0])


def update_dictionary(
    dictionary,
    statistics,
    *,
    positive_code=False,
    positive_dict=False,
    n_sweeps=1,
    replace_dead=False,
    max_coherence=None,
):
    """Improve atoms one after another: each becomes the minimiser of the surrogate with the others fixed.

    With the codes Z and the signals X behind the statistics A and B, the surrogate is::

        1/2 tr(A D D^T) - tr(B D^T)  =  1/2 ||X - Z D||^2 - 1/2 ||X||^2      over atoms ||d_j|| <= 1

    and no sweep raises it.

    Parameters
    ----------
    dictionary : array of shape (n_components, n_features)
        The atoms that the signals were coded over, norms at most one; not changed.
    statistics : Statistics
        What their codes said.
    positive_code : bool, default=False
        Whether codes must not be negative: an atom and its negative are then two, which `replace_dead` leaves side by side.
    positive_dict : bool, default=False
        Whether atoms must not be negative.
    n_sweeps : int, default=1
        Passes over the atoms.
    replace_dead : bool, default=False
        Whether atoms that no signal uses, and the less used of two of absolute cosine above 0.99, become signals of
        ``statistics.worst``, none of them twice. Meant for the statistics of a whole data set over one dictionary: statistics that go
        on would still speak of the atom that was replaced.
    max_coherence : float, optional
        Bound on the absolute cosine of two atoms, kept by iterative projections and rotations; atoms then have norm one.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        The new atoms, in float64; those that no code uses are as they were.

    Raises
    ------
    ValueError
        If the shapes of dictionary and statistics disagree, the dictionary has negative entries where it must not, or a parameter
        is out of its range.

    See Also
    --------
    local_statistics : The statistics of some signals.

    References
    ----------
    Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import local_statistics, update_dictionary
    >>> X, atoms = np.array([[2.0, 0.2], [0.0, 1.0]]), np.eye(2)
    >>> update_dictionary(atoms, local_statistics(X, atoms, n_nonzero_coefs=1)).round(3)
    array([[0.995, 0.1  ],
           [0.   , 1.   ]])
    """
    atoms = check_array(dictionary, dtype=np.float64, input_name="dictionary", estimator="update_dictionary")
    n_sweeps = as_count(n_sweeps, "n_sweeps")
    refuse_coherence(max_coherence, atoms.shape[0], atoms.shape[1], positive_dict)
    if positive_dict and np.any(atoms < 0):
        raise ValueError(
            "dictionary has negative entries, but positive_dict forbids them; pass np.maximum(dictionary, 0)."
        )
    if atoms.shape != statistics.code_signal.shape:
        raise ValueError(
            f"dictionary has shape {atoms.shape}, but the statistics are of one of shape {statistics.code_signal.shape}."
        )
    return updated(atoms, statistics, positive_code, positive_dict, n_sweeps, replace_dead, max_coherence)


def updated(atoms, statistics, signed, positive, n_sweeps, replace_dead, bound):
    """`update_dictionary` of arguments that are known to be sound."""
    atoms = swept(atoms, statistics, positive, n_sweeps)[0]
    if replace_dead:
        useless = useless_atoms(atoms, statistics.usage, signed)
        fresh = fresh_atoms(statistics.worst, useless, atoms, positive, signed)
        atoms[useless[: fresh.shape[0]]] = fresh
    return atoms if bound is None else incoherent(atoms, statistics.code_signal, bound)


def surrogate(dictionary, statistics) -> float:
    """``1/2 tr(A D D^T) - tr(B D^T)``: the misfit of the codes as a function of the atoms, up to a constant."""
    return float(
        0.5 * np.vdot(statistics.code_gram, dictionary @ dictionary.T) - np.vdot(statistics.code_signal, dictionary)
    )


def stationarity(dictionary, statistics, *, positive=False, bound=None) -> float:
    """How far a sweep over the atoms would move them (see `movement`): zero at a stationary dictionary. With a bound on the coherence
    it is how far the sweep and the step back within the bound move them together."""
    return movement(dictionary, _stepped(dictionary, statistics, positive, bound), statistics)


def sampling_error(dictionary, one, other, *, positive=False, bound=None) -> float:
    """How far the step of `stationarity` over so many signals would be from what it is over endless ones, in root mean square.

    The steps over two parts of the signals, drawn at random, differ by their errors alone: these have variances in proportion to
    1 / n and 1 / m, and the step over both parts has one in proportion to 1 / (n + m).
    """
    total = one.n_signals + other.n_signals
    if one.n_signals == 0 or other.n_signals == 0:
        return 0.0
    first, second = (_stepped(dictionary, part, positive, bound) for part in (one, other))
    share = float(np.sqrt(one.n_signals * other.n_signals)) / total
    return share * movement(first, second, add_statistics(one, other))


def _stepped(dictionary, statistics, positive, bound):
    """The atoms after one sweep and, with a bound on their coherence, the step back within it."""
    after = swept(dictionary, statistics, positive, 1)[0]
    return after if bound is None else incoherent(after, statistics.code_signal, bound)


def movement(before, after, statistics) -> float:
    """Root mean square distance of the atoms before and after, weighted by the energy of their codes or, where that is larger, by the
    number of signals that use them: one long signal must not hide the others."""
    sq_moves = np.sum((after - before) ** 2, axis=1)
    largest = 0.0
    for weights in (np.diagonal(statistics.code_gram), statistics.usage):
        total = float(np.sum(weights))
        largest = max(largest, float(weights @ sq_moves) / total) if total > 0 else largest
    return float(np.sqrt(largest))


def swept(dictionary, statistics, positive, n_sweeps):
    """Atoms after some sweeps, and how far the last one moved them."""
    from ...kernels.atoms import sweep

    atoms = np.array(dictionary, dtype=np.float64, order="C")
    move = 0.0
    for _ in range(n_sweeps):
        move = sweep(atoms, statistics.code_gram, statistics.code_signal, positive, _LEAST)
    return atoms, move
