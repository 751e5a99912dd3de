"""Online dictionary learning: code a batch, add its statistics to those of the past, improve the atoms.

    minimise over atoms ||d_j|| <= 1   mean over signals x of   min_c 1/2 ||x - c D||^2 + penalty(c)

The past enters through ``A = sum Z^T Z`` and ``B = sum Z^T X`` alone, which add up over batches (and over processes); the
signals of step t count ``t**forgetting`` times as much as those of step 1.

Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "OnlineLearner",
    "Statistics",
    "add_statistics",
    "initial_atoms",
    "local_statistics",
    "stationarity",
    "surrogate",
    "update_dictionary",
]

_DEAD_AFTER = 10  # times the number of atoms: so many signals that never use an atom prove it dead
_SAME = 0.99  # cosine from which two atoms are one
_LEAST = 1e-10  # of the mean energy: atoms whose codes carry less are left as they are


class Statistics(NamedTuple):
    """What the codes Z (n, K) of signals X (n, d) say about the atoms.

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
    """

    code_gram: Any
    code_signal: Any
    usage: Any
    n_signals: float
    objective: float
    certificate: float

    @classmethod
    def empty(cls, n_atoms, n_features):
        """The statistics of no signals."""
        return cls(np.zeros((n_atoms, n_atoms)), np.zeros((n_atoms, n_features)), np.zeros(n_atoms), 0.0, 0.0, 0.0)


def local_statistics(signals, dictionary, coder, n_jobs=None):
    """Code signals over a dictionary and summarise the codes.

    Parameters
    ----------
    signals : float64 array of shape (n_signals, n_features)
        Signals, one a row.
    dictionary : float64 array of shape (n_components, n_features)
        The atoms.
    coder : LassoCoder, GreedyCoder or ThresholdCoder
        How codes are found.
    n_jobs : int, optional
        Threads of the coder.

    Returns
    -------
    statistics : Statistics
        What `update_dictionary` needs.
    objectives : float64 array of shape (n_signals,)
        The objective of each signal.
    """
    from ...kernels.atoms import accumulate

    coded = coder.code(dictionary, signals, n_jobs)
    empty = Statistics.empty(*dictionary.shape)
    accumulate(empty.code_gram, empty.code_signal, signals, coded.indptr, coded.indices, coded.values)
    usage = np.bincount(coded.indices, minlength=dictionary.shape[0]).astype(np.float64)
    statistics = empty._replace(
        usage=usage,
        n_signals=float(signals.shape[0]),
        objective=float(np.sum(coded.objective)),
        certificate=float(np.max(coded.certificate)),
    )
    return statistics, coded.objective


def add_statistics(past: Statistics, new: Statistics, keep=1.0) -> Statistics:
    """``keep * past + new``."""
    return Statistics(
        keep * past.code_gram + new.code_gram,
        keep * past.code_signal + new.code_signal,
        keep * past.usage + new.usage,
        keep * past.n_signals + new.n_signals,
        keep * past.objective + new.objective,
        max(past.certificate, new.certificate),
    )


def update_dictionary(dictionary, statistics, *, positive=False, n_sweeps=1):
    """Improve atoms one after another: each becomes the minimiser of the surrogate with the others fixed.

    Parameters
    ----------
    dictionary : array of shape (n_components, n_features)
        The atoms; not changed.
    statistics : Statistics
        What their codes said.
    positive : bool, default=False
        Whether atoms must not be negative.
    n_sweeps : int, default=1
        Passes over the atoms.

    Returns
    -------
    ndarray of shape (n_components, n_features)
        The new atoms, in float64; those that no code uses are as they were.
    """
    return _swept(dictionary, statistics, positive, n_sweeps)[0]


def surrogate(dictionary, statistics) -> float:
    """``1/2 tr(A D D^T) - tr(B D^T)``: the misfit of the codes as a function of the atoms, up to a constant."""
    return float(
        0.5 * np.vdot(statistics.code_gram, dictionary @ dictionary.T) - np.vdot(statistics.code_signal, dictionary)
    )


def stationarity(dictionary, statistics, *, positive=False) -> float:
    """How far a sweep over the atoms would move them: root mean square over atoms of norm one, weighted by the energy of their
    codes. Zero at a stationary dictionary."""
    return _swept(dictionary, statistics, positive, 1)[1]


def _swept(dictionary, statistics, positive, n_sweeps):
    from ...kernels.atoms import sweep

    atoms = np.array(dictionary, dtype=np.float64, order="C")
    least = _LEAST * float(np.mean(np.diagonal(statistics.code_gram)))
    move = 0.0
    for _ in range(n_sweeps):
        move = sweep(atoms, statistics.code_gram, statistics.code_signal, positive, least)
    return atoms, move


def initial_atoms(signals, n_atoms, random, *, positive=False):
    """Random distinct signals of norm one; random directions where there are too few."""
    drawn = random.permutation(signals.shape[0])[: 4 * n_atoms]
    order = np.argsort(drawn)  # a memory-map is read in order
    rows = np.empty((drawn.size, signals.shape[1]))
    rows[order] = signals[drawn[order]]
    chosen = _unit_rows(_positive_part(rows, positive))[:n_atoms]
    missing = n_atoms - chosen.shape[0]
    if missing:
        noise = random.standard_normal((missing, signals.shape[1]))
        chosen = np.vstack([chosen, _unit_rows(np.abs(noise) if positive else noise)])
    return chosen


def _positive_part(rows, positive):
    return np.maximum(rows, 0.0) if positive else rows


def _unit_rows(rows):
    """The rows that are not zero, divided by their norms."""
    rows = rows[np.any(rows != 0, axis=1)]
    rows = rows / np.max(np.abs(rows), axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


class OnlineLearner:
    """Atoms, the statistics of the past, and what is needed to replace atoms that nothing uses.

    Parameters
    ----------
    atoms : float64 array of shape (n_components, n_features)
        Where to start; norms at most one.
    coder : LassoCoder, GreedyCoder or ThresholdCoder
        How batches are coded.
    forgetting : float
        The signals of step t count ``t**forgetting`` times.
    positive : bool
        Whether atoms must not be negative.
    n_sweeps : int
        Passes over the atoms after each batch.
    replace_dead : bool
        Whether atoms that are never used, or equal to another, become the signal that is represented worst.
    horizon : float, default=inf
        From so many signals on, forgetting goes on at a steady rate: ``forgetting * n`` makes the past of `n` signals in turns
        one pass long.
    """

    def __init__(self, atoms, coder, *, forgetting, positive, n_sweeps, replace_dead, horizon=np.inf):
        self.horizon = horizon
        self.atoms, self.coder = atoms, coder
        self.forgetting, self.positive, self.n_sweeps, self.replace_dead = forgetting, positive, n_sweeps, replace_dead
        self.statistics = Statistics.empty(*atoms.shape)
        self.n_signals = self.n_steps = self.n_replaced = 0
        self.last_move = np.inf
        self._usage, self._watched = np.zeros(atoms.shape[0]), 0

    def copy(self):
        """A learner that goes on from here, without changing this one."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)  # arrays are replaced, never written to, so they can be shared
        return twin

    def step(self, signals, n_jobs=None) -> Statistics:
        """Learn from one batch; returns its own statistics."""
        new, objectives = local_statistics(signals, self.atoms, self.coder, n_jobs)
        self.n_signals += signals.shape[0]
        span = min(self.n_signals, max(self.horizon, signals.shape[0]))
        keep = (1.0 - signals.shape[0] / span) ** self.forgetting if self.n_steps else 0.0
        self.statistics = add_statistics(self.statistics, new, keep)
        self.n_steps += 1
        self.atoms, self.last_move = _swept(self.atoms, self.statistics, self.positive, self.n_sweeps)
        self._usage, self._watched = self._usage + new.usage, self._watched + signals.shape[0]
        if self.replace_dead and self._watched >= _DEAD_AFTER * self.atoms.shape[0]:
            self._replace(signals, objectives)
        return new

    def _replace(self, signals, objectives):
        """Atoms that nothing used lately, or that equal another, become signals that are represented badly."""
        useless = self._useless()
        self._usage, self._watched = np.zeros(self.atoms.shape[0]), 0
        if useless.size == 0:
            return
        order = np.argsort(-objectives, kind="stable")[: 4 * useless.size + 16]
        fresh = _distinct(_unit_rows(_positive_part(signals[order], self.positive)), useless.size)
        useless = useless[: fresh.shape[0]]
        if useless.size == 0:
            return
        atoms = self.atoms.copy()
        code_gram, code_signal = self.statistics.code_gram.copy(), self.statistics.code_signal.copy()
        atoms[useless] = fresh
        code_gram[useless] = 0.0
        code_gram[:, useless] = 0.0
        code_signal[useless] = 0.0
        self.atoms, self.n_replaced = atoms, self.n_replaced + useless.size
        self.statistics = self.statistics._replace(code_gram=code_gram, code_signal=code_signal)

    def _useless(self):
        norms = np.linalg.norm(self.atoms, axis=1)
        dead = (self._usage == 0) | (norms == 0)
        units = self.atoms / np.where(norms > 0, norms, 1.0)[:, None]
        first, second = np.nonzero(np.triu(np.abs(units @ units.T) > _SAME, 1))
        for i, j in zip(first, second, strict=True):
            if not dead[i] and not dead[j]:
                dead[i if self._usage[i] < self._usage[j] else j] = True
        return np.flatnonzero(dead)


def _distinct(rows, count):
    """The first `count` rows that are not nearly parallel to an earlier one."""
    chosen = []
    for row in rows:
        if len(chosen) == count:
            break
        if all(abs(row @ other) <= _SAME for other in chosen):
            chosen.append(row)
    return np.array(chosen).reshape(-1, rows.shape[1])
