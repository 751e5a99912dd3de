"""Message passing: errors on problems whose difficulty is known, and what an iteration costs over its products.

An error is the mean squared one over that of zeros, the median over trials. The cost is measured as in the job "iteration": the solver
is stopped in its own callback, and there the bare products run as often as it has iterated since.
"""

from __future__ import annotations

import numpy as np

from ..measure import NOTHING, Ask, Row, progress, row_of_ratios
from . import Job
from .iteration import Alternate

__all__ = ["JOB"]

_TRIALS = (20, 2)
_ROUNDS = 150  # of a solve whose iterations are timed: certificates fall on every fiftieth
_COST = Ask(1.3, at_least=False)
_WELL, _ILL = {"ensemble": "gaussian"}, {"ensemble": "ill_conditioned", "condition_number": 100.0}
_MIXTURE = ((0.9, 0.05, 0.05), (0.0, -1.0, 1.0), (0.0, 0.5, 0.5))


def _problem(shape, kind, seed, rate=0.1, n_targets=None):
    """Coefficients that are not zero with this probability, at 30 dB; the matrix is scaled to entries of variance 1 / n_samples."""
    from sparsecode.datasets import make_sparse_recovery

    n_samples, n_features = shape
    return make_sparse_recovery(
        n_samples, n_features, round(rate * n_features), n_targets=n_targets, snr_db=30, random_state=seed, **kind
    )


def _vamp(problem):
    from sparsecode import vamp

    return vamp(problem.design, problem.target).coef


def _mixture(problem):
    from sparsecode import GaussianMixture, gamp

    return gamp(problem.design, problem.target, prior=GaussianMixture(*_MIXTURE), learn=True).coef


def error_rows(setting):
    """The errors that were asked for, prior and noise learned; the sizes are small enough to be those of a smoke run."""
    from sparsecode.metrics import nmse

    cases = (
        ("VAMP", _vamp, setting.size((500, 1000), (100, 200)), _WELL, None, -29.0),
        ("VAMP, condition number 100, 10 targets", _vamp, (100, 200), _ILL, 10, -17.0),
        ("GAMP, mixture prior", _mixture, (100, 200), _WELL, None, -17.0),
    )
    for name, solve, shape, kind, n_targets, bound in cases:
        errors = []
        for trial in range(setting.trials or setting.size(*_TRIALS)):
            problem = _problem(shape, kind, trial, n_targets=n_targets)
            errors.append(float(np.mean(nmse(problem.coef, solve(problem)))))
        progress(f"gamp: {name} done")
        value, ask = 10.0 * float(np.log10(np.median(errors))), Ask(bound, at_least=False, unit="dB")
        text = f"error of {name}, {shape[0]}×{shape[1]}, 30 dB, prior and noise learned"
        yield Row(JOB.name, text, "", value, unit="dB", ask=str(ask), met=ask.met(value), pairs=len(errors))


def cost_row(setting, shape, variances, learns):
    """Iterations of a problem that is slow to settle, against their products."""
    from sparsecode import BernoulliGaussian, gamp

    problem = _problem(shape, _WELL, 0, rate=0.25)
    A, y = problem.design, problem.target
    squares, x, u = A**2, np.ones(shape[1]), np.ones(shape[0])
    told = {} if learns else {"prior": BernoulliGaussian(0.25), "noise_variance": float(np.var(problem.noise))}

    def products():
        A @ x
        A.T @ u
        if variances == "vector":
            squares @ x
            squares.T @ u

    products()
    watch = Alternate(products, 3 * setting.pairs)
    while len(watch.ours) < watch.wanted:
        gamp(A, y, variances=variances, damping=1.0, tol=0.0, max_iter=_ROUNDS, callback=watch, **told)
        watch.rest()
    row = row_of_ratios(
        watch.ours,
        watch.theirs,
        job=JOB.name,
        problem=f"GAMP, an iteration, {variances} variances, {'learning' if learns else 'told'} prior and noise, dense {shape[0]}×{shape[1]}",
        peer="four gemv" if variances == "vector" else "two gemv",
        ask=NOTHING if learns else _COST,
        cost=True,
    )
    row.threads, row.certificate, row.certificate_name = setting.threads, watch.certificate, "where it was stopped"
    row.note = "the certificate of every fiftieth iteration is part of ours"
    return row


def rows(setting):
    """Errors, then costs."""
    yield from error_rows(setting)
    for shape in setting.size(((2000, 4000), (500, 1000)), ((100, 200),)):
        for variances in ("vector", "uniform"):
            for learns in (False, True):
                yield cost_row(setting, shape, variances, learns)


JOB = Job("gamp", rows)
