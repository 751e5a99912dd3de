"""The array namespaces that array-bound code is tested on.

A missing one is skipped by name; with SPARSECODE_REQUIRE_BACKENDS=1 the run then fails (see conftest.py).
"""

import importlib

import numpy as np
import pytest

from sparsecode._array import to_numpy

NAMESPACES = ["numpy", "array_api_strict", "torch"]
FOREIGN = NAMESPACES[1:]


def namespace(name):
    """The module, or a skip that names it."""
    try:
        module = importlib.import_module(name)
    except ImportError:
        pytest.skip(f"the array backend {name} is not installed")
    if name == "torch":
        module.set_num_threads(1)  # small arrays: threads only get in each other's way
    return module


def put(values, name):
    """A NumPy array (or anything that is none) in the namespace `name`."""
    if not isinstance(values, np.ndarray):
        return values
    return namespace(name).asarray(np.ascontiguousarray(values)) if name != "numpy" else values


def get(values):
    """Back to NumPy."""
    return to_numpy(values)
