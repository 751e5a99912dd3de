"""Activations against their definitions: projections, proxes, budgets, and the slopes that differences show."""

import numpy as np
import pytest

from sparsecode import L0, L1, MCP, SCAD, Box, L0Ball
from sparsecode.solvers.autoencoder import dense
from sparsecode.solvers.autoencoder.activations import GradientTopK, JumpReLU, Prox, TopK
from sparsecode.solvers.autoencoder.allocation import BatchTopK, FeatureChoice, zipf_budgets
from sparsecode.solvers.autoencoder.encoder import largest_of_latents
from sparsecode.solvers.autoencoder.gradients import loss_and_gradients
from sparsecode.solvers.autoencoder.parameters import Life, Parameters, zeros_like
from tests._backends import FOREIGN, get, put
from tests.solvers.autoencoder import naive

SMOOTH = [  # away from where they jump
    TopK(3),
    TopK(3, signed=True),
    Prox(L1(0.4, positive=True), 1.7),
    Prox(L1(0.4), 0.6),
    Prox(L0(0.3), 1.2),
    Prox(MCP(0.5), 1.3),
    Prox(SCAD(0.3), 0.8),
    Prox(Box(0.0, 0.7), 1.3),
    BatchTopK(3),
    FeatureChoice(3),
    FeatureChoice(3, zipf=True),
    GradientTopK(2),
]
ALL = [*SMOOTH, JumpReLU(0.2, 0.3), JumpReLU(0.2, 0.3, target=4.0)]


def known(n_latents=10):
    """What training knows, with a density of its own for each latent."""
    life = Life(n_latents, np.random.RandomState(0))
    life.density[:] = np.random.RandomState(1).uniform(size=n_latents)
    return life


def problem(**shape):
    parameters, X, target = naive.problem(3, n_signals=20, **shape)
    parameters.threshold[:] = 0.4
    return parameters, X, target


def matrix(codes, n_latents=10):
    """Compressed codes as a dense matrix."""
    rows = np.repeat(np.arange(codes.n_signals), np.diff(codes.indptr))
    made = np.zeros((codes.n_signals, n_latents))
    made[rows, codes.indices] = codes.values
    return made


def pre_of(parameters, X):
    return np.array([naive.pre_activation(parameters, x) for x in X])


@pytest.mark.parametrize("signed", [False, True])
def test_topk_is_the_projection_on_the_l0_ball(signed):
    parameters, X, _ = problem()
    made = matrix(TopK(3, signed).codes(parameters, X))
    np.testing.assert_allclose(made, naive.topk_codes(parameters, X, 3, signed), atol=1e-15)
    ball = L0Ball(3, positive=not signed)
    np.testing.assert_allclose(made, ball.prox(pre_of(parameters, X).T, 1.0).T, atol=1e-15)


@pytest.mark.parametrize("penalty", [L1(0.4, positive=True), L1(0.4), L0(0.3), MCP(0.5), SCAD(0.3), Box(0.0, 0.7)])
def test_prox_minimises_its_objective_in_units_of_the_data(penalty):
    parameters, X, _ = problem()
    scale = 1.7
    made = matrix(Prox(penalty, scale).codes(parameters, X))
    grid = np.linspace(-12, 12, 48001)
    cost = penalty.value(grid[None, :])
    for code, pre in zip(made[:4], pre_of(parameters, X)[:4], strict=True):
        for z, u in zip(code, pre, strict=True):
            best = grid[np.argmin(0.5 * (grid - scale * u) ** 2 + cost)]
            assert abs(scale * z - best) <= 1e-3


def test_relu_is_the_prox_of_the_positive_l1_norm():
    parameters, X, _ = problem()
    made = matrix(Prox(L1(0.4, positive=True), 2.0).codes(parameters, X))
    np.testing.assert_allclose(made, np.maximum(pre_of(parameters, X) - 0.2, 0.0), atol=1e-15)


def test_jumprelu_starts_as_the_prox_of_the_positive_l0_norm():
    parameters, X, _ = problem()
    parameters.threshold[:] = np.sqrt(2 * 0.3)
    made = matrix(JumpReLU(0.3, 0.1).codes(parameters, X))
    np.testing.assert_allclose(made, L0(0.3, positive=True).prox(pre_of(parameters, X), 1.0), atol=1e-15)


def test_slopes_of_jumprelu_by_hand():
    """Four latents: far below the threshold, in the window below, in it above, far above."""
    encoder = np.array([[0.3], [0.95], [1.02], [2.0]])
    decoder = np.ones((4, 1))
    parameters = Parameters(encoder, np.zeros(4), decoder, np.zeros(1), np.ones(4))
    X, target, gradients = np.ones((1, 1)), np.full((1, 1), 1.02), zeros_like(parameters)
    price, width = 0.7, 0.2
    objective, made = loss_and_gradients(parameters, X, target, JumpReLU(price, width), gradients, life=known(4))
    residual = 1.02 + 2.0 - 1.02
    assert objective == pytest.approx(0.5 * residual**2 + 2 * price)
    np.testing.assert_allclose(matrix(made.codes, 4), [[0, 0, 1.02, 2.0]])
    np.testing.assert_allclose(gradients.encoder[:, 0], [0, 0, residual, residual])
    felt = -(residual * 1.0 + price) / width  # the jump of the value is the threshold, 1
    np.testing.assert_allclose(gradients.threshold, [0, felt, felt, 0])


def test_what_is_negative_is_in_no_window():
    """Of a threshold that is less than half the window wide: codes are never negative, however near."""
    parameters, X, _ = problem()
    parameters.threshold[:] = 0.1
    pre = pre_of(parameters, X)
    codes = JumpReLU(0.3, 1.0).codes(parameters, X, known())
    rows = np.repeat(np.arange(codes.n_signals), np.diff(codes.indptr))
    met = np.zeros_like(pre, dtype=bool)
    met[rows, codes.indices] = True
    assert np.any((pre < 0) & (pre > -0.4))
    np.testing.assert_array_equal(met, pre > 0)
    near = (pre > 0) & (pre < 0.6)
    np.testing.assert_allclose(codes.of_thresholds, -0.3 * near.sum(axis=0) / len(X), rtol=1e-12)


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_at_a_kink_the_slope_is_that_of_larger_entries(sign):
    """MCP shrinks up to gamma alpha, by a prox of slope gamma / (gamma - 1), and no more from there on."""
    parameters = Parameters(np.array([[sign]]), np.zeros(1), np.ones((1, 1)), np.zeros(1), np.zeros(1))
    codes = Prox(MCP(0.5, 3.0)).codes(parameters, np.array([[1.0], [1.5], [2.0]]))
    np.testing.assert_allclose(codes.values, sign * np.array([0.75, 1.5, 2.0]))
    np.testing.assert_allclose(codes.slopes, [1.5, 1.0, 1.0], rtol=1e-6)


def test_a_target_makes_the_price_of_an_entry():
    parameters, X, _ = problem()
    plain, aimed = (zeros_like(parameters) for _ in range(2))
    life = known()
    objective, made = loss_and_gradients(parameters, X, X, JumpReLU(1.0, 0.5), plain, life=life)
    n_entries = np.count_nonzero(made.codes.values) / X.shape[0]
    wanted = loss_and_gradients(parameters, X, X, JumpReLU(2.0, 0.5, target=3.0), aimed, life=life)[0]
    assert wanted - objective == pytest.approx(2.0 * (n_entries / 3.0 - 1) ** 2 - n_entries)
    step = 1e-6  # of L0, in the cost 2 (L0 / 3 - 1)^2
    price = (2.0 * ((n_entries + step) / 3 - 1) ** 2 - 2.0 * ((n_entries - step) / 3 - 1) ** 2) / (2 * step)
    pre = pre_of(parameters, X)
    near = np.sum((np.abs(pre - 0.4) < 0.25) & (pre > 0), axis=0)
    np.testing.assert_allclose(aimed.threshold - plain.threshold, -near * (price - 1.0) / (0.5 * 20), rtol=1e-6)


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("k", [1, 3, 9])
def test_batchtopk_keeps_exactly_the_largest_of_a_batch(k, ties):
    parameters, X, _ = problem()
    if ties:
        X = np.repeat(X[:5], 4, axis=0)
    X[0] *= 50  # one signal that wants all entries it can get
    pre = np.maximum(pre_of(parameters, X), 0).ravel()
    kept = np.argsort(-pre, kind="stable")[: k * len(X)]
    expected = np.zeros_like(pre)
    expected[kept] = pre[kept]
    made = matrix(BatchTopK(k).codes(parameters, X, known()))
    np.testing.assert_allclose(made, expected.reshape(20, -1), atol=1e-12)
    assert np.count_nonzero(made) == min(k * len(X), np.count_nonzero(pre))


@pytest.mark.parametrize("zipf", [False, True])
def test_every_latent_keeps_the_largest_of_its_signals(zipf):
    parameters, X, _ = problem()
    life = known()
    activation = FeatureChoice(3, zipf)
    budgets = activation.budgets(len(X), parameters, life)
    assert budgets.sum() == 60
    assert (np.ptp(budgets) > 0) == zipf
    pre = np.maximum(pre_of(parameters, X), 0)
    expected = np.zeros_like(pre)
    for j, budget in enumerate(budgets):
        kept = np.argsort(-pre[:, j], kind="stable")[:budget]
        expected[kept, j] = pre[kept, j]
    np.testing.assert_allclose(matrix(activation.codes(parameters, X, life)), expected, atol=1e-14)


def test_of_equal_signals_a_latent_keeps_the_first():
    parameters = Parameters(np.ones((3, 1)), np.zeros(3), np.ones((3, 1)), np.zeros(1), np.zeros(3))
    X = np.array([[1.0], [2.0], [1.0], [2.0], [2.0]])
    indptr, indices, values = largest_of_latents(parameters, X, np.array([1, 2, 4]))
    rows = np.repeat(np.arange(5), np.diff(indptr))
    assert [rows[indices == j].tolist() for j in range(3)] == [[1], [1, 3], [0, 1, 3, 4]]
    np.testing.assert_array_equal(values, X[rows, 0])


def test_budgets_fall_with_the_rank_and_add_up():
    density = np.array([0.1, 0.5, 0.3, 0.0, 0.2])
    budgets = zipf_budgets(density, 5, 40, 100)
    assert budgets.sum() == 40
    assert list(np.argsort(-budgets, kind="stable")) == [1, 2, 4, 0, 3]
    share = 1 / (np.arange(5) + 3.7)
    np.testing.assert_allclose(np.sort(budgets)[::-1], 40 * share / share.sum(), atol=1)
    tight = zipf_budgets(density, 5, 40, 9)
    assert tight.sum() == 40 and tight.max() == 9
    assert sorted(zipf_budgets(None, 5, 12, 100)) == [2, 2, 2, 3, 3]


@pytest.mark.parametrize("density", [None, np.random.RandomState(3).uniform(size=50)])
@pytest.mark.parametrize("total", [7, 30, 120])
def test_over_the_steps_each_latent_has_its_share(density, total):
    """Also where the share of a step is less than one entry."""
    turns = (np.arange(4000) + 0.5) / 4000
    budgets = np.array([zipf_budgets(density, 50, total, 20, turn) for turn in turns])
    assert np.all(budgets.sum(axis=1) == total) and budgets.min() >= 0 and budgets.max() <= 20
    share = np.ones(50) if density is None else 1 / (np.argsort(np.argsort(-density)) + 3.7)
    np.testing.assert_allclose(budgets.mean(axis=0), total * share / share.sum(), atol=2e-3)
    assert np.all(np.ptp(budgets, axis=0) <= 1)


def test_steps_turn_evenly():
    parameters, X, _ = problem()
    life, activation, total = known(), FeatureChoice(1), np.zeros(10)
    for life.n_steps in range(300):
        total += activation.budgets(7, parameters, life)
    np.testing.assert_allclose(total / 300, 0.7, atol=0.02)


def test_a_threshold_begins_with_the_first_value_that_its_latent_kept():
    parameters, X, _ = problem()
    parameters.threshold[:] = 0.0
    life = known()
    life.n_steps = 400
    activation = FeatureChoice(3)
    codes = activation.codes(parameters, X, life)
    activation.settle(parameters, codes, life)
    made = matrix(codes)
    least = np.where(made > 0, made, np.inf).min(axis=0)
    np.testing.assert_allclose(parameters.threshold, np.where(np.isfinite(least), least, 0.0))
    codes = activation.codes(parameters, 2 * X, life)
    after = np.where(matrix(codes) > 0, matrix(codes), np.inf).min(axis=0)
    activation.settle(parameters, codes, life)
    np.testing.assert_allclose(parameters.threshold, 0.99 * least + 0.01 * after, rtol=1e-12)


def test_gradient_topk_ranks_by_what_an_entry_does_downstream():
    parameters, X, _ = problem()
    slopes = np.random.RandomState(9).standard_normal(X.shape)
    pre = np.maximum(pre_of(parameters, X), 0)
    score = pre * np.abs(slopes @ parameters.decoder.T)
    expected = np.zeros_like(pre)
    for s, row in enumerate(score):
        kept = np.argsort(-row, kind="stable")[:2]
        expected[s, kept] = pre[s, kept]
    activation = GradientTopK(2)
    np.testing.assert_allclose(matrix(activation.given(slopes).codes(parameters, X)), expected, atol=1e-15)
    np.testing.assert_array_equal(matrix(activation.codes(parameters, X)), matrix(TopK(2).codes(parameters, X)))


@pytest.mark.parametrize("activation", SMOOTH, ids=repr)
@pytest.mark.parametrize("n_targets", [None, 4])
def test_gradients_are_the_slopes_of_the_loss(activation, n_targets):
    parameters, X, target = problem(n_targets=n_targets)
    life, gradients = known(), zeros_like(parameters)

    def loss(at):
        return loss_and_gradients(at, X, target, activation, zeros_like(at), life=life)[0]

    objective, made = loss_and_gradients(parameters, X, target, activation, gradients, life=life)
    cost = made.codes.cost
    np.testing.assert_allclose(objective - cost, naive.flat_loss(parameters, matrix(made.codes), target), rtol=1e-12)
    expected = naive.slopes(loss, parameters)
    for name, one, other in zip(parameters._fields, gradients, expected, strict=True):
        np.testing.assert_allclose(one, other, atol=2e-6, err_msg=name)


def test_the_cost_of_the_codes_is_the_penalty_in_units_of_the_targets():
    parameters, X, _ = problem()
    codes = Prox(MCP(0.5), 1.3).codes(parameters, X)
    values = sum(float(MCP(0.5).value(1.3 * z)) for z in matrix(codes)) / 1.3**2 / len(X)
    assert codes.cost == pytest.approx(values, rel=1e-12)


@pytest.mark.parametrize("activation", ALL, ids=repr)
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("name", ["numpy", *FOREIGN])
def test_dense_codes_say_the_same_in_every_namespace(activation, training, name):
    parameters, X, target = problem()
    life = known() if training else None
    gradients = zeros_like(parameters)
    objective, made = loss_and_gradients(parameters, X, target, activation, gradients, life=life)
    there = Parameters(*(put(part, name) for part in parameters))
    sums = zeros_like(there)
    value, other = dense.loss_and_gradients(there, put(X, name), put(target, name), activation, sums, life=life)
    assert float(value) == pytest.approx(objective, rel=1e-12)
    np.testing.assert_allclose(get(other.codes.values), matrix(made.codes), atol=1e-12)
    for field, one, two in zip(parameters._fields, gradients, sums, strict=True):
        np.testing.assert_allclose(one, get(two), atol=1e-8, err_msg=field)


def test_thresholds_follow_the_least_value_that_was_kept():
    parameters, X, _ = problem()
    life = known()
    codes = BatchTopK(3).codes(parameters, X, life)
    parameters.threshold[:] = 0.0
    life.n_steps = 1
    BatchTopK(3).settle(parameters, codes, life)  # a plain mean at first
    np.testing.assert_allclose(parameters.threshold, codes.values.min())
    above = np.maximum(pre_of(parameters, X), 0)
    above[above <= (1 + 1e-12) * codes.values.min()] = 0
    np.testing.assert_allclose(matrix(BatchTopK(3).codes(parameters, X)), above, atol=1e-15)
    own = FeatureChoice(3)
    codes = own.codes(parameters, X, life)
    own.settle(parameters, codes, life)
    made = matrix(codes)
    for j in range(10):
        if made[:, j].any():
            assert parameters.threshold[j] == pytest.approx(made[:, j][made[:, j] > 0].min())
    life.n_steps = 10_000
    before = parameters.threshold.copy()
    own.settle(parameters, codes._replace(values=2 * codes.values), life)
    used = made.any(axis=0)
    np.testing.assert_allclose(parameters.threshold[used], 1.01 * before[used])
    np.testing.assert_array_equal(parameters.threshold[~used], before[~used])


def test_a_signal_without_positive_pre_activations_has_an_empty_code():
    parameters, X, _ = problem()
    parameters.encoder_bias[:] = -1e6
    for activation in (TopK(3), BatchTopK(3), FeatureChoice(3), GradientTopK(3), JumpReLU(0.1, 0.1)):
        gradients = zeros_like(parameters)
        _, made = loss_and_gradients(parameters, X, X, activation, gradients, life=known())
        assert not matrix(made.codes).any()
        assert not gradients.encoder.any() and np.any(gradients.decoder_bias)
