"""Matching pursuit against its definition, closed forms, and the least-squares fits it converges to."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, mp, omp
from sparsecode.solvers.greedy import mp as module_function
from tests._backends import FOREIGN, get, put
from tests.planted import planted


def twin(A, y, steps, n_nonzero=None, weights=None, positive=False):
    """The definition: columns and coefficients (n_features, steps + 1) step by step, with the residual at hand."""
    n_nonzero = A.shape[1] if n_nonzero is None else n_nonzero
    weights = np.ones(A.shape[1]) if weights is None else weights
    coef, residual, order, used = np.zeros(A.shape[1], dtype=A.dtype), y.astype(A.dtype), [], set()
    path = [coef.copy()]
    for _ in range(steps):
        best = (0.0, None, None)
        for j in range(A.shape[1]):
            if len(used) == n_nonzero and j not in used:
                continue
            change = np.vdot(A[:, j], residual) / np.vdot(A[:, j], A[:, j]).real
            if positive:
                change = max(change, -coef[j])
            fall = np.linalg.norm(residual) ** 2 - np.linalg.norm(residual - change * A[:, j]) ** 2
            if fall / weights[j] ** 2 > best[0]:
                best = (fall / weights[j] ** 2, j, change)
        _, j, change = best
        coef[j] += change
        residual = residual - change * A[:, j]
        used.add(j)
        order.append(j)
        path.append(coef.copy())
    return order, np.stack(path, axis=1)


def walk(A, y, steps, **options):
    """That many steps of ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return mp(A, y, max_iter=steps, return_path=True, **options)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_nonzero", [3, None])
def test_every_step_is_the_one_of_the_definition(complex_, n_nonzero):
    A, y, _ = planted(15, 12, 4, noise=0.5, complex_=complex_)
    A = A * np.linspace(0.1, 9.0, 12)
    order, path = twin(A, y, 25, n_nonzero)
    result = walk(A, y, 25, tol=1e-12, n_nonzero=n_nonzero)
    assert result.history["selected"] == order
    np.testing.assert_allclose(result.history["path"], path, atol=1e-10)
    np.testing.assert_allclose(result.coef, path[:, -1], atol=1e-10)


def test_positive_steps_end_at_zero():
    A, _, coef = planted(15, 12, 4, noise=0.0, seed=41)
    A = A + 1.2  # correlated columns: coefficients have to fall again
    y = A @ np.abs(coef) + np.random.default_rng(41).standard_normal(15)
    order, path = twin(A, y, 40, positive=True)
    result = walk(A, y, 40, tol=1e-12, positive=True)
    assert result.history["selected"] == order
    np.testing.assert_allclose(result.history["path"], path, atol=1e-10)
    assert np.any((path[:, 1:] == 0) & (path[:, :-1] > 0))  # some coefficient did fall to zero
    assert np.all(result.history["path"] >= 0)


def test_positive_pursuit_converges_to_nonnegative_least_squares():
    A, y, _ = planted(30, 12, 4, noise=2.0, seed=1)
    result = mp(A, y, n_nonzero=12, positive=True, max_iter=100_000)
    np.testing.assert_allclose(result.coef, nnls(A, y)[0], atol=1e-6)


def test_weights_divide_correlations():
    A, y, _ = planted(15, 12, 4, noise=0.5)
    weights = np.random.default_rng(0).uniform(0.3, 3.0, 12)
    order, path = twin(A, y, 20, weights=weights)
    for factor in (1.0, 1e-100):
        result = walk(A, y, 20, tol=1e-12, penalty_weights=factor * weights)
        assert result.history["selected"] == order
        np.testing.assert_allclose(result.history["path"], path, atol=1e-10)


def test_orthonormal_columns_take_k_steps_to_the_largest_correlations():
    A = np.linalg.qr(np.random.default_rng(0).standard_normal((20, 12)))[0]
    y = np.random.default_rng(1).standard_normal(20)
    wanted = A.T @ y
    wanted[np.argsort(-np.abs(wanted))[5:]] = 0
    result = walk(A, y, 5, n_nonzero=5)
    np.testing.assert_allclose(result.coef, wanted, atol=1e-14)
    assert sorted(result.history["selected"]) == np.flatnonzero(wanted).tolist()


@pytest.mark.parametrize("n_targets", [None, 5])
def test_the_pursuit_ends_at_least_squares_on_its_support(n_targets):
    A, Y, _ = planted(40, 60, 4, n_targets=n_targets, noise=1.0)
    result = mp(A, Y, n_nonzero=6)
    assert result.status is Status.CONVERGED
    columns, targets = result.coef.reshape(60, -1).T, Y.reshape(40, -1).T
    for coef, y in zip(columns, targets, strict=True):
        support = np.flatnonzero(coef)
        assert support.size == 6
        np.testing.assert_allclose(coef[support], np.linalg.lstsq(A[:, support], y)[0], atol=1e-7)


def test_the_first_atoms_are_those_of_a_plain_pursuit():
    A, y, _ = planted(40, 60, 4, noise=1.0)
    order = walk(A, y, 30, tol=1e-12).history["selected"]
    first = list(dict.fromkeys(order))[:5]
    assert set(mp(A, y, n_nonzero=5).support) == set(first)


def test_no_pair_of_columns_does_better_on_an_easy_design():
    A, y, _ = planted(30, 10, 2, noise=0.01, seed=4)
    errors = {
        pair: np.linalg.norm(y - A[:, pair] @ np.linalg.lstsq(A[:, pair], y)[0])
        for pair in itertools.combinations(range(10), 2)
    }
    assert tuple(mp(A, y, n_nonzero=2).support) == min(errors, key=errors.get)


@pytest.mark.parametrize("n_targets", [None, 4])
@pytest.mark.parametrize("factor", [1e-9, 1.0, 1e9])
def test_a_residual_tolerance_is_met_and_no_step_wasted(n_targets, factor):
    A, Y, _ = planted(40, 60, 4, n_targets=n_targets, noise=0.2)
    Y = factor * Y
    result = mp(A, Y, tol=0.1)
    left = np.linalg.norm(Y - A @ result.coef, axis=0) / np.linalg.norm(Y, axis=0)
    assert np.all(left <= 0.1)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.certificate, left, rtol=1e-10)
    assert result.certificate_name == "relative residual norm"
    if n_targets is None:
        short = walk(A, Y, result.n_iter - 1, tol=0.1)
        assert short.certificate > 0.1


def test_an_absolute_tolerance_is_met():
    A, Y, _ = planted(40, 60, 4, n_targets=3, noise=0.2)
    limit = 0.2 * np.linalg.norm(Y[:, 0])
    result = mp(A, Y, atol=limit)
    left = np.linalg.norm(Y - A @ result.coef, axis=0)
    assert np.all(left <= limit)
    np.testing.assert_allclose(result.certificate, left / limit)
    assert (result.tol, result.certificate_name) == (1.0, "residual norm over its limit")


def test_single_precision_meets_its_tolerance():
    A, Y, _ = planted(40, 60, 4, n_targets=20, noise=0.2, dtype=np.float32)
    result = mp(A, Y, tol=1e-3)
    assert result.coef.dtype == np.float32
    assert result.status is Status.CONVERGED


def test_a_tolerance_out_of_reach_ends_with_a_warning():
    A, y, _ = planted(40, 60, 4, noise=0.5)
    result = mp(A, y, n_nonzero=2, tol=1e-3)
    assert result.status is Status.CONVERGED  # by the other stop that was asked for
    assert result.certificate <= result.tol == 1.0
    support = result.support
    np.testing.assert_allclose(result.coef[support], np.linalg.lstsq(A[:, support], y)[0], atol=1e-6)
    with pytest.warns(ConvergenceWarning) as caught:
        assert mp(A, y, n_nonzero=6, max_iter=3).status is Status.MAX_ITER
    assert len(caught) == 1


def test_a_start_is_no_answer_while_columns_may_still_enter():
    A, y, _ = planted(40, 60, 4, noise=0.5)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        first = mp(A, y, n_nonzero=6, max_iter=1)
    assert first.certificate > 0.1  # least squares on one column, but five more are asked for


KINDS = {
    "csc": lambda A, Y: (sp.csc_array(A), Y),
    "operator": lambda A, Y: (aslinearoperator(A), Y),
    "operator without norms": lambda A, Y: (
        LinearOperator(A.shape, matvec=lambda v: A @ v, rmatvec=lambda v: A.conj().T @ v, dtype=A.dtype),
        Y,
    ),
    "gram": lambda A, Y: (GramDesign(A.conj().T @ A, A.shape[0], np.sum(np.abs(Y) ** 2, axis=0)), A.conj().T @ Y),
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_targets", [None, 3, 30])
def test_every_kind_of_design_gives_the_dense_answer(kind, complex_, n_targets):
    A, Y, _ = planted(70, 30, 4, n_targets=n_targets, noise=0.3, complex_=complex_)
    for options in ({"n_nonzero": 5}, {"tol": 0.2}):
        expected, result = mp(A, Y, **options), mp(*KINDS[kind](A, Y), **options)
        np.testing.assert_allclose(result.coef, expected.coef, atol=1e-9)
        assert result.status is Status.CONVERGED


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("n_targets", [None, 3])
def test_every_namespace_gives_the_numpy_answer(name, n_targets):
    A, Y, _ = planted(30, 40, 4, n_targets=n_targets, noise=0.3)
    weights = np.ones(40)
    weights[[3, 9]] = 0.0, np.inf
    options = {"n_nonzero": 4, "penalty_weights": weights, "return_path": n_targets is None}
    expected, result = mp(A, Y, **options), mp(put(A, name), put(Y, name), **options)
    assert type(result.coef) is type(put(Y, name))
    np.testing.assert_allclose(get(result.coef), expected.coef, atol=1e-10)
    if n_targets is None:
        assert result.history["selected"] == expected.history["selected"]
        np.testing.assert_allclose(get(result.history["path"]), expected.history["path"], atol=1e-10)


def test_columns_are_cached_or_not_with_the_same_answer(monkeypatch):
    import sys

    A, Y, _ = planted(40, 60, 4, n_targets=3, noise=0.5)
    expected = mp(A, Y, tol=0.05)
    monkeypatch.setattr(sys.modules[module_function.__module__], "_CACHE_BYTES", 16 * 60 * 5)
    np.testing.assert_allclose(mp(A, Y, tol=0.05).coef, expected.coef, atol=1e-9)
    monkeypatch.setattr(sys.modules[module_function.__module__], "_MAX_GRAM", 0)
    np.testing.assert_allclose(mp(A, Y, tol=0.05).coef, expected.coef, atol=1e-9)


def test_free_columns_are_chosen_first_and_not_counted():
    A, y, _ = planted(40, 60, 4, noise=0.5)
    weights = np.ones(60)
    weights[[7, 20]] = 0.0
    weights[11] = np.inf
    result = mp(A, y, n_nonzero=3, penalty_weights=weights, return_path=True)
    assert result.history["selected"][:2] == [7, 20]
    assert np.count_nonzero(np.delete(result.coef, [7, 20])) == 3
    assert result.coef[11] == 0
    support = result.support
    np.testing.assert_allclose(result.coef[support], np.linalg.lstsq(A[:, support], y)[0], atol=1e-7)


def test_dependent_columns_end_with_the_best_fit():
    A, y, _ = planted(10, 6, 3, noise=0.5)
    result = mp(np.hstack([A, 2 * A, 0 * A]), y, n_nonzero=10)
    assert np.all(np.isfinite(result.coef))
    residual = y - np.hstack([A, 2 * A, 0 * A]) @ result.coef
    np.testing.assert_allclose(residual, y - A @ np.linalg.lstsq(A, y)[0], atol=1e-6)


def test_it_needs_more_columns_than_omp_for_the_same_residual():
    A, y, _ = planted(40, 60, 8, noise=0.1)
    A += 0.3
    assert mp(A, y, tol=0.05).support.size >= omp(A, y, tol=0.05).support.size


@pytest.mark.parametrize("n_samples, n_features", [(1, 1), (1, 5), (5, 1)])
def test_the_smallest_problems_are_solved(n_samples, n_features):
    A, y, _ = planted(n_samples, n_features, 1, noise=0.1)
    result = mp(A, y, n_nonzero=1)
    assert result.status is Status.CONVERGED
    assert result.support.size == 1


@pytest.mark.parametrize(
    "change, word",
    [
        ({}, "when to stop"),
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"tol": -1.0}, "tol"),
        ({"atol": np.nan}, "atol"),
        ({"n_nonzero": 1, "max_iter": 0}, "max_iter"),
        ({"n_nonzero": 1, "penalty_weights": [-1.0] * 80}, "penalty_weights"),
        ({"n_nonzero": 1, "y": np.ones(3)}, "y has shape"),
        ({"n_nonzero": 1, "y": np.ones((60, 2)), "return_path": True}, "return_path=True is for one target"),
        ({"n_nonzero": 1, "y": np.full(60, 1e-200)}, r"y has a target \(0\)"),
    ],
)
def test_bad_input_is_named(change, word):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=word):
        mp(A, **{"y": y, **change})
