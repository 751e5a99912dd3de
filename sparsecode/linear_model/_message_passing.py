"""What the message-passing regressors share: how a prior and a noise level are given, and weights that count samples."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions

from ..result import announce
from ..solvers.message_passing.gamp import check_prior
from ._posterior import PosteriorRegressor

__all__ = ["MessagePassing"]


class MessagePassing(PosteriorRegressor):
    """Base of `GAMPRegressor` and `VAMPRegressor`: subclasses name their solver, `_pass`, and in `_own` its own parameters."""

    _complex_data = True
    _own: tuple[str, ...] = ()
    _parameter_constraints: dict = {
        "prior": "no_validation",  # the solver's own words name those there are
        "noise_variance": [StrOptions({"learn"}), Interval(Real, 0, None, closed="neither")],
        "learn": [None, "boolean"],
        "damping": [StrOptions({"adaptive"}), Interval(Real, 0, 1, closed="right")],
        "fit_intercept": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
    }

    def _validate_params(self):
        super()._validate_params()
        check_prior(self.prior)

    def _pass(self, *problem, **options):
        raise NotImplementedError(f"{type(self).__name__} must name its solver, _pass.")

    def _answer(self, problem, sample_weight):
        names = ("prior", "noise_variance", "learn", "damping", "max_iter", "tol", *self._own)
        options = {name: getattr(self, name) for name in names}
        return announce(
            self._pass(
                problem.design, problem.target, **self._counts(problem, sample_weight), **options, lost=problem.lost
            )
        )

    def _counts(self, problem, sample_weight):
        """What tells the solver that samples count."""
        return {"counted": problem.total}

    def _store(self, result, problem):
        super()._store(result, problem)
        self.prior_ = result.parameters["prior"]
