"""Kronecker-structured sparse Bayesian learning of 15 x 15 x 15 coefficients: how far it beats methods that see the same design.

Peers: sparse Bayesian learning, told the noise, and orthogonal matching pursuit on the `KroneckerDesign`, told the sparsity, which do not
know that the support is a product; and Kronecker pursuit, which does and is told its sparsity too, written here. Values are medians over
trials of decibels between the errors.
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
_ORACLE = "least squares on the true support"


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


def kronecker_pursuit(factors, y, n_nonzero):
    """Orthogonal matching pursuit whose supports are products: the largest correlation brings one index on every axis that has room.

    Least squares on a product of supports is a product of pseudo-inverses.
    """
    data = y.reshape([factor.shape[0] for factor in factors])
    chosen = [[] for _ in factors]
    coef = np.zeros([factor.shape[1] for factor in factors])
    for _ in range(n_nonzero * len(factors)):
        if all(len(axis) == n_nonzero for axis in chosen):
            break
        correlation = np.abs(_times([factor.T for factor in factors], data - _times(factors, coef)))
        for axis, taken in enumerate(chosen):  # an axis that is full has no new index
            if len(taken) == n_nonzero:
                others = np.delete(np.arange(coef.shape[axis]), taken)
                np.moveaxis(correlation, axis, 0)[others] = -1.0
        for taken, index in zip(chosen, np.unravel_index(np.argmax(correlation), coef.shape), strict=True):
            if index not in taken:
                taken.append(index)
        coef[...] = 0.0
        inverses = [np.linalg.pinv(factor[:, taken]) for factor, taken in zip(factors, chosen, strict=True)]
        coef[np.ix_(*chosen)] = _times(inverses, data)
    return coef.ravel()


def _times(matrices, tensor):
    """A matrix on every axis of a tensor."""
    for axis, matrix in enumerate(matrices):
        tensor = np.moveaxis(np.tensordot(matrix, tensor, axes=(1, axis)), 0, axis)
    return tensor


def _errors(design, y, coef, noise, n_nonzero):
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
        "Kronecker pursuit, told the sparsity": kronecker_pursuit(design.factors, y, n_nonzero),
        _ORACLE: oracle,
    }
    return seconds, {name: nmse(coef, answer, db=True) for name, answer in answers.items()}


def rows(setting):
    """Every noise level, then the time of a solve."""
    samples, n_features, n_nonzero = setting.size(*_SIZES)
    seconds = []
    for snr in _SNRS:
        errors = []
        for trial in range(setting.trials or setting.size(*_TRIALS)):
            taken, error = _errors(*_problem(samples, n_features, n_nonzero, snr, trial), n_nonzero)
            seconds.append(taken)
            errors.append(error)
        progress(f"kronecker: {snr} dB done")
        ours = np.array([error["ours"] for error in errors])
        for peer in [name for name in errors[0] if name != "ours"]:
            ahead = float(np.median([error[peer] for error in errors] - ours))
            ask = Ask(unit="dB") if peer == _ORACLE else Ask(0.0, unit="dB")
            text = f"Kronecker SBL, error below the peer's, {'×'.join([str(n_features)] * len(samples))} coefficients, {snr} dB"
            yield Row(JOB.name, text, peer, ahead, unit="dB", ask=str(ask), met=ask.met(ahead))
    ask, median = Ask(_SECONDS, at_least=False, unit="s"), float(np.median(seconds))
    yield Row(
        JOB.name,
        "Kronecker SBL, seconds of a solve, the median",
        "",
        median,
        unit="s",
        ask=str(ask),
        met=ask.met(median),
    )


JOB = Job("kronecker", rows, threaded=False)
