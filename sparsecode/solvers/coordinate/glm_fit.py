"""Proximal Newton steps on a working set: where the fit stands, how far it is from done, and how far a step may go.

A step minimises the quadratic model of the misfit plus the penalty. Curvatures are kept above a share of their mean, which
grows while steps have to be cut and shrinks while they need not: a sample far from its target (an outlier of Huber's loss, a
count that the exponential has not reached) has no curvature to stop a step. Along the step the true objective is searched, from
fitted values alone and without cancellation.
"""

from __future__ import annotations

import numpy as np

from ...losses._registry import SCALAR_LOSS

__all__ = ["Fit"]

_STEPS, _FEW = 30, 6
_FLOOR, _LEAST_FLOOR, _FLOOR_CHANGE = 1e-3, 1e-7, 10.0
_PROGRESS = 0.5  # what a step has to leave of the defect where only that can tell
_FALLS, _UNJUDGED, _NONE = "falls", "unjudged", "none"
_CUTS = 40
_DECREASE = 0.05  # share of what the model promises that a step must fetch
_STIFFER, _STIFFEST = 4.0, 4.0**8
_TINY = np.finfo(np.float64).tiny
_ROUNDING = 8 * np.finfo(np.float64).eps
_INTERPRETED = (64, 5000)  # features and samples up to which numba is not imported


class Fit:
    """The fitted values ``A @ coef + constant`` of a working set and the derivatives of the loss there."""

    def __init__(self, problem, model):
        self.problem, self.model = problem, model
        wide = problem.in_double()
        self.loss = getattr(wide.loss, "loss", wide.loss)
        self.target = np.array(wide.target)  # read-only arrays would be another type to the kernels
        self.row_weights = np.broadcast_to(wide.row_weights, self.target.shape).astype(np.float64)
        self.scale = float(wide.at_zero().loss)
        self.strongest = float(np.max(np.abs(wide.without_excluded(wide.at_zero().correlation)), initial=0.0))
        self.weights = None if wide.penalty_weights is None else np.asarray(wide.penalty_weights)
        self.dual, self.bend = np.empty(self.target.size), np.empty(self.target.size)
        self.floor, self.stiffness, self.was_easy = _FLOOR, 1.0, False  # whether the last minimum took few steps
        self.compiled = problem.n_features > _INTERPRETED[0] or problem.n_samples > _INTERPRETED[1]

    def minimise(self, penalty, coef, constant, enough, least):
        """Coefficients of the members whose defect is at most `enough`, or the best that could be had from `coef` and its constant.

        There is one step at least, unless the defect is at most `least`.
        """
        self.penalty, self.coef = penalty, coef
        members = self.model.members
        self.charges = np.ones(members.size) if self.weights is None else self.weights[members]
        self.limit = _limits(penalty, self.charges)
        self.all_charged = bool(np.all(self.limit > 0))
        self.fitted, self.constant = self.model.image(coef), float(constant)
        best, self.was_easy = None, False  # best: what a step that the objective cannot judge has to improve on
        for step in range(_STEPS):
            self._weigh()
            if not step:
                self.model.bend_to(self._safe_bend())
            dual, remaining = self._balanced()
            defect = self.defect(self.coef, remaining)
            if best is not None and not defect < _PROGRESS * best[0]:
                return self.coef if defect < best[0] else best[1]
            if not defect > (enough if step else min(enough, least)):
                self.was_easy = step <= _FEW
                break
            if step:  # not before: the last look needs no new model
                self.model.bend_to(self._safe_bend())
                dual, remaining = self._balanced()
            self.model.begin(self.coef, dual, remaining)
            self.model.minimise(penalty, self.charges, self.defect, max(self.model.forcing * defect, 0.3 * enough))
            before = (defect, self.coef)
            outcome = self._step(self.model.coef)
            if outcome is _NONE:
                break
            best = before if outcome is _UNJUDGED else None
        return self.coef

    def _balanced(self):
        """The negative gradient once the model's constant is the best one, and its products with the members."""
        dual = self.model.balanced(self.dual)
        return dual, self.model.products(dual)

    def _weigh(self):
        """The negative gradient and the curvature of the loss in every fitted value."""
        if self.compiled:
            from ...kernels.glm import weigh

            weigh(self.loss, self.target, self.fitted, self.constant, self.row_weights, self.dual, self.bend)
            return
        slopes = SCALAR_LOSS[type(self.loss)]
        pairs = zip(self.target.tolist(), (self.fitted + self.constant).tolist(), strict=True)
        both = np.array([slopes(self.loss, target, fitted) for target, fitted in pairs])
        self.dual, self.bend = -self.row_weights * both[:, 0], self.row_weights * both[:, 1]

    def _safe_bend(self):
        """Curvatures that no step can ignore."""
        bound = getattr(self.loss, "curvature", np.inf)
        if bound == np.inf:  # a sample without weight has none, whatever the others have
            bound = self.bend.sum() / self.row_weights.sum()
        usual = bound * self.row_weights
        return self.stiffness * np.maximum(self.bend, self.floor * usual)

    def defect(self, coef, remaining):
        """About the certificate that coefficients and products of the members would have: from above where it is a gap."""
        distance = np.asarray(self.penalty.subdiff_distance(-remaining, coef, self.charges))
        if not self.penalty.is_convex or self.penalty.alpha == 0:
            return distance.max(initial=0.0) / self.strongest if self.strongest > 0 else 0.0
        if self.all_charged:
            excess = np.max(distance / self.limit, initial=0.0)
        else:
            charged = self.limit > 0
            excess = np.max(distance[charged] / self.limit[charged], initial=0.0)
            excess += np.max(distance[~charged], initial=0.0) / max(self.strongest, _TINY)
        bend = self.model.curvatures()
        alone = 0.5 * distance**2 / np.where(bend > 0, bend, np.inf)  # what a coordinate could gain
        shrunk = excess * max(abs(coef @ remaining), self.scale)  # an outlier's dual lies on the border of the domain
        gap = np.abs(coef) @ distance + shrunk + alone.sum()
        return gap / self.scale if self.scale > 0 else 0.0

    def _step(self, new):
        """Go towards `new` as far as the objective falls; what came of it."""
        direction = new - self.coef
        moved = self.model.image(direction)
        change = self.model.constant(float(self.dual.sum()), moved)
        along = moved + change
        slope = -float(self.dual @ along)
        before = self._charge(self.coef)
        promised = slope + 0.5 * float(self.model.bend @ along**2) + self._charge(new) - before
        noise = _ROUNDING * abs(before)
        here, length = self.fitted + self.constant, 1.0
        for _ in range(_CUTS):
            coef = new if length == 1.0 else self.coef + length * direction
            with np.errstate(over="ignore", invalid="ignore"):
                bent = float(self.loss.bregman(self.target, here + length * along, here, self.row_weights))
                rise = length * slope + bent + self._charge(coef) - before
            if rise <= _DECREASE * length * min(promised, 0.0) + noise:
                self.coef = coef
                self.fitted = self.fitted + length * moved
                self.constant += length * change
                self._learn(length)
                return _FALLS if promised < -noise else _UNJUDGED
            length *= 0.5
        self.stiffness *= _STIFFER  # a penalty that is not convex may rise along every part of the step
        return _FALLS if self.stiffness <= _STIFFEST else _NONE

    def _learn(self, length):
        """Trust the curvatures more after a full step, less after one that was cut."""
        if length == 1.0:
            self.floor = max(self.floor / _FLOOR_CHANGE, _LEAST_FLOOR)
            self.stiffness = max(self.stiffness / _STIFFER, 1.0)
        elif length < 0.5:
            self.floor = min(self.floor * _FLOOR_CHANGE, 1.0)

    def _charge(self, coef):
        return float(self.penalty.value(coef, self.charges))


def _limits(penalty, charges):
    """Largest product that leaves a coefficient at zero, of penalty weights `charges`."""
    probe = 8.0 * max(penalty.alpha * max(np.max(charges, initial=0.0), 1.0), np.finfo(np.float64).tiny)
    pull = np.full(charges.size, probe)
    return probe - np.asarray(penalty.subdiff_distance(-pull, 0.0 * pull, charges))
