"""Prior variances all at once: fixed-point rules for the maximum of the evidence, from q and d of the Gaussian posterior.

    expectation-maximisation   g <- g + g^2 (|q|^2 - d)     never lowers the evidence; slow towards zero
    MacKay                     g <- g |q|^2 / d             fast; may lower it

with ``|q|^2`` the mean over the targets. A column is dropped where its variance has settled, and the evidence says that zero would be
better; it comes back if the certificate, which looks at all columns, finds that it should.

Tipping, "Sparse Bayesian learning and the relevance vector machine", 2001.
MacKay, "Bayesian interpolation", 1992.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._array import array_namespace, asarray_like, dagger, sq_norm, to_numpy
from ..belief import Belief
from ..driver import State
from .evidence import cavity, charged_move, presence
from .gaussian import posterior
from .temporal import learned_correlation, rotated_posterior, rotation

__all__ = ["UPDATES", "batch_steps", "em", "mackay"]

_SETTLED = 0.01  # nats: nearer to its best, a variance may be dropped
_RESTING = 0.02  # relative change of a step below which a variance stands still
_CERTIFY_EVERY = 25
_LOOK_EVERY = 5  # where the best variances have to be searched for


def em(prior_variance, quality_sq, sparsity):
    """One step of expectation-maximisation."""
    return np.maximum(prior_variance * (1.0 + prior_variance * (quality_sq - sparsity)), 0.0)


def mackay(prior_variance, quality_sq, sparsity):
    """One step of MacKay's fixed point."""
    safe = np.where(sparsity > 0, sparsity, 1.0)
    return np.where(sparsity > 0, prior_variance * quality_sq / safe, 0.0)


UPDATES = {"em": em, "mackay": mackay}


class _Columns:
    """The columns in use, and their Gram matrix once there are fewer of them than samples."""

    def __init__(self, setting, indices):
        self.setting, self.indices = setting, indices
        self.array = setting.columns(indices)
        self.gram = self.correlation = None

    def keep(self, mask):
        """Drop the others."""
        rows = asarray_like(np.flatnonzero(mask), self.array)
        xp = array_namespace(self.array)
        self.indices, self.array = self.indices[mask], xp.take(self.array, rows, axis=1)
        if self.gram is not None:
            self.gram = xp.take(xp.take(self.gram, rows, axis=0), rows, axis=1)
            self.correlation = xp.take(self.correlation, rows, axis=0)

    def measure(self, variances, noise, turn):
        """The posterior for these prior variances."""
        target = self.setting.target
        xp = array_namespace(self.array)
        dtype = xp.float64
        if turn is not None:
            return rotated_posterior(self.array, target, asarray_like(variances, self.array, dtype=dtype), noise, turn)
        if self.gram is None and self.array.shape[1] < self.array.shape[0]:
            self.gram = dagger(self.array) @ self.array
            self.correlation = dagger(self.array) @ target
        variances = asarray_like(variances, self.array, dtype=dtype)
        return posterior(self.array, target, variances, noise, self.gram, self.correlation)


def batch_steps(setting, noise, update, init=None, worth=1e-5, correlation=None, learns_correlation=False):
    """Yield beliefs, for ever; `correlation` (n_targets, n_targets) is that of the targets of each row, if they have one.

    Coefficients begin to pay, and the noise is learned, once the variances have come near the maximum of the evidence alone: columns
    that must share what they explain with all others would not be worth their price.
    """
    prior = _start(setting, init)
    columns = _Columns(setting, np.flatnonzero(prior))
    pruned_at = np.full(prior.size, -1)
    turn = None if correlation is None else rotation(correlation)
    charge, free = setting.charge, setting.charge > 0
    rounds = 0
    while True:
        variances = prior[columns.indices]
        now = columns.measure(variances, noise.value, turn)
        quality_sq, sparsity = _seen(now, turn)
        stepped = update(variances, _mean(quality_sq), _mean(sparsity))
        looks, quiet = turn is None or rounds % _LOOK_EVERY == 0, False
        if looks:
            factor = setting.half * (setting.n_targets if turn is None else 1)
            there = cavity(quality_sq, sparsity, variances if turn is None else variances[:, None])
            best, gain = charged_move(*there, variances, factor, 0.0 if free else charge)
            if free and np.max(gain, initial=0.0) <= max(worth, _SETTLED):
                free = False
                best, gain = charged_move(*there, variances, factor, charge)
            quiet = not free and np.max(gain, initial=0.0) <= worth
            stepped = _cleared(there, variances, stepped, best, gain, factor)
        belief = _belief(setting, prior, columns.indices, now, noise.value, pruned_at, correlation)
        certificate = yield State(belief, certify=bool(quiet or rounds % _CERTIFY_EVERY == 0), chosen=True)
        rounds += 1
        if not free:
            residual = setting.target - columns.array @ now.mean
            sq_residual, effective = float(np.sum(to_numpy(sq_norm(residual)))), float(_mean(sparsity) @ variances)
            noise = noise.after(sq_residual, effective, setting, rounds, cautious=update is em)
        used = columns.indices
        back = looks and not free and certificate is not None and _bring_back(prior, used, certificate.point, gain)
        prior[used] = stepped
        pruned_at[used[stepped == 0]] = rounds
        if learns_correlation and used.size:
            correlation = learned_correlation(now, variances, turn)
            turn = rotation(correlation)
        if back:
            columns = _Columns(setting, np.flatnonzero(prior))
            pruned_at[columns.indices] = -1
        elif not np.all(stepped):
            columns.keep(stepped > 0)


def _start(setting, init):
    """Prior variances with which all columns have equal shares in the data, zero for columns that are."""
    norms = setting.sq_norms
    used = norms > 0
    if init is None:
        init = setting.n_samples / (max(np.count_nonzero(used), 1) * np.where(used, norms, 1.0))
    return np.where(used, init, 0.0)


def _bring_back(prior, used, point, gain_in_use):
    """Whether a column that was dropped would gain more than any in use; it gets its best variance."""
    best, gain = point
    gain = gain.copy()
    gain[used] = 0.0
    index = int(np.argmax(gain))
    if gain[index] > np.max(gain_in_use, initial=0.0) and best[index] > 0:
        prior[index] = best[index]
        return True
    return False


def _seen(now, turn):
    """``|q|^2`` and d of each column: means over the targets, or one column a target with its scale multiplied in."""
    quality_sq = np.abs(to_numpy(now.quality)) ** 2
    sparsity = to_numpy(now.sparsity)
    if turn is None:
        return np.mean(quality_sq, axis=1), sparsity
    return turn.scales * quality_sq, turn.scales * sparsity


def _mean(values):
    return values if values.ndim == 1 else np.mean(values, axis=1)


def _cleared(there: tuple[Any, Any], variances, stepped, best, gain, factor):
    """The step, with zeros for variances hardly above it whose best is zero, and the best for the one that is to jump.

    That is, of variances that have come to rest where they no longer change what they bring, the one that would gain most.
    """
    here = factor * presence(*there, variances)
    stepped = np.where((best == 0) & (np.abs(here) <= _SETTLED), 0.0, stepped)
    near = factor * presence(*there, charged_move(*there, variances, factor)[0]) - here <= _SETTLED
    resting = np.abs(stepped - variances) <= _RESTING * variances
    gain = np.where((near | resting) & (stepped > 0), gain, 0.0)
    if np.max(gain, initial=0.0) > _SETTLED:
        stepped[np.argmax(gain)] = best[np.argmax(gain)]
    return stepped


def _belief(setting, prior, used, now, noise, pruned_at, correlation):
    shape = (prior.size, setting.n_targets)
    mean = np.zeros(shape, dtype=setting.correlation.dtype)
    mean[used] = to_numpy(now.mean)
    spread = to_numpy(now.variance)
    variance = np.zeros(prior.size if spread.ndim == 1 else shape)
    variance[used] = spread
    learned = {"prior_variance": prior.copy(), "pruned_at": pruned_at.copy()}
    if correlation is not None:
        learned["correlation"] = correlation
    return Belief(mean, variance, noise, now.log_evidence, parameters=learned)
