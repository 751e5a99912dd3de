"""Passes of a sparse autoencoder over the data: batches, learning rates, and what is measured at the end."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace, asarray_like, to_numpy
from ..solvers.autoencoder.parameters import Parameters
from ..solvers.autoencoder.training import stationarity
from ..solvers.dictionary.alternating import Pass
from ..solvers.dictionary.signals import dense_rows, row_blocks

__all__ = [
    "Pace",
    "Rows",
    "autoencoder_pass",
    "default_rate",
    "given",
    "half_energy",
    "judged_alike",
    "measure",
    "rows_of",
    "silent",
    "stationarity_of",
    "working_dtype",
]

_FALLING = 0.3  # share of the steps over which the learning rate falls at the end, linearly to zero
_WARM, _WARM_SHARE = 100, 0.05  # steps over which it rises at the beginning, at most
_MEASURED = 1 << 14  # signals


class Rows(NamedTuple):
    """Signals, targets where they are others, and slopes of a downstream loss, as they were given."""

    X: Any
    target: Any = None
    slopes: Any = None

    def batch(self, frame, rows, dtype):
        """Some rows (a slice, or ascending numbers) as the learner takes them."""
        inputs = frame.inputs(rows_of(self.X, rows, dtype))
        targets = inputs if self.target is None else frame.targets(rows_of(self.target, rows, dtype))
        return inputs, targets, None if self.slopes is None else rows_of(self.slopes, rows, dtype)


def working_dtype(X):
    """Single precision for signals of at most that, in any namespace; else double."""
    single = str(X.dtype).rpartition(".")[2] in ("float32", "float16", "bfloat16")
    return np.dtype(np.float32 if single else np.float64)


def rows_of(X, rows, dtype):
    """Some rows (a slice, or ascending numbers) of signals of any kind, dense, where they live."""
    if isinstance(X, np.ndarray) or hasattr(X, "toarray"):
        return dense_rows(X, rows, dtype)
    xp = array_namespace(X)
    part = X[rows, ...] if isinstance(rows, slice) else xp.take(X, asarray_like(rows, X), axis=0)
    return xp.astype(part, xp.float32 if dtype == np.float32 else xp.float64)


class Pace(NamedTuple):
    """How the passes go."""

    max_iter: int
    batch_size: int
    learning_rate: float
    shuffle: bool

    def rate(self, step, n_batches):
        """Learning rate of a step, counted from 0."""
        total = self.max_iter * n_batches
        rising = (step + 1) / max(1.0, min(_WARM, _WARM_SHARE * total))
        return self.learning_rate * min(1.0, rising, (1.0 - step / total) / _FALLING)

    def falls(self, step, n_batches):
        """Whether the learning rate falls: what began anew now would not be learned."""
        return step >= (1.0 - _FALLING) * self.max_iter * n_batches

    def go_on_from(self, checkpoint, n_batches):
        """Refuse a checkpoint whose steps had other rates than those that would be due now: what they led to is another run."""
        if checkpoint is None or checkpoint.saved is None:
            return
        run = checkpoint.saved[0]["run"]
        checkpoint.within(run["epoch"], self.max_iter)
        before, steps = self._replace(max_iter=run["max_iter"]), range(run["epoch"] * n_batches)
        then, now = ([(pace.rate(k, n_batches), pace.falls(k, n_batches)) for k in steps] for pace in (before, self))
        if then != now:
            raise ValueError(
                f"the checkpoint {str(checkpoint.path)!r} is of another run: max_iter was {before.max_iter}, and is now {self.max_iter}, which would "
                f"have had other learning rates for the {run['epoch']} passes behind it: they rise over the first steps and fall over the last third. "
                "Make it what it was, go on with partial_fit, or give another path to begin anew."
            )

    def of_stream(self, step):
        """Learning rate of a step of a stream without a known end."""
        return self.learning_rate * min(1.0, (step + 1) / _WARM)


def default_rate(n_latents):
    """For some thousand steps; less for many more latents."""
    return 5e-4 / (n_latents / 2**14) ** 0.5


def autoencoder_pass(learner, rows, frame, pace, dtype, *, n_jobs):
    """``one_pass`` of `learn`: the data in batches, each in the order in which they are kept."""
    n_signals = rows.X.shape[0]

    def one_pass(random, task, epoch):
        order = random.permutation(n_signals) if pace.shuffle else np.arange(n_signals)
        batches = np.array_split(order, -(-n_signals // pace.batch_size))  # of one size: a short one would step as far
        part = task.part(f"pass {epoch}", len(batches))
        of_pass, whole = _Sums(learner.parameters), True
        for count, batch in enumerate(batches):
            step = part.part("batch")
            inputs, targets, slopes = rows.batch(frame, np.sort(batch), dtype)
            number = (epoch - 1) * len(batches) + count
            learner.renews = not pace.falls(number, len(batches))
            with given(learner, slopes):
                found = learner.step(inputs, targets, pace.rate(number, len(batches)), n_jobs)
            of_pass.add(found, targets)
            if step.end(lambda: _fitted(learner)):
                whole = False
                break
        stopped = part.end(lambda: _fitted(learner)) or not whole
        return of_pass.judged_by(learner.parameters, frame), whole, stopped

    return one_pass


class given:
    """Let a learner's activation know the slopes of one batch, where there are any."""

    def __init__(self, learner, slopes):
        self.learner, self.slopes, self.before = learner, slopes, learner.activation

    def __enter__(self):
        if self.slopes is not None:
            self.learner.activation = self.before.given(self.slopes)

    def __exit__(self, *_):
        self.learner.activation = self.before


def measure(learner, rows, frame, batch_size, *, n_jobs) -> Pass:
    """Mean objective of X, or of some of its rows at even distances, and how stationary the parameters are, in double precision."""
    some = _some(rows)
    twin = learner.copy()
    twin.terms = [term for term in twin.terms if getattr(term, "is_objective", True)]
    xp = array_namespace(twin.atoms)
    twin.parameters = Parameters(*(xp.astype(part, xp.float64) for part in twin.parameters))
    sums = _Sums(twin.parameters)
    for part in row_blocks(some, batch_size):
        inputs, targets, slopes = rows.batch(frame, some[part], np.dtype(np.float64))
        with given(twin, slopes):
            sums.add(twin.found(inputs, targets, n_jobs), targets)
    return sums.judged_by(twin.parameters, frame)


def half_energy(rows, frame, batch_size) -> float:
    """That of the targets of the rows of `measure`: codes without an entry cost no less."""
    some, energy = _some(rows), 0.0
    for part in row_blocks(some, batch_size):
        _, targets, _ = rows.batch(frame, some[part], np.dtype(np.float64))
        energy += float(array_namespace(targets).sum(targets * targets))
    return 0.5 * frame.target_scale**2 * energy / some.size


def judged_alike(learner):
    """The learner without a pressure towards a number of entries: a start tuned to it would look better than all that follows."""
    if getattr(learner.activation, "target", None) is None:
        return learner
    twin = learner.copy()
    twin.activation = twin.activation._replace(alpha=0.0)
    return twin


def silent(learner):
    """A learner whose codes have no entry (but by matching pursuit, which never does worse)."""
    twin = learner.copy()
    for part in (twin.parameters.encoder, twin.parameters.encoder_bias, twin.parameters.decoder_bias):
        part[...] = 0.0
    return twin


def _some(rows):
    """Numbers of rows at even distances."""
    n_signals = rows.X.shape[0]
    return np.unique(np.linspace(0, n_signals - 1, min(n_signals, _MEASURED)).astype(np.int64))


class _Sums:
    """What batches said, added up."""

    def __init__(self, parameters):
        self.gradients = [0.0 * part for part in parameters]
        self.objective = self.energy = 0.0
        self.n_signals = 0

    def add(self, found, targets):
        share = found.n_signals
        for total, part in zip(self.gradients, found.gradients, strict=True):
            total += share * part
        self.objective += share * found.objective
        self.energy += float(array_namespace(targets).sum(targets * targets))
        self.n_signals += share

    def judged_by(self, parameters, frame):
        """Mean objective in units of the targets, and the stationarity of the parameters."""
        gradients = Parameters(*(to_numpy(part) / self.n_signals for part in self.gradients))
        certificate = stationarity(to_numpy(parameters.encoder), gradients, self.energy / self.n_signals)
        return Pass(frame.target_scale**2 * self.objective / self.n_signals, certificate, 0.0)


def stationarity_of(parameters, found, targets):
    """That of one batch alone."""
    sums = _Sums(parameters)
    sums.add(found, targets)
    gradients = Parameters(*(to_numpy(part) for part in found.gradients))
    return stationarity(to_numpy(parameters.encoder), gradients, sums.energy / sums.n_signals)


def _fitted(learner):
    """Attributes of an estimator that stopped here."""
    return {"components_": learner.atoms}
