"""Dictionary learning by prediction of what was hidden: the masked objective, by stochastic gradients.

    minimise over unit atoms   E over masks M and signals x   1/2 d / (d - |M|)  ||x - z D||^2 outside M,
                               z = OMP_k(x, D) from the entries in M alone

With more atoms than the truth has and noise in the data, codes from *all* of a signal fit its noise, and the dictionary
that does so best is not the true one. Noise in entries that the code has never seen cannot be fitted.

Each step draws one mask for its batch, codes the batch on it (atoms counting by the length of what is seen of them),
and takes the gradient in D of the hidden misfit, the codes held. Signals may have missing entries (NaN): those are
never seen, hidden or not, nor asked for: the misfit of a batch is scaled by how many of its entries are.

Chidambaram, Wu, Cheng and Ge, "Hiding data helps: on the benefits of masking for sparse coding", 2023 (arXiv 2302.12715).
Kingma and Ba, "Adam: a method for stochastic optimization", 2015 (arXiv 1412.6980).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._parallel import single_threaded_blas
from ...networks import Adam
from .masked_omp import masked_omp

__all__ = ["HiddenMisfit", "MaskedLearner"]

_LEAST = 1e-8  # what keeps Adam from dividing by zero


class HiddenMisfit(NamedTuple):
    """What one batch says about the atoms: sums over its signals."""

    objective: float  # of half the squared hidden misfit, scaled to all entries
    gradient: Any  # (K, d) of it
    energy: Any  # (K,) of the squared codes
    n_signals: int


class MaskedLearner:
    """Atoms, the state of Adam, and how batches are hidden and coded.

    Parameters
    ----------
    atoms : float64 array of shape (n_components, n_features)
        Where to start; rows of norm one.
    n_nonzero : int
        Atoms of a code.
    n_hidden : int
        Entries hidden from the codes of a batch; 0 for the plain objective, which sees and fits all of them.
    scale : float
        Root mean square of a signal's norm: gradients are divided by its square, so that their size does not depend on the
        units of the data.
    """

    def __init__(self, atoms, *, n_nonzero, n_hidden, scale):
        self.atoms, self.n_nonzero, self.n_hidden, self.scale = atoms.copy(), n_nonzero, n_hidden, scale
        self.adam = Adam([self.atoms], floor=_LEAST)
        self.n_replaced = 0  # no atom ever is: those that nothing uses wait for their gradient

    def copy(self):
        """A learner that goes on from here, without changing this one."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.atoms = self.atoms.copy()
        twin.adam = Adam([twin.atoms], floor=_LEAST)
        twin.adam.restore(*self.adam.state())
        return twin

    def with_atoms(self, atoms):
        """A learner of these atoms that has made no step, and codes alike."""
        return MaskedLearner(atoms, n_nonzero=self.n_nonzero, n_hidden=self.n_hidden, scale=self.scale)

    def state(self):
        """Numbers and arrays from which `restore` makes the learner what it is now."""
        return self.adam.state()

    def restore(self, numbers, arrays):
        """Become the learner of that state."""
        self.adam.restore(numbers, arrays)

    def draw_mask(self, random):
        """Which entries the next batch hides; None for none."""
        if self.n_hidden == 0:
            return None
        hidden = np.zeros(self.atoms.shape[1], dtype=bool)
        hidden[random.permutation(hidden.size)[: self.n_hidden]] = True
        return hidden

    def misfit(self, signals, hidden, n_jobs=None) -> HiddenMisfit:
        """Objective and gradient of a batch under one mask.

        Parameters
        ----------
        signals : float64 array of shape (n_signals, n_features)
            The batch; NaN where an entry is missing.
        hidden : bool array of shape (n_features,) or None
            What the codes may not see; None codes and measures all entries.
        n_jobs : int, optional
            Threads of the pursuit.
        """
        seen, asked = (slice(None), slice(None)) if hidden is None else (~hidden, hidden)
        padded = masked_omp(self.atoms[:, seen], signals[:, seen], n_nonzero=self.n_nonzero, n_jobs=n_jobs)
        codes = np.zeros((signals.shape[0], self.atoms.shape[0]))
        rows, places = np.nonzero(np.arange(padded.values.shape[1]) < padded.counts[:, None])
        codes[rows, padded.indices[rows, places]] = padded.values[rows, places]
        gradient = np.zeros(self.atoms.shape)
        with single_threaded_blas():  # bits must not depend on the machine
            residual = signals[:, asked] - codes @ self.atoms[:, asked]
            missing = np.isnan(residual)
            residual[missing] = 0.0
            share = np.count_nonzero(~missing) / signals.size or 1.0  # of the entries of the batch that are asked for
            gradient[:, asked] = -(codes.T @ residual) / share
        objective = 0.5 * float(np.vdot(residual, residual)) / share
        return HiddenMisfit(objective, gradient, np.einsum("ij,ij->j", codes, codes), signals.shape[0])

    def step(self, signals, hidden, rate, n_jobs=None) -> HiddenMisfit:
        """Learn from one batch; what it said is returned."""
        found = self.misfit(signals, hidden, n_jobs)
        size = found.n_signals * self.scale**2
        # nearer to an optimum than `rate`, curvature sets the length of a step
        floor = _LEAST + rate * found.energy[:, None] / size
        self.adam.step([found.gradient / size], rate, floor)
        self.atoms[...] = _unit_rows(self.atoms)
        return found

    def stationarity(self, gradient, energy):
        """How far gradient steps would move the atoms on their sphere: root mean square, weighted by the energy of their codes.

        `gradient` and `energy` are sums over signals coded with these atoms; each atom's step is as long as its own curvature,
        the energy, allows.
        """
        tangent = gradient - np.einsum("ij,ij->i", gradient, self.atoms)[:, None] * self.atoms
        used = energy > 0
        if not used.any():
            return 0.0
        sq_moves = np.einsum("ij,ij->i", tangent[used], tangent[used]) / energy[used]
        return float(np.sqrt(np.sum(sq_moves) / np.sum(energy)))


def _unit_rows(atoms):
    return atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
