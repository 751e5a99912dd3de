"""Least squares on supports, in all its forms, against NumPy's; and factors that follow a support."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.sparse.linalg import aslinearoperator

from sparsecode import GramDesign, L0Ball, Squared
from sparsecode.solvers import factor as factors
from sparsecode.solvers import support as supports
from sparsecode.solvers.factor import FollowingFactor
from sparsecode.solvers.problem import make_problem
from sparsecode.solvers.support import make_support_fit
from tests._backends import FOREIGN, get, put
from tests.planted import planted


def expected_fit(A, Y, mask):
    """Least squares of least norm on unit columns, target by target."""
    size = np.linalg.norm(A, axis=0)
    coef = np.zeros((A.shape[1], *Y.shape[1:]), dtype=np.result_type(A, Y))
    columns = Y[:, None] if Y.ndim == 1 else Y
    out = coef[:, None] if Y.ndim == 1 else coef
    for p in range(columns.shape[1]):
        inside = mask if mask.ndim == 1 else mask[:, p]
        out[inside, p] = np.linalg.lstsq(A[:, inside] / size[inside], columns[:, p])[0] / size[inside]
    return coef


def problem_of(kind, A, Y):
    if kind == "gram":
        return make_problem(GramDesign(A.conj().T @ A, len(A)), A.conj().T @ Y, Squared(), L0Ball(5))
    if kind in FOREIGN:
        return make_problem(put(A, kind), put(Y, kind), Squared(), L0Ball(5))
    design = {"dense": np.asarray, "csc": sp.csc_array, "operator": aslinearoperator}[kind](A)
    return make_problem(design, Y, Squared(), L0Ball(5))


@pytest.mark.parametrize("kind", ["dense", "csc", "gram", "operator", *FOREIGN])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_targets, shared", [(None, True), (3, True), (3, False), (40, False)])
def test_every_form_is_least_squares(kind, complex_, n_targets, shared):
    A, Y, _ = planted(30, 50, 4, n_targets=n_targets, complex_=complex_, noise=1.0)
    fit = make_support_fit(problem_of(kind, A, Y))
    rng = np.random.default_rng(0)
    for _ in range(3):
        mask = rng.uniform(size=50 if shared else (50, n_targets)) < rng.uniform(0, 0.3)
        if not shared:
            mask[:, 1] = False
        found = fit(put(mask, kind) if kind in FOREIGN else mask, None)
        np.testing.assert_allclose(get(found), expected_fit(A, Y, mask), atol=1e-8)


@pytest.mark.parametrize("kind", ["dense", "csc", "gram", *FOREIGN])
@pytest.mark.parametrize("n_targets", [None, 3, 40])
def test_dependent_columns_get_the_fit_of_least_norm_and_are_reported(kind, n_targets):
    A, Y, _ = planted(30, 50, 4, n_targets=n_targets, noise=1.0)
    A[:, 7] = -2.0 * A[:, 3]
    fit = make_support_fit(problem_of(kind, A, Y))
    mask = np.zeros((50, n_targets) if n_targets else 50, dtype=bool)
    mask[[3, 7, 11]] = True
    if n_targets:
        mask[7, -1] = False
    found = fit(put(mask, kind) if kind in FOREIGN else mask, None)
    np.testing.assert_allclose(get(found), expected_fit(A, Y, mask), atol=1e-8)
    assert fit.is_ill
    mask[7] = False
    fit(put(mask, kind) if kind in FOREIGN else mask, None)
    assert not fit.is_ill


@pytest.mark.parametrize("kind", ["dense", "gram", "operator", *FOREIGN])
@pytest.mark.parametrize("n_targets", [None, 4])
def test_positive_fits_are_nonnegative_least_squares(kind, n_targets):
    A, Y, _ = planted(30, 50, 4, n_targets=n_targets, noise=1.0)
    fit = make_support_fit(problem_of(kind, A, Y), positive=True)
    mask = np.random.default_rng(0).uniform(size=(50, n_targets) if n_targets else 50) < 0.3
    found = get(fit(put(mask, kind) if kind in FOREIGN else mask, None))
    for p in range(n_targets or 1):
        inside = mask if n_targets is None else mask[:, p]
        coef, target = (found, Y) if n_targets is None else (found[:, p], Y[:, p])
        np.testing.assert_allclose(coef[inside], nnls(A[:, inside], target)[0], atol=1e-7)
        assert not np.any(coef[~inside])


def test_an_inexact_fit_is_as_accurate_as_asked_and_starts_where_it_is():
    A, y, _ = planted(100, 80, 4, noise=1.0)
    problem = problem_of("operator", A, y)
    fit = make_support_fit(problem)
    mask = np.arange(80) < 30
    exact = expected_fit(A, y, mask)
    zero = np.linalg.norm((A.T @ y)[mask])
    for accuracy in (1e-1, 1e-3, 1e-8):
        found = fit(mask, None, accuracy)
        assert np.linalg.norm((A.T @ (y - A @ found))[mask]) <= accuracy * zero
    np.testing.assert_array_equal(fit(mask, exact, 1e-6), exact)


@pytest.mark.parametrize("complex_", [False, True])
def test_a_factor_that_follows_its_support_is_the_factor_made_anew(complex_, monkeypatch):
    monkeypatch.setattr(factors, "_PAYS_FROM", 5)
    monkeypatch.setattr(factors, "_SHARE", 1)
    A, _, _ = planted(60, 80, 4, complex_=complex_)
    A /= np.linalg.norm(A, axis=0)
    rng = np.random.default_rng(0)
    starts = []
    factor = FollowingFactor(80)
    start = FollowingFactor._start
    monkeypatch.setattr(FollowingFactor, "_start", lambda self, *args: starts.append(1) or start(self, *args))
    support = np.sort(rng.choice(80, 25, replace=False))
    for _ in range(40):
        assert factor.follow(support, lambda left, right: A[:, left].conj().T @ A[:, right])
        members = factor.members
        np.testing.assert_array_equal(np.sort(members), support)
        right = rng.standard_normal(members.size)
        gram = A[:, members].conj().T @ A[:, members]
        np.testing.assert_allclose(factor.solve(right), np.linalg.solve(gram, right), atol=1e-9)
        pivots = np.diagonal(np.linalg.cholesky(gram)).real
        assert factor.least_pivot() == pytest.approx(np.min(pivots) ** 2)
        kept = rng.choice(support, support.size - rng.integers(0, 5), replace=False)
        added = rng.choice(np.setdiff1d(np.arange(80), support), rng.integers(0, 6), replace=False)
        support = np.sort(np.concatenate([kept, added]))
    assert len(starts) < 10


def test_a_factor_is_made_anew_where_much_changes_and_given_up_where_columns_depend(monkeypatch):
    monkeypatch.setattr(factors, "_PAYS_FROM", 5)
    A, _, _ = planted(60, 80, 4)
    A /= np.linalg.norm(A, axis=0)
    A[:, 40] = A[:, 41]

    def gram(left, right):
        return A[:, left].T @ A[:, right]

    factor = FollowingFactor(80)
    assert not factor.follow(np.arange(4), gram)
    assert factor.follow(np.arange(20), gram)
    assert factor.follow(np.arange(20, 40), gram)
    assert factor.members.tolist() == list(range(20, 40))
    given_up = not factor.follow(np.arange(20, 42), gram)
    assert given_up or factor.least_pivot() < 1e-12
    assert factor.follow(np.arange(10, 40), gram)
    np.testing.assert_allclose(gram(factor.members, factor.members) @ factor.solve(np.ones(30)), 1.0, atol=1e-9)


@pytest.mark.parametrize("kind", ["dense", "gram"])
@pytest.mark.parametrize("n_targets", [None, 3])
def test_fits_with_a_following_factor_are_least_squares(kind, n_targets, monkeypatch):
    monkeypatch.setattr(factors, "_PAYS_FROM", 5)
    monkeypatch.setattr(factors, "_SHARE", 4)
    A, Y, _ = planted(60, 80, 4, noise=1.0, n_targets=n_targets)
    A = A * np.linspace(0.1, 10, 80)
    A[:, 70] = A[:, 71]
    fit = make_support_fit(problem_of(kind, A, Y))
    mask = np.arange(80) % 3 == 0
    for turn in range(12):
        np.testing.assert_allclose(fit(mask, None), expected_fit(A, Y, mask), rtol=1e-6, atol=1e-7)
        mask = mask.copy()
        mask[[turn, 70, 71]] = ~mask[[turn, 70, 71]]


def test_stacks_of_any_size_give_the_same_fits(monkeypatch):
    A, Y, _ = planted(30, 50, 4, n_targets=40, noise=1.0)
    mask = np.random.default_rng(0).uniform(size=(50, 40)) < 0.1
    results = []
    for many, stack in ((10**9, 1), (1, 1), (1, 10**9)):
        monkeypatch.setattr(supports, "_MANY", many)
        monkeypatch.setattr(supports, "_STACK", stack)
        results.append(make_support_fit(problem_of("dense", A, Y))(mask, None))
    np.testing.assert_allclose(results[1], results[0], atol=1e-12)
    np.testing.assert_allclose(results[2], results[0], atol=1e-12)


@pytest.mark.parametrize("complex_", [False, True])
def test_an_operator_with_columns_of_any_scale_is_fitted_as_accurately(complex_):
    A, y, _ = planted(80, 60, 4, noise=1.0, complex_=complex_)
    scale = 10.0 ** np.random.default_rng(0).uniform(-5, 5, 60)
    mask = np.arange(60) < 20
    found = make_support_fit(problem_of("operator", A * scale, y))(mask, None)
    np.testing.assert_allclose(found * scale, expected_fit(A, y, mask), atol=1e-8)
