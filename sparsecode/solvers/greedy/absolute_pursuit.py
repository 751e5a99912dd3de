"""The loop of loss-based OMP for least absolute deviations: one target after another, exact fits, weighted medians as scores."""

from __future__ import annotations

import numpy as np

from .greedy_lasso_rules import absolute_l0, absolute_l1
from .least_absolute import LeastAbsolute
from .loss_pursuit import Walk, next_move, strengths

__all__ = ["Columns", "absolute_pursuit"]

_HELD = 1 << 25  # entries (256 MiB) up to which all columns are kept as a dense array
_PIECE = 1 << 22  # entries fetched at a time beyond that
_RULES = {"l0": absolute_l0, "l1": absolute_l1}


class Columns:
    """Columns of a design in double precision, fetched once if there is room."""

    def __init__(self, design):
        self.design = design.in_double()
        self.shape = design.shape
        self._held = None

    def fetch(self, indices):
        """A dense array (n_samples, n_chosen)."""
        if self.shape[0] * self.shape[1] > _HELD:
            return self.design.columns(indices)
        if self._held is None:
            self._held = self.design.columns(np.arange(self.shape[1]))
        return self._held[:, indices]

    def pieces(self, indices):
        """Yield positions and columns, no more at a time than fit."""
        width = max(1, _PIECE // self.shape[0])
        for start in range(0, indices.size, width):
            piece = indices[start : start + width]
            yield slice(start, start + piece.size), self.fetch(piece)


class _Target:
    """Support, fit and record of one target."""

    def __init__(self, columns, target, request, weights, make_alpha, constant):
        self.columns, self.target, self.request = columns, target, request
        n_samples, n_features = columns.shape
        self.lad = LeastAbsolute(target)
        self.members: list[int] = []  # in the order of the fit; -1 stands for the constant
        self.inside = np.zeros(n_features, dtype=bool)
        self.closed = np.zeros(n_features, dtype=bool)
        self.usable = np.isfinite(weights) & (columns.design.column_sq_norms() > 0)
        if constant is not None and self.lad.append(constant):
            self.members.append(-1)
        for j in np.flatnonzero((weights == 0) & self.usable):
            self._enter(int(j))
        self.n_free = len(self.members)
        misfit = np.sum(np.abs(self.lad.residual)) / n_samples
        self.walk = Walk(float(make_alpha(np.array([misfit]))[0]))
        self.strength = strengths(request, self.walk.alpha, weights, n_samples)
        self.rounding = 64.0 * request.precision * np.sum(np.abs(target))

    def run(self):
        for _ in range(self.request.max_steps):
            self._record()
            if not self._move(self._scores()):
                return
        self.walk.was_cut = True

    @property
    def coef(self):
        """Coefficients (n_features,) and the constant."""
        coef, constant = np.zeros(self.inside.size), 0.0
        for j, value in zip(self.members, self.lad.coef, strict=True):
            if j < 0:
                constant = float(value)
            else:
                coef[j] = value
        return coef, constant

    def _record(self):
        self.walk.objective.append(float(np.sum(np.abs(self.lad.residual))) / self.target.size)
        if self.request.keep_path:
            self.walk.path.append(self.coef[0])

    def _scores(self):
        """Delta of every column; those whose slope at zero does not reach their price are not looked at."""
        coef, residual = self.coef[0], self.lad.residual
        slope = np.abs(self.columns.design.rmatvec(np.sign(residual)))
        price = self.strength if self.request.penalty == "l1" else 0.0
        asked = self.usable & ~self.closed & ~self.inside & (slope > price)
        if self.request.candidates != "new":
            asked |= self.inside & (coef != 0)
        delta, indices = np.zeros(coef.size), np.flatnonzero(asked)
        rule = _RULES[self.request.penalty]
        for where, columns in self.columns.pieces(indices):
            delta[indices[where]] = rule(columns, residual, coef[indices[where]], self.strength[indices[where]])
        return np.where(delta > self.rounding, delta, 0.0)

    def _move(self, delta):
        while True:
            j, enters = next_move(delta, self.inside, self.request, len(self.members) - self.n_free)
            if j < 0:
                return False
            if not enters:
                self._leave(j)
                break
            if self._enter(j):
                break
            self.closed[j], delta[j] = True, 0.0
        (self.walk.selected if enters else self.walk.removed).append(j)
        self.walk.decrease.append(float(delta[j]) / self.target.size)
        return True

    def _enter(self, j):
        if not self.lad.append(self.columns.fetch(np.array([j]))[:, 0]):
            return False
        self.members.append(j)
        self.inside[j] = True
        return True

    def _leave(self, j):
        kept = [q for q, member in enumerate(self.members) if member != j]
        self.members = [self.members[q] for q in kept]
        self.inside[j] = False
        self.closed[:] = False  # what depended on the support may no longer do so
        self.lad.refit((self.lad.columns * self.lad.sizes)[:, kept])


def absolute_pursuit(design, target, request, weights, make_alpha, constant=None):
    """Coefficients (n_features, P), constants (P,), and the walk of every column of `target` (n_samples, P).

    Parameters
    ----------
    design : Design
        A real NumPy-backed design that holds columns, its rows multiplied by their weights.
    target : float64 ndarray of shape (n_samples, P)
        Likewise.
    request : Request
        What to do.
    weights : float64 ndarray of shape (n_features,)
        Penalty weights.
    make_alpha : callable
        Strength from the misfit ``||r||_1 / n_samples`` that the free columns leave.
    constant : float64 ndarray of shape (n_samples,), optional
        A column that is always fitted.
    """
    columns = Columns(design)
    done = []
    for p in range(target.shape[1]):
        one = _Target(columns, np.ascontiguousarray(target[:, p]), request, weights, make_alpha, constant)
        one.run()
        done.append((*one.coef, one.walk))
    coefs, constants, walks = zip(*done, strict=True)
    return np.stack(coefs, axis=1), np.array(constants), list(walks)
