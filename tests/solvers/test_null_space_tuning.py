"""Null-space tuning against a twin written from the paper's update, and the identities behind the implementation."""

import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, null_space_tuning
from sparsecode.designs.transforms import dct_operator
from sparsecode.losses import Squared
from sparsecode.penalties import L0Ball
from sparsecode.solvers.problem import make_problem
from sparsecode.solvers.thresholding import whitening
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.test_iht import top


def naive_nst(A, y, level, n_iter):
    """Li, Liu and Mi (1204.3700), the update as printed, on columns brought to unit norm: the iterates u."""
    size = np.linalg.norm(A, axis=0)
    unit = A / size
    u = np.zeros(A.shape[1], dtype=np.result_type(A, y))
    passed = [u]
    for k in range(1, n_iter + 1):
        x = u + unit.conj().T @ np.linalg.inv(unit @ unit.conj().T) @ (y - unit @ u)
        inside = top(x, level(k)) != 0
        held = unit[:, inside]
        u = np.zeros_like(x)
        tail = unit[:, ~inside] @ x[~inside]
        u[inside] = x[inside] + np.linalg.inv(held.conj().T @ held) @ held.conj().T @ tail
        passed.append(u)
    return [u / size for u in passed]


def walk(A, y, *args, **options):
    """Every iterate of a run."""
    passed = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        null_space_tuning(
            A,
            y,
            *args,
            **options,
            callback=lambda progress: passed.append((np.array(progress.coef), progress.certificate)),
        )
    return passed


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_nonzero", [9, None])
def test_it_walks_the_way_of_the_paper(seed, complex_, n_nonzero):
    A, y, _ = planted(40, 120, 9, seed=seed, noise=0.5, complex_=complex_)
    A = A * np.linspace(0.2, 5.0, 120)
    level = (lambda k: 9) if n_nonzero else lambda k: min(6 * k, 39)
    expected = naive_nst(A, y, level, 6)
    passed = walk(A, y, n_nonzero, max_iter=6, tol=0.0)
    assert passed
    for (found, certificate), wanted, after in zip(passed, expected, expected[1:], strict=False):
        np.testing.assert_allclose(found, wanted, atol=1e-8 * np.abs(expected[1]).max())
        size = np.linalg.norm(A, axis=0)
        if n_nonzero is None:
            assert certificate == pytest.approx(np.linalg.norm(y - A @ wanted) / np.linalg.norm(y), rel=1e-6)
        elif np.any(wanted):
            moved = np.linalg.norm(size * (after - wanted)) / np.linalg.norm(size * wanted)
            assert certificate == pytest.approx(moved, rel=1e-6, abs=1e-9)


def test_the_feedback_is_least_squares_on_the_support():
    """The identity behind the implementation: ``x_T + (A_T^H A_T)^-1 A_T^H A_R x_R = A_T^+ y`` whenever ``A x = y``."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 50))
    x = rng.standard_normal(50)
    inside = np.isin(np.arange(50), rng.choice(50, 12, replace=False))
    held = A[:, inside]
    fed_back = x[inside] + np.linalg.solve(held.T @ held, held.T @ A[:, ~inside] @ x[~inside])
    np.testing.assert_allclose(fed_back, np.linalg.pinv(held) @ (A @ x), atol=1e-10)


@pytest.mark.parametrize("kind", ["dense", "csc", "operator", "gram", *FOREIGN])
@pytest.mark.parametrize("n_nonzero", [10, None])
@pytest.mark.parametrize("n_targets", [None, 3])
def test_exact_data_are_recovered_exactly_with_or_without_a_level(kind, n_nonzero, n_targets):
    A, y, coef = planted(60, 150, 10, noise=0.0, seed=2, n_targets=n_targets)
    if kind == "gram":
        design, target = GramDesign(A.T @ A, 60, np.sum(y**2, axis=0)), A.T @ y
    elif kind in FOREIGN:
        design, target = put(A, kind), put(y, kind)
    else:
        design, target = {"dense": A, "csc": sp.csc_array(A), "operator": aslinearoperator(A)}[kind], y
    result = null_space_tuning(design, target, n_nonzero)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(get(result.coef), coef, atol=1e-6)
    np.testing.assert_array_equal(get(result.coef) != 0, coef != 0)  # nothing is left of the larger supports
    assert "residual" in result.certificate_name


@pytest.mark.parametrize("complex_", [False, True])
def test_orthonormal_columns_are_solved_by_one_hard_threshold(complex_):
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((30, 20)) + (1j * rng.standard_normal((30, 20)) if complex_ else 0))[0]
    y = rng.standard_normal(30)
    result = null_space_tuning(A, y, 7)
    np.testing.assert_allclose(result.coef, top(A.conj().T @ y, 7), atol=1e-12)
    assert result.n_iter == 1


def whitened(problem, residual):
    """The last, best answer of each form of whitening, on unit columns."""
    correlation = problem.design.rmatvec(residual)
    found = {"krylov": list(whitening.KrylovRows(problem)(residual))[-1]}
    found["columns"] = next(whitening.ColumnGram(problem)(correlation))
    if problem.design.shape[0] < problem.design.shape[1]:
        found["rows"] = next(whitening.RowGram(problem)(residual))
    return found


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_targets", [None, 3])
def test_every_form_of_whitening_is_the_pseudo_inverse(complex_, n_targets):
    A, Y, _ = planted(20, 50, 5, complex_=complex_, n_targets=n_targets)
    unit = A / np.linalg.norm(A, axis=0)
    expected = np.linalg.pinv(unit) @ Y
    for name, (step, _, bound) in whitened(make_problem(A, Y, Squared(), L0Ball(5)), Y).items():
        rounding = 2e-5 if name == "krylov" else 1e-9  # single precision serves to compare magnitudes
        np.testing.assert_allclose(step, expected, atol=rounding)
        assert np.all(bound <= 1e-5)
    operator = make_problem(aslinearoperator(A), Y, Squared(), L0Ball(5))
    step = list(whitening.KrylovRows(operator)(Y))[-1][0]
    np.testing.assert_allclose(step, expected, atol=1e-9)


def test_the_guess_of_the_error_is_near_the_error():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((100, 400))
    y = rng.standard_normal(100)
    exact = np.linalg.pinv(A / np.linalg.norm(A, axis=0)) @ y
    operator = aslinearoperator(A)
    operator.column_sq_norms = np.sum(A**2, axis=0)
    passes = list(whitening.KrylovRows(make_problem(operator, y, Squared(), L0Ball(5)))(y))[:20]
    for count, (step, guess, bound) in enumerate(passes):
        error = np.linalg.norm(step - exact)
        assert guess / 3 <= error <= 3 * guess or count < 1
        assert error <= 1.1 * bound


def test_orthonormal_rows_are_whitened_in_one_step():
    operator = dct_operator(64, np.sort(np.random.default_rng(0).choice(64, 20, replace=False)))
    operator.column_sq_norms = np.ones(64)
    y = np.random.default_rng(1).standard_normal(20)
    problem = make_problem(operator, y, Squared(), L0Ball(5))
    step, guess, _ = next(whitening.KrylovRows(problem)(y))
    np.testing.assert_allclose(step, np.linalg.pinv(operator @ np.eye(64)) @ y, atol=1e-12)


def test_a_large_design_is_whitened_roughly_and_still_ends_at_a_fixed_point(monkeypatch):
    A, y, coef = planted(150, 400, 15, noise=0.01)
    exact = null_space_tuning(A, y, 15)
    monkeypatch.setattr(whitening, "_FEW_ROWS", 10)
    monkeypatch.setattr(sys.modules[null_space_tuning.__module__], "_LARGE", 10)
    rough = null_space_tuning(A, y, 15)
    np.testing.assert_allclose(rough.coef, exact.coef, atol=1e-9)
    assert rough.status is Status.CONVERGED
    np.testing.assert_allclose(null_space_tuning(A, A @ coef).coef, coef, atol=1e-8)


def test_centred_rows_have_a_null_space_that_does_no_harm():
    A, y, coef = planted(40, 80, 4, noise=0.0)
    A, y = A - A.mean(axis=0), y - y.mean()
    np.testing.assert_allclose(null_space_tuning(A, y, 4).coef, coef, atol=1e-8)
    np.testing.assert_allclose(null_space_tuning(A, y).coef, coef, atol=1e-8)


def test_an_absolute_tolerance_ends_the_adaptive_form():
    A, y, coef = planted(60, 150, 6, noise=0.05)
    noise = np.linalg.norm(y - A @ coef)
    result = null_space_tuning(A, y, atol=1.2 * noise)
    assert result.status is Status.CONVERGED
    assert np.linalg.norm(y - A @ result.coef) <= 1.2 * noise
    assert result.certificate <= result.tol
    with pytest.raises(ValueError, match="atol"):
        null_space_tuning(A, y, 6, atol=1.0)


def test_a_residual_that_cannot_be_reached_ends_at_the_cap_with_a_warning():
    A, y, _ = planted(20, 15, 3, noise=0.5)
    with pytest.warns(ConvergenceWarning, match="relative residual"):
        result = null_space_tuning(A, y, growth=4)
    assert result.status is Status.STALLED
    np.testing.assert_allclose(result.coef, np.linalg.lstsq(A, y)[0], atol=1e-9)
    wide, y, _ = planted(12, 40, 8, noise=0.5)
    with pytest.warns(ConvergenceWarning):
        result = null_space_tuning(wide, y)
    assert np.count_nonzero(result.coef) <= 11


def test_the_support_grows_by_what_was_asked():
    A, y, _ = planted(100, 200, 25, noise=0.0)
    sizes = [np.count_nonzero(coef) for coef, _ in walk(A, y, growth=5)]
    assert len(sizes) > 4
    assert sizes == [5 * k for k in range(len(sizes))]


def test_blocks_joint_and_positive_forms_recover_what_they_suit():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 120))
    blocks = np.zeros(120)
    blocks[[6, 7, 8, 60, 61, 62, 117, 118, 119]] = rng.standard_normal(9)
    np.testing.assert_allclose(null_space_tuning(A, A @ blocks, 9, block_size=3).coef, blocks, atol=1e-8)
    rows = np.zeros((120, 8))
    rows[rng.choice(120, 14, replace=False)] = rng.standard_normal((14, 8))
    for level in (14, None):
        np.testing.assert_allclose(null_space_tuning(A, A @ rows, level, joint=True).coef, rows, atol=1e-6)
    positive = np.abs(blocks)
    for level in (9, None):
        result = null_space_tuning(A, A @ positive, level, positive=True)
        np.testing.assert_allclose(result.coef, positive, atol=1e-6)


@pytest.mark.parametrize(
    "change, word",
    [({"growth": 0}, "growth"), ({"atol": -1.0}, "atol"), ({"n_nonzero": 0}, "n_nonzero"), ({"tol": np.nan}, "tol")],
)
def test_bad_input_is_named(change, word):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=word):
        null_space_tuning(A, y, **change)
