"""What greedy solvers are asked, and whether they say when an answer does not meet it: one rule for the family."""

import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import (
    GramDesign,
    LossOMP,
    Status,
    cosamp,
    gomp,
    loss_omp,
    mp,
    omp,
    somp,
    stomp,
    subspace_pursuit,
)
from tests.planted import planted


def ols(A, y, **options):
    return omp(A, y, selection="ols", **options)


def warned(solve):
    """The result, and the messages of its warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = solve()
    assert all(issubclass(each.category, ConvergenceWarning) for each in caught)
    return result, [str(each.message) for each in caught]


# ---------------------------------------------------------------- a Gram matrix without the norm of its target


NEED_THE_NORM = {
    "omp-criterion": lambda A, y: omp(A, y, criterion="ebic"),
    "omp-tol": lambda A, y: omp(A, y, tol=0.8),
    "ols-atol": lambda A, y: ols(A, y, atol=36.0),
    "somp-criterion": lambda A, y: somp(A, np.stack([y, y], axis=1), criterion="bic"),
    "somp-tol": lambda A, y: somp(A, np.stack([y, y], axis=1), tol=0.8),
    "stomp": lambda A, y: stomp(A, y, threshold=3.0),
    "gomp-tol": lambda A, y: gomp(A, y, 3, tol=0.9),
    "cosamp-tol": lambda A, y: cosamp(A, y, 3, tol=0.9),
    "subspace-tol": lambda A, y: subspace_pursuit(A, y, 3, tol=0.9),
    "mp-tol": lambda A, y: mp(A, y, tol=0.8),
    "loss_omp": loss_omp,
    "loss_omp-l0": lambda A, y: loss_omp(A, y, 0.1, penalty="l0"),
    "loss_omp-squared": lambda A, y: loss_omp(A, y, loss="squared"),
}


@pytest.mark.parametrize("name", NEED_THE_NORM)
def test_what_is_decided_by_residual_norms_is_refused_where_a_gram_matrix_was_not_told_that_of_the_target(name):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((300, 40))
    y = A[:, :3].sum(axis=1) + 2.0 * rng.standard_normal(300)
    solve = NEED_THE_NORM[name]
    with pytest.raises(ValueError, match=r"needs the norm of y.*GramDesign\(gram, n_samples, target_sq_norm\)"):
        solve(GramDesign(A.T @ A, 300), A.T @ y)
    result = solve(GramDesign(A.T @ A, 300, y @ y), A.T @ y)
    np.testing.assert_allclose(result.coef, solve(A, y).coef, atol=1e-8)


@pytest.mark.parametrize("solve", [omp, ols, mp])
def test_a_number_of_columns_needs_no_norm_of_the_target(solve):
    A, y, _ = planted()
    np.testing.assert_allclose(
        solve(GramDesign(A.T @ A, 60), A.T @ y, n_nonzero=3).coef, solve(A, y, n_nonzero=3).coef, atol=1e-8
    )
    given = loss_omp(GramDesign(A.T @ A, 60), A.T @ y, 0.3, loss="squared")
    np.testing.assert_allclose(given.coef, loss_omp(A, y, 0.3, loss="squared").coef, atol=1e-8)


# ---------------------------------------------------------------- fewer columns than asked for


SIZED = {
    "omp": lambda A, y, k, **w: omp(A, y, n_nonzero=k, **w),
    "ols": lambda A, y, k, **w: ols(A, y, n_nonzero=k, **w),
    "somp": lambda A, y, k, **w: somp(A, np.stack([y, y[::-1]], axis=1), n_nonzero=k, **w),
    "gomp": gomp,
    "gomp-joint": lambda A, y, k, **w: gomp(A, np.stack([y, y[::-1]], axis=1), k, joint=True, **w),
    "cosamp": cosamp,
    "subspace": subspace_pursuit,
    "loss_omp": lambda A, y, k, **w: loss_omp(A, y, 0, n_nonzero=k, **w),
    "loss_omp-squared": lambda A, y, k, **w: loss_omp(A, y, 0, loss="squared", n_nonzero=k, **w),
}


@pytest.mark.parametrize("name", SIZED)
def test_too_few_independent_columns_are_announced_once(name):
    rng = np.random.default_rng(1)
    three, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    result, messages = warned(lambda: SIZED[name](np.hstack([three, three @ rng.standard_normal((3, 3))]), y, 5))
    assert len(messages) == 1
    assert "only 3 of 5 columns could be selected" in messages[0]
    assert result.status is Status.STALLED
    assert np.all(np.count_nonzero(result.coef, axis=0) == 3)


@pytest.mark.parametrize(
    "solve", [omp, ols, lambda A, y, n_nonzero: loss_omp(A, y, 0, loss="squared", n_nonzero=n_nonzero)]
)
def test_a_residual_that_a_gram_matrix_does_not_know_counts_as_left(solve):
    rng = np.random.default_rng(1)
    three, y = rng.standard_normal((30, 3)), rng.standard_normal(30)
    A = np.hstack([three, three])
    result, messages = warned(lambda: solve(GramDesign(A.T @ A, 30), A.T @ y, n_nonzero=5))
    assert len(messages) == 1
    assert "only 3 of 5 columns could be selected" in messages[0]
    assert (result.status, result.support.size) == (Status.STALLED, 3)
    exact = A[:, 0] - A[:, 1] + A[:, 2]
    result, messages = warned(lambda: solve(GramDesign(A.T @ A, 30, exact @ exact), A.T @ exact, n_nonzero=5))
    assert (messages, result.status) == ([], Status.CONVERGED)


def test_absolute_deviations_without_a_strength_say_that_columns_are_too_few():
    rng = np.random.default_rng(1)
    three = rng.standard_normal((30, 3))
    A, y = np.hstack([three, three]), three.sum(axis=1) + 0.1 * rng.standard_normal(30)
    result, messages = warned(lambda: loss_omp(A, y, 0, loss="absolute", n_nonzero=5))
    assert len(messages) == 1
    assert "only 3 of 5 columns could be selected" in messages[0]
    assert result.status is Status.STALLED
    with pytest.warns(ConvergenceWarning, match="only 3 of 5 columns"):
        LossOMP(alpha=0.0, n_nonzero_coefs=5).fit(A, y)
    for quiet in (
        lambda: loss_omp(A, y, 0),  # as many as there are
        lambda: loss_omp(A, y, 0.01, n_nonzero=5),  # the strength may have ended it
        lambda: loss_omp(A, A[:, 1] + A[:, 0], 0, n_nonzero=5),
    ):
        result, messages = warned(quiet)
        assert (messages, result.status) == ([], Status.CONVERGED)


@pytest.mark.parametrize("name", SIZED)
def test_weights_that_leave_too_few_columns_are_announced_once(name):
    rng = np.random.default_rng(1)
    A, y = rng.standard_normal((30, 9)), rng.standard_normal(30)
    weights = np.where(np.arange(9) < 3, 1.0, np.inf)
    weights[8] = 0.0  # always in, and not counted
    result, messages = warned(lambda: SIZED[name](A, y, 5, penalty_weights=weights))
    assert len(messages) == 1
    assert "only 3 of 5 columns could be selected" in messages[0]
    assert result.status is Status.STALLED
    assert SIZED[name](A, y, 3, penalty_weights=weights).status is Status.CONVERGED


@pytest.mark.parametrize("name", ["omp", "ols", "gomp", "cosamp", "subspace", "loss_omp"])
@pytest.mark.parametrize("kind", ["dense", "gram"])
def test_fewer_columns_are_no_failure_where_nothing_is_left_of_the_residual(name, kind):
    A, _, _ = planted(40, 30)
    y = A[:, 3] - 2.0 * A[:, 17]
    design, target = (GramDesign(A.T @ A, 40, y @ y), A.T @ y) if kind == "gram" else (A, y)
    result, messages = warned(lambda: SIZED[name](design, target, 5))
    assert (messages, result.status) == ([], Status.CONVERGED)
    Y = np.outer(target, [1.0, 3.0])
    two = GramDesign(A.T @ A, 40, np.array([1.0, 9.0]) * (y @ y)) if kind == "gram" else A
    for solve in (lambda: somp(two, Y, n_nonzero=5), lambda: gomp(two, Y, 5, joint=True)):
        result, messages = warned(solve)
        assert (messages, result.status) == ([], Status.CONVERGED)


@pytest.mark.parametrize("solve", [omp, ols])
def test_columns_that_explain_nothing_more_are_no_failure(solve):
    A, y = np.eye(4)[:, :3], np.array([1.0, 0.0, 0.0, 1.0])
    result, messages = warned(lambda: solve(A, y, n_nonzero=2))
    assert (result.support.tolist(), messages, result.status) == ([0], [], Status.CONVERGED)


@pytest.mark.parametrize("scale", [1.0, 1e-7])
def test_long_and_short_columns_of_a_gram_matrix_are_judged_alike(scale):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((30, 4)), rng.standard_normal(30)
    A = np.hstack([A, A[:, :2]]) * np.array([1.0, scale, 1.0, scale, 1.0, 1.0])
    for design, target in ((A, y), (GramDesign(A.T @ A, 30, y @ y), A.T @ y)):
        result, messages = warned(lambda design=design, target=target: omp(design, target, n_nonzero=6))
        assert len(messages) == 1
        assert result.support.size == 4


def test_only_targets_that_use_all_independent_columns_are_short_of_them():
    A = np.eye(4)[:, [0, 1, 0]]
    Y = np.array(
        [[1.0, 1.0], [1.0, 0.0], [0.0, 0.0], [1.0, 1.0]]
    )  # the second has nothing to gain from the second column
    for solve in (lambda: omp(A, Y, n_nonzero=3), lambda: ols(A, Y, n_nonzero=3), lambda: gomp(A, Y, 3, n_select=1)):
        result, messages = warned(solve)
        np.testing.assert_array_equal(np.count_nonzero(result.coef, axis=0), [2, 1])
        assert len(messages) == 1
        assert "only 2 of 3 columns could be selected for 1 of 2 targets" in messages[0]


def test_targets_are_told_apart():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 3))
    A = np.hstack([A, A])
    Y = np.stack([rng.standard_normal(30), 2.0 * A[:, 1], rng.standard_normal(30)], axis=1)
    _, messages = warned(lambda: omp(A, Y, n_nonzero=4))
    assert "for 2 of 3 targets" in messages[0]
    _, messages = warned(lambda: gomp(A, Y, 4))
    assert "for 2 of 3 targets" in messages[0]


# ---------------------------------------------------------------- a residual tolerance beside another stop


STOPPED = {
    "omp": lambda A, y: omp(A, y, n_nonzero=3, tol=1e-3),
    "omp-atol": lambda A, y: omp(A, y, n_nonzero=3, atol=1e-3),
    "omp-criterion": lambda A, y: omp(A, y, criterion="bic", tol=1e-3),
    "ols": lambda A, y: ols(A, y, n_nonzero=3, tol=1e-3),
    "somp": lambda A, y: somp(A, np.stack([y, y[::-1]], axis=1), n_nonzero=3, tol=1e-3),
    "mp": lambda A, y: mp(A, y, n_nonzero=3, tol=1e-3),
    "mp-atol": lambda A, y: mp(A, y, n_nonzero=3, atol=1e-3),
    "mp-many": lambda A, y: mp(A, np.stack([y, A[:, 0]], axis=1), n_nonzero=3, tol=1e-3),
}


@pytest.mark.parametrize("name", STOPPED)
def test_a_tolerance_is_no_failure_where_another_stop_that_was_asked_for_came_first(name):
    A, y, _ = planted(60, 40, 6, noise=1.0)
    result, messages = warned(lambda: STOPPED[name](A, y))
    assert messages == []
    assert result.status is Status.CONVERGED
    assert np.all(np.atleast_1d(result.certificate) <= result.tol)


MISSED = {
    "omp": lambda A, y: omp(A, y, tol=1e-3),
    "ols": lambda A, y: ols(A, y, tol=1e-3),
    "somp": lambda A, y: somp(A, np.stack([y, y[::-1]], axis=1), tol=1e-3),
    "mp": lambda A, y: mp(A, y, tol=1e-3),
    "mp-too-few": lambda A, y: mp(A, y, n_nonzero=12, tol=1e-3),
    "stomp": lambda A, y: stomp(A, y, tol=1e-3),
    "gomp": lambda A, y: gomp(A, y, 3, tol=1e-3),
    "cosamp": lambda A, y: cosamp(A, y, 3, tol=1e-3),
    "subspace": lambda A, y: subspace_pursuit(A, y, 3, tol=1e-3),
}


@pytest.mark.parametrize("name", MISSED)
def test_a_tolerance_that_the_answer_misses_is_announced_once(name):
    A, y, _ = planted(60, 12, 6, noise=1.0)
    if name == "mp-too-few":
        A = np.hstack([A[:, :6], A[:, :6]])
    result, messages = warned(lambda: MISSED[name](A, y))
    assert len(messages) == 1
    assert "residual norm" in messages[0]
    assert result.status in (Status.STALLED, Status.MAX_ITER)


def test_a_tolerance_must_hold_after_the_cut_of_gomp():
    A, y, _ = planted(60, 80, 6, noise=0.0)
    before_the_cut = gomp(A, y, 6, n_select=3).history["residual"]
    assert before_the_cut[-1] < 0.05
    result, messages = warned(lambda: gomp(A, y, 2, n_select=10, tol=0.3))
    assert np.linalg.norm(y - A @ result.coef) > 0.3 * np.linalg.norm(y)
    assert result.history["residual"][-1] <= 0.3
    assert len(messages) == 1
    assert result.status is Status.STALLED


@pytest.mark.parametrize("solve", [omp, somp])
def test_a_criterion_that_still_falls_at_its_most_columns_is_announced(solve):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((80, 120))
    Y = A[:, :3] @ np.ones((3, 2)) + 0.5 * rng.standard_normal((80, 2))
    with pytest.warns(RuntimeWarning, match="criterion='bic' is least at the last step of its path, with 40 columns"):
        result = solve(A, Y[:, 0], criterion="bic")
    assert (result.n_iter, result.status) == (40, Status.CONVERGED)
    for quiet in (
        {"criterion": "ebic"},
        {"criterion": "bic", "n_nonzero": 8},  # a number that was asked for
    ):
        _, messages = warned(lambda quiet=quiet: solve(A, Y[:, 0], **quiet))
        assert messages == []
    with pytest.warns(RuntimeWarning, match="least at the last step"):
        solve(A, np.tile(Y[:, :1], 2), criterion="aic")


# ---------------------------------------------------------------- how many steps, and their path


@pytest.mark.parametrize(("n_nonzero", "max_iter"), [(3, 10_000), (12, 10_000), (5, 4)])
def test_matching_pursuit_counts_the_steps_that_it_made(n_nonzero, max_iter):
    A, y, _ = planted(60, 40, 4, noise=0.5)
    result, _ = warned(lambda: mp(A, y, n_nonzero=n_nonzero, max_iter=max_iter, return_path=True))
    assert result.n_iter == len(result.history["selected"]) == result.history["path"].shape[1] - 1
    assert result.history["iteration"][-1] == result.n_iter
    np.testing.assert_allclose(result.history["path"][:, result.n_iter], result.coef, atol=1e-12)
    assert warned(lambda: mp(A, y, n_nonzero=n_nonzero, max_iter=max_iter))[0].n_iter == result.n_iter


@pytest.mark.parametrize("criterion", [None, "aic", "ebic"])
@pytest.mark.parametrize("selection", ["omp", "ols"])
def test_the_path_at_n_iter_is_the_answer(criterion, selection):
    A, y, _ = planted(60, 40, 4, noise=0.5)
    weights = np.ones(40)
    weights[11] = 0.0
    how = {"criterion": criterion, "selection": selection, "penalty_weights": weights, "return_path": True}
    result = omp(A, y, n_nonzero=15, **how)
    assert result.n_iter == result.support.size
    np.testing.assert_allclose(result.history["path"][:, result.n_iter], result.coef, atol=1e-12)
    Y = np.stack([y, y[::-1], A[:, 3]], axis=1)
    joint = somp(A, Y, n_nonzero=15, **how)
    assert joint.n_iter == np.count_nonzero(np.any(joint.support, axis=1))
    np.testing.assert_allclose(joint.history["path"][..., joint.n_iter], joint.coef, atol=1e-12)


@pytest.mark.parametrize("kind", ["dense", "gram", "complex"])
def test_a_joint_path_holds_the_fits_on_its_first_columns(kind):
    A, Y, _ = planted(40, 30, 4, n_targets=3, noise=0.3, complex_=kind == "complex")
    gram = GramDesign(A.T @ A, 40) if kind == "gram" else None
    design, target = (A, Y) if gram is None else (gram, A.T @ Y)
    result = somp(design, target, n_nonzero=5, support=[9, 2], return_path=True)
    order, path = result.history["selected"], result.history["path"]
    assert order[:2] == [9, 2]
    assert path.shape == (30, 3, 6)
    for t in range(6):
        expected = np.zeros((30, 3), dtype=A.dtype)
        expected[order[:t]] = np.linalg.lstsq(A[:, order[:t]], Y)[0]
        np.testing.assert_allclose(path[..., t], expected, atol=1e-10)


def test_columns_given_to_a_joint_pursuit_count_unless_they_are_free_or_dependent():
    A, Y, _ = planted(40, 30, 4, n_targets=3, noise=0.3)
    A[:, 7] = 2.0 * A[:, 9]
    weights = np.ones(30)
    weights[2] = 0.0
    result = somp(A, Y, n_nonzero=3, support=[9, 2, 7], penalty_weights=weights)
    assert result.history["selected"][:2] == [2, 9]
    assert 7 not in result.history["selected"]
    assert result.n_iter == 4
    one = somp(A, Y[:, :1], n_nonzero=3, support=[9, 2, 7], penalty_weights=weights)
    assert (
        one.history["selected"][0]
        == omp(A, Y[:, 0], n_nonzero=3, support=[9, 2], penalty_weights=weights).history["selected"]
    )


# ---------------------------------------------------------------- errors and warnings that say what to do


@pytest.mark.parametrize(
    "solve",
    [
        lambda A, y: omp(A, y, n_nonzero=2, return_path=True),
        lambda A, y: mp(A, y, n_nonzero=2, return_path=True),
        lambda A, y: gomp(A, y, 2, return_path=True),
        lambda A, y: stomp(A, y, return_path=True),
        lambda A, y: loss_omp(A, y, return_path=True),
    ],
)
def test_a_path_of_a_matrix_of_targets_is_refused_with_what_to_pass(solve):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=r"return_path=True is for one target; y has shape \(60, 1\): pass y\[:, 0\]"):
        solve(A, y[:, None])
    with pytest.raises(ValueError, match=r"y has shape \(60, 2\): pass its columns one by one"):
        solve(A, np.stack([y, y], axis=1))


def test_one_target_alone_has_the_path_of_omp_in_a_joint_pursuit():
    A, y, _ = planted()
    expected = omp(A, y, n_nonzero=3, return_path=True).history["path"]
    np.testing.assert_array_equal(somp(A, y, n_nonzero=3, return_path=True).history["path"], expected)
    with pytest.raises(ValueError, match=r"y has shape \(60, 1\): pass y\[:, 0\]"):
        somp(A, y[:, None], n_nonzero=3, return_path=True)


@pytest.mark.parametrize("solve", [omp, somp])
def test_a_mask_for_the_support_is_told_how_to_become_indices(solve):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=r"support must be .* column indices; got bool .*numpy\.flatnonzero"):
        solve(A, np.stack([y, y], axis=1), n_nonzero=3, support=np.arange(80) < 2)


def test_norms_of_targets_are_checked_against_their_number():
    A, Y, _ = planted(n_targets=2)
    with pytest.raises(ValueError, match=r"target_sq_norm has shape \(3,\); .* or shape \(2,\), one a target"):
        omp(GramDesign(A.T @ A, 60, np.ones(3)), A.T @ Y, n_nonzero=2)
    with pytest.raises(ValueError, match=r"target_sq_norm has shape \(2,\); .* \(\), for one target"):
        omp(GramDesign(A.T @ A, 60, np.ones(2)), A.T @ Y[:, 0], n_nonzero=2)
    for bad in (-1.0, np.nan, np.ones((2, 2)), "1"):
        with pytest.raises(ValueError, match="target_sq_norm must be the squared norm of y"):
            GramDesign(A.T @ A, 60, bad)


@pytest.mark.parametrize(("solve", "times"), [(cosamp, 3), (subspace_pursuit, 2)])
def test_fits_of_more_columns_than_samples_are_announced(solve, times):
    A, y, _ = planted(20, 40, 2)
    most = 20 // times
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        solve(A, y, most)
    with pytest.warns(RuntimeWarning, match=f"fit up to {times * (most + 1)} columns to 20 samples"):
        solve(A, y, most + 1)
