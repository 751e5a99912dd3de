"""The loop of message-passing iterations: damping, restarts of what diverged, learning, and when to ask for a certificate."""

from __future__ import annotations

from functools import reduce

import numpy as np

from ..._array import array_namespace, asarray_like, inner, norm, real_like, to_numpy
from ..certificates import relative
from ..driver import State

__all__ = ["change", "damped", "message_steps"]

_CERTIFY_EVERY = 50


def message_steps(iteration, damper, tol):
    """Yield beliefs, for ever.

    `iteration` gives the messages of a `start`, those `after` others by steps of given lengths (None: all one), tells which targets are
    `blown`, lets its `learners` learn, and forms a `belief`; the messages' first field is the mean, and each has a column a target.
    """
    now = iteration.start()
    yield State(iteration.belief(now))
    n_targets = now.mean.shape[1]
    moved, fresh = None, np.ones(n_targets, dtype=bool)
    count = 0
    while True:
        step = np.where(fresh, 1.0, damper.step)
        with np.errstate(all="ignore"):  # of targets that diverge, which start again
            after = iteration.after(now, None if (step == 1.0).all() else real_like(step[None, :], now.mean))
            before, moved = moved, after.mean - now.mean
            size, length = _lengths(moved) / step, _lengths(after.mean)
            blown = (iteration.blown(after) | ~np.isfinite(length)) & ~damper.given_up
        fresh = blown | damper.given_up
        if fresh.any():
            if blown.any():
                damper.restart(blown)
                for learner in iteration.learners:
                    learner.restart(blown)
            fresh = blown | damper.given_up
            after = _merged(fresh, iteration.start(), after)
            moved = after.mean - now.mean
        if damper.adaptive:
            damper.observe(relative(size, length), _opposed(before, moved))
        iteration.learn(after)
        now, count = after, count + 1
        done = over = answered = False
        if ((size <= tol * length) | damper.given_up).all():
            held = reduce(np.logical_and, [learner.is_held for learner in iteration.learners])
            done = bool(((held & ~fresh) | damper.given_up).all())
            over = done and bool(
                damper.given_up.any()
            )  # for the targets given up, which stand at their start, for good
            answered = over and not np.all(damper.given_up)  # the others have theirs
        yield State(iteration.belief(now), certify=done or count % _CERTIFY_EVERY == 0, finished=over, chosen=answered)


def change(old, new, least=0.0):
    """How far the columns moved, relative to the longer of the two, and to no less than `least`."""
    return relative(norm(new - old), np.maximum(np.maximum(to_numpy(norm(old)), to_numpy(norm(new))), least))


def damped(step, new, old):
    """A step of these lengths, (1, n_targets), towards the new; None goes all the way."""
    return new if step is None else step * new + (1 - step) * old


def _lengths(array):
    """`norm` as NumPy, at once for a single real target: small problems ask hundreds of times."""
    if type(array) is np.ndarray and array.shape[1] == 1 and array.dtype == np.float64:
        return np.sqrt(np.vdot(array, array)).reshape(1)
    return np.asarray(to_numpy(norm(array)))


def _opposed(before, moved):
    if before is None:
        return np.zeros(moved.shape[1], dtype=bool)
    if type(moved) is np.ndarray and moved.size == moved.shape[0]:
        return np.vdot(before, moved).real.reshape(1) < 0
    return np.asarray(to_numpy(inner(before, moved))) < 0


def _merged(mask, first, second):
    """The messages of `first` for the targets in `mask`, those of `second` for the others."""
    xp = array_namespace(second.mean)
    chosen = asarray_like(np.asarray(mask)[None, :], second.mean)
    pairs = zip(first, second, strict=True)
    return type(second)(*(b if a is None or b is None else xp.where(chosen, a, b) for a, b in pairs))
