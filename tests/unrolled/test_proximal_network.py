"""Learned proximal networks: proximal maps whatever they learned, the soft threshold from Laplace data, unbiased matching."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning

from sparsecode import LearnedProximalNetwork, ista
from sparsecode.kernels.matching import matched_pulls
from sparsecode.networks import ConvexNetwork
from sparsecode.unrolled._matching import _Batches
from sparsecode.unrolled._refinement import cells


@pytest.fixture(scope="module")
def laplace():
    X = np.random.default_rng(0).laplace(size=(1_000_000, 1)).astype(np.float32)
    settings = {"width": 64, "match": 0.025, "n_steps": 100, "batch_size": 64, "refine_steps": 80}
    return LearnedProximalNetwork(1.0, **settings, random_state=0).fit(X)


@pytest.fixture(scope="module")
def plane():
    """Signals of two numbers, of which mostly one is not zero."""
    random = np.random.default_rng(1)
    X = random.laplace(size=(5000, 2)) * (random.random((5000, 2)) < 0.4)
    model = LearnedProximalNetwork(0.5, width=16, n_layers=2, n_steps=60, pretrain_steps=100, random_state=0)
    return model.fit(X)


def test_laplace_data_teach_the_soft_threshold(laplace):
    y = np.linspace(-3, 3, 121)[:, None]
    found, truth = laplace.transform(y), np.sign(y) * np.maximum(np.abs(y) - 1, 0)
    # neither what the mean nor what the median of the posterior would be
    grid = np.linspace(-15, 15, 6001)
    posterior = np.exp(-0.5 * (grid - y) ** 2 - np.abs(grid))
    mean = (posterior @ grid / posterior.sum(axis=1))[:, None]
    median = grid[np.argmax(np.cumsum(posterior, axis=1) >= 0.5 * posterior.sum(axis=1)[:, None], axis=1)][:, None]
    distance = [np.sqrt(np.mean((found - of_theory) ** 2)) for of_theory in (truth, median, mean)]
    assert distance[0] < 0.05
    assert distance[0] < 0.7 * distance[1] < 0.7 * distance[2]
    assert np.abs(found - truth).max() < 0.1


def test_maps_are_monotone_with_symmetric_jacobians(plane):
    random = np.random.default_rng(2)
    one, other = 2 * random.standard_normal((2, 500, 2))
    assert np.all(np.sum((plane.transform(one) - plane.transform(other)) * (one - other), axis=1) >= 0)
    jacobian = np.stack(
        [(plane.transform(one + 1e-6 * e) - plane.transform(one - 1e-6 * e)) / 2e-6 for e in np.eye(2)], axis=2
    )
    np.testing.assert_allclose(jacobian, np.swapaxes(jacobian, 1, 2), atol=1e-5)
    assert np.linalg.eigvalsh(0.5 * (jacobian + np.swapaxes(jacobian, 1, 2))).min() > -1e-5


def test_the_penalty_is_the_one_whose_prox_was_learned(plane):
    """No signal, be it the image of another point, has a lower value of ``||x - y||^2 / 2 + R(x)`` than f(y)."""
    random = np.random.default_rng(3)
    y = random.standard_normal((20, 2))
    images = plane.transform(y)
    best = 0.5 * np.sum((images - y) ** 2, axis=1) + plane.value(images)
    for size in (0.01, 0.3, 3.0):
        others = plane.transform(y + size * random.standard_normal(y.shape))
        assert np.all(0.5 * np.sum((others - y) ** 2, axis=1) + plane.value(others) >= best - 1e-8)


def test_units_of_the_signals_do_not_matter():
    X = np.random.default_rng(0).laplace(size=(500, 2))
    model = LearnedProximalNetwork(0.5, width=8, n_steps=20, pretrain_steps=20, random_state=0)
    plain, scaled = clone(model).fit(X), clone(model).set_params(noise=4.0).fit(8 * X)
    np.testing.assert_allclose(scaled.transform(8 * X), 8 * plain.transform(X), rtol=1e-5, atol=1e-6)
    images = plain.transform(X[:9])
    np.testing.assert_allclose(scaled.value(8 * images), 64 * plain.value(images), rtol=1e-4, atol=1e-4)
    assert clone(model).set_params(noise=None).fit(X).noise_ == pytest.approx(0.5 * np.std(X))


def test_the_origin_of_the_signals_does_not_matter():
    X = np.random.default_rng(0).laplace(size=(500, 2))
    model = LearnedProximalNetwork(1.0, width=8, n_steps=20, pretrain_steps=20, random_state=0)
    plain = clone(model).fit(X)
    for offset in (100.0, 1e6):
        moved = clone(model).fit(X + offset)
        np.testing.assert_allclose(moved.transform(X + offset) - offset, plain.transform(X), atol=1e-4)
        assert moved.score(X + offset) == pytest.approx(plain.score(X), rel=1e-4)


def test_noise_too_small_for_the_signals_is_refused():
    X = np.random.default_rng(0).laplace(size=(50, 2))
    model = LearnedProximalNetwork(1e-42, n_steps=5, pretrain_steps=5)
    with pytest.raises(ValueError, match="raise noise"):
        model.fit(X)
    assert not hasattr(model, "noise_") and not hasattr(model, "center_")
    constant = LearnedProximalNetwork(n_steps=5, pretrain_steps=5, random_state=0).fit(np.full((20, 2), 3.0))
    assert constant.noise_ == 1.0 and np.all(np.isfinite(constant.transform(X)))


def naive(images, noisy, signals, sigma, gamma):
    """Pulls and shares from the definition, over all pairs."""
    likely = np.exp(-0.5 * np.sum((noisy[:, None] - signals) ** 2, axis=2) / sigma**2)
    likely /= likely.sum(axis=1, keepdims=True)
    apart = images[:, None] - signals
    near = np.exp(-np.sum(apart**2, axis=2) / gamma**2)
    near[near < np.exp(-8)] = 0.0
    pulls = 2 / gamma**2 * np.einsum("ji,jik->jk", likely * near, apart)
    return pulls, np.sum(likely * np.maximum(near - np.exp(-8), 0), axis=1)


@pytest.mark.parametrize("d", [1, 3])
def test_pulls_are_those_of_all_pairs(d):
    random = np.random.default_rng(4)
    signals = random.laplace(size=(700, d))
    signals = signals[np.argsort(signals[:, 0])]
    sources = signals[random.integers(700, size=11)]
    noisy = sources + 0.7 * random.standard_normal((11, d))
    images, pulls, shares = 0.8 * noisy, np.empty((11, d)), np.empty(11)
    matched_pulls(images, noisy, sources, signals, np.ones(700), 0.7, 0.6, pulls, shares)
    expected, found = naive(images, noisy, signals, 0.7, 0.6)
    own = np.exp(-0.5 * np.sum((noisy - sources) ** 2, axis=1) / 0.49)
    total = np.sum(np.exp(-0.5 * np.sum((noisy[:, None] - signals) ** 2, axis=2) / 0.49), axis=1)
    weight = total / (total + own)  # the source counts twice in the weight of its point
    np.testing.assert_allclose(shares, weight * found, rtol=2e-3)
    np.testing.assert_allclose(pulls, weight[:, None] * expected, rtol=0.02, atol=2e-3)


def test_signals_of_one_cell_count_as_one():
    random = np.random.default_rng(7)
    signals = random.integers(5, size=(400, 2)) / 4.0
    means, counts = cells(signals, 0.1)
    expected, repeats = np.unique(signals, axis=0, return_counts=True)
    order = np.lexsort(means.T[::-1])
    np.testing.assert_allclose(means[order], expected)
    np.testing.assert_array_equal(counts[order], repeats)
    assert np.all(np.diff(means[:, 0]) >= 0)
    wide, counts = cells(random.standard_normal((1000, 1)), 0.5)
    assert counts.sum() == 1000 and len(wide) < 20
    points = (0.6 * signals[:9], signals[:9] + 0.3, signals[:9])
    found = []
    for pool, weights in ((signals[np.argsort(signals[:, 0])], np.ones(400)), (means, cells(signals, 0.1)[1])):
        pulls, shares = np.empty((9, 2)), np.empty(9)
        matched_pulls(points[0], points[1], points[2], pool, weights, 0.7, 0.6, pulls, shares)
        found.append(np.column_stack([pulls, shares]))
    np.testing.assert_allclose(found[1], found[0], rtol=1e-10, atol=1e-12)


def test_pulls_are_slopes_of_shares():
    """What a line search asks for: no jump where pairs cease to count."""
    random = np.random.default_rng(8)
    signals = np.sort(random.laplace(size=(300, 1)), axis=0)
    f, around = np.linspace(-2, 2, 201)[:, None], np.empty((2, 201))
    y, pulls = f + 0.3, np.empty((201, 1))
    for shares, h in zip(around, (1e-4, -1e-4), strict=True):
        matched_pulls(f + h, y, f, signals, np.ones(300), 1.0, 0.2, pulls, shares)
    matched_pulls(f, y, f, signals, np.ones(300), 1.0, 0.2, pulls, np.empty(201))
    np.testing.assert_allclose((around[1] - around[0]) / 2e-4, pulls[:, 0], atol=1e-4)


def test_refinement_lowers_the_loss_and_is_told():
    X = np.random.default_rng(0).laplace(size=(3000, 2))
    model = LearnedProximalNetwork(
        0.5, width=8, n_steps=30, pretrain_steps=50, batch_size=32, match=0.1, random_state=0
    )
    plain, refined = clone(model).fit(X), clone(model).set_params(refine_steps=8).fit(X)
    assert plain.n_iter_ == 80 < refined.n_iter_ <= 80 + 2 * 8
    gammas, shares = np.array(refined.history_["gamma"][30:]), np.array(refined.history_["share"][30:])
    assert refined.gamma_ == gammas[-1]
    for gamma in np.unique(gammas):
        assert np.all(np.diff(shares[gammas == gamma]) > -1e-9)
    assert len(np.unique(gammas)) == 2
    again = clone(model).set_params(refine_steps=8).fit(X)
    np.testing.assert_array_equal(again.transform(X), refined.transform(X))


def test_repeated_signals_are_refined_too():
    X = np.repeat(np.eye(2), 40, axis=0)
    model = LearnedProximalNetwork(0.1, width=4, n_steps=5, pretrain_steps=20, refine_steps=4, random_state=0).fit(X)
    assert np.all(np.isfinite(model.transform(X))) and model.gamma_ > 0


def test_mean_pulls_are_slopes_of_the_smoothed_posterior():
    """``E pull = -d/df sqrt(pi) gamma p_s(f | y)``, here of a standard normal prior, whose posterior is normal too."""
    random, gamma, y = np.random.default_rng(5), 0.3, 1.2
    f = np.linspace(-0.5, 1.5, 9)[:, None]
    found = []
    for _ in range(40):
        signals = np.sort(random.standard_normal((20_000, 1)), axis=0)
        pulls, shares = np.empty((9, 1)), np.empty(9)
        matched_pulls(f, np.full((9, 1), y), np.full((9, 1), 0.6), signals, np.ones(20_000), 1.0, gamma, pulls, shares)
        found.append(pulls[:, 0])
    spread = np.sqrt(0.5 + 0.5 * gamma**2)
    expected = np.sqrt(np.pi) * gamma * norm.pdf(f[:, 0], 0.5 * y, spread) * (f[:, 0] - 0.5 * y) / spread**2
    np.testing.assert_allclose(np.mean(found, axis=0), expected, atol=0.02)


def test_fits_repeat_and_keep_single_precision():
    X = np.random.default_rng(0).laplace(size=(300, 2)).astype(np.float32)
    model = LearnedProximalNetwork(width=8, n_steps=15, pretrain_steps=15)
    one, two = (clone(model).set_params(random_state=3).fit(X) for _ in range(2))
    np.testing.assert_array_equal(one.transform(X), two.transform(X))
    assert one.transform(X).dtype == np.float32
    assert one.n_iter_ == 30 and len(one.history_["gamma"]) == 15
    assert one.status_.name == "CONVERGED" and 0 <= one.certificate_ <= 1


@pytest.mark.parametrize("n_steps", [0, 1, 3])
def test_few_steps_are_steps_too(n_steps):
    X = np.random.default_rng(0).laplace(size=(30, 2))
    model = LearnedProximalNetwork(width=4, n_steps=n_steps, pretrain_steps=0, random_state=0).fit(X)
    assert model.n_iter_ == n_steps
    assert np.all(np.isfinite(model.transform(X)))


def test_numbers_out_of_range_are_announced_and_never_returned():
    X = np.random.default_rng(0).laplace(size=(100, 2))
    with pytest.warns(ConvergenceWarning, match="lower learning_rate"):
        model = LearnedProximalNetwork(learning_rate=1e30, n_steps=5, pretrain_steps=5, random_state=0).fit(X)
    assert model.status_.name == "DIVERGED"
    assert np.all(np.isfinite(model.transform(X)))


def test_solvers_take_the_learned_penalty(laplace):
    random = np.random.default_rng(6)
    A, truth = random.standard_normal((30, 40)) / np.sqrt(30), np.zeros(40)
    truth[[3, 17, 30]] = 4.0, -5.0, 6.0
    result = ista(A, A @ truth, penalty=laplace.penalty(0.01 / 30), tol=1e-5, max_iter=20_000)
    assert result.certificate <= 1e-5
    objective = np.array(result.history["objective"])
    assert np.all(np.diff(objective) <= 1e-9 * objective[0])
    np.testing.assert_allclose(result.coef, truth, atol=0.5)


def test_weights_of_the_last_tenth_of_the_steps_are_averaged(monkeypatch):
    met, project = [], ConvexNetwork.project

    def noted(self):
        project(self)
        met.append([part.astype(np.float64) for part in self.parameters])

    monkeypatch.setattr(ConvexNetwork, "project", noted)
    X = np.random.RandomState(0).laplace(size=(500, 1))
    model = LearnedProximalNetwork(1.0, width=6, pretrain_steps=3, n_steps=50, random_state=0).fit(X)
    assert len(met) == 53
    for found, *last in zip(model.network_.parameters, *met[-5:], strict=True):
        np.testing.assert_allclose(found, np.mean(last, axis=0), rtol=1e-5, atol=1e-6)
    assert any(np.any(np.abs(one - other) > 1e-4) for one, other in zip(met[-1], met[-5], strict=True))


def test_batches_are_sorted_hold_their_sources_and_go_round():
    signals = np.random.RandomState(0).standard_normal((50, 2)).astype(np.float32)
    batches, met = _Batches(signals, np.random.RandomState(1)), []
    for _ in range(5):
        chosen, sources, noisy = batches(10, 4)
        assert np.all(np.diff(chosen[:, 0]) >= 0) and chosen.shape == (10, 2)
        assert sources.shape == noisy.shape == (4, 2) and noisy.dtype == np.float32
        assert all(np.any(np.all(chosen == source, axis=1)) for source in sources)
        met.append(chosen)
    np.testing.assert_array_equal(np.sort(np.concatenate(met), axis=0), np.sort(signals, axis=0))
    assert batches(80, 4)[0].shape == (50, 2)


def test_a_matching_that_runs_away_leaves_the_weights_before_it(monkeypatch):
    """And not those before all training."""
    kept = []

    def spoiled(run, step):
        if step == 0:
            kept.extend(part.copy() for part in run.network.parameters)
        run.network.parameters[0][:] = np.nan

    monkeypatch.setattr("sparsecode.unrolled._matching._Run._match", spoiled)
    X = np.random.RandomState(0).laplace(size=(500, 1))
    with pytest.warns(ConvergenceWarning, match="weights from before are kept"):
        model = LearnedProximalNetwork(1.0, width=6, pretrain_steps=20, random_state=0).fit(X)
    for found, part in zip(model.network_.parameters, kept, strict=True):
        np.testing.assert_array_equal(found, part.astype(np.float64))
