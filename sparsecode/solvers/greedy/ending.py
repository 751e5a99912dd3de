"""How a pursuit ends: the certificate of its fit, and which request it could not meet, with what to do about it."""

from __future__ import annotations

import numpy as np

from ..._array import as_double, plain
from ...designs import GramDesign
from ...result import SolveResult, Status
from ..certificates import support_optimality
from .rules import np_dtype

__all__ = ["certificate_tolerance", "certify_support", "missed_request", "support_result"]


def certificate_tolerance(target):
    """What least squares on the support must reach: rounding, on supports that are not too ill-conditioned."""
    return 1e-4 if np.finfo(np_dtype(target)).eps > 1e-10 else 1e-8


def certify_support(problem, coef, tolerance):
    """The certificate; targets on ill-conditioned supports that miss it are refitted by orthogonal factorisation first."""
    certificate = support_optimality(problem, coef)
    poor = np.flatnonzero(np.atleast_1d(certificate.value) > tolerance)
    if poor.size == 0 or isinstance(problem.design, GramDesign) or not problem.design.is_numpy:
        return certificate, coef
    design, target = problem.design.in_double(), problem.target
    for p in poor:
        column = coef if coef.ndim == 1 else coef[:, p]
        support = np.flatnonzero(column)
        wanted = target if target.ndim == 1 else target[:, p]
        column[support] = np.linalg.lstsq(design.columns(support), as_double(wanted))[0]
    return support_optimality(problem, coef), coef


def support_result(coef, certificate, tolerance, missed, reason, *, n_iter, history):
    """The answer of a pursuit that ends with least squares on its support; `missed` and `reason` as from `missed_request`."""
    certified = np.all(np.atleast_1d(certificate.value) <= tolerance)
    return SolveResult(
        coef=coef,
        intercept=0.0,
        status=Status.CONVERGED if certified and missed is None else Status.STALLED,
        n_iter=n_iter,
        objective=plain(certificate.objective),
        certificate=plain(certificate.value),
        certificate_name=certificate.name,
        tol=tolerance,
        history=history,
        reason=reason,
    )


def missed_request(settings, counts, target_sq, sq_residuals, eps, is_stuck):
    """Which request could not be met, and why and what to do, in words; None and nothing if all were.

    Parameters
    ----------
    settings : Settings
        What was asked.
    counts : ndarray of shape (P,)
        Columns that each target uses, beside the free ones.
    target_sq, sq_residuals : ndarray of shape (P,)
        Squared norms of targets and residuals.
    eps : float
        Precision of the data.
    is_stuck : callable
        Mask (P,) of the targets with a residual that columns could explain, if only they were independent.
    """
    short = counts < settings.n_nonzero
    if settings.tol is None and settings.atol is None:
        stuck = np.zeros_like(short) if settings.positive or not np.any(short) else short & is_stuck()
        if not np.any(stuck):
            return None, ""
        independent = f"only {int(counts[stuck].min())} of {settings.n_nonzero} columns are linearly independent"
        return independent + _several(stuck), "lower n_nonzero, or remove linearly dependent columns"
    size = np.sqrt(target_sq)
    late = np.sqrt(sq_residuals) > np.sqrt(settings.limits(target_sq)) + 4.0 * eps * size
    late = late & short if settings.sparsity_was_asked else late
    if not np.any(late):
        return None, ""
    worst, most = np.max(np.sqrt(sq_residuals[late] / target_sq[late])), int(counts.max())
    asked = f"tol={settings.tol:.1e}" if settings.tol is not None else f"atol={settings.atol:.1e}"
    columns = f"{'at most ' if counts.size > 1 else ''}{most} column{'' if most == 1 else 's'}"
    missed = f"relative residual norm {worst:.3e} after {columns}, {asked} not reached{_several(late)}"
    if settings.positive:
        return missed, "no other column may enter with a positive coefficient; loosen tol, or drop positive=True"
    why = "no other column lowers it at this precision; loosen tol, use float64, or remove linearly dependent columns"
    return missed, why


def _several(mask):
    return f" for {np.count_nonzero(mask)} of {mask.size} targets" if mask.size > 1 else ""
