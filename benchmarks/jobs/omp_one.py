"""Orthogonal matching pursuit of one signal on a large dense design, against scikit-learn's `orthogonal_mp`."""

from __future__ import annotations

import numpy as np

from sparsecode.designs import DenseDesign
from sparsecode.losses import Squared
from sparsecode.penalties import L0Ball
from sparsecode.solvers.certificates import support_optimality
from sparsecode.solvers.problem import Problem

from ..measure import Ask, Certificate, Contest, compare
from . import Job

__all__ = ["JOB"]


def _planted(setting, order, seed=0):
    n_samples, n_features, n_nonzero = setting.size((1000, 10_000, 50), (100, 500, 10))
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    A /= np.linalg.norm(A, axis=0)  # the peer's selection depends on the scale of the columns
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
    return np.asarray(A, order=order), A @ coef + 0.01 * rng.standard_normal(n_samples), n_nonzero


def contest(setting, order):
    """The first columns of a noisy planted signal, from a design stored by rows or by columns."""
    from sklearn.linear_model import orthogonal_mp

    A, y, n_nonzero = _planted(setting, order)
    problem = Problem(DenseDesign(A), y, Squared(), L0Ball(n_nonzero))

    def ours(_):
        from sparsecode import omp

        return omp(A, y, n_nonzero=n_nonzero, n_jobs=setting.threads).coef

    def certify(coef):
        made = support_optimality(problem, coef)
        fits = np.count_nonzero(coef) <= n_nonzero
        return Certificate(float(made.value) if fits else np.inf, float(made.objective))

    stored = "rows" if order == "C" else "columns"
    return Contest(
        problem=f"OMP: one signal, {A.shape[0]:,} x {A.shape[1]:,} dense by {stored}, {n_nonzero} columns",
        ours=ours,
        peers={"scikit-learn": lambda _: orthogonal_mp(A, y, n_nonzero_coefs=n_nonzero)},
        certify=certify,
        tol=1e-8,
        ask=Ask(5.0),
        certificate_name="support optimality",
    )


def rows(setting):
    for order in ("C", "F"):
        yield compare(contest(setting, order), setting, JOB.name)


def first_call(setting):
    ours = contest(setting, "C").ours
    return lambda: ours(0)


JOB = Job("omp-one", rows, first_call)
