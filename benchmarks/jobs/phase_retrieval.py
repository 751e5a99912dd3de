"""Sparse phase retrieval to a relative error of 1e-10, against thresholded Wirtinger flow from the same start."""

from __future__ import annotations

import numpy as np

from ..measure import NOTHING, Ask, Certificate, Contest, compare
from . import Job

__all__ = ["JOB", "thresholded_wirtinger_flow"]

TOL = 1e-10  # relative error, up to the sign
MAX_ITER = 2_000
SAFE = (0.15, 0.5)  # step and threshold with which the peer succeeded on each of 16 problems of these sizes
FASTEST = (0.25, 0.7)  # the fastest of 14 pairs that did; the next longer steps fail


def spectral_start(A, y, n_nonzero):
    """The first start of our own solver."""
    from sparsecode.designs import DenseDesign
    from sparsecode.penalties import L0Ball
    from sparsecode.solvers.thresholding.spectral import spectral_starts

    return next(spectral_starts(DenseDesign(A), y, None, L0Ball(n_nonzero), None))


def thresholded_wirtinger_flow(A, y, start, truth, step, threshold):
    """Cai, Li and Ma, "Optimal rates of convergence for noisy sparse phase retrieval via thresholded Wirtinger flow", 2016.

    Gradient steps on ``mean((|A x|^2 - y^2)^2) / 4``, soft thresholds in proportion to the gradient's noise. It is stopped by the
    truth, which a user would not have: no time is lost on certificates.
    """
    n_samples, n_features = A.shape
    power = np.mean(y**2)
    x, size = start, np.linalg.norm(truth)
    for _ in range(MAX_ITER):
        z = A @ x
        defect = z**2 - y**2
        pull = defect * z
        level = threshold * np.sqrt(np.log(n_samples * n_features) * (pull @ pull)) / n_samples
        x = x - step / power * (A.T @ pull) / n_samples
        x = np.sign(x) * np.maximum(np.abs(x) - step / power * level, 0.0)
        if min(np.linalg.norm(x - truth), np.linalg.norm(x + truth)) <= 0.9 * TOL * size:
            break
    return x


def contest(n_samples, n_features, n_nonzero, tuning=SAFE, ask=NOTHING, seed=0):
    from sparsecode import sparse_phase_retrieval
    from sparsecode.metrics import phase_distance

    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    truth = np.zeros(n_features)
    truth[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
    y = np.abs(A @ truth)

    def certify(coef):
        error = phase_distance(truth, coef)
        return Certificate(error, float(error > TOL))

    return Contest(
        problem=f"phase retrieval, {n_samples}×{n_features}, {n_nonzero} non-zeros, to 1e-10",
        ours=lambda _: sparse_phase_retrieval(A, y, n_nonzero, tol=0.1 * TOL).coef,
        peers={
            "Wirtinger flow": lambda _: thresholded_wirtinger_flow(
                A, y, spectral_start(A, y, n_nonzero), truth, *tuning
            ),
        },
        certify=certify,
        tol=TOL,
        ask=ask,
        certificate_name="relative error",
        note=f"the peer is written in NumPy from the paper, with step and threshold {tuning}, and stopped by the truth",
    )


def rows(setting):
    for n_samples in (600, 800, 1000):
        sizes = setting.size((n_samples, 1000, 20), (n_samples // 4, 100, 3))
        yield compare(contest(*sizes, ask=Ask(5.0)), setting, JOB.name)
    yield compare(contest(*sizes, tuning=FASTEST), setting, JOB.name)


def first_call(setting):
    ours = contest(150, 100, 3).ours
    return lambda: ours(0)


JOB = Job("phase-retrieval", rows, first_call)
