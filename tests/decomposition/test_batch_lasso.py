"""Laws of lasso codes on a shared Gram matrix, against scikit-learn, cvxpy and a naive evaluation of gap and objective."""

import cvxpy as cp
import numpy as np
import pytest
from sklearn.linear_model import Lasso

from sparsecode.solvers.coordinate import batch
from sparsecode.solvers.coordinate.batch import batch_lasso


def problem(n_atoms=40, n_features=16, n_signals=50, seed=0):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, n_features)) * rng.uniform(0.5, 2.0, (n_atoms, 1))
    return atoms, rng.standard_normal((n_signals, n_features))


def dense(codes, n_atoms):
    matrix = np.zeros((codes.indptr.size - 1, n_atoms))
    matrix[np.repeat(np.arange(codes.indptr.size - 1), np.diff(codes.indptr)), codes.indices] = codes.values
    return matrix


def naive_objective(atoms, signal, code, alpha):
    return 0.5 * np.sum((signal - code @ atoms) ** 2) + alpha * np.sum(np.abs(code))


def naive_relative_gap(atoms, signal, code, alpha, positive=False):
    residual = signal - code @ atoms
    correlation = atoms @ residual
    top = np.max(correlation if positive else np.abs(correlation))
    limit = alpha / top if top > 0 else np.inf
    dual = residual * np.clip(signal @ residual / (residual @ residual), -limit, limit)
    value = 0.5 * signal @ signal - 0.5 * np.sum((signal - dual) ** 2)
    return (naive_objective(atoms, signal, code, alpha) - value) / (0.5 * signal @ signal)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("alpha", [0.05, 0.5, 2.0])
def test_each_code_is_the_lasso_of_its_signal(alpha, positive):
    atoms, signals = problem()
    codes = dense(batch_lasso(atoms, signals, alpha=alpha, positive=positive, tol=1e-12), len(atoms))
    for signal, code in zip(signals, codes, strict=True):
        peer = Lasso(alpha / atoms.shape[1], fit_intercept=False, positive=positive, tol=1e-13, max_iter=200_000)
        peer.fit(atoms.T, signal)
        assert naive_objective(atoms, signal, code, alpha) <= naive_objective(atoms, signal, peer.coef_, alpha) * (
            1 + 1e-12
        )
        if alpha >= 0.5:  # below, the minimum is too flat for the peer's coefficients
            np.testing.assert_allclose(code, peer.coef_, atol=1e-6)


def test_no_other_solver_finds_a_lower_objective():
    atoms, signals = problem(n_signals=3)
    codes = batch_lasso(atoms, signals, alpha=0.3)
    for signal, objective in zip(signals, codes.objectives, strict=True):
        code = cp.Variable(len(atoms))
        best = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(signal - code @ atoms) + 0.3 * cp.norm1(code))).solve(
            cp.CLARABEL
        )
        assert objective <= best * (1 + 1e-8)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_gaps_and_objectives_are_those_of_the_returned_codes(dtype, positive):
    atoms, signals = problem()
    result = batch_lasso(atoms.astype(dtype), signals.astype(dtype), alpha=0.4, positive=positive)
    assert result.values.dtype == dtype
    codes = dense(result, len(atoms))
    atoms, signals = atoms.astype(dtype).astype(float), signals.astype(dtype).astype(float)
    for i in range(len(signals)):
        assert result.objectives[i] == pytest.approx(naive_objective(atoms, signals[i], codes[i], 0.4), rel=1e-10)
        gap = naive_relative_gap(atoms, signals[i], codes[i], 0.4, positive)
        assert abs(result.gaps[i] - gap) <= 1e-12
        assert gap <= (1e-8 if dtype == np.float64 else 1e-5)


def test_a_gap_is_certified_for_dependent_atoms():
    atoms, signals = problem(n_atoms=12, n_features=6)
    rng = np.random.default_rng(1)
    atoms = np.vstack([atoms, atoms, -atoms[:3], rng.standard_normal((20, 12)) @ atoms, np.zeros((2, 6))])
    result = batch_lasso(atoms, signals, alpha=1e-3, tol=1e-7)
    codes = dense(result, len(atoms))
    assert np.all(result.gaps <= 1e-7)
    assert not codes[:, -2:].any()
    reference = batch_lasso(atoms[:12], signals, alpha=1e-3)
    assert np.all(result.objectives <= reference.objectives * (1 + 1e-6))


def test_zero_signals_get_zero_codes_and_no_gap():
    atoms, _ = problem()
    result = batch_lasso(atoms, np.zeros((3, 16)), alpha=1.0)
    assert result.indices.size == 0
    assert not result.gaps.any()


def test_codes_are_zero_exactly_from_the_largest_correlation_on():
    atoms, signals = problem(n_signals=1)
    top = np.max(np.abs(atoms @ signals[0]))
    assert batch_lasso(atoms, signals, alpha=top * 1.0000001).indices.size == 0
    assert batch_lasso(atoms, signals, alpha=top * 0.999).indices.size == 1


def test_scaling_signals_and_strength_scales_the_codes():
    atoms, signals = problem()
    reference = dense(batch_lasso(atoms, signals, alpha=0.3), len(atoms))
    for scale in (1e-9, 1e9):
        scaled = dense(batch_lasso(atoms, scale * signals, alpha=0.3 * scale), len(atoms))
        np.testing.assert_allclose(scaled, scale * reference, rtol=1e-9, atol=1e-12 * scale)


@pytest.mark.parametrize("n_jobs", [2, 3])
def test_bits_depend_neither_on_threads_nor_on_which_signals_come_along(n_jobs):
    atoms, signals = problem(n_signals=700)
    one = batch_lasso(atoms, signals, alpha=0.3, n_jobs=1)
    many = batch_lasso(atoms, signals, alpha=0.3, n_jobs=n_jobs)
    for left, right in zip(one, many, strict=True):
        np.testing.assert_array_equal(left, right)
    part = batch_lasso(atoms, signals[37:301], alpha=0.3, n_jobs=n_jobs)
    np.testing.assert_array_equal(dense(one, len(atoms))[37:301], dense(part, len(atoms)))


@pytest.mark.parametrize("positive", [False, True])
def test_coordinate_descent_alone_reaches_the_same_codes(positive):
    from sparsecode.kernels.codes import lasso_codes

    atoms, signals = problem()
    indptr, indices, values = np.empty(51, np.int64), np.empty(2000, np.int32), np.empty(2000)
    products = signals @ atoms.T, np.einsum("ij,ij->i", signals, signals)
    no_active_set = 0  # capacity: the first atom does not fit, so the other algorithm does everything
    filled = lasso_codes(
        atoms @ atoms.T, *products, 0.3, positive, 1e-14, 10_000, no_active_set, indptr, indices, values
    )
    fallback = batch.LassoCodes(indptr, indices[:filled], values[:filled], None, None)
    np.testing.assert_allclose(
        dense(fallback, len(atoms)),
        dense(batch_lasso(atoms, signals, alpha=0.3, positive=positive), len(atoms)),
        atol=1e-6,
    )


def test_a_negative_code_where_signs_are_forbidden_has_no_certificate():
    from sparsecode.kernels.codes import lasso_gaps

    one, gaps, objectives = np.ones((1, 1)), np.empty(1), np.empty(1)
    indptr, indices = np.array([0, 1]), np.zeros(1, np.int32)
    for positive, bound in ((False, 0.0), (True, np.inf)):
        lasso_gaps(one, -one, np.ones(1), 0.5, positive, indptr, indices, np.full(1, -0.5), gaps, objectives)
        assert gaps[0] == pytest.approx(bound, abs=1e-15)


def test_the_gap_of_a_positive_code_far_beyond_its_signal_is_large():
    from sparsecode.kernels.codes import lasso_gaps

    one, gaps, objectives = np.ones((1, 1)), np.empty(1), np.empty(1)
    lasso_gaps(
        one, one, np.ones(1), 1e-12, True, np.array([0, 1]), np.zeros(1, np.int32), np.full(1, 2.0), gaps, objectives
    )
    assert gaps[0] >= 1.0 - 1e-9


@pytest.mark.parametrize("size", [1e-200, 1e200])
@pytest.mark.parametrize("name", ["atoms", "signals"])
def test_rows_whose_squares_are_no_numbers_are_refused_by_name(name, size):
    atoms, signals = problem(n_signals=300)
    data = {"atoms": atoms, "signals": signals}
    data[name][17] *= size
    with pytest.raises(ValueError, match=rf"{name} has a row \(17\) .* range of float64"):
        batch_lasso(**data, alpha=0.1)


def test_inputs_are_not_changed():
    atoms, signals = problem()
    atoms.flags.writeable = signals.flags.writeable = False
    batch_lasso(np.asfortranarray(atoms), signals[::2], alpha=0.3)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"alpha": 0.0}, "alpha"),
        ({"alpha": -1.0}, "alpha"),
        ({"signals": np.ones((2, 3))}, "signals"),
        ({"signals": np.full((2, 16), np.nan)}, "signals"),
        ({"atoms": np.ones((2, 16), dtype=complex)}, "atoms"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_bad_input_is_named(change, word):
    atoms, signals = problem()
    arguments = {"atoms": atoms, "signals": signals, "alpha": 1.0, **change}
    with pytest.raises(ValueError, match=word):
        batch_lasso(arguments.pop("atoms"), arguments.pop("signals"), **arguments)
