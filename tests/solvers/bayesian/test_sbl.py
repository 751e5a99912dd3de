"""Sparse Bayesian learning against closed forms, densities written out, finite differences and oracle least squares."""

import warnings

import numpy as np
import pytest
from scipy.stats import multivariate_normal
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status, sbl
from sparsecode._validation import as_design
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse
from sparsecode.solvers.bayesian.active import active_posterior
from sparsecode.solvers.bayesian.certificate import certifier
from sparsecode.solvers.bayesian.evidence import cavity, charged_move
from sparsecode.solvers.bayesian.fast import _add, fast_steps
from sparsecode.solvers.bayesian.gaussian import posterior
from sparsecode.solvers.bayesian.noise import Noise
from sparsecode.solvers.bayesian.setting import pose
from sparsecode.solvers.bayesian.updates import UPDATES, batch_steps, em, mackay
from tests.planted import planted

METHODS = ("fast", "em", "mackay")


def covariance_of_data(A, prior, noise):
    return noise * np.eye(len(A)) + (A * prior) @ A.conj().T


def log_density(A, Y, prior, noise):
    """Of real or circular complex targets, from the definition."""
    C = covariance_of_data(A, prior, noise)
    Y = Y.reshape(len(A), -1)
    if not np.iscomplexobj(C) and not np.iscomplexobj(Y):
        return float(np.sum(multivariate_normal(cov=C).logpdf(Y.T)))
    quadratic = np.real(np.einsum("mt,mt->", Y.conj(), np.linalg.solve(C, Y)))
    return -(Y.shape[1] * (len(A) * np.log(np.pi) + np.linalg.slogdet(C)[1]) + quadratic)


def orthonormal(n_samples, n_features, complex_, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.standard_normal((n_samples, n_features))
    values = values + 1j * rng.standard_normal(values.shape) if complex_ else values
    return np.linalg.qr(values)[0]


# ---------------------------------------------------------------- closed forms and densities


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("n_targets", [None, 3])
@pytest.mark.parametrize("complex_", [False, True])
def test_orthonormal_columns_have_the_variances_of_the_closed_form(method, n_targets, complex_):
    A = orthonormal(20, 12, complex_)
    rng = np.random.default_rng(1)
    X = np.zeros((12, n_targets or 1), dtype=A.dtype)
    X[[1, 4, 7]] = rng.standard_normal((3, X.shape[1])) + 2
    Y = A @ X + 0.1 * rng.standard_normal((20, X.shape[1]))
    y = Y if n_targets else Y[:, 0]
    found = sbl(A, y, method=method, noise_variance=0.01, joint=True, prune=0, tol=1e-8, max_iter=20_000)
    expected = np.maximum(np.mean(np.abs(A.conj().T @ Y) ** 2, axis=1) - 0.01, 0)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.parameters["prior_variance"], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("shape", [(40, 25), (25, 40)])
def test_evidence_mean_and_covariance_are_those_of_the_joint_density(method, complex_, shape):
    A, Y, _ = planted(*shape, 3, n_targets=2, noise=0.1, complex_=complex_)
    found = sbl(A, Y, method=method, noise_variance=0.02, joint=True)
    prior = found.parameters["prior_variance"]
    C = covariance_of_data(A, prior, 0.02)
    np.testing.assert_allclose(found.log_evidence, log_density(A, Y, prior, 0.02), rtol=1e-9)
    np.testing.assert_allclose(found.objective, -found.log_evidence + 3 * np.count_nonzero(prior), rtol=1e-9)
    np.testing.assert_allclose(found.coef, prior[:, None] * (A.conj().T @ np.linalg.solve(C, Y)), atol=1e-8)
    covariance = np.diag(prior) - (prior[:, None] * A.conj().T) @ np.linalg.solve(C, A * prior)
    used = np.flatnonzero(prior)
    np.testing.assert_allclose(found.parameters["covariance"], covariance[np.ix_(used, used)], atol=1e-10)
    np.testing.assert_allclose(found.variance[:, 1], np.real(np.diag(covariance)), atol=1e-10)


def test_independent_targets_have_the_evidence_of_their_sum():
    A, Y, _ = planted(n_targets=2)
    found = sbl(A, Y)
    priors, noises = found.parameters["prior_variance"], found.noise_variance
    expected = sum(log_density(A, Y[:, t], priors[:, t], noises[t]) for t in range(2))
    np.testing.assert_allclose(found.log_evidence, expected, rtol=1e-9)


@pytest.mark.parametrize("method", METHODS)
def test_no_finite_difference_of_the_evidence_points_uphill(method):
    A, y, _ = planted(30, 20, 4, noise=0.3)
    found = sbl(A, y, method=method, noise_variance=0.09, prune=0, tol=1e-7, max_iter=100_000)
    prior = found.parameters["prior_variance"]
    for n in range(20):
        step = 1e-5 * prior[n] if prior[n] else 1e-6
        up, here = np.array(prior), log_density(A, y, prior, 0.09)
        up[n] += step
        slope = (log_density(A, y, up, 0.09) - here) / step
        if prior[n]:
            assert abs(slope * prior[n]) < 1e-2
        else:
            assert slope < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_the_certificate_is_what_one_variance_could_still_gain(method):
    A, Y, _ = planted(30, 40, 4, n_targets=2, noise=0.3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = sbl(A, Y, method=method, noise_variance=0.09, joint=True, max_iter=7)
    prior = found.parameters["prior_variance"]

    def worth(values):
        return log_density(A, Y, values, 0.09) - 3 * np.count_nonzero(values)

    here, top = worth(prior), 0.0
    for n in range(40):
        for value in [0.0, *np.geomspace(1e-4, 100, 241)]:
            top = max(top, worth(np.where(np.arange(40) == n, value, prior)) - here)
    assert abs(found.certificate - top) < 2e-3 * max(1.0, top)


def test_a_learned_noise_variance_is_where_its_own_evidence_is_largest():
    A, y, _ = planted(60, 80, 4, noise=0.3)
    found = sbl(A, y, noise_variance="learn", tol=1e-8)
    prior, noise = found.parameters["prior_variance"], found.noise_variance
    around = [log_density(A, y, prior, noise * factor) for factor in (0.98, 1.0, 1.02)]
    assert around[1] == max(around)


# ---------------------------------------------------------------- the methods, against each other and the truth


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("noise_variance", ["estimate", "learn", 1e-4])
def test_the_methods_reach_the_same_evidence(complex_, noise_variance):
    A, y, _ = planted(complex_=complex_)
    found = [sbl(A, y, method=method, noise_variance=noise_variance, tol=1e-7) for method in METHODS]
    for other in found[1:]:
        assert abs(other.log_evidence - found[0].log_evidence) < 1e-3
        assert np.all(other.parameters["pruned_at"][other.support] == -1)
        np.testing.assert_array_equal(other.support, found[0].support)


@pytest.mark.parametrize("method", METHODS)
def test_steps_follow_the_formulas(method):
    rng = np.random.default_rng(0)
    g, q, d = rng.uniform(0.1, 1, 5), rng.standard_normal(5), rng.uniform(0.1, 1, 5)
    mean, variance = g * q, g - g**2 * d
    np.testing.assert_allclose(em(g, q**2, d), mean**2 + variance)
    np.testing.assert_allclose(mackay(g, q**2, d), mean**2 / (1 - variance / g))


def posed(A, y, charge=0.0):
    design = as_design(A)
    return pose(design, y[:, None] if y.ndim == 1 else y, charge=charge)


@pytest.mark.parametrize("learned", [False, True])
def test_expectation_maximisation_never_lowers_the_evidence(learned):
    A, y, _ = planted(30, 50, 5, noise=0.3)
    setting = posed(A, y)
    steps = batch_steps(setting, Noise(0.05, learned), UPDATES["em"])
    values = [next(steps).coef.log_evidence for _ in range(150)]
    assert np.min(np.diff(values)) > -1e-9
    assert values[-1] > values[0] + 1


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("charge", [0.0, 3.0, 6.0])
def test_rounds_over_single_variances_never_lower_the_evidence_less_the_charge(complex_, charge):
    A, Y, _ = planted(30, 50, 5, n_targets=2, noise=0.3, complex_=complex_)
    setting = posed(A, Y, charge)
    beliefs = [next(steps) for steps in [fast_steps(setting, Noise(0.02))] for _ in range(12)]
    values = [b.coef.log_evidence - charge * np.count_nonzero(b.coef.parameters["prior_variance"]) for b in beliefs]
    start = 0 if charge <= 3.0 else 6  # a higher charge is asked once the gentle one is met
    assert np.min(np.diff(values[start:])) > -1e-8
    assert certifier(setting, False)(beliefs[-1].coef).value < 1e-4


@pytest.mark.parametrize("complex_", [False, True])
def test_the_columns_that_a_round_adds_are_those_of_a_greedy_search_of_the_evidence(complex_):
    A, Y, _ = planted(30, 50, 5, n_targets=2, noise=0.3, complex_=complex_)
    setting = posed(A, Y)
    now = active_posterior(setting, np.empty(0, dtype=int), np.empty(0), 0.02)
    gain = now.moves(setting, np.zeros(50))[1]
    chosen, variances, block = _add(setting, now, np.empty(0, dtype=int), np.empty((50, 0)), gain, 0.02, 1e-5)
    prior = np.zeros(50)
    for _ in range(5):
        found = posterior(A, setting.target, prior, 0.02)
        there = cavity(np.mean(np.abs(found.quality) ** 2, axis=1), found.sparsity, prior)
        best, worth = charged_move(*there, prior, setting.half * 2)
        worth[prior > 0] = 0.0
        worth[np.argsort(-gain)[10:]] = 0.0
        prior[np.argmax(worth)] = best[np.argmax(worth)]
    np.testing.assert_array_equal(np.sort(chosen), np.flatnonzero(prior))
    np.testing.assert_allclose(variances, prior[chosen], rtol=1e-8)
    np.testing.assert_allclose(block, A.conj().T @ A[:, chosen], atol=1e-10)


@pytest.mark.parametrize("snr_db", [60, 80])
@pytest.mark.parametrize("ensemble", ["gaussian", "correlated", "ill_conditioned"])
def test_in_little_noise_the_error_is_near_that_of_oracle_least_squares(ensemble, snr_db):
    problem = make_sparse_recovery(
        150, 300, 25, ensemble=ensemble, correlation=0.9, condition_number=100, snr_db=snr_db, random_state=0
    )
    A, y, used = problem.design, problem.target, problem.support
    oracle = np.zeros(300)
    oracle[used] = np.linalg.lstsq(A[:, used], y, rcond=None)[0]
    found = sbl(A, y, noise_variance="learn")
    assert found.status is Status.CONVERGED
    assert 10 * np.log10(nmse(problem.coef, found.coef) / nmse(problem.coef, oracle)) < 4
    assert 0.6 < found.noise_variance / np.mean(problem.noise**2) < 1.2


def test_learning_does_not_collapse_where_coefficients_pay_and_does_where_they_do_not():
    ratios = []
    for seed in range(5):
        A, y, _ = planted(50, 120, 8, noise=0.35, seed=seed)
        ratios.append(sbl(A, y, noise_variance="learn").noise_variance / 0.35**2)
        with pytest.warns(RuntimeWarning, match="may collapse.*hierarchical_bayes"):
            alone = sbl(A, y, noise_variance="learn", prune=0)
        assert alone.noise_variance < 0.1 * 0.35**2
    assert 0.7 < np.median(ratios) < 1.4


def test_columns_that_only_together_rise_above_the_noise_are_found():
    errors = []
    for seed in range(6):
        problem = make_sparse_recovery(50, 100, 20, snr_db=40, random_state=seed)
        errors.append(nmse(problem.coef, sbl(problem.design, problem.target, noise_variance="learn").coef))
    assert np.median(errors) < 1e-3


@pytest.mark.parametrize("method", METHODS)
def test_a_shared_support_is_found_where_single_targets_do_not_show_it(method):
    rng = np.random.default_rng(0)
    A, X = rng.standard_normal((20, 60)), np.zeros((60, 8))
    X[[3, 20, 33, 41, 52]] = rng.standard_normal((5, 8))
    Y = A @ X + 0.5 * rng.standard_normal((20, 8))
    together = sbl(A, Y, method=method, noise_variance=0.25, joint=True)
    np.testing.assert_array_equal(np.flatnonzero(together.support.any(axis=1)), [3, 20, 33, 41, 52])
    alone = sbl(A, Y, method=method, noise_variance=0.25)
    assert np.sum((X - together.coef) ** 2) < 0.5 * np.sum((X - alone.coef) ** 2)


# ---------------------------------------------------------------- scaling, weights, starts, pruning


@pytest.mark.parametrize("method", METHODS)
def test_the_scale_of_a_column_does_not_matter(method):
    A, y, _ = planted(noise=0.1)
    scale = np.geomspace(1e-3, 1e3, A.shape[1])
    one, other = (sbl(design, y, method=method, prune=1.0, noise_variance=0.01, tol=1e-8) for design in (A, A * scale))
    np.testing.assert_allclose(
        other.parameters["prior_variance"] * scale**2, one.parameters["prior_variance"], rtol=1e-3
    )
    np.testing.assert_allclose(other.coef * scale, one.coef, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_target_and_noise_of_another_size_scale_the_prior_variances(method):
    A, y, _ = planted(noise=0.1)
    one = sbl(A, y, method=method, noise_variance=0.01, tol=1e-8)
    other = sbl(A, 1e6 * y, method=method, noise_variance=1e10, tol=1e-8)
    np.testing.assert_allclose(other.parameters["prior_variance"], 1e12 * one.parameters["prior_variance"], rtol=1e-6)
    np.testing.assert_allclose(other.log_evidence, one.log_evidence - len(y) * np.log(1e6), rtol=1e-9)


@pytest.mark.parametrize(("method", "noise_variance"), [("fast", "estimate"), ("fast", 0.01), ("em", "learn")])
def test_evidence_and_noise_of_weighted_samples_are_those_of_repeated_ones(method, noise_variance):
    A, y, _ = planted(noise=0.1)
    weights = np.random.default_rng(0).integers(0, 4, len(A))
    options = {"method": method, "noise_variance": noise_variance}
    repeated = sbl(np.repeat(A, weights, axis=0), np.repeat(y, weights), **options)
    found = sbl(A, y, sample_weight=weights, **options)
    np.testing.assert_allclose(found.noise_variance, repeated.noise_variance, rtol=1e-6)
    np.testing.assert_allclose(found.log_evidence, repeated.log_evidence, rtol=1e-6)
    np.testing.assert_allclose(found.variance, repeated.variance, rtol=1e-5)


@pytest.mark.parametrize("method", ["em", "mackay"])
def test_a_column_left_out_of_the_start_comes_in_and_the_others_are_marked_as_pruned(method):
    A, y, coef = planted(noise=0.1)
    true = np.flatnonzero(coef)
    start = np.ones(A.shape[1])
    start[true[0]] = 0.0
    found = sbl(A, y, method=method, init=start, noise_variance=0.01)
    np.testing.assert_array_equal(found.support, true)
    pruned_at = found.parameters["pruned_at"]
    np.testing.assert_array_equal(np.flatnonzero(pruned_at >= 0), np.setdiff1d(np.arange(A.shape[1]), true))
    assert pruned_at.max() <= found.n_iter


def test_a_start_at_the_answer_ends_at_once():
    A, y, _ = planted(noise=0.1)
    first = sbl(A, y, noise_variance=0.01)
    second = sbl(A, y, noise_variance=0.01, init=first.parameters["prior_variance"])
    assert second.n_iter <= 1
    np.testing.assert_allclose(second.coef, first.coef, atol=1e-4)


@pytest.mark.parametrize("method", ["em", "mackay"])
def test_data_without_noise_are_certified_to_the_last_digit(method):
    A = np.random.default_rng(0).integers(-5, 6, size=(40, 20)).astype(float)
    found = sbl(A, 2 * A[:, 3] + A[:, 5], method=method, tol=1e-8)
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(found.coef[[3, 5]], [2.0, 1.0], atol=1e-8)


def test_a_higher_price_keeps_fewer_coefficients():
    A, y, _ = planted(200, 80, 20, noise=3.0)
    counts = [len(sbl(A, y, noise_variance=9.0, prune=prune).support) for prune in (0.0, 3.0, 15.0, 1e6)]
    assert counts[0] > counts[1] > counts[2] > counts[3] == 0


# ---------------------------------------------------------------- correlated targets


def dense_temporal(A, Y, prior, noise, B):
    """Mean, variances and evidence from the density of all targets stacked."""
    n_features, n_targets = A.shape[1], Y.shape[1]
    wide, G = np.kron(A, np.eye(n_targets)), np.kron(np.diag(prior), B)
    C = noise * np.eye(Y.size) + wide @ G @ wide.conj().T
    stacked = Y.reshape(-1)
    mean = G @ wide.conj().T @ np.linalg.solve(C, stacked)
    spread = G - G @ wide.conj().T @ np.linalg.solve(C, wide @ G)
    factor, constant = (1.0, np.log(np.pi)) if np.iscomplexobj(C) else (0.5, np.log(2 * np.pi))
    quadratic = np.real(stacked.conj() @ np.linalg.solve(C, stacked))
    evidence = -factor * (Y.size * constant + np.linalg.slogdet(C)[1] + quadratic)
    return mean.reshape(n_features, n_targets), np.real(np.diag(spread)).reshape(n_features, n_targets), evidence


def correlated(complex_=False, n_targets=3):
    rng = np.random.default_rng(3)
    A = rng.standard_normal((18, 30))
    B = 0.8 ** np.abs(np.subtract.outer(np.arange(n_targets), np.arange(n_targets)))
    if complex_:
        A = A + 1j * rng.standard_normal(A.shape)
        phase = np.exp(1j * np.arange(n_targets))
        B = phase[:, None] * B * phase.conj()
    X = np.zeros((30, n_targets), dtype=B.dtype)
    X[[2, 11, 25]] = rng.standard_normal((3, n_targets)) @ np.linalg.cholesky(B).T
    noise = rng.standard_normal((18, n_targets))
    return A, A @ X + 0.1 * noise, B


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["em", "mackay"])
def test_correlated_targets_have_the_posterior_of_all_of_them_stacked(complex_, method):
    A, Y, B = correlated(complex_)
    found = sbl(A, Y, method=method, correlation=B, noise_variance=0.01)
    assert found.status is Status.CONVERGED
    mean, variance, evidence = dense_temporal(A, Y, found.parameters["prior_variance"], 0.01, B)
    np.testing.assert_allclose(found.coef, mean, atol=1e-8)
    np.testing.assert_allclose(found.variance, variance, atol=1e-9)
    np.testing.assert_allclose(found.log_evidence, evidence, rtol=1e-9)
    used = np.flatnonzero(found.parameters["prior_variance"])
    diagonals = np.real(np.diagonal(found.parameters["covariance"], axis1=1, axis2=2))
    np.testing.assert_allclose(diagonals, variance[used].T, atol=1e-9)


def test_the_certificate_of_correlated_targets_is_what_one_variance_could_gain():
    A, Y, B = correlated()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = sbl(A, Y, correlation=B, noise_variance=0.01, max_iter=6, prune=0)
    prior = found.parameters["prior_variance"]
    here = dense_temporal(A, Y, prior, 0.01, B)[2]
    top = 0.0
    for n in range(30):
        for value in [0.0, *np.geomspace(1e-3, 10, 60)]:
            top = max(top, dense_temporal(A, Y, np.where(np.arange(30) == n, value, prior), 0.01, B)[2] - here)
    assert abs(found.certificate - top) < 2e-2 * max(top, 1.0)


def test_targets_without_correlation_are_those_of_a_shared_support():
    A, Y, _ = correlated()
    one = sbl(A, Y, correlation=0.0, noise_variance=0.01, tol=1e-7)
    other = sbl(A, Y, method="em", joint=True, noise_variance=0.01, tol=1e-7)
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-4)
    np.testing.assert_allclose(one.log_evidence, other.log_evidence, rtol=1e-6)


def test_a_number_and_a_matrix_of_any_size_say_the_same_correlation():
    A, Y, B = correlated()
    one, other = (sbl(A, Y, correlation=given, noise_variance=0.01) for given in (0.8, 5 * B))
    np.testing.assert_allclose(one.coef, other.coef, atol=1e-10)
    np.testing.assert_allclose(other.parameters["correlation"], B, atol=1e-12)


def test_a_learned_correlation_is_near_the_true_one_and_recovers_more_than_none():
    rng = np.random.default_rng(1)
    A, X = rng.standard_normal((25, 100)), np.zeros((100, 4))
    B = 0.95 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    X[rng.choice(100, 14, replace=False)] = rng.standard_normal((14, 4)) @ np.linalg.cholesky(B).T
    Y = A @ X + 1e-3 * rng.standard_normal((25, 4))
    learned = sbl(A, Y, correlation="learn", noise_variance=1e-6)
    assert np.abs(learned.parameters["correlation"] - B).max() < 0.3
    without = sbl(A, Y, joint=True, method="em", noise_variance=1e-6)
    assert np.sum((X - learned.coef) ** 2) < 1e-2 * np.sum(X**2) < np.sum((X - without.coef) ** 2)


def test_coefficients_pay_only_once_those_that_share_their_data_have_parted():
    B = 0.9 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
    for seed in range(3):
        rng = np.random.default_rng(seed)
        A, X = rng.standard_normal((25, 125)), np.zeros((125, 4))
        X[rng.choice(125, 16, replace=False)] = rng.standard_normal((16, 4)) @ np.linalg.cholesky(B).T
        signal = A @ X
        noise = 1e-4 * np.mean(signal**2)
        Y = signal + np.sqrt(noise) * rng.standard_normal(signal.shape)
        found = sbl(A, Y, correlation=B, noise_variance=noise)
        assert np.sum((X - found.coef) ** 2) < 1e-2 * np.sum(X**2)


# ---------------------------------------------------------------- bad input


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise_variance", ["estimate", "learn", 1e-30, 1e-12, 1e30])
@pytest.mark.parametrize("fault", ["none", "collinear", "one sample", "constant", "exact", "one column"])
def test_hard_data_end_with_a_status_and_finite_numbers(method, noise_variance, fault):
    A, y, _ = planted(20, 30, 3)
    A, y = {
        "none": (A, np.random.default_rng(0).standard_normal(20)),
        "collinear": (np.hstack([A, A, A[:, :1] + A[:, 1:2]]), y),
        "one sample": (A[:1], y[:1]),
        "constant": (np.ones_like(A), y),
        "exact": (A, A[:, 3].copy()),
        "one column": (A[:, :1], y),
    }[fault]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = sbl(A, y, method=method, noise_variance=noise_variance, max_iter=300)
    assert isinstance(found.status, Status)
    for values in (found.coef, found.variance, found.noise_variance, found.log_evidence, found.certificate):
        assert np.all(np.isfinite(values))
    assert np.all(found.variance >= 0)
    assert found.noise_variance > 0


@pytest.mark.parametrize("method", METHODS)
def test_where_every_column_is_pruned_zeros_are_the_certified_answer(method):
    A, y, _ = planted(20, 30, 3)
    found = sbl(A, y, method=method, noise_variance=1e3 * np.mean(y**2))
    assert found.status is Status.CONVERGED
    assert not found.coef.any() and not found.variance.any()
    assert found.parameters["covariance"].shape == (0, 0)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"method": "newton"}, "method must be one of.*'newton'"),
        ({"noise_variance": 0.0}, "noise_variance must be greater than 0"),
        ({"noise_variance": "guess"}, "noise_variance must be.*'guess'"),
        ({"prune": -1.0}, "prune must be"),
        ({"init": -np.ones(80)}, "init are prior variances"),
        (
            {"noise_variance": None},
            "noise_variance must be a number greater than 0, or 'learn' or 'estimate'; got None",
        ),
        ({"noise_variance": True}, "noise_variance must be a finite number"),
        ({"joint": "yes"}, "joint must be True or False; got 'yes'"),
        ({"joint": None}, "joint must be True or False; got None"),
        ({"correlation": {}, "many": True}, r"correlation must be a number, a matrix or 'learn'; got \{\}"),
        ({"correlation": [[1.0], [0.5, 1.0]], "many": True}, "correlation must be a number, a matrix or 'learn'"),
        ({"correlation": 0.5}, "correlation is along targets"),
        ({"correlation": 1.5, "many": True}, "correlation must be between -1 and 1"),
        ({"correlation": "guess", "many": True}, "correlation must be a number, a matrix or 'learn'"),
        ({"correlation": np.eye(3), "many": True}, r"correlation has shape \(3, 3\)"),
        ({"correlation": np.array([[1.0, 2.0], [2.0, 1.0]]), "many": True}, "no negative eigenvalue"),
        ({"correlation": 0.5, "method": "fast", "many": True}, "method='fast' takes no correlation"),
    ],
)
def test_a_bad_option_gets_an_error_that_names_it(options, text):
    many = options.pop("many", False)
    A, y, _ = planted(n_targets=2 if many else None)
    with pytest.raises(ValueError, match=text):
        sbl(A, y, **options)


def test_weights_that_count_less_than_one_sample_are_refused():
    A, y, _ = planted()
    with pytest.raises(ValueError, match="sample_weight sums to 0.5.*mean of one"):
        sbl(A, y, sample_weight=np.full(60, 0.5 / 60))


def test_a_gram_matrix_is_refused():
    A, y, _ = planted()
    with pytest.raises(ValueError, match="GramDesign.*needs the design itself"):
        sbl(GramDesign(A.T @ A, len(A)), A.T @ y)
