"""The three-layer prior against sweeps written out, enumeration of supports, and the methods it generalises."""

import itertools
import warnings

import numpy as np
import pytest
from scipy.special import digamma, expit, gammaln, logit
from sklearn.exceptions import ConvergenceWarning

from sparsecode import HierarchicalBayesRegressor, KroneckerDesign, Status, hierarchical_bayes
from sparsecode.designs import DenseDesign
from sparsecode.penalties._groups import groups_of
from sparsecode.solvers.bayesian.hierarchical_model import Factors, HierarchicalModel
from sparsecode.solvers.bayesian.markov import Chain, Independent
from sparsecode.solvers.belief import Belief
from tests._backends import FOREIGN, get, put


def clustered(n_samples=60, n_features=100, noise=0.1, complex_=False, n_targets=None, seed=0):
    """Gaussian columns of norm about one, and two runs of active coefficients."""
    rng = np.random.default_rng(seed)

    def gaussian(*shape):
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape)) / np.sqrt(2) if complex_ else values

    A = gaussian(n_samples, n_features) / np.sqrt(n_samples)
    x = np.zeros((n_features, n_targets or 1), dtype=A.dtype)
    x[20:26], x[70:74] = gaussian(6, x.shape[1]), gaussian(4, x.shape[1])
    y = A @ x + noise * gaussian(n_samples, x.shape[1])
    return (A, y, x) if n_targets else (A, y[:, 0], x[:, 0])


def naive(A, Y, sweeps, *, rate=0.1, noise=None, full=True):
    """Sweeps from the updates of the model, with inverses, for independent supports; started as the solver is."""
    h = 1.0 if np.iscomplexobj(A) else 0.5
    n_samples, n_targets = Y.shape
    N, sq = A.shape[1], np.sum(np.abs(A) ** 2, axis=0)
    power = np.mean(np.abs(Y) ** 2)
    energy = power / (rate * sq.sum() / n_samples)
    s = 0.1 * power if noise is None else noise
    g = np.full(N, energy * rate)
    for _ in range(15):
        inverse = np.linalg.inv(s * np.eye(n_samples) + (A * g) @ A.conj().T)
        q = np.mean(np.abs(A.conj().T @ inverse @ Y) ** 2, axis=1)
        g = g * q / np.real(np.einsum("mn,mk,kn->n", A.conj(), inverse, A))
    rho = 1 / np.maximum(g, 1e-12 * g.max())
    a, b, a_, b_ = 1.0, energy, 1.0, 1e-5 * energy
    w = expit(logit(rate) + np.clip(np.log(b / b_) - (b - b_) * rho, -0.25 * np.log(1e5), 0.3 * np.log(1e5)))
    for _ in range(sweeps):
        V = np.linalg.inv(np.diag(rho) + A.conj().T @ A / s)
        mean = V @ A.conj().T @ Y / s
        V, spread = np.real(np.diag(V)), np.real(np.trace(A @ V @ A.conj().T))
        at = w * a + (1 - w) * a_ + h * n_targets
        bt = w * b + (1 - w) * b_ + h * (np.sum(np.abs(mean) ** 2, axis=1) + n_targets * V)
        rho, log_rho = at / bt, digamma(at) - np.log(bt)
        on = a * np.log(b) - gammaln(a) + (a - 1) * log_rho - b * rho
        off = a_ * np.log(b_) - gammaln(a_) + (a_ - 1) * log_rho - b_ * rho
        w = expit(logit(rate) + on - off)
        if noise is None:
            misfit = np.sum(np.abs(Y - A @ mean) ** 2) + n_targets * spread
            s = (1e-6 * power + h * misfit) / (1e-6 + h * n_samples * n_targets)
    return mean, V, w, s


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("shape", [(30, 45), (45, 30)])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("noise", [None, 0.02])
def test_sweeps_are_those_of_the_model_written_out(shape, complex_, noise):
    rng = np.random.default_rng(0)
    A = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if complex_ else 0)
    Y = A[:, :3] @ rng.standard_normal((3, 2)) + 0.3 * rng.standard_normal((shape[0], 2))
    found = hierarchical_bayes(A, Y, noise_variance="learn" if noise is None else noise, max_iter=4, tol=0)
    mean, variance, inclusion, s = naive(A, Y, 5, noise=noise)
    np.testing.assert_allclose(found.coef, mean, atol=1e-8)
    np.testing.assert_allclose(found.variance[:, 1], variance, rtol=1e-6)
    np.testing.assert_allclose(found.inclusion[:, 0], inclusion, atol=1e-8)
    np.testing.assert_allclose(found.noise_variance, s, rtol=1e-8)
    after = naive(A, Y, 6, noise=noise)
    moved = np.linalg.norm(after[0] - mean) / np.linalg.norm(after[0])
    changes = [moved, np.max(np.abs(after[2] - inclusion)), abs(np.log(after[3] / s))]
    np.testing.assert_allclose(found.certificate, max(changes), rtol=1e-5)


@pytest.mark.parametrize("method", ["full", "subspace"])
@pytest.mark.parametrize("structure", [None, "chain"])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("noise", ["learn", 0.01])
def test_the_evidence_bound_never_falls(method, structure, complex_, noise):
    for n_targets, groups in ((None, None), (2, 5)):
        A, y, _ = clustered(complex_=complex_, n_targets=n_targets)
        settings = {"structure": structure, "groups": groups, "method": method, "noise_variance": noise}
        bounds = []
        for max_iter in range(1, 12):
            with pytest.warns(ConvergenceWarning):
                bounds.append(hierarchical_bayes(A, y, max_iter=max_iter, tol=0, **settings).log_evidence)
        assert np.all(np.diff(bounds) >= -1e-7 * np.abs(bounds[0]))
        assert bounds[-1] > bounds[0]


def test_the_bound_is_below_the_evidence_and_near_it_where_little_is_unknown():
    """One coefficient, known noise: the evidence is an integral over its precision."""
    A, y, s, rate = np.ones((4, 1)), np.array([1.0, 1.2, 0.9, 1.1]), 0.05, 0.3
    found = hierarchical_bayes(A, y, rate=rate, noise_variance=s)
    energy = np.mean(y**2)  # of a single active coefficient: there is no smaller number of them
    log_rho = np.linspace(-15, 40, 20_001)
    rho = np.exp(log_rho)
    variance = s + 4 / rho  # of the sum of the samples, over four; the other three directions are noise
    total, rest = y.sum() / 2, y @ y - y.sum() ** 2 / 4
    likelihood = -0.5 * (3 * np.log(2 * np.pi * s) + rest / s + np.log(2 * np.pi * variance) + total**2 / variance)
    density = sum(
        weight * np.exp(likelihood + np.log(b) - b * rho + log_rho)
        for weight, b in ((rate, energy), (1 - rate, 1e-5 * energy))
    )
    evidence = np.log(np.trapezoid(density, log_rho))
    assert evidence - 1.0 < found.log_evidence < evidence


def enumerated(prior, evidence):
    """Marginals and the log sum over all supports."""
    n = evidence.size
    start = prior.start if isinstance(prior, Chain) else prior.rate
    leave = 1 / prior.cluster_length if isinstance(prior, Chain) else 1 - prior.rate
    step = np.array([[1 - start, start], [leave, 1 - leave]])
    supports = np.array(list(itertools.product([0, 1], repeat=n)))
    weights = np.array([1 - prior.rate, prior.rate])[supports[:, 0]]
    for i in range(1, n):
        weights = weights * step[supports[:, i - 1], supports[:, i]]
    weights = weights * np.exp(supports @ evidence)
    return weights @ supports / weights.sum(), np.log(weights.sum())


@pytest.mark.parametrize("prior", [Chain(0.2, 4.0), Chain(0.1, 10.0), Chain(0.5, 1.0), Independent(0.2)])
@pytest.mark.parametrize("n", [1, 2, 3, 9])
def test_marginals_of_the_chain_are_those_of_enumeration(prior, n):
    evidence = 3 * np.random.default_rng(n).standard_normal(n)
    marginals, total = prior.marginals(evidence)
    expected, expected_total = enumerated(prior, evidence)
    np.testing.assert_allclose(marginals, expected, atol=1e-13)
    np.testing.assert_allclose(total, expected_total, atol=1e-12)


@pytest.mark.parametrize("prior", [Chain(0.2, 4.0), Independent(0.2)])
def test_the_sum_over_supports_follows_overwhelming_evidence(prior):
    """Groups of many coefficients bring hundreds of nats each; what all supports share is taken out of the enumeration."""
    evidence = np.array([700.0, 500.0, -2.0, 350.0])
    _, total = prior.marginals(evidence)
    _, expected = enumerated(prior, np.array([200.0, 200.0, -2.0, 200.0]))
    np.testing.assert_allclose(total, expected + 500 + 300 + 150, rtol=1e-12)


def test_long_chains_of_overwhelming_evidence_stay_finite():
    evidence = 1e4 * np.random.default_rng(0).standard_normal(5_000)
    for prior in (Chain(0.1, 10.0), Chain(0.5, 1.0), Independent(1e-6)):
        marginals, total = prior.marginals(evidence)
        assert np.all((marginals >= 0) & (marginals <= 1))
        assert np.isfinite(total)


def test_a_chain_whose_steps_forget_is_the_independent_prior():
    A, y, _ = clustered()
    independent = hierarchical_bayes(A, y, rate=0.2, tol=1e-2)
    chain = hierarchical_bayes(A, y, rate=0.2, structure="chain", cluster_length=1 / 0.8, tol=1e-2)
    assert 0 < independent.support.size < 30
    np.testing.assert_allclose(chain.coef, independent.coef, atol=1e-8)
    np.testing.assert_allclose(chain.log_evidence, independent.log_evidence, rtol=1e-8)


def test_groups_of_one_are_no_groups_and_labels_are_blocks():
    A, y, _ = clustered()
    alone = hierarchical_bayes(A, y)
    np.testing.assert_array_equal(hierarchical_bayes(A, y, groups=1).coef, alone.coef)
    blocks = hierarchical_bayes(A, y, groups=2)
    np.testing.assert_array_equal(hierarchical_bayes(A, y, groups=np.arange(100) // 2).coef, blocks.coef)
    np.testing.assert_array_equal(blocks.inclusion[::2], blocks.inclusion[1::2])
    assert np.any(np.abs(blocks.inclusion - alone.inclusion) > 0.1)


@pytest.mark.parametrize("rate", [0.1, 0.15, 0.3, 0.8])
@pytest.mark.parametrize("settings", [{}, {"structure": "chain"}, {"groups": 5}, {"method": "subspace"}])
@pytest.mark.parametrize("shape", [(400, 100, 30), (40, 20, 10)])
def test_a_large_rate_does_not_make_everything_active(shape, settings, rate):
    """Strong coefficients, four samples to each or two; for groups of five all are active or none."""
    n_samples, n_features, n_active = shape
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((n_samples, n_features)), np.zeros(n_features)
    x[5 : 5 + n_active] = 2 * np.sign(rng.standard_normal(n_active)) + 0.3 * rng.standard_normal(n_active)
    y = A @ x + 0.1 * rng.standard_normal(n_samples)
    found = hierarchical_bayes(A, y, rate=rate, **settings)
    np.testing.assert_array_equal(found.support, np.flatnonzero(x))


def test_a_small_rate_loses_few_strong_coefficients():
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((400, 100)), np.zeros(100)
    x[5:35] = 2 * np.sign(rng.standard_normal(30)) + 0.3 * rng.standard_normal(30)
    found = hierarchical_bayes(A, A @ x + 0.1 * rng.standard_normal(400), rate=0.05)
    assert found.support.size >= 28


def test_groups_with_few_non_zeros_of_their_five_are_found():
    for seed in range(3):
        rng = np.random.default_rng(seed)
        A, x = rng.standard_normal((60, 100)), np.zeros(100)
        x[20:40] = rng.standard_normal(20) * (rng.random(20) < 0.6)
        found = hierarchical_bayes(A, A @ x + 0.1 * rng.standard_normal(60), groups=5)
        np.testing.assert_array_equal(found.support, np.arange(20, 40))


@pytest.mark.parametrize("method", ["full", "subspace"])
@pytest.mark.parametrize("settings", [{"structure": "chain", "cluster_length": 6}, {"groups": 6}, {"rate": 0.7}])
def test_a_column_of_zeros_is_in_no_support_whatever_its_neighbours_are(settings, method):
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((40, 60)), np.zeros(60)
    x[18:24] = [2, -1, 1, -2, 1, 3]
    A[:, 21] = 0
    found = hierarchical_bayes(A, A @ x + 0.05 * rng.standard_normal(40), method=method, **settings)
    assert set(found.support) >= {18, 19, 20, 22, 23}
    assert found.inclusion[21] == found.coef[21] == 0


def errors(seeds=range(12), n_samples=100, n_features=200, snr=10, **settings):
    """NMSE, and learned over true noise level, on supports drawn from the chain of rate 0.1 and runs of ten."""
    found, levels = [], []
    for seed in seeds:
        rng = np.random.default_rng(seed)
        active = np.zeros(n_features, dtype=bool)
        while not 8 <= active.sum() <= 30:
            draws = rng.random(n_features)
            active[0] = draws[0] < 0.1
            for n in range(1, n_features):
                active[n] = draws[n] < (0.9 if active[n - 1] else 1 / 90)
        A = rng.standard_normal((n_samples, n_features)) / np.sqrt(n_samples)
        x = active * rng.standard_normal(n_features)
        s = np.mean((A @ x) ** 2) * 10 ** (-snr / 10)
        y = A @ x + np.sqrt(s) * rng.standard_normal(n_samples)
        options = {name: value if name != "noise_variance" else s for name, value in settings.items()}
        result = hierarchical_bayes(A, y, **options)
        found.append(np.sum((result.coef - x) ** 2) / np.sum(x**2))
        levels.append(np.sqrt(result.noise_variance / s))
    return np.median(found), np.median(levels)


def test_the_chain_recovers_runs_better_and_learns_the_noise():
    plain, _ = errors(noise_variance="true")
    chain, _ = errors(structure="chain", noise_variance="true")
    subspace, _ = errors(structure="chain", noise_variance="true", method="subspace")
    learned, level = errors(structure="chain")
    assert chain < 0.7 * plain
    assert subspace < 1.3 * chain
    assert learned < 1.4 * chain
    assert 0.85 < level < 1.15


def test_the_noise_is_learned_with_fewer_samples_than_features():
    _, level = errors(n_samples=80, snr=20)
    assert 0.85 < level < 1.2


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("method", ["full", "subspace"])
def test_every_namespace_gives_numpys_answer(name, method):
    A, Y, _ = clustered(complex_=True, n_targets=2)
    expected = hierarchical_bayes(A, Y, structure="chain", method=method)
    found = hierarchical_bayes(put(A, name), put(Y, name), structure="chain", method=method)
    assert type(found.inclusion) is type(put(Y, name))
    np.testing.assert_allclose(get(found.coef), expected.coef, atol=1e-6)
    np.testing.assert_allclose(get(found.inclusion), expected.inclusion, atol=1e-5)


def test_the_subspace_form_takes_products_alone():
    A, y, x = clustered()
    design = KroneckerDesign([np.ones((1, 1)), A])
    found = hierarchical_bayes(design, y, structure="chain", method="subspace")
    assert found.status is Status.CONVERGED
    np.testing.assert_allclose(
        found.coef, hierarchical_bayes(A, y, structure="chain", method="subspace").coef, atol=1e-4
    )
    assert set(found.support) <= set(range(18, 28)) | set(range(68, 76))
    assert np.sum((found.coef - x) ** 2) < 0.05 * np.sum(x**2)


@pytest.mark.parametrize("seed", range(3))
def test_the_subspace_form_finds_what_the_full_one_finds(seed):
    """As dense as a quarter of the samples, where a pursuit fails: from a wrong start independent coefficients never return."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((80, 200))
    x = np.zeros(200)
    x[5:25] = 2 * np.sign(rng.standard_normal(20)) + 0.3 * rng.standard_normal(20)
    y = A @ x + 0.1 * rng.standard_normal(80)
    for method in ("full", "subspace"):
        found = hierarchical_bayes(A, y, method=method)
        np.testing.assert_array_equal(found.support, np.arange(5, 25))
        assert np.linalg.norm(found.coef - x) < 0.02 * np.linalg.norm(x)


def test_large_problems_start_from_variances_learned_one_at_a_time(monkeypatch):
    A, y, x = clustered(n_samples=150)
    small = hierarchical_bayes(A, y, method="subspace", tol=1e-7)
    monkeypatch.setattr("sparsecode.solvers.bayesian.hierarchical_model._MOST_EXACT", 0)
    monkeypatch.setattr(HierarchicalModel, "_rough_variances", lambda *state: pytest.fail("a large inverse"))
    found = hierarchical_bayes(A, y, method="subspace", tol=1e-7)
    np.testing.assert_allclose(found.coef, small.coef, atol=1e-3)
    np.testing.assert_allclose(found.log_evidence, small.log_evidence, atol=0.5)


def test_the_mean_of_the_subspace_form_minimises_its_quadratic():
    A, y, _ = clustered()
    found = hierarchical_bayes(A, y, method="subspace", noise_variance=0.01, tol=1e-9)
    rho = found.parameters["precision"]
    exact = np.linalg.solve(np.diag(rho) + A.T @ A / 0.01, A.T @ y / 0.01)
    assert np.linalg.norm(found.coef - exact) < 1e-6 * np.linalg.norm(exact)
    np.testing.assert_allclose(found.variance, 1 / (rho + np.sum(A**2, axis=0) / 0.01), rtol=1e-5)


def test_as_many_conjugate_steps_as_unknowns_reach_the_minimum_and_no_start_is_worse():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((9, 8)), rng.standard_normal(9)
    model = HierarchicalModel(DenseDesign(A), y, Independent(0.3), groups_of(1, 8), 8, 0.5, 9)
    precision, inclusion = rng.uniform(0.5, 5, 8), np.array([0.9, 0.8, 0, 0, 0, 0, 0, 0])
    exact = np.linalg.solve(np.diag(precision) + A.T @ A / 0.5, A.T @ y / 0.5)[:, None]
    state = Factors(np.zeros((8, 1)), np.ones(8), precision, inclusion, 0.5)
    found = model._descended(rng.standard_normal((8, 1)), state, 1 / (precision + np.sum(A**2, axis=0) / 0.5))
    np.testing.assert_allclose(found, exact, atol=1e-9)
    np.testing.assert_array_equal(model._lower_start(state._replace(mean=exact)), exact)
    part = np.linalg.solve(np.diag(precision[:2]) + A[:, :2].T @ A[:, :2] / 0.5, A[:, :2].T @ y / 0.5)
    np.testing.assert_allclose(model._lower_start(state)[:, 0], np.append(part, np.zeros(6)), atol=1e-12)


def test_the_certificate_sees_a_noise_variance_that_would_still_move():
    A, y, _ = clustered(n_samples=150)  # enough that coefficients hardly depend on it
    found = hierarchical_bayes(A, y)
    model = HierarchicalModel(DenseDesign(A), y, Independent(0.1), groups_of(1, 100), None, None, 150)
    belief = Belief(found.coef, found.variance, found.noise_variance, found.log_evidence, None, found.parameters)
    np.testing.assert_allclose(model.certify(belief).value, found.certificate, atol=1e-9)
    moved = belief._replace(noise_variance=1.1 * found.noise_variance)
    np.testing.assert_allclose(model.certify(moved).value, np.log(1.1), rtol=0.2)


def test_the_certificate_of_the_subspace_form_sees_conjugate_gradients_that_are_slow():
    """On a design of condition 1e4 a sweep changes little, and the mean still is no minimum."""
    rng = np.random.default_rng(0)
    left, right = (np.linalg.qr(rng.standard_normal((size, 100)))[0] for size in (100, 150))
    A = left * np.geomspace(1, 1e-4, 100) @ right.T
    A = A * np.sqrt(150) / np.linalg.norm(A)
    x = np.where(rng.permutation(150) < 10, 3 * rng.standard_normal(150), 0.0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        y = A @ x + 0.01 * rng.standard_normal(100)
        found = hierarchical_bayes(A, y, method="subspace", noise_variance=1e-4, max_iter=400)
    precision, dual = found.parameters["precision"], (y - A @ found.coef) / found.noise_variance
    primal = 0.5 * (np.sum(precision * found.coef**2) + found.noise_variance * dual @ dual)
    value = dual @ y - 0.5 * (found.noise_variance * dual @ dual + np.sum((A.T @ dual) ** 2 / precision))
    assert found.certificate >= 0.99 * (primal - value) / primal


@pytest.mark.parametrize("method", ["full", "subspace"])
@pytest.mark.parametrize("size", [1e-150, 1e-160, 1e150, 1e160])
def test_data_whose_squares_are_no_numbers_are_refused(method, size):
    A, y, _ = clustered()
    with pytest.raises(ValueError, match="range"):
        hierarchical_bayes(A, size * y, method=method)
    with pytest.raises(ValueError, match="range"):
        hierarchical_bayes(A * 1e-100, 1e30 * y, method=method)
    with pytest.raises(ValueError, match="coefficients of size 1e25"):
        hierarchical_bayes(np.float32(A), np.float32(1e25 * y), method=method)


@pytest.mark.parametrize("method", ["full", "subspace"])
def test_odd_problems_end_with_a_status_and_finite_numbers(method):
    rng = np.random.default_rng(0)
    cases = [
        (rng.standard_normal((1, 30)), np.ones(1)),
        (rng.standard_normal((30, 1)), rng.standard_normal(30)),
        (np.ones((20, 10)), rng.standard_normal(20)),
        (np.hstack([np.eye(10)] * 3), rng.standard_normal(10)),
        (np.zeros((5, 4)), np.ones(5)),
        (rng.standard_normal((20, 40)), np.zeros(20)),
        (rng.standard_normal((20, 8)) * 1e-12, 1e12 * rng.standard_normal(20)),
    ]
    rare = hierarchical_bayes(*cases[1], rate=1e-300, method=method)
    assert 0 < rare.noise_variance < 2 * np.mean(cases[1][1] ** 2)
    for A, y in cases:
        for noise in ("learn", 1e-10, 1e-300):
            with warnings.catch_warnings():
                warnings.simplefilter("error")
                warnings.simplefilter("ignore", ConvergenceWarning)
                found = hierarchical_bayes(A, y, method=method, noise_variance=noise)
            assert isinstance(found.status, Status)
            for values in (found.coef, found.variance, found.inclusion, found.noise_variance):
                assert np.all(np.isfinite(values))


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"structure": "tree"}, "structure must be None or 'chain'"),
        ({"rate": 1.0}, "rate must be less than 1"),
        ({"rate": 0.0}, "rate must be greater than 0"),
        ({"structure": "chain", "cluster_length": 0.5}, "cluster_length must be at least 1"),
        ({"structure": "chain", "rate": 0.9, "cluster_length": 2.0}, "cluster_length must be at least 9"),
        ({"groups": np.zeros(7, dtype=int)}, r"groups has shape \(7,\)"),
        ({"groups": 0}, "groups must be"),
        ({"groups": np.full(30, np.nan)}, "groups contains NaN"),
        ({"groups": [[0, 1], [2]]}, "groups must be a block size or one label for each feature"),
        ({"noise_variance": None}, "noise_variance must be a number greater than 0, or 'learn'; got None"),
        ({"method": "half"}, "method must be 'full' or 'subspace'"),
        ({"noise_variance": -1.0}, "noise_variance must be"),
        ({"noise_variance": "guess"}, "noise_variance"),
    ],
)
def test_bad_arguments_get_an_error_that_names_them(change, text):
    A, y, _ = clustered()
    with pytest.raises(ValueError, match=text):
        hierarchical_bayes(A, y, **change)


@pytest.mark.parametrize("method", ["full", "subspace"])
@pytest.mark.parametrize("noise", ["learn", 0.01])
def test_weights_count_copies_of_a_sample(method, noise):
    A, y, _ = clustered()
    counts = np.where(np.arange(60) < 25, 2, 1)
    weighted = hierarchical_bayes(A, y, method=method, noise_variance=noise, sample_weight=counts, tol=1e-7)
    A, y = np.repeat(A, counts, axis=0), np.repeat(y, counts)
    copied = hierarchical_bayes(A, y, method=method, noise_variance=noise, tol=1e-7)
    np.testing.assert_allclose(weighted.coef, copied.coef, atol=1e-5)
    np.testing.assert_allclose(weighted.noise_variance, copied.noise_variance, rtol=1e-5)
    np.testing.assert_allclose(weighted.log_evidence, copied.log_evidence, rtol=1e-5)


def test_the_estimator_tells_what_is_active_and_how_sure_it_is():
    A, y, x = clustered(n_samples=80)
    model = HierarchicalBayesRegressor(structure="chain").fit(A, y + 2)
    assert set(model.support_) == set(np.flatnonzero(model.inclusion_ > 0.5))
    big = np.flatnonzero(np.abs(x) > 0.5)
    assert set(big) <= set(model.support_)
    assert abs(model.intercept_ - 2) < 0.2
    mean, std = model.predict(A, return_std=True)
    assert np.all(std**2 >= model.noise_variance_)
    assert np.mean(np.abs(y + 2 - mean) < 2 * std) > 0.9


def test_weights_that_sum_to_less_than_one_are_refused():
    A, y, _ = clustered()
    weights = np.full(60, 1 / 120)
    with pytest.raises(ValueError, match=r"sample_weight sums to 0.5.*mean of one"):
        hierarchical_bayes(A, y, sample_weight=weights)
    with pytest.raises(ValueError, match=r"sample_weight sums to 0.5.*mean of one"):
        HierarchicalBayesRegressor().fit(A, y, sample_weight=weights)


@pytest.mark.parametrize("shape", [(60, 100), (60, 20)])
@pytest.mark.parametrize("complex_", [False, True])
def test_predictions_know_the_joint_spread(shape, complex_):
    """Of samples that count by their weights; a column may come twice."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal(shape) + (1j * rng.standard_normal(shape) if complex_ else 0)
    A[:, 3] = A[:, 2]
    y = A[:, :3] @ [1.0, -2.0, 3.0] + 0.1 * rng.standard_normal(60)
    weights = rng.uniform(0.5, 1.5, 60)
    model = HierarchicalBayesRegressor(fit_intercept=False).fit(A, y, sample_weight=weights)
    s, rho = model.noise_variance_, model.result_.parameters["precision"]
    covariance = np.linalg.inv(np.diag(rho) + (A.conj().T * weights) @ A / s)
    std = model.predict(A, return_std=True)[1]
    np.testing.assert_allclose(std**2, s + np.real(np.einsum("ij,jk,ik->i", A, covariance, A.conj())), rtol=1e-4)
    alike = np.zeros((1, shape[1]))
    alike[0, 2:4] = [1, -1]
    assert model.predict(alike, return_std=True)[1][0] > 5 * model.predict(np.abs(alike), return_std=True)[1][0]


@pytest.mark.parametrize("n_alike", [1, 2])
def test_the_spread_of_columns_that_are_alike_is_that_of_their_sum(n_alike):
    rng = np.random.default_rng(0)
    a = rng.standard_normal((30, 1))
    y = 2 * a[:, 0] + 0.1 * rng.standard_normal(30)
    X = np.hstack([a] * n_alike)
    std = HierarchicalBayesRegressor(fit_intercept=False).fit(X, y).predict(X, return_std=True)[1]
    assert np.all(std < 0.11)
