"""What `CoSaMP` and `SubspacePursuit` share: supports of a given size, refitted pass after pass."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval

from ._base import SparseLinearModel, default_sparsity

__all__ = ["SupportPasses"]


class SupportPasses(SparseLinearModel):
    """The parameters of both, and the call of `_pursuit`, the solver of a subclass."""

    _complex_data = True
    _options: tuple[str, ...] = ()  # parameters that only one of them has
    _parameter_constraints = {
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "joint": ["boolean"],
        "positive": ["boolean"],
        "penalty_weights": ["array-like", None],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
    }

    def __init__(
        self,
        n_nonzero_coefs=None,
        *,
        joint=False,
        positive=False,
        penalty_weights=None,
        fit_intercept=True,
        max_iter=100,
        tol=None,
    ):
        self.n_nonzero_coefs = n_nonzero_coefs
        self.joint = joint
        self.positive = positive
        self.penalty_weights = penalty_weights
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol

    def _pursuit(self, *problem, **options):
        raise NotImplementedError(f"{type(self).__name__} must name its solver, _pursuit.")

    def _solve(self, design, target):
        count = default_sparsity(design.shape) if self.n_nonzero_coefs is None else self.n_nonzero_coefs
        return self._pursuit(
            design,
            target,
            count,
            joint=self.joint,
            positive=self.positive,
            penalty_weights=self.penalty_weights,
            max_iter=self.max_iter,
            tol=self.tol,
            **{name: getattr(self, name) for name in self._options},
        )
