"""Sparse Bayesian learning with a learned noise level, against scikit-learn's ARDRegression and our own expectation-maximisation.

All of them end in local maxima of one evidence, or of its approximation, so that no common certificate exists: each answer's error
stands beside its time.
"""

from __future__ import annotations

import time

from ..measure import Ask, Certificate, Contest, Row, compare
from . import Job

__all__ = ["JOB"]

_DESIGNS = {
    "iid": {"ensemble": "gaussian"},
    "correlation 0.5": {"ensemble": "correlated", "correlation": 0.5},
    "correlation 0.9": {"ensemble": "correlated", "correlation": 0.9},
    "condition 100": {"ensemble": "ill_conditioned", "condition_number": 100.0},
}
_SIZES = ((500, 1000, 100), (60, 100, 6))


def _problem(n_samples, n_features, n_nonzero, kind, snr_db=60, seed=0):
    from sparsecode.datasets import make_sparse_recovery

    return make_sparse_recovery(n_samples, n_features, n_nonzero, snr_db=snr_db, random_state=seed, **_DESIGNS[kind])


def _learned(problem, method):
    from sparsecode import sbl

    return sbl(problem.design, problem.target, method=method, noise_variance="learn").coef


def _ard(problem):
    from sklearn.linear_model import ARDRegression

    return ARDRegression(fit_intercept=False).fit(problem.design, problem.target).coef_


def contest(problem, name, peer, method, ask):
    """One design, one of our methods, one peer."""
    from sparsecode.metrics import nmse

    peers = {"ARDRegression": lambda _: _ard(problem), "our EM": lambda _: _learned(problem, "em")}

    def certify(coef):
        return Certificate(nmse(problem.coef, coef), 0.0)

    n_samples, n_features = problem.design.shape
    return Contest(
        problem=f'sparse Bayesian learning, "{method}", {name}, {n_samples}×{n_features}, {problem.support.size} non-zeros, 60 dB',
        ours=lambda _: _learned(problem, method),
        peers={peer: peers[peer]},
        certify=certify,
        tol=1.0,
        ask=ask,
        certificate_name="NMSE",
        note="both learn the noise; the errors differ, and are the certificates",
    )


def error_row(problem, name, method, ask):
    """The error of one of our methods, held against what was asked of it."""
    from sparsecode.metrics import nmse

    began = time.perf_counter()
    coef = _learned(problem, method)
    seconds, error = time.perf_counter() - began, nmse(problem.coef, coef, db=True)
    text = f'sparse Bayesian learning, error of "{method}", {name}, noise learned'
    return Row(JOB.name, text, "", error, unit="dB", ask=str(ask), met=ask.met(error), ours=seconds)


def rows(setting):
    """Four designs."""
    few = setting._replace(pairs=max(2, setting.pairs // 5))
    for name in _DESIGNS:
        problem = _problem(*setting.size(*_SIZES), name)
        for method in ("gamp", "fast"):
            yield error_row(problem, name, method, Ask(-55.0, at_least=False, unit="dB"))
        yield compare(contest(problem, name, "ARDRegression", "gamp", Ask(10.0)), few, JOB.name)
        yield compare(contest(problem, name, "our EM", "gamp", Ask(5.0)), few, JOB.name)


def first_call(setting):
    """The prepared first call."""
    problem = _problem(*_SIZES[1], "iid")
    return lambda: _learned(problem, "gamp")


JOB = Job("sbl", rows, first_call)
