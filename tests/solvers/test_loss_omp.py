"""Loss-based OMP against its definition, exhaustive search, linear programming and the effects its authors report."""

import itertools
import subprocess
import sys
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import linprog
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, LossOMP, Status, loss_omp, omp
from sparsecode.designs import DenseDesign
from sparsecode.losses import Squared
from sparsecode.penalties import L0Ball
from sparsecode.solvers.greedy import absolute_pursuit, loss_pursuit
from sparsecode.solvers.greedy.least_absolute import LeastAbsolute, absolute_optimality
from sparsecode.solvers.greedy.loss_pursuit import Request
from sparsecode.solvers.problem import make_problem
from tests.planted import planted

EUCLIDEAN = [("squared", "l0"), ("squared", "l1"), ("square_root", "l0"), ("square_root", "l1")]
EVERY = [*EUCLIDEAN, ("absolute", "l0"), ("absolute", "l1")]
SCALING = {"squared": lambda n: n, "square_root": np.sqrt, "absolute": lambda n: n}


def misfit(loss, residual):
    size = np.linalg.norm(residual, axis=0)
    return {"squared": size**2 / 2, "square_root": size, "absolute": np.abs(residual).sum(axis=0)}[loss]


def least_absolute(C, y):
    """``min ||y - C z||_1`` by linear programming: value and minimiser."""
    (m, k), eye = C.shape, np.eye(len(y))
    cost = np.r_[np.zeros(k), np.ones(2 * m)]
    free = [(None, None)] * k + [(0, None)] * (2 * m)
    answer = linprog(cost, A_eq=np.hstack([C, eye, -eye]), b_eq=y, bounds=free, method="highs")
    return answer.fun, answer.x[:k]


def twin(A, y, alpha, loss, penalty, weights, count, grid=4001):
    """The pursuit from its definition: a fine search over each coefficient, a refit without penalty."""
    n, support, x = len(y), [], np.zeros(A.shape[1])
    strength = SCALING[loss](n) * alpha * (weights**2 if penalty == "l0" else weights)
    while len(support) < count:
        r = y - A @ x
        gains = np.zeros(A.shape[1])
        for j in set(range(A.shape[1])) - set(support):
            reach = np.linalg.norm(r) / np.linalg.norm(A[:, j])
            steps = np.unique(np.r_[np.linspace(-reach, reach, grid), 0.0])
            steps = np.r_[steps, r / A[:, j]] if loss == "absolute" else steps
            values = misfit(loss, r[:, None] - np.outer(A[:, j], steps))
            prices = strength[j] * ((steps != 0) if penalty == "l0" else np.abs(steps))
            gains[j] = misfit(loss, r) - np.min(values + prices)
        if not gains.max() > 1e-9 * misfit(loss, y):
            break
        support.append(int(np.argmax(gains)))
        chosen = A[:, support]
        x = np.zeros(A.shape[1])
        x[support] = least_absolute(chosen, y)[1] if loss == "absolute" else np.linalg.lstsq(chosen, y)[0]
    return support, x


@pytest.mark.parametrize(("loss", "penalty"), EVERY)
@pytest.mark.parametrize("share", [0.0, 0.2, 0.6])
def test_the_pursuit_is_its_definition(loss, penalty, share):
    rng = np.random.default_rng(5)
    A, y, _ = planted(20, 12, 3, noise=0.5, seed=3)
    A = A * rng.uniform(0.3, 3.0, 12)
    weights = rng.uniform(0.5, 2.0, 12)
    first = loss_omp(A, y, 0.0, loss=loss, penalty=penalty, n_nonzero=1)
    alpha = share * (first.history["decrease"][0] if penalty == "l0" else np.median(np.abs(A.T @ np.sign(y))) / 20)
    alpha = alpha * (np.abs(y).mean() if (loss, penalty) == ("squared", "l1") else 1.0)
    result = loss_omp(A, y, alpha, loss=loss, penalty=penalty, penalty_weights=weights, n_nonzero=6)
    support, x = twin(A, y, alpha, loss, penalty, weights, 6)
    assert result.history["selected"] == support
    np.testing.assert_allclose(result.coef, x, atol=1e-8)
    assert result.status is Status.CONVERGED
    scale = SCALING[loss](20)
    assert result.objective == pytest.approx(misfit(loss, y - A @ x) / scale, rel=1e-9)
    assert result.history["objective"][0] == pytest.approx(misfit(loss, y) / scale)


@pytest.mark.parametrize(("loss", "penalty"), EUCLIDEAN)
@pytest.mark.parametrize("complex_", [False, True])
def test_without_a_strength_the_euclidean_losses_are_omp_whatever_the_weights(loss, penalty, complex_):
    A, y, _ = planted(40, 60, 5, noise=0.3, complex_=complex_)
    A = A * np.random.default_rng(0).uniform(0.1, 10, 60)
    weights = np.random.default_rng(1).uniform(0.5, 2, 60)
    expected = omp(A, y, n_nonzero=12)
    result = loss_omp(A, y, 0, loss=loss, penalty=penalty, penalty_weights=weights, n_nonzero=12)
    assert result.history["selected"] == expected.history["selected"]
    np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-8, atol=1e-12)


def test_the_l1_rules_stop_where_the_optimality_conditions_of_the_lasso_hold():
    A, y, _ = planted(50, 40, 4, noise=0.2)
    n = 50
    for alpha in (0.01, 0.1, 1.0):
        squared = loss_omp(A, y, alpha, loss="squared", n_nonzero=40)
        seen = [np.abs(A.T @ (y - A @ x)).max() / n for x in paths(A, y, squared.history["selected"])]
        assert all(value > alpha for value in seen[:-1])
        assert seen[-1] <= alpha
    for alpha in (0.1, 0.3, 0.6):
        root = loss_omp(A, y, alpha, n_nonzero=40)
        residuals = [y - A @ x for x in paths(A, y, root.history["selected"])]
        seen = [np.abs(A.T @ r).max() / np.linalg.norm(r) / np.sqrt(n) for r in residuals]
        assert all(value > alpha for value in seen[:-1])
        assert seen[-1] <= alpha
    unit = A / np.linalg.norm(A, axis=0)
    assert loss_omp(unit, y, 1.0 / np.sqrt(n)).support.size == 0  # strength one on unit columns: nothing ever pays


def paths(A, y, order):
    """Least squares on the first 0, 1, ... columns."""
    for t in range(len(order) + 1):
        x = np.zeros(A.shape[1])
        x[order[:t]] = np.linalg.lstsq(A[:, order[:t]], y)[0] if t else 0
        yield x


@pytest.mark.parametrize(("loss", "penalty"), EVERY)
def test_a_strength_that_selects_nothing_gives_zeros_converged(loss, penalty):
    A, y, _ = planted()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = loss_omp(A, y, 1e6, loss=loss, penalty=penalty)
    assert result.status is Status.CONVERGED
    assert result.n_iter == 0
    assert np.all(result.coef == 0)
    assert result.history["selected"] == []


@pytest.mark.parametrize(("loss", "penalty"), EVERY)
@pytest.mark.parametrize("factor", [1e-9, 1e6])
def test_the_strength_scales_with_the_target_as_documented(loss, penalty, factor):
    A, y, _ = planted(40, 30, 4, noise=0.5)
    power = {("squared", "l0"): 2, ("square_root", "l1"): 0, ("absolute", "l1"): 0}.get((loss, penalty), 1)
    alpha = loss_omp(A, y, loss=loss, penalty=penalty).history["alpha"] / 3
    one = loss_omp(A, y, alpha, loss=loss, penalty=penalty)
    other = loss_omp(A, factor * y, alpha * factor**power, loss=loss, penalty=penalty)
    assert one.history["selected"] == other.history["selected"]
    assert one.support.size > 0
    np.testing.assert_allclose(other.coef / factor, one.coef, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("candidates", ["new", "backward"])
def test_exhaustive_search_finds_no_better_support_on_incoherent_designs(candidates):
    A, y, _ = planted(30, 8, 3, noise=0.3, seed=1)
    for loss in ("squared", "square_root", "absolute"):
        alpha = 4 * loss_omp(A, y, loss=loss, penalty="l0").history["alpha"]

        def objective(support, loss=loss, alpha=alpha):
            C = A[:, list(support)]
            value = least_absolute(C, y)[0] if loss == "absolute" else misfit(loss, y - C @ np.linalg.lstsq(C, y)[0])
            return value / SCALING[loss](30) + alpha * len(support)

        every = [s for k in range(1, 6) for s in itertools.combinations(range(8), k)]
        best = min(every, key=objective)
        result = loss_omp(A, y, alpha, loss=loss, penalty="l0", candidates=candidates)
        assert tuple(result.support) == best


@pytest.mark.parametrize("loss", ["squared", "square_root", "absolute"])
def test_a_wrong_first_column_is_removed_again(loss):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 6))
    A[:, 0] = A[:, 1] + A[:, 2] + 0.6 * rng.standard_normal(40)  # close to the target, and not needed
    y = A[:, 1] + A[:, 2] + 0.01 * rng.standard_normal(40)
    alpha = 0.005 * misfit(loss, y) / SCALING[loss](40)
    result = loss_omp(A, y, alpha, loss=loss, penalty="l0", candidates="backward")
    assert result.history["selected"][0] == 0
    assert result.history["removed"] == [0]
    assert list(result.support) == [1, 2]
    values = np.array(result.history["objective"])
    sizes = np.array([0, 1, 2, 3, 2])
    assert np.all(np.diff(values + alpha * sizes) < 0)  # every move pays
    assert list(loss_omp(A, y, alpha, loss=loss, penalty="l0").support) == [0, 1, 2]


def test_members_of_the_support_may_end_the_pursuit():
    A, y, _ = planted(50, 40, 4, noise=0.2)
    for alpha in (0.05, 0.5):
        early = loss_omp(A, y, alpha, loss="squared", candidates="all").history["selected"]
        late = loss_omp(A, y, alpha, loss="squared").history["selected"]
        assert early == late[: len(early)]
        norms = np.linalg.norm(A, axis=0)
        for t, x in enumerate(paths(A, y, early)):
            new = np.maximum(np.abs(A.T @ (y - A @ x)) - 50 * alpha, 0) ** 2 / (2 * norms**2)
            move = np.minimum(np.abs(x), 50 * alpha / norms**2)
            old = 50 * alpha * move - 0.5 * (norms * move) ** 2
            assert (t < len(early)) == (new[x == 0].max() >= old.max() and new[x == 0].max() > 0)


def test_the_noise_blind_rules_keep_one_strength_over_noise_levels():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal(160)
    A, clean, coef = planted(160, 200, 6, noise=0.0, seed=2)
    for kind in ({}, {"penalty": "l0", "scale_free": True}, {"loss": "absolute"}):
        for level in (1e-6, 1e-3, 1e-1):
            result = loss_omp(A, clean + level * noise, **kind)
            np.testing.assert_array_equal(result.support, np.flatnonzero(coef))
    fixed = loss_omp(A, clean + 1e-1 * noise, loss="squared").history["alpha"]
    assert loss_omp(A, clean + 10 * noise, fixed, loss="squared").support.size > 12  # tuned for another noise


def test_scale_free_thresholds_the_cosine_alone():
    A, y, _ = planted(50, 40, 4, noise=1.0)
    alpha, norms = 0.05, np.linalg.norm(A, axis=0)
    order = loss_omp(A, y, alpha, penalty="l0", scale_free=True).history["selected"]
    for t, x in enumerate(paths(A, y, order)):
        r = y - A @ x
        cosine = (np.abs(A.T @ r) / norms).max() / np.linalg.norm(r)
        assert (1 - np.sqrt(1 - cosine**2) > alpha) == (t < len(order))


def test_small_weights_bring_expected_columns_in():
    A, y, coef = planted(30, 100, 6, noise=0.3, seed=4)
    weights = np.where(coef != 0, 0.2, 1.0)
    blind = loss_omp(A, y)
    knowing = loss_omp(A, y, blind.history["alpha"], penalty_weights=weights)
    hits = [np.count_nonzero(coef[result.support]) for result in (blind, knowing)]
    assert hits[1] == 6 >= hits[0]
    assert np.linalg.norm(knowing.coef - coef) <= np.linalg.norm(blind.coef - coef)


# ---------------------------------------------------------------- absolute deviations


def draws(kind, seed):
    rng = np.random.default_rng(seed)
    m, k = int(rng.integers(6, 60)), int(rng.integers(1, 6))
    C = rng.standard_normal((m, k)) * 10.0 ** rng.integers(-4, 5, k)
    y = C @ (rng.standard_normal(k) / np.linalg.norm(C, axis=0)) + 0.1 * rng.standard_t(1.5, m)
    if kind == "whole":
        C, y = rng.integers(-2, 3, (m, k)).astype(float), rng.integers(-3, 4, m).astype(float)
    elif kind == "repeated":
        C, y = np.repeat(C, 2, axis=0), np.repeat(y, 2)
    elif kind == "exact":
        y = C @ rng.standard_normal(k)
        y[: m // 5] += 10
    elif kind == "zeros":
        y[::2] = 0
    return C, y


@pytest.mark.parametrize("kind", ["plain", "whole", "repeated", "exact", "zeros"])
@pytest.mark.parametrize("seed", range(6))
def test_the_absolute_fit_is_that_of_linear_programming(kind, seed):
    C, y = draws(kind, seed)
    fit = LeastAbsolute(y)
    used = [j for j in range(C.shape[1]) if fit.append(C[:, j])]
    assert len(used) == np.linalg.matrix_rank(C / np.maximum(np.linalg.norm(C, axis=0), 1e-300))
    chosen = C[:, used]
    value = np.abs(y - chosen @ fit.coef).sum()
    size = np.linalg.norm(chosen, axis=0)
    best = least_absolute(chosen / size, y)[0] if used else np.abs(y).sum()
    assert value <= best + 1e-9 * np.abs(y).sum()
    assert absolute_optimality(chosen, y, fit.coef, 2.3e-16) <= 1e-9
    if len(used) and value > 1e-6:
        worse = fit.coef + 0.05 * np.max(np.abs(y)) / size
        assert absolute_optimality(chosen, y, worse, 2.3e-16) > 1e-3
    fit.refit(chosen[:, ::-1])
    assert np.abs(fit.residual).sum() == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_a_dependent_column_is_refused_and_changes_nothing():
    C, y = draws("plain", 0)
    fit = LeastAbsolute(y)
    for column in C.T:
        fit.append(column)
    before = fit.coef
    assert not fit.append(C @ np.arange(1.0, C.shape[1] + 1))
    assert not fit.append(0 * y)
    np.testing.assert_array_equal(fit.coef, before)


def test_the_absolute_loss_survives_gross_errors_that_ruin_least_squares():
    """The figures of ten draws: median relative errors 3.5e-4/3.3/5.4 against 2.9e-4/3.3e-4/4.7e-4."""
    errors = {"squared": [], "absolute": []}
    for seed in range(500, 505):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((80, 200))
        A /= np.linalg.norm(A, axis=0)
        coef = np.zeros(200)
        coef[rng.choice(200, 8, replace=False)] = rng.standard_normal(8)
        noise = rng.standard_normal(80)
        y = A @ coef + 1e-3 * noise / np.linalg.norm(noise)
        y[rng.choice(80, 4, replace=False)] += 5 * rng.standard_normal(4)
        for loss, found in errors.items():
            result = loss_omp(A, y, 0, loss=loss, n_nonzero=16)
            found.append(np.linalg.norm(result.coef - coef) / np.linalg.norm(coef))
    assert np.median(errors["absolute"]) < 1e-3
    assert np.median(errors["squared"]) > 0.5


def test_sample_weights_stand_inside_the_absolute_norm():
    A, y, _ = planted(40, 20, 3, noise=1.0)
    weights = np.random.default_rng(0).uniform(0.1, 3, 40)
    result = loss_omp(A, y, loss="absolute", sample_weight=weights)
    s = weights * 40 / weights.sum()
    best = least_absolute(s[:, None] * A[:, result.support], s * y)[0]
    assert result.objective == pytest.approx(best / 40, rel=1e-9)
    root = loss_omp(A, y, sample_weight=weights)
    expected = np.sqrt(np.sum(s * (y - A @ root.coef) ** 2) / 40)
    assert root.objective == pytest.approx(expected, rel=1e-9)


def test_large_jobs_run_compiled_to_the_same_answer():
    A, y, coef = planted(300, 900, 5, noise=0.1)
    y[:20] += 100
    with_kernel = loss_omp(A, y, loss="absolute", penalty="l0", n_nonzero=5)
    assert set(with_kernel.support) == set(np.flatnonzero(coef))
    import sparsecode.solvers.greedy.greedy_lasso_rules as rules

    large, rules._SMALL = rules._SMALL, 10**9
    try:
        sorted_ = loss_omp(A, y, loss="absolute", penalty="l0", n_nonzero=5)
    finally:
        rules._SMALL = large
    np.testing.assert_allclose(with_kernel.coef, sorted_.coef, rtol=1e-12)


# ---------------------------------------------------------------- what is asked and recorded


@pytest.mark.parametrize(("loss", "penalty"), EVERY)
def test_the_path_is_kept_on_request(loss, penalty):
    A, y, _ = planted(40, 30, 4, noise=0.5)
    result = loss_omp(A, y, 0, loss=loss, penalty=penalty, n_nonzero=5, return_path=True)
    path = result.history["path"]
    assert path.shape == (30, 6)
    np.testing.assert_array_equal(np.count_nonzero(path, axis=0), range(6))
    np.testing.assert_allclose(path[:, -1], result.coef)
    with pytest.raises(ValueError, match="return_path=True is for one target"):
        loss_omp(A, np.stack([y, y], axis=1), return_path=True)


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"alpha": -1.0}, "alpha must be at least 0"),
        ({"alpha": np.nan}, "alpha must be a finite number"),
        ({"loss": "huber"}, r"loss must be 'squared', 'square_root' or 'absolute'; got 'huber'"),
        ({"penalty": "l2"}, r"penalty must be 'l0' or 'l1'; got 'l2'"),
        ({"candidates": "old"}, "candidates must be"),
        ({"candidates": "backward"}, "candidates='backward'.*penalty='l0'"),
        ({"scale_free": True}, "scale_free=True is for loss='square_root' with penalty='l0'"),
        ({"n_nonzero": 0}, "n_nonzero must be an integer of at least 1"),
        ({"n_nonzero": 2.5}, "n_nonzero must be an integer"),
    ],
)
def test_a_bad_option_gets_an_error_that_names_it(options, text):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=text):
        loss_omp(A, y, **options)


def test_too_large_a_sparsity_is_clipped_with_a_warning():
    A, y, _ = planted(20, 10, 2)
    with pytest.warns(RuntimeWarning, match="n_nonzero=50 is more than the number of features; 10 is used"):
        loss_omp(A, y, 0, n_nonzero=50)


def test_the_absolute_loss_says_what_it_cannot_do():
    A, y, _ = planted(complex_=True)
    with pytest.raises(ValueError, match=r"loss='absolute' does not support complex data.*square_root"):
        loss_omp(A, y, loss="absolute")
    A, y, _ = planted()
    with pytest.raises(ValueError, match="loss='absolute' needs the samples themselves.*GramDesign"):
        loss_omp(GramDesign(A.T @ A, 60), A.T @ y, loss="absolute")
    torch = pytest.importorskip("torch")
    with pytest.raises(ValueError, match=r"loss='absolute' needs NumPy arrays.*numpy\.asarray"):
        loss_omp(torch.asarray(A), torch.asarray(y), loss="absolute")


@pytest.mark.parametrize(("loss", "penalty"), EVERY)
def test_hard_cases_end_with_a_status(loss, penalty):
    rng = np.random.default_rng(0)
    A, y, _ = planted(12, 30, 3)
    cases = [
        (np.hstack([A, A]), y),
        (A[:, :1] @ np.ones((1, 5)), y),
        (rng.standard_normal((12, 2)) @ rng.standard_normal((2, 30)), y),
        (A[:1], y[:1]),
        (A[:, :1], y),
        (A * np.where(np.arange(30) % 3, 1.0, 0.0), y),
        (1e-9 * A, 1e9 * y),
        (A, A[:, 3].copy()),
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for design, target in cases:
            for form in (np.asarray, sp.csc_array, aslinearoperator):
                result = loss_omp(form(design), target, 0, loss=loss, penalty=penalty, n_nonzero=12)
                assert np.all(np.isfinite(result.coef))
                assert np.isfinite(result.objective)
                assert result.status is not Status.MAX_ITER
                assert result.certificate <= 1e-8 or result.status is Status.STALLED


@pytest.mark.parametrize(("loss", "penalty"), EVERY)
def test_targets_of_very_different_size_do_not_disturb_each_other(loss, penalty):
    A, Y, _ = planted(n_targets=4)
    sizes = np.array([1e-9, 1.0, 1e9, 0.0])
    together = loss_omp(A, Y * sizes, loss=loss, penalty=penalty)
    assert together.status is Status.CONVERGED
    for p in range(3):
        alone = loss_omp(A, np.ascontiguousarray(Y[:, p]), loss=loss, penalty=penalty)
        np.testing.assert_allclose(together.coef[:, p], sizes[p] * alone.coef, rtol=1e-9)
        assert together.history["selected"][p] == alone.history["selected"]
    assert np.all(together.coef[:, 3] == 0)


@pytest.mark.parametrize("spread", [0, 3, 6])
def test_rows_of_very_different_size_hide_no_column_from_absolute_deviations(spread):
    for seed in range(30):
        rng = np.random.default_rng(seed)
        n = int(rng.integers(3, 9))
        rows = 10.0 ** rng.uniform(-spread, spread, n)
        A = rows[:, None] * rng.standard_normal((n, n))
        result = loss_omp(A, np.ones(n), 0.0, loss="absolute", penalty_weights=np.zeros(n))
        assert result.status is Status.CONVERGED
        assert np.all(result.coef != 0)
        rounding = 1e-13 * np.sum(np.abs(A) @ np.abs(result.coef)) * np.linalg.cond(A / rows[:, None])
        assert n * result.objective <= rounding
        twice = np.column_stack([A[:, 0], A[:, 1], A[:, 0] - A[:, 1]])
        dependent = loss_omp(twice, np.ones(n), 0.0, loss="absolute", penalty_weights=np.zeros(3))
        assert np.count_nonzero(dependent.coef) == 2
        assert dependent.status is Status.CONVERGED


def test_one_row_a_million_times_larger_than_another_is_fitted_exactly():
    A = np.diag([1e6, 1e-6, 1.0]) @ np.array([[1.0, 1.0, 0.0], [1.0, 2.0, 1.0], [0.0, 1.0, 3.0]])
    result = loss_omp(A, np.ones(3), 0.0, loss="absolute", penalty_weights=np.zeros(3))
    assert result.objective < 1e-3
    assert result.status is Status.CONVERGED


@pytest.mark.parametrize("loss", ["squared", "square_root", "absolute"])
def test_free_columns_in_the_span_of_others_are_left_out(loss):
    A, y, _ = planted(20, 6, 2, noise=0.3)
    A[:, 1], A[:, 4] = A[:, 0], A[:, 0] - 2.0 * A[:, 2]
    weights = np.where(np.isin(np.arange(6), [0, 1, 2, 4]), 0.0, 1.0)
    for form in (np.asarray, sp.csc_array, aslinearoperator):
        result = loss_omp(form(A), y, 100.0, loss=loss, penalty_weights=weights)
        np.testing.assert_array_equal(result.support, [0, 2])
        assert result.status is Status.CONVERGED


def test_the_certificate_of_absolute_deviations_covers_the_free_columns(monkeypatch):
    A, y, _ = planted(20, 3, 2, noise=0.3)
    monkeypatch.setattr(LeastAbsolute, "append", lambda self, column: False)
    with pytest.warns(ConvergenceWarning):
        result = loss_omp(A, y, 0.0, loss="absolute", penalty_weights=np.zeros(3))
    assert result.status is Status.STALLED
    assert result.certificate > 0.01


def test_columns_closed_for_their_dependence_are_open_again_once_a_column_leaves():
    A, y, _ = planted(20, 6, 3)
    request = Request("squared", "l0", 0.1, 6, "backward", False, False, 2e-16)
    problem = make_problem(A, y, Squared(), L0Ball(6))
    pursuit = loss_pursuit._Pursuit(problem, request, np.ones(6), lambda misfit: 0.1 + 0 * misfit)
    pursuit.inside[[0, 1], 0], pursuit.taken[0], pursuit.closed[[3, 4], 0] = True, 2, True
    assert pursuit._move(np.array([[0.0], [2.0], [0.0], [0.0], [0.0], [1.0]]), np.array([True]))[0]
    assert pursuit.walks[0].removed == [1]
    assert not np.any(pursuit.closed)
    columns = absolute_pursuit.Columns(DenseDesign(A))
    one = absolute_pursuit._Target(columns, y, request, np.ones(6), lambda misfit: 0.1 + 0 * misfit, None)
    assert one._enter(0)
    assert one._enter(1)
    one.closed[[3, 4]] = True
    assert one._move(np.array([0.0, 2.0, 0.0, 0.0, 0.0, 1.0]))
    assert one.walk.removed == [1]
    assert not np.any(one.closed)


def test_the_function_and_the_estimator_share_one_default_sparsity():
    X, y, _ = planted(20, 40, 3, noise=0.5)
    X, y = X - X.mean(axis=0), y - y.mean()
    for loss in ("squared", "absolute"):
        model = LossOMP(loss, alpha=0.0, fit_intercept=False).fit(X, y)
        np.testing.assert_array_equal(model.support_, loss_omp(X, y, 0.0, loss=loss).support)
        assert model.support_.size > 10 or loss == "absolute"  # where no column alone may help earlier


def test_blocks_of_targets_change_nothing(monkeypatch):
    A, Y, _ = planted(n_targets=7)
    design = GramDesign(A.T @ A, 60, target_sq_norm=np.sum(Y**2, axis=0))
    whole = [loss_omp(A, Y).coef, loss_omp(design, A.T @ Y).coef]
    monkeypatch.setattr(sys.modules["sparsecode.solvers.greedy.loss_omp"], "_BLOCK", 160)
    for one, (form, target) in zip(whole, [(A, Y), (design, A.T @ Y)], strict=True):
        np.testing.assert_allclose(loss_omp(form, target).coef, one, rtol=1e-12)


def test_a_fit_that_cannot_be_certified_warns():
    rng = np.random.default_rng(0)
    gram = rng.standard_normal((20, 20))
    gram = gram @ np.diag(10.0 ** -np.arange(20)) @ gram.T
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = loss_omp(GramDesign(gram, 20), rng.standard_normal(20), 0, loss="squared", n_nonzero=20)
    assert np.all(np.isfinite(result.coef))
    warned = any(issubclass(w.category, ConvergenceWarning) for w in caught)
    assert warned == (result.status is not Status.CONVERGED)


# ---------------------------------------------------------------- the estimator


def test_the_estimator_of_absolute_deviations_fits_its_intercept_exactly():
    X, y, _ = planted(60, 30, 3, noise=0.3)
    y[:8] += 500
    model = LossOMP("absolute").fit(X + 5, y + 40)
    C = np.column_stack([np.ones(60), X[:, model.support_] + 5])
    value, best = least_absolute(C, y + 40)
    assert np.abs(y + 40 - model.predict(X + 5)).sum() == pytest.approx(value, rel=1e-9)
    np.testing.assert_allclose(model.intercept_, best[0], rtol=1e-6)
    for form in (sp.csr_array, aslinearoperator):
        other = LossOMP("absolute").fit(form(X + 5), y + 40)
        np.testing.assert_allclose(other.coef_, model.coef_, atol=1e-8)


def test_the_strength_that_was_used_is_an_attribute():
    X, Y, _ = planted(n_targets=3)
    assert LossOMP(alpha=0.25).fit(X, Y[:, 0]).alpha_ == 0.25
    many = LossOMP("squared").fit(X, Y)
    assert many.alpha_.shape == (3,)
    for p in range(3):
        assert LossOMP("squared").fit(X, Y[:, p]).alpha_ == pytest.approx(many.alpha_[p])


def test_pytorch_is_given_no_memory_that_it_may_not_write():
    """PyTorch warns of it once a process, so a fresh one is asked."""
    pytest.importorskip("torch")
    code = (
        "import numpy as np, torch, warnings; warnings.simplefilter('error')\n"
        "from sparsecode import loss_omp\n"
        "A = np.random.default_rng(0).standard_normal((30, 10))\n"
        "print(loss_omp(torch.tensor(A), torch.tensor(A[:, 3]), n_nonzero=1).support)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
