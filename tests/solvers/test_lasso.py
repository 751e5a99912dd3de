"""The Lasso by working sets, against a naive twin, closed forms, cvxpy and scikit-learn."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Lasso as PeerLasso

from sparsecode import L1, GramDesign, L1Ridge, Lasso, Status, alpha_max, lasso, solve
from sparsecode.designs import CenteredDesign, SparseDesign
from sparsecode.losses import Squared
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.problem import make_problem
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.naive_lasso import naive_lasso

TIGHT = 1e-12


def objective(A, y, coef, alpha, weights=1.0):
    """The function that is minimised."""
    return 0.5 * np.mean((y - A @ coef) ** 2) + alpha * np.sum(weights * np.abs(coef))


@pytest.fixture(scope="module")
def wide():
    """More features than samples, a noisy target: supports of dozens."""
    return planted(60, 150, 8, noise=0.5, seed=3)


KINDS = {
    "fortran": np.asfortranarray,
    "c": np.ascontiguousarray,
    "csc": sp.csc_array,
    "csr": sp.csr_matrix,
    "operator": aslinearoperator,
}


@pytest.mark.parametrize("share", [0.5, 0.1, 0.01])
@pytest.mark.parametrize("positive", [False, True])
def test_equals_naive_coordinate_descent(wide, share, positive):
    alpha = share * alpha_max(wide.A, wide.y, positive=positive)
    result = lasso(wide.A, wide.y, alpha, positive=positive, tol=TIGHT)
    np.testing.assert_allclose(result.coef, naive_lasso(wide.A, wide.y, alpha, positive=positive), atol=1e-6)
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("share", [0.3, 0.03])
def test_equals_cvxpy(wide, share):
    cvxpy = pytest.importorskip("cvxpy")
    alpha = share * alpha_max(wide.A, wide.y)
    x = cvxpy.Variable(150)
    cost = cvxpy.sum_squares(wide.y - wide.A @ x) / 120 + alpha * cvxpy.norm1(x)
    cvxpy.Problem(cvxpy.Minimize(cost)).solve(solver="CLARABEL")
    result = lasso(wide.A, wide.y, alpha, tol=TIGHT)
    assert result.objective <= cost.value * (1 + 1e-7)
    np.testing.assert_allclose(result.coef, x.value, atol=1e-4)


@pytest.mark.parametrize("share", [0.3, 0.03, 0.003])
def test_equals_scikit_learn(wide, share):
    alpha = share * alpha_max(wide.A, wide.y)
    peer = PeerLasso(alpha, fit_intercept=False, tol=1e-14, max_iter=1_000_000).fit(wide.A, wide.y)
    np.testing.assert_allclose(lasso(wide.A, wide.y, alpha, tol=TIGHT).coef, peer.coef_, atol=1e-6)


def test_orthonormal_columns_give_soft_thresholding():
    rng = np.random.default_rng(0)
    Q = np.linalg.qr(rng.standard_normal((80, 50)))[0] * np.sqrt(80)
    y = 3 * rng.standard_normal(80)
    values = Q.T @ y / 80
    np.testing.assert_allclose(
        lasso(Q, y, 0.2, tol=TIGHT).coef, np.sign(values) * np.maximum(np.abs(values) - 0.2, 0), atol=1e-12
    )


@pytest.mark.parametrize("positive", [False, True])
def test_zero_from_alpha_max_on_and_not_below(wide, positive):
    top = alpha_max(wide.A, wide.y, positive=positive)
    correlations = wide.A.T @ wide.y / 60
    assert top == pytest.approx(np.max(correlations if positive else np.abs(correlations)))
    assert lasso(wide.A, wide.y, top * (1 + 1e-12), positive=positive).support.size == 0
    assert lasso(wide.A, wide.y, 0.97 * top, positive=positive, tol=1e-9).support.size > 0


def test_alpha_max_after_the_free_columns():
    A, y, _ = planted(50, 20, 3, noise=0.3)
    weights = np.where(np.arange(20) < 2, 0.0, 2.0)
    top = alpha_max(A, y, penalty_weights=weights)
    left = y - A[:, :2] @ np.linalg.lstsq(A[:, :2], y)[0]
    assert top == pytest.approx(np.max(np.abs(A[:, 2:].T @ left)) / 50 / 2.0)
    at, below = (lasso(A, y, share * top, penalty_weights=weights, tol=1e-10) for share in (1.0001, 0.97))
    assert set(at.support) == {0, 1}
    assert below.support.size > 2


@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_scaling_target_and_strength_scales_the_answer(wide, factor):
    alpha = 0.1 * alpha_max(wide.A, wide.y)
    plain = lasso(wide.A, wide.y, alpha, tol=1e-10)
    scaled = lasso(wide.A, factor * wide.y, factor * alpha, tol=1e-10)
    np.testing.assert_allclose(scaled.coef, factor * plain.coef, rtol=1e-6, atol=1e-7 * factor)
    np.testing.assert_array_equal(scaled.support, plain.support)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.3, 0.03])
def test_every_kind_of_design_gives_the_same_answer(wide, kind, share):
    alpha = share * alpha_max(wide.A, wide.y)
    expected = naive_lasso(wide.A, wide.y, alpha)
    result = lasso(KINDS[kind](wide.A), wide.y, alpha, tol=1e-11)
    np.testing.assert_allclose(result.coef, expected, atol=1e-5)


@pytest.mark.parametrize("norm", ["given", "derived"])
def test_gram_gives_the_same_answer(wide, norm):
    alpha = 0.05 * alpha_max(wide.A, wide.y)
    design = GramDesign(wide.A.T @ wide.A, 60, wide.y @ wide.y if norm == "given" else None)
    result = lasso(design, wide.A.T @ wide.y, alpha, tol=1e-11)
    np.testing.assert_allclose(result.coef, naive_lasso(wide.A, wide.y, alpha), atol=1e-5)


@pytest.fixture(scope="module")
def thin():
    """Compressed columns of a few entries."""
    rng = np.random.default_rng(5)
    A = sp.random(400, 900, density=0.01, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    coef = np.zeros(900)
    coef[rng.choice(900, 20, replace=False)] = rng.standard_normal(20)
    return A, A @ coef + 0.05 * rng.standard_normal(400)


@pytest.mark.parametrize("indices", [np.int32, np.int64])
@pytest.mark.parametrize("share", [0.3, 0.03, 0.003])
def test_short_columns_give_the_dense_answer(thin, indices, share):
    A, y = thin
    matrix = A.copy()
    matrix.indices, matrix.indptr = matrix.indices.astype(indices), matrix.indptr.astype(indices)
    alpha = share * alpha_max(A, y)
    compressed, dense = (lasso(M, y, alpha, tol=1e-11) for M in (matrix, A.toarray()))
    assert compressed.status is dense.status is Status.CONVERGED
    np.testing.assert_allclose(compressed.coef, dense.coef, atol=1e-5)


@pytest.mark.parametrize("share", [0.1, 0.01])
@pytest.mark.parametrize("weighted", [False, True])
def test_centred_short_columns_give_the_centred_dense_answer(thin, share, weighted):
    A, y = thin
    rng = np.random.default_rng(0)
    root = np.sqrt(rng.uniform(0, 2, 400)) if weighted else None
    mean = rng.standard_normal(900) * 0.1
    full = A.toarray() - mean
    full = full if root is None else root[:, None] * full
    alpha = share * alpha_max(full, y)
    implicit = lasso(CenteredDesign(SparseDesign(A), mean, root), y, alpha, tol=1e-11)
    np.testing.assert_allclose(implicit.coef, lasso(full, y, alpha, tol=1e-11).coef, atol=1e-5)


def test_index_types_need_no_second_compilation(thin):
    from sparsecode.kernels.coordinate import sparse_sweeps

    A, y = thin
    alpha = 0.1 * alpha_max(A, y)
    lasso(A, y, alpha)
    before = len(sparse_sweeps.signatures)
    wide_indices = A.copy()
    wide_indices.indices, wide_indices.indptr = A.indices.astype(np.int64), A.indptr.astype(np.int64)
    lasso(wide_indices, y, alpha)
    lasso(A.astype(np.float32), y.astype(np.float32), alpha)
    assert len(sparse_sweeps.signatures) == before


@pytest.mark.parametrize("share", [0.3, 0.03])
def test_weights_are_rescaled_columns(wide, share):
    weights = np.random.default_rng(1).uniform(0.3, 3.0, 150)
    alpha = share * alpha_max(wide.A / weights, wide.y)
    weighted = lasso(wide.A, wide.y, alpha, penalty_weights=weights, tol=TIGHT)
    np.testing.assert_allclose(
        weighted.coef, lasso(wide.A / weights, wide.y, alpha, tol=TIGHT).coef / weights, atol=1e-6
    )


@pytest.mark.parametrize("kind", ["fortran", "csc", "operator"])
@pytest.mark.parametrize("positive", [False, True])
def test_free_columns_are_fitted_and_excluded_ones_are_not(wide, kind, positive):
    weights = np.ones(150)
    weights[:3], weights[3:6] = 0.0, np.inf
    alpha = 0.05 * alpha_max(wide.A, wide.y)
    result = lasso(KINDS[kind](wide.A), wide.y, alpha, penalty_weights=weights, positive=positive, tol=1e-10)
    expected = naive_lasso(wide.A, wide.y, alpha, weights, positive)
    np.testing.assert_allclose(result.coef, expected, atol=1e-5)
    assert not result.coef[3:6].any()


def test_excluding_all_columns_is_refused(wide):
    with pytest.raises(ValueError, match="penalty_weights are infinite for every feature"):
        lasso(wide.A, wide.y, 0.1, penalty_weights=np.full(150, np.inf))


def test_sample_weights_are_repetition():
    A, y, _ = planted(40, 60, 4, noise=0.3)
    counts = np.random.default_rng(2).integers(0, 4, 40)
    alpha = 0.1 * alpha_max(A, y)
    weighted = lasso(A, y, alpha, sample_weight=counts, tol=TIGHT)
    repeated = lasso(np.repeat(A, counts, axis=0), np.repeat(y, counts), alpha, tol=TIGHT)
    np.testing.assert_allclose(weighted.coef, repeated.coef, atol=1e-7)
    assert weighted.objective == pytest.approx(repeated.objective)


def test_the_certificate_bounds_the_suboptimality(wide):
    alpha = 0.05 * alpha_max(wide.A, wide.y)
    best = objective(wide.A, wide.y, naive_lasso(wide.A, wide.y, alpha), alpha)
    at_zero = 0.5 * np.mean(wide.y**2)
    for tol in (1e-2, 1e-4, 1e-8):
        result = lasso(wide.A, wide.y, alpha, tol=tol)
        assert result.certificate <= tol
        assert result.objective == pytest.approx(objective(wide.A, wide.y, result.coef, alpha), rel=1e-12)
        assert result.objective - best <= result.certificate * at_zero + 1e-12


def test_a_column_of_zeros_stays_out(wide):
    A = wide.A.copy()
    A[:, [0, 7]] = 0.0
    for design in (A, sp.csc_array(A)):
        result = lasso(design, wide.y, 0.01 * alpha_max(A, wide.y), tol=1e-9)
        assert not result.coef[[0, 7]].any() and result.status is Status.CONVERGED


@pytest.mark.parametrize("share", [0.3, 0.01])
def test_duplicated_columns_share_one_objective(wide, share):
    A = np.hstack([wide.A[:, :40], wide.A[:, :40], -wide.A[:, :10]])
    alpha = share * alpha_max(A, wide.y)
    result = lasso(A, wide.y, alpha, tol=1e-10)
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(lasso(wide.A[:, :40], wide.y, alpha, tol=1e-10).objective, rel=1e-8)


def test_a_design_of_low_rank_converges():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 5)) @ rng.standard_normal((5, 120))
    y = rng.standard_normal(50)
    result = lasso(A, y, 0.01 * alpha_max(A, y), tol=1e-9)
    assert result.status is Status.CONVERGED and np.isfinite(result.coef).all()


@pytest.mark.parametrize("design", [np.asarray, sp.csc_array, aslinearoperator])
def test_a_zero_target_gives_zeros(wide, design):
    result = lasso(design(wide.A), np.zeros(60), 0.1)
    assert not result.coef.any() and result.status is Status.CONVERGED and result.certificate == 0.0


@pytest.mark.parametrize("share", [0.3, 0.01])
def test_single_precision_stays_single_and_is_certified_in_double(wide, share):
    A, y = wide.A.astype(np.float32), wide.y.astype(np.float32)
    alpha = share * alpha_max(A, y)
    for design in (A, np.asfortranarray(A), sp.csc_array(A)):
        result = lasso(design, y, alpha, tol=1e-12)
        assert result.coef.dtype == np.float32 and result.tol == 1e-6
        problem = make_problem(A.astype(float), y.astype(float), Squared(), L1(alpha))
        assert relative_gap(problem, result.coef.astype(float)).value <= 1e-6


def test_complex_data_equal_the_real_ones_where_nothing_is_imaginary(wide):
    alpha = 0.2 * alpha_max(wide.A, wide.y)
    real, complex_ = (lasso(A, wide.y, alpha, tol=1e-10) for A in (wide.A, wide.A + 0j))
    np.testing.assert_allclose(complex_.coef, real.coef, atol=1e-5)
    assert np.iscomplexobj(complex_.coef) and complex_.certificate_name == real.certificate_name


@pytest.mark.parametrize("name", FOREIGN)
def test_other_namespaces_give_the_same_answer(wide, name):
    alpha = 0.2 * alpha_max(wide.A, wide.y)
    A, y = put(wide.A, name), put(wide.y, name)
    result = lasso(A, y, alpha, tol=1e-10)
    np.testing.assert_allclose(get(result.coef), lasso(wide.A, wide.y, alpha, tol=1e-10).coef, atol=1e-5)
    assert alpha_max(A, y) == pytest.approx(alpha_max(wide.A, wide.y))


def test_no_strength_is_least_squares():
    A, y, _ = planted(60, 10, 3, noise=0.5)
    np.testing.assert_allclose(lasso(A, y, 0.0, tol=1e-12).coef, np.linalg.lstsq(A, y)[0], atol=1e-8)


@pytest.mark.parametrize("kind", ["fortran", "csc", "operator"])
def test_many_targets_equal_one_by_one(kind):
    A, Y, _ = planted(60, 100, 5, n_targets=20, noise=0.2)
    Y[:, 3] = 0.0
    together = lasso(KINDS[kind](A), Y, 0.1, tol=1e-10)
    assert together.coef.shape == (100, 20) and together.certificate.shape == (20,)
    for column in range(20):
        np.testing.assert_allclose(together.coef[:, column], naive_lasso(A, Y[:, column], 0.1), atol=1e-5)
    assert together.status is Status.CONVERGED and np.all(together.certificate <= 1e-10)


def test_threads_change_no_bit():
    A, Y, _ = planted(60, 200, 5, n_targets=40, noise=0.2)
    one, two = (lasso(A, Y, 0.05, n_jobs=jobs).coef for jobs in (1, 2))
    np.testing.assert_array_equal(one, two)


def test_many_targets_through_a_gram_matrix():
    A, Y, _ = planted(60, 100, 5, n_targets=3, noise=0.2)
    design = GramDesign(A.T @ A, 60, np.sum(Y**2, axis=0))
    np.testing.assert_allclose(lasso(design, A.T @ Y, 0.1, tol=1e-10).coef, lasso(A, Y, 0.1, tol=1e-10).coef, atol=1e-6)


def test_a_good_start_needs_no_round(wide):
    alpha = 0.1 * alpha_max(wide.A, wide.y)
    cold = lasso(wide.A, wide.y, alpha, tol=1e-9)
    assert lasso(wide.A, wide.y, alpha, tol=1e-9, init=cold.coef).n_iter == 0
    from_far = lasso(wide.A, wide.y, alpha, tol=1e-11, init=np.random.default_rng(0).standard_normal(150))
    np.testing.assert_allclose(from_far.coef, cold.coef, atol=1e-4)


def test_operators_that_need_many_columns_go_on_by_gradient_steps():
    A, y, _ = planted(300, 700, 100, noise=1.0, seed=2)
    alpha = 0.005 * alpha_max(A, y)
    products = []

    def forward(x):
        products.append(1)
        return A @ x

    from scipy.sparse.linalg import LinearOperator

    operator = LinearOperator(A.shape, matvec=forward, rmatvec=lambda u: A.T @ u, dtype=float)
    result = lasso(operator, y, alpha, tol=1e-7)
    dense = lasso(A, y, alpha, tol=1e-7)
    assert dense.support.size > 256
    assert result.status is Status.CONVERGED
    assert result.objective == pytest.approx(dense.objective, rel=1e-6)


def test_the_callback_sees_each_round_and_can_stop(wide):
    alpha = 0.01 * alpha_max(wide.A, wide.y)
    seen = []
    result = lasso(wide.A, wide.y, alpha, tol=TIGHT, callback=lambda progress: seen.append(progress) or len(seen) == 2)
    assert result.status is Status.INTERRUPTED and [progress.iteration for progress in seen] == [0, 1]


def test_a_missed_tolerance_warns_once(wide):
    with pytest.warns(ConvergenceWarning) as caught:
        result = lasso(wide.A, wide.y, 0.01 * alpha_max(wide.A, wide.y), max_iter=1)
    assert len(caught) == 1 and result.status is Status.MAX_ITER
    with pytest.warns(ConvergenceWarning) as caught:
        result = lasso(wide.A, wide.y, 0.01 * alpha_max(wide.A, wide.y), tol=0.0)
    assert len(caught) == 1 and result.status is Status.STALLED and result.certificate < 1e-13


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0"),
        ({"alpha": np.nan}, "alpha must be a finite number"),
        ({"tol": -1.0}, "tol must be"),
        ({"max_iter": 0}, "max_iter must be"),
        ({"penalty_weights": np.ones(3)}, "penalty_weights has shape"),
        ({"sample_weight": -np.ones(60)}, "sample_weight"),
        ({"init": np.zeros(3)}, "init has shape"),
        ({"y": np.ones(59)}, "y has shape"),
    ],
)
def test_bad_input_is_named(wide, change, message):
    arguments = {"A": wide.A, "y": wide.y, "alpha": 0.1, **change}
    with pytest.raises(ValueError, match=message):
        lasso(arguments.pop("A"), arguments.pop("y"), arguments.pop("alpha"), **arguments)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("layout", [np.asfortranarray, np.ascontiguousarray])
def test_non_finite_designs_are_refused(wide, bad, layout):
    A = wide.A.copy()
    A[17, 5] = bad
    y = wide.y.copy()
    y[17] = 0.0
    for weight in (None, np.where(np.arange(60) == 17, 0.0, 1.0)):
        with pytest.raises(ValueError, match="A contains NaN or infinity"):
            lasso(layout(A), y, 0.1, sample_weight=weight)


def test_inputs_are_left_alone(wide):
    A, y, weights = wide.A.copy(), wide.y.copy(), np.linspace(0, 2, 150)
    for array in (A, y, weights):
        array.flags.writeable = False
    lasso(A, y, 0.05, penalty_weights=weights, sample_weight=np.arange(60.0))
    np.testing.assert_array_equal(A, wide.A)


@pytest.mark.parametrize("solver", ["auto", "fista", "ista"])
@pytest.mark.parametrize("penalty", [L1(0.01, True), L1Ridge(0.01, 0.5, True), L1(0.0, True)], ids=str)
def test_a_start_of_the_wrong_sign_is_not_handed_out(penalty, solver):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 8))
    y = A[:, 0] - 2.0 * A[:, 1] + 0.1 * rng.standard_normal(30)
    wrong = np.linalg.lstsq(A, y)[0]
    result = solve(A, y, penalty=penalty, solver=solver, init=wrong, tol=1e-10)
    assert wrong.min() < -1 and result.coef.min() >= 0
    own = solve(A, y, penalty=penalty, solver=solver, tol=1e-10)
    np.testing.assert_allclose(result.coef, own.coef, atol=1e-4)


def test_a_warm_start_that_becomes_one_sided_is_not_handed_out():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 8))
    y = A[:, 0] - 2.0 * A[:, 1] + 0.1 * rng.standard_normal(30)
    model = Lasso(alpha=0.01, warm_start=True).fit(A, y).set_params(positive=True).fit(A, y)
    np.testing.assert_allclose(model.coef_, Lasso(alpha=0.01, positive=True).fit(A, y).coef_, atol=1e-4)
