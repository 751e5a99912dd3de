"""OMP and OLS as functions: the definition, the forms and designs against each other, and defects known from peers."""

import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import orthogonal_mp

from sparsecode import GramDesign, Status, omp
from sparsecode.solvers.greedy import forms, rules
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.test_batch_omp import TWINS

BOTH = pytest.mark.parametrize("selection", ["omp", "ols"])


def operator_without_norms(A):
    return LinearOperator(A.shape, matvec=lambda v: A @ v, rmatvec=lambda v: A.conj().T @ v, dtype=A.dtype)


DESIGNS = {
    "fortran": lambda A, Y: (np.asfortranarray(A), Y),
    "csc": lambda A, Y: (sp.csc_array(A), Y),
    "csr": lambda A, Y: (sp.csr_matrix(A), Y),
    "operator": lambda A, Y: (operator_without_norms(A), Y),
    "gram": lambda A, Y: (GramDesign(A.conj().T @ A, A.shape[0], np.sum(np.abs(Y) ** 2, axis=0)), A.conj().T @ Y),
}


@BOTH
@pytest.mark.parametrize("complex_", [False, True])
def test_one_target_is_coded_as_the_definition_says(selection, complex_):
    A, y, _ = planted(40, 60, 6, noise=0.5, complex_=complex_)
    A = A * np.linspace(0.1, 9.0, 60)
    support, coef, sq_residual = TWINS[selection](A.T, y, 6)
    result = omp(A, y, n_nonzero=6, selection=selection)
    assert result.history["selected"] == support
    np.testing.assert_allclose(result.coef[support], coef, rtol=1e-10)
    assert 2 * 40 * result.objective == pytest.approx(sq_residual)
    assert result.status is Status.CONVERGED
    assert result.certificate < 1e-13
    size = np.linalg.norm(y)
    path = [np.sqrt(TWINS[selection](A.T, y, t)[2]) / size if t else 1.0 for t in range(7)]
    np.testing.assert_allclose(result.history["residual"], path, rtol=1e-9)


def test_each_step_of_ols_is_the_addition_that_lowers_the_residual_most():
    A, y, _ = planted(8, 10, 3, noise=1.0, seed=3)
    order = omp(A, y, n_nonzero=4, selection="ols").history["selected"]
    for step in range(4):
        errors = [error_of(A, y, [*order[:step], j]) for j in range(10)]
        assert errors[order[step]] == pytest.approx(min(errors))


def error_of(A, y, support):
    columns = A[:, sorted(set(support))]
    return np.linalg.norm(y - columns @ np.linalg.lstsq(columns, y)[0])


def test_exhaustive_search_finds_no_better_support_on_incoherent_designs():
    A, y, coef = planted(30, 12, 3, noise=0.01, seed=1)
    error = {s: error_of(A, y, list(s)) for s in itertools.combinations(range(12), 3)}
    for selection in ("omp", "ols"):
        assert tuple(omp(A, y, n_nonzero=3, selection=selection).support) == min(error, key=error.get)


@BOTH
@pytest.mark.parametrize("kind", DESIGNS)
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_targets", [None, 3, 300])
def test_every_kind_of_design_gives_the_dense_answer(selection, kind, complex_, n_targets, monkeypatch):
    monkeypatch.setattr(rules, "_SMALL", 10_000)
    A, Y, _ = planted(50, 30, 4, n_targets=n_targets, noise=0.3, complex_=complex_)
    expected = omp(A, Y, n_nonzero=4, tol=0.05, selection=selection)
    result = omp(*DESIGNS[kind](A, Y), n_nonzero=4, tol=0.05, selection=selection)
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-10)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.objective, expected.objective, rtol=1e-9)


@BOTH
def test_residual_and_gram_forms_agree(selection, monkeypatch):
    A, Y, _ = planted(40, 50, 5, n_targets=200, noise=0.5)
    monkeypatch.setattr(rules, "_SMALL", 0)
    compiled = omp(A, Y, n_nonzero=6, selection=selection, penalty_weights=np.linspace(0.0, 3.0, 50))
    monkeypatch.setattr(forms, "_shares_gram", lambda *_: False)
    direct = omp(A, Y, n_nonzero=6, selection=selection, penalty_weights=np.linspace(0.0, 3.0, 50))
    monkeypatch.undo()
    monkeypatch.setattr(rules, "_SMALL", 10**12)
    small = omp(
        GramDesign(A.T @ A, 40), A.T @ Y, n_nonzero=6, selection=selection, penalty_weights=np.linspace(0.0, 3.0, 50)
    )
    np.testing.assert_allclose(compiled.coef, direct.coef, atol=1e-10)
    np.testing.assert_allclose(small.coef, direct.coef, atol=1e-10)
    assert np.all(direct.support[0])  # the free column


@BOTH
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("n_targets", [None, 5])
def test_every_namespace_gives_the_numpy_answer(selection, name, n_targets):
    A, Y, _ = planted(30, 40, 4, n_targets=n_targets, noise=0.3)
    weights = np.ones(40)
    weights[[3, 9]] = 0.0, np.inf
    options = {"n_nonzero": 4, "selection": selection, "penalty_weights": weights}
    expected, result = omp(A, Y, **options), omp(put(A, name), put(Y, name), **options)
    assert type(result.coef) is type(put(Y, name))
    np.testing.assert_allclose(get(result.coef), expected.coef, atol=1e-12)
    assert result.history["selected"] == expected.history["selected"]
    np.testing.assert_allclose(result.history["residual"], expected.history["residual"], atol=1e-7)


def test_omp_equals_scikit_learn_on_unit_columns():
    A, Y, _ = planted(40, 60, 5, n_targets=6, noise=0.3)
    A /= np.linalg.norm(A, axis=0)
    np.testing.assert_allclose(omp(A, Y, n_nonzero=5).coef, orthogonal_mp(A, Y, n_nonzero_coefs=5), atol=1e-10)
    size = np.linalg.norm(Y[:, 0])
    theirs = orthogonal_mp(A, Y[:, 0], tol=(0.2 * size) ** 2)  # squared and absolute there
    np.testing.assert_allclose(omp(A, Y[:, 0], tol=0.2).coef, theirs, atol=1e-10)


@BOTH
def test_a_column_orthogonal_to_the_target_is_found_when_it_is_needed(selection):
    A = np.array([[np.sqrt(0.5), 0.0], [np.sqrt(0.5), 1.0]])
    for target in (np.array([1.0, 0.0]), np.tile([[1.0], [0.0]], 3)):
        coef = omp(A, target, n_nonzero=2, selection=selection).coef
        np.testing.assert_allclose(coef.T, np.broadcast_to([np.sqrt(2.0), -1.0], coef.T.shape), atol=1e-14)


@pytest.mark.parametrize("factor", [1e-9, 1e9])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_scaling_the_target_scales_the_answer(factor, dtype):
    A, y, _ = planted(noise=0.1, dtype=dtype)
    plain, scaled = omp(A, y, tol=0.05), omp(A, y * dtype(factor), tol=0.05)
    np.testing.assert_array_equal(plain.support, scaled.support)
    np.testing.assert_allclose(scaled.coef, plain.coef * dtype(factor), rtol=1e-4 if dtype == np.float32 else 1e-11)
    assert scaled.coef.dtype == dtype


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1e200])
@pytest.mark.parametrize("kind", ["dense", "csc", "gram"])
@pytest.mark.parametrize("n_targets", [None, 400])
def test_vectors_whose_squares_are_no_numbers_are_refused_by_name(size, kind, n_targets):
    A, Y, _ = planted(30, 20, 3, n_targets=n_targets)

    def solve(A, Y):
        if kind == "gram":
            with np.errstate(over="ignore", under="ignore"):
                return omp(GramDesign(np.minimum(A.T @ A, 1e300), 30, np.sum(Y**2, axis=0)), A.T @ Y, n_nonzero=3)
        return omp(sp.csc_array(A) if kind == "csc" else A, Y, n_nonzero=3, tol=1e-3)

    with pytest.raises(ValueError, match=r"y has a target \(0\) .* range of float64"):
        solve(A, Y * size)
    if kind == "gram" and size < 1:
        return  # such a column is zero in the Gram matrix
    A[:, 5] *= size
    with pytest.raises(ValueError, match=r"A has a column \(5\) .* range of float64"):
        solve(A, Y)


@BOTH
@pytest.mark.parametrize("n_targets", [None, 400])
@pytest.mark.parametrize("factor", [1e-30, 1e25, 1e35])
def test_single_precision_is_no_matter_of_scale(selection, n_targets, factor):
    A, Y, _ = planted(40, 60, 4, n_targets=n_targets, noise=0.1, dtype=np.float32)
    plain = omp(A, Y, n_nonzero=8, tol=0.05, selection=selection)
    with np.errstate(all="raise", under="ignore"):
        scaled = omp(A, Y * np.float32(factor), n_nonzero=8, tol=0.05, selection=selection)
    assert scaled.history["selected"] == plain.history["selected"]
    assert scaled.status is Status.CONVERGED
    np.testing.assert_allclose(scaled.coef / np.float32(factor), plain.coef, atol=1e-3)


@BOTH
@pytest.mark.parametrize("n_targets", [None, 400])
@pytest.mark.parametrize("factor", [1e-200, 1e200])
def test_only_ratios_of_weights_matter(selection, n_targets, factor):
    A, Y, _ = planted(40, 60, 4, n_targets=n_targets, noise=0.3)
    weights = np.array([0.0, np.inf, *np.linspace(0.5, 2.0, 58)])
    expected = omp(A, Y, n_nonzero=4, selection=selection, penalty_weights=weights)
    result = omp(A, Y, n_nonzero=4, selection=selection, penalty_weights=factor * weights)
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-12)
    weights = np.ones(60)
    weights[7] = factor
    order = omp(A, Y, n_nonzero=4, selection=selection, penalty_weights=weights).history["selected"]
    first = (order if n_targets is None else order[0]) + [None]
    assert (first[0] == 7) == (factor < 1)
    assert len(first) == 5


@pytest.mark.parametrize("n_targets", [None, 400])
@pytest.mark.parametrize("request_", [{"tol": 1.0}, {"tol": 1e300}, {"atol": 1e300}])
def test_a_tolerance_that_zero_meets_asks_for_nothing(n_targets, request_):
    A, Y, _ = planted(40, 60, 4, n_targets=n_targets)
    result = omp(A, Y, **request_)
    assert result.status is Status.CONVERGED
    assert not np.any(result.coef)


@BOTH
def test_a_long_column_does_not_displace_a_true_one(selection):
    A, y, coef = planted(noise=0.01, seed=2)
    A[:, np.flatnonzero(coef == 0)[0]] *= 1e3
    np.testing.assert_array_equal(omp(A, y, n_nonzero=4, selection=selection).support, np.flatnonzero(coef))


@BOTH
def test_a_float32_gram_meets_the_residual_tolerance(selection):
    A, Y, _ = planted(60, 80, 4, n_targets=400, noise=0.0)
    A = A.astype(np.float32)
    Y = (A.astype(np.float64) @ np.linalg.lstsq(A.astype(np.float64), Y)[0]).astype(np.float32)
    gram = A.T @ A
    for design, target in [(A, Y), (GramDesign(gram, 60, np.sum(Y.astype(float) ** 2, axis=0)), A.T @ Y)]:
        result = omp(design, target, tol=1e-3, selection=selection)
        residual = np.linalg.norm(Y - A.astype(float) @ result.coef.astype(float), axis=0)
        assert result.status is Status.CONVERGED
        assert result.coef.dtype == np.float32
        assert np.all(residual <= 1.01e-3 * np.linalg.norm(Y, axis=0))


def test_more_columns_than_exist_are_clipped_with_a_warning():
    A, y, _ = planted(20, 10, 2)
    with pytest.warns(RuntimeWarning, match="n_nonzero=11 .* number of features; 10"):
        result = omp(A, y, n_nonzero=11)
    np.testing.assert_allclose(result.coef, np.linalg.lstsq(A, y)[0], atol=1e-10)
    with pytest.warns(RuntimeWarning, match="n_nonzero=30 .* number of samples; 20"):
        assert omp(np.hstack([A] * 4) + np.eye(20, 40), y, n_nonzero=30).n_iter <= 20


@pytest.mark.parametrize("n_targets", [None, 2, 500])
def test_a_zero_target_has_a_zero_answer(n_targets):
    A, Y, _ = planted(n_targets=n_targets)
    for request in ({"n_nonzero": 3}, {"tol": 0.1}, {"atol": 1.0}):
        result = omp(A, 0 * Y, **request)
        assert result.status is Status.CONVERGED
        assert not np.any(result.coef)
        assert np.all(np.asarray(result.certificate) == 0)


@BOTH
@pytest.mark.parametrize("n_targets", [None, 600])
def test_duplicated_and_zero_columns_are_selected_once_or_never(selection, n_targets):
    rng = np.random.default_rng(5)
    three = rng.standard_normal((20, 3))
    A = np.hstack([three, -3.0 * three, np.zeros((20, 2))])
    Y = rng.standard_normal((20, n_targets or 1)) if n_targets else rng.standard_normal(20)
    with pytest.warns(
        ConvergenceWarning, match="only 3 of 5 columns could be selected.*linearly independent"
    ) as caught:
        result = omp(A, Y, n_nonzero=5, selection=selection)
    assert len(caught) == 1
    assert result.n_iter == 3
    assert np.all(np.isfinite(result.coef))
    assert result.status is Status.STALLED
    assert omp(A, Y, n_nonzero=3, selection=selection).status is Status.CONVERGED
    np.testing.assert_allclose(A @ result.coef, three @ np.linalg.lstsq(three, Y)[0], atol=1e-10)
    with pytest.warns(ConvergenceWarning, match="tol=1.0e-03 not reached.*linearly dependent"):
        late = omp(A, Y, tol=1e-3, selection=selection)
    assert late.status is Status.STALLED
    np.testing.assert_allclose(late.coef, result.coef, atol=1e-12)


@BOTH
def test_near_duplicates_end_with_an_accurate_fit_on_the_support(selection):
    A, y, _ = planted(30, 10, 3, noise=0.3)
    twin = A + 1e-4 * np.random.default_rng(1).standard_normal(A.shape)
    for target in (y, np.tile(y[:, None], 600) * np.linspace(1, 2, 600)):
        result = omp(np.hstack([A, twin]), target, n_nonzero=12, selection=selection)
        assert result.status is Status.CONVERGED
        assert np.all(np.asarray(result.certificate) <= 1e-8)


@BOTH
@pytest.mark.parametrize("tol", [1e-5, 1e-7, 1e-10])
@pytest.mark.parametrize("kind", ["dense", "csc"])
def test_fine_tolerances_of_many_targets_are_met_with_no_more_columns_than_needed(selection, tol, kind, monkeypatch):
    monkeypatch.setattr(rules, "_SMALL", 0)
    A, Y, coef = planted(60, 40, 4, n_targets=400, noise=0.0)
    result = omp(sp.csc_array(A) if kind == "csc" else A, Y, tol=tol, selection=selection)
    assert result.status is Status.CONVERGED
    assert np.all(np.linalg.norm(Y - A @ result.coef, axis=0) <= tol * np.linalg.norm(Y, axis=0))
    exact = np.all(result.support == (coef != 0), axis=0)
    assert np.mean(exact) > 0.9
    assert np.max(np.sum(result.support, axis=0)) <= 8


@BOTH
def test_nearly_dependent_supports_are_refitted_until_the_certificate_holds(selection, monkeypatch):
    monkeypatch.setattr(rules, "_SMALL", 0)
    A, Y, _ = planted(30, 6, 3, n_targets=400, noise=0.3)
    twin = A + 2e-5 * np.random.default_rng(1).standard_normal(A.shape)
    result = omp(np.hstack([A, twin]), Y, n_nonzero=12, selection=selection)
    assert np.min(np.sum(result.support, axis=0)) > 6
    assert result.status is Status.CONVERGED
    assert np.all(result.certificate <= 1e-8)


@BOTH
def test_columns_nearer_to_the_span_than_rounding_allows_are_dependent(selection):
    for apart, expected in ((1e-6, 1), (1e-4, 2)):
        A = np.array([[1.0, 1.0], [0.0, apart], [0.0, 0.0]])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            assert omp(A, np.ones(3), n_nonzero=2, selection=selection).n_iter == expected
        assert [str(w.message)[:11] for w in caught] == ["only 1 of 2"] * (2 - expected)


@BOTH
@pytest.mark.parametrize("n_targets", [None, 400])
def test_weights_order_force_and_exclude_columns(selection, n_targets):
    A, Y, coef = planted(60, 80, 4, n_targets=n_targets, noise=0.01)
    weights = np.ones(80)
    weights[[0, 5]] = 0.0
    weights[7] = np.inf
    result = omp(A, Y, n_nonzero=4, selection=selection, penalty_weights=weights)
    assert np.all((result.coef != 0)[[0, 5]])
    assert not np.any(result.coef[7])
    order = result.history["selected"] if n_targets is None else result.history["selected"][0]
    assert order[:2] == [0, 5]
    assert len(order) == 6
    scaled = omp(A, Y, n_nonzero=4, selection=selection, penalty_weights=7.0 * weights)
    np.testing.assert_allclose(scaled.coef, result.coef, atol=1e-12)
    heavy = np.ones(80)
    heavy[order[2]] = 1e6
    assert not np.any(omp(A, Y, n_nonzero=1, selection=selection, penalty_weights=heavy).coef[order[2]])


@BOTH
@pytest.mark.parametrize("form", ["residual", "compiled", "arrays"])
def test_a_weight_divides_the_correlation_of_its_column(selection, form, monkeypatch):
    A, Y, _ = planted(40, 60, 5, n_targets=50, noise=0.5)
    weights = np.random.default_rng(1).uniform(0.5, 2.0, 60)
    if form == "residual":
        monkeypatch.setattr(forms, "_shares_gram", lambda *_: False)
    monkeypatch.setattr(rules, "_SMALL", 0 if form == "compiled" else 10**12)
    design, target = (GramDesign(A.T @ A, 40), A.T @ Y) if form == "arrays" else (A, Y)
    result = omp(design, target, n_nonzero=5, selection=selection, penalty_weights=weights)
    for p in range(0, 50, 7):
        order = []
        for _ in range(5):
            residual = Y[:, p] - A[:, order] @ np.linalg.lstsq(A[:, order], Y[:, p])[0] if order else Y[:, p]
            left = np.array(A)
            if order and selection == "ols":
                basis = np.linalg.qr(A[:, order])[0]
                left -= basis @ (basis.T @ A)
            score = np.abs(A.T @ residual) / (np.linalg.norm(left, axis=0) * weights)
            score[order] = -1.0
            order.append(int(np.argmax(score)))
        assert result.history["selected"][p] == order


@BOTH
def test_whole_sample_weights_are_repeated_rows(selection):
    A, Y, _ = planted(30, 20, 3, n_targets=4, noise=0.5)
    repeats = np.random.default_rng(0).integers(0, 4, 30)
    expected = omp(np.repeat(A, repeats, axis=0), np.repeat(Y, repeats, axis=0), n_nonzero=3, selection=selection)
    result = omp(A, Y, n_nonzero=3, selection=selection, sample_weight=repeats)
    np.testing.assert_allclose(result.coef, expected.coef, atol=1e-12)


@BOTH
def test_whichever_of_sparsity_and_tolerance_comes_first_ends_the_pursuit(selection):
    A, y, _ = planted(noise=0.3)
    by_tol = omp(A, y, tol=0.5, selection=selection)
    assert omp(A, y, tol=0.5, n_nonzero=30, selection=selection).n_iter == by_tol.n_iter
    assert omp(A, y, tol=1e-6, n_nonzero=2, selection=selection).n_iter == 2
    assert omp(A, y, atol=0.5 * np.linalg.norm(y), selection=selection).n_iter == by_tol.n_iter


@pytest.mark.parametrize("n_targets", [None, 400])
def test_positive_answers_are_positive_least_squares_fits(n_targets):
    A, Y, _ = planted(40, 60, 5, n_targets=n_targets, noise=0.5)
    result = omp(A, Y, n_nonzero=6, positive=True)
    assert np.all(result.coef >= 0)
    assert np.all(np.asarray(result.certificate) < 1e-10)
    assert result.n_iter > 2


def test_an_operator_with_declared_norms_selects_as_its_matrix_does():
    A, y, _ = planted(100, 60, 4, noise=0.3)
    A = A * np.linspace(0.1, 9.0, 60)
    operator = aslinearoperator(A)
    operator.column_sq_norms = np.sum(A**2, axis=0)
    for selection in ("omp", "ols"):
        expected = omp(A, y, n_nonzero=5, selection=selection).history["selected"]
        assert omp(operator, y, n_nonzero=5, selection=selection).history["selected"] == expected
    assert omp(operator_without_norms(A), y, n_nonzero=5, selection="ols").history["selected"] == expected


def test_bits_do_not_depend_on_threads():
    A, Y, _ = planted(40, 50, 5, n_targets=900, noise=0.5)
    one, two = (omp(A, Y, n_nonzero=5, n_jobs=n_jobs).coef for n_jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_inputs_are_never_modified():
    A, Y, _ = planted(40, 50, 5, n_targets=900, noise=0.5)
    before = A.copy(), Y.copy()
    omp(A, Y, n_nonzero=5, tol=1e-3)
    omp(A, Y[:, 0], n_nonzero=5, selection="ols")
    np.testing.assert_array_equal(A, before[0])
    np.testing.assert_array_equal(Y, before[1])


def test_a_small_problem_never_loads_the_compiler():
    script = (
        "import sys, numpy as np; from sparsecode import omp, GramDesign; A = np.random.default_rng(0).standard_normal((30, 90));"
        "omp(A, A[:, 3], n_nonzero=3); omp(A, A[:, :4], n_nonzero=3, selection='ols');"
        "omp(GramDesign(A.T @ A, 30), A.T @ A[:, 3], n_nonzero=2); sys.exit('numba' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0


@pytest.mark.parametrize(
    "change, word",
    [
        ({}, "when to stop"),
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"n_nonzero": 1.5}, "n_nonzero"),
        ({"tol": -0.1}, "tol"),
        ({"tol": np.nan}, "tol"),
        ({"n_nonzero": 1, "selection": "best"}, "selection"),
        ({"n_nonzero": 1, "penalty_weights": [-1.0] * 80}, "penalty_weights"),
        ({"n_nonzero": 1, "sample_weight": [1.0]}, "sample_weight"),
        ({"n_nonzero": 1, "y": np.ones(3)}, "y has shape"),
    ],
)
def test_bad_input_is_named(change, word):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=word):
        omp(A, **{"y": y, **change})


def test_positive_complex_codes_are_refused():
    A, y, _ = planted(complex_=True)
    with pytest.raises(ValueError, match="positive"):
        omp(A, y, n_nonzero=2, positive=True)
