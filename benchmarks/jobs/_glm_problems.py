"""Sparse problems with a loss that is not quadratic, the gap of any answer to them, and how peers are held to that same gap.

minimise over w   loss(y, X w) + alpha ||w||_1          (no intercept)
"""

from __future__ import annotations

import time
import warnings
from typing import Any, NamedTuple

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, progress
from ._lasso_problems import LADDER, SEED, iid_design, sparse_design

__all__ = ["GAP", "GLMProblem", "contest_rows", "first_of", "glm_problem", "skglm_runner"]

GAP = 1e-6
_PATIENCE = 20.0  # seconds; beyond it, a peer that has not attained the gap is given up
_SIGNAL = 50  # features that carry signal, or a tenth of the samples where that is less


class GLMProblem(NamedTuple):
    """Design, target, loss, strength, and words for the table."""

    name: str
    X: Any
    y: np.ndarray
    loss: Any
    alpha: float

    def certificate(self, coef) -> Certificate:
        """Relative duality gap and objective of `coef`."""
        from sparsecode import L1
        from sparsecode.solvers.certificates import relative_gap
        from sparsecode.solvers.problem import make_problem

        made = relative_gap(make_problem(self.X, self.y, self.loss, L1(self.alpha)), coef)
        return Certificate(float(made.value), float(made.objective))

    def ours(self, _):
        """Our solver, as a user would call it."""
        from sparsecode import L1, solve

        return solve(self.X, self.y, self.loss, L1(self.alpha), tol=GAP).coef


def glm_problem(loss, draw, kind, n_samples, n_features, fraction) -> GLMProblem:
    """A planted problem; ``draw(signal, rng)`` makes the target from a signal of standard deviation one; alpha = alpha_max / fraction."""
    from sparsecode import alpha_max

    rng = np.random.default_rng(SEED)
    X = {"iid": iid_design, "CSC": sparse_design}[kind](n_samples, n_features, rng)
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, min(_SIGNAL, n_samples // 10), replace=False)] = 1.0
    signal = X @ coef
    y = draw(signal / (np.std(signal) or 1.0), rng)
    name = f"{type(loss).__name__} {kind} {n_samples}×{n_features}, alpha = max/{fraction:g}"
    return GLMProblem(name, X, y, loss, alpha_max(X, y, loss) / fraction)


def skglm_runner(problem, tol, datafit, solver):
    """skglm's own loop around its compiled datafit, as its estimators run it."""
    import scipy.sparse as sp
    from skglm.penalties import L1
    from skglm.utils.jit_compilation import compiled_clone

    datafit, penalty = compiled_clone(datafit), compiled_clone(L1(problem.alpha))
    X, y = problem.X, problem.y

    def run(_):
        if hasattr(solver, "use_acc"):  # coordinate descent wants its constants first
            initialise = (datafit.initialize_sparse, (X.data, X.indptr, X.indices, y))
            prepare, arguments = initialise if sp.issparse(X) else (datafit.initialize, (X, y))
            prepare(*arguments)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # that it would rather compile what it is given by itself, in every call
            return solver.solve(X, y, datafit, penalty)[0]

    return run


def contest_rows(problems, peers, setting, job):
    """One row a problem, against the fastest peer; each peer at the loosest tolerance with which it attains the gap."""
    for problem in problems:
        progress(f"  {problem.name}")
        found = {name: _cheapest(problem, make) for name, make in peers.items()}
        missed = "".join(f"; {name} missed the gap" for name, tuned in found.items() if tuned is None)
        found = {name: tuned for name, tuned in found.items() if tuned is not None}
        if not found:
            raise RuntimeError(f"no peer attains a relative gap of {GAP:g} on {problem.name}.")
        contest = Contest(
            problem=problem.name,
            ours=problem.ours,
            peers={name: run for name, (_, run) in found.items()},
            certify=problem.certificate,
            tol=GAP,
            ask=Ask(1.2),
            certificate_name="relative gap",
            note=", ".join(f"{name} tol={tol:.1e}" for name, (tol, _) in found.items()) + missed,
        )
        yield compare(contest, setting, job)


def _cheapest(problem, make):
    """The loosest tolerance of the ladder with which a peer attains the gap, and its run; None if it does not."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a tolerance below what double precision can do
        make(problem, 1.0)(0)  # compiles
        for tol in LADDER:
            run = make(problem, tol)
            if problem.certificate(run(0)).value <= GAP:
                return tol, run
            began = time.perf_counter()
            run(0)  # again, for the first run at a tighter tolerance may have compiled more
            if time.perf_counter() - began > _PATIENCE:
                return None
    return None


def first_of(make):
    """A dense and a CSC problem, so that the compilation for both is timed."""
    problems = [make("iid", 200, 1000, 10), make("CSC", 1000, 2000, 10)]
    return lambda: [problem.ours(0) for problem in problems]
