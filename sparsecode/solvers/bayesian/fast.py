"""Prior variances one at a time, each to its best value, on the few columns in use.

The evidence as a function of one prior variance alone has a closed maximum (see `evidence`). A round re-estimates or deletes the
variances in use, the one that gains most first, then looks at all other columns and adds some of them. Changing one variance changes
the inverse of a matrix by rank one:

    in use, S their covariance, D the change of 1 / g_i          S <- S - S_i S_i^H / (1 / D + S_ii)
    candidates, P = A^H C^-1 A, g_i from zero                    P <- P - P_i P_i^H g_i / (1 + g_i P_ii)

so that a step costs the square of the number in use, or of candidates; both matrices are formed anew every round. Every step raises the
evidence (less the charge for each coefficient in use).

Tipping and Faul, "Fast marginal likelihood maximisation for sparse Bayesian models", 2003.
"""

from __future__ import annotations

import numpy as np

from ..._array import to_numpy
from ..belief import Belief
from ..driver import State
from .active import active_posterior, covariance_in_use, gram_block
from .evidence import charged_move
from .noise import STARTS, Noise

__all__ = ["GENTLE", "fast_steps", "learned_noise", "searching_steps"]

GENTLE = 3.0  # nats: with more to pay from the start, columns that are strong only together would all be refused
_SHARE = 0.25  # how many columns a round may add, of those in use
_FEWEST = 5
_STEPS = 50  # at least so many between two factorisations
_QUIET = 1e-3  # relative change of the noise that is none
_SEARCH_ROUNDS, _ROUGH = 100, 1e-3  # of each start; what a step must gain
_CROWD = 0.6  # of the samples: with more columns in use, a noise variance learned from the rest means little
_REASON = (
    "no variance can be improved at this precision; use a larger noise_variance or remove linearly dependent columns"
)


def fast_steps(setting, noise, init=None, worth=1e-5, earlier=0):
    """Yield beliefs, for ever; a step that gains less than `worth` nats is not made.

    A held noise variance is learned only once the prior variances have settled for it; `earlier` rounds count too.
    """
    target_charge = setting.charge
    setting = setting._replace(charge=min(target_charge, GENTLE))
    active = np.empty(0, dtype=np.int64) if init is None else np.flatnonzero((init > 0) & (setting.sq_norms > 0))
    variances = np.empty(0) if init is None else init[active].astype(np.float64)
    block = gram_block(setting.design, active)
    pruned_at = np.full(setting.sq_norms.size, -1)
    holding = noise.held
    rounds = 0
    while True:
        if active.size:
            variances = _reestimate(setting, block[active], setting.correlation[active], variances, noise.value, worth)
            kept = variances > 0
            pruned_at[active[~kept]] = earlier + rounds
            active, variances, block = active[kept], variances[kept], block[:, kept]
        now = active_posterior(setting, active, variances, noise.value, block)
        prior = np.zeros(setting.sq_norms.size)
        prior[active] = variances
        _, gain = now.moves(setting, prior)
        after = noise if holding else noise.after(now.sq_residual, now.effective, setting, rounds)
        quiet = np.max(gain, initial=0.0) <= worth and abs(np.log(after.value / noise.value)) < _QUIET
        if quiet and (holding or setting.charge < target_charge):
            setting, holding = setting if holding else setting._replace(charge=target_charge), False
            yield State(_belief(now, prior, active, noise.value, pruned_at), certify=False, chosen=True)
            rounds += 1
            continue
        settled = quiet and (after.value == noise.value or rounds > 200)
        belief = _belief(now, prior, active, noise.value, pruned_at)
        yield State(belief, certify=quiet or not rounds, finished=settled, chosen=True, reason=_REASON)
        rounds += 1
        gain[active] = 0.0
        chosen, added, columns = _add(setting, now, active, block, gain, noise.value, worth)
        pruned_at[chosen] = -1
        active, variances = np.concatenate([active, chosen]), np.concatenate([variances, added])
        block = np.concatenate([block, columns], axis=1)
        noise = after


def searching_steps(setting, learned, worth=1e-5):
    """`fast_steps` after a search for the noise variance, which goes on being learned or not."""
    noise, prior, rounds = yield from _search(setting._replace(charge=GENTLE))
    yield from fast_steps(setting, noise._replace(learned=learned), prior, worth, rounds)


def learned_noise(setting):
    """The noise variance that a search finds, learned, and the prior variances it found on the way."""
    steps = _search(setting._replace(charge=GENTLE))
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value[:2]


def _search(setting):
    """Yield the states of several starts, and return the noise variance and the prior variances of the highest evidence.

    From a high noise variance alone, many columns of equal strength would hide behind each other for ever.
    """
    noise = prior = None
    lowest, rounds = np.inf, 0
    for start in (share * setting.unit for share in STARTS):
        if noise is not None and noise.value < start:
            continue
        begun = rounds
        steps = fast_steps(setting, Noise(start, True, held=rounds > 0), worth=_ROUGH)
        for _, state in zip(range(_SEARCH_ROUNDS), steps, strict=False):
            belief = state.coef
            marked = belief._replace(parameters={**belief.parameters, "searching": True})
            yield state._replace(coef=marked, certify=rounds == 0, finished=False)
            rounds += 1
            used = np.count_nonzero(belief.parameters["prior_variance"])
            settled = state.certify and rounds > begun + 1
            if settled or used > _CROWD * setting.counted:
                break
        cost = GENTLE * used - setting.reported_evidence(belief.log_evidence, belief.noise_variance)
        if noise is None or (settled and cost < lowest):
            noise, prior = Noise(belief.noise_variance, True), belief.parameters["prior_variance"]
            lowest = cost if settled else np.inf
    return noise, prior, rounds


def _belief(now, prior, active, noise, pruned_at):
    mean = np.zeros((prior.size, now.mean.shape[1]), dtype=now.mean.dtype)
    variance = np.zeros(prior.size)
    mean[active], variance[active] = now.mean, np.real(np.diagonal(now.covariance))
    learned = {"prior_variance": prior, "pruned_at": pruned_at.copy()}
    return Belief(mean, variance, noise, now.log_evidence, parameters=learned)


def _reestimate(setting, gram, correlation, variances, noise, worth):
    """The variances in use after steps that each take the one that gains most; zero where it was deleted."""
    precision = np.real(np.diagonal(gram)) / noise  # of a coefficient whose column no other shares
    covariance, _ = covariance_in_use(gram, variances, noise)
    mean = covariance @ correlation / noise
    variances, factor = variances.copy(), setting.n_targets * setting.half
    for _ in range(max(_STEPS, variances.size)):
        used = np.flatnonzero(variances > 0)
        left = np.maximum(np.real(np.diagonal(covariance)), variances / (1.0 + variances * precision))[used]
        sparsity = np.maximum(1.0 / left - 1.0 / variances[used], 0.0)
        quality_sq = np.mean(np.abs(mean[used] / left[:, None]) ** 2, axis=1)
        best, gain = charged_move(quality_sq, sparsity, variances[used], factor, setting.charge)
        if not used.size or np.max(gain) <= worth:
            break
        step = int(np.argmax(gain))
        i = used[step]
        column, moved = covariance[:, i].copy(), mean[i].copy()
        if best[step] > 0:
            change = 1.0 / best[step] - 1.0 / variances[i]
            scale = change / (1.0 + change * left[step])
        else:
            scale = 1.0 / left[step]
        mean -= np.outer(scale * column, moved)
        covariance -= np.outer(scale * column, column.conj())
        variances[i] = best[step]
    return variances


def _add(setting, now, active, block, gain, noise, worth):
    """Columns to add with their variances and their Gram columns: one after another, each looking at those before it."""
    room = max(_FEWEST, int(_SHARE * active.size))
    order = np.argsort(-gain, kind="stable")[: 2 * room]
    order = order[gain[order] > worth]
    columns = to_numpy(setting.design.columns(order))
    between = columns.conj().T @ columns
    if active.size:
        between = between - block[order] @ now.covariance @ block[order].conj().T / noise
    between, quality = between / noise, now.quality[order].copy()
    variances, factor = np.zeros(order.size), setting.n_targets * setting.half
    for _ in range(min(room, order.size)):
        sparsity = np.maximum(np.real(np.diagonal(between)), 0.0)
        quality_sq = np.mean(np.abs(quality) ** 2, axis=1)
        best, gain = charged_move(quality_sq, sparsity, np.zeros(order.size), factor, setting.charge)
        gain[variances > 0] = 0.0
        i = int(np.argmax(gain))
        if gain[i] <= worth:
            break
        column, moved = between[:, i].copy(), quality[i].copy()
        scale = best[i] / (1.0 + best[i] * sparsity[i])
        quality -= np.outer(scale * column, moved)
        between = between - np.outer(scale * column, column.conj())
        variances[i] = best[i]
    taken = variances > 0
    return order[taken], variances[taken], gram_block(setting.design, order[taken])
