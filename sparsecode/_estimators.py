"""What every estimator shares, whatever its room: fits that succeed whole or not at all, and scikit-learn's callbacks."""

from __future__ import annotations

from contextlib import contextmanager

try:  # scikit-learn 1.9 and later
    from sklearn.callback import CallbackSupportMixin, with_callbacks
except ImportError:

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Estimators take no callbacks before scikit-learn 1.9."""

    def with_callbacks(method):
        """The method as it is."""
        return method


__all__ = ["CallbackSupportMixin", "FitTask", "all_or_nothing", "with_callbacks"]

_CALLBACKS = ("_callback_fit_ctx", "_skl_callbacks_to_teardown")  # set for the duration of a fit


@contextmanager
def all_or_nothing(estimator):
    """Undo every attribute set inside the block if it does not end well: a failed refit leaves the old fit usable.

    What scikit-learn needs to end its callbacks stays.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        kept = {name: value for name, value in vars(estimator).items() if name in _CALLBACKS}
        vars(estimator).clear()
        vars(estimator).update(before | kept)
        raise


class FitTask:
    """A part of a fit that scikit-learn's callbacks are told of; nothing where there are none.

    Make the outermost one with `of_fit`, in a method decorated by `with_callbacks`.
    """

    def __init__(self, estimator, context):
        self._estimator, self._context = estimator, context
        if context is not None:
            context.call_on_fit_task_begin(estimator=estimator)

    @classmethod
    def of_fit(cls, estimator, n_parts):
        """The whole fit, of `n_parts` parts (None where nobody knows)."""
        if not hasattr(estimator, "_init_callback_context"):
            return cls(estimator, None)
        context = estimator._init_callback_context(max_subtasks=n_parts)
        watched = getattr(estimator, "_skl_callbacks", None) or hasattr(estimator, "_parent_callback_ctx")
        return cls(estimator, context if watched else None)

    @property
    def is_watched(self):
        """Whether anybody is told."""
        return self._context is not None

    def part(self, name, n_parts=0):
        """Begin the next part, itself of `n_parts` parts."""
        if self._context is None:
            return self
        return FitTask(self._estimator, self._context.subcontext(task_name=name, max_subtasks=n_parts))

    def end(self, fitted=None) -> bool:
        """End it; `fitted` gives the attributes of an estimator that stopped here. True if a callback asks to stop."""
        if self._context is None:
            return False
        return bool(self._context.call_on_fit_task_end(estimator=self._estimator, reconstruction_attributes=fitted))
