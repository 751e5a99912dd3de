"""How autoencoders are trained: over data, from one more batch, or along a stream of batches."""

from __future__ import annotations

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing
from .._parallel import worker_pool
from .._warnings import warn
from ..networks import harm
from ..result import Status
from ..solvers.dictionary.alternating import Pass
from ._autoencoder_codes import AutoencoderCodes
from ._autoencoder_loop import (
    Pace,
    Rows,
    autoencoder_pass,
    default_rate,
    given,
    half_energy,
    judged_alike,
    measure,
    silent,
    stationarity_of,
)
from ._autoencoder_setup import make_learner, measured_frame
from ._checkpoint import opened_checkpoint
from ._learning_loop import Learned, ended, judged, learn
from ._streams import follow

__all__ = ["AutoencoderTraining"]

_FREE = ("max_iter", "tol", "callback", "n_jobs", "checkpoint", "sparse_output")  # may change between two runs
_WAVERING = 0.5  # share of what a start is better by than zeros that the last step may have given away


class AutoencoderTraining(CallbackSupportMixin, AutoencoderCodes):
    """Base of autoencoders that learn by Adam in batches.

    Subclasses have the parameters of `Pace` and of a checkpoint, and implement ``_checked_rows(X, y, gradients, *, reset)``,
    ``_make_activation(n_latents)`` (with the strength of its penalty), and ``_equip(learner)``, which gives a learner its structure and terms.
    """

    def _fit(self, X, y, gradients=None):
        """`fit`, but for its face."""
        self._validate_params()
        task = FitTask.of_fit(self, self.max_iter)
        with all_or_nothing(self), worker_pool(self.n_jobs):
            rows = self._checked_rows(X, y, gradients, reset=True)
            random = check_random_state(self.random_state)
            learner = self._begin(rows, random)
            dtype = self._dtype
            checkpoint = None if self.checkpoint is None else self._opened_checkpoint(self._described(rows))
            pace = Pace(self.max_iter, self.batch_size, self._rate(learner), self.shuffle)
            pace.go_on_from(checkpoint, -(-rows.X.shape[0] // self.batch_size))
            learned = learn(
                learner,
                autoencoder_pass(learner, rows, self._frame, pace, dtype, n_jobs=self.n_jobs),
                max_iter=self.max_iter,
                goal=lambda last: self.tol,
                random=random,
                callback=self.callback,
                checkpoint=checkpoint,
                task=task,
            )
            last = measure(learner, rows, self._frame, self.batch_size, n_jobs=self.n_jobs)
            status = learned.status if learned.status is Status.INTERRUPTED else ended(judged(last, self.tol), self.tol)
            self._store(learner, learned._replace(last=last, status=status))
            shortfall = self._shortfall(rows, f"{self.n_iter_} passes", "max_iter or batch_size")
            task.end(dict)
        if shortfall:
            warn(shortfall, ConvergenceWarning)
        return self

    def _partial_fit(self, X, y, gradients=None):
        """`partial_fit`, but for its face."""
        self._validate_params()
        with all_or_nothing(self), worker_pool(self.n_jobs):
            first = not hasattr(self, "_learner")
            rows = self._checked_rows(X, y, gradients, reset=first)
            self._learner = self._begin(rows, check_random_state(self.random_state)) if first else self._continued()
            self._one_step(rows)
        return self

    def _fit_stream(self, batches):
        """`fit_stream`, but for its face."""
        self._validate_params()
        task = FitTask.of_fit(self, None)
        with all_or_nothing(self), worker_pool(self.n_jobs):
            follow(self, batches, task, _go_back)
            last = self.__dict__.pop("_batch", None)  # nothing where the checkpoint had seen all of them
            shortfall = self._shortfall(last, f"{self.n_steps_} batches", "the number of batches or their size")
            task.end(dict)
        if shortfall:
            warn(shortfall, ConvergenceWarning)
        return self

    def _begin(self, rows, random):
        """A learner that has seen nothing yet; sets the frame."""
        self._frame = measured_frame(rows.X, rows.target)
        learner = make_learner(self, rows.X, rows.target, self._frame, random)
        self._equip(learner)
        return learner

    def _rate(self, learner):
        """The learning rate, as given or by default."""
        return self.learning_rate or default_rate(learner.atoms.shape[0])

    def _continued(self):
        """The learner of an earlier fit under today's parameters, a copy."""
        learner = self._learner.copy()
        learner.activation, self.alpha_ = self._make_activation(learner.atoms.shape[0])
        self._equip(learner)
        return learner

    def _one_step(self, rows) -> Learned:
        """One batch more, with the learner as it is; attributes are set when it is done."""
        learner = self._learner
        inputs, targets, slopes = rows.batch(self._frame, slice(None), self._dtype)
        pace = Pace(1, 1, self._rate(learner), False)
        with given(learner, slopes):
            found = learner.step(inputs, targets, pace.of_stream(learner.life.n_steps), self.n_jobs)
        last = Pass(
            self._frame.target_scale**2 * found.objective, stationarity_of(learner.parameters, found, targets), 0.0
        )
        learned = Learned(judged(last, self.tol), 1, last, {})
        self._store(learner, learned)
        return learned

    def _step(self, X) -> Learned:
        """One batch of a stream."""
        self._batch = rows = Rows(X)
        if not hasattr(self, "_learner"):
            self._learner = self._begin(rows, check_random_state(self.random_state))
        return self._one_step(rows)

    def _opened_checkpoint(self, data, method="fit"):
        """The checkpoint of a run on these data."""
        return opened_checkpoint(self, _FREE, method=method, data=data)

    def _shortfall(self, rows, done, more):
        """What to warn of after a fit whose end these rows judge: harm, which sets the status, or a tolerance that is missed."""
        if rows is not None and self.status_ is not Status.INTERRUPTED:
            harmed = self._harm(rows)
            if harmed:
                self.status_ = Status.DIVERGED
                return f"{harmed}."
        if self.status_ is not Status.MAX_ITER:
            return ""
        return (
            f"relative gradient norm {self.certificate_:.3e} after {done}, tolerance {self.tol:.1e}: raise {more}, loosen tol, "
            "or pass tol=None if the number of passes is what you want."
        )

    def _harm(self, rows):
        """What to say where training did harm; untrained learners are all alike, so that any will do to compare with."""
        frame, alpha, size = self._frame, self.alpha_, self.batch_size
        if max(self.objective_, *self.history_["objective"]) <= half_energy(rows, frame, size):
            return ""
        learners = self._learner, self._begin(rows, np.random.RandomState(0)), silent(self._learner)
        self._frame, self.alpha_ = frame, alpha
        last, start, zero = (
            measure(judged_alike(learner), rows, frame, size, n_jobs=self.n_jobs).objective for learner in learners
        )
        return harm(last, start, zero, self._rate(self._learner), wavering=_WAVERING)


def _go_back(estimator, X, numbers, arrays, learned):
    """Give the estimator what it had at the checkpoint of a stream whose first batch is X."""
    estimator._learner = estimator._begin(Rows(X), np.random.RandomState(0))
    estimator._learner.restore(numbers["learner"], arrays)
    estimator._store(estimator._learner, learned)
