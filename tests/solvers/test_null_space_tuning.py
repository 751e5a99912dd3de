"""Null-space tuning against a twin written from the paper's update, and the identities behind the implementation."""

import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, NullSpaceTuning, Status, null_space_tuning
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
            step = size * wanted + (A / size).conj().T @ (y - A @ wanted)
            moved = np.linalg.norm(size * wanted - np.where(after != 0, step, 0)) / np.linalg.norm(size * wanted)
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


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("n_targets", [None, 3])
@pytest.mark.parametrize("n_samples", [90, 400])
def test_more_samples_than_columns_leave_a_residual_that_conjugate_gradients_do_not_see(complex_, n_targets, n_samples):
    """As many steps as there are columns give the pseudo-inverse, of a residual with a part that no column explains, too."""
    A, Y, _ = planted(n_samples, 60, 5, noise=1.0, complex_=complex_, n_targets=n_targets)
    exact = np.linalg.pinv(A / np.linalg.norm(A, axis=0)) @ Y
    operator = aslinearoperator(A)
    operator.column_sq_norms = np.sum(np.abs(A) ** 2, axis=0)
    form = whitening.make_whitening(make_problem(operator, Y, Squared(), L0Ball(5)))
    passes = list(form(Y))
    np.testing.assert_allclose(passes[min(60, len(passes)) - 1][0], exact, atol=1e-6)
    np.testing.assert_allclose(passes[-1][0], exact, atol=1e-10)
    for step, guess, bound in passes[1:12] if n_samples == 400 else []:  # whose columns are almost orthogonal
        error = np.linalg.norm(step - exact, axis=0)
        assert np.all((guess / 5 <= error) & (error <= 5 * guess))
        assert np.all(error <= 1.1 * bound)


@pytest.mark.parametrize("level", [8, None])
def test_more_samples_than_columns_with_noise_are_tuned_as_the_matrix_is(level):
    for seed in range(6):
        A, y, _ = planted(200, 50, 8, noise=0.3, seed=seed)
        options = {"n_nonzero": level} if level else {"tol": 0.5}
        expected, result = null_space_tuning(A, y, **options), null_space_tuning(aslinearoperator(A), y, **options)
        assert result.status is Status.CONVERGED
        np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-6, atol=1e-9)


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
    left = np.linalg.norm(y - A @ result.coef)
    assert result.certificate == pytest.approx(left / (1.2 * noise))
    assert (result.tol, result.certificate_name) == (1.0, "residual norm over its limit")
    more = null_space_tuning(A, y, atol=1.2 * noise, tol=0.5)  # the more lenient of the two counts
    assert more.certificate == pytest.approx(np.linalg.norm(y - A @ more.coef) / (0.5 * np.linalg.norm(y)))
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


@pytest.mark.parametrize("seed", range(12))
def test_an_operator_is_certified_only_where_its_matrix_would_be(seed):
    """Supports of a quarter of the samples, which take several passes to settle."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((40, 80))
    A /= np.linalg.norm(A, axis=0)
    x = np.zeros(80)
    x[:10] = rng.standard_normal(10)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        dense, result = null_space_tuning(A, A @ x, 10), null_space_tuning(aslinearoperator(A), A @ x, 10)
    if result.status is Status.CONVERGED:
        support = result.support
        np.testing.assert_allclose(A[:, support].T @ (A @ (x - result.coef)), 0, atol=1e-5)
        assert dense.status is not Status.CONVERGED or np.allclose(result.coef, dense.coef, atol=1e-5)


def test_a_partial_transform_is_solved_to_the_tolerance_it_certifies():
    rng = np.random.default_rng(0)
    operator = dct_operator(512, np.sort(rng.choice(512, 128, replace=False)))
    coef = np.zeros(512)
    coef[rng.choice(512, 20, replace=False)] = rng.standard_normal(20)
    result = null_space_tuning(operator, operator @ coef, 20)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, coef, atol=1e-5)


def test_the_certificate_sees_coefficients_that_are_no_least_squares(monkeypatch):
    """It is recomputed from the columns: a wrong fit on the right support is not certified, whatever the solver remembers."""
    module = sys.modules[null_space_tuning.__module__]
    make = module.make_support_fit

    def spoilt(*args, **options):
        fit = make(*args, **options)
        wrong = {
            "is_exact": True,
            "columns": staticmethod(fit.columns),
            "__call__": lambda self, *rest: 1.001 * fit(*rest),
        }
        return type("Spoilt", (), wrong)()

    monkeypatch.setattr(module, "make_support_fit", spoilt)
    A, y, _ = planted(40, 100, 5, noise=0.0)
    with pytest.warns(ConvergenceWarning):
        result = null_space_tuning(A, y, 5)
    assert result.status is Status.STALLED
    assert result.certificate == pytest.approx(1e-3, rel=0.9)


@pytest.mark.parametrize("options", [{"fit_intercept": True}, {"fit_intercept": False}])
def test_noise_is_never_fitted_exactly_by_the_estimator(options):
    rng = np.random.default_rng(0)
    with pytest.warns(ConvergenceWarning, match="raise tol or atol .*n_nonzero_coefs"):
        model = NullSpaceTuning(**options).fit(rng.standard_normal((20, 60)), rng.standard_normal(20))
    assert model.status_ is Status.STALLED
    assert np.count_nonzero(model.coef_) <= 19 - options["fit_intercept"]


def test_samples_of_weight_zero_and_copies_of_samples_are_no_room_for_noise():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((20, 60)), rng.standard_normal(20)
    weighted = np.vstack([A, rng.standard_normal((20, 60))]), np.append(y, rng.standard_normal(20))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = null_space_tuning(A, y)
        copied = null_space_tuning(np.repeat(A, 2, axis=0), np.repeat(y, 2))
        result = null_space_tuning(*weighted, sample_weight=np.repeat([1.0, 0.0], 20))
    for other in (copied, result):
        assert other.status is Status.STALLED
        np.testing.assert_allclose(other.coef, alone.coef, atol=1e-8)
    many = [A[:, None, :].repeat(2, axis=1).reshape(40, 60)[:, :n] for n in (60, 10)]
    assert make_whitening_of(many[0]).largest_support == 19
    assert make_whitening_of(many[1]).largest_support == 10  # more samples than columns: nothing to fit by chance
    assert make_whitening_of(rng.standard_normal((20, 20))).largest_support == 19


def make_whitening_of(A):
    return whitening.make_whitening(make_problem(A, np.ones(len(A)), Squared(), L0Ball(3)))


def test_a_gram_matrix_does_not_certify_residuals_that_it_cannot_tell():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 60))
    y = A[:, :3] @ [1.0, 2.0, 3.0] + 3e-8 * rng.standard_normal(40)
    result = null_space_tuning(GramDesign(A.T @ A, 40, float(y @ y)), A.T @ y, tol=1e-12)
    assert result.certificate >= np.linalg.norm(y - A @ result.coef) / np.linalg.norm(y)
    assert result.tol >= 1e-8
    with pytest.raises(ValueError, match=r"target_sq_norm\), or pass n_nonzero"):
        null_space_tuning(GramDesign(A.T @ A, 40), A.T @ y)
    null_space_tuning(GramDesign(A.T @ A, 40), A.T @ y, 3)


def test_a_joint_support_stays_joint_where_one_target_is_done_before_the_others():
    rng = np.random.default_rng(3)
    A = rng.standard_normal((40, 100))
    easy = A[:, 3] + 2 * A[:, 50]
    with pytest.warns(ConvergenceWarning):
        result = null_space_tuning(A, np.stack([easy, rng.standard_normal(40)], axis=1), joint=True)
    np.testing.assert_array_equal(result.support[:, 0], result.support[:, 1])


def test_what_pruning_leaves_is_what_the_history_ends_with():
    A, y, coef = planted(60, 150, 10, noise=0.0, seed=2)
    result = null_space_tuning(A, y)
    assert np.count_nonzero(result.coef) == 10
    assert result.history["certificate"][-1] == result.certificate
    assert result.history["objective"][-1] == result.objective


def test_coefficients_beyond_single_precision_end_with_a_status():
    A, y, _ = planted(30, 60, 2, dtype="float32")
    with pytest.warns(ConvergenceWarning, match="grew without bound"):
        result = null_space_tuning(A * np.float32(1e-30), y * np.float32(1e10), 2)
    assert result.status is Status.DIVERGED
    assert np.all(np.isfinite(result.coef))


def test_designs_of_any_scale_are_whitened_in_single_precision(monkeypatch):
    monkeypatch.setattr(whitening, "_FEW_ROWS", 10)
    A, y, _ = planted(40, 100, 5, noise=0.1)
    expected = null_space_tuning(A, y, 5)
    for scale in (1e-60, 1e60, 10.0 ** np.random.default_rng(0).uniform(-40, 40, 100)):
        result = null_space_tuning(A * scale, y, 5)
        np.testing.assert_allclose(result.coef * scale, expected.coef, atol=1e-8)
