"""Fixed steps, signs, blocks and joint supports of iterative hard thresholding, each against its definition."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, iht
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.test_iht import top


def after(A, y, count, n_iter, **options):
    """The coefficients after so many iterations."""
    seen = {}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        iht(A, y, count, max_iter=n_iter, tol=0.0, callback=lambda p: seen.update({p.iteration: p.coef}), **options)
    return seen[n_iter]


def rows_of(values, count):
    """H_k on rows: keep the `count` largest norms."""
    return np.where((top(np.linalg.norm(values, axis=1), count) > 0)[:, None], values, 0)


def blocks_of(values, count, size):
    """H_k on blocks of `size`."""
    norms = np.array([np.linalg.norm(values[start : start + size]) for start in range(0, len(values), size)])
    return np.where(np.repeat(top(norms, count // size) > 0, size)[: len(values)], values, 0)


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("kind", ["dense", "operator", "gram"])
def test_the_fixed_step_is_the_gradient_step_of_its_length(complex_, kind):
    A, y, _ = planted(30, 50, 6, complex_=complex_, noise=0.2)
    target, design = y, A
    if kind == "gram":
        design, target = GramDesign(A.conj().T @ A, 30, np.vdot(y, y).real), A.conj().T @ y
    elif kind == "operator":
        design = aslinearoperator(A)
    x = np.zeros(50, dtype=A.dtype)
    first = after(design, target, 6, 1, step="fixed")
    length = np.abs(first).max() / np.abs(top(A.conj().T @ y, 6)).max()
    largest = np.linalg.norm(A, 2) ** 2
    assert 0.9 / largest < length <= 0.99 / largest * 1.001
    for n_iter in range(1, 12):
        x = top(x + length * A.conj().T @ (y - A @ x), 6)
        np.testing.assert_allclose(after(design, target, 6, n_iter, step="fixed"), x, atol=1e-9)


def test_on_orthonormal_rows_the_fixed_step_finds_what_the_normalised_does():
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((120, 80)))[0].T
    coef = np.zeros(120)
    coef[rng.choice(120, 6, replace=False)] = rng.uniform(1, 2, 6)
    for step in ("fixed", "normalized"):
        np.testing.assert_allclose(iht(A, A @ coef, 6, step=step, tol=1e-10).coef, coef, atol=1e-8)


@pytest.mark.parametrize("kind", ["dense", "operator"])
def test_excluded_columns_do_not_shorten_the_fixed_step(kind):
    A, y, _ = planted(40, 60, 4)
    wide = np.hstack([A, 1e3 * A[:, :3]])
    weights = np.append(np.ones(60), np.full(3, np.inf))
    design = aslinearoperator(wide) if kind == "operator" else wide
    found = after(design, y, 4, 3, step="fixed", penalty_weights=weights)
    np.testing.assert_allclose(found[:60], after(A, y, 4, 3, step="fixed"), atol=1e-2)


def naive_joint_niht(A, Y, count, n_iter):
    """The paper's algorithm on matrices: one step for all columns, from Frobenius norms."""
    c, kappa = 0.01, 2.0
    x = np.zeros((A.shape[1], Y.shape[1]))
    support = np.any(rows_of(A.T @ Y, count) != 0, axis=1)
    for _ in range(n_iter):
        g = A.T @ (Y - A @ x)
        along = np.where(support[:, None], g, 0)
        mu = np.sum(along**2) / np.sum((A @ along) ** 2)
        new = rows_of(x + mu * g, count)
        while np.any(np.any(new != 0, axis=1) != support):
            change = new - x
            if mu <= (1 - c) * np.sum(change**2) / np.sum((A @ change) ** 2):
                break
            mu /= kappa * (1 - c)
            new = rows_of(x + mu * g, count)
        x, support = new, np.any(new != 0, axis=1)
    return x


@pytest.mark.parametrize("seed", range(4))
def test_the_joint_form_walks_with_one_step_for_all_targets(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((30, 60))
    Y = A[:, :9] @ rng.standard_normal((9, 4)) * [1.0, 10.0, 0.1, 3.0] + 0.1 * rng.standard_normal((30, 4))
    for n_iter in (10, 20):
        np.testing.assert_allclose(
            after(A, Y, 9, n_iter, joint=True), naive_joint_niht(A, Y, 9, n_iter), atol=1e-8 * np.abs(Y).max()
        )


def test_joint_rows_are_those_of_an_exhaustive_search():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((15, 9))
    Y = A[:, [2, 7]] @ rng.standard_normal((2, 6)) + 0.1 * rng.standard_normal((15, 6))
    best = min(
        np.sum((Y - A[:, pair] @ np.linalg.lstsq(A[:, pair], Y)[0]) ** 2)
        for pair in map(list, itertools.combinations(range(9), 2))
    )
    result = iht(A, Y, 2, joint=True, tol=1e-10)
    assert result.status is Status.CONVERGED
    assert 30 * np.sum(result.objective) == pytest.approx(best)


def test_blocks_are_kept_whole():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 50))
    coef = np.zeros(50)
    coef[[6, 7, 8, 48, 49]] = rng.uniform(1, 2, 5)
    y = A @ coef + 0.1 * rng.standard_normal(40)
    result = iht(A, y, 6, block_size=3, tol=1e-10)
    assert result.support.tolist() == [6, 7, 8, 48, 49]
    np.testing.assert_allclose(result.coef[result.support], np.linalg.lstsq(A[:, result.support], y)[0], atol=1e-8)
    assert set(np.flatnonzero(after(A, y, 6, 1, block_size=3))) == set(np.flatnonzero(blocks_of(A.T @ y, 6, 3)))


@pytest.mark.parametrize("step", ["normalized", "fixed"])
def test_positive_answers_are_positive_stationary_and_descend(step):
    A, y, coef = planted(40, 60, 5, noise=0.3)
    y = y + A @ (np.abs(coef) - coef)
    result = iht(A, y, 5, positive=True, step=step, tol=1e-9, max_iter=5_000)
    assert np.all(result.coef >= 0)
    assert result.status is Status.CONVERGED
    np.testing.assert_array_equal(result.support, np.flatnonzero(coef))
    np.testing.assert_allclose(result.coef[result.support], np.linalg.lstsq(A[:, result.support], y)[0], atol=1e-7)
    assert np.all(np.diff(result.history["objective"]) <= 1e-12)


def test_a_target_that_only_negative_codes_explain_has_a_zero_positive_code():
    A = np.abs(np.random.default_rng(0).standard_normal((20, 10)))
    result = iht(A, -A[:, 3], 2, positive=True)
    assert result.status is Status.CONVERGED
    assert not np.any(result.coef)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("options", [{"joint": True}, {"block_size": 2}, {"positive": True}, {"step": "fixed"}])
def test_every_form_runs_on_every_namespace(name, options):
    A, Y, _ = planted(40, 60, 5, n_targets=3, noise=0.1)
    one, other = (after(*arrays, 6, 10, **options) for arrays in ((A, Y), (put(A, name), put(Y, name))))
    np.testing.assert_allclose(get(other), one, atol=1e-7)


def test_a_bad_step_is_named():
    with pytest.raises(ValueError, match="step must be 'normalized' or 'fixed'"):
        iht(np.eye(3), np.ones(3), 1, step="long")


@pytest.mark.parametrize("seed", range(4))
def test_the_positive_form_searches_along_what_may_be_positive(seed):
    A, y, _ = planted(40, 80, 6, seed=seed, noise=0.5)
    first = np.flatnonzero(top(np.maximum(A.T @ y, 0), 6))
    g = A.T @ y
    mu = np.sum(g[first] ** 2) / np.sum((A[:, first] @ g[first]) ** 2)
    expected = np.zeros(80)
    expected[first] = mu * g[first]
    objective = iht_objective(A, y, 1)
    assert objective == pytest.approx(np.sum((y - A @ expected) ** 2) / 80)


def iht_objective(A, y, n_iter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return iht(A, y, 6, positive=True, max_iter=n_iter, tol=0.0).history["objective"][-1]
