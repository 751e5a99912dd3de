"""Learning by message passing against damped message passing written out, dense algebra, and exact learning."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from sparsecode import sbl
from sparsecode._validation import as_design
from sparsecode.datasets import make_sparse_recovery
from sparsecode.designs import CenteredDesign, DenseDesign
from sparsecode.result import Status
from sparsecode.solvers.bayesian import ggamp
from sparsecode.solvers.bayesian.ggamp_certificate import ggamp_certifier
from sparsecode.solvers.bayesian.noise import Noise
from sparsecode.solvers.bayesian.passing import exchange
from sparsecode.solvers.bayesian.ridge import posterior_mean
from sparsecode.solvers.bayesian.setting import pose
from sparsecode.solvers.belief import Belief
from sparsecode.solvers.message_passing import block_squares
from sparsecode.solvers.message_passing.block_squares import BlockSquares, ColumnSquares, moduli, there_and_back
from tests._backends import FOREIGN, get, put
from tests.planted import planted

KINDS = {
    "iid": {"ensemble": "gaussian"},
    "mean": {"ensemble": "nonzero_mean", "mean": 1.0},
    "correlated": {"ensemble": "correlated", "correlation": 0.9},
    "condition 1000": {"ensemble": "ill_conditioned", "condition_number": 1e3},
}


def problem(kind, n_samples=60, n_features=100, n_nonzero=5, snr_db=40, seed=0, **options):
    return make_sparse_recovery(
        n_samples, n_features, n_nonzero, snr_db=snr_db, random_state=seed, **KINDS[kind], **options
    )


def dense_mean(A, Y, g, s):
    """The posterior mean of each target for prior variances of its own, by the covariance of the samples."""
    g = np.broadcast_to(g, (A.shape[1], Y.shape[1]))
    parts = []
    for j in range(Y.shape[1]):
        C = s * np.eye(len(A)) + (A * g[:, j]) @ A.conj().T
        parts.append(g[:, j] * (A.conj().T @ np.linalg.solve(C, Y[:, j])))
    return np.stack(parts, axis=1)


def damped_message_passing(A, y, g, s, damping, n_iter):
    """Mean and variances by Gaussian message passing with that damping, as the paper writes it."""
    S, x, t, u = np.abs(A) ** 2, np.zeros(A.shape[1]), np.ones(A.shape[1]), np.zeros(A.shape[0])
    for _ in range(n_iter):
        v = S @ t
        u = (1 - damping) * u + damping * (A @ x + v * u - y) / (s + v)
        spread = 1 / (S.T @ (1 / (s + v)))
        r = x - spread * (A.T @ u)
        t = g * spread / (g + spread)
        x = (1 - damping) * x + damping * g * r / (g + spread)
        if not np.all(np.abs(x) < 1e6):
            break
    return x, t


def sharp_damping(A):
    """The largest damping with which the means of the paper are sure to converge, and a tenth less."""
    n_samples, n_features = A.shape
    ratio = 1.1 * n_samples * n_features * np.linalg.norm(A, 2) ** 2 / np.linalg.norm(A) ** 2
    slope = 2 * (n_features - n_samples)
    return min(1.0, (np.sqrt(slope**2 + 16 * ratio * n_features) - slope) / (2 * ratio))


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_mean_is_that_of_dense_algebra_on_every_design(kind, complex_):
    A = problem(kind).design
    rng = np.random.default_rng(1)
    if complex_:
        A = A * np.exp(1j * rng.uniform(0, 7, A.shape))
    Y = rng.standard_normal((60, 3)) + 1j * complex_ * rng.standard_normal((60, 3))
    g = rng.uniform(0.1, 3.0, (100, 3))
    g[:50], g[7] = 1e-8, 0.0
    start = rng.standard_normal((100, 3)).astype(A.dtype) * np.sqrt(g)
    found = posterior_mean(DenseDesign(A), Y, g, 1e-3, start, 1e-26, 5000)
    np.testing.assert_allclose(found.coef, dense_mean(A, Y, g, 1e-3), atol=1e-10, rtol=0)
    np.testing.assert_allclose(found.residual, Y - A @ found.coef, atol=1e-10)
    np.testing.assert_allclose(found.scaled * np.sqrt(g), found.coef, atol=1e-14)


def test_mean_needs_fewer_products_from_a_near_start():
    A, Y = problem("correlated").design, np.random.default_rng(1).standard_normal((60, 1))
    g = np.random.default_rng(2).uniform(0.1, 3.0, (100, 1))
    cold = posterior_mean(DenseDesign(A), Y, g, 1e-2, np.zeros((100, 1)), 1e-12, 1000)
    warm = posterior_mean(DenseDesign(A), Y, 1.01 * g, 1e-2, cold.coef, 1e-6, 1000)
    again = posterior_mean(DenseDesign(A), Y, 1.01 * g, 1e-2, np.zeros((100, 1)), 1e-6, 1000)
    assert warm.n_products < again.n_products


@pytest.mark.parametrize("kind", KINDS)
def test_mean_and_variances_are_where_damped_message_passing_ends(kind):
    A = problem(kind, n_samples=40, n_features=80).design
    rng = np.random.default_rng(1)
    y, g, s = rng.standard_normal(40), rng.uniform(0.1, 2.0, 80), 0.05
    x, t = damped_message_passing(A, y, g, s, sharp_damping(A), 20_000)
    passed = exchange(moduli(DenseDesign(A)), g[:, None], g[:, None], s, 500, 1e-14)
    found = posterior_mean(DenseDesign(A), y[:, None], g[:, None], s, np.zeros((80, 1)), 1e-26, 5000)
    np.testing.assert_allclose(found.coef[:, 0], x, atol=1e-8)
    np.testing.assert_allclose(passed.variance[:, 0], t, rtol=1e-8)
    if kind != "iid":
        undamped, _ = damped_message_passing(A, y, g, s, 1.0, 20_000)
        assert np.max(np.abs(undamped)) > 1e6


def test_variances_of_independent_entries_are_nearly_exact():
    A = np.random.default_rng(0).standard_normal((200, 400)) / np.sqrt(200)
    g, s = np.random.default_rng(1).uniform(0.1, 2.0, 400), 0.01
    passed = exchange(moduli(DenseDesign(A)), g[:, None], g[:, None], s, 200, 1e-12)
    exact = g - g**2 * np.einsum("mn,mn->n", A, np.linalg.solve(s * np.eye(200) + (A * g) @ A.T, A))
    assert abs(np.median(passed.variance[:, 0] / exact) - 1.0) < 0.02


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.complex128])
def test_squares_by_blocks_are_those_of_the_matrix(order, dtype, monkeypatch):
    monkeypatch.setattr(block_squares, "_BLOCK", 64)
    A, _, _ = planted(23, 17, complex_=np.issubdtype(dtype, np.complexfloating))
    A = np.asarray(A.astype(dtype), order=order)
    v, u = np.random.default_rng(1).uniform(size=(17, 2)), np.random.default_rng(2).uniform(size=(23, 2))
    squared, S = BlockSquares(DenseDesign(A).in_double()), np.abs(A.astype(np.complex128)) ** 2
    np.testing.assert_allclose(squared.spread(v), S @ v, rtol=1e-12)
    np.testing.assert_allclose(squared.gather(u), S.T @ u, rtol=1e-12)
    total, back = there_and_back(squared, v, 0.3)
    np.testing.assert_allclose(total, 0.3 + S @ v, rtol=1e-12)
    np.testing.assert_allclose(back, S.T @ (1 / total), rtol=1e-12)


def test_squares_by_blocks_see_centred_columns_and_weighted_rows():
    A = np.random.default_rng(0).standard_normal((23, 17))
    mean, scale = A.mean(axis=0), np.random.default_rng(1).uniform(0.5, 2.0, 23)
    squared = BlockSquares(CenteredDesign(DenseDesign(A), mean, scale))
    S = (scale[:, None] * (A - mean)) ** 2
    np.testing.assert_allclose(squared.spread(np.ones((17, 1)))[:, 0], S.sum(axis=1), rtol=1e-12)
    np.testing.assert_allclose(squared.gather(np.ones((23, 1)))[:, 0], S.sum(axis=0), rtol=1e-12)


@pytest.mark.parametrize("name", FOREIGN)
def test_squares_by_blocks_are_the_same_in_every_namespace(name):
    A, v = np.random.default_rng(0).standard_normal((23, 17)), np.random.default_rng(1).uniform(size=(17, 1))
    total, back = BlockSquares(DenseDesign(put(A, name))).there_and_back(put(v, name), 0.3)
    np.testing.assert_allclose(get(total), 0.3 + A**2 @ v, rtol=1e-12)
    np.testing.assert_allclose(get(back), (A**2).T @ (1 / get(total)), rtol=1e-12)


def test_squares_of_an_operator_are_the_mean_entries_of_its_columns():
    A = np.random.default_rng(0).standard_normal((23, 17)) * np.linspace(0.1, 3.0, 17)
    squared = moduli(as_design(aslinearoperator(A)).with_exact_norms())
    flat = np.tile((A**2).mean(axis=0), (23, 1))
    v = np.random.default_rng(1).uniform(size=(17, 2))
    assert isinstance(squared, ColumnSquares)
    np.testing.assert_allclose(np.tile(squared.spread(v), (23, 1)), flat @ v, rtol=1e-12)
    np.testing.assert_allclose(squared.gather(np.full((1, 2), 0.7)), flat.T @ np.full((23, 2), 0.7), rtol=1e-12)


@pytest.mark.parametrize("kind", ["iid", "mean", "correlated"])
def test_evidence_is_that_of_exact_learning_on_easy_problems(kind):
    data = problem(kind, n_samples=80, snr_db=30, coef="sign")
    noise = float(np.var(data.noise))
    exact = sbl(data.design, data.target, method="em", noise_variance=noise)
    found = sbl(data.design, data.target, method="gamp", noise_variance=noise)
    assert found.status is Status.CONVERGED
    np.testing.assert_array_equal(np.sort(found.support), np.sort(exact.support))
    assert abs(found.log_evidence - exact.log_evidence) < 0.05
    np.testing.assert_allclose(found.coef, exact.coef, atol=2e-3)
    np.testing.assert_allclose(found.variance, exact.variance, rtol=0.02, atol=1e-12)


def test_noise_is_learned():
    data = problem("iid", n_samples=300, n_features=200, snr_db=20)
    found = sbl(data.design, data.target, method="gamp", noise_variance="learn")
    assert found.noise_variance == pytest.approx(np.var(data.noise), rel=0.15)
    assert found.status is Status.CONVERGED


@pytest.mark.parametrize("noise", [0.35, 1.0, 2.0])
def test_strong_noise_is_learned_from_fewer_samples_than_features(noise):
    ratios = []
    for seed in range(6):
        A, y, _ = planted(50, 120, 8, noise=noise, seed=seed)
        found = sbl(A, y, method="gamp")
        assert found.status is Status.CONVERGED
        ratios.append(np.sqrt(found.noise_variance) / noise)
    assert 0.7 < np.median(ratios) < 1.3
    assert min(ratios) > 0.5


def test_of_several_starts_the_one_of_the_lowest_objective_is_kept(monkeypatch):
    A, y, _ = planted(50, 120, 8, noise=1.0, seed=3)

    def worth(found):
        return found.log_evidence - 3.0 * np.count_nonzero(found.parameters["prior_variance"])

    chosen = sbl(A, y, method="gamp")
    monkeypatch.setattr(ggamp, "_HELD", ())
    alone = sbl(A, y, method="gamp")
    assert worth(chosen) > worth(alone) + 10
    assert alone.noise_variance < 0.1 < 0.7 < chosen.noise_variance
    assert chosen.n_iter > alone.n_iter


@pytest.mark.parametrize("share", [1e-8, 1e-4, 0.5, 20.0])
def test_given_noise_is_kept_however_small_or_large(share):
    data = problem("iid")
    noise = float(share * np.mean(data.target**2))
    found = sbl(data.design, data.target, method="gamp", noise_variance=noise, prune=0.0)
    assert found.noise_variance == pytest.approx(noise, rel=1e-12)
    g = found.parameters["prior_variance"]
    expected = dense_mean(data.design, data.target[:, None], g[:, None], noise)[:, 0]
    np.testing.assert_allclose(found.coef, expected, rtol=0, atol=max(1e-8, 1e-13 / share) * np.max(np.abs(data.coef)))


@pytest.mark.parametrize("kind", KINDS)
def test_signal_in_little_noise_is_recovered_on_every_design(kind):
    data = problem(kind, n_samples=150, n_features=300, n_nonzero=20, snr_db=60)
    found = sbl(data.design, data.target, method="gamp", noise_variance="learn")
    error = np.linalg.norm(found.coef - data.coef) / np.linalg.norm(data.coef)
    assert 20 * np.log10(error) < -50


@pytest.mark.parametrize("complex_", [False, True])
def test_correlated_rows_have_the_posterior_of_all_unknowns_together(complex_):
    A, Y, _ = planted(20, 30, 3, n_targets=3, noise=0.1, complex_=complex_)
    Y[:, 1:] = 0.7 * Y[:, :1] + 0.7 * Y[:, 1:]
    B = np.array([[1.0, 0.8, 0.5], [0.8, 1.0, 0.8], [0.5, 0.8, 1.0]])
    if complex_:
        B = B.astype(complex)
        B[0, 1], B[1, 0] = 0.6 + 0.4j, 0.6 - 0.4j
    found = sbl(A, Y, method="gamp", correlation=B, noise_variance=0.02, prune=0.0)
    g, s = found.parameters["prior_variance"], 0.02
    prior = np.kron(np.diag(g), B)  # of x_11, x_12, ..., one row after another
    big = np.kron(A, np.eye(3))
    C = s * np.eye(60) + big @ prior @ big.conj().T
    gain = prior @ big.conj().T @ np.linalg.inv(C)
    np.testing.assert_allclose(found.coef, (gain @ Y.ravel()).reshape(30, 3), atol=1e-8)
    covariance = np.real(np.diag(prior - gain @ big @ prior)).reshape(30, 3)
    np.testing.assert_allclose(found.variance, covariance, atol=1e-10)
    half, norm = (1.0, np.pi) if complex_ else (0.5, 2 * np.pi)
    quadratic = np.real(Y.ravel().conj() @ np.linalg.solve(C, Y.ravel()))
    evidence = -half * (60 * np.log(norm) + np.linalg.slogdet(C)[1] + quadratic)
    assert found.log_evidence == pytest.approx(evidence, rel=1e-9)


def test_uncorrelated_rows_are_those_of_a_joint_support():
    A, Y, _ = planted(40, 60, 4, n_targets=3, noise=0.1)
    plain = sbl(A, Y, method="gamp", joint=True, noise_variance=0.01)
    rotated = sbl(A, Y, method="gamp", correlation=0.0, noise_variance=0.01)
    np.testing.assert_allclose(rotated.coef, plain.coef, atol=1e-3)
    assert abs(rotated.log_evidence - plain.log_evidence) < 0.1


def test_correlation_is_learned():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((80, 120)) / np.sqrt(80)
    B = 0.9 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    X = np.zeros((120, 4))
    X[::6] = rng.standard_normal((20, 4)) @ np.linalg.cholesky(B).T
    Y = A @ X + 0.03 * rng.standard_normal((80, 4))
    found = sbl(A, Y, method="gamp", correlation="learn", noise_variance=9e-4)
    learned = found.parameters["correlation"]
    assert np.trace(learned) == pytest.approx(4.0)
    assert np.mean(np.diagonal(learned, 1)) > 0.7
    alone = sbl(A, Y, method="gamp", joint=True, noise_variance=9e-4)
    assert np.linalg.norm(found.coef - X) < 1.05 * np.linalg.norm(alone.coef - X)


def setting_of(data, charge=3.0):
    setting = pose(as_design(data.design), data.target[:, None], charge=charge)
    return setting, Noise(setting.given_noise(float(np.var(data.noise))))


def test_certificate_sees_a_wrong_mean_and_a_missing_column():
    data = problem("iid", n_samples=80)
    setting, noise = setting_of(data)
    certify = ggamp_certifier(setting, noise)
    found = sbl(data.design, data.target, method="gamp", noise_variance=float(np.var(data.noise)))
    g = found.parameters["prior_variance"] / setting.size**2
    mean, variance = found.coef[:, None] / setting.size, found.variance / setting.size**2

    def value(mean, g):
        return float(
            certify(Belief(mean, np.minimum(variance, g), noise.value, parameters={"prior_variance": g})).value
        )

    assert value(mean, g) < 1e-4
    assert value(1.001 * mean, g) > 1e-4
    top = int(np.argmax(g))
    without = np.where(np.arange(g.size) == top, 0.0, g)
    there = dense_mean(data.design, setting.target, without[:, None], noise.value)
    assert value(there, without) > 10.0
    best, gain = certify(Belief(there, variance, noise.value, parameters={"prior_variance": without})).point
    assert np.argmax(gain) == top and best[top] > 0


def test_objective_is_nearly_the_negative_evidence_where_entries_are_independent():
    data = problem("iid", n_samples=200, n_features=400, n_nonzero=15)
    found = sbl(data.design, data.target, method="gamp", noise_variance=float(np.var(data.noise)), prune=2.0)
    exact = 2.0 * found.support.size - found.log_evidence
    assert abs(found.objective - exact) < 0.3


@pytest.mark.parametrize("stored", [1 << 22, 0])
def test_weights_count_samples_as_often_in_variances_and_objective(stored, monkeypatch):
    monkeypatch.setattr(block_squares, "_STORED", stored)
    A, y, _ = planted()
    weights = np.random.default_rng(0).integers(0, 4, len(A))
    options = {"method": "gamp", "noise_variance": 1e-4, "tol": 1e-8}
    repeated = sbl(np.repeat(A, weights, axis=0), np.repeat(y, weights), **options)
    for kind in (np.asarray, np.asfortranarray, sp.csc_array):
        found = sbl(kind(A), y, sample_weight=weights, **options)
        np.testing.assert_allclose(found.coef, repeated.coef, atol=1e-8)
        np.testing.assert_allclose(found.variance, repeated.variance, rtol=1e-6)
        assert found.objective == pytest.approx(repeated.objective, abs=1e-6)


def test_columns_out_of_use_pay_a_sixth_more():
    data = problem("iid", n_samples=80)
    prior = np.zeros((100,))
    prior[data.support[0]] = 1.0

    def gains(charge):
        setting, noise = setting_of(data, charge)
        mean = dense_mean(data.design, setting.target, prior[:, None], noise.value)
        belief = Belief(mean, prior / 2, noise.value, parameters={"prior_variance": prior})
        return ggamp_certifier(setting, noise)(belief).point[1][prior == 0]

    bought = gains(0.0) + 0.01
    assert np.any(bought > 3.5)
    np.testing.assert_allclose(gains(3.0), np.maximum(bought - 3.5, 0.0), atol=0.011)


def test_a_column_that_starts_at_zero_is_brought_in():
    data = problem("iid", n_samples=80)
    noise = float(np.var(data.noise))
    init = np.zeros(100)
    init[data.support[2:]] = 1.0
    found = sbl(data.design, data.target, method="gamp", noise_variance=noise, init=init)
    expected = sbl(data.design, data.target, method="gamp", noise_variance=noise)
    np.testing.assert_allclose(found.coef, expected.coef, atol=1e-3)


def test_kinds_of_design_agree():
    A, y, coef = planted(60, 80, 4, noise=0.1)
    A[np.abs(A) < 0.3] = 0.0
    y = A @ coef + 0.1 * np.random.default_rng(1).standard_normal(60)
    dense = sbl(A, y, method="gamp", noise_variance=0.01)
    sparse = sbl(sp.csc_array(A), y, method="gamp", noise_variance=0.01)
    np.testing.assert_allclose(sparse.coef, dense.coef, atol=1e-9)
    operator = sbl(aslinearoperator(A), y, method="gamp", noise_variance=0.01)
    np.testing.assert_array_equal(operator.support, dense.support)
    np.testing.assert_allclose(operator.coef, dense.coef, atol=0.01)


def test_a_large_design_is_squared_by_blocks_with_the_same_answer(monkeypatch):
    data = problem("correlated", n_samples=80)
    stored = sbl(data.design, data.target, method="gamp", noise_variance=1e-3)
    monkeypatch.setattr(block_squares, "_STORED", 0)
    blocks = sbl(data.design, data.target, method="gamp", noise_variance=1e-3)
    np.testing.assert_allclose(blocks.coef, stored.coef, atol=1e-7)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("correlation", [None, 0.5])
def test_every_namespace_gives_the_same_answer(name, correlation):
    A, Y, _ = planted(40, 60, 4, n_targets=2, noise=0.1)
    options = {"method": "gamp", "noise_variance": 0.01, "joint": True, "correlation": correlation}
    expected, found = sbl(A, Y, **options), sbl(put(A, name), put(Y, name), **options)
    np.testing.assert_allclose(get(found.coef), expected.coef, atol=1e-8)
    np.testing.assert_allclose(get(found.variance), expected.variance, rtol=1e-6, atol=1e-12)


def test_pure_noise_uses_no_column():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((50, 80)), rng.standard_normal(50)
    found = sbl(A, y, method="gamp", noise_variance=1.0, prune=8.0)
    assert found.status is Status.CONVERGED
    assert found.support.size == 0
