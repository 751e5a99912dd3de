"""The LASSO at a hundred strengths down to a thousandth of the largest, every one to the same relative duality gap.

A peer runs with the loosest tolerance of its own with which all its strengths attain the gap as we recompute it.
"""

from __future__ import annotations

import time
import warnings
from importlib.util import find_spec

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, progress
from . import Job
from ._lasso_problems import lasso_problem

__all__ = ["JOB"]

_GAP = 1e-6
_LADDER = 10.0 ** -np.arange(4.0, 10.1, 0.5)
_PATIENCE = 60.0  # seconds; beyond it, a peer that has not attained the gap is given up
_FULL = (("iid", 1000, 10_000), ("AR 0.9", 1000, 10_000), ("AR 0.9", 2000, 500), ("CSC", 20_000, 100_000))
_SMALL = (("iid", 100, 400), ("CSC", 1000, 2000))


def _certifier(problem, alphas):
    """The worst gap of the strengths, and the sum of the objectives."""
    from sparsecode.losses import Squared
    from sparsecode.penalties import L1
    from sparsecode.solvers.certificates import relative_gap
    from sparsecode.solvers.problem import make_problem

    posed = make_problem(problem.X, problem.y, Squared(), L1(1.0))

    def certify(coefs):
        columns = (np.ascontiguousarray(column) for column in coefs.T)
        made = [relative_gap(posed.with_penalty(L1(alpha)), coef) for alpha, coef in zip(alphas, columns, strict=True)]
        return Certificate(max(float(each.value) for each in made), float(sum(each.objective for each in made)))

    return certify


def _ours(problem, alphas):
    def run(_):
        from sparsecode import lasso_path

        return lasso_path(problem.X, problem.y, alphas=alphas, tol=_GAP).coefs

    return run


def _scikit_learn(problem, alphas, tol):
    from sklearn.linear_model import lasso_path

    return lambda _: lasso_path(problem.X, problem.y, alphas=alphas, tol=tol, max_iter=100_000)[1]


def _celer(problem, alphas, tol):
    from celer import celer_path

    return lambda _: celer_path(problem.X, problem.y, "lasso", alphas=alphas, tol=tol)[1]


def _skglm(problem, alphas, tol):
    from skglm import Lasso

    return lambda _: Lasso(fit_intercept=False, tol=tol).path(problem.X, problem.y, alphas=alphas)[1]


def _adelie(problem, alphas, tol):
    """Its tolerance is of one sweep's progress: a gap of 1e-6 takes values far below those of the others."""
    import adelie as ad

    from sparsecode._parallel import n_threads

    X = ad.matrix.sparse(problem.X, method="naive") if hasattr(problem.X, "indptr") else problem.X
    options = {"intercept": False, "early_exit": False, "progress_bar": False, "n_threads": n_threads()}

    def run(_):
        glm = ad.glm.gaussian(y=problem.y)
        state = ad.grpnet(X=X, glm=glm, lmda_path=alphas, tol=1e-6 * tol, adev_tol=1.0, **options)
        return state.betas.toarray().T

    return run


_PEERS = {"scikit-learn": _scikit_learn, "celer": _celer, "skglm": _skglm, "adelie": _adelie}
_MODULES = {"scikit-learn": "sklearn"}


def _cheapest(make, problem, alphas, certify):
    """The loosest tolerance with which a peer attains the gap, its run, and its seconds; or None."""
    make(problem, alphas[:2], 1e-2)(0)  # compiles
    for tol in _LADDER:
        run = make(problem, alphas, tol)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a tolerance below what double precision can do
            began = time.perf_counter()
            coefs = run(0)
            seconds = time.perf_counter() - began
        if certify(coefs).value <= _GAP:
            return tol, run, seconds
        if seconds > _PATIENCE:
            return None
    return None


def rows(setting):
    """One row a design, against the fastest peer."""
    few = setting._replace(pairs=max(3, setting.pairs // 4))
    for kind, n_samples, n_features in setting.size(_FULL, _SMALL):
        problem = lasso_problem(kind, n_samples, n_features, 1)
        name = f"LASSO path {kind} {n_samples}×{n_features}, 100 strengths to max/1000"
        progress(f"  {name}")
        alphas = problem.alpha * np.geomspace(1.0, 1e-3, setting.size(100, 10))
        certify = _certifier(problem, alphas)
        present = [peer for peer in _PEERS if find_spec(_MODULES.get(peer, peer)) is not None]
        found = {peer: _cheapest(_PEERS[peer], problem, alphas, certify) for peer in present}
        missed = "".join(f"; {peer} missed the gap" for peer, tuned in found.items() if tuned is None)
        missed += "".join(f"; {peer} is not installed" for peer in _PEERS if peer not in present)
        found = {peer: tuned for peer, tuned in found.items() if tuned is not None}
        if not found:
            raise RuntimeError(f"no peer attains a relative gap of {_GAP:g} on {name}.")
        limit = 2.0 * min(seconds for _, _, seconds in found.values())
        yield compare(
            Contest(
                problem=name,
                ours=_ours(problem, alphas),
                peers={peer: run for peer, (_, run, seconds) in found.items() if seconds <= limit},
                certify=certify,
                tol=_GAP,
                ask=Ask(1.3),
                certificate_name="worst relative gap",
                note=", ".join(f"{peer} tol={tol:.1e} in {seconds:.2f} s" for peer, (tol, _, seconds) in found.items())
                + missed,
            ),
            few,
            JOB.name,
        )


JOB = Job("lasso-path", rows)
