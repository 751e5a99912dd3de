"""What `IterativeHardThresholding`, `HardThresholdingPursuit` and `NullSpaceTuning` share: the constraint, and how long to go on."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

from sklearn.utils._param_validation import Interval

from ..result import announce
from ._base import SparseLinearModel, default_sparsity

__all__ = ["Thresholding"]


class Thresholding(SparseLinearModel):
    """The parameters of all three, and the call of `_threshold`, the solver of a subclass, with those of `_own` too."""

    _own: tuple[str, ...] = ()
    _complex_data = True
    _parameter_constraints: dict[str, Any] = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "positive": ["boolean"],
        "block_size": [Interval(Integral, 1, None, closed="left")],
        "joint": ["boolean"],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def __init__(self, n_nonzero_coefs, *, positive, block_size, joint, penalty_weights, fit_intercept, max_iter, tol):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.positive = positive
        self.block_size = block_size
        self.joint = joint
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _threshold(self, *problem, **options):
        raise NotImplementedError(f"{type(self).__name__} must name its solver, _threshold.")

    def _level(self, shape):
        """The sparsity level that the solver is given."""
        return default_sparsity(shape, self.block_size) if self.n_nonzero_coefs is None else self.n_nonzero_coefs

    def _solve(self, design, target):
        result = self._threshold(
            design,
            target,
            self._level(design.shape),
            positive=self.positive,
            block_size=self.block_size,
            joint=self.joint,
            penalty_weights=self.penalty_weights,
            max_iter=self.max_iter,
            tol=self.tol,
            level_name="n_nonzero_coefs",
            **{name: getattr(self, name) for name in self._own},
        )
        return announce(result)
