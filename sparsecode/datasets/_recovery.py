"""Planted sparse recovery: target = design @ coef + noise, with everything known.

The ensembles are those on which recovery algorithms are compared, from the friendliest (Gaussian) to the ones that
break them (correlated or ill-conditioned columns, a common mean).
"""

from __future__ import annotations

import numpy as np
import scipy.fft
from sklearn.utils import Bunch

from .._validation import as_count, as_number
from ..designs.transforms import dct_operator, fourier_operator
from ._random import COEF_LAWS, as_generator, draw_coefs, noise_at, one_of

__all__ = ["ENSEMBLES", "make_sparse_recovery"]

ENSEMBLES = ("gaussian", "sign", "partial_dct", "partial_fourier", "correlated", "ill_conditioned", "nonzero_mean")


def make_sparse_recovery(
    n_samples,
    n_features,
    n_nonzero,
    *,
    n_targets=None,
    ensemble="gaussian",
    coef="gaussian",
    joint_support=False,
    snr_db=None,
    correlation=0.9,
    condition_number=1e3,
    mean=1.0,
    decay=0.9,
    as_operator=False,
    dtype=np.float64,
    random_state=None,
):
    """Plant sparse coefficients behind a random design: ``target = design @ coef + noise``.

    The draws are made in the order design, support, values, noise, so that problems from one seed that differ in the
    coefficient law ("gaussian" or "sign") share the design and the support.

    Parameters
    ----------
    n_samples, n_features : int
        Shape of the design.
    n_nonzero : int
        Non-zero coefficients in each target; 0 plants a target of pure noise (or zeros).
    n_targets : int, optional
        Number of targets. By default there is one, and target and coefficients are vectors.
    ensemble : {"gaussian", "sign", "partial_dct", "partial_fourier", "correlated", "ill_conditioned", "nonzero_mean"}
        The law of the design; "gaussian" by default.

        * "gaussian": independent standard normal entries, columns scaled to norm one;
        * "sign": independent signs over ``sqrt(n_samples)``; columns of norm one;
        * "partial_dct": random rows of the orthonormal cosine transform times ``sqrt(n_features / n_samples)``;
          columns of norm one on average;
        * "partial_fourier": random rows of the unitary Fourier transform, scaled likewise; complex, columns of norm
          one;
        * "correlated": Gaussian rows whose entries i and j have correlation ``correlation ** |i - j|``; columns of norm
          one;
        * "ill_conditioned": Gaussian singular vectors, singular values in geometric progression down to the largest
          over `condition_number`; columns of norm one on average;
        * "nonzero_mean": independent normal entries of mean `mean` and variance one; columns of norm one.
    coef : {"gaussian", "sign", "uniform", "decaying", "positive"}, default="gaussian"
        The law of the non-zero values: standard normal, random signs, uniform in [-1, 1], random signs times
        ``decay ** rank``, or the magnitude of a normal. Complex designs get a random phase in place of the sign.
    joint_support : bool, default=False
        Whether all targets share one support.
    snr_db : float, optional
        Signal-to-noise ratio of each target in decibels; no noise by default.
    correlation : float, default=0.9
        For "correlated": in [0, 1).
    condition_number : float, default=1e3
        For "ill_conditioned": at least 1.
    mean : float, default=1.0
        For "nonzero_mean": the mean of the entries in units of their standard deviation.
    decay : float, default=0.9
        For ``coef="decaying"``: ratio of consecutive magnitudes, in (0, 1].
    as_operator : bool, default=False
        Whether "partial_dct" and "partial_fourier" come as matrix-free LinearOperators.
    dtype : {float32, float64}, default=float64
        Precision; the complex ensemble gets the complex dtype of the same precision.
    random_state : int, sequence of int, Generator, RandomState or None
        What to draw from.

    Returns
    -------
    Bunch
        * `design` (n_samples, n_features), array or LinearOperator;
        * `target` (n_samples,) or (n_samples, n_targets);
        * `coef` (n_features,) or (n_features, n_targets);
        * `support`: sorted indices (n_nonzero,), or (n_nonzero, n_targets), one column a target;
        * `noise`, of the shape of `target`: ``target - noise`` is what the design explains.

    Raises
    ------
    ValueError
        If a name is not known, a number is out of range, or more coefficients are asked for than there are features.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.datasets import make_sparse_recovery
    >>> problem = make_sparse_recovery(50, 100, 4, snr_db=20, random_state=0)
    >>> problem.design.shape, problem.support.size
    ((50, 100), 4)
    >>> bool(np.allclose(problem.design @ problem.coef + problem.noise, problem.target))
    True
    """
    n_samples, n_features = as_count(n_samples, "n_samples"), as_count(n_features, "n_features")
    n_nonzero = as_count(n_nonzero, "n_nonzero", minimum=0)
    if n_nonzero > n_features:
        raise ValueError(f"n_nonzero is {n_nonzero}, but there are only {n_features} features.")
    one_of(ensemble, ENSEMBLES, "ensemble")
    one_of(coef, COEF_LAWS, "coef")
    decay = as_number(decay, "decay", strict=True, maximum=1.0)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise ValueError(f"dtype is {np.dtype(dtype)}; use float32 or float64 (complex ensembles widen it themselves).")
    if as_operator and ensemble not in ("partial_dct", "partial_fourier"):
        raise ValueError(
            f"as_operator needs ensemble 'partial_dct' or 'partial_fourier'; {ensemble!r} has no fast product."
        )
    rng = as_generator(random_state)

    shape = {"correlation": correlation, "condition_number": condition_number, "mean": mean}
    design = _draw_design(ensemble, n_samples, n_features, rng, as_operator=as_operator, dtype=np.dtype(dtype), **shape)
    targets = 1 if n_targets is None else as_count(n_targets, "n_targets")
    support = _draw_supports(n_features, n_nonzero, targets, joint_support, rng)
    is_complex = ensemble == "partial_fourier"
    values = draw_coefs(coef, support.shape, rng, is_complex=is_complex, decay=decay)

    planted = np.zeros((n_features, targets), dtype=design.dtype)
    np.put_along_axis(planted, support, values.astype(design.dtype), axis=0)
    clean = design @ planted
    noise = noise_at(clean, snr_db, rng).astype(design.dtype)
    fields = {"target": clean + noise, "coef": planted, "support": np.sort(support, axis=0), "noise": noise}
    if n_targets is None:
        fields = {name: array[:, 0] for name, array in fields.items()}
    return Bunch(design=design, **fields)


def _draw_design(ensemble, n_samples, n_features, rng, *, as_operator, dtype, correlation, condition_number, mean):
    if ensemble in ("partial_dct", "partial_fourier"):
        if n_samples > n_features:
            raise ValueError(
                f"n_samples is {n_samples}, but a transform of {n_features} features has only as many rows."
            )
        rows = np.sort(rng.choice(n_features, n_samples, replace=False))
        return _partial_transform(ensemble, rows, n_features, as_operator, dtype)
    if ensemble == "sign":
        return (rng.choice([-1.0, 1.0], size=(n_samples, n_features)) / np.sqrt(n_samples)).astype(dtype)
    matrix = rng.standard_normal((n_samples, n_features))
    if ensemble == "ill_conditioned":
        return _with_condition(matrix, as_number(condition_number, "condition_number", minimum=1.0)).astype(dtype)
    if ensemble == "correlated":
        _correlate_columns(matrix, as_number(correlation, "correlation", maximum=1.0))
    elif ensemble == "nonzero_mean":
        matrix += as_number(mean, "mean", minimum=-np.inf)
    return (matrix / np.linalg.norm(matrix, axis=0)).astype(dtype)


def _partial_transform(ensemble, rows, n_features, as_operator, dtype):
    if ensemble == "partial_dct":
        if as_operator:
            return dct_operator(n_features, rows, dtype=dtype)
        matrix = scipy.fft.idct(np.eye(n_features), norm="ortho", axis=0)[rows]
        return (np.sqrt(n_features / rows.size) * matrix).astype(dtype)
    complex_dtype = np.result_type(dtype, np.complex64)
    if as_operator:
        return fourier_operator(n_features, rows, dtype=complex_dtype)
    turns = (rows[:, None] * np.arange(n_features)) % n_features / n_features  # integers first: no digit is lost
    return (np.exp(-2j * np.pi * turns) / np.sqrt(rows.size)).astype(complex_dtype)


def _correlate_columns(matrix, correlation):
    """Turn independent columns, in place, into a stationary first-order autoregression along each row."""
    if correlation == 1.0:
        raise ValueError("correlation must be below 1; at 1 all columns are equal.")
    innovation = np.sqrt(1.0 - correlation**2)
    for column in range(1, matrix.shape[1]):
        matrix[:, column] = correlation * matrix[:, column - 1] + innovation * matrix[:, column]


def _with_condition(matrix, condition_number):
    left, values, right = np.linalg.svd(matrix, full_matrices=False)
    values = np.geomspace(1.0, 1.0 / condition_number, values.size)
    values *= np.sqrt(matrix.shape[1]) / np.linalg.norm(values)
    return (left * values) @ right


def _draw_supports(n_features, n_nonzero, n_targets, joint, rng):
    """Indices (n_nonzero, n_targets), in the order they were drawn."""
    if joint:
        return np.repeat(rng.choice(n_features, n_nonzero, replace=False)[:, None], n_targets, axis=1)
    draws = [rng.choice(n_features, n_nonzero, replace=False) for _ in range(n_targets)]
    return np.stack(draws, axis=1).astype(np.int64)
