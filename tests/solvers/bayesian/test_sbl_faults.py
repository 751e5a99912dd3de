"""Sparse Bayesian learning where matrices are singular in double precision, data vanish, or columns come and go."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import Status, sbl
from sparsecode._validation import as_design
from sparsecode.datasets import make_sparse_recovery
from sparsecode.solvers.bayesian.active import active_posterior
from sparsecode.solvers.bayesian.certificate import certifier
from sparsecode.solvers.bayesian.evidence import noise_gain
from sparsecode.solvers.bayesian.fast import fast_steps
from sparsecode.solvers.bayesian.gaussian import posterior, steady_cholesky
from sparsecode.solvers.bayesian.ggamp import ggamp_steps
from sparsecode.solvers.bayesian.ggamp_certificate import ggamp_certifier
from sparsecode.solvers.bayesian.noise import Noise
from sparsecode.solvers.bayesian.setting import pose
from sparsecode.solvers.bayesian.updates import UPDATES, batch_steps
from sparsecode.solvers.belief import Belief
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.bayesian.test_sbl import log_density

METHODS = ("fast", "em", "mackay", "gamp")


def near_collinear():
    A, _, _ = planted(60, 20, 3)
    return np.hstack([A[:, :10], A[:, :10] + 1e-9 * A[:, 10:]]), A[:, 10] + A[:, 11]


def low_rank():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 2)) @ rng.standard_normal((2, 240))
    return A, A[:, 0] + A[:, 1]


def hilbert():
    return 1.0 / (np.arange(40)[:, None] + np.arange(60) + 1.0), np.ones(40)


def powers():
    points = np.linspace(0.0, 1.0, 50)
    return np.vander(points, 30), np.sin(5 * points)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("noise_variance", ["estimate", "learn", 1e-30, 1e-10])
@pytest.mark.parametrize("data", [near_collinear, low_rank, hilbert, powers])
def test_designs_that_are_singular_in_double_precision_end_with_finite_numbers(data, method, noise_variance):
    A, y = data()
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = sbl(A, y, method=method, noise_variance=noise_variance, max_iter=60)
    assert isinstance(found.status, Status)
    for values in (found.coef, found.variance, found.log_evidence, found.certificate, found.parameters["covariance"]):
        assert np.all(np.isfinite(values))
    assert np.all(found.variance >= 0)


@pytest.mark.parametrize("name", ["numpy", *FOREIGN])
def test_a_factor_of_a_singular_matrix_is_that_of_one_within_rounding(name):
    root = np.random.default_rng(0).standard_normal((30, 3))
    matrix = root @ root.T
    factor = get(steady_cholesky(put(matrix, name) if name != "numpy" else matrix))
    np.testing.assert_allclose(factor @ factor.T, matrix, atol=1e-9)
    regular = matrix + np.eye(30)
    np.testing.assert_array_equal(steady_cholesky(regular), np.linalg.cholesky(regular))


@pytest.mark.parametrize("n_samples", [40, 8])
def test_a_column_that_others_span_says_nothing_of_its_own(n_samples):
    A = np.random.default_rng(0).standard_normal((n_samples, 4))
    A = np.hstack([A, A @ np.random.default_rng(1).standard_normal((4, 30))])
    setting = pose(as_design(A), A[:, :1] + A[:, 1:2], charge=0.0)
    now = active_posterior(setting, np.arange(4), np.ones(4), 1e-13)
    assert not now.sparsity[4:].any()
    assert not now.moves(setting, np.append(np.ones(4), np.zeros(30)))[1][4:].any()


def test_in_little_noise_the_posterior_keeps_mean_and_quality_together():
    A, y, _ = planted(40, 10, 3)
    prior = np.random.default_rng(0).uniform(0.5, 2.0, 10)
    found = posterior(A, y[:, None], prior, 1e-13 * np.mean(y**2))
    np.testing.assert_allclose(found.mean, prior[:, None] * found.quality, rtol=1e-12)


def test_where_coefficients_determine_every_sample_the_noise_still_has_a_finite_gain():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(noise_gain(1e-3, 1.0, 1.0, (1, 1)))


@pytest.mark.parametrize("factor", [1e-170, 1e160])
def test_a_target_whose_squares_leave_double_precision_is_refused(factor):
    A, y, _ = planted()
    with pytest.raises(ValueError, match="y has a target.*leaves the range of float64"):
        sbl(A, factor * y)


@pytest.mark.parametrize("complex_", [False, True])
def test_targets_that_are_zero_have_the_evidence_of_the_noise_that_is_given(complex_):
    A, Y, _ = planted(20, 30, 3, n_targets=2, complex_=complex_)
    found = sbl(A, 0 * Y, noise_variance=0.3)
    np.testing.assert_allclose(found.log_evidence, log_density(A, 0 * Y, np.zeros(30), 0.3), rtol=1e-12)
    np.testing.assert_allclose(np.sum(found.objective), -found.log_evidence)
    Y[:, 1] = 0
    together = sbl(A, Y, noise_variance=0.3)
    priors = together.parameters["prior_variance"]
    expected = sum(log_density(A, Y[:, t], priors[:, t], 0.3) for t in range(2))
    np.testing.assert_allclose(together.log_evidence, expected, rtol=1e-9)


# ---------------------------------------------------------------- columns that return


def beliefs(steps, certify, rounds=300):
    message = None
    for _ in range(rounds):
        state = steps.send(message)
        message = certify(state.coef) if state.certify else None
        yield state.coef.parameters
        if state.finished:
            return


def crowded(method):
    few = {"fast": (30, 50, 20, 20, 1e-3, 0), "mackay": (40, 60, 15, 40, 1e-4, 3), "gamp": (60, 100, 30, 50, 1e-5, 0)}
    n_samples, n_features, n_nonzero, snr_db, noise, seed = few[method]
    data = make_sparse_recovery(
        n_samples, n_features, n_nonzero, ensemble="correlated", correlation=0.95, snr_db=snr_db, random_state=seed
    )
    setting, noise = pose(as_design(data.design), data.target[:, None], charge=3.0), Noise(noise)
    if method == "gamp":
        return beliefs(ggamp_steps(setting, noise), ggamp_certifier(setting, noise))
    steps = fast_steps(setting, noise) if method == "fast" else batch_steps(setting, noise, UPDATES[method])
    return beliefs(steps, certifier(setting, False))


@pytest.mark.parametrize("method", ["fast", "mackay", "gamp"])
def test_a_column_that_comes_back_is_no_longer_marked_as_pruned(method):
    gone, n_returns = np.zeros(1, dtype=bool), 0
    for learned in crowded(method):
        used, marked = learned["prior_variance"] > 0, learned["pruned_at"] >= 0
        assert not np.any(used & marked)
        n_returns += np.count_nonzero(gone & used)
        gone = (gone & ~used) | marked
    assert n_returns > 0


# ---------------------------------------------------------------- message passing


def test_what_message_passing_returns_has_the_evidence_of_the_density():
    A, Y, _ = planted(40, 60, 4, n_targets=3, noise=0.2)
    for column in Y.T:
        found = sbl(A, column, method="gamp")
        expected = log_density(A, column, found.parameters["prior_variance"], found.noise_variance)
        np.testing.assert_allclose(found.log_evidence, expected, rtol=1e-9)


@pytest.mark.parametrize("charge", [3.0, 0.0])
def test_noise_that_could_sink_further_is_seen_down_to_the_least_that_is_learned(charge):
    A, _, coef = planted(60, 30, 3)
    setting = pose(as_design(A), (A @ coef)[:, None], charge=charge)
    noise = Noise(1e-8, learned=True)
    prior = (coef / setting.size) ** 2
    now = posterior(A, setting.target, prior, noise.value)
    belief = Belief(now.mean, now.variance, noise.value, parameters={"prior_variance": prior})
    gains = [certify(belief).value for certify in (ggamp_certifier(setting, noise), certifier(setting, True))]
    assert min(gains) > 10 if charge else max(gains) < 1


@pytest.mark.parametrize("seed", range(4))
def test_expectation_maximisation_ends_no_lower_than_the_search_it_starts_from(seed):
    """From all columns alone it ended up to several nats lower: its rounds give columns that share what they explain no way back."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((40, 80))
    x = np.zeros(80)
    x[rng.choice(80, 8, replace=False)] = rng.standard_normal(8)
    y = A @ x + rng.standard_normal(40)
    assert sbl(A, y, method="em").objective < sbl(A, y, method="fast").objective + 0.01


def test_a_callback_stops_the_first_of_two_starts():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 80))
    calls = []
    found = sbl(A, A[:, 3] + rng.standard_normal(40), method="em", callback=lambda progress: calls.append(1) or True)
    assert found.status is Status.INTERRUPTED
    assert len(calls) == 1
