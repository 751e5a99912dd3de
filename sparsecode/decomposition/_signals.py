"""Signals that a transformer cannot take, refused in words that fit where atoms are learned."""

from __future__ import annotations

from contextlib import contextmanager

__all__ = ["refusing"]


@contextmanager
def refusing(estimator):
    """Refer whoever has missing entries or complex signals to the learners that take them; other errors pass."""
    name = type(estimator).__name__
    try:
        yield
    except ValueError as error:  # of scikit-learn, whose text is about classifiers, or holds all of X
        if "X contains NaN" in str(error):
            raise ValueError(
                f"Input X contains NaN, and {name} takes no missing entries. MaskedDictionaryLearning and ProbabilisticSparseCoding "
                "learn from signals that have some; or leave out those signals, or fill them in."
            ) from None
        if "Complex data not supported" in str(error):
            raise ValueError(
                f"Complex data not supported: {name} takes real signals. Give it X.real and X.imag as real features, or learn "
                "with LpDictionaryLearning, which takes complex X."
            ) from None
        raise
