"""Online dictionary learning: code a batch, add its statistics to those of the past, improve the atoms.

    minimise over atoms ||d_j|| <= 1   mean over signals x of   min_c 1/2 ||x - c D||^2 + penalty(c)

The past enters through ``A = sum Z^T Z`` and ``B = sum Z^T X`` alone, which add up over batches (and over processes); the
signals of step t count ``t**forgetting`` times as much as those of step 1.

Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).
"""

from __future__ import annotations

import numpy as np

from .incoherence import incoherent
from .replacement import fresh_atoms, useless_atoms
from .statistics import Statistics, add_statistics, bare, local_statistics, movement, updated

__all__ = ["OnlineLearner"]

_DEAD_AFTER = 10  # times the number of atoms: so many signals that never use an atom prove it dead
_NUMBERS = ("n_signals", "n_steps", "n_replaced", "last_move", "watched")


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
    max_coherence : float or None
        Bound on the cosines between atoms.
    signed : bool, default=False
        Whether an atom and its negative are two, as they are where codes must not be negative.
    horizon : float, default=inf
        Signals over which forgetting slows down; from then on it goes on at a steady rate.
    """

    def __init__(
        self,
        atoms,
        coder,
        *,
        forgetting,
        positive,
        n_sweeps,
        replace_dead,
        max_coherence=None,
        signed=False,
        horizon=np.inf,
    ):
        self.atoms, self.coder, self.horizon, self.max_coherence = atoms, coder, horizon, max_coherence
        self.forgetting, self.positive, self.n_sweeps, self.replace_dead = forgetting, positive, n_sweeps, replace_dead
        self.signed, self.statistics = signed, Statistics.empty(*atoms.shape)
        self.n_signals = self.n_steps = self.n_replaced = 0
        self.last_move = np.inf
        self.usage, self.watched = np.zeros(atoms.shape[0]), 0

    def copy(self):
        """A learner that goes on from here, without changing this one."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)  # arrays are replaced, never written to, so they can be shared
        return twin

    def step(self, signals, n_jobs=None) -> Statistics:
        """Learn from one batch; returns its own statistics, without the signals represented worst."""
        found = local_statistics(signals, self.atoms, self.coder, n_jobs)
        new = bare(found)
        self.n_signals += signals.shape[0]
        span = min(self.n_signals, max(self.horizon, 2 * signals.shape[0]))  # no one batch wipes out the past
        keep = (1.0 - signals.shape[0] / span) ** self.forgetting if self.n_steps else 0.0
        self.statistics = add_statistics(self.statistics, new, keep)
        self.n_steps += 1
        before = self.atoms
        settings = self.signed, self.positive, self.n_sweeps, False, self.max_coherence
        self.atoms = updated(before, self.statistics, *settings)
        self.last_move = movement(before, self.atoms, self.statistics)
        self.usage, self.watched = self.usage + new.usage, self.watched + signals.shape[0]
        if self.replace_dead and self.watched >= _DEAD_AFTER * self.atoms.shape[0]:
            self._replace(found.worst)
        return new

    def _replace(self, candidates):
        """Atoms that nothing used lately, or that equal another, become signals of this batch that are represented badly."""
        useless = useless_atoms(self.atoms, self.usage, self.signed)
        self.usage, self.watched = np.zeros(self.atoms.shape[0]), 0
        fresh = fresh_atoms(candidates, useless, self.atoms, self.positive, self.signed)
        useless = useless[: fresh.shape[0]]
        if useless.size == 0:
            return
        atoms = self.atoms.copy()
        code_gram, code_signal = self.statistics.code_gram.copy(), self.statistics.code_signal.copy()
        atoms[useless] = fresh
        code_gram[useless] = 0.0
        code_gram[:, useless] = 0.0
        code_signal[useless] = 0.0
        if self.max_coherence is not None:
            atoms = incoherent(atoms, code_signal, self.max_coherence)
        self.atoms, self.n_replaced = atoms, self.n_replaced + useless.size
        self.statistics = self.statistics._replace(code_gram=code_gram, code_signal=code_signal)

    def state(self):
        """Numbers and arrays from which `restore` makes the learner what it is now."""
        numbers = {name: getattr(self, name) for name in _NUMBERS}
        arrays = {"atoms": self.atoms, "lately_used": self.usage}
        for name, value in self.statistics._asdict().items():
            (arrays if isinstance(value, np.ndarray) else numbers)[f"statistics_{name}"] = value
        return numbers, arrays

    def restore(self, numbers, arrays):
        """Become the learner of that state."""
        for name in _NUMBERS:
            setattr(self, name, numbers[name])
        self.atoms, self.usage = arrays["atoms"], arrays["lately_used"]
        known = {**numbers, **arrays}
        self.statistics = Statistics(**{name: known[f"statistics_{name}"] for name in Statistics._fields})
