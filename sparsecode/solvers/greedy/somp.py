"""Simultaneous orthogonal matching pursuit: one support for all targets.

    minimise over coef   ||Y - A coef||_F**2   with at most n_nonzero rows that are not zero, greedily:
    the column j with the largest norm of row j of A^H R, relative to ||a_j||, and least squares on the selected ones

Order-recursive: with the Gram-Schmidt direction q of the column selected, and b = A^H q,

    z = q^H R      R -= q z      C -= b z      (R residuals, C = A^H R their correlations)

so that a step costs one product with the adjoint, whatever the number of targets.

Tropp, Gilbert and Strauss, "Algorithms for simultaneous sparse approximation. Part I: greedy pursuit", 2006.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, conj, dagger, sq_norm, to_numpy
from ..._parallel import blas_for_products
from ..._validation import as_design, as_penalty_weights, as_sample_weight, as_target, total_weight, weighted
from ...designs import GramDesign
from ...losses import Squared
from ...penalties import L0Ball
from ...result import announce
from ..criteria import information_criterion
from ..problem import make_problem
from ..support import make_support_fit
from .ending import certificate_tolerance, certify_support, missed_request, support_result
from .forms import check_ranges, require_target_norm, target_sq_norms
from .omp import solve_omp
from .path import coefficient_path, make_criterion, warn_at_the_most
from .rules import make_settings, np_dtype, preferences

__all__ = ["solve_somp", "somp"]


def somp(
    A,
    y,
    *,
    n_nonzero=None,
    tol=None,
    atol=None,
    criterion=None,
    ebic_gamma=1.0,
    norm=2,
    selection="omp",
    support=None,
    penalty_weights=None,
    sample_weight=None,
    return_path=False,
):
    """Greedily minimise ``||y - A @ coef||_F^2`` over few non-zero rows: many targets, one support.

    Each step adds the column whose correlations with all residuals are largest together, and refits all selected ones by least
    squares. Targets that share a support are recovered from fewer samples, or under more noise, than one by one. The cost of a
    step hardly depends on the number of targets, which are replaced by their principal components where there are more than samples.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex, in any array namespace. Columns need not have unit norm: their norms are computed, for a
        LinearOperator of more than 64 rows without an attribute `column_sq_norms` by one product for each row or column.
    y : array of shape (n_samples, n_targets) or (n_samples,)
        The targets; for a `GramDesign` the correlations ``A.conj().T @ y``, and its `target_sq_norm` where a tolerance or a criterion
        asks for residuals. Targets count as they are: scale them to equal noise. One target alone is handed to `omp`.
    n_nonzero : int, optional
        Columns to select; clipped, with a warning, to the number of features or samples.
    tol : float, optional
        Stop when the Frobenius norm of the residuals is at most `tol` times that of `y`.
    atol : float, optional
        Stop when the Frobenius norm of the residuals is at most `atol`. Of `n_nonzero`, `tol` and `atol` whichever is met first
        ends the pursuit; one of them or a `criterion` must be given.
    criterion : {"aic", "bic", "ebic"}, optional
        Keep the step at which ``m log(2 pi RSS / m) + m + k n_targets f`` is least, for m = n_samples n_targets, k columns, and f = 2
        (aic) or log(m) (bic; ebic adds ``2 ebic_gamma log(binomial(n_features, k))``). Alone it looks at up to half as many columns as
        samples, with a warning if it is least there; `n_nonzero`, `tol` and `atol` end the search earlier.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, from 0 (bic) to 1; for "ebic" only.
    norm : {2, 1}, default=2
        How the correlations of a column with the residuals are put together: the root of their sum of squares, or the sum of
        their magnitudes.
    selection : {"omp", "ols"}, default="omp"
        "omp": correlations relative to the column's norm. "ols": relative to its distance from the span of the selected ones,
        which with ``norm=2`` is the largest fall of the residual.
    support : array of int, optional
        Columns to start from: they enter first, in this order, whatever the tolerance, and count in `n_nonzero` unless their
        weight is 0. Those that depend linearly on the ones before are left out.
    penalty_weights : array of shape (n_features,), optional
        Correlations are divided by their weight before columns are compared. inf excludes a column; columns of weight 0 enter
        first, outside the count of `n_nonzero`.
    sample_weight : array of shape (n_samples,), optional
        Weights of the samples. Residual norms are weighted ones, with weights scaled to mean one; for a `criterion` they say how often
        each sample counts, and their sum takes the place of n_samples.
    return_path : bool, default=False
        Whether `history` also holds the coefficients after every step.

    Returns
    -------
    SolveResult
        The objective is ``||y - A coef||^2 / (2 n_samples)`` of each target; the certificate is the support optimality,
        ``max |a_j^H r| / (||a_j|| ||y||)`` over the support, zero for an exact least-squares fit. `history` holds ``"selected"``,
        the columns in order, and ``"residual"``, the Frobenius norm of the residuals relative to that of `y`, before the first column
        and after each. With a criterion also ``"criterion"``, its value after each step; the history is then that of the whole search.
        ``"path"`` is an array (n_features, n_targets, n_steps + 1), for one target as that of `omp`, and ``path[..., n_iter]`` is `coef`:
        `n_iter` is the number of columns kept.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, a parameter is out of range, or nothing says when to stop.

    Warns
    -----
    ConvergenceWarning
        Once, with status ``STALLED``, if a residual tolerance is not reached, or residuals are left and fewer columns than `n_nonzero`
        could be selected, because all others depend on those or are excluded.
    RuntimeWarning
        If a `criterion` is least at half as many columns as samples, the most that it looks at, where more could be selected.

    See Also
    --------
    omp : every target with a support of its own.
    subspace_pursuit : with ``joint=True`` one support that is revised as a whole.

    Notes
    -----
    A residual tolerance that the answer misses is a failure with one warning, unless another stop that was asked for (`n_nonzero`
    or a `criterion`) ended the pursuit. For coefficients that must not be negative use `gomp` or `subspace_pursuit` with
    ``joint=True, positive=True``: a column may help one target and harm another, so that one at a time there is none to take.

    References
    ----------
    Tropp, Gilbert and Strauss, "Algorithms for simultaneous sparse approximation. Part I: greedy pursuit", 2006.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import somp
    >>> A = np.random.default_rng(0).standard_normal((20, 50))
    >>> result = somp(A, A[:, [7, 30]] @ np.array([[1.0, 2.0, 0.5], [3.0, -1.0, 1.0]]), n_nonzero=2)
    >>> result.history["selected"], result.coef[7].round(6)
    ([30, 7], array([1. , 2. , 0.5]))
    """
    design = as_design(A)
    target = as_target(y, design)
    weights = as_penalty_weights(penalty_weights, design)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    n_counted = total_weight(sample_weight, design.shape[0])
    request = {"n_nonzero": n_nonzero, "tol": tol, "atol": atol, "selection": selection, "n_counted": n_counted}
    request |= {"criterion": criterion, "ebic_gamma": ebic_gamma, "norm": norm, "penalty_weights": weights}
    request |= {"support": support, "return_path": return_path}
    return announce(*solve_somp(design, target, **request))


def solve_somp(
    design,
    target,
    *,
    norm=2,
    penalty_weights=None,
    criterion=None,
    ebic_gamma=1.0,
    n_counted=None,
    return_path=False,
    **request,
):
    """The solve behind `somp`, on validated data: the result, and what it missed (None, or in words).

    `request` is what `make_settings` takes.
    """
    if norm not in (1, 2):
        raise ValueError(f"norm must be 1 or 2; got {norm!r}.")
    design = design.with_exact_norms()
    choice = {"criterion": criterion, "ebic_gamma": ebic_gamma, "n_counted": n_counted}
    if target.ndim == 1 or target.shape[1] == 1:
        choice |= {"return_path": return_path}
        return solve_omp(design, target, penalty_weights=penalty_weights, **choice, **request)
    dtype = np_dtype(target)
    weights = None if penalty_weights is None else to_numpy(penalty_weights).astype(np.float64)
    how = {"shape": design.shape, "dtype": dtype, "penalty_weights": weights}
    settings = make_settings(**request, criterion=criterion, **how)
    require_target_norm(design, tol=settings.tol, atol=settings.atol, criterion=criterion)
    chooser = make_criterion(criterion, ebic_gamma, design, weights, n_counted)
    asked = settings.n_nonzero
    if chooser is not None:
        settings = settings._replace(n_nonzero=min(settings.n_nonzero, chooser.most))
    target_sq = target_sq_norms(design, target)
    check_ranges(design, target, target_sq)
    problem = make_problem(design, target, Squared(), L0Ball(settings.n_nonzero, joint=True))
    with blas_for_products(design.shape):
        pursuit = _Pursuit(problem, settings, weights, float(np.sum(target_sq)), norm)
        stuck = pursuit.run()
    residual = np.sqrt(np.array(pursuit.sq_residuals) / max(pursuit.target_sq, np.finfo(float).tiny))
    history = {"selected": pursuit.selected, "residual": residual.tolist()}
    kept = pursuit.selected
    if chooser is not None:
        values = _criterion_values(pursuit, chooser)
        kept, history["criterion"] = kept[: int(np.argmin(values))], values.tolist()
        warn_at_the_most(chooser, asked, len(kept) - pursuit.n_free)
    support = np.zeros(problem.n_features, dtype=bool)
    support[kept] = True
    tolerance = certificate_tolerance(target)
    with blas_for_products(design.shape):
        coef = make_support_fit(problem)(asarray_like(support, target))
        certificate, coef = certify_support(problem, coef, tolerance)
    missed, reason = None, ""
    if chooser is None:
        count, whole = np.array([len(kept) - pursuit.n_free]), np.array([pursuit.target_sq])
        left = np.array([2.0 * problem.n_samples * np.sum(certificate.objective)])
        eps = float(np.finfo(dtype).eps)
        missed, reason = missed_request(settings, count, whole, left, eps, lambda short: np.array([stuck]))
    if return_path:
        order = np.tile(np.array(pursuit.selected, dtype=np.int64), (target.shape[1], 1))
        history["path"] = coefficient_path(design, target, order, target_sq)
    return support_result(coef, certificate, tolerance, missed, reason, n_iter=len(kept), history=history), missed


def _criterion_values(pursuit, chooser):
    """The criterion after each step; inf before all free columns are in."""
    n_targets, sizes = pursuit.n_targets, np.arange(len(pursuit.sq_residuals))
    values = information_criterion(
        chooser.name,
        np.maximum(pursuit.sq_residuals, pursuit.floor) * (chooser.n_samples / chooser.n_rows),
        sizes,
        n_targets * chooser.n_samples,
        max(chooser.n_features, sizes[-1]),
        ebic_gamma=chooser.ebic_gamma,
        n_targets=n_targets,
    )
    return np.where(sizes < pursuit.n_free, np.inf, values)


class _Pursuit:
    """Progress on all targets, one column at a time."""

    def __init__(self, problem, settings, penalty_weights, target_sq, norm):
        self.settings, self.norm = settings, norm
        self.target_sq, self.n_targets = target_sq, problem.target.shape[1]
        design, target = problem.in_double().design, as_double(problem.target)
        self.basis = (_GramBasis if isinstance(design, GramDesign) else _ColumnBasis)(
            design, _principal(target) if norm == 2 else target, target_sq
        )
        self.sq_norms = design.column_sq_norms()
        self.scale, self.preference, self.free, self.first = preferences(self.sq_norms, penalty_weights, settings.first)
        self.n_free = 0  # of those, how many entered
        self.remaining = self.sq_norms.astype(np.float64)  # squared distance of every column to the span
        self.closed = self.scale == 0
        self.room = settings.n_nonzero
        self.selected: list[int] = []
        self.sq_residuals = [target_sq]
        self.limit = float(settings.limits(target_sq))
        self.noise = settings.noise * target_sq
        resolution = settings.resolution * target_sq if isinstance(design, GramDesign) else 0.0
        self.floor = max(self.noise, resolution)  # smaller squared residuals are rounding

    def run(self):
        """Select until told to stop; whether columns ran out while some residual was left."""
        for place, j in enumerate(self.first):
            if self._take(int(j)):
                self.n_free += place < self.free.size
                self.room -= place >= self.free.size
        return self._select() or (self.sq_residuals[-1] > self.floor and not self._is_any_left())

    def _is_any_left(self):
        """Whether a column that may be selected is outside the span of those selected."""
        left = self.scale > 0
        left[self.selected] = False
        return bool(np.any(left & (self.remaining > self.settings.dependence * self.sq_norms)))

    def _select(self):
        """One column after another; whether those left are dependent, but correlated with the residuals."""
        while self.room and self.sq_residuals[-1] > self.limit and len(self.selected) < self.basis.rank:
            size = self._sizes()
            score = self._scores(size)
            taken = False
            while not taken:
                j = int(np.argmax(score))
                if not score[j] > 0 or size[j] <= self._noise_of_rows() * self.sq_norms[j]:
                    return bool(
                        np.any(size[self.scale > 0] > 100 * self._noise_of_rows() * self.sq_norms[self.scale > 0])
                    )
                taken = self._take(j)
                score[j] = 0.0
            self.room -= 1
        return False

    def _sizes(self):
        """Squared norms of the rows of correlations, NumPy."""
        correlations = self.basis.correlations
        xp = array_namespace(correlations)
        if self.norm == 1:
            return to_numpy(xp.sum(xp.abs(correlations), axis=1)) ** 2
        return to_numpy(xp.sum(xp.abs(correlations) ** 2, axis=1))

    def _noise_of_rows(self):
        return self.noise * (self.n_targets if self.norm == 1 else 1)

    def _scores(self, size):
        settings = self.settings
        if not settings.orthogonal:
            return np.where(self.closed, 0.0, size * self.scale)
        closed = self.closed | (self.remaining <= settings.dependence * self.sq_norms)
        return np.where(closed, 0.0, size * self.preference / np.where(closed, 1.0, self.remaining))

    def _take(self, j):
        """Select column j; False if it lies in the span of the others."""
        self.closed[j] = True
        along = self.basis.append(j, self.settings.dependence)
        if along is None:
            return False
        self.remaining -= np.abs(to_numpy(along)) ** 2
        self.selected.append(j)
        self.sq_residuals.append(self.basis.sq_residual())
        return True


def _principal(target):
    """Targets (n_rows, at most n_rows) with the same ``target @ target^H``, which is all that norms of rows depend on."""
    if target.shape[1] <= target.shape[0]:
        return target
    xp = array_namespace(target)
    left, singular, _ = xp.linalg.svd(target, full_matrices=False)
    rank = max(1, int(xp.count_nonzero(singular > xp.finfo(singular.dtype).eps * singular[0])))
    return left[:, :rank] * singular[:rank]


class _ColumnBasis:
    """Gram-Schmidt on the columns themselves, done twice so that directions stay orthonormal to rounding."""

    def __init__(self, design, target, target_sq):
        self.design, self.residual = design, target
        self.rank = min(design.shape)
        self.directions: Any = None  # Q
        self.correlations = design.rmatvec(target)

    def append(self, j, dependence):
        """Add column j; its direction's products with all columns, or None if it has none of its own."""
        xp = array_namespace(self.residual)
        column = as_double(self.design.columns(np.array([j])))[:, 0]
        direction = column
        for _ in range(0 if self.directions is None else 2):
            direction = direction - self.directions @ (dagger(self.directions) @ direction)
        distance_sq = float(sq_norm(direction))
        if not distance_sq > dependence * float(sq_norm(column)):
            return None
        direction = direction / distance_sq**0.5
        known = direction[:, None]
        self.directions = known if self.directions is None else xp.concat([self.directions, known], axis=1)
        share = xp.sum(conj(known) * self.residual, axis=0)  # z
        self.residual = self.residual - direction[:, None] * share[None, :]
        along = self.design.rmatvec(direction)  # b
        self.correlations = self.correlations - along[:, None] * share[None, :]
        return along

    def sq_residual(self):
        """Squared Frobenius norm of the residuals."""
        return float(np.sum(to_numpy(sq_norm(self.residual))))


class _GramBasis:
    """The same from the Gram matrix alone: ``b = (A^H a_j - sum_q conj(b_q[j]) b_q) / d``."""

    def __init__(self, design, correlations, target_sq):
        self.matrix, self.correlations, self.left = design.matrix, correlations, target_sq
        self.rank = min(design.shape)
        self.basis = np.empty((0, design.shape[1]), dtype=np.result_type(design.matrix, np.float64))

    def append(self, j, dependence):
        """Add column j; its direction's products with all columns, or None if it has none of its own."""
        norm = float(self.matrix[j, j].real)
        distance_sq = norm - float(np.sum(np.abs(self.basis[:, j]) ** 2))
        if not distance_sq > dependence * norm:
            return None
        along = (self.matrix[:, j] - self.basis[:, j].conj() @ self.basis) / distance_sq**0.5
        self.basis = np.vstack([self.basis, along])
        share = self.correlations[j] / distance_sq**0.5
        self.correlations = self.correlations - np.outer(along, share)
        self.left = max(self.left - float(np.sum(np.abs(share) ** 2)), 0.0)
        return along

    def sq_residual(self):
        """Squared Frobenius norm of the residuals, as far as the recursion knows it."""
        return self.left
