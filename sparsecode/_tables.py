"""scikit-learn's checks of input as the estimators use them: tensors without their graphs, and errors in words that fit here."""

from __future__ import annotations

from contextlib import contextmanager

from sklearn.utils import validation

from ._array import detached

__all__ = ["check_array", "validate_data"]


def check_array(array, **rules):
    """scikit-learn's, in words that fit here; tensors come without the graph that NumPy would stumble over."""
    with _in_own_words():
        return validation.check_array(detached(array), **rules)


def validate_data(estimator, X, *y, **rules):
    """scikit-learn's, as `check_array`."""
    with _in_own_words():
        return validation.validate_data(estimator, *map(detached, (X, *y)), **rules)


@contextmanager
def _in_own_words():
    """Of missing entries scikit-learn says nothing, or what a classifier could do."""
    try:
        yield
    except ValueError as error:
        said = str(error).partition("\n")[0]
        if not said.endswith("contains NaN."):
            raise
        raise ValueError(f"{said[:-1]}; leave out those rows, or fill their entries in.") from None
