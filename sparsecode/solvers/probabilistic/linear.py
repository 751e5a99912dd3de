"""What models in which causes add up share: scores of candidates, and the least-squares step over the atoms."""

from __future__ import annotations

import numpy as np

from ..._validation import as_number

__all__ = [
    "as_parameter",
    "best_candidates",
    "check_probability",
    "expected_misfit",
    "log_likelihood_of_nothing",
    "solve_atoms",
]

_JITTER = 1e-10  # of the mean energy of a cause: ties atoms that nothing uses to where they are


def as_parameter(value, name, shape):
    """A parameter as a finite float64 array of the given shape; None stands for any length."""
    array = np.ascontiguousarray(value, dtype=np.float64)
    fits = array.ndim == len(shape) and all(want in (None, got) for want, got in zip(shape, array.shape, strict=True))
    if not fits or array.size == 0 or not np.all(np.isfinite(array)):
        wanted = ", ".join("any" if size is None else str(size) for size in shape)
        raise ValueError(f"{name} must be finite numbers of shape ({wanted}); got shape {array.shape}.")
    return array


def check_probability(value, name):
    """A probability strictly between zero and one."""
    value = as_number(value, name, strict=True)
    if value >= 1.0:
        raise ValueError(f"{name} must be less than 1; got {value:g}.")
    return value


def best_candidates(scores, n_candidates):
    """Places of the largest scores of each row, in ascending order."""
    n_causes = scores.shape[1]
    if n_candidates == n_causes:
        return np.broadcast_to(np.arange(n_causes), scores.shape).copy()
    chosen = np.argpartition(-scores, n_candidates - 1, axis=1)[:, :n_candidates]
    return np.sort(chosen, axis=1).astype(np.int64)


def log_likelihood_of_nothing(block, noise_variance, temperature):
    """Log density, to the power ``1 / temperature``, of each signal if no cause is active."""
    size = block.n_observed * np.log(2.0 * np.pi * noise_variance) + block.sq_norms / noise_variance
    return -0.5 * size / temperature


def solve_atoms(code_gram, code_signal, atoms):
    """Atoms W that minimise the expected misfit ``sum_d W_d^T Q_d W_d - 2 B_d^T W_d``; unused ones stay.

    `code_gram` holds one matrix Q for all features, or one for each; `code_signal` is B (n_causes, n_features).
    """
    n_causes = code_signal.shape[0]
    ridge = _JITTER * np.trace(code_gram, axis1=1, axis2=2) / n_causes
    ridge = np.where(ridge > 0, ridge, 1.0)  # nothing was observed, or nothing is active
    system = code_gram + ridge[:, None, None] * np.eye(n_causes)
    if code_gram.shape[0] == 1:
        return np.linalg.solve(system[0], code_signal + ridge[0] * atoms)
    sides = (code_signal + ridge * atoms).T[:, :, None]
    return np.ascontiguousarray(np.linalg.solve(system, sides)[:, :, 0].T)


def expected_misfit(statistics, code_gram, code_signal, atoms):
    """Expected sum of the squared residuals over what was observed."""
    if code_gram.shape[0] == 1:
        quadratic = np.vdot(code_gram[0] @ atoms, atoms)
    else:
        quadratic = np.einsum("hd,dhl,ld->", atoms, code_gram, atoms, optimize=True)
    return float(statistics.sq_sum - 2.0 * np.vdot(code_signal, atoms) + quadratic)
