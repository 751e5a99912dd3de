"""Planted dictionary learning: data = code @ dictionary + noise, with everything known."""

from __future__ import annotations

import numpy as np
from sklearn.utils import Bunch

from .._validation import as_count
from ._random import COEF_LAWS, as_generator, draw_coefs, noise_at, one_of

__all__ = ["make_dictionary_problem"]


def make_dictionary_problem(
    n_samples, n_features, n_components, n_nonzero, *, coef="gaussian", snr_db=None, dtype=np.float64, random_state=None
):
    """Draw sparse combinations of the atoms of a random dictionary: ``data = code @ dictionary + noise``.

    Parameters
    ----------
    n_samples : int
        Number of signals, the rows of `data`.
    n_features : int
        Length of a signal and of an atom.
    n_components : int
        Number of atoms, the rows of `dictionary`: independent Gaussian directions of norm one.
    n_nonzero : int
        Atoms that each signal uses.
    coef : {"gaussian", "sign", "uniform", "decaying", "positive"}, default="gaussian"
        Law of the non-zero codes, as in `make_sparse_recovery`.
    snr_db : float, optional
        Signal-to-noise ratio of each signal in decibels; no noise by default.
    dtype : {float32, float64}, default=float64
        Precision.
    random_state : int, sequence of int, Generator, RandomState or None
        What to draw from.

    Returns
    -------
    Bunch
        `data` (n_samples, n_features), `dictionary` (n_components, n_features), `code` (n_samples, n_components) and
        `noise` (n_samples, n_features).

    Raises
    ------
    ValueError
        If a number is out of range or more atoms are used than there are.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.datasets import make_dictionary_problem
    >>> problem = make_dictionary_problem(100, 16, 24, 3, random_state=0)
    >>> bool(np.allclose(problem.code @ problem.dictionary, problem.data))
    True
    """
    n_samples, n_features = as_count(n_samples, "n_samples"), as_count(n_features, "n_features")
    n_components = as_count(n_components, "n_components")
    n_nonzero = as_count(n_nonzero, "n_nonzero", minimum=0)
    if n_nonzero > n_components:
        raise ValueError(f"n_nonzero is {n_nonzero}, but there are only {n_components} atoms.")
    one_of(coef, COEF_LAWS, "coef")
    rng = as_generator(random_state)
    dictionary = rng.standard_normal((n_components, n_features))
    dictionary /= np.linalg.norm(dictionary, axis=1, keepdims=True)
    used = np.argsort(rng.random((n_samples, n_components)), axis=1)[:, :n_nonzero]
    values = draw_coefs(coef, (n_nonzero, n_samples), rng).T
    code = np.zeros((n_samples, n_components))
    np.put_along_axis(code, used, values, axis=1)
    clean = code @ dictionary
    noise = noise_at(clean, snr_db, rng, axis=1)
    fields = {"data": clean + noise, "dictionary": dictionary, "code": code, "noise": noise}
    return Bunch(**{name: array.astype(dtype) for name, array in fields.items()})
