"""Defects found in other libraries, kept out of this one for good."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp

from sparsecode import L1, GramDesign, LassoCV, Status, fista, iht, lasso, omp
from tests.planted import planted

GREEDY = {
    "omp": lambda A, y, k, **options: omp(A, y, n_nonzero=k, **options),
    "ols": lambda A, y, k, **options: omp(A, y, n_nonzero=k, selection="ols", **options),
    "iht": lambda A, y, k, **options: iht(A, y, k, tol=1e-12, **options),
}
greedy = pytest.mark.parametrize("solve", GREEDY.values(), ids=GREEDY)
pursuits = pytest.mark.parametrize("solve", [GREEDY["omp"], GREEDY["ols"]], ids=["omp", "ols"])


def in_forms(A, y):
    """The ways into the pursuits: one target, many (the Gram recursion), a Gram design, sparse columns."""
    yield A, y
    yield A, np.column_stack([y] * 40)
    yield GramDesign(A.T @ A, len(A), target_sq_norm=y @ y), A.T @ y
    yield sp.csc_array(A), y


@pursuits
def test_an_atom_orthogonal_to_the_target_is_found_when_it_is_needed(solve):
    """A tolerance on the first correlation must not end the pursuit: e2 is orthogonal to y, and the fit needs it."""
    half = np.sqrt(0.5)
    A, y = np.array([[half, 0.0], [half, 1.0]]), np.array([1.0, 0.0])
    for design, target in in_forms(A, y):
        coef = solve(design, target, 2).coef
        expected = np.array([np.sqrt(2.0), -1.0])
        np.testing.assert_allclose(coef, expected if coef.ndim == 1 else np.tile(expected[:, None], 40), atol=1e-12)


@greedy
@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_an_absolute_tolerance_does_not_zero_small_targets_or_spoil_large_ones(solve, factor):
    A, y, _ = planted()
    one, scaled = solve(A, y, 4), solve(A, factor * y, 4)
    np.testing.assert_allclose(scaled.coef, factor * one.coef, rtol=1e-6)
    assert scaled.status is Status.CONVERGED


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_lasso_scales_with_target_and_strength(factor):
    A, y, _ = planted()
    one = lasso(A, y, 0.2, tol=1e-10)
    scaled = lasso(A, factor * y, 0.2 * factor, tol=1e-10)
    np.testing.assert_allclose(scaled.coef, factor * one.coef, atol=1e-6 * factor)
    assert one.support.tolist() == scaled.support.tolist()
    assert scaled.status is Status.CONVERGED


@pursuits
def test_one_huge_column_does_not_displace_a_true_atom(solve):
    """Selection must not depend on the norms of the columns."""
    A, y, coef = planted(noise=0.0)
    support = np.flatnonzero(coef)
    for column in (int(np.flatnonzero(coef == 0)[0]), int(support[0])):
        B = A.copy()
        B[:, column] *= 1e3
        for design, target in in_forms(B, y):
            mask = np.asarray(solve(design, target, 4).coef != 0)
            assert np.all(np.flatnonzero(mask if mask.ndim == 1 else mask.all(axis=1)) == support)


@greedy
def test_a_sparsity_level_above_the_number_of_features_is_clipped(solve):
    A, y, _ = planted(60, 10, 3)
    with pytest.warns(RuntimeWarning, match="more than"):
        result = solve(A, y, 99)
    np.testing.assert_allclose(result.coef, np.linalg.lstsq(A, y)[0], atol=1e-8)


@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_a_single_precision_gram_still_meets_the_residual_tolerance(selection):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((64, 256)).astype(np.float32)
    A /= np.linalg.norm(A, axis=0)
    coef = np.zeros((256, 200), dtype=np.float32)
    for column in coef.T:
        column[rng.choice(256, 5, replace=False)] = rng.standard_normal(5)
    Y = A @ coef
    for tol in (1e-1, 1e-2, 1e-3):
        result = omp(A, Y, tol=tol, n_nonzero=30, selection=selection)
        residual = Y.astype(float) - A.astype(float) @ result.coef
        assert np.all(np.linalg.norm(residual, axis=0) <= tol * np.linalg.norm(Y, axis=0) * (1 + 1e-5))


@pytest.mark.parametrize("solver", ["lasso", "fista"])
@pytest.mark.parametrize("design", [np.asarray, sp.csc_array, sp.csr_array])
def test_free_columns_are_free_on_sparse_input_too(solver, design):
    A, y, _ = planted()
    A[np.abs(A) < 0.5] = 0
    weights = np.ones(80)
    weights[:3] = 0

    if solver == "lasso":
        result = lasso(design(A), y, 0.2, penalty_weights=weights, tol=1e-10)
    else:
        result = fista(design(A), y, penalty=L1(0.2), penalty_weights=weights, tol=1e-10)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(A[:, :3].T @ (y - A @ result.coef), 0, atol=1e-3)
    assert np.all(result.coef[:3] != 0)


@greedy
def test_a_zero_target_is_no_error_and_no_warning(solve):
    A, y, _ = planted()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for design, target in in_forms(A, 0 * y):
            result = solve(design, target, 4)
            assert not np.any(result.coef)
            assert result.status is Status.CONVERGED


@greedy
def test_a_zero_column_divides_nothing_by_zero(solve):
    A, y, _ = planted()
    A[:, ::7] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for design, target in in_forms(A, y):
            result = solve(design, target, 4)
            assert np.all(np.isfinite(result.coef))
            assert not np.any(result.coef[::7])


@pursuits
def test_of_duplicated_columns_one_is_taken_and_the_factorisation_survives(solve):
    A, y, _ = planted(noise=0.0)
    for design, target in in_forms(np.hstack([A, A, -A, 2 * A]), y):
        result = solve(design, target, 12)
        assert np.all(np.isfinite(result.coef))
        residual = np.hstack([A, A, -A, 2 * A]) @ result.coef - (y if result.coef.ndim == 1 else y[:, None])
        assert np.linalg.norm(residual) <= 1e-6 * np.linalg.norm(y) * np.sqrt(max(1, residual.size / len(y)))


@pursuits
def test_nearly_dependent_atoms_do_not_break_the_normal_equations(solve):
    rng = np.random.default_rng(0)
    base = rng.standard_normal((50, 1))
    A = np.hstack([base + 1e-7 * rng.standard_normal((50, 10)), rng.standard_normal((50, 30))])
    y = A[:, 0] - A[:, 20]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = solve(A, y, 6)
    assert np.all(np.isfinite(result.coef))
    assert np.linalg.norm(y - A @ result.coef) <= 1e-5 * np.linalg.norm(y)


class RandomFolds:
    """A splitter that gives other folds at every call, and counts the calls."""

    def __init__(self):
        self.random = np.random.default_rng(0)
        self.given = []

    def split(self, X, y=None, groups=None):
        order = self.random.permutation(len(X))
        self.given.append([(np.setdiff1d(order, part), part) for part in np.array_split(order, 3)])
        return iter(self.given[-1])

    def get_n_splits(self, X=None, y=None, groups=None):
        return 3


def test_cross_validation_judges_every_strength_on_the_same_folds():
    from sklearn import linear_model

    A, y, _ = planted()
    cv = RandomFolds()
    alphas = np.array([0.5, 0.2, 0.1])
    model = LassoCV(alphas=alphas, cv=cv, tol=1e-10).fit(A, y)
    assert len(cv.given) == 1
    for column, (train, test) in enumerate(cv.given[0]):
        for row, alpha in enumerate(alphas):
            naive = linear_model.Lasso(alpha, tol=1e-10, max_iter=100_000).fit(A[train], y[train])
            error = np.mean((y[test] - naive.predict(A[test])) ** 2)
            np.testing.assert_allclose(model.mse_path_[row, column], error, rtol=1e-4)
    assert model.alpha_ == alphas[np.argmin(model.mse_path_.mean(axis=1))]
