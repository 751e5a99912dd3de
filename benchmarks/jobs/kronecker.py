"""Kronecker-structured sparse Bayesian learning of 15 x 15 x 15 coefficients: how far it beats methods that see the same design.

The peers do not know that the support is a product: sparse Bayesian learning, told the noise, and orthogonal matching pursuit on the
`KroneckerDesign`, told the sparsity. Values are medians over trials of decibels between the errors.
"""

from __future__ import annotations

import time

import numpy as np

from ..measure import Ask, Row, progress
from . import Job

__all__ = ["JOB"]

_SNRS = (5, 10, 15, 20, 25, 30)
_SIZES = (((8, 12, 15), 15, 3), ((4, 5), 6, 2))
_TRIALS = (10, 2)
_SECONDS = 1.0


def _problem(samples, n_features, n_nonzero, snr, seed):
    """A design with unit columns, a noisy target, coefficients, and the variance of the noise."""
    from sparsecode import KroneckerDesign

    rng = np.random.default_rng(seed)
    factors = [rng.standard_normal((n_samples, n_features)) for n_samples in samples]
    design = KroneckerDesign([factor / np.linalg.norm(factor, axis=0) for factor in factors])
    coef = np.ones(1)
    for _ in samples:
        axis = np.zeros(n_features)
        axis[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
        coef = np.kron(coef, axis)
    clean = design.matvec(coef)
    noise = np.mean(clean**2) * 10 ** (-snr / 10)
    return design, clean + np.sqrt(noise) * rng.standard_normal(clean.size), coef, noise


def _errors(design, y, coef, noise):
    """Seconds of ours, and decibels of every method."""
    from sparsecode import kronecker_sbl, omp, sbl
    from sparsecode.metrics import nmse

    began = time.perf_counter()
    ours = kronecker_sbl(design, y).coef
    seconds = time.perf_counter() - began
    support = np.flatnonzero(coef)
    oracle = np.zeros_like(coef)
    oracle[support] = np.linalg.lstsq(design.columns(support), y, rcond=None)[0]
    answers = {
        "ours": ours,
        "our SBL, told the noise": sbl(design, y, noise_variance=noise).coef,
        "our OMP, told the sparsity": omp(design, y, n_nonzero=support.size).coef,
        "least squares on the true support": oracle,
    }
    return seconds, {name: nmse(coef, answer, db=True) for name, answer in answers.items()}


def rows(setting):
    """Every noise level, then the time of a solve."""
    samples, n_features, n_nonzero = setting.size(*_SIZES)
    seconds = []
    for snr in _SNRS:
        errors = []
        for trial in range(setting.size(*_TRIALS)):
            taken, error = _errors(*_problem(samples, n_features, n_nonzero, snr, trial))
            seconds.append(taken)
            errors.append(error)
        progress(f"kronecker: {snr} dB done")
        ours = np.array([error["ours"] for error in errors])
        for peer in [name for name in errors[0] if name != "ours"]:
            ahead = float(np.median([error[peer] for error in errors] - ours))
            ask = Ask(0.0, unit="dB") if "our" in peer else Ask(unit="dB")
            text = f"error below the peer's, {'×'.join([str(n_features)] * len(samples))} coefficients, {snr} dB"
            yield Row(JOB.name, text, peer, ahead, unit="dB", ask=str(ask), met=ask.met(ahead))
    ask, median = Ask(_SECONDS, at_least=False, unit="s"), float(np.median(seconds))
    yield Row(JOB.name, "seconds of a solve, the median", "", median, unit="s", ask=str(ask), met=ask.met(median))


JOB = Job("kronecker", rows, threaded=False)
