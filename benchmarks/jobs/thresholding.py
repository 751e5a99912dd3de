"""Hard thresholding pursuit and null-space tuning on a dense gaussian design, against our own IHT and scikit-learn's OMP.

All are told the sparsity level; an answer counts if it is within 1e-6 of the planted coefficients, which takes IHT, whose steps are
short against the column norms, a tolerance of 1e-7.
"""

from __future__ import annotations

import numpy as np

from ..measure import Ask, Certificate, Contest, compare
from . import Job

__all__ = ["JOB"]


def _problem(setting, seed=0):
    n_samples, n_features, n_nonzero = setting.size((2000, 8000, 200), (100, 400, 8))
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
    return A, A @ coef, coef, n_nonzero


def rows(setting):
    from sklearn.linear_model import orthogonal_mp

    from sparsecode import htp, iht, null_space_tuning

    A, y, coef, n_nonzero = _problem(setting)

    def certify(answer):
        return Certificate(float(np.linalg.norm(answer - coef) / np.linalg.norm(coef)), 0.0)

    solvers = {"HTP": htp, "NST+HT+FB": null_space_tuning}
    peers = {
        "our own IHT": (lambda _: iht(A, y, n_nonzero, tol=1e-7).coef, 3.0),
        "scikit-learn OMP": (lambda _: orthogonal_mp(A, y, n_nonzero_coefs=n_nonzero), 10.0),
    }
    for name, solve in solvers.items():
        for peer, (run, bound) in peers.items():
            contest = Contest(
                problem=f"{name}, gaussian {A.shape[0]}×{A.shape[1]}, s = {n_nonzero}, to relative error 1e-6",
                ours=lambda _, solve=solve: solve(A, y, n_nonzero).coef,
                peers={peer: run},
                certify=certify,
                tol=1e-6,
                ask=Ask(bound),
                certificate_name="relative error",
            )
            yield compare(contest, setting, JOB.name)


JOB = Job("thresholding", rows)
