"""Variances passed between coefficients and samples, and what they say of each coefficient alone: Gaussian message passing.

    v = |A|^2 t,    i_n = sum_m |A_mn|^2 / (s + v_m),    t_n = 1 / (1 / P_n + i_n)

Columns whose targets are correlated by ``B = U diag(l) U^H`` are rotated: target j of ``X conj(U)`` has prior variances ``g_n l_j``.

Rangan, Schniter, Fletcher and Sarkar, "On the convergence of approximate message passing with arbitrary matrices", 2019 (arXiv 1402.3210).
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..._array import asarray_like, to_numpy
from ..message_passing.block_squares import moduli, there_and_back
from .evidence import cavity
from .ridge import posterior_mean
from .temporal import learned_correlation, rotation

__all__ = ["Columns", "Exchanged", "Measured", "Model", "exchange", "measured"]

_SWEEPS = 3  # of the variances after each change of the prior


class Measured(NamedTuple):
    """What message passing says of some columns, in NumPy; one column a rotated target."""

    mean: Any  # (n, L)
    quality: Any  # q, (n, L)
    information: Any  # (n, J): J is L where targets have variances of their own, else 1
    variance: Any  # (n, J)
    share: Any  # what the data determine of each coefficient, P i / (1 + P i), (n, J)
    sq_residual: float
    log_evidence: float


class Model:
    """Targets that are independent of each other, and the scales of their prior variances."""

    def __init__(self, setting, correlation):
        self.setting = setting
        self.weights = _weights(setting)
        share = 1.0 / np.where(self.weights > 0, self.weights, 1.0)
        real = setting.design.xp.float64
        self.share = float(share) if share.ndim == 0 else asarray_like(share, setting.target, dtype=real)
        self.turn_by(correlation)

    def turn_by(self, correlation):
        """Rotate the targets so that this correlation becomes diagonal."""
        self.correlation, target = correlation, self.setting.target
        self.turn = None if correlation is None else rotation(correlation)
        self.scales = np.ones(1) if self.turn is None else self.turn.scales
        self.target = target if self.turn is None else target @ asarray_like(self.turn.vectors.conj(), target)

    @property
    def factor(self):
        """Nats of each unit of a log density."""
        return self.setting.half * (self.setting.n_targets if self.turn is None else 1)

    def priors(self, prior):
        """Of the rotated targets, (n, J)."""
        return prior[:, None] * self.scales

    def back(self, mean):
        """Means of the targets as they were, from those of the rotated ones."""
        return mean if self.turn is None else mean @ self.turn.vectors.T

    def forth(self, mean):
        """The way to the rotated ones."""
        return mean if self.turn is None else mean @ self.turn.vectors.conj()

    def marginal(self, variance):
        """Variances of the targets as they were, (n,) if they have them in common."""
        return variance[:, 0] if self.turn is None else variance @ (np.abs(self.turn.vectors) ** 2).T

    def seen(self, now):
        """``|q|^2`` and d of each column: means over the targets, or one column a target with its scale multiplied in."""
        quality_sq, sparsity = np.abs(now.quality) ** 2, now.information * (1.0 - now.share)
        if self.turn is None:
            return np.mean(quality_sq, axis=1), sparsity[:, 0]
        return self.scales * quality_sq, self.scales * sparsity

    def cavities(self, now, prior):
        """The same without the column itself."""
        quality_sq, sparsity = self.seen(now)
        return cavity(quality_sq, sparsity, prior if self.turn is None else prior[:, None])

    def turn_to(self, now, prior, used, mean, variance):
        """Learn the correlation, and rotate mean and variance along."""
        inside = used[prior[used] > 0]
        kept = prior[used] > 0
        if inside.size:
            seen = _Seen(now.quality[kept], (now.information * (1.0 - now.share))[kept])
            mean = self.back(mean)
            self.turn_by(learned_correlation(seen, prior[inside], self.turn))
            mean = self.forth(mean)
        return mean, variance


def _weights(setting):
    """How often each sample counts, (n_samples, 1), or one number for all: a sample seen twice is two for message passing."""
    scale, each = getattr(setting.design, "scale", None), setting.total / setting.n_samples
    weight = setting.row_weight if scale is None else np.asarray(scale, dtype=np.float64) ** 2
    return np.asarray(each) if weight is None or setting.design.is_matrix_free else each * weight[:, None]


class _Seen(NamedTuple):
    quality: Any
    sparsity: Any


class Columns:
    """The columns in use, and perhaps some that no longer are: copied once they are half of those before, so that they are few copies."""

    def __init__(self, setting, used):
        self.setting, design = setting, setting.design
        few = used.size <= design.shape[1] // 2 and not design.is_matrix_free
        part = design.select(used) if few and used.size else None
        self.design = design if part is None else part
        self.indices = np.arange(design.shape[1]) if part is None else used
        self.moduli = moduli(self.design)

    def covering(self, used):
        """Columns that hold those in use, and not more than twice as many where copies are made."""
        missing = ~np.isin(used, self.indices, assume_unique=True).all()
        copies = not self.setting.design.is_matrix_free and 0 < used.size <= self.indices.size // 2
        return Columns(self.setting, used) if missing or copies else self

    def measure(self, model, prior, mean, variance, noise, share):
        """One exchange of variances, and the mean to that accuracy."""
        target, used = model.target, self.indices
        real = self.setting.design.xp.float64
        priors = asarray_like(model.priors(prior[used]), target, dtype=real)
        passed = exchange(
            self.moduli, priors, asarray_like(variance[used], target, dtype=real), noise, _SWEEPS, share=model.share
        )
        found = posterior_mean(self.design, target, priors, noise, asarray_like(mean[used], target), share)
        return measured(model, priors, passed, found, noise)


class Exchanged(NamedTuple):
    """Where an exchange of variances stopped."""

    variance: Any  # t, (n, J)
    information: Any  # i, (n, J)
    total: Any  # s + v, (n_samples, J) or (1, J)


def exchange(squared, priors, variance, noise, sweeps, least_change=0.0, share=1.0):
    """Pass variances to the samples and informations back, up to so many times, or until they hardly change."""
    information: Any = None
    for _ in range(sweeps):
        before = information
        total, information = there_and_back(squared, variance, noise, share)
        variance = priors / (1.0 + priors * information)
        if least_change and before is not None and _least_ratio(before, information) > 1.0 - least_change:
            break
    return Exchanged(variance, information, total)


def _least_ratio(before, after):
    before, after = to_numpy(before), to_numpy(after)
    where = after > 0
    return float(np.min(np.minimum(before[where], after[where]) / np.maximum(before[where], after[where]), initial=1.0))


def measured(model, priors, passed, found, noise):
    """Everything that updates need, in NumPy, with the log evidence in the approximation of message passing."""
    setting = model.setting
    priors, information, total = to_numpy(priors), to_numpy(passed.information), to_numpy(passed.total)
    scaled, residual = to_numpy(found.scaled), to_numpy(found.residual)
    share = priors * information / (1.0 + priors * information)
    root = np.sqrt(priors)
    quality = np.where(root > 0, scaled / np.where(root > 0, root, 1.0), 0.0)
    sq_residual = float(np.sum(np.abs(residual) ** 2))
    rows = model.weights * np.ones((setting.n_samples // total.shape[0], 1))
    log_det = float(np.sum(rows * (np.log(total / noise) - (1.0 - noise / total))))
    log_det += setting.n_samples * math.log(noise) * priors.shape[1]
    log_det += float(np.sum(np.log1p(priors * information)))
    n_targets, half = setting.n_targets, setting.half
    constant = math.log(math.pi if setting.complex_data else 2.0 * math.pi)
    quadratic = sq_residual / noise + float(np.sum(np.abs(scaled) ** 2))
    log_det = n_targets * (setting.n_samples * constant + log_det / priors.shape[1])
    return Measured(
        mean=to_numpy(found.coef),
        quality=quality,
        information=information,
        variance=to_numpy(passed.variance),
        share=share,
        sq_residual=sq_residual,
        log_evidence=-half * (log_det + quadratic),
    )
