"""Signals that a transformer cannot take, refused in words that fit where atoms are learned."""

from __future__ import annotations

from contextlib import contextmanager

__all__ = ["check_width", "refusing"]


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


def check_width(estimator, X, reset):
    """Keep the number of features of arrays that scikit-learn does not look into, or hold them against it, in its words."""
    if reset:
        estimator.n_features_in_ = int(X.shape[1])
        vars(estimator).pop("feature_names_in_", None)  # of an earlier fit
    elif X.shape[1] != estimator.n_features_in_:
        raise ValueError(
            f"X has {X.shape[1]} features, but {type(estimator).__name__} is expecting {estimator.n_features_in_} features as input."
        )
