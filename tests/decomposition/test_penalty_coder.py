"""Laws of codes by coordinate moves under any penalty: the naive descent, other solvers, closed forms, exhaustive search."""

from itertools import combinations

import numpy as np
import pytest
from scipy.linalg import hadamard
from sklearn.decomposition import sparse_encode

from sparsecode import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    KSupport,
    LogSum,
    Lq,
    SparseCoder,
    fista,
    ista,
    solve,
)
from tests.decomposition.penalty_cases import (
    CONCAVE,
    CONVEX,
    JOINED,
    as_regression,
    coder,
    each,
    naive_descent,
    naive_objective,
    problem,
)

# coordinate moves


@each(CONVEX + CONCAVE)
def test_codes_are_those_of_the_naive_descent(penalty):
    atoms, signals = problem(n_atoms=24, n_features=12, n_signals=6, norms=(0.5, 1.0))
    codes = coder(atoms, penalty, gap_tol=1e-9).transform(signals)
    if isinstance(penalty, CEL0):  # charged on unit atoms
        norms = np.linalg.norm(atoms, axis=1)
        atoms, codes = atoms / norms[:, None], codes * norms
    for signal, code in zip(signals, codes, strict=True):
        np.testing.assert_allclose(code, naive_descent(atoms, signal, penalty, 1e-10), atol=1e-6)


@each(CONVEX + CONCAVE)
def test_no_coefficient_alone_can_lower_the_objective_however_far_it_jumps(penalty):
    atoms, signals = problem(n_signals=4)
    codes = coder(atoms, penalty).transform(signals)
    for signal, code in zip(signals, codes, strict=True):
        reached = naive_objective(atoms, signal, code, penalty)
        for j in range(len(atoms)):
            trials = np.repeat(code[None], 201, axis=0)
            trials[:, j] = np.linspace(-3, 3, 201)  # zero is one of them
            if getattr(penalty, "positive", False):
                trials[:, j] = np.maximum(trials[:, j], 0.0)
            values = 0.5 * np.sum((signal - trials @ atoms) ** 2, axis=1) + penalty.value(trials.T)
            assert reached <= values.min() + 1e-8


@each([*CONVEX[:3], *CONCAVE])
@pytest.mark.parametrize("squared_norm", [0.3, 1.0, 2.5])
def test_silent_ranges_are_where_the_prox_is_zero(penalty, squared_norm):
    from sparsecode.kernels.penalised import silent_ranges

    ranges, step = np.empty((2, 2)), 1.0 / squared_norm
    silent_ranges(np.diag([squared_norm, 0.0]), np.array([step, 0.0]), penalty, ranges)
    least, most = ranges[:, 0]
    assert list(ranges[:, 1]) == [-np.inf, np.inf]
    assert least == (-np.inf if getattr(penalty, "positive", False) else pytest.approx(-most))
    assert most > 0.05
    inside, outside = np.linspace(max(least, -9.0), most, 1001), most * (1 + np.geomspace(1e-12, 10, 1001))
    assert not penalty.prox(inside[1:-1], step).any()
    assert penalty.prox(outside, step).all()


@each(CONVEX + CONCAVE)
def test_the_objective_never_rises(penalty):
    from sparsecode.kernels.penalised import descent_codes, silent_ranges

    atoms, signals = problem(n_signals=20)
    gram, corr, ranges = atoms @ atoms.T, signals @ atoms.T, np.empty((2, 40))
    steps = 1.0 / np.diagonal(gram)
    silent_ranges(gram, steps, penalty, ranges)
    before = np.inf
    for n_moves in range(25):
        indptr, indices, values = np.empty(21, np.int64), np.empty(800, np.int32), np.empty(800)
        filled = descent_codes(gram, corr, steps, penalty, ranges, 1e-7, n_moves, indptr, indices, values)
        codes = np.zeros((20, 40))
        codes[np.repeat(np.arange(20), np.diff(indptr)), indices[:filled]] = values[:filled]
        now = np.array([naive_objective(atoms, x, c, penalty) for x, c in zip(signals, codes, strict=True)])
        assert np.all(now <= before + 1e-12)
        before = now


@each(CONVEX + CONCAVE)
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_objectives_and_certificates_are_those_of_the_returned_codes(penalty, dtype):
    atoms, signals = problem(n_signals=8)
    atoms, signals = atoms.astype(dtype), signals.astype(dtype)
    result = coder(atoms, penalty).encode(signals)
    assert result.coef.dtype == dtype
    assert result.status.name == "CONVERGED"
    atoms, signals = atoms.astype(float), signals.astype(float)
    codes = result.coef.astype(float)
    if isinstance(penalty, CEL0):
        norms = np.linalg.norm(atoms, axis=1)  # one up to single precision
        atoms, codes = atoms / norms[:, None], codes * norms
    for x, c, objective, certificate in zip(signals, codes, result.objective, result.certificate, strict=True):
        assert objective == pytest.approx(
            naive_objective(atoms, x, c, penalty), rel=1e-6 if dtype == np.float32 else 1e-9
        )
        top = np.max(np.abs(atoms @ x))
        grad = atoms @ (c @ atoms - x)
        if result.certificate_name == "relative stationarity":
            assert certificate == pytest.approx(np.max(penalty.subdiff_distance(grad, c)) / top, rel=1e-6, abs=1e-12)
        elif result.certificate_name == "relative prox residual":
            length = 1 / (1.3 * np.linalg.norm(atoms, 2) ** 2)
            moved = np.abs(penalty.prox(c - length * grad, length) - c)
            assert certificate == pytest.approx(np.max(moved) / length / top, rel=1e-4, abs=1e-9)
        else:
            assert result.certificate_name == "relative duality gap"


@each([*CONVEX[:3], MCP(0.3, gamma=20.0)])
def test_where_there_is_one_minimum_the_solvers_for_one_signal_find_the_same(penalty):
    rng = np.random.default_rng(0)
    atoms = np.linalg.qr(rng.standard_normal((16, 16)))[0][:12] + 0.1 * rng.standard_normal((12, 16))
    signals = rng.standard_normal((5, 16))
    codes = coder(atoms, penalty, gap_tol=1e-10).transform(signals)
    for signal, code in zip(signals, codes, strict=True):
        for one in (solve, fista):
            peer = one(*as_regression(atoms, signal), penalty=penalty, tol=1e-12).coef
            np.testing.assert_allclose(code, peer, atol=1e-6)


@each(CONCAVE)
def test_local_minima_are_on_average_no_worse_than_those_of_proximal_gradient_from_zero(penalty):
    atoms, signals = problem(n_signals=30)
    result = coder(atoms, penalty).encode(signals)
    peer = ista(*as_regression(atoms, signals.T), penalty=penalty, tol=1e-6, max_iter=2000).coef.T
    objectives = [naive_objective(atoms, x, c, penalty) for x, c in zip(signals, peer, strict=True)]
    # where the penalty is nearly convex, minima differ little and either may be ahead
    assert np.mean(result.objective) <= (1.03 if isinstance(penalty, SCAD | LogSum) else 1.0) * np.mean(objectives)


def test_l0_codes_are_near_the_best_of_all_supports():
    atoms, signals = problem(n_atoms=12, n_features=8, n_signals=40)
    best = 0.5 * np.sum(signals**2, axis=1)
    for size in range(1, 9):
        for support in combinations(range(12), size):
            columns = atoms[list(support)].T
            left = signals.T - columns @ np.linalg.lstsq(columns, signals.T, rcond=None)[0]
            best = np.minimum(best, 0.5 * np.sum(left**2, axis=0) + size)
    found = coder(atoms, L0(1.0)).encode(signals).objective / best
    assert found.min() >= 1 - 1e-9
    assert found.mean() <= 1.04
    assert np.mean(found <= 1 + 1e-9) >= 0.7


@each(CONVEX + CONCAVE + JOINED)
def test_over_orthonormal_atoms_codes_are_the_prox_of_the_correlations(penalty):
    atoms = hadamard(16) / 4.0
    signals = problem()[1]
    codes = coder(atoms, penalty, gap_tol=1e-9).transform(signals)
    np.testing.assert_allclose(codes, penalty.prox((signals @ atoms.T).T, 1.0).T, atol=1e-7)


def test_the_k_support_norm_codes_signals():  # by root finding in each prox: slow, so only where one step is enough
    atoms, signals = hadamard(16) / 4.0, problem(n_signals=3)[1]
    codes = coder(atoms, KSupport(0.3, 3)).transform(signals)
    np.testing.assert_allclose(codes, KSupport(0.3, 3).prox((signals @ atoms.T).T, 1.0).T, atol=1e-5)


def test_codes_of_the_l1_norm_are_those_of_the_lasso_and_of_scikit_learn():
    atoms, signals = problem()
    codes = coder(atoms, L1(0.4), gap_tol=1e-12).transform(signals)
    lasso = SparseCoder(atoms, algorithm="lasso", alpha=0.4, gap_tol=1e-12).transform(signals)
    np.testing.assert_allclose(codes, lasso, atol=1e-6)
    peer = sparse_encode(signals, atoms, algorithm="lasso_cd", alpha=0.4, max_iter=100_000)
    np.testing.assert_allclose(codes, peer, atol=2e-2)  # its tolerance cannot be set
    np.testing.assert_array_less(
        [naive_objective(atoms, x, c, L1(0.4)) for x, c in zip(signals, codes, strict=True)],
        [naive_objective(atoms, x, c, L1(0.4)) + 1e-9 for x, c in zip(signals, peer, strict=True)],
    )


# column norms


@pytest.mark.parametrize("dynamics", ["prox", "lca"])
def test_cel0_follows_the_norms_of_the_atoms(dynamics):
    atoms, signals = problem(norms=(0.2, 3.0))
    norms = np.linalg.norm(atoms, axis=1)
    scaled = coder(atoms, CEL0(0.2), dynamics=dynamics).encode(signals)
    unit = coder(atoms / norms[:, None], CEL0(0.2), dynamics=dynamics).encode(signals)
    np.testing.assert_allclose(scaled.coef * norms, unit.coef, atol=1e-9)
    np.testing.assert_allclose(scaled.objective, unit.objective)
    np.testing.assert_allclose(scaled.certificate, unit.certificate, atol=1e-9)


def test_cel0_codes_are_minima_of_the_l0_penalty_too():
    atoms, signals = problem(norms=(0.2, 3.0))
    result = coder(atoms, CEL0(0.2)).encode(signals)
    for x, c, objective in zip(signals, result.coef, result.objective, strict=True):
        assert objective == pytest.approx(naive_objective(atoms, x, c, L0(0.2)), rel=1e-6)
        support = np.flatnonzero(c)
        fitted = np.linalg.lstsq(atoms[support].T, x, rcond=None)[0]
        np.testing.assert_allclose(c[support], fitted, atol=1e-4)


@each([L1(0.3), MCP(0.4), L0(0.2), Lq(0.3)])
def test_atoms_of_norm_zero_are_never_used(penalty):
    atoms, signals = problem()
    atoms[[3, 17]] = 0.0
    result = coder(atoms, penalty).encode(signals)
    assert not result.coef[:, [3, 17]].any()
    assert result.status.name == "CONVERGED"
