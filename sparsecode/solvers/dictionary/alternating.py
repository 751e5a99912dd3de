"""Dictionary learning on a whole data set: code every signal, improve all atoms, and so on.

    minimise over unit atoms and codes    sum over signals x of   1/2 ||x - c D||^2 + penalty(c)      (or c with few entries)

    "mod"      all atoms at once: least squares for the codes as they are
    "ksvd"     one atom after another together with its codes: a singular pair
    "aksvd"    the same by a single step of the power method

Where the new codes together would raise the objective, the signals that lose most keep the code of the pass before: as few as it
takes, since codes that are worse for a while lead to better atoms (were every worse code refused, a tenth of the planted atoms
fewer would be found). So the objective never rises. Coders that bound the error rather than the entries, and thresholding, have no
objective that two codes could be compared by, and theirs are always new.

Engan, Aase and Husoy, "Method of optimal directions for frame design", 1999. Aharon, Elad and Bruckstein, "K-SVD: an algorithm for
designing overcomplete dictionaries", 2006. Rubinstein, Zibulevsky and Elad, "Efficient implementation of the K-SVD algorithm using
batch orthogonal matching pursuit", 2008.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp

from ..._parallel import single_threaded_blas
from .incoherence import incoherent
from .replacement import fresh_atoms, twins
from .statistics import codes_statistics, stationarity, surrogate, swept

__all__ = ["AlternatingLearner", "Codes", "Pass", "optimal_directions"]

_SINGULAR = 1e-12  # of the largest eigenvalue of the cosines of codes: directions that carry less are dependent
_MOST_SWEEPS, _STILL = 100, 1e-7  # where least squares over the atoms has constraints
_NUMBERS = ("n_passes", "n_replaced")
_WITH_OTHERS, _ALONE = 1, 2  # how replacing an atom was tried in vain


class Codes(NamedTuple):
    """Codes Z (n, K) in compressed rows; `penalty` and `objective` of each signal; the largest certificate they came with."""

    indptr: Any
    indices: Any
    values: Any
    penalty: Any
    objective: Any
    certificate: Any

    def matrix(self, n_atoms):
        """Z as a CSR matrix over the same memory."""
        return sp.csr_matrix((self.values, self.indices, self.indptr), shape=(self.indptr.size - 1, n_atoms))

    def rows(self):
        """The signal of every entry."""
        return np.repeat(np.arange(self.indptr.size - 1), np.diff(self.indptr))


class Pass(NamedTuple):
    """What one pass did: mean objective of codes and atoms at its end, stationarity of the atoms it began with, and how far from zero that
    would be by chance for other signals of the same kind (where it was estimated)."""

    objective: float
    certificate: float
    code_certificate: float
    sampling_error: float = 0.0


class AlternatingLearner:
    """Atoms and codes of a data set, improved in turn.

    Parameters
    ----------
    signals : float64 array of shape (n_signals, n_features)
        The data; not changed.
    atoms : float64 array of shape (n_components, n_features)
        Where to start; scaled to norm one.
    coder : LassoCoder, GreedyCoder or ThresholdCoder
        How signals are coded. Its `strengths` are those of the l1 norm and of half the squared norm in its objective (None: another
        penalty), and `comparable` says whether of two codes the one with the lower objective is the better one.
    method : {"mod", "ksvd", "aksvd"}
        How atoms are improved.
    positive_code, positive_dict : bool
        Constraints.
    replace_dead : bool
        Whether useless atoms become the signals that are represented worst.
    max_coherence : float or None
        Bound on the cosines between atoms; enforcing it may raise the objective.
    signed : bool, default=False
        Whether an atom and its negative are two, as they are where codes must not be negative.
    """

    def __init__(
        self, signals, atoms, coder, *, method, positive_code, positive_dict, replace_dead, max_coherence, signed=False
    ):
        self.signals, self.coder, self.method = signals, coder, method
        self.positive_code, self.positive, self.replace_dead = positive_code, positive_dict, replace_dead
        self.max_coherence, self.signed = max_coherence, signed or positive_code
        norms = np.linalg.norm(atoms, axis=1, keepdims=True)
        self.atoms = atoms / np.where(norms > 0, norms, 1.0)
        self.codes: Codes | None = None
        self.n_passes = self.n_replaced = 0
        self.tried = np.zeros(atoms.shape[0], dtype=np.int8)  # how replacing them was, 0 for never

    def one_pass(self, n_jobs=None) -> Pass:
        """Code all signals, then improve all atoms."""
        with single_threaded_blas():  # bits must not depend on the machine
            atoms, codes, n_replaced = self._coded(n_jobs)
            statistics = codes_statistics(self.signals, atoms.shape[0], codes)
            certificate = stationarity(atoms, statistics, positive=self.positive, bound=self.max_coherence)
            new_atoms, new_codes = self._improved(atoms, codes, statistics)
        self.atoms, self.codes = new_atoms, new_codes
        self.n_passes, self.n_replaced = self.n_passes + 1, self.n_replaced + n_replaced
        return Pass(float(np.mean(self.codes.objective)), certificate, float(np.max(codes.certificate, initial=0.0)))

    def statistics(self):
        """Those of the codes as they are."""
        return codes_statistics(self.signals, self.atoms.shape[0], self.codes)

    # ---------------------------------------------------------------- codes

    def _coded(self, n_jobs):
        """Atoms after replacement, the codes of all signals over them, and how many atoms were replaced."""
        past, atoms = self.codes, self.atoms
        if past is None or not self.replace_dead:
            return atoms, self._better(atoms, past, n_jobs), 0
        usage = np.bincount(past.indices, minlength=atoms.shape[0])
        dead = np.flatnonzero(usage == 0)
        doubled = self._worth_trying(twins(atoms, usage, usage == 0, self.signed), usage)
        places = np.concatenate([dead, doubled])
        worst = np.argsort(-past.objective, kind="stable")[: 4 * places.size + 16]
        fresh = fresh_atoms(self.signals[worst], places, atoms, self.positive, self.signed)
        places = places[: fresh.shape[0]]
        n_dead = min(dead.size, places.size)
        freed = atoms.copy()
        freed[places[:n_dead]] = fresh[:n_dead]  # no code feels it
        if places.size > n_dead:
            trial = freed.copy()
            trial[places[n_dead:]] = fresh[n_dead:]
            codes = self._better(trial, past, n_jobs, _users(past, places[n_dead:]))
            if np.sum(codes.objective) <= np.sum(past.objective):
                return trial, codes, places.size
            failed = np.isin(np.arange(atoms.shape[0]), places[n_dead:])
            self.tried = np.where(failed, _ALONE if places.size == n_dead + 1 else _WITH_OTHERS, self.tried)
        return freed, self._better(freed, past, n_jobs), n_dead

    def _worth_trying(self, doubled, usage):
        """Used twins to replace: all that never were together, then those one by one, the least used first; once in vain, no more
        until the two have parted."""
        self.tried = np.where(np.isin(np.arange(usage.size), doubled), self.tried, 0).astype(np.int8)
        never = doubled[self.tried[doubled] == 0]
        if never.size:
            return never
        left = doubled[self.tried[doubled] == _WITH_OTHERS]
        return left[np.argsort(usage[left], kind="stable")[:1]]

    def _better(self, atoms, past, n_jobs, anew=None):
        """New codes, but for signals whose codes of the past are needed for the objective not to rise; `anew` marks those whose past codes
        cannot be kept."""
        new = self.coder.code(atoms, self.signals, n_jobs)
        codes = Codes(new.indptr, new.indices, new.values, None, new.objective, new.certificate)
        if past is not None and self.coder.comparable:
            codes = _merged(codes, past, _losers(new.objective - past.objective, anew))
        if (
            self.coder.strengths is None
        ):  # what the codes cost goes with them; otherwise it is counted when they have changed
            codes = codes._replace(penalty=codes.objective - 0.5 * _sq_norms(self._residual(atoms, codes)))
        return codes

    # ---------------------------------------------------------------- atoms

    def _improved(self, atoms, codes, statistics):
        """Atoms and codes, neither of which raises the objective."""
        if self.method == "mod":
            atoms, values = self._directions(atoms, codes, statistics)
            residual = None
        else:
            atoms, values, residual = self._pairs(atoms, codes)
        codes = codes._replace(values=values)
        if self.max_coherence is not None:
            atoms, residual = incoherent(atoms, codes.matrix(atoms.shape[0]).T @ self.signals, self.max_coherence), None
        codes = _without_zeros(codes)
        if residual is None:
            residual = self._residual(atoms, codes)
        penalty = codes.penalty if self.coder.strengths is None else _penalty(codes, *self.coder.strengths)
        return atoms, codes._replace(penalty=penalty, objective=0.5 * _sq_norms(residual) + penalty)

    def _residual(self, atoms, codes):
        return self.signals - codes.matrix(atoms.shape[0]) @ atoms

    def _directions(self, atoms, codes, statistics):
        """Least squares over all atoms, then norms of one again, which no penalty on the codes minds."""
        before = atoms
        if self.coder.strengths == (0.0, 0.0) and not self.positive:
            atoms = optimal_directions(atoms, statistics)
        else:
            for _ in range(_MOST_SWEEPS):
                atoms, move = swept(atoms, statistics, self.positive, 1)
                if move <= _STILL:
                    break
        if self.coder.strengths is None:
            return atoms, codes.values
        norms = np.linalg.norm(atoms, axis=1)
        units = np.where(norms[:, None] > 0, atoms / np.where(norms > 0, norms, 1.0)[:, None], before)
        return units, codes.values * norms[codes.indices]

    def _pairs(self, atoms, codes):
        """K-SVD, exact or by one step."""
        from ...kernels.rank_one import rank_one_updates

        atoms, values = atoms.copy(), codes.values.astype(np.float64)
        residual = self._residual(atoms, codes)
        places = (
            codes._replace(values=np.arange(values.size)).matrix(atoms.shape[0]).tocsc()
        )  # which entries use an atom
        starts, rows, entries = (part.astype(np.int64) for part in (places.indptr, places.indices, places.data))
        most, n_features = int(np.max(np.diff(starts), initial=0)), atoms.shape[1]
        rank_one_updates(
            atoms,
            residual,
            starts,
            rows,
            entries,
            values,
            *map(float, self.coder.strengths),
            self.method == "ksvd",
            self.positive_code,
            self.positive,
            np.empty((most, n_features)),
            np.empty(most),
            np.empty(n_features),
        )
        return atoms, values, residual

    # ---------------------------------------------------------------- resume

    def state(self):
        """Numbers and arrays from which `restore` makes the learner what it is now."""
        arrays = {"atoms": self.atoms, "tried": self.tried}
        if self.codes is not None:
            arrays |= {f"codes_{name}": value for name, value in self.codes._asdict().items()}
        return {name: getattr(self, name) for name in _NUMBERS}, arrays

    def restore(self, numbers, arrays):
        """Become the learner of that state."""
        for name in _NUMBERS:
            setattr(self, name, numbers[name])
        self.atoms, self.tried = arrays["atoms"], arrays["tried"]
        self.codes = Codes(**{name: arrays[f"codes_{name}"] for name in Codes._fields})


def optimal_directions(atoms, statistics):
    """The atoms of least misfit for the codes behind the statistics, of any norm; those that no code uses stay.

    Where codes are dependent, the smallest such atoms, each measured by the energy of its codes; where rounding would make the misfit larger, one sweep in its place.
    """
    energy = np.diagonal(statistics.code_gram)
    used = energy > 0
    found = np.array(atoms, dtype=np.float64)
    if not np.any(used):
        return found
    size = np.sqrt(energy[used])[:, None]
    values, vectors = np.linalg.eigh(statistics.code_gram[np.ix_(used, used)] / size / size.T)
    kept = values > _SINGULAR * values[-1]
    vectors = vectors[:, kept]
    found[used] = vectors @ ((vectors.T @ (statistics.code_signal[used] / size)) / values[kept][:, None]) / size
    if surrogate(found, statistics) <= surrogate(atoms, statistics):
        return found
    return swept(atoms, statistics, False, 1)[0]


def _losers(losses, anew=None):
    """The signals that lose most by their new codes, as few as have to keep the old ones for the sum not to rise."""
    keep = np.zeros(losses.size, dtype=bool)
    total = np.sum(losses)
    if total > 0:
        able = losses > 0 if anew is None else (losses > 0) & ~anew
        order = np.argsort(np.where(able, -losses, np.inf), kind="stable")[: np.count_nonzero(able)]
        n_enough = 1 + np.count_nonzero(np.cumsum(losses[order]) < total)
        keep[order[:n_enough]] = True
    return keep


def _merged(new, past, keep):
    """Codes of the past in the rows where `keep` says so, new ones elsewhere."""
    if not np.any(keep):
        return new
    new_rows, past_rows = new.rows(), past.rows()
    mine, theirs = ~keep[new_rows], keep[past_rows]
    rows = np.concatenate([new_rows[mine], past_rows[theirs]])
    order = np.argsort(rows, kind="stable")
    counts = np.bincount(rows, minlength=keep.size)
    return Codes(
        np.concatenate([[0], np.cumsum(counts)]),
        np.concatenate([new.indices[mine], past.indices[theirs]])[order],
        np.concatenate([new.values[mine], past.values[theirs]])[order],
        None,
        np.where(keep, past.objective, new.objective),
        np.where(keep, past.certificate, new.certificate),  # what it came with
    )


def _users(codes, atoms):
    """Whether a signal uses one of the atoms."""
    found = np.zeros(codes.indptr.size - 1, dtype=bool)
    found[codes.rows()[np.isin(codes.indices, atoms)]] = True
    return found


def _penalty(codes, l1, ridge):
    """``l1 ||c||_1 + ridge / 2 ||c||^2`` of every signal."""
    costs = l1 * np.abs(codes.values) + 0.5 * ridge * codes.values**2
    return np.bincount(codes.rows(), weights=costs, minlength=codes.indptr.size - 1)


def _without_zeros(codes):
    """The same codes, without the entries that became zero."""
    kept = codes.values != 0.0
    if np.all(kept):
        return codes
    counts = np.bincount(codes.rows()[kept], minlength=codes.indptr.size - 1)
    indptr = np.concatenate([[0], np.cumsum(counts)])
    return codes._replace(indptr=indptr, indices=codes.indices[kept], values=codes.values[kept])


def _sq_norms(rows):
    return np.einsum("ij,ij->i", rows, rows)
