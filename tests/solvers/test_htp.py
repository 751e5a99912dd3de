"""Hard thresholding pursuit against a twin written from the paper, closed forms, and exhaustive search."""

import itertools
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import nnls
from scipy.sparse.linalg import aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, HardThresholdingPursuit, L0Ball, Status, htp, iht, null_space_tuning
from tests._backends import FOREIGN, get, put
from tests.planted import planted
from tests.solvers.test_iht import top


def naive_htp(A, y, count, n_iter):
    """Foucart (2011) with mu = 1 on columns brought to unit norm: the iterates, until the support comes back."""
    size = np.linalg.norm(A, axis=0)
    unit = A / size
    x = np.zeros(A.shape[1], dtype=np.result_type(A, y))
    passed = [x]
    for _ in range(n_iter):
        support = np.flatnonzero(top(x + unit.conj().T @ (y - unit @ x), count))
        new = np.zeros_like(x)
        new[support] = np.linalg.lstsq(unit[:, support], y)[0]
        if np.allclose(new, x, atol=1e-12):
            break
        x = new
        passed.append(x)
    return [x / size for x in passed]


def walk(*args, **options):
    """Every iterate of a run, and its result."""
    passed = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = htp(*args, **options, callback=lambda progress: passed.append(np.array(progress.coef)))
    return [*passed, result.coef], result


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("complex_", [False, True])
def test_it_walks_the_way_of_the_paper(seed, complex_):
    A, y, _ = planted(40, 120, 9, seed=seed, noise=0.02, complex_=complex_)
    A = A * np.linspace(0.2, 5.0, 120)
    expected = naive_htp(A, y, 9, 12)
    passed, _ = walk(A, y, 9, max_iter=12, tol=0.0)
    for found, wanted in zip(passed, expected, strict=False):
        np.testing.assert_allclose(found, wanted, atol=1e-8 * np.abs(wanted).max())
    assert len(expected) > 2


@pytest.mark.parametrize("n_gradient_steps", [None, 1, 4])
@pytest.mark.parametrize("complex_", [False, True])
def test_orthonormal_columns_are_solved_by_one_hard_threshold(n_gradient_steps, complex_):
    rng = np.random.default_rng(0)
    A = np.linalg.qr(rng.standard_normal((30, 20)) + (1j * rng.standard_normal((30, 20)) if complex_ else 0))[0]
    y = rng.standard_normal(30)
    result = htp(A, y, 7, n_gradient_steps=n_gradient_steps)
    np.testing.assert_allclose(result.coef, top(A.conj().T @ y, 7), atol=1e-12)
    assert result.n_iter == 1


def test_many_gradient_steps_are_least_squares():
    for seed in range(5):
        A, y, _ = planted(40, 120, 8, seed=seed, noise=0.05)
        exact, _ = walk(A, y, 8, max_iter=6, tol=0.0)
        fast, _ = walk(A, y, 8, n_gradient_steps=400, max_iter=6, tol=0.0)
        for one, other in zip(exact, fast, strict=False):
            np.testing.assert_allclose(other, one, atol=1e-8)


def test_a_gradient_step_has_the_length_of_an_exact_line_search():
    A, y, _ = planted(40, 120, 8, noise=0.05)
    size = np.linalg.norm(A, axis=0)
    unit = A / size
    start = top(unit.T @ y, 8)
    g = np.where(start != 0, unit.T @ (y - unit @ start), 0.0)
    expected = start + np.dot(g, g) / np.sum((unit @ g) ** 2) * g
    passed, _ = walk(A, y, 8, n_gradient_steps=1, max_iter=1)
    np.testing.assert_allclose(passed[-1], expected / size, atol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "csc", "operator", "gram"])
def test_the_right_support_takes_the_certificate_to_rounding_in_one_iteration(kind):
    A, y, coef = planted(80, 200, 12, noise=0.0, seed=3)
    design = {"dense": A, "csc": sp.csc_array(A), "operator": aslinearoperator(A)}.get(kind)
    target = y
    if kind == "gram":
        design, target = GramDesign(A.T @ A, 80, y @ y), A.T @ y
    result = htp(design, target, 12)
    assert result.status is Status.CONVERGED
    assert result.history["iteration"] == list(range(result.n_iter + 1))
    np.testing.assert_allclose(result.coef, coef, atol=1e-7)
    assert result.history["certificate"][-2] > 1e-4
    assert result.certificate < 1e-8


def test_the_answer_beats_every_other_support_on_a_tame_problem():
    A, y, _ = planted(20, 8, 2, noise=0.1)
    result = htp(A, y, 2)
    best = min(
        np.sum((y - A[:, pair] @ np.linalg.lstsq(A[:, pair], y)[0]) ** 2)
        for pair in map(list, itertools.combinations(range(8), 2))
    )
    assert 40 * result.objective == pytest.approx(best)


def test_columns_of_any_scale_give_the_same_supports():
    A, y, _ = planted(40, 120, 8, noise=0.1)
    scale = 10.0 ** np.random.default_rng(0).uniform(-6, 6, 120)
    one, other = htp(A, y, 8), htp(A * scale, y, 8)
    np.testing.assert_array_equal(one.support, other.support)
    np.testing.assert_allclose(other.coef * scale, one.coef, rtol=1e-6, atol=1e-9)


def cycling():
    """A problem on which the supports run into a cycle: correlated columns, found by search."""
    A, y, _ = planted(20, 60, 8, seed=53, noise=0.5)
    A = A + np.random.default_rng(53).standard_normal((20, 1))
    passed = naive_htp(A, y, 8, 60)
    assert len(passed) == 61
    return A, y, passed


def test_a_cycle_is_told_and_ends_with_the_least_residual_on_the_way():
    A, y, passed = cycling()
    with pytest.warns(ConvergenceWarning, match="run in a cycle .* another sparsity level") as caught:
        result = htp(A, y, 8)
    assert len(caught) == 1
    assert "cycle" in result.reason
    assert result.status is Status.STALLED
    assert result.n_iter < 60
    least = min(np.linalg.norm(y - A @ x) for x in passed)
    assert np.linalg.norm(y - A @ result.coef) == pytest.approx(least)


def test_targets_end_one_by_one_and_a_cycle_spoils_no_other():
    A, y, passed = cycling()
    easy = A[:, 0] - 2 * A[:, 3]
    with pytest.warns(ConvergenceWarning, match="for 1 of 3 targets"):
        result = htp(A, np.stack([easy, y, 0 * y], axis=1), 8)
    alone = htp(A, easy, 8)
    np.testing.assert_allclose(result.coef[:, 0], alone.coef, atol=1e-9)
    least = min(np.linalg.norm(y - A @ x) for x in passed)
    assert np.linalg.norm(y - A @ result.coef[:, 1]) == pytest.approx(least)
    assert not np.any(result.coef[:, 2])


def test_positive_answers_are_nonnegative_least_squares_on_their_support():
    for seed in range(5):
        A, y, coef = planted(40, 60, 5, seed=seed, noise=0.3)
        for steps in (None, 200):
            result = htp(A, A @ np.abs(coef) + y - A @ coef, 5, positive=True, n_gradient_steps=steps)
            target = A @ np.abs(coef) + y - A @ coef
            assert np.all(result.coef >= 0)
            expected = nnls(A[:, result.support], target)[0]
            np.testing.assert_allclose(result.coef[result.support], expected, atol=1e-5)
            assert result.status is Status.CONVERGED


def test_positive_gradient_steps_never_raise_the_objective():
    A, y, _ = planted(30, 60, 6, noise=1.0)
    for n_gradient_steps in (1, 2, 5):
        fewer, more = (htp_after(A, y, steps, 1) for steps in (n_gradient_steps, n_gradient_steps + 1))
        assert more <= fewer + 1e-12


def htp_after(A, y, n_gradient_steps, n_iter):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = htp(A, y, 6, positive=True, n_gradient_steps=n_gradient_steps, max_iter=n_iter, tol=0.0)
    return result.history["objective"][-1]


def block_search(A, y, n_blocks, size):
    """The best blocks by exhaustive search: their columns, and the squared residual."""
    blocks = [range(start, min(start + size, A.shape[1])) for start in range(0, A.shape[1], size)]
    best = (np.inf, None)
    for chosen in itertools.combinations(blocks, n_blocks):
        columns = [index for block in chosen for index in block]
        best = min(best, (np.sum((y - A[:, columns] @ np.linalg.lstsq(A[:, columns], y)[0]) ** 2), columns))
    return best


def test_blocks_are_those_of_an_exhaustive_search():
    rng = np.random.default_rng(0)
    for _ in range(5):
        A = rng.standard_normal((30, 20))
        y = A[:, [3, 4, 5, 18, 19]] @ rng.uniform(1, 2, 5) + 0.1 * rng.standard_normal(30)
        least, columns = block_search(A, y, 2, 3)
        for n_gradient_steps in (None, 3):
            result = htp(A, y, 6, block_size=3, n_gradient_steps=n_gradient_steps)
            assert set(result.support) <= set(columns)
            assert 60 * result.objective == pytest.approx(least, rel=1e-6)


def test_a_joint_support_is_that_of_an_exhaustive_search_over_rows():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((15, 9))
    Y = A[:, [2, 7]] @ rng.standard_normal((2, 6)) + 0.1 * rng.standard_normal((15, 6))
    least = min(
        np.sum((Y - A[:, pair] @ np.linalg.lstsq(A[:, pair], Y)[0]) ** 2)
        for pair in map(list, itertools.combinations(range(9), 2))
    )
    for n_gradient_steps in (None, 5):
        result = htp(A, Y, 2, joint=True, n_gradient_steps=n_gradient_steps)
        rows = np.any(result.support, axis=1)
        assert np.count_nonzero(rows) == 2
        assert 30 * np.sum(result.objective) == pytest.approx(least, rel=1e-6)


def test_a_joint_support_finds_what_single_targets_miss():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((40, 100))
    coef = np.zeros((100, 8))
    coef[rng.choice(100, 10, replace=False)] = rng.standard_normal((10, 8))
    Y = A @ coef
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        alone = htp(A, Y, 10)
    together = htp(A, Y, 10, joint=True)
    np.testing.assert_allclose(together.coef, coef, atol=1e-8)
    assert np.abs(alone.coef - coef).max() > 0.1


def test_one_target_is_its_own_joint_support():
    A, y, _ = planted(40, 120, 8, noise=0.1)
    one, column = htp(A, y, 8, joint=True), htp(A, y[:, None], 8, joint=True)
    np.testing.assert_array_equal(one.coef, htp(A, y, 8).coef)
    np.testing.assert_allclose(column.coef[:, 0], one.coef, atol=1e-12)


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize(
    "options", [{"joint": True}, {"block_size": 2}, {"positive": True}, {"n_gradient_steps": 3, "joint": True}]
)
def test_every_form_runs_on_every_namespace(name, options):
    A, Y, coef = planted(40, 60, 5, n_targets=4, noise=0.1)
    Y = A @ np.abs(coef) if "positive" in options else Y
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        reference = htp(A, Y, 6, **options)
        result = htp(put(A, name), put(Y, name), 6, **options)
    np.testing.assert_allclose(get(result.coef), reference.coef, atol=1e-8)


def test_weights_free_rank_and_exclude():
    A, y, coef = planted(noise=0.0)
    free, gone = [int(j) for j in np.flatnonzero(coef == 0)[[5, 6]]]
    weights = np.ones(80)
    weights[free], weights[gone] = 0.0, np.inf
    result = htp(A, y + 3.0 * A[:, free], 4, penalty_weights=weights)
    np.testing.assert_array_equal(result.support, np.sort([*np.flatnonzero(coef), free]))
    assert result.coef[free] == pytest.approx(3.0)
    assert htp(np.eye(3), np.array([3.0, 2.9, 0.0]), 1, penalty_weights=[2, 1, 1]).support.tolist() == [1]


def test_an_excluded_column_inside_a_block_stays_out():
    A, y, _ = planted(40, 20, 4)
    weights = np.ones(20)
    weights[[1, 8]] = np.inf
    result = htp(A, y, 12, block_size=4, penalty_weights=weights)
    assert not np.any(result.coef[[1, 8]])
    assert np.all(np.isfinite(result.coef))


def test_a_level_that_cannot_be_reached_ends_with_finite_numbers():
    A, y, _ = planted(10, 30, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = htp(A, y, 25)
        assert np.linalg.norm(y - A @ result.coef) < 1e-8
        with pytest.warns(RuntimeWarning, match="n_nonzero=99 is more than the number of samples; 10 is used"):
            htp(A, y, 99)


def test_many_independent_targets_are_what_each_is_alone():
    A, Y, _ = planted(40, 60, 5, n_targets=60, noise=0.3)
    A[:, 30] = A[:, 31]  # some supports are dependent
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        together = htp(A, Y, 5)
        for p in range(0, 60, 7):
            alone = htp(A, np.ascontiguousarray(Y[:, p]), 5)
            np.testing.assert_allclose(together.coef[:, p], alone.coef, atol=1e-9)


@pytest.mark.parametrize(
    "change, word",
    [
        ({"n_nonzero": 0}, "n_nonzero"),
        ({"n_nonzero": 2.5}, "n_nonzero"),
        ({"n_gradient_steps": 0}, "n_gradient_steps"),
        ({"n_gradient_steps": "many"}, "n_gradient_steps"),
        ({"block_size": 0}, "block_size"),
        ({"block_size": 5}, "block_size=5"),
        ({"joint": "yes"}, "joint"),
        ({"positive": 1}, "positive"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_bad_input_is_named(change, word):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=word):
        htp(A, y, **{"n_nonzero": 4, **change})


def test_positive_complex_codes_are_refused():
    A, y, _ = planted(complex_=True)
    with pytest.raises(ValueError, match="complex"):
        htp(A, y, 3, positive=True)


@pytest.mark.parametrize("seed", range(4))
def test_positive_supports_are_chosen_by_signed_magnitude(seed):
    A, y, _ = planted(40, 120, 9, seed=seed, noise=0.5)
    size = np.linalg.norm(A, axis=0)
    unit, x = A / size, np.zeros(120)
    passed, _ = walk(A, y, 9, positive=True, max_iter=5, tol=0.0)
    for found in passed[:6]:
        np.testing.assert_allclose(size * found, x, atol=1e-7)
        support = np.flatnonzero(top(np.maximum(x + unit.T @ (y - unit @ x), 0), 9))
        x = np.zeros(120)
        x[support] = nnls(unit[:, support], y)[0]


THREE = pytest.mark.parametrize("solve", [htp, iht, null_space_tuning])


@pytest.mark.parametrize("seed", range(40, 60))
def test_a_joint_support_of_a_cycle_is_one_support_and_no_larger_than_asked(seed):
    rng = np.random.default_rng(seed)
    A, Y = rng.standard_normal((12, 30)), rng.standard_normal((12, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = htp(A, Y, 4, joint=True)
    assert np.count_nonzero(np.any(result.coef != 0, axis=1)) <= 4


@pytest.mark.parametrize("seed", range(60))
def test_a_cycle_on_an_operator_ends_with_least_squares(seed):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((20, 60)) + rng.standard_normal((20, 1))
    operator = aslinearoperator(A)
    operator.column_sq_norms = np.sum(A**2, axis=0)
    y = rng.standard_normal(20)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = htp(operator, y, 8)
    support = result.support
    np.testing.assert_allclose(A[:, support].T @ (y - A @ result.coef), 0, atol=1e-6)


@THREE
def test_a_free_column_brings_no_block_along(solve):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((40, 20)), rng.standard_normal(40)
    weights = np.ones(20)
    weights[0] = 0.0
    result = solve(A, y, 2, block_size=2, penalty_weights=weights)
    assert result.status is Status.CONVERGED
    assert L0Ball(2, block_size=2).value(result.coef, weights) == 0
    assert 0 in result.support
    assert 1 not in result.support


@THREE
def test_all_columns_are_all_columns_even_if_the_last_block_is_short(solve):
    A, y, _ = planted(20, 7, 3)
    for level in (7, 8):
        np.testing.assert_array_equal(solve(A, y, level, block_size=4).support, np.arange(7))
    with pytest.warns(RuntimeWarning, match="n_nonzero=9 is more than the number of features; 7 is used"):
        np.testing.assert_array_equal(solve(A, y, 9, block_size=4).support, np.arange(7))


@THREE
def test_a_level_above_the_number_of_samples_is_clipped_with_a_warning(solve):
    A, y, _ = planted(10, 50, 3)
    with pytest.warns(RuntimeWarning, match="n_nonzero=20 is more than the number of samples; 10 is used"):
        result = solve(A, y, 20)
    assert np.count_nonzero(result.coef) <= 10


@THREE
@pytest.mark.parametrize("scale", [1e-100, 1e-80, 1e80, 1e100])
def test_the_scale_of_the_design_does_not_matter_as_far_as_numbers_reach(solve, scale):
    A, y, _ = planted(30, 50, 2, noise=0.1)
    np.testing.assert_allclose(solve(scale * A, y, 2).coef * scale, solve(A, y, 2).coef, rtol=1e-9)


@THREE
@pytest.mark.parametrize("scale", [1e-160, 1e160])
def test_columns_whose_squares_are_no_numbers_are_refused(solve, scale):
    A, y, _ = planted(30, 50, 2)
    for design in (scale * A, sp.csc_array(scale * A)):
        with pytest.raises(ValueError, match=r"A has a column \(0\) .* the range of float64"):
            solve(design, y, 2)


def test_tiny_columns_in_single_precision_have_finite_coefficients():
    A, y, _ = planted(60, 100, 3, noise=0.0, dtype="float32")
    expected = htp(A, y, 3, n_gradient_steps=3)
    result = htp(A * np.float32(1e-21), y, 3, n_gradient_steps=3)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef.astype(float) * 1e-21, expected.coef, rtol=1e-4)


@pytest.mark.parametrize("solve", [htp, null_space_tuning])
def test_columns_of_any_scale_give_an_operator_the_same_answer(solve):
    rng = np.random.default_rng(2)
    A = rng.standard_normal((80, 160))
    x = np.zeros(160)
    x[rng.choice(160, 8, replace=False)] = rng.standard_normal(8) + 3
    scale = 10.0 ** rng.uniform(-5, 5, 160)
    result = solve(aslinearoperator(A * scale), A @ x, 8)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef * scale, x, atol=1e-6)


@THREE
def test_nan_in_an_operator_is_named(solve):
    A, y, _ = planted()
    A[3, 5] = np.nan
    with pytest.raises(ValueError, match="A contains NaN"):
        solve(aslinearoperator(A), y, 4)


@THREE
def test_messages_name_what_was_passed(solve):
    A, y, _ = planted(complex_=True)
    with pytest.raises(ValueError, match="positive=True needs real data"):
        solve(A, y, 3, positive=True)


def test_the_estimator_names_its_own_parameters():
    A, y, _ = planted(20, 10, 3)
    with pytest.warns(RuntimeWarning, match="n_nonzero_coefs=99 is more"):
        HardThresholdingPursuit(99).fit(A, y)
    with pytest.raises(ValueError, match=r"n_nonzero_coefs=2 leaves room for no block of block_size=40"):
        HardThresholdingPursuit(2, block_size=40).fit(A, y)
    with pytest.warns(RuntimeWarning, match="block_size=40 is more than the number of features"):
        model = HardThresholdingPursuit(block_size=40).fit(A, y)
    assert np.all(model.coef_ != 0)


@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_the_smallest_weights_are_still_weights(dtype):
    y = np.array([1.0, 5.0, 4.0, 3.0], dtype=dtype)
    for weight in (1e-60, 1e-310):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            result = htp(np.eye(4, dtype=dtype), y, 2, penalty_weights=[weight, 1, 1, 1])
        np.testing.assert_array_equal(result.support, [0, 1])  # it counts, and comes first
