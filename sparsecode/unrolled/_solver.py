"""Codes of unrolled layers held against the problem that they unroll: certificates, and the plain solver that goes on from there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .._array import as_float, asarray_like, is_array_api_obj, to_numpy
from .._validation import as_design, as_target
from ..designs.base import Design
from ..losses import Squared
from ..penalties import L0, L1, L0Ball
from ..solvers.certificates import certificate_kind, certificate_of, gradient_fixed_point
from ..solvers.problem import make_problem
from ..solvers.proximal import fista, ista
from ..solvers.thresholding import iht
from ._layers import Layers, apply_layers, beside

__all__ = ["LearnedSolver", "certificate_name", "certified"]

_SAFE = 0.99  # of the longest step that is sure to descend


def certificate_name(rule, alpha):
    """What `certified` measures."""
    if rule == "count":
        return "relative fixed-point residual"
    kinds = {"gap": "relative duality gap", "stationarity": "relative stationarity", "prox": "relative prox residual"}
    return kinds[certificate_kind(_penalty(rule, alpha, 1))]


def _penalty(rule, alpha, n_features):
    """In the scaling of the solvers, which divide by the number of features of a signal."""
    return (L1 if rule == "soft" else L0)(alpha / n_features)


def certified(atoms, signals, codes, rule, alpha, count):
    """Certificate and objective of each code, in float64: for one signal ``1/2 ||x - c D||^2`` and what the penalty adds.

    Duality gap over half the squared norm of the signal for the l1 norm; for l0 how far a proximal gradient step moves the code, and for a given
    count how far a thresholded gradient step does, relative to its norm.
    """
    design = np.ascontiguousarray(atoms.T, dtype=np.float64)
    target, coef = (np.ascontiguousarray(part.T, dtype=np.float64) for part in (signals, codes))
    n_features = design.shape[0]
    if rule == "count":
        problem = make_problem(design, target, Squared(), L0Ball(int(count)))
        found = gradient_fixed_point(problem, coef, _SAFE / (problem.design.spectral_sq_norm() or 1.0))
    else:
        problem = make_problem(design, target, Squared(), _penalty(rule, alpha, n_features))
        found = certificate_of(problem)(problem, coef)
    return np.asarray(found.value), n_features * np.asarray(found.objective)


class LearnedSolver(NamedTuple):
    """The plain solver that some layers unroll, started where they end.

    Its first steps are those that were learned, one a layer; from there `ista`, `fista` or `iht` (of fixed step) goes on until its certificate
    meets the tolerance. What the layers were trained for does not matter for the answer, only for how soon it is there.

    Parameters
    ----------
    layers : Layers
        What was learned.
    alpha : float
        Strength of the penalty, in the units of a correlation (l1) or of the squared signals (l0).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import UnrolledISTA
    >>> X = np.random.default_rng(0).standard_normal((50, 8))
    >>> solver = UnrolledISTA(n_layers=3, random_state=0).fit(X).to_solver()
    >>> solver(X[0]).status.name
    'CONVERGED'
    """

    layers: Layers
    alpha: float

    def __repr__(self):
        layers = self.layers
        price = f"alpha={self.alpha:.3g}" if layers.rule != "count" else f"n_nonzero={layers.counts[-1]}"
        return (
            f"LearnedSolver({layers.rule!r}, n_layers={layers.depth}, {price}, atoms.shape={tuple(layers.atoms.shape)})"
        )

    def __call__(self, y, *, max_iter=10_000, tol=1e-6, callback=None):
        """Solve for one signal or several.

        Parameters
        ----------
        y : array of shape (n_features,) or (n_features, n_signals)
            Signals, as solvers take them: one a column.
        max_iter : int, default=10_000
            Iterations after the layers.
        tol : float, default=1e-6
            For the certificate of the solver.
        callback : callable, optional
            Called with a `Progress` at each certificate of the solver; return True to stop.

        Returns
        -------
        SolveResult
            Of `ista`, `fista` or `iht`; `n_iter` counts what came after the layers. For the l1 norm and l0 the objective is that of `alpha`,
            divided by the number of features.

        Raises
        ------
        ValueError
            If `y` has another length than the atoms, or is not finite.

        Warns
        -----
        ConvergenceWarning
            If the certificate misses `tol`.
        """
        y = as_target(y, _rows_beside(y, self.layers.atoms))
        layers = beside(self.layers, y)
        columns = y[:, None] if y.ndim == 1 else y
        codes = apply_layers(layers, columns.T).T
        run = {"init": codes[:, 0] if y.ndim == 1 else codes, "max_iter": max_iter, "tol": tol, "callback": callback}
        design = asarray_like(np.ascontiguousarray(to_numpy(self.layers.atoms).T), y, dtype=y.dtype)
        if layers.rule == "count":
            return iht(design, y, int(layers.counts[-1]), step="fixed", **run)
        penalty = _penalty(layers.rule, self.alpha, design.shape[0])
        return (fista if layers.accelerated else ista)(design, y, penalty=penalty, **run)


def _rows_beside(y, atoms) -> Design:
    """The design of the signals, where they are."""
    rows = np.ascontiguousarray(to_numpy(atoms).T)
    if not is_array_api_obj(y):
        return as_design(rows)
    like = as_float(y)
    return as_design(asarray_like(rows, like, dtype=like.dtype))
