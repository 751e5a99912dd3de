"""The ways to code signals over a dictionary, behind one face: settings in, compressed rows with a certificate out."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._parallel import map_blocks
from .._validation import as_count, as_design, as_number, as_penalty_weights
from ..penalties import L1, L1Ridge
from ..solvers.coordinate.batch import SINGLE_TOL

__all__ = ["ALGORITHMS", "DYNAMICS", "Coded", "make_coder"]

ALGORITHMS = ("omp", "ols", "lasso", "elastic_net", "threshold", "penalty")
DYNAMICS = ("prox", "lca")
_BLOCK = 256
_MAX_STEPS = 1_000  # of the lasso, for one signal; each lets one atom in
_OPTIMALITY = {np.dtype(np.float64): 1e-8, np.dtype(np.float32): 1e-4}  # least squares on a support, up to rounding
_USED_BY = {
    "n_nonzero_coefs": ("omp", "ols", "threshold"),
    "alpha": ("lasso", "elastic_net", "threshold"),
    "l1_ratio": ("elastic_net",),
    "penalty": ("penalty",),
    "dynamics": ("penalty",),
    "tol": ("omp", "ols"),
    "atol": ("omp", "ols"),
    "hard_threshold": ("threshold",),
    "gap_tol": ("lasso", "elastic_net", "penalty"),
    "penalty_weights": ("lasso", "elastic_net", "penalty"),
}


class Coded(NamedTuple):
    """Codes of some signals: compressed rows, and for each signal its certificate and the objective, in float64."""

    indptr: Any
    indices: Any
    values: Any
    certificate: Any
    objective: Any


class LassoCoder(NamedTuple):
    """Minimisers of ``1/2 ||x - c D||^2 + alpha (l1_ratio ||c||_1 + (1 - l1_ratio) / 2 ||c||^2)``, certified by their duality gap; weights of
    the atoms on both norms, all above zero."""

    alpha: float
    positive: bool
    tol: float
    l1_ratio: float = 1.0
    weights: Any = None

    @property
    def comparable(self):
        """Whether of two codes the one of lower objective is better."""
        return True

    @property
    def strengths(self):
        """Of the l1 norm and of half the squared norm in the objective; with weights they are not one for all."""
        return None if self.weights is not None else (self.alpha * self.l1_ratio, self.alpha * (1.0 - self.l1_ratio))

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most: independent ones, unless a ridge keeps the others apart."""
        return min(n_features, n_atoms) if self.l1_ratio == 1 else n_atoms

    @property
    def certificate_name(self):
        """What the certificate measures."""
        return "relative duality gap"

    @property
    def remedy(self):
        """What to do where it is missed."""
        return "loosen gap_tol, or remove nearly dependent atoms"

    def goal(self, dtype):
        """Tolerance of the certificate at this precision."""
        return max(self.tol, SINGLE_TOL) if dtype == np.float32 else self.tol

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array."""
        from ..solvers.coordinate.batch import code_signals

        tol, ridge = self.goal(signals.dtype), self.alpha * (1.0 - self.l1_ratio)
        strength = self.alpha * self.l1_ratio
        limits = tol, _MAX_STEPS, n_jobs
        return Coded(*code_signals(atoms, signals, strength, self.positive, *limits, ridge, self.weights))


class PenaltyCoder(NamedTuple):
    """Minimisers, local ones where the penalty is not convex, of ``1/2 ||x - c D||^2 + sum_j weights_j penalty(c_j)``."""

    penalty: Any
    dynamics: str
    tol: float
    weights: Any = None

    @property
    def comparable(self):
        """Whether of two codes the one of lower objective is better."""
        return True

    @property
    def strengths(self):
        """Of the l1 norm and of half the squared norm in the objective; another penalty has none."""
        return None

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most."""
        return n_atoms

    @property
    def certificate_name(self):
        """What the certificate measures."""
        from ..solvers.certificates import certificate_kind

        names = {
            "gap": "relative duality gap",
            "stationarity": "relative stationarity",
            "prox": "relative prox residual",
        }
        return names[certificate_kind(self.penalty)]

    @property
    def remedy(self):
        """What to do where it is missed."""
        return "loosen gap_tol" + (
            ", or use dynamics='prox'" if self.dynamics == "lca" else ", or raise the penalty's strength"
        )

    def goal(self, dtype):
        """Tolerance of the certificate at this precision."""
        return max(self.tol, SINGLE_TOL) if dtype == np.float32 else self.tol

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array."""
        from ..solvers.proximal.batch import code_signals

        tol = self.goal(signals.dtype)
        settings = {"weights": self.weights, "dynamics": self.dynamics, "tol": tol, "n_jobs": n_jobs}
        return Coded(*code_signals(atoms, signals, self.penalty, **settings))


class GreedyCoder(NamedTuple):
    """Orthogonal matching pursuit or orthogonal least squares, certified by the residual if a tolerance was asked for,
    else by what least squares on the support leaves undone."""

    selection: str
    n_nonzero: int | None
    tol: float | None
    atol: float | None
    positive: bool
    repeated: bool = False  # called again and again, so that compiling pays however few the signals

    @property
    def strengths(self):
        """Of the l1 norm and of half the squared norm in the objective."""
        return 0.0, 0.0

    @property
    def comparable(self):
        """Whether of two codes the one of lower objective is better: not where the error is bounded."""
        return self.tol is None and self.atol is None

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most."""
        return min(n_features, n_atoms, self.n_nonzero or n_atoms)

    @property
    def certificate_name(self):
        """What the certificate measures."""
        if self.tol is None and self.atol is None:
            return "support optimality"
        if self.tol is None:
            return "residual norm"
        return "relative residual norm" if self.atol is None else "residual norm over the larger of its two bounds"

    @property
    def remedy(self):
        """What helps a code that misses its tolerance."""
        if self.tol is None and self.atol is None:
            return "use float64, or remove linearly dependent atoms"
        more = "add atoms" if self.n_nonzero is None else "raise n_nonzero_coefs, or add atoms"
        return more + (", or allow negative codes" if self.positive else "") + ", or loosen the tolerance"

    def goal(self, dtype):
        """Tolerance of the certificate at this precision."""
        if self.tol is None and self.atol is None:
            return _OPTIMALITY[np.dtype(dtype)]
        if self.tol is None:
            return self.atol
        return self.tol if self.atol is None else 1.0

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array."""
        from ..solvers.greedy.batch import batch_omp, compiled_omp

        atoms = np.ascontiguousarray(atoms, dtype=signals.dtype)
        codes = (compiled_omp if self.repeated else batch_omp)(
            atoms,
            signals,
            n_nonzero=self.n_nonzero,
            tol=self.tol,
            atol=self.atol,
            selection=self.selection,
            positive=self.positive,
            n_jobs=n_jobs,
        )
        indptr, indices, values = compressed(codes)
        sq_residuals, defects, sizes = measure_codes(atoms, signals, indptr, indices, values, n_jobs)
        residuals = np.sqrt(sq_residuals)
        certificate = self._certificate(residuals, defects, sizes, 16 * np.finfo(signals.dtype).eps)
        return Coded(indptr, indices, values, certificate, 0.5 * sq_residuals)

    def _certificate(self, residuals, defects, sizes, rounding):
        relative = np.divide(
            residuals if self.tol is not None else defects, sizes, out=np.zeros_like(sizes), where=sizes > 0
        )
        if self.tol is None and self.atol is None:
            return relative
        residuals = np.where(residuals <= rounding * sizes, 0.0, residuals)  # cannot be told from zero
        if self.tol is None:
            return residuals
        if self.atol is None:
            return np.where(residuals == 0.0, 0.0, relative)
        bound = np.maximum(self.tol * sizes, self.atol)
        return np.divide(residuals, bound, out=np.where(residuals > 0, np.inf, 0.0), where=bound > 0)


class ThresholdCoder(NamedTuple):
    """Correlations thresholded once; a closed form, so the certificate only reports the relative residual norm."""

    alpha: float
    n_nonzero: int | None
    hard: bool
    positive: bool

    @property
    def comparable(self):
        """Whether of two codes the one of lower objective is better."""
        return False  # a closed form minimises nothing

    @property
    def strengths(self):
        """Of the l1 norm and of half the squared norm in the objective."""
        return 0.0, 0.0

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most."""
        return min(n_atoms, self.n_nonzero or n_atoms)

    @property
    def certificate_name(self):
        """What the certificate measures."""
        return "relative residual norm"

    @property
    def remedy(self):
        """What to do where it is missed."""
        return "use algorithm='omp' or 'lasso'"

    def goal(self, dtype):
        """No tolerance: thresholding promises none."""
        return np.inf

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array."""
        from ..solvers.thresholding.batch import code_signals

        codes = code_signals(
            atoms,
            signals,
            alpha=self.alpha,
            n_nonzero=self.n_nonzero,
            hard=self.hard,
            positive=self.positive,
            n_jobs=n_jobs,
        )
        sq_residuals, _, sizes = measure_codes(atoms, signals, *codes, n_jobs)
        certificate = np.divide(np.sqrt(sq_residuals), sizes, out=np.zeros_like(sizes), where=sizes > 0)
        return Coded(*codes, certificate, 0.5 * sq_residuals)


def make_coder(algorithm, n_features, n_atoms, *, positive=False, **settings):
    """The coder with these settings; settings that the algorithm does not use must be None, or are refused by name."""
    if algorithm not in ALGORITHMS:
        raise ValueError(f"algorithm must be one of {', '.join(map(repr, ALGORITHMS))}; got {algorithm!r}.")
    settings = {name: settings.get(name) for name in _USED_BY}
    for name, value in settings.items():
        if value is not None and algorithm not in _USED_BY[name]:
            users = " or ".join(map(repr, _USED_BY[name]))
            raise ValueError(
                f"{name}={value!r} has no meaning for algorithm={algorithm!r}; leave it None, or use {users}."
            )
    weights = settings["penalty_weights"]
    if weights is not None:
        weights = as_penalty_weights(weights, as_design(np.zeros((1, n_atoms)), "atoms"), of="atom")
    if algorithm == "penalty":
        own = {name: settings[name] for name in ("penalty", "dynamics", "gap_tol")}
        return _penalty_coder(n_atoms, positive, weights, **own)
    n_nonzero, alpha, tol, atol = (settings[name] for name in ("n_nonzero_coefs", "alpha", "tol", "atol"))
    if n_nonzero is not None:
        greedy_limit = n_features < n_atoms and algorithm in ("omp", "ols")  # more atoms than that are dependent
        most, name = (n_features, "the number of features") if greedy_limit else (n_atoms, "the number of atoms")
        n_nonzero = as_count(n_nonzero, "n_nonzero_coefs", maximum=most, maximum_name=name)
    alpha = None if alpha is None else as_number(alpha, "alpha", strict=algorithm in ("lasso", "elastic_net"))
    if algorithm in ("lasso", "elastic_net"):
        return _lasso_coder(algorithm, alpha, positive, weights, settings["l1_ratio"], settings["gap_tol"])
    if algorithm == "threshold":
        if alpha is None and n_nonzero is None:
            raise ValueError(
                "algorithm='threshold' needs alpha, or n_nonzero_coefs to keep the largest correlations as they are."
            )
        hard = alpha is None if settings["hard_threshold"] is None else bool(settings["hard_threshold"])
        return ThresholdCoder(alpha or 0.0, n_nonzero, hard, bool(positive))
    tol = None if tol is None else as_number(tol, "tol")
    atol = None if atol is None else as_number(atol, "atol")
    if n_nonzero is None and tol is None and atol is None:
        n_nonzero = max(1, min(n_atoms, n_features // 10))
    return GreedyCoder(algorithm, n_nonzero, tol, atol, bool(positive))


def _lasso_coder(algorithm, alpha, positive, weights, l1_ratio, gap_tol):
    if alpha is None:
        raise ValueError(
            f"algorithm={algorithm!r} needs alpha, the strength of the penalty, in the units of a correlation atom @ signal."
        )
    if algorithm == "lasso":
        l1_ratio = 1.0
    else:
        l1_ratio = 0.5 if l1_ratio is None else as_number(l1_ratio, "l1_ratio", strict=True, maximum=1.0)
    tol = 1e-8 if gap_tol is None else as_number(gap_tol, "gap_tol")
    if weights is not None and np.any(weights == 0):  # no scale of an unpenalised atom makes it a penalised one
        penalty = L1(alpha, bool(positive)) if l1_ratio == 1 else L1Ridge(alpha, l1_ratio, bool(positive))
        return PenaltyCoder(penalty, "prox", tol, weights)
    return LassoCoder(alpha, bool(positive), tol, l1_ratio, weights)


def _penalty_coder(n_atoms, positive, weights, penalty, dynamics, gap_tol):
    from ..solvers.proximal.batch import as_code_penalty

    dynamics = "prox" if dynamics is None else dynamics
    if dynamics not in DYNAMICS:
        raise ValueError(f"dynamics must be one of {', '.join(map(repr, DYNAMICS))}; got {dynamics!r}.")
    penalty = as_code_penalty(penalty, dynamics, n_atoms, weights)
    if positive and not getattr(penalty, "positive", False):
        able = "positive" in penalty._fields
        raise ValueError(
            f"positive_code=True, but the penalty {type(penalty).__name__} allows negative codes; "
            + (
                "give it positive=True too."
                if able
                else "pass one that has positive=True, such as L1(0.1, positive=True)."
            )
        )
    return PenaltyCoder(penalty, dynamics, 1e-6 if gap_tol is None else as_number(gap_tol, "gap_tol"), weights)


def measure_codes(atoms, signals, indptr, indices, values, n_jobs=None):
    """Squared residuals, largest normalised correlation of a used atom with the residual, and norms of the signals, in float64."""
    from ..kernels.rows import code_residuals

    rows = np.ascontiguousarray(atoms, dtype=np.float64)
    row_sq_norms = np.einsum("ij,ij->i", rows, rows)
    sq_residuals, defects, sq_norms = (np.empty(signals.shape[0]) for _ in range(3))

    def block(start, stop):
        part = np.ascontiguousarray(signals[start:stop], dtype=np.float64)
        entries = slice(indptr[start], indptr[stop])
        code_residuals(
            rows,
            row_sq_norms,
            part,
            indptr[start : stop + 1] - indptr[start],
            indices[entries],
            values[entries].astype(np.float64, copy=False),
            sq_residuals[start:stop],
            defects[start:stop],
        )
        np.einsum("ij,ij->i", part, part, out=sq_norms[start:stop])

    map_blocks(block, signals.shape[0], _BLOCK, n_jobs)
    return sq_residuals, defects, np.sqrt(sq_norms)


def compressed(codes):
    """Padded codes as compressed rows, atoms ascending within a row."""
    from ..kernels.rows import pack_codes

    filled = int(np.sum(codes.counts))
    indptr = np.empty(codes.counts.size + 1, dtype=np.int64)
    indices, values = np.empty(filled, dtype=np.int32), np.empty(filled, dtype=codes.values.dtype)
    pack_codes(codes.indices, codes.values, codes.counts, indptr, indices, values)
    return indptr, indices, values
