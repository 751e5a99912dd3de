"""Paths, information criteria and given columns in OMP and OLS, against loops over least-squares fits."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from scipy.special import binom

from sparsecode import GramDesign, Status, omp
from sparsecode.solvers.criteria import information_criterion
from sparsecode.solvers.greedy import forms, rules
from tests._backends import FOREIGN, get, put
from tests.planted import planted

BOTH = pytest.mark.parametrize("selection", ["omp", "ols"])
CRITERIA = pytest.mark.parametrize("criterion", ["aic", "bic", "ebic"])


def fit(A, y, order):
    """Least squares on some columns, by a factorisation of them."""
    coef = np.zeros(A.shape[1], dtype=np.result_type(A, y))
    if len(order):
        coef[order] = np.linalg.lstsq(A[:, order], y)[0]
    return coef


def greedy_order(A, y, steps, selection, first=(), weights=None):
    """The columns in the order that the definition asks for."""
    weights = np.ones(A.shape[1]) if weights is None else weights
    order = list(first)
    while len(order) < steps:
        residual = y - A @ fit(A, y, order)
        left = A.copy()
        if order and selection == "ols":
            basis = np.linalg.qr(A[:, order])[0]
            left -= basis @ (basis.conj().T @ A)
        score = np.abs(A.conj().T @ residual) / (np.maximum(np.linalg.norm(left, axis=0), 1e-9) * weights)
        score[order] = -1.0
        order.append(int(np.argmax(score)))
    return order


def criterion_of(name, A, y, order, gamma=1.0):
    """The criterion of one fit, written out with the density of the residuals."""
    n, k = A.shape[0], len(order)
    variance = np.mean(np.abs(y - A @ fit(A, y, order)) ** 2)
    deviance = -2.0 * (-n / 2 * np.log(2 * np.pi * variance) - n / 2)
    price = {"aic": 2 * k, "bic": k * np.log(n), "ebic": k * np.log(n)}[name]
    return deviance + price + (2 * gamma * np.log(binom(A.shape[1], k)) if name == "ebic" else 0.0)


@BOTH
@CRITERIA
@pytest.mark.parametrize("complex_", [False, True])
def test_the_criterion_picks_the_least_of_a_loop_over_fits(selection, criterion, complex_):
    A, y, _ = planted(40, 60, 4, noise=1.0, complex_=complex_, seed=2)
    order = greedy_order(A, y, 20, selection)
    values = [criterion_of(criterion, A, y, order[:t], gamma=0.4) for t in range(21)]
    best = int(np.argmin(values))
    result = omp(A, y, criterion=criterion, ebic_gamma=0.4, selection=selection)
    assert result.history["selected"] == order
    np.testing.assert_allclose(result.history["criterion"], values, rtol=1e-9)
    np.testing.assert_allclose(result.coef, fit(A, y, order[:best]), atol=1e-10)
    assert result.status is Status.CONVERGED
    assert result.n_iter == best


@CRITERIA
@pytest.mark.parametrize("form", ["residual", "compiled", "arrays", "gram"])
def test_many_targets_choose_one_by_one(criterion, form, monkeypatch):
    monkeypatch.setattr(rules, "_SMALL", 0 if form in ("compiled", "gram") else 10**12)
    if form == "residual":
        monkeypatch.setattr(forms, "_shares_gram", lambda *_: False)
    A, Y, _ = planted(30, 20, 3, n_targets=40, noise=1.0)
    options = {"criterion": criterion, "n_nonzero": 8}
    alone = [omp(A, Y[:, p].copy(), **options) for p in range(40)]
    if form in ("gram", "arrays"):
        together = omp(GramDesign(A.T @ A, 30, np.sum(Y**2, axis=0)), A.T @ Y, **options)
    else:
        together = omp(A, Y, **options)
    np.testing.assert_allclose(together.coef, np.stack([one.coef for one in alone], axis=1), atol=1e-10)
    for p, one in enumerate(alone):
        np.testing.assert_allclose(together.history["criterion"][p], one.history["criterion"], rtol=1e-8)
    assert len({one.support.size for one in alone}) > 1  # the choice differs from target to target


def test_blocks_of_targets_do_not_change_the_choice(monkeypatch):
    from sparsecode.solvers.greedy import path

    A, Y, _ = planted(30, 20, 3, n_targets=40, noise=1.0)
    whole = omp(A, Y, criterion="bic")
    monkeypatch.setattr(path, "_BLOCK_BYTES", 16 * 30 * 15 * 7)
    np.testing.assert_allclose(omp(A, Y, criterion="bic").coef, whole.coef, atol=1e-13)


def test_samples_of_weight_zero_are_no_samples():
    A, y, _ = planted(40, 60, 4, noise=1.0, seed=2)
    weights = np.r_[np.ones(25), np.zeros(15)]
    for criterion in ("aic", "bic", "ebic"):
        few = omp(A[:25], y[:25], criterion=criterion)
        result = omp(A, y, criterion=criterion, sample_weight=weights)
        np.testing.assert_allclose(result.coef, few.coef, atol=1e-10)
        assert result.n_iter == 12


@CRITERIA
def test_bounds_end_the_path_and_the_criterion_chooses_before_them(criterion):
    A, y, _ = planted(40, 60, 4, noise=1.0, seed=2)
    free = omp(A, y, criterion=criterion)
    few = omp(A, y, criterion=criterion, n_nonzero=3)
    assert len(few.history["selected"]) == 3
    assert few.support.size == few.n_iter == 1 + np.argmin(free.history["criterion"][1:4])
    loose = omp(A, y, criterion=criterion, tol=0.6)
    assert loose.history["residual"][-1] <= 0.6 < loose.history["residual"][-2]
    assert len(loose.history["selected"]) == omp(A, y, tol=0.6).n_iter
    assert len(omp(A, y, criterion=criterion, n_nonzero=35).history["selected"]) == 20  # half of the samples


def test_an_exact_target_is_not_overfitted_by_rounding_errors():
    A, _, coef = planted(60, 80, 4, seed=1)
    for dtype in (np.float64, np.float32):
        B = A.astype(dtype)
        y = (B.astype(float) @ coef).astype(dtype)
        for criterion in ("aic", "bic", "ebic"):
            assert set(omp(B, y, criterion=criterion).support) == set(np.flatnonzero(coef))
            design = GramDesign(B.T @ B, 60, float(np.vdot(y, y)))
            if dtype == np.float64:
                assert set(omp(design, B.T @ y, criterion=criterion).support) == set(np.flatnonzero(coef))


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_the_choice_does_not_depend_on_the_scale(factor):
    A, y, _ = planted(40, 60, 4, noise=1.0)
    for criterion in ("aic", "bic", "ebic"):
        one, other = omp(A, y, criterion=criterion), omp(A, factor * y, criterion=criterion)
        np.testing.assert_array_equal(one.support, other.support)


def test_forced_columns_stay_whatever_the_criterion_says():
    A, y, coef = planted(40, 60, 3, noise=0.01)
    useless = [int(j) for j in np.flatnonzero(coef == 0)[[5, 2]]]
    weights = np.ones(60)
    weights[useless[0]] = 0.0
    assert useless[0] in omp(A, y, criterion="ebic", penalty_weights=weights).support
    result = omp(A, y, criterion="ebic", support=useless)
    assert set(useless) <= set(result.support)
    assert result.history["selected"][:2] == useless
    assert np.all(np.isinf(result.history["criterion"][:2]))


def test_an_excluded_column_is_no_model_to_choose_from():
    A, y, _ = planted(40, 60, 3, noise=0.5)
    weights = np.append(np.ones(60), np.inf)
    B = np.column_stack([A, np.arange(40.0)])
    one, other = omp(A, y, criterion="ebic"), omp(B, y, criterion="ebic", penalty_weights=weights)
    np.testing.assert_allclose(other.history["criterion"], one.history["criterion"], rtol=1e-12)


KINDS = {
    "dense": lambda A, y: (A, y),
    "csc": lambda A, y: (sp.csc_array(A), y),
    "operator": lambda A, y: (aslinearoperator(A), y),
    "gram": lambda A, y: (GramDesign(A.conj().T @ A, A.shape[0], np.vdot(y, y).real), A.conj().T @ y),
}


@BOTH
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("complex_", [False, True])
def test_the_path_holds_the_fit_after_each_step(selection, kind, complex_):
    A, y, _ = planted(30, 40, 4, noise=1.0, complex_=complex_)
    A = A * np.linspace(0.1, 9.0, 40)
    result = omp(*KINDS[kind](A, y), n_nonzero=6, selection=selection, return_path=True)
    path = result.history["path"]
    assert path.shape == (40, 7)
    assert path.dtype == A.dtype
    order = result.history["selected"]
    for t in range(7):
        np.testing.assert_allclose(path[:, t], fit(A, y, order[:t]), atol=1e-9)
        residual = np.linalg.norm(y - A @ path[:, t]) / np.linalg.norm(y)
        np.testing.assert_allclose(result.history["residual"][t], residual, rtol=1e-7)
    np.testing.assert_allclose(path[:, -1], result.coef, atol=1e-12)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("n_targets", [None, 3])
def test_every_namespace_chooses_and_walks_as_numpy_does(name, n_targets):
    A, Y, _ = planted(30, 40, 4, n_targets=n_targets, noise=1.0)
    options = {"criterion": "ebic", "support": [7, 1], "return_path": n_targets is None}
    expected, result = omp(A, Y, **options), omp(put(A, name), put(Y, name), **options)
    np.testing.assert_allclose(get(result.coef), expected.coef, atol=1e-12)
    np.testing.assert_allclose(result.history["criterion"], expected.history["criterion"], rtol=1e-9)
    if n_targets is None:
        assert type(result.history["path"]) is type(put(A, name))
        np.testing.assert_allclose(get(result.history["path"]), expected.history["path"], atol=1e-12)


def test_a_single_precision_path_is_single():
    A, y, _ = planted(30, 40, 4, noise=0.5, dtype=np.float32)
    result = omp(A, y, n_nonzero=4, return_path=True)
    assert result.history["path"].dtype == np.float32
    np.testing.assert_allclose(result.history["path"][:, -1], result.coef, atol=1e-5)


def test_a_zero_target_has_an_empty_path():
    A, y, _ = planted()
    result = omp(A, 0 * y, criterion="bic", return_path=True)
    assert result.status is Status.CONVERGED
    assert result.history["path"].shape == (80, 1)
    assert not np.any(result.coef)
    assert omp(A[:1], y[:1], criterion="bic").n_iter == 0  # one sample has no half


def test_positive_paths_are_positive():
    A, y, _ = planted(40, 60, 5, noise=0.5)
    result = omp(A, y, criterion="bic", positive=True, return_path=True)
    assert np.all(result.history["path"] >= 0)
    np.testing.assert_allclose(
        result.history["path"][:, np.argmin(result.history["criterion"])], result.coef, atol=1e-12
    )


# ---------------------------------------------------------------- columns to start from


@BOTH
@pytest.mark.parametrize("form", ["one", "residual", "compiled", "arrays", "gram"])
def test_given_columns_enter_first_and_count(selection, form, monkeypatch):
    A, Y, _ = planted(40, 60, 5, n_targets=50, noise=0.5)
    first = [9, 2]
    monkeypatch.setattr(rules, "_SMALL", 0 if form in ("compiled", "gram") else 10**12)
    if form == "residual":
        monkeypatch.setattr(forms, "_shares_gram", lambda *_: False)
    options = {"n_nonzero": 5, "selection": selection, "support": np.array(first)}
    for p in range(0, 50, 13):
        order = greedy_order(A, Y[:, p], 5, selection, first)
        if form == "one":
            assert omp(A, Y[:, p].copy(), **options).history["selected"] == order
            continue
        design, target = (GramDesign(A.T @ A, 40), A.T @ Y) if form in ("gram", "arrays") else (A, Y)
        result = omp(design, target, **options)
        assert result.history["selected"][p] == order
        np.testing.assert_allclose(result.coef[:, p], fit(A, Y[:, p], order), atol=1e-9)


def test_free_columns_enter_before_given_ones():
    A, y, _ = planted(40, 60, 5, noise=0.5)
    weights = np.ones(60)
    weights[[4, 9]] = 0.0
    result = omp(A, y, n_nonzero=3, support=[2, 9], penalty_weights=weights)
    assert result.history["selected"][:3] == [4, 9, 2]


def test_a_given_support_is_kept_when_nothing_is_left_to_add():
    A, y, _ = planted(40, 60, 5, noise=0.5)
    result = omp(A, y, n_nonzero=2, support=[3, 1])
    np.testing.assert_allclose(result.coef, fit(A, y, [3, 1]), atol=1e-12)
    assert omp(A, y, tol=0.99, support=[3, 1]).history["selected"][:2] == [3, 1]
    many = omp(A, np.tile(y[:, None], 40), n_nonzero=2, support=[3, 1])
    np.testing.assert_allclose(many.coef[:, 7], result.coef, atol=1e-12)


def test_a_given_column_that_depends_on_the_others_is_left_out():
    A, y, _ = planted(40, 60, 5, noise=0.5)
    A[:, 1] = 2 * A[:, 3]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert omp(A, y, n_nonzero=4, support=[3, 1]).history["selected"][:1] == [3]
        assert not omp(A, y, n_nonzero=4, support=[3, 1]).coef[1]


@pytest.mark.parametrize(
    "change, word",
    [
        ({"criterion": "best"}, "criterion must be"),
        ({"criterion": "ebic", "ebic_gamma": -1.0}, "ebic_gamma"),
        ({"n_nonzero": 2, "support": [1, 1]}, "support names a column twice"),
        ({"n_nonzero": 2, "support": [80]}, "support must hold indices from 0 to 79"),
        ({"n_nonzero": 2, "support": [-1]}, "support must hold"),
        ({"n_nonzero": 2, "support": [0.5]}, "support must be"),
        ({"n_nonzero": 2, "support": [[1]]}, "support must be"),
        ({"n_nonzero": 2, "support": [1, 2, 3]}, "support names 3 columns"),
        (
            {"n_nonzero": 2, "support": [3], "penalty_weights": [*[1.0] * 3, np.inf, *[1.0] * 76]},
            "support names column 3",
        ),
    ],
)
def test_bad_requests_are_named(change, word):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=word):
        omp(A, y, **change)


def test_a_path_is_for_one_target():
    A, Y, _ = planted(n_targets=2)
    with pytest.raises(ValueError, match="return_path=True is for one target"):
        omp(A, Y, n_nonzero=2, return_path=True)


def test_a_known_noise_variance_needs_no_bound_on_the_support():
    values = information_criterion("bic", np.array([8.0, 2.0]), np.array([1, 9]), 10, 20, noise_variance=2.0)
    expected = 10 * np.log(4 * np.pi) + np.array([4.0, 1.0]) + np.array([1, 9]) * np.log(10)
    np.testing.assert_allclose(values, expected)
    assert np.isinf(information_criterion("bic", 2.0, 6, 10, 20))


def test_ols_is_what_spams_calls_omp():
    spams = pytest.importorskip("spams")
    A, Y, _ = planted(40, 60, 5, n_targets=30, noise=0.5)
    A = np.asfortranarray(A / np.linalg.norm(A, axis=0))
    theirs = spams.omp(np.asfortranarray(Y), A, L=5, eps=0.0, numThreads=1).toarray()
    np.testing.assert_allclose(omp(A, Y, n_nonzero=5, selection="ols").coef, theirs, atol=1e-9)
