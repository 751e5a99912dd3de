"""What a Bayesian solver holds after an iteration, and the one loop around such solvers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

from .._array import is_single, plain
from ..result import PosteriorResult, SolveResult
from .driver import drive

__all__ = ["Belief", "check_size", "drive_beliefs"]

_LARGEST_EXPONENT = {True: 15, False: 120}  # single, double: squares of coefficients keep their digits


class Belief(NamedTuple):
    """A posterior with the parameters that it was computed from."""

    mean: Any  # (n_features,) or (n_features, n_targets)
    variance: Any  # of the same shape
    noise_variance: Any
    log_evidence: Any = None
    inclusion: Any = None
    parameters: dict = {}


def check_size(exponent, like):
    """Refuse data that coefficients of size 10^exponent would explain, where their variances were no numbers of the precision of `like`."""
    if abs(exponent) > _LARGEST_EXPONENT[is_single(like)]:
        raise ValueError(
            f"coefficients of size 1e{exponent:.0f} would explain y, and their variances leave the range of {like.dtype}; "
            "scale A or y, the coefficients scale along."
        )


def drive_beliefs(steps, certify, *, callback=None, **limits) -> PosteriorResult:
    """`drive` for generators whose states carry a `Belief` where others carry coefficients; `certify` takes one too.

    A callback sees the posterior mean as the coefficients.
    """
    watch = None if callback is None else lambda progress: callback(progress._replace(coef=progress.coef.mean))
    result = drive(steps, certify, callback=watch, **limits)
    belief = result.coef
    common = {part.name: getattr(result, part.name) for part in fields(SolveResult)} | {"coef": belief.mean}
    noise = belief.noise_variance
    return PosteriorResult(
        **common,
        variance=belief.variance,
        noise_variance=None if noise is None else plain(noise),
        log_evidence=None if belief.log_evidence is None else float(belief.log_evidence),
        inclusion=belief.inclusion,
        parameters=dict(belief.parameters),
    )
