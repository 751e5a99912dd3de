"""Sparse phase retrieval against twins written from the papers, finite differences, brute force and known answers."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, SparsePhaseRetrieval, Status, sparse_phase_retrieval
from sparsecode._validation import as_design
from sparsecode.metrics import phase_distance
from sparsecode.solvers.thresholding.phase_newton import (
    amplitude_curvature,
    held_curvature,
    intensity_curvature,
    step_on_support,
)
from sparsecode.solvers.thresholding.spectral import row_weighted_sq_norms
from sparsecode.solvers.thresholding.support_columns import SupportColumns
from tests._backends import FOREIGN, get, put


def phaseless(n_samples=150, n_features=200, sparsity=5, *, noise=0.0, complex_=False, seed=0):
    """A Gaussian design, the magnitudes of sparse measurements with some noise, and the coefficients."""
    rng = np.random.default_rng(seed)

    def gaussian(*shape):
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape)) / np.sqrt(2) if complex_ else values

    A, coef = gaussian(n_samples, n_features), np.zeros(n_features, dtype=complex if complex_ else float)
    coef[rng.choice(n_features, sparsity, replace=False)] = gaussian(sparsity)
    y = np.abs(A @ coef)
    return A, np.abs(y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(n_samples)), coef


def relative_residuals(result, y):
    return np.sqrt(2 * len(y) * np.array(result.history["objective"])) / np.linalg.norm(y)


def unit_phase(z):
    return np.where(z == 0, 1, z / np.where(z == 0, 1, np.abs(z)))


def top(values, count):
    return np.sort(np.argsort(-np.abs(values), kind="stable")[:count])


def next_support(A, y, x, count):
    """The largest entries of a gradient step of the amplitude misfit of length one, on columns of norm one."""
    norms = np.linalg.norm(A, axis=0)
    z = A @ x
    return top(norms * x + A.conj().T @ (y * unit_phase(z) - z) / norms, count)


def naive_newton(A, y, x, count):
    """One step of arXiv 2309.02046, for real problems: Newton's for f_I, constrained to vanish off the new support."""
    z, T = A @ x, next_support(A, y, x, count)
    gone = [j for j in np.flatnonzero(x) if j not in T]
    weights = np.diag(3 * z**2 - y**2)
    hessian = A[:, T].T @ weights @ A[:, T]
    right = A[:, T].T @ weights @ A[:, gone] @ x[gone] - A[:, T].T @ ((z**2 - y**2) * z)
    new = np.zeros_like(x)
    new[T] = x[T] + np.linalg.solve(hessian, right)
    return new


def naive_htp(A, y, x, count):
    """One step of arXiv 2005.08777: least squares on the new support, with the phases of A x."""
    T = next_support(A, y, x, count)
    new = np.zeros_like(x)
    new[T] = np.linalg.lstsq(A[:, T], y * unit_phase(A @ x), rcond=None)[0]
    return new


def iterates(A, y, count, **options):
    """All coefficient vectors that a solve passes through, but the last."""
    seen = []
    sparse_phase_retrieval(A, y, count, callback=lambda progress: seen.append(progress.coef), **options)
    return seen


# ---------------------------------------------------------------- the steps


@pytest.mark.parametrize("seed", range(4))
def test_newton_walks_the_way_of_the_paper(seed):
    A, y, coef = phaseless(seed=seed)
    start = coef + 0.1 * np.random.default_rng(seed).standard_normal(coef.size) * (coef != 0)
    weakest = min(np.flatnonzero(coef), key=lambda j: abs(coef[j]))
    start[weakest], start[weakest - 1] = 0.0, 0.1  # the support has to change as well
    seen = iterates(A, y, 5, init=start, tol=1e-13)
    assert len(seen) > 3
    for before, after in itertools.pairwise(seen):
        np.testing.assert_allclose(after, naive_newton(A, y, before, 5), atol=1e-10)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("complex_", [False, True])
def test_htp_walks_the_way_of_the_paper(seed, complex_):
    A, y, _ = phaseless(seed=seed, complex_=complex_, noise=0.02)
    seen = iterates(A, y, 5, method="htp", n_restarts=0, tol=1e-7)
    assert len(seen) > 1
    for before, after in itertools.pairwise(seen):
        np.testing.assert_allclose(after, naive_htp(A, y, before, 5), atol=1e-10)


FUNCTIONS = {
    "intensity": lambda z, y, z0: np.sum((np.abs(z) ** 2 - y**2) ** 2) / 4,
    "amplitude": lambda z, y, z0: np.sum((np.abs(z) - y) ** 2) / 2,
    "held": lambda z, y, z0: np.sum(np.abs(z - y * unit_phase(z0)) ** 2) / 2,
}


def derivatives(function, point, h=2e-4):
    """Gradient and Hessian by central differences."""
    size = point.size
    basis = h * np.eye(size)
    gradient = np.array([function(point + e) - function(point - e) for e in basis]) / (2 * h)
    hessian = np.array(
        [
            [
                function(point + e + f) - function(point + e - f) - function(point - e + f) + function(point - e - f)
                for f in basis
            ]
            for e in basis
        ]
    ) / (4 * h * h)
    return gradient, hessian


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("complex_", [False, True])
def test_a_step_is_that_of_finite_differences(name, complex_):
    A, y, coef = phaseless(60, 4, 4, complex_=complex_, noise=0.02, seed=1)
    x = coef + 0.05 * np.random.default_rng(0).standard_normal(4)
    columns, on, off = A[:, :3], x[:3], x[3:]
    z = A @ x
    curvatures = {"intensity": intensity_curvature, "amplitude": amplitude_curvature, "held": held_curvature}
    extra = (np.ones(60),) if name == "intensity" else ()
    curvature = curvatures[name](np.abs(z), y, *extra)
    new = step_on_support(columns, on, A[:, 3:] @ off, unit_phase(z), curvature)

    def unpack(v):
        return v[:4] + 1j * v[4:] if complex_ else v

    point = np.concatenate([x.real, x.imag]) if complex_ else x
    gradient, hessian = derivatives(lambda v: FUNCTIONS[name](A @ unpack(v), y, z), point)
    change = np.append(new - on, -off)  # the coefficient off the support becomes zero
    change = np.concatenate([change.real, change.imag]) if complex_ else change
    slope = gradient + hessian @ change  # of the quadratic model, where the step ends
    inside = np.array([0, 1, 2, 4, 5, 6]) if complex_ else np.array([0, 1, 2])
    slope = slope[inside]
    if complex_ and name != "held":
        slope = without_turn(columns, on, slope)
    assert np.max(np.abs(slope)) < 1e-4 * np.max(np.abs(gradient))


def without_turn(columns, coef, slope):
    """What is left of a gradient (real parts, then imaginary ones) but for what holds the common phase of unit columns."""
    turn = 1j * coef * np.sum(np.abs(columns) ** 2, axis=0)
    turn = np.concatenate([turn.real, turn.imag])
    return slope - turn * (turn @ slope) / (turn @ turn)


@pytest.mark.parametrize("complex_", [False, True])
def test_a_newton_step_ends_where_the_linearised_gradient_is_zero(complex_):
    A, y, coef = phaseless(80, 4, 4, complex_=complex_, noise=0.05, seed=2)
    x = coef + 0.02 * np.random.default_rng(0).standard_normal(4)
    z = A @ x
    new = step_on_support(A, x, 0 * z, unit_phase(z), amplitude_curvature(np.abs(z), y))

    def gradient(t):
        fitted = A @ (x + t * (new - x))
        return A.conj().T @ (fitted - y * unit_phase(fitted))

    h = 1e-6
    left = gradient(0.0) + (gradient(h) - gradient(-h)) / (2 * h)
    left = without_turn(A, x, np.concatenate([left.real, left.imag])) if complex_ else left
    assert np.max(np.abs(left)) < 1e-6 * np.max(np.abs(gradient(0.0)))
    turn = np.vdot(x, new - x).imag / np.linalg.norm(x)
    assert abs(turn) < 0.05 * np.linalg.norm(new - x)


def test_no_step_is_made_where_newtons_model_has_no_minimum():
    A, y, coef = phaseless(60, 4, 4)
    z = A @ (0.1 * coef)  # 3 z^2 < y^2 everywhere
    assert step_on_support(A, 0.1 * coef, 0 * z, np.sign(z), intensity_curvature(np.abs(z), y, np.ones(60))) is None


def test_dependent_columns_get_a_zero_and_the_rest_fits():
    A, y, _ = phaseless(30, 3, 3)
    columns = np.column_stack([A, A[:, 0], A[:, 1] + A[:, 2]])
    values = step_on_support(columns, np.zeros(5), 0 * y, np.ones(30), held_curvature(np.zeros(30), y))
    assert np.count_nonzero(values) == 3
    best = np.linalg.lstsq(columns, y, rcond=None)[0]
    np.testing.assert_allclose(columns @ values, columns @ best, atol=1e-9)


# ---------------------------------------------------------------- convergence


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_newton_converges_quadratically(complex_, seed):
    A, y, coef = phaseless(300, 200, 5, complex_=complex_, seed=seed)
    result = sparse_phase_retrieval(A, y, 5, tol=1e-12)
    assert result.status is Status.CONVERGED
    assert phase_distance(coef, result.coef) < 1e-11
    errors = relative_residuals(result, y)
    late = [(e, f) for e, f in itertools.pairwise(errors) if e < 0.1 and f > 1e-14]
    assert len(late) >= 2
    assert all(after < 30 * before**2 for before, after in late)
    assert len(errors) <= 12


@pytest.mark.parametrize("seed", range(3))
def test_complex_newton_is_quadratic_in_noise_where_holding_phases_is_linear(seed):
    A, y, _ = phaseless(300, 200, 5, complex_=True, noise=0.05, seed=seed)
    newton = sparse_phase_retrieval(A, y, 5, n_restarts=0, tol=1e-12)
    held = sparse_phase_retrieval(A, y, 5, n_restarts=0, tol=1e-12, method="htp")
    assert newton.status is held.status is Status.CONVERGED
    assert newton.n_iter < 15 < held.n_iter
    certificates = np.array(newton.history["certificate"])
    late = [(e, f) for e, f in itertools.pairwise(certificates) if e < 1e-3 and f > 1e-14]
    assert late
    assert all(after < 100 * before**2 for before, after in late)


def test_holding_signs_ends_after_finitely_many_steps():
    A, y, coef = phaseless(300, 200, 5)
    result = sparse_phase_retrieval(A, y, 5, method="htp", tol=1e-13)
    assert result.n_iter < 12
    assert phase_distance(coef, result.coef) < 1e-14


# what the specification of this solver measured, from the diagonal's support alone: 30 seeds, n = 1000, s = 15
REFERENCE = {"newton": {300: 0.27, 400: 0.70, 600: 0.97}, "htp": {300: 0.10, 400: 0.60, 600: 0.90}}


@pytest.mark.parametrize("method", REFERENCE)
@pytest.mark.parametrize("n_samples", [300, 400])
def test_success_rates_beat_the_reference_by_far(method, n_samples):
    rate = np.mean([recovers(n_samples, method, seed) for seed in range(12)])
    assert rate >= min(1.0, REFERENCE[method][n_samples] + 0.25)


def recovers(n_samples, method, seed):
    A, y, coef = phaseless(n_samples, 1000, 15, seed=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return phase_distance(coef, sparse_phase_retrieval(A, y, 15, method=method).coef) < 1e-3


def test_restarts_rescue_what_one_start_misses():
    rates = []
    for n_restarts in (0, 10):
        hits = 0
        for seed in range(10):
            A, y, coef = phaseless(80, 200, 6, seed=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                result = sparse_phase_retrieval(A, y, 6, n_restarts=n_restarts)
            hits += phase_distance(coef, result.coef) < 1e-6
        rates.append(hits)
    assert rates[1] >= rates[0] + 2


def starts_of(A, y, count, **options):
    """How many starts a solve made: each is the first iteration of its own."""
    numbers = []
    sparse_phase_retrieval(A, y, count, callback=lambda p: numbers.append(p.iteration), **options)
    return numbers.count(1)


def test_an_exact_fit_needs_one_start_and_a_noisy_one_takes_all():
    A, y, _ = phaseless(300)
    assert starts_of(A, y, 5) == 1
    A, y, _ = phaseless(300, noise=0.05)
    assert [starts_of(A, y, 5, n_restarts=n) for n in (0, 3)] == [1, 4]


# ---------------------------------------------------------------- the answer


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["newton", "htp"])
def test_noise_is_fitted_no_worse_than_by_the_truth_and_the_answer_is_near_it(complex_, method):
    A, y, coef = phaseless(300, noise=0.05, complex_=complex_)
    result = sparse_phase_retrieval(A, y, 5, method=method)
    assert result.status is Status.CONVERGED
    assert result.objective <= np.sum((np.abs(A @ coef) - y) ** 2) / 600
    assert result.objective == pytest.approx(np.sum((np.abs(A @ result.coef) - y) ** 2) / 600)
    assert phase_distance(coef, result.coef) < 0.02


@pytest.mark.parametrize("complex_", [False, True])
def test_both_methods_end_at_one_minimiser_of_the_amplitude_misfit(complex_):
    from scipy.optimize import minimize

    A, y, _ = phaseless(300, noise=0.1, complex_=complex_)
    newton, held = (sparse_phase_retrieval(A, y, 5, method=m, tol=1e-10) for m in ("newton", "htp"))
    assert phase_distance(newton.coef, held.coef) < 1e-8
    support = newton.support

    def misfit(v):
        z = A[:, support] @ (v[:5] + 1j * v[5:] if complex_ else v)
        return np.sum((np.abs(z) - y) ** 2) / 600

    point = newton.coef[support]
    point = np.concatenate([point.real, point.imag]) if complex_ else point
    found = minimize(misfit, 1.01 * point, method="BFGS", options={"gtol": 1e-9})
    assert newton.objective <= found.fun * (1 + 1e-9)


def test_brute_force_over_supports_and_signs_finds_nothing_better():
    for seed in range(8):
        A, y, _ = phaseless(20, 8, 2, noise=0.1, seed=seed)
        best = np.inf
        for pair in itertools.combinations(range(8), 2):
            columns = A[:, pair]
            crossings = np.sort(np.arctan2(-columns[:, 0], columns[:, 1]) % np.pi)  # where a sign of A x changes
            for angle in (crossings + np.append(crossings[1:], crossings[0] + np.pi)) / 2:
                signs = np.sign(columns @ [np.cos(angle), np.sin(angle)])
                fit = columns @ np.linalg.lstsq(columns, signs * y, rcond=None)[0]
                best = min(best, np.sum((np.abs(fit) - y) ** 2) / 40)
        found = sparse_phase_retrieval(A, y, 2).objective
        assert best * (1 - 1e-9) <= found <= 1.05 * best  # the sign of a tiny value may be another


@pytest.mark.parametrize("complex_", [False, True])
def test_the_largest_coefficient_is_positive(complex_):
    for seed in range(4):
        A, y, _ = phaseless(seed=seed, complex_=complex_)
        coef = sparse_phase_retrieval(A, y, 5).coef
        turned = sparse_phase_retrieval(A, y, 5, init=(1j if complex_ else -1) * coef).coef
        for answer in (coef, turned):
            largest = answer[np.argmax(np.abs(answer))]
            assert largest.real > 0
            assert abs(np.imag(largest)) <= 1e-15 * abs(largest)


@pytest.mark.parametrize("method", ["newton", "htp"])
def test_the_scale_of_the_columns_does_not_matter(method):
    A, y, coef = phaseless(noise=0.02)
    scale = 10.0 ** np.random.default_rng(0).uniform(-3, 3, coef.size)
    one = sparse_phase_retrieval(A, y, 5, method=method)
    other = sparse_phase_retrieval(A * scale, y, 5, method=method)
    np.testing.assert_array_equal(other.support, one.support)
    assert phase_distance(one.coef, other.coef * scale) < 1e-7


@pytest.mark.parametrize("factor", [1e-100, 1e100])
def test_extreme_scales_of_the_target_are_no_trouble(factor):
    A, y, coef = phaseless()
    result = sparse_phase_retrieval(A, factor * y, 5)
    assert result.status is Status.CONVERGED
    assert phase_distance(coef, result.coef / factor) < 1e-7


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["newton", "htp"])
def test_samples_of_weight_two_are_samples_seen_twice(complex_, method):
    A, y, _ = phaseless(200, noise=0.1, complex_=complex_)
    weights = np.random.default_rng(0).integers(0, 4, 200)
    repeated = np.repeat(A, weights, axis=0), np.repeat(y, weights)
    one = iterates(*repeated, 5, method=method, max_iter=6, n_restarts=0, tol=1e-7)
    other = iterates(A, y, 5, method=method, max_iter=6, n_restarts=0, tol=1e-7, sample_weight=weights)
    for left, right in zip(one, other, strict=True):
        assert phase_distance(left, right) < 1e-9  # every step, not the answer alone


def test_free_columns_lie_outside_the_count_and_excluded_ones_too():
    A, _, coef = phaseless()
    support = np.flatnonzero(coef)
    free, gone = (int(j) for j in np.flatnonzero(coef == 0)[[5, 6]])
    coef[free] = 0.5
    weights = np.ones(200)
    weights[free], weights[gone] = 0.0, np.inf
    result = sparse_phase_retrieval(A, np.abs(A @ coef), 5, penalty_weights=weights)
    np.testing.assert_array_equal(result.support, np.sort([*support, free]))
    assert phase_distance(coef, result.coef) < 1e-8
    weights[support[0]] = np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = sparse_phase_retrieval(A, np.abs(A @ coef), 5, penalty_weights=weights)
    assert result.coef[support[0]] == result.coef[gone] == 0


# ---------------------------------------------------------------- designs, starts, endings


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("kind", ["dense", "fortran", "single", "csc", "operator", "strict", "torch"])
def test_weighted_column_norms_are_those_of_the_definition(kind, complex_):
    from tests._backends import put

    A, y, _ = phaseless(300, 40, complex_=complex_)
    convert = {
        "dense": np.asarray,
        "fortran": np.asfortranarray,
        "single": lambda A: A.astype(np.complex64 if complex_ else np.float32),
        "csc": sp.csc_array,
        "operator": sp.linalg.aslinearoperator,
        "strict": lambda A: put(A, "array_api_strict"),
        "torch": lambda A: put(A, "torch"),
    }
    share = put(y, {"strict": "array_api_strict", "torch": "torch"}.get(kind, "numpy"))
    share = share.astype(np.float32) if kind == "single" else share
    norms = row_weighted_sq_norms(as_design(convert[kind](A)), share)
    np.testing.assert_allclose(
        norms, np.sum(y[:, None] * np.abs(A) ** 2, axis=0), rtol=1e-5 if kind == "single" else 1e-12
    )


@pytest.mark.parametrize("complex_", [False, True])
def test_an_operator_is_asked_for_no_column_twice_in_a_row(complex_):
    A, y, coef = phaseless(complex_=complex_)
    asked = []

    def matvec(x):
        if np.count_nonzero(x) == 1:
            asked.append(int(np.flatnonzero(x)[0]))
        return A @ x

    operator = LinearOperator(A.shape, matvec=matvec, rmatvec=lambda r: A.conj().T @ r, dtype=A.dtype)
    start = coef.copy()
    start[np.flatnonzero(coef)[0]] *= 1.2
    result = sparse_phase_retrieval(operator, y, 5, init=start)
    assert phase_distance(coef, result.coef) < 1e-7
    assert sorted(asked) == sorted(np.flatnonzero(coef))
    asked.clear()
    fetch = SupportColumns(as_design(operator))
    for support in ([1, 4, 7], [0, 4, 9], [0, 4, 9], [4, 9]):
        np.testing.assert_array_equal(fetch(np.array(support)), A[:, support])
    assert asked == [1, 4, 7, 0, 9]


@pytest.mark.parametrize("complex_", [False, True])
def test_single_precision_stays_single_and_close(complex_):
    A, y, coef = phaseless(complex_=complex_)
    result = sparse_phase_retrieval(A.astype(np.complex64 if complex_ else np.float32), y.astype(np.float32), 5)
    assert result.coef.dtype == (np.complex64 if complex_ else np.float32)
    assert result.tol == 1e-5
    assert phase_distance(coef, result.coef) < 1e-5


def test_a_start_is_used_alone_and_cut_to_size():
    A, y, coef = phaseless(60, 200, 5)
    seen = iterates(A, y, 5, init=coef + 1e-3)
    assert np.count_nonzero(seen[0]) == 5
    far = np.zeros(200)
    far[:5] = 1.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        assert starts_of(A, y, 5, init=far) == 1


@pytest.mark.parametrize("complex_", [False, True])
def test_coefficients_that_measure_zero_are_no_start(complex_):
    A, y, coef = phaseless(complex_=complex_)
    A[:, 7] = 0.0
    y = np.abs(A @ coef)
    blind = np.zeros((200, 2))
    blind[7, 1] = 3.0
    none = sparse_phase_retrieval(A, y, 5)
    assert none.objective < 1e-12
    for start in blind.T:
        result = sparse_phase_retrieval(A, y, 5, init=start)
        np.testing.assert_array_equal(result.coef, none.coef)
    near = coef * 1.1  # the other target starts where it is told to
    both = sparse_phase_retrieval(A, np.column_stack([y, y]), 5, init=np.column_stack([0 * coef, near]))
    np.testing.assert_array_equal(both.coef[:, 0], none.coef)
    np.testing.assert_array_equal(both.coef[:, 1], sparse_phase_retrieval(A, y, 5, init=near).coef)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("complex_", [False, True])
def test_an_operator_of_uneven_columns_is_retrieved_as_its_matrix(complex_):
    for seed in range(6):
        A, y, coef = phaseless(100, 120, noise=0.2, complex_=complex_, seed=seed)
        scale = 10.0 ** np.random.default_rng(seed).uniform(-1, 1, 120)
        near = (coef + 0.3 * np.random.default_rng(seed + 1).standard_normal(120)) / scale
        for init in (None, near):
            expected = sparse_phase_retrieval(A * scale, y, 5, init=init)
            result = sparse_phase_retrieval(aslinearoperator(A * scale), y, 5, init=init)
            np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-6)


def test_every_target_of_many_has_its_own_start_and_answer():
    A, y, coef = phaseless()
    _, z, other = phaseless(seed=1)
    z = np.abs(A @ other)
    Y = np.column_stack([1e-6 * y, 0 * y, 1e6 * z])
    result = sparse_phase_retrieval(A, Y, 5)
    assert result.status is Status.CONVERGED
    assert not np.any(result.coef[:, 1])
    errors = phase_distance(np.column_stack([1e-6 * coef, 1e6 * other]), result.coef[:, [0, 2]])
    assert np.max(errors) < 1e-7
    warm = sparse_phase_retrieval(A, Y, 5, init=result.coef)
    assert warm.n_iter <= 1


def test_duplicated_columns_share_the_work_of_one():
    A, y, coef = phaseless()
    result = sparse_phase_retrieval(np.hstack([A, A]), y, 5)
    assert result.objective < 1e-12
    assert phase_distance(coef, result.coef[:200] + result.coef[200:]) < 1e-6


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (3, 9)])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["newton", "htp"])
def test_more_coefficients_than_samples_end_with_a_status(shape, complex_, method):
    A, y, _ = phaseless(*shape, 1, complex_=complex_, noise=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        result = sparse_phase_retrieval(A, y, 5, method=method)
    assert isinstance(result.status, Status)
    assert np.all(np.isfinite(result.coef))
    if shape[0] < shape[1]:
        np.testing.assert_allclose(np.abs(A @ result.coef), y, rtol=1e-6)


def test_the_identity_is_answered_with_the_largest_magnitudes():
    result = sparse_phase_retrieval(np.eye(5), np.array([1.0, 3.0, 0.5, 2.0, 0.0]), 2)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(np.abs(result.coef), [0, 3, 0, 2, 0])
    constant = sparse_phase_retrieval(np.eye(4), np.ones(4), 4)
    np.testing.assert_allclose(np.abs(constant.coef), 1.0)


def test_a_callback_that_stops_ends_all_starts():
    A, y, _ = phaseless(noise=0.1)
    seen = []
    result = sparse_phase_retrieval(A, y, 5, callback=lambda progress: seen.append(progress) or len(seen) == 3)
    assert result.status is Status.INTERRUPTED
    assert len(seen) == 3
    assert np.any(result.coef)


def test_an_iteration_limit_is_told():
    A, y, _ = phaseless()
    with pytest.warns(ConvergenceWarning, match="relative fixed-point residual .* after 2 iterations") as caught:
        result = sparse_phase_retrieval(A, y, 5, max_iter=2)
    assert result.status is Status.MAX_ITER
    assert len(caught) == 1


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("dtype", [float, complex])
def test_what_is_no_magnitude_is_refused(dtype):
    A, y, _ = phaseless(complex_=dtype is complex)
    with pytest.raises(ValueError, match=r"y has negative entries, the least is -2; .* takes magnitudes"):
        sparse_phase_retrieval(A, np.where(np.arange(150) == 3, -2.0, y), 5)
    with pytest.raises(ValueError, match=r"y is complex; .* takes magnitudes: pass abs\(y\)"):
        sparse_phase_retrieval(A, y.astype(complex), 5)
    with pytest.raises(ValueError, match=r"y is complex"):
        sparse_phase_retrieval(A, list(y.astype(complex)), 5)


def test_a_gram_matrix_is_refused():
    A, y, _ = phaseless()
    with pytest.raises(ValueError, match="GramDesign.*pass the design itself"):
        sparse_phase_retrieval(GramDesign(A.T @ A, 150), A.T @ y, 5)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "wirtinger"}, "method must be one of 'newton', 'htp'"),
        ({"n_restarts": -1}, "n_restarts must be an integer"),
        ({"n_nonzero": 0}, "n_nonzero must be an integer"),
        ({"n_nonzero": 2.5}, "n_nonzero must be an integer"),
        ({"tol": -1.0}, "tol"),
        ({"max_iter": 0}, "max_iter"),
        ({"init": np.ones(3)}, "init has shape"),
        ({"init": np.ones(200, dtype=complex)}, "init is complex"),
    ],
)
def test_a_bad_option_is_named(options, text):
    A, y, _ = phaseless()
    with pytest.raises(ValueError, match=text):
        sparse_phase_retrieval(A, y, **{"n_nonzero": 5, **options})


@pytest.mark.parametrize("n_targets", [None, 2])
def test_where_no_column_can_be_a_start_the_answer_is_zero(n_targets):
    shape = (30,) if n_targets is None else (30, n_targets)
    result = sparse_phase_retrieval(np.zeros((30, 4)), np.ones(shape), 1)
    assert result.status is Status.CONVERGED
    assert not np.any(result.coef)


def test_a_callback_that_stops_one_target_stops_all_that_are_left():
    A, _, _ = phaseless(60, 40, 3)
    coef = np.zeros((40, 3))
    coef[:3] = np.random.default_rng(0).uniform(1, 2, (3, 3))
    y = np.abs(A @ coef)
    calls = []
    result = sparse_phase_retrieval(A, y, 3, callback=lambda progress: calls.append(progress) or True)
    assert len(calls) == 1
    assert result.status is Status.INTERRUPTED
    assert not np.any(result.coef[:, 1:])
    np.testing.assert_allclose(2 * 60 * result.objective[1:], np.sum(y[:, 1:] ** 2, axis=0))


def test_restarts_beyond_the_columns_go_on_with_pairs():
    missed = dict.fromkeys((5, 500), 0)
    for seed in range(40):
        rng = np.random.default_rng(seed)
        A, coef = rng.standard_normal((14, 6)), np.zeros(6)
        coef[rng.choice(6, 2, replace=False)] = rng.standard_normal(2)
        for few in missed:
            result = sparse_phase_retrieval(A, np.abs(A @ coef), 2, n_restarts=few)
            missed[few] += phase_distance(coef, result.coef) > 1e-6
    assert missed[500] == 0 < missed[5]


@pytest.mark.parametrize("complex_", [False, True])
def test_a_level_above_the_number_of_samples_is_clipped_with_a_warning(complex_):
    A, y, _ = phaseless(10, 50, 3, complex_=complex_)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sparse_phase_retrieval(A, y, 20, n_restarts=1)
    assert "n_nonzero=20 is more than the number of samples; 10 is used" in str(caught[0].message)


def test_nan_in_an_operator_is_named():
    A, y, _ = phaseless(30, 40, 3)
    A[2, 3] = np.nan
    with pytest.raises(ValueError, match="A contains NaN"):
        sparse_phase_retrieval(aslinearoperator(A), y, 3)


@pytest.mark.parametrize("name", FOREIGN)
def test_the_estimator_takes_sample_weights_in_every_namespace(name):
    A, y, _ = phaseless(60, 40, 3, noise=0.05)
    weights = np.random.default_rng(0).uniform(0, 2, 60)
    expected = SparsePhaseRetrieval(3).fit(A, y, sample_weight=weights).coef_
    found = SparsePhaseRetrieval(3).fit(put(A, name), put(y, name), sample_weight=weights).coef_
    np.testing.assert_allclose(get(found), expected, atol=1e-6)


def test_the_default_level_is_that_of_the_other_estimators():
    A, y, _ = phaseless(12, 400, 2)
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = SparsePhaseRetrieval(n_restarts=0).fit(A, y)
    assert np.count_nonzero(model.coef_) <= 12
