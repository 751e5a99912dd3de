"""A Lasso's coefficients on their support: made stationary to rounding, and moved to where strength and residual meet."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import asarray_like, is_complex, to_numpy
from ...losses import Squared
from .newton import newton_step, solve_definite

__all__ = ["complex_step", "meeting", "stationary"]

_ROUNDED = 1e-8  # of a residual's square: what a fit leaves, if less, is lost in the difference of squares
_MOST = 2_000  # columns of a support whose equations are solved once more


class _OnSupport(NamedTuple):
    """The squared loss of some columns around coefficients, none of them zero."""

    support: Any  # (size,)
    gram: Any  # (size, size)
    weights: Any  # (size,)
    correlation: Any  # (size,) of the residual
    energy: float  # the mean square of the residual


def _on_support(problem, coef):
    """The support of `coef` (n_features,); None where it is too large, or an intercept is in the loss."""
    support = np.flatnonzero(to_numpy(coef))
    if not isinstance(problem.loss, Squared) or not 0 < support.size <= min(_MOST, problem.n_samples):
        return None
    design, rows = problem.design, problem.row_weights
    columns = to_numpy(design.columns(support if design.is_numpy else support.tolist()))
    residual = to_numpy(problem.target - design.product(coef))
    if isinstance(rows, float):
        gram, weighted = rows * (columns.conj().T @ columns), rows * residual
    else:
        rows = to_numpy(rows).ravel()
        gram, weighted = (columns.conj().T * rows) @ columns, rows * residual
    weights = np.ones(problem.n_features) if problem.penalty_weights is None else to_numpy(problem.penalty_weights)
    energy = float(np.vdot(residual, weighted).real)
    return _OnSupport(support, gram, weights[support], columns.conj().T @ weighted, energy)


def _on_members(problem, working_set):
    """The same from a working set that has just been solved, whose coefficients those are: without a product."""
    places = working_set.coef.nonzero()[0]
    if not 0 < places.size <= min(_MOST, problem.n_samples):
        return None
    return _OnSupport(
        working_set.members[places],
        working_set.support_gram(places),
        working_set.weights[places],
        working_set.correlations()[places],
        working_set.misfit(),
    )


def stationary(problem, coef):
    """Coefficients moved to where the gradient on their support is that of the l1 norm, to rounding.

    The gap of the squared loss is blind to what is left of the gradient below the root of rounding; that of its root is not.
    """
    here = _on_support(problem, coef)
    if here is None:
        return coef
    values, threshold = to_numpy(coef).copy(), problem.penalty.alpha * here.weights
    if is_complex(coef):
        step = complex_step(here.gram, values[here.support], here.correlation, threshold)
    else:
        step = newton_step(here.gram, values[here.support], here.correlation, threshold, problem.penalty.positive)
    if step is None:
        return coef
    values[here.support] += step
    return asarray_like(values, coef)


def complex_step(gram, coef, correlation, threshold):
    """Newton's step of complex coefficients, none of them zero: the l1 norm bends across their phases; None if that fails."""
    size = coef.size
    sign, bend = coef / np.abs(coef), threshold / np.abs(coef)
    matrix = np.block([[gram.real, -gram.imag], [gram.imag, gram.real]])
    across = np.concatenate([-sign.imag, sign.real])
    for block in (slice(0, size), slice(size, 2 * size)):
        for other in (slice(0, size), slice(size, 2 * size)):
            matrix[block, other] += np.diag(bend * across[block] * across[other])
    left = correlation - threshold * sign
    step = solve_definite(np.asfortranarray(matrix), np.concatenate([left.real, left.imag]))
    return None if step is None else step[:size] + 1j * step[size:]


def meeting(problem, coef, alpha, solved=None):
    """Where the Lasso of strength ``alpha sigma`` leaves a residual of size sigma, if support and signs of `coef` stay: sigma and it.

    For real data: there the coefficients are ``coef + fit - sigma * shift``, and the squared size is what the fit leaves plus
    ``sigma**2 threshold^T shift``. None if signs do not stay, or the fit leaves nothing. `solved` is the working set with these
    coefficients, if there is one.
    """
    if is_complex(coef):
        return None
    here = _on_support(problem, coef) if solved is None else _on_members(problem, solved)
    if here is None:
        return None
    values = to_numpy(coef).copy()
    threshold = alpha * here.weights * np.sign(values[here.support])
    both = solve_definite(here.gram, np.array([here.correlation, threshold]).T)
    if both is None:
        return None
    fit, shift = both.T
    level, slope = here.energy - here.correlation @ fit, threshold @ shift
    if not (slope < 1.0 and level > _ROUNDED * here.energy):
        return None
    sigma = np.sqrt(level / (1.0 - slope))
    moved = values[here.support] + fit - sigma * shift
    turned = moved < 0.0 if problem.penalty.positive else moved * threshold < 0.0  # free ones of any sign may turn
    if (turned | ((moved == 0.0) & (threshold != 0.0))).any():
        return None
    values[here.support] = moved
    return float(sigma), asarray_like(values, coef)
