"""Sparse Bayesian learning with the variances of Gaussian message passing: no matrix of n_samples or n_features squared.

    v = |A|^2 t,    i_n = sum_m |A_mn|^2 / (s + v_m),    t_n = 1 / (1 / P_n + i_n)

passes variances t of the coefficients to the samples and informations i back; at its fixed point t stands for the posterior
variances, and ``r_n = x_n + q_n / i_n`` (with ``q = A^H (y - A x) / s``) for an observation of coefficient n in noise of variance
``1 / i_n``. The mean x is the exact posterior mean. Given both, prior variances and noise are updated as in exact learning.

Rows that are correlated along the targets are rotated first, which leaves independent targets of prior variances ``g_n l_j``.

Al-Shoukairi, Schniter and Rao, "A GAMP-based low complexity sparse Bayesian learning algorithm", 2018 (arXiv 1703.03044).
Rangan, Schniter, Fletcher and Sarkar, "On the convergence of approximate message passing with arbitrary matrices", 2019 (arXiv 1402.3210).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..._array import asarray_like, dagger, is_complex, to_numpy
from ...result import Status
from ..belief import Belief, drive_beliefs
from ..driver import State
from .certificate import certifier
from .evidence import charged_move, noise_gain, presence
from .fast import GENTLE, fast_steps
from .gaussian import posterior
from .ggamp_certificate import ggamp_certifier
from .noise import Noise, least_learned
from .passing import Columns, Model
from .updates import em, mackay

__all__ = ["MOST_EXACT", "ggamp_noise", "ggamp_steps", "polished", "solve_ggamp"]

_ROUGH, _SHARP = 1e-3, 1e-6  # accuracy of the mean while the support is looked for, and after
_SETTLING = 1e-2  # relative change of the mean below which the fast update is used
_CALM = 1e-3  # and below which what a coefficient brings is known well enough
_LOUD = 0.1  # noise variance to start from, of the mean square of the target: what is found in little noise at once stays for long
_SLOWEST, _FASTEST = 0.7, 0.3  # factors by which it may fall
_STILL = 0.1  # relative change of the noise below which coefficients may be dropped for what they bring
_FAINT = 0.01  # nats: what brings less is dropped at once
_PATIENCE = 10  # rounds in which nothing more can be gained, but the proof is not met
_RETURNS = 3  # of a column that was dropped
_UNDECIDED = (
    "message passing, whose variances are approximate, would bring a column back while it is not in use, and drop it while it is; loosen "
    "tol, or use method='fast'"
)
_MISSED = 0.2  # share of the largest gain from which columns are brought back
MOST_EXACT = 2000  # coefficients in use up to which, if samples are more, the answer is exact
_CERTIFY_EVERY = 25
_PILOT_ROUNDS, _PILOT_GAIN = 200, 1e-2
_CROWD = 0.3  # of the samples: with more columns in use, learning may have taken noise for coefficients
_STRONG = 1e-3  # of the mean square of the target: noise that columns may have taken a part of
_HELD = (0.1, 0.3)  # noise variances, as `_LOUD`, at which it then starts again, and stays until the rest has settled
_HELD_GAIN = 0.01  # nats: settled enough for that


def ggamp_steps(setting, noise, init=None, worth=1e-5, correlation=None, learns_correlation=False):
    """Yield beliefs, for ever; `correlation` (n_targets, n_targets) is that of the targets of each row, if they have one.

    A small noise variance that is given, or held until the rest has settled, is approached from a larger one.
    """
    model = Model(setting, correlation)
    prior = _start(setting, init)
    columns = Columns(setting, np.flatnonzero(prior))
    mean, variance = np.zeros(setting.correlation.shape, dtype=setting.correlation.dtype), model.priors(prior)
    pruned_at = np.full(prior.size, -1)
    working = Noise(max(noise.value, _LOUD * setting.unit), True)
    times_back, waited = np.zeros(prior.size, dtype=int), 0
    fast, rounds = False, 0
    given = noise._replace(learned=noise.learned and not noise.held)
    while True:
        used = columns.indices
        now = columns.measure(model, prior, mean, variance, working.value, _SHARP * 0.1**waited if fast else _ROUGH)
        change, size = _norm(now.mean - mean[used]), _norm(now.mean)
        fast = fast or (rounds > 0 and change <= _SETTLING * size)
        mean[used], variance[used] = now.mean, now.variance
        quality_sq, sparsity = there = model.cavities(now, prior[used])
        best, gain = charged_move(quality_sq, sparsity, prior[used], model.factor, setting.charge)
        after = _next_noise(given, working, now, setting, fast)
        still = abs(after.value - working.value) <= _STILL * working.value
        left = max(np.max(gain, initial=0.0), _noise_gain(given, working, now, setting))
        quiet = fast and still and left <= worth
        if fast and still and noise.learned and not given.learned and left <= max(worth, _HELD_GAIN):
            given, quiet = noise, False
        belief = _belief(model, prior, mean, variance, working.value, now.log_evidence, pruned_at)
        certify = bool(quiet or rounds % _CERTIFY_EVERY == 0)
        if certify and rounds:
            belief = _sharpened(model, belief, prior)
        rounds += 1
        certificate = yield State(belief, certify=certify, finished=waited > _PATIENCE, reason=_UNDECIDED)
        dropped = np.zeros(used.size, dtype=bool)
        if fast:
            dropped = _dropped(there, prior[used], best, model.factor, still, change <= _CALM * size)
        pruned_at[used[dropped]] = rounds
        update = mackay if fast else em
        after_prior = update(prior[used], *(_over_targets(part) for part in model.seen(now)))
        if learns_correlation:  # both undo each other's steps else, and go round
            after_prior = np.sqrt(prior[used] * after_prior)
        prior[used] = np.where(dropped, 0.0, after_prior)
        if learns_correlation and fast and used.size:
            mean, variance = model.turn_to(now, prior, used, mean, variance)
        if quiet and certificate is not None:
            waited = 0 if _bring_back(prior, pruned_at, times_back, certificate.point) else waited + 1
        mean[prior == 0] = 0.0
        variance = np.minimum(variance, model.priors(prior))
        columns = columns.covering(np.flatnonzero(prior))
        working = after


def ggamp_noise(setting, learned):
    """A noise variance to start from: it is learned on the way, or before where coefficients then pay less than learning needs."""
    noise = Noise(_LOUD * setting.unit, True)
    if learned or setting.charge >= GENTLE:
        return noise
    paying = setting._replace(charge=GENTLE)
    limits = {"max_iter": _PILOT_ROUNDS, "tol": _PILOT_GAIN}
    return Noise(solve_ggamp(paying, noise, worth=_PILOT_GAIN / 10, **limits).noise_variance)


def solve_ggamp(
    setting, noise, init=None, worth=1e-5, correlation=None, learns_correlation=False, *, max_iter, tol, callback=None
):
    """The result for a noise variance, which if it is learned may start several times: of the objectives the lowest is taken.

    Falling from a high level, a learned noise variance may sink with columns that fit noise, and never return. Where there are
    that many, or the noise is strong, it starts again and stays where it is until only those columns are left that rise above it.
    """

    def solved(start):
        steps = ggamp_steps(setting, start, init, worth, correlation, learns_correlation)
        return drive_beliefs(steps, ggamp_certifier(setting, start), max_iter=max_iter, tol=tol, callback=callback)

    results = [solved(noise)]
    strong = results[0].noise_variance > _STRONG * setting.unit
    for share in _HELD if noise.learned else ():
        if results[-1].status is Status.INTERRUPTED or not (strong or _is_crowded(setting, results[-1])):
            break
        strong = False
        results.append(solved(Noise(share * setting.unit, learned=True, held=True)))
    best = min(results, key=lambda result: (result.status is not Status.CONVERGED, _cost(setting, result)))
    interrupted = results[-1].status is Status.INTERRUPTED
    status = Status.INTERRUPTED if interrupted else best.status
    return replace(best, n_iter=sum(result.n_iter for result in results), status=status)


def polished(setting, noise, result, worth, *, max_iter, tol, callback=None):
    """The result after rounds of exact learning from its variances, with their exact certificate, where few enough are in use.

    What message passing approximates is gone then: the variances of correlated columns, and the evidence.
    """
    prior = result.parameters["prior_variance"]
    few = np.count_nonzero(prior) <= min(MOST_EXACT, setting.n_samples - 1)
    if not few or "correlation" in result.parameters or result.status in (Status.INTERRUPTED, Status.MAX_ITER):
        return result
    steps = fast_steps(setting, noise._replace(value=result.noise_variance, held=False), prior, worth, result.n_iter)
    told = callback and (lambda progress: callback(progress._replace(iteration=result.n_iter + progress.iteration)))
    exact = drive_beliefs(steps, certifier(setting, noise.learned), max_iter=max_iter, tol=tol, callback=told)
    before = {"iteration": result.n_iter, "seconds": result.history["seconds"][-1]}
    history = {  # where one ends the other starts: one entry for both
        name: [*values[:-1], *(before.get(name, 0) + value for value in exact.history[name])]
        for name, values in result.history.items()
    }
    return replace(exact, n_iter=result.n_iter + exact.n_iter, history=history)


def _is_crowded(setting, result):
    """Whether so many columns are in use that they may fit noise."""
    return np.count_nonzero(result.parameters["prior_variance"]) > _CROWD * setting.counted


def _cost(setting, result):
    """What the columns in use pay, less the log evidence."""
    used = np.count_nonzero(result.parameters["prior_variance"])
    return setting.charge * used - setting.reported_evidence(result.log_evidence, result.noise_variance)


def _start(setting, init):
    """Prior variances that explain the target if they are all equal, or as given; none for zero columns."""
    total = float(np.sum(setting.sq_norms))
    everywhere = setting.n_samples / total if total > 0 else 0.0
    return np.where(setting.sq_norms > 0, everywhere if init is None else init, 0.0)


def _next_noise(noise, working, now, setting, fast):
    """The working noise variance after this measurement, on its way to the one that is given or learned."""
    effective = _effective(now)
    learned = working.after(now.sq_residual, effective, setting, cautious=not fast)
    value = max(learned.value, _FASTEST * working.value)
    if not noise.learned:
        value = max(noise.value, min(_SLOWEST * working.value, value))
    return working._replace(value=value)


def _noise_gain(noise, working, now, setting):
    """What moving a learned noise variance could gain; none by one that is given, once it is reached."""
    if not noise.learned:
        return 0.0 if working.value == noise.value else np.inf
    shape = (setting.counted, setting.n_targets)
    return noise_gain(
        now.sq_residual, _effective(now), working.value, shape, setting.complex_data, least_learned(setting)
    )


def _effective(now):
    """How many coefficients the data determine, a target."""
    return float(np.sum(np.mean(now.share, axis=1)))


def _dropped(there, prior, best, factor, still, calm):
    """Columns to drop: those that are hardly there, and once the noise is known the worse half of those that do not bring their charge.

    What they bring is waited for until the mean is calm.
    """
    quality_sq, sparsity = there
    here = factor * presence(quality_sq, sparsity, prior)
    free, _ = charged_move(quality_sq, sparsity, prior, factor)
    brings = factor * presence(quality_sq, sparsity, free)
    idle = (best == 0) & (prior > 0)
    dropped = idle & (np.abs(here) <= _FAINT) & (brings <= _FAINT)
    if still:
        poor = np.flatnonzero(idle & ~dropped & (calm | (brings - here <= _FAINT)))
        order = np.argsort(brings[poor], kind="stable")
        dropped[poor[order[: (poor.size + 1) // 2]]] = True
    return dropped


def _bring_back(prior, pruned_at, times_back, point):
    """Whether the certificate found columns missing: those that gain most get their best variance, each no more often than it may."""
    best, gain = point
    gain = np.where((prior == 0) & (best > 0) & (times_back < _RETURNS), gain, 0.0)
    back = (gain > 0) & (gain >= _MISSED * np.max(gain))
    prior[back], pruned_at[back] = best[back], -1
    times_back[back] += 1
    return bool(back.any())


def _belief(model, prior, mean, variance, noise, log_evidence, pruned_at):
    learned = {"prior_variance": prior.copy(), "pruned_at": pruned_at.copy()}
    if model.correlation is not None:
        learned["correlation"] = model.correlation
    return Belief(model.back(mean).copy(), model.marginal(variance).copy(), noise, log_evidence, parameters=learned)


def _sharpened(model, belief, prior):
    """The same with the exact posterior for these variances, where so few are left that it costs little."""
    setting, used = model.setting, np.flatnonzero(prior)
    if not 0 < used.size <= min(MOST_EXACT, setting.n_samples):
        return belief
    columns = setting.design.columns(used)
    if is_complex(model.target) and not is_complex(columns):
        columns = setting.design.xp.astype(columns, model.target.dtype)
    gram, correlation = dagger(columns) @ columns, dagger(columns) @ model.target
    priors = asarray_like(model.priors(prior[used]), model.target, dtype=setting.design.xp.float64)
    parts = [slice(None)] if model.turn is None else [slice(j, j + 1) for j in range(setting.n_targets)]
    exact = [
        posterior(columns, model.target[:, part], priors[:, j], belief.noise_variance, gram, correlation[:, part])
        for j, part in enumerate(parts)
    ]
    mean, variance = np.zeros_like(belief.mean), np.zeros((prior.size, len(parts)))
    mean[used] = model.back(np.concatenate([to_numpy(part.mean) for part in exact], axis=1))
    variance[used] = np.stack([to_numpy(part.variance) for part in exact], axis=1)
    evidence = sum(part.log_evidence for part in exact)
    return belief._replace(mean=mean, variance=model.marginal(variance), log_evidence=evidence)


def _norm(values):
    return float(np.linalg.norm(values))


def _over_targets(values):
    return values if values.ndim == 1 else np.mean(values, axis=1)
