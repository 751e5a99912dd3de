"""`LassoCV` on five folds and a hundred strengths, against scikit-learn's and paths of celer, on the same folds and strengths.

Every contestant is held to the same thing: the least mean squared error of the held-out samples, which the search is after, must
agree with that of a reference of tight tolerance.
"""

from __future__ import annotations

import numpy as np

from ..measure import Ask, Certificate, Contest, compare
from . import Job
from ._lasso_problems import lasso_problem

__all__ = ["JOB"]

_FOLDS, _STRENGTHS, _EPS = 5, 100, 1e-3
_MET = 1e-3  # relative error of the least held-out error
_PAIRS = 3  # one fit of scikit-learn takes minutes


def _folds(n_samples):
    """Contiguous folds, as ``(train, test)`` indices."""
    every = np.arange(n_samples)
    return [(np.setdiff1d(every, part), part) for part in np.array_split(every, _FOLDS)]


def _ours(problem, alphas, folds, tol=2e-4):
    """With the tolerance that the peers have by default: their 1e-4 is of ``||y||^2 / n_samples``, twice the objective at zero."""

    def run(_):
        from sparsecode import LassoCV

        return LassoCV(alphas=alphas, cv=folds, tol=tol).fit(problem.X, problem.y).mse_path_

    return run


def _scikit_learn(problem, alphas, folds, n_jobs):
    def run(_):
        from sklearn.linear_model import LassoCV

        return LassoCV(alphas=alphas, cv=folds, n_jobs=n_jobs).fit(problem.X, problem.y).mse_path_

    return run


def _celer(problem, alphas, folds, n_jobs):
    """Paths of its own on each fold, over threads: its LassoCV does not run with this scikit-learn."""
    from celer import celer_path
    from joblib import Parallel, delayed

    def one_fold(train, test):
        X, y = problem.X[train], problem.y[train]
        mean, level = X.mean(axis=0), y.mean()
        coefs = celer_path(np.asfortranarray(X - mean), y - level, "lasso", alphas=alphas)[1]
        missed = (problem.y[test] - level)[:, None] - (problem.X[test] - mean) @ coefs
        return np.mean(missed**2, axis=0)

    def run(_):
        errors = Parallel(n_jobs=n_jobs)(delayed(one_fold)(*fold) for fold in folds)
        return np.stack(errors, axis=1)

    return run


def rows(setting):
    """One design, dense, on as many threads as the runner allows."""
    n_samples, n_features = setting.size((2000, 5000), (100, 200))
    problem = lasso_problem("iid", n_samples, n_features, 10, snr=10.0)
    folds = _folds(n_samples)
    count = setting.size(_STRENGTHS, 10)
    top = np.max(np.abs(problem.X.T @ (problem.y - problem.y.mean()))) / n_samples
    alphas = top * np.geomspace(1.0, _EPS, count)
    reference = float(_ours(problem, alphas, folds, tol=1e-9)(0).mean(axis=1).min())

    def certificate(errors):
        least = float(errors.mean(axis=1).min())
        return Certificate(abs(least / reference - 1.0), least)

    few = setting._replace(pairs=min(setting.pairs, _PAIRS))
    yield compare(
        Contest(
            problem=f"LassoCV, {_FOLDS} folds, {count} strengths, dense {n_samples}×{n_features}",
            ours=_ours(problem, alphas, folds),
            peers={
                "scikit-learn": _scikit_learn(problem, alphas, folds, setting.threads),
                "celer": _celer(problem, alphas, folds, setting.threads),
            },
            certify=certificate,
            tol=_MET,
            ask=Ask(2.0),
            certificate_name="relative error of the least held-out error",
        ),
        few,
        JOB.name,
    )


JOB = Job("lasso-cv", rows)
