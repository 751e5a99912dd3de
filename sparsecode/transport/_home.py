"""Answers go back to the namespace and the device that the arrays came from; in between they are NumPy's."""

from __future__ import annotations

import numpy as np

from .._array import array_namespace, asarray_like, is_array_api_obj, to_numpy
from .._validation import refuse_lazy

__all__ = ["home_of", "on_host", "sent_home"]


def home_of(**inputs):
    """The first of the inputs that is an array, which stands for the namespace of all that are; None if none is."""
    for name, values in inputs.items():
        refuse_lazy(values, name)
    arrays = {name: values for name, values in inputs.items() if is_array_api_obj(values)}
    names = {name: array_namespace(values).__name__ for name, values in arrays.items()}
    if len(set(names.values())) > 1:
        words = ", ".join(f"{name} in {space.replace('array_api_compat.', '')}" for name, space in names.items())
        raise ValueError(
            f"arrays of one namespace are needed, but {words}; convert them so that all are of the same kind."
        )
    return next(iter(arrays.values()), None)


def on_host(values):
    """An array of any namespace as one of NumPy; what is no array stays as it is."""
    return to_numpy(values) if is_array_api_obj(values) else values


def sent_home(values, home):
    """An array of numbers in the namespace and on the device of `home`; what is no array stays as it is."""
    return values if home is None or not isinstance(values, np.ndarray) else asarray_like(values, home)
