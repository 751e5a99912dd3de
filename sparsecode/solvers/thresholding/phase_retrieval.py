"""Sparse phase retrieval: few coefficients from the magnitudes of their measurements.

    minimise over coef   || |A coef| - y ||**2   subject to at most n_nonzero non-zero coefficients

Both methods choose the support by one thresholded gradient step and then solve on it: a Newton step of the intensity misfit
``(|A coef|**2 - y**2)**2``, or least squares with the signs (complex phases) of ``A coef`` held. A Newton step that would
raise the amplitude misfit is replaced by the other one, and where noise keeps the intensity from falling further, Newton goes
on with the amplitude misfit itself: both methods end at the same stationary points.

Cai, Long, Wen and Ying, "A fast and provable algorithm for sparse phase retrieval", 2023, arXiv 2309.02046.
Cai, Li, Lu and Wen, "Sparse signal recovery from phaseless measurements via hard thresholding pursuit", 2020,
arXiv 2005.08777.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice
from typing import Any

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, is_complex, real_like, sq_norm, to_numpy
from ..._validation import as_count, as_design, as_sample_weight, as_target, check_columns, weighted
from ...designs import GramDesign
from ...losses.amplitude import Amplitude, magnitude, phase
from ...penalties import L0Ball
from ...result import SolveResult, Status, announce
from ..certificates import fixed_point, thresholded_step
from ..driver import State, drive
from ..problem import Problem, make_problem
from .phase_newton import amplitude_curvature, held_curvature, intensity_curvature, step_on_support
from .setting import as_sparsity, tolerance
from .spectral import spectral_starts
from .support_columns import SupportColumns

__all__ = ["as_magnitudes", "solve_phase_retrieval", "sparse_phase_retrieval"]

METHODS = ("newton", "htp")
_HALF = 0.25  # of the squared residual: Newton steps that gain less are held back by noise, not by distance
_PATIENCE = 20  # iterations without a better fit or certificate before a start is given up
_EXACT = 100.0  # a relative residual of this many tolerances needs no second start
_SAME = 1e-6  # relative difference of misfits that are equal


def sparse_phase_retrieval(
    A,
    y,
    n_nonzero,
    *,
    method="newton",
    init=None,
    n_restarts=10,
    penalty_weights=None,
    sample_weight=None,
    max_iter=100,
    tol=1e-8,
    callback=None,
):
    """Find few coefficients whose measurements ``A @ coef`` have the magnitudes `y`.

    Minimises ``|| |A @ coef| - y ||^2`` subject to at most `n_nonzero` non-zero coefficients. Signs (phases of complex
    measurements) are lost, so coefficients are known up to one sign (phase) for all: of the equivalent answers, the one whose
    largest coefficient is positive is returned.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design, real or complex; the coefficients are real or complex likewise. The starts suppose rows in general
        position, such as random ones; with others, pass `init`.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        Magnitudes, real and not negative. Targets are solved one by one.
    n_nonzero : int
        Sparsity level; clipped, with a warning, to the number of features or samples.
    method : {"newton", "htp"}, default="newton"
        "newton": Newton steps of the intensity misfit on the thresholded support, quadratically convergent; then, if there is
        noise, of the amplitude misfit. "htp": least squares with the phases held; each step is a little cheaper and needs no
        second derivative.
    init : array of shape (n_features,) or (n_features, n_targets), optional
        Where to start. No other start is tried then. Coefficients that measure zero, such as zeros, have no phases to go by and
        count as none given.
    n_restarts : int, default=10
        How many further starts are tried while the relative residual is above 100 tolerances; with noise that is all of them. Each
        is made from another column, then from another pair of columns, until those are used up too
        (about ``2 n_features ** 2`` starts, twice as many in complex problems). The answer of least misfit is returned.
    penalty_weights : array of shape (n_features,), optional
        Magnitudes are divided by their weight before the largest are kept: inf excludes a column, 0 always keeps it (outside
        the count of `n_nonzero`).
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples.
    max_iter : int, default=100
        Iterations from each start.
    tol : float, default=1e-8
        Largest relative fixed-point residual, see Notes. In single precision at least 1e-5 is used.
    callback : callable, optional
        Called with a `Progress` at each iteration; return True to stop.

    Returns
    -------
    SolveResult
        The objective is ``|| |A coef| - y ||^2 / (2 n_samples)``; the certificate is the relative fixed-point residual; the
        history is that of the start that led to the answer, and of the slowest target.

    Raises
    ------
    ValueError
        If `y` is negative or complex, `A` is a GramDesign, shapes disagree, data are not finite, or `n_nonzero` is not a
        positive integer.

    See Also
    --------
    SparsePhaseRetrieval : The same as an estimator.
    sparsecode.metrics.phase_distance : Error up to the sign or phase.

    Notes
    -----
    With the phases of ``A @ coef`` held, the problem is least squares, and the certificate is that of hard thresholding
    pursuit: by how much, relative to its size, one thresholded gradient step moves `coef`. It is zero where least squares on
    the support cannot be improved and no column off the support would overtake one on it. It proves a stationary point,
    with noise or without. That the point is the right one is seen from the objective: at the truth, the relative residual
    ``sqrt(2 n_samples objective) / ||y||`` is the relative noise, and it is of the order of the certificate without noise,
    while points that are stationary only have residuals of a tenth and more.

    Columns count as if they had unit norm. A matrix-free design is asked for the columns of each support; for their norms, if
    it has more than 64 rows and no attribute `column_sq_norms`, by one product for each row or column; and for ``n_samples``
    products with its adjoint before the first start unless `init` is given.

    References
    ----------
    Cai, Long, Wen and Ying, "A fast and provable algorithm for sparse phase retrieval", 2023, arXiv 2309.02046.
    Cai, Li, Lu and Wen, "Sparse signal recovery from phaseless measurements via hard thresholding pursuit", 2020,
    arXiv 2005.08777.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import sparse_phase_retrieval
    >>> A = np.random.default_rng(0).standard_normal((60, 100))
    >>> coef = np.zeros(100); coef[[7, 77]] = 2.0, -1.0
    >>> result = sparse_phase_retrieval(A, np.abs(A @ coef), n_nonzero=2)
    >>> result.support, result.coef[result.support].round(6)
    (array([ 7, 77]), array([ 2., -1.]))
    """
    design = as_design(A)
    result = solve_phase_retrieval(
        design,
        as_magnitudes(y, design),
        n_nonzero,
        method=method,
        init=init,
        n_restarts=n_restarts,
        penalty_weights=penalty_weights,
        sample_weight=sample_weight,
        max_iter=max_iter,
        tol=tol,
        callback=callback,
    )
    return announce(result)


def as_magnitudes(y, design, name="y"):
    """The target as validated magnitudes, in a complex dtype where the design is complex."""
    if isinstance(design, GramDesign):
        raise ValueError(
            "A is a GramDesign, but magnitudes have no normal equations; pass the design itself to retrieve phases."
        )
    real_design = "complex" not in str(design.dtype)
    target = as_target(y, design, name)
    given = y.dtype if hasattr(y, "dtype") else np.asarray(y).dtype
    if "complex" in str(given) or (real_design and is_complex(target)):
        raise ValueError(f"{name} is complex; phase retrieval takes magnitudes: pass abs({name}).")
    size = magnitude(target)
    xp = array_namespace(size)
    if bool(xp.any(size < 0)):
        least = float(xp.min(size))
        raise ValueError(
            f"{name} has negative entries, the least is {least:g}; phase retrieval takes magnitudes: pass abs({name}), or "
            "clip measurements that noise made negative."
        )
    return target


def solve_phase_retrieval(
    design,
    target,
    n_nonzero,
    *,
    method="newton",
    init=None,
    n_restarts=10,
    penalty_weights=None,
    sample_weight=None,
    max_iter=100,
    tol=1e-8,
    callback=None,
    level_name="n_nonzero",
) -> SolveResult:
    """The solve itself, without a warning; `target` comes from `as_magnitudes`."""
    if method not in METHODS:
        raise ValueError(f"method must be one of {', '.join(map(repr, METHODS))}; got {method!r}.")
    count = as_sparsity(n_nonzero, design.shape, name=level_name)
    n_restarts = as_count(n_restarts, "n_restarts", minimum=0)
    weight = as_sample_weight(sample_weight, design.shape[0])
    rows, magnitudes = weighted(design, target, weight)
    check_columns(rows)
    rows = rows.with_exact_norms()  # by which supports are chosen
    problem = make_problem(rows, magnitudes, Amplitude(), L0Ball(count), penalty_weights=penalty_weights)
    start = None if init is None else problem.start(init)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": tolerance(problem, tol), "callback": callback}

    def solve(index, stopped=False):
        one = Problem(rows, problem.target[index], problem.loss, problem.penalty, problem.penalty_weights)
        if stopped:
            return _untouched(one, options["tol"])
        given = None if start is None else start[index]
        if given is not None and bool(one.xp.any(rows.product(given) != 0)):
            return _best_of(iter([given]), one, method, weight, n_restarts, options, from_zero=False)
        starts = _starts(design, target[index], one, weight)
        return _best_of(starts, one, method, weight, n_restarts, options, from_zero=True)

    if target.ndim == 1:
        return solve(...)
    results: list[SolveResult] = []
    for p in range(target.shape[1]):  # a callback that stops one target stops all that are left
        results.append(solve((slice(None), p), any(result.status is Status.INTERRUPTED for result in results)))
    return _together(results)


def _starts(design, target, problem, weight):
    """Spectral starts in the precision of the problem; zeros where no column can be a start."""
    none = True
    for coef in spectral_starts(design, target, weight, problem.penalty, problem.penalty_weights):
        yield problem.xp.astype(coef, problem.target.dtype, copy=False)
        none = False
    if none:
        yield problem.start()


def _untouched(problem, tol):
    """The result of a target that no iteration has seen: zeros."""

    def steps():
        yield State(problem.start(), finished=True)

    result = drive(steps(), lambda coef: fixed_point(problem, coef), max_iter=1, tol=tol)
    return replace(result, status=Status.INTERRUPTED)


def _best_of(starts, problem, method, weight, n_restarts, options, *, from_zero):
    """Solve from one start after another, until the fit is exact; the answer of least misfit."""
    best: Any = None
    size = float(sq_norm(problem.target))
    for coef in islice(starts, 1 + n_restarts):
        steps = _steps(problem, coef, method, weight, from_zero)
        result = drive(steps, lambda coef: fixed_point(problem, coef), **options)
        interrupted = result.status is Status.INTERRUPTED
        if best is None or _is_better(result, best):
            best = result
        if interrupted:
            best = replace(best, status=Status.INTERRUPTED)
        exact = 2.0 * problem.n_samples * best.objective <= (_EXACT * options["tol"]) ** 2 * size
        if interrupted or exact:
            break
    return replace(best, coef=_with_free_phase_fixed(best.coef))


def _is_better(result, best):
    """Whether its misfit is lower; of equals, whether only it is certified."""
    margin = _SAME * best.objective
    if result.status.is_success and not best.status.is_success:
        return result.objective <= best.objective + margin
    return result.objective < best.objective - margin


def _steps(problem, coef, method, weight, from_zero):
    """Yield one coefficient vector after another, for ever; all but the yielded coefficients is in double precision.

    A start that was computed is the first iteration, from zero.
    """
    if from_zero:
        yield State(0 * coef, certify=False)
    xp, dtype = problem.xp, problem.target.dtype
    wide = problem.in_double()
    fetch = SupportColumns(wide.design)
    magnitudes = magnitude(wide.target)
    relief = _relief(weight, magnitudes)
    coef = _feasible(wide, as_double(coef))
    fitted = wide.design.product(coef)
    curvature = "held" if method == "htp" else "intensity"
    patience = _Patience()
    certificate = yield State(xp.astype(coef, dtype))
    while True:
        value = float(certificate.objective)
        waited = patience.waited(value, float(certificate.value))
        moved, _ = thresholded_step(wide, coef, certificate.point)
        support = np.flatnonzero(to_numpy(moved != 0))
        before = to_numpy(coef)
        columns = fetch(support)
        values = _solve_on(columns, before[support], fitted, magnitudes, relief, curvature)
        new = np.zeros_like(before)
        new[support] = values
        new = as_double(asarray_like(new, problem.target, dtype=dtype))
        kept = np.array_equal(support, np.flatnonzero(before))
        fitted = columns @ asarray_like(to_numpy(new)[support], columns, dtype=columns.dtype)
        unchanged = bool(xp.all(new == coef))
        coef = new
        certificate = yield State(xp.astype(coef, dtype), finished=unchanged or waited >= _PATIENCE)
        if curvature == "intensity" and kept and float(certificate.objective) > _HALF * value:
            curvature = "amplitude"


def _solve_on(columns, coef, fitted, magnitudes, relief, curvature):
    """The step on the support: Newton's, if its model has a minimum and the misfit does not rise, else with phases held."""
    xp = array_namespace(columns)
    size, phases = xp.abs(fitted), phase(fitted)
    left = fitted - columns @ asarray_like(coef, columns, dtype=columns.dtype)
    newton = None
    if curvature == "intensity":
        newton = intensity_curvature(size, magnitudes, relief)
    elif curvature == "amplitude" and is_complex(columns):  # of real problems it is the step with signs held
        newton = amplitude_curvature(size, magnitudes)
    if newton is not None:
        values = step_on_support(columns, coef, left, phases, newton)
        if values is not None and _misfit(columns, values, magnitudes) <= float(sq_norm(size - magnitudes)):
            return values
    return step_on_support(columns, coef, left, phases, held_curvature(size, magnitudes))


def _misfit(columns, coef, magnitudes):
    xp = array_namespace(columns)
    return float(sq_norm(xp.abs(columns @ asarray_like(coef, columns, dtype=columns.dtype)) - magnitudes))


def _feasible(problem, coef):
    """A start with no more coefficients than allowed."""
    norms = real_like(np.sqrt(problem.design.column_sq_norms()), coef)
    return problem.xp.where(problem.penalty.keep(norms * coef, problem.coef_weights), coef, 0 * coef)


def _relief(weight, magnitudes):
    """What undoes that intensities of weighted rows are weighted twice, in units of the target."""
    xp = array_namespace(magnitudes)
    scale = float(xp.max(magnitudes)) ** 2 or 1.0
    if weight is None:
        return xp.ones_like(magnitudes) / scale
    inverse = np.divide(1.0, weight, out=np.zeros_like(weight), where=weight > 0)
    return asarray_like(inverse / scale, magnitudes, dtype=magnitudes.dtype)


def _with_free_phase_fixed(coef):
    """The same answer with its largest coefficient positive."""
    xp = array_namespace(coef)
    size = xp.abs(coef)
    largest = coef[int(xp.argmax(size))]
    if not bool(largest != 0):
        return coef
    if not is_complex(coef):
        return coef if bool(largest > 0) else -coef
    return coef * (xp.conj(largest) / xp.abs(largest))


def _together(results):
    """One result of many targets: the worst status, the history of the slowest."""
    xp = array_namespace(results[0].coef)
    slowest = max(results, key=lambda result: result.n_iter)
    order = [Status.INTERRUPTED, Status.DIVERGED, Status.STALLED, Status.MAX_ITER, Status.CONVERGED]
    return replace(
        slowest,
        coef=xp.stack([result.coef for result in results], axis=1),
        status=min((result.status for result in results), key=order.index),
        objective=np.array([result.objective for result in results]),
        certificate=np.array([result.certificate for result in results]),
    )


class _Patience:
    """Counts iterations in which neither misfit nor certificate came down by a hundredth, or a tenth."""

    def __init__(self):
        self.misfit = self.certificate = np.inf
        self.count = 0

    def waited(self, misfit, certificate):
        """Iterations without progress so far."""
        self.count += 1
        if misfit < 0.99 * self.misfit:
            self.misfit, self.count = misfit, 0
        if certificate < 0.9 * self.certificate:
            self.certificate, self.count = certificate, 0
        return self.count
