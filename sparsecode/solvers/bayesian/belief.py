"""What a Bayesian solver holds after an iteration, and the one loop around such solvers."""

from __future__ import annotations

from dataclasses import fields
from typing import Any, NamedTuple

from ..._array import plain
from ...result import PosteriorResult, SolveResult
from ..driver import drive

__all__ = ["Belief", "drive_beliefs"]


class Belief(NamedTuple):
    """A posterior with the parameters that it was computed from."""

    mean: Any  # (n_features,) or (n_features, n_targets)
    variance: Any  # of the same shape
    noise_variance: Any
    log_evidence: Any = None
    inclusion: Any = None
    parameters: dict = {}


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
