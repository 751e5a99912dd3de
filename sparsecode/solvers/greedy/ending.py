"""How a pursuit ends: the certificate of its fit, and which request it could not meet, with what to do about it.

One rule for the family: a residual tolerance that the answer misses is a failure with one warning, unless another stop that was
asked for (`n_nonzero` where it is a stop, a criterion) ended the pursuit. Fewer columns than asked for are one where the residual
is not zero and no admissible column is linearly independent of those selected.
"""

from __future__ import annotations

import numpy as np

from ..._array import as_double, plain, to_numpy
from ...designs import GramDesign
from ...result import SolveResult, Status
from ..certificates import support_optimality
from .forms import target_sq_norms
from .rules import np_dtype, rounding

__all__ = [
    "MISSING_COLUMNS",
    "certificate_tolerance",
    "certify_support",
    "is_norm_unknown",
    "missed_request",
    "missing_columns",
    "spans_all",
    "support_result",
    "too_few_columns",
    "without_columns",
]

MISSING_COLUMNS = "no column that may be selected is left that is linearly independent of them; lower n_nonzero, or remove dependent columns"


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
        Given the mask (P,) of the targets with fewer columns than asked for, those of them for which there are no more.
    """
    short = counts < settings.n_nonzero
    if settings.tol is None and settings.atol is None:
        stuck = np.zeros_like(short) if settings.positive or not np.any(short) else short & is_stuck(short)
        if not np.any(stuck):
            return None, ""
        return missing_columns(int(counts[stuck].min()), settings.n_nonzero, stuck), MISSING_COLUMNS
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


def too_few_columns(problem, coef, weights, request, counts, residual):
    """What is said of targets with fewer columns than asked for, all that are independent, and a residual that is not zero; or None.

    `residual` (P,) are root mean squares, or mean magnitudes.
    """
    short, design = counts < request.n_nonzero, problem.design
    if not is_norm_unknown(design):
        share = rounding(request.precision)
        share = 3.0 * np.sqrt(share) if isinstance(design, GramDesign) else 10.0 * share
        short &= residual > share * np.sqrt(target_sq_norms(design, problem.target) / design.shape[0])
    stuck = without_columns(problem, coef, weights, request.dependence, short) if np.any(short) else short
    return missing_columns(int(counts[stuck].min()), request.n_nonzero, stuck) if np.any(stuck) else None


def is_norm_unknown(design):
    """Whether nobody knows what is left of a target: a Gram matrix that was not told its norm."""
    return isinstance(design, GramDesign) and design.target_sq_norm is None


def missing_columns(count, asked, units):
    """What is said of units (a mask) that have only `count` columns of those asked for; the reason is `MISSING_COLUMNS`."""
    return f"only {count} of {asked} columns could be selected{_several(units)}"


def without_columns(problem, coef, weights, dependence, short):
    """Which of the `short` units (a mask) leave no column that could be selected outside the span of their support.

    All of these have supports of one size, the rank of what may be selected: so one look, at a largest one, is enough.
    """
    used = to_numpy(coef != 0).reshape(problem.n_features, -1)
    used = used if used.shape[1] == short.size else np.any(used, axis=1, keepdims=True)
    counts = np.where(short, np.count_nonzero(used, axis=0), -1)
    largest = int(np.argmax(counts))
    if not short[largest] or not spans_all(problem.design, used[:, largest], weights, dependence):
        return np.zeros_like(short)
    return short & (counts == counts[largest])


def spans_all(design, used, weights, dependence):
    """Whether every column that may be selected lies in the span of those `used` (a mask), up to `dependence`."""
    design = design.in_double().with_exact_norms()
    norms = np.asarray(design.column_sq_norms(), dtype=np.float64)
    left = (norms > 0) & ~used if weights is None else (norms > 0) & np.isfinite(weights) & ~used
    members = np.flatnonzero(used)
    if members.size == 0 or not np.any(left):
        return not np.any(left)
    if isinstance(design, GramDesign):
        size = np.sqrt(norms[members])
        values, vectors = np.linalg.eigh(design.gram(members) / (size[:, None] * size))
        root = vectors / np.sqrt(np.maximum(values, np.finfo(np.float64).eps))
        along = root.conj().T @ (design.gram(members, np.flatnonzero(left)) / size[:, None])
    else:
        xp = design.xp
        basis = xp.linalg.qr(design.columns(members))[0]
        along = to_numpy(design.rmatvec(basis)).T[:, left]
    return bool(np.all(norms[left] - np.sum(np.abs(along) ** 2, axis=0) <= dependence * norms[left]))


def _several(mask):
    return f" for {np.count_nonzero(mask)} of {mask.size} targets" if mask.size > 1 else ""
