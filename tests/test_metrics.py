"""Metrics against closed forms and brute force; phase transitions against reference rates."""

import numpy as np
import pytest
from scipy.special import expit

from sparsecode import iht
from sparsecode.metrics import (
    PhaseTransitionResult,
    l1_weak_threshold,
    nmse,
    phase_transition,
    psnr,
    rank_biased_overlap,
    support_f1,
    support_precision,
    support_recall,
)

RNG = np.random.default_rng(0)


def naive_omp(design, target, n_nonzero):
    """Orthogonal matching pursuit from its definition."""
    chosen, residual = [], target
    for _ in range(n_nonzero):
        score = np.abs(design.T @ residual)
        score[chosen] = -1.0
        chosen.append(int(np.argmax(score)))
        values = np.linalg.lstsq(design[:, chosen], target, rcond=None)[0]
        residual = target - design[:, chosen] @ values
    coef = np.zeros(design.shape[1])
    coef[chosen] = values
    return coef


# supports


def test_precision_and_recall_count_hits():
    true, found = [1, 1, 1, 0, 0, 0], [1, 1, 0, 1, 0, 0]
    assert support_precision(true, found) == pytest.approx(2 / 3)
    assert support_recall(true, found) == pytest.approx(2 / 3)
    assert support_recall([1, 1, 1, 1], [1, 0, 0, 0]) == 0.25
    assert support_precision([1, 0, 0, 0], [1, 1, 1, 1]) == 0.25


def test_f1_is_the_harmonic_mean_of_precision_and_recall():
    true, found = RNG.random((2, 50, 8)) < 0.4
    precision, recall = support_precision(true, found), support_recall(true, found)
    np.testing.assert_allclose(support_f1(true, found), 2 * precision * recall / (precision + recall))


def test_each_target_is_counted_alone():
    true, found = RNG.random((2, 20, 3)) < 0.5
    alone = [support_recall(true[:, target], found[:, target]) for target in range(3)]
    np.testing.assert_array_equal(support_recall(true, found), alone)


def test_empty_supports_are_right_about_nothing():
    zero = np.zeros(4)
    assert support_precision(np.ones(4), zero) == 1.0
    assert support_recall(zero, np.ones(4)) == 1.0
    assert support_f1(zero, zero) == 1.0
    assert support_f1(zero, np.ones(4)) == 0.0


def test_threshold_is_relative_to_the_largest_coefficient():
    true = np.array([1.0, 0.0, 0.0])
    for scale in (1e-9, 1.0, 1e9):
        assert support_precision(true, scale * np.array([5.0, 0.4, 0.0]), threshold=0.1) == 1.0
        assert support_precision(true, scale * np.array([5.0, 0.6, 0.0]), threshold=0.1) == 0.5


def test_shapes_must_agree():
    for metric in (support_precision, support_recall, support_f1, nmse, psnr):
        with pytest.raises(ValueError, match="shape"):
            metric(np.ones(3), np.ones(4))


# rankings


def overlap_by_definition(one, other, persistence, depth=3000):
    """The mean agreement of the tops, each list going on beyond its end as it agreed at it."""
    short, long = sorted((list(one), list(other)), key=len)
    rate = len(set(short) & set(long[: len(short)])) / len(short)

    def agreement(d):
        known = len(set(short[:d]) & set(long[:d])) + rate * max(d - len(short), 0)
        return known / d

    ends = [agreement(min(d, len(long))) for d in range(1, depth)]
    return (1 - persistence) * sum(persistence**d * value for d, value in enumerate(ends))


@pytest.mark.parametrize("persistence", [0.2, 0.9, 0.98])
@pytest.mark.parametrize("lengths", [(1, 1), (6, 6), (3, 9), (12, 5)])
def test_rank_biased_overlap_is_the_mean_agreement_of_the_tops(lengths, persistence):
    one, other = (RNG.permutation(14)[:length] for length in lengths)
    expected = overlap_by_definition(one, other, persistence)
    assert rank_biased_overlap(one, other, persistence=persistence) == pytest.approx(expected, abs=1e-12)
    assert rank_biased_overlap(other, one, persistence=persistence) == pytest.approx(expected, abs=1e-12)


def test_rank_biased_overlap_of_what_follows_is_within_what_is_known():
    """Of 40 ranks each the first 10 are seen: with p = 0.8 the others weigh little."""
    one = RNG.permutation(40)
    other = np.argsort(np.argsort(one) + 6.0 * RNG.random(40))
    whole, seen = (rank_biased_overlap(one[:n], other[:n], persistence=0.8) for n in (40, 10))
    assert 0.0 < whole < 1.0
    assert abs(whole - seen) < 0.8**10


def test_rank_biased_overlap_weighs_the_top():
    order = np.arange(10)
    swapped = [np.r_[order[:k], order[k + 1], order[k], order[k + 2 :]] for k in range(8)]
    values = [rank_biased_overlap(order, other) for other in swapped]
    assert np.all(np.diff(values) > 0) and values[-1] < 1.0
    assert rank_biased_overlap(order, order) == 1.0
    assert rank_biased_overlap(order, order + 10) == 0.0
    names = np.array(list("abcdefghij"))
    assert rank_biased_overlap(names, names[swapped[2]]) == values[2]


def test_rankings_are_lists_of_distinct_items():
    for arguments, words in (
        (([1, 2, 1], [1]), "reference holds 1 more than once"),
        (([1], ["a", "a"]), "ranking holds 'a' more than once"),
        (([], [1]), "reference is empty"),
    ):
        with pytest.raises(ValueError, match=words):
            rank_biased_overlap(*arguments)
    for persistence in (0.0, 1.0, 1.5):
        with pytest.raises(ValueError, match="persistence"):
            rank_biased_overlap([1], [1], persistence=persistence)


# errors


def test_nmse_is_the_energy_of_the_error_over_that_of_the_reference():
    reference, error = RNG.standard_normal((2, 30, 4))
    expected = np.linalg.norm(error, axis=0) ** 2 / np.linalg.norm(reference, axis=0) ** 2
    np.testing.assert_allclose(nmse(reference, reference + error), expected)
    np.testing.assert_allclose(nmse(reference, reference + error, db=True), 10 * np.log10(expected))


def test_nmse_of_complex_and_of_zero_references():
    assert nmse(np.array([3j]), np.array([3j + 0.3])) == pytest.approx(0.01)
    assert nmse(np.zeros(3), np.zeros(3)) == 0.0
    assert nmse(np.zeros(3), np.ones(3)) == np.inf
    assert nmse(np.ones(3), np.ones(3), db=True) == -np.inf


def test_psnr_of_a_known_error():
    image = RNG.random((20, 20))
    assert psnr(image, image + 0.01, data_range=1.0) == pytest.approx(40.0)
    assert psnr(255 * image, 255 * image + 2.55, data_range=255) == pytest.approx(40.0)
    assert psnr(image, image) == np.inf


def test_psnr_does_not_depend_on_the_units():
    reference, estimate = RNG.random((2, 10, 10))
    assert psnr(7 * reference + 3, 7 * estimate + 3) == pytest.approx(psnr(reference, estimate))


def test_psnr_refuses_a_constant_reference_without_a_range():
    with pytest.raises(ValueError, match="data_range"):
        psnr(np.ones(4), np.zeros(4))


# phase transitions


@pytest.mark.parametrize(
    ("solver", "coef", "delta", "rho", "rate"),
    [
        (naive_omp, "gaussian", 0.25, 0.1, 1.00),
        (naive_omp, "gaussian", 0.25, 0.2, 0.90),
        (naive_omp, "gaussian", 0.25, 0.3, 0.56),
        (naive_omp, "sign", 0.25, 0.1, 0.98),
        (naive_omp, "sign", 0.25, 0.2, 0.06),
        (iht, "gaussian", 0.25, 0.2, 1.00),
        (iht, "gaussian", 0.25, 0.3, 0.48),
        (iht, "sign", 0.25, 0.2, 0.68),
        (iht, "sign", 0.5, 0.3, 0.32),
    ],
)
def test_success_rates_are_those_of_the_reference(solver, coef, delta, rho, rate):
    """Rates of 50 trials on the same draws, by independent implementations."""
    result = phase_transition(solver, deltas=[delta], rhos=[rho], n_trials=50, coef=coef, random_state=20240)
    assert result.success_rates[0, 0] == pytest.approx(rate, abs=0.15)


GRID = {"deltas": [0.3, 0.6], "rhos": [0.1, 0.3, 0.6], "n_features": 60, "n_trials": 5}


def test_the_answer_does_not_depend_on_the_number_of_processes():
    alone, shared = (phase_transition(iht, **GRID, n_jobs=n_jobs, random_state=3) for n_jobs in (1, 2))
    np.testing.assert_array_equal(alone.errors, shared.errors)


def test_a_cell_does_not_depend_on_the_rest_of_the_grid():
    whole = phase_transition(iht, **GRID, random_state=3)
    cell = phase_transition(iht, **(GRID | {"deltas": [0.6], "rhos": [0.3]}), random_state=3)
    np.testing.assert_array_equal(whole.errors[1, 1], cell.errors[0, 0])


def test_a_fresh_seed_is_recorded_and_repeats_the_run():
    grid = GRID | {"rhos": [0.3]}
    first = phase_transition(iht, **grid)
    np.testing.assert_array_equal(phase_transition(iht, **grid, random_state=first.seed).errors, first.errors)


def test_progress_is_told_after_every_cell():
    seen = []
    phase_transition(iht, **GRID, random_state=0, callback=lambda done, total: seen.append((done, total)))
    assert seen == [(done, 6) for done in range(1, 7)]


def test_an_answer_that_is_not_finite_is_a_failure():
    result = phase_transition(lambda A, y, k: np.full(A.shape[1], np.nan), **GRID, random_state=0)
    assert np.all(np.isinf(result.errors))
    assert not result.success_rates.any()


def test_a_perfect_oracle_succeeds_and_one_just_off_does_not():
    def refit(scale):
        def solver(A, y, k):
            best = naive_omp(A, y, k)
            return scale * best

        return solver

    easy = {"deltas": [0.6], "rhos": [0.05], "n_features": 60, "n_trials": 5, "random_state": 0}
    assert phase_transition(refit(1.0 + 0.9e-3), **easy).success_rates[0, 0] == 1.0
    assert phase_transition(refit(1.0 + 1.1e-3), **easy).success_rates[0, 0] == 0.0


def test_a_solver_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match="shape"):
        phase_transition(lambda A, y, k: y, **GRID, random_state=0)


@pytest.mark.parametrize("name", ["deltas", "rhos"])
@pytest.mark.parametrize("values", [[0.0], [1.5], [], [np.nan]])
def test_ratios_out_of_range_are_named(name, values):
    with pytest.raises(ValueError, match=name):
        phase_transition(iht, **(GRID | {name: values}))


def planted_result(middle, slope, n_trials=4000):
    rhos = np.linspace(0.05, 0.95, 19)
    rates = expit(-slope * (rhos - middle))
    errors = (np.arange(n_trials) >= np.round(rates * n_trials)[:, None]).astype(float)
    return PhaseTransitionResult(np.array([0.5]), rhos, errors[None], 400, 1e-3, 0)


@pytest.mark.parametrize("middle", [0.2, 0.45, 0.8])
def test_contour_finds_the_planted_logistic_curve(middle):
    result = planted_result(middle, slope=25.0)
    assert result.contour()[0] == pytest.approx(middle, abs=2e-3)
    assert result.contour(0.9)[0] == pytest.approx(middle - np.log(9) / 25.0, abs=2e-3)


def test_contour_of_a_sudden_fall_lies_inside_the_jump():
    assert planted_result(0.325, slope=1e6, n_trials=20).contour()[0] == pytest.approx(0.325, abs=0.025)


def test_contour_is_nan_where_nothing_changes():
    assert np.isnan(planted_result(5.0, slope=1e6, n_trials=20).contour()[0])
    assert np.isnan(planted_result(-5.0, slope=1e6, n_trials=20).contour()[0])


@pytest.mark.parametrize("delta", [0.05, 0.25, 0.5, 0.9])
def test_l1_threshold_is_where_the_minimax_risk_of_soft_thresholding_equals_delta(delta):
    """Donoho, Johnstone and Montanari's characterisation, with the risk at zero by quadrature."""
    z = np.linspace(-12.0, 12.0, 20_001)
    density = np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
    share = delta * l1_weak_threshold(delta)
    risks = []
    for threshold in np.linspace(0.0, 4.0, 401):
        at_zero = np.trapezoid(np.maximum(np.abs(z) - threshold, 0.0) ** 2 * density, z)
        risks.append(share * (1.0 + threshold**2) + (1.0 - share) * at_zero)
    assert min(risks) == pytest.approx(delta, rel=1e-4)


def test_l1_threshold_rises_to_one():
    assert l1_weak_threshold(1.0) == pytest.approx(1.0, abs=1e-3)
    assert np.all(np.diff(l1_weak_threshold(np.linspace(0.01, 1.0, 50))) > 0)
