"""Steps of sparse phase retrieval on a support: Newton's, and least squares with the phases held.

With z = A x, u = z / |z| and a function of the magnitudes ``f(x) = sum_i phi_i(|z_i|)``, a change ``p`` of x moves z_i along
its phase by ``Re(conj(u_i) a_i^H p)`` and across it by ``Im(conj(u_i) a_i^H p)``. So in the real coordinates [Re p, Im p]

    gradient = R^T phi'            R = [Re C, -Im C],  I = [Im C, Re C],  C = diag(conj(u)) A
    Hessian  = R^T diag(phi'') R + I^T diag(phi' / |z|) I

and real problems have R = C and no I. At a stationary point the Hessian has the null direction i x, the phase that all
coefficients share; it is pinned.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.linalg.lapack import get_lapack_funcs

from ..._array import array_namespace, conj, is_complex, norm, to_numpy
from ..._parallel import blas_for_system

__all__ = ["Curvature", "amplitude_curvature", "held_curvature", "intensity_curvature", "step_on_support"]

_DEPENDENT = 1e-10  # pivots below this share of the largest: the column adds nothing


class Curvature(NamedTuple):
    """Derivatives of phi_i at |z_i|, one number a sample."""

    slope: Any  # phi'
    along: Any  # phi''
    across: Any  # phi' / |z|
    has_null: bool = True  # whether turning all phases together changes nothing


def intensity_curvature(size, magnitudes, relief):
    """``phi = (|z|**2 - y**2)**2 / 4``, times `relief`."""
    defect = relief * (size * size - magnitudes * magnitudes)
    return Curvature(defect * size, defect + 2.0 * relief * size * size, defect)


def amplitude_curvature(size, magnitudes):
    """``phi = (|z| - y)**2 / 2``."""
    xp = array_namespace(size)
    known = size > 0
    across = xp.where(known, 1.0 - magnitudes / xp.where(known, size, xp.ones_like(size)), xp.zeros_like(size))
    return Curvature(size - magnitudes, xp.ones_like(size), across)


def held_curvature(size, magnitudes):
    """``|z - y u|**2 / 2`` with the phases u held: an upper bound of the amplitude misfit that touches it at z."""
    xp = array_namespace(size)
    return Curvature(size - magnitudes, xp.ones_like(size), xp.ones_like(size), has_null=False)


def step_on_support(columns, coef, left, phases, curvature):
    """Coefficients (k,) on the support that minimise the quadratic model; None if Newton's model has no minimum.

    Parameters
    ----------
    columns : array of shape (n_samples, k)
        Columns of the support.
    coef : ndarray of shape (k,)
        Coefficients there, before the step.
    left : array of shape (n_samples,)
        Fitted values that coefficients off the support give up.
    phases : array of shape (n_samples,)
        The phases u of the fitted values.
    curvature : Curvature
        Of the function at the fitted values.
    """
    xp = array_namespace(columns)
    norms = norm(columns)
    norms = xp.where(norms > 0, norms, xp.ones_like(norms))
    turned = conj(phases)[:, None] * (columns / norms)  # unit columns: pivots of any two are comparable
    gone = conj(phases) * left
    norms = to_numpy(norms)
    if not is_complex(turned):
        hessian = turned.T @ (curvature.along[:, None] * turned)
        right = turned.T @ (curvature.along * gone - curvature.slope)
        change = _minimiser(to_numpy(hessian), to_numpy(right), curvature.has_null)
        return None if change is None else coef + change / norms
    real, imag = xp.real(turned), xp.imag(turned)
    along, across = xp.concat([real, -imag], axis=1), xp.concat([imag, real], axis=1)
    hessian = along.T @ (curvature.along[:, None] * along) + across.T @ (curvature.across[:, None] * across)
    right = along.T @ (curvature.along * xp.real(gone) - curvature.slope)
    right = right + across.T @ (curvature.across * xp.imag(gone))
    hessian, right = to_numpy(hessian), to_numpy(right)
    if curvature.has_null:
        hessian = hessian + _pinned_phase(coef * norms, np.trace(hessian))
    change = _minimiser(hessian, right, curvature.has_null)
    count = coef.shape[0]
    return None if change is None else coef + (change[:count] + 1j * change[count:]) / norms


def _pinned_phase(coef, trace):
    """``c q q^T`` with q along i x, to which the gradient is orthogonal: what the step turns by is of second order then."""
    turn = np.concatenate([-coef.imag, coef.real])
    energy = turn @ turn
    return (abs(trace) / turn.size / energy) * np.outer(turn, turn) if energy > 0 else 0.0


def _minimiser(hessian, right, strict):
    """Solution of ``hessian @ x = right``.

    If `strict`, None unless the Hessian is safely positive definite; otherwise it is semi-definite, and columns that depend
    on others get a zero.
    """
    (factorise, solve) = get_lapack_funcs(("potrf", "potrs"), (hessian, right))
    largest = np.max(np.diagonal(hessian), initial=0.0)
    with blas_for_system(len(right)):
        factor, failed = factorise(hessian, lower=1, clean=0)
        if not failed and np.min(np.diagonal(factor), initial=np.inf) ** 2 > _DEPENDENT * largest:
            return solve(factor, right, lower=1)[0]
        return None if strict else _basic_solution(hessian, right, largest)


def _basic_solution(gram, right, largest):
    """Pivoted Cholesky: the columns taken first carry the fit, the dependent rest is zero."""
    (factorise,) = get_lapack_funcs(("pstrf",), (gram,))
    factor, pivots, rank, _ = factorise(gram, tol=_DEPENDENT * largest, lower=1)
    chosen = pivots[:rank] - 1
    solution = np.zeros_like(right)
    if rank:
        (solve,) = get_lapack_funcs(("potrs",), (gram, right))
        solution[chosen] = solve(factor[:rank, :rank], right[chosen], lower=1)[0]
    return solution
