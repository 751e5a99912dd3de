"""Posteriors, evidence and updates of models of causes against enumeration, dense Gaussian algebra and finite differences."""

import pickle
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import binom

from sparsecode.solvers.probabilistic import (
    DiscreteCauses,
    MaximalCauses,
    SpikeSlabCauses,
    Truncation,
    add_statistics,
    local_statistics,
    posterior,
    update_causes,
)
from sparsecode.solvers.probabilistic.inference import setting_for
from sparsecode.solvers.probabilistic.states import active_probability, count_law, state_table
from tests.solvers.probabilistic.naive_causes import (
    KINDS,
    N_CAUSES,
    all_states,
    amplitudes,
    draw,
    enumerate_states,
    example,
    expected_code,
    expected_log_joint,
    shown,
)

ALL = Truncation(N_CAUSES, N_CAUSES)
every_kind = pytest.mark.parametrize("kind", KINDS)
with_and_without_gaps = pytest.mark.parametrize("missing", [0.0, 0.3])


# ---------------------------------------------------------------- posteriors


@every_kind
@with_and_without_gaps
def test_without_truncation_the_posterior_is_that_of_enumeration(kind, missing):
    model = example(kind)
    X = draw(model, 8, missing=missing)
    found = posterior(X, model, ALL)
    for n, signal in enumerate(X):
        exact = enumerate_states(model, signal)
        np.testing.assert_allclose(found.log_evidence[n], exact.log_evidence, rtol=1e-10)
        np.testing.assert_allclose(found.mean[n], expected_code(model, signal, exact), atol=1e-10)
        np.testing.assert_allclose(found.inclusion[n], exact.chances @ (exact.states != 0), atol=1e-10)
        likeliest = exact.states[np.argmax(exact.chances)]
        if isinstance(model, SpikeSlabCauses):
            expected = np.zeros(N_CAUSES)
            expected[likeliest != 0] = amplitudes(model, signal, likeliest)[1]
            clean = expected_code(model, signal, exact) @ model.components
        else:
            expected = likeliest
            clean = exact.chances @ np.array([shown(model, state) for state in exact.states])
        np.testing.assert_allclose(found.likeliest[n], expected, atol=1e-10)
        np.testing.assert_allclose(found.reconstruction[n], clean, atol=1e-10)


@every_kind
def test_missing_entries_are_entries_that_are_not_there(kind):
    model = example(kind)
    X = draw(model, 6)
    gaps = X.copy()
    gaps[:, [1, 4]] = np.nan
    fewer = model._replace(components=np.ascontiguousarray(np.delete(model.components, [1, 4], axis=1)))
    left, right = posterior(gaps, model, ALL), posterior(np.delete(X, [1, 4], axis=1), fewer, ALL)
    np.testing.assert_allclose(left.log_evidence, right.log_evidence, rtol=1e-11)
    np.testing.assert_allclose(left.mean, right.mean, atol=1e-11)


@every_kind
def test_a_signal_without_observed_entries_has_the_prior_as_its_posterior(kind):
    model = example(kind)
    found = posterior(np.full((1, model.components.shape[1]), np.nan), model, ALL)
    np.testing.assert_allclose(found.inclusion, model.activity, rtol=1e-12)
    np.testing.assert_allclose(found.log_evidence, 0.0, atol=1e-12)


@every_kind
@with_and_without_gaps
def test_truncated_evidence_is_that_of_a_set_of_candidates(kind, missing):
    """The states are none, every single one, and those with two causes out of three candidates."""
    model = example(kind)
    X = draw(model, 6, missing=missing)
    found = posterior(X, model, Truncation(3, 2))
    states = all_states(model)
    size = np.sum(states != 0, axis=1)
    for n, signal in enumerate(X):
        possible = []
        for candidates in combinations(range(N_CAUSES), 3):
            others = [h for h in range(N_CAUSES) if h not in candidates]
            chosen = (size < 2) | ((size == 2) & np.all(states[:, others] == 0, axis=1))
            exact = enumerate_states(model, signal, states[chosen])
            possible.append((exact.log_evidence, expected_code(model, signal, exact)))
        match = int(np.argmin([abs(evidence - found.log_evidence[n]) for evidence, _ in possible]))
        np.testing.assert_allclose(found.log_evidence[n], possible[match][0], rtol=1e-10)
        np.testing.assert_allclose(found.mean[n], possible[match][1], atol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_the_candidates_of_a_clear_signal_are_its_causes(kind):
    model = example(kind, n_causes=N_CAUSES, noise_variance=1e-2)
    model = model._replace(components=3.0 * np.eye(N_CAUSES, 6))
    if isinstance(model, SpikeSlabCauses):
        model = model._replace(mean=np.full(N_CAUSES, 4.0))
    state = np.array([0.0, 1.0, 0.0, 1.0])
    value = model.values[0] if isinstance(model, DiscreteCauses) else 4.0 if hasattr(model, "mean") else 1.0
    found = posterior((value * state @ model.components)[None], model, Truncation(2, 2))
    np.testing.assert_allclose(found.inclusion[0], state, atol=1e-3)


@pytest.mark.parametrize("kind", ["binary", "ternary", "maximal", "maximum_magnitude"])
def test_the_temperature_tempers_the_likelihood_alone(kind):
    model = example(kind)
    X = draw(model, 5)
    statistics = local_statistics(X, model, ALL, temperature=3.0)
    exact = [enumerate_states(model, signal, temperature=3.0) for signal in X]
    np.testing.assert_allclose(statistics.log_evidence, sum(each.log_evidence for each in exact), rtol=1e-10)
    active = sum(float(each.chances @ np.sum(each.states != 0, axis=1)) for each in exact)
    np.testing.assert_allclose(np.sum(statistics.counts), active, rtol=1e-10)


def test_spike_and_slab_without_spread_is_binary():
    binary = example("binary")
    slab = SpikeSlabCauses(binary.components, 0.3, np.ones(N_CAUSES), np.zeros((N_CAUSES, N_CAUSES)), 0.3)
    X = draw(binary, 10, missing=0.2)
    one, other = posterior(X, binary, ALL), posterior(X, slab, ALL)
    np.testing.assert_allclose(other.log_evidence, one.log_evidence, rtol=1e-12)
    np.testing.assert_allclose(other.mean, one.mean, atol=1e-12)


# ---------------------------------------------------------------- statistics and updates


@every_kind
@with_and_without_gaps
def test_statistics_add_up_over_signals_in_the_same_bits_for_any_number_of_threads(kind, missing):
    model = example(kind)
    X = draw(model, 700, missing=missing)
    whole = local_statistics(X, model, n_jobs=1)
    for n_jobs in (2, 3):
        for one, other in zip(whole, local_statistics(X, model, n_jobs=n_jobs), strict=True):
            np.testing.assert_array_equal(one, other)
    parts = [pickle.loads(pickle.dumps(local_statistics(part, model))) for part in np.split(X, [100, 333])]
    total = add_statistics(add_statistics(parts[0], parts[1]), parts[2])
    for one, other in zip(whole, total, strict=True):
        np.testing.assert_allclose(other, one, rtol=1e-10, atol=1e-9)


@every_kind
def test_signals_that_are_not_kept_change_nothing(kind):
    model = example(kind)
    X = draw(model, 20)
    keep = np.arange(20) % 3 > 0
    for one, other in zip(local_statistics(X, model, keep=keep), local_statistics(X[keep], model), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-11)


def test_a_block_without_gaps_adds_to_one_with_gaps():
    model = example("binary")
    full, gaps = draw(model, 10), draw(model, 12, seed=2, missing=0.3)
    together = local_statistics(np.vstack([full, gaps]), model)
    apart = add_statistics(local_statistics(full, model), local_statistics(gaps, model))
    np.testing.assert_allclose(apart.code_gram, together.code_gram, rtol=1e-11, atol=1e-11)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if not kind.startswith("max")])
@with_and_without_gaps
def test_an_update_is_a_stationary_point_of_the_expected_log_joint(kind, missing):
    """By finite differences, in every single parameter."""
    old = example(kind)
    X = draw(old, 12, seed=3, missing=missing)
    statistics = local_statistics(X, old, ALL)
    setting = setting_for(old, ALL)
    new = (old.maximised if hasattr(old, "maximised") else old.updated)(statistics, setting, 0.0)
    base = expected_log_joint(new, old, X)
    assert base > expected_log_joint(old, old, X)
    for name, moves in _directions(new):
        for move in moves:
            slope = _slope(lambda t, name=name, move=move: _moved_model(new, name, t * move), old, X)
            assert abs(slope) < 1e-4 * abs(base), name


def _directions(model):
    """Parameters that are learned, and directions to move each of them in."""
    rng = np.random.default_rng(0)
    yield "components", [rng.standard_normal(model.components.shape) for _ in range(3)]
    yield "noise_variance", [model.noise_variance]
    if isinstance(model, DiscreteCauses):
        tied = [np.full(model.n_values, 0.1)]
        yield "probabilities", tied if model.tied else 0.1 * np.eye(model.n_values)
    else:
        yield "probability", [0.1]
    if isinstance(model, SpikeSlabCauses):
        yield "mean", np.eye(N_CAUSES)
        root = rng.standard_normal((N_CAUSES, N_CAUSES))
        yield (
            "covariance",
            [
                0.1 * (root + root.T) if model.full else np.diag(np.diagonal(model.covariance) * w)
                for w in np.eye(N_CAUSES)
            ],
        )


def _moved_model(model, name, move):
    return model._replace(**{name: getattr(model, name) + move})


def _slope(model_at, old, X, step=1e-4):
    return (expected_log_joint(model_at(step), old, X) - expected_log_joint(model_at(-step), old, X)) / (2 * step)


@with_and_without_gaps
def test_learned_values_are_stationary_too(missing):
    old = example("discrete")._replace(learn_values=True)
    X = draw(old, 12, seed=3, missing=missing)
    new = update_causes(old, local_statistics(X, old, ALL), ALL)
    assert np.max(np.abs(new.values)) == pytest.approx(np.max(np.abs(old.values)))
    for k in range(2):
        move = np.eye(2)[k]
        slope = _slope(lambda t, move=move: _moved_model(new, "values", t * move), old, X)
        assert abs(slope) < 1e-4 * abs(expected_log_joint(new, old, X))


@pytest.mark.parametrize("kind", ["maximal", "maximum_magnitude"])
@with_and_without_gaps
def test_the_sums_of_maximal_causes_are_the_gradient_of_the_expected_log_joint(kind, missing):
    model = example(kind)
    X = draw(model, 10, seed=3, missing=missing)
    statistics = local_statistics(X, model, ALL)
    gradient = (statistics.shared_signal - statistics.shares * model.components) / model.noise_variance
    for seed in range(5):
        move = np.random.default_rng(seed).standard_normal(model.components.shape)
        slope = _slope(lambda t, move=move: _moved_model(model, "components", t * move), model, X, step=1e-6)
        np.testing.assert_allclose(np.vdot(gradient, move), slope, rtol=1e-5)
    new = update_causes(model, statistics, ALL)
    at_old_atoms = new._replace(components=model.components)
    for name, move in (("probability", 0.1), ("noise_variance", model.noise_variance)):
        slope = _slope(lambda t, name=name, move=move: _moved_model(at_old_atoms, name, t * move), model, X)
        assert abs(slope) < 1e-4 * abs(expected_log_joint(at_old_atoms, model, X))


def test_equal_causes_share_what_shows_equally():
    W = np.array([[1.0, 2.0], [1.0, 2.0]])
    model = MaximalCauses(W, 0.5, 0.5, sharpness=np.inf)
    statistics = local_statistics(np.array([[1.0, 2.0], [0.0, 0.0]]), model, Truncation(2, 2))
    np.testing.assert_allclose(statistics.shares[0], statistics.shares[1], rtol=1e-12)
    np.testing.assert_allclose(statistics.shared_signal[0], statistics.shared_signal[1], rtol=1e-12)
    exact = [enumerate_states(model, y) for y in np.array([[1.0, 2.0], [0.0, 0.0]])]
    some = sum(float(each.chances @ np.any(each.states != 0, axis=1)) for each in exact)
    np.testing.assert_allclose(np.sum(statistics.shares, axis=0), some, rtol=1e-12)


def test_soft_shares_prefer_larger_entries_by_their_differences_over_the_noise():
    W, signal = np.array([[3.0, 1.0], [1.0, 2.0]]), np.array([[2.0, 5.0]])
    model = MaximalCauses(W, 0.999999, 1e4)  # both causes, nearly surely
    for sharpness, temperature in ((50.0, 1.0), (100.0, 2.0)):  # half the difference each time
        soft = model._replace(sharpness=sharpness)
        statistics = local_statistics(signal, soft, Truncation(2, 2), temperature=temperature)
        shares = np.exp(0.5 * W) / np.sum(np.exp(0.5 * W), axis=0)
        np.testing.assert_allclose(statistics.shares, shares, atol=1e-4)
        np.testing.assert_allclose(statistics.shared_signal, shares * signal, atol=1e-3)


def test_soft_shares_far_below_another_cause_go_to_the_largest():
    W = np.array([[3.0], [1.0], [1e6]])
    model = MaximalCauses(W, 0.999999, 1.0)
    statistics = local_statistics(np.array([[3.0]]), model._replace(probability=0.5), Truncation(3, 3))
    exact = enumerate_states(model._replace(probability=0.5), np.array([3.0]))
    shown = (
        float(exact.chances @ (exact.states[:, 0] != 0)),
        float(exact.chances @ ((exact.states[:, 0] == 0) * exact.states[:, 1])),
    )
    np.testing.assert_allclose(statistics.shares[:, 0], [*shown, 0.0], rtol=1e-10)


@with_and_without_gaps
@pytest.mark.parametrize("rank", [0, 1, N_CAUSES - 1])
def test_a_singular_covariance_of_amplitudes_is_the_limit_of_regular_ones(rank, missing):
    model = example("spike_slab-full")
    root = np.random.default_rng(3).standard_normal((N_CAUSES, rank))
    singular, regular = (model._replace(covariance=root @ root.T + ridge * np.eye(N_CAUSES)) for ridge in (0.0, 1e-8))
    X = draw(regular, 12, missing=missing)
    for truncation in (ALL, Truncation(2, 2)):  # causes that are no candidates are looked at alone
        ours, limit = (local_statistics(X, one, truncation) for one in (singular, regular))
        size = np.max(np.abs(limit.dual_second))
        np.testing.assert_allclose(ours.dual_mean, limit.dual_mean, atol=1e-6 * size)
        np.testing.assert_allclose(ours.dual_second, limit.dual_second, atol=1e-6 * size)
        updated = update_causes(singular, ours)
        assert all(np.all(np.isfinite(value)) for value in updated.parameters())


def test_atoms_that_nothing_uses_stay():
    for kind in KINDS:
        model = example(kind)
        far = model.components.copy()
        far[0] = 1e3
        model = model._replace(components=far)
        if isinstance(model, SpikeSlabCauses):
            model = model._replace(mean=np.ones(N_CAUSES), covariance=1e-3 * np.eye(N_CAUSES))
        X = 0.1 * draw(example(kind), 20)
        new = update_causes(model, local_statistics(X, model, ALL), ALL)
        assert all(np.all(np.isfinite(values)) for values in new.parameters())
        np.testing.assert_allclose(new.components[0] / np.linalg.norm(new.components[0]), 6**-0.5, rtol=1e-6)


# ---------------------------------------------------------------- truncation and prior


@pytest.mark.parametrize("n_candidates, max_active, n_values", [(5, 5, 1), (6, 3, 1), (4, 4, 2), (5, 2, 3), (1, 1, 1)])
def test_the_table_holds_every_state_once_and_parents_first(n_candidates, max_active, n_values):
    table = state_table(n_candidates, max_active, n_values)
    states = []
    for s in range(table.parent.size):
        assert table.parent[s] < s
        state, t = {}, s
        while t >= 0:
            state[int(table.unit[t])] = int(table.value[t])
            t = table.parent[t]
        assert len(state) == table.depth[s] <= max_active
        states.append(tuple(sorted(state.items())))
    assert len(set(states)) == len(states)
    singles = n_candidates * n_values
    assert len(states) == Truncation(n_candidates, max_active).n_states(n_candidates, n_values) - 1 >= singles


def test_the_cut_off_prior_is_a_cut_off_binomial_law():
    for p in (1e-3, 0.2, 0.6):
        counts = np.arange(4)
        law = binom.pmf(counts, 10, p)
        mass, mean = count_law(p, 10, 3)
        np.testing.assert_allclose([mass, mean], [law.sum(), law @ counts / law.sum()], rtol=1e-11)
    assert count_law(0.3, 5, 5) == (1.0, 1.5)
    for p in (1e-3, 0.1, 0.25):
        assert active_probability(count_law(p, 10, 3)[1], 10, 3) == pytest.approx(p, rel=1e-9)
    assert active_probability(2.0, 8, 8) == 0.25
    assert 0 < active_probability(0.0, 10, 3) < active_probability(3.0, 10, 3) == 0.3


# ---------------------------------------------------------------- bad input


def test_bad_input_gets_an_error_that_names_it():
    model = example("binary")
    X = draw(model, 4)
    with pytest.raises(ValueError, match=r"X has shape \(4, 5\).*length 6"):
        posterior(X[:, :-1], model)
    with pytest.raises(ValueError, match="infinity"):
        local_statistics(np.where(X > 0, np.inf, X), model)
    with pytest.raises(ValueError, match=r"max_active=3.*n_candidates=2"):
        posterior(X, model, Truncation(2, 3))
    with pytest.raises(ValueError, match=r"n_candidates=30 and max_active=10 make \d+ states"):
        posterior(np.zeros((1, 6)), example("binary", n_causes=40), Truncation(30, 10))
    with pytest.raises(TypeError, match=r"DiscreteStatistics and MaximalStatistics"):
        add_statistics(local_statistics(X, model), local_statistics(X, example("maximal")))
    with pytest.raises(ValueError, match="no observed entry"):
        update_causes(model, local_statistics(np.full_like(X, np.nan), model))
    with pytest.raises(ValueError, match="temperature"):
        local_statistics(X, model, temperature=0.5)


@pytest.mark.parametrize(
    "kind, wrong, message",
    [
        ("binary", {"noise_variance": 0.0}, "noise_variance must be greater than 0"),
        ("discrete", {"probabilities": [0.5, 0.5]}, "sum of the probabilities must be less than 1"),
        ("discrete", {"probabilities": [0.3, 0.0]}, "smallest of the probabilities"),
        ("discrete", {"values": [1.0, 0.0]}, "values must be different"),
        (
            "discrete",
            {"probabilities": [0.3]},
            r"probabilities must be finite numbers of shape \(2\); got shape \(1,\)",
        ),
        ("binary", {"components": np.full((4, 6), np.nan)}, "components must be finite"),
        ("maximal", {"components": -np.ones((4, 6))}, "must not be negative"),
        ("maximal", {"probability": 1.0}, "probability must be less than 1"),
        ("spike_slab", {"mean": np.ones(3)}, r"mean must be finite numbers of shape \(4\)"),
        ("spike_slab", {"covariance": -np.eye(4)}, "without negative eigenvalues"),
    ],
)
def test_bad_parameters_of_a_model_are_named(kind, wrong, message):
    with pytest.raises(ValueError, match=message):
        posterior(np.ones((2, 6)), example(kind)._replace(**wrong))
