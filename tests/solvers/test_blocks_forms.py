"""Block descent on every kind of design, from any start, along paths, on hard problems; and who is left to gradient steps."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from sparsecode import (
    L1,
    GramDesign,
    GroupL1,
    RowL2,
    SparseGroupL1,
    Status,
    alpha_max,
    fista,
    regularization_path,
    solve,
)
from sparsecode.solvers.methods import choose
from sparsecode.solvers.solve import pose
from tests.planted import planted
from tests.solvers.block_cases import LABELS, TIGHT, each, target_of

# ---------------------------------------------------------------- one problem in many clothes


@pytest.mark.parametrize("kind", [GroupL1, SparseGroupL1])
def test_the_order_and_the_names_of_groups_do_not_matter(kind):
    A, y, _ = planted()
    reference = solve(A, y, penalty=kind(0.15, LABELS), **TIGHT).coef
    order = np.random.default_rng(0).permutation(80)
    moved = solve(A[:, order], y, penalty=kind(0.15, tuple(LABELS[j] for j in order)), **TIGHT).coef
    np.testing.assert_allclose(moved, reference[order], atol=1e-6)
    renamed = solve(A, y, penalty=kind(0.15, tuple(7 - 3 * label for label in LABELS)), **TIGHT).coef
    np.testing.assert_allclose(renamed, reference, atol=1e-6)


def in_kind(A, y, kind):
    """The problem with its design as another kind."""
    if kind == "gram":
        return GramDesign(A.T @ A, len(A), target_sq_norm=np.sum(y**2, axis=0)), A.T @ y
    if kind == "float32":
        return A.astype(np.float32), y.astype(np.float32)
    wide = sp.csc_array(A)
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    kinds = {"csc": wide, "operator": aslinearoperator(A), "fortran": np.asfortranarray(A)}
    return kinds[kind], y


@each
@pytest.mark.parametrize("kind", ["fortran", "csc", "operator", "gram", "float32"])
def test_every_kind_of_design_gives_the_same_answer(penalty, kind):
    A, y, _ = target_of(penalty)
    reference = solve(A, y, penalty=penalty, **TIGHT)
    result = solve(*in_kind(A, y, kind), penalty=penalty, **TIGHT)
    assert result.status is Status.CONVERGED
    assert result.coef.dtype == (np.float32 if kind == "float32" else np.float64)
    np.testing.assert_allclose(result.coef, reference.coef, atol=2e-5 if kind == "float32" else 1e-6)
    assert result.objective == pytest.approx(reference.objective, rel=1e-5 if kind == "float32" else 1e-7)


@each
@pytest.mark.parametrize("weighted", [False, True])
def test_columns_of_few_entries_need_no_dense_copy(penalty, weighted):
    """They meet as compressed columns, also where rows are weighted; the answer is that of the dense design."""
    rng = np.random.default_rng(0)
    A = sp.random(400, 80, 0.015, format="csc", random_state=rng, data_rvs=rng.standard_normal)
    coef = np.zeros((80, 3))
    coef[::13] = 20.0
    y = A @ coef + 0.1 * rng.standard_normal((400, 3))
    y = y if isinstance(penalty, RowL2) else y[:, 0]
    penalty = penalty._replace(alpha=0.1 * alpha_max(A, y, penalty=penalty))
    options = {"sample_weight": rng.uniform(0.5, 2.0, 400)} if weighted else {}
    dense = solve(A.toarray(), y, penalty=penalty, **options, **TIGHT)
    result = solve(A, y, penalty=penalty, **options, **TIGHT)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, dense.coef, atol=1e-6 * np.abs(dense.coef).max())


@each
def test_a_sample_of_integer_weight_counts_that_often(penalty):
    A, y, _ = target_of(penalty)
    counts = np.random.default_rng(0).integers(0, 4, len(A))
    repeated = solve(np.repeat(A, counts, axis=0), np.repeat(y, counts, axis=0), penalty=penalty, **TIGHT)
    result = solve(A, y, penalty=penalty, sample_weight=counts, **TIGHT)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, repeated.coef, atol=1e-6)


@pytest.mark.parametrize("penalty", [GroupL1(1e-4, 4), SparseGroupL1(1e-4, 4)])
def test_many_targets_of_very_different_size_are_solved_one_by_one(penalty):
    A, Y, _ = planted(n_targets=3)
    Y = Y * np.array([1e-3, 1.0, 1e3])
    together = solve(A, Y, penalty=penalty, **TIGHT)
    assert together.status is Status.CONVERGED
    assert np.all(together.certificate <= 1e-11)
    for target in range(3):
        alone = solve(A, np.ascontiguousarray(Y[:, target]), penalty=penalty, **TIGHT).coef
        np.testing.assert_allclose(together.coef[:, target], alone, atol=1e-5 * np.abs(alone).max())


def test_rows_share_one_support_over_all_targets():
    A, Y, coef = planted(n_targets=4)
    result = solve(A, Y, penalty=RowL2(0.15), **TIGHT)
    used = result.coef != 0
    np.testing.assert_array_equal(used.any(axis=1), used.all(axis=1))
    assert 0 < used.any(axis=1).sum() < 80


@each
@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_scaling_the_target_scales_the_coefficients(penalty, factor):
    A, y, _ = target_of(penalty)
    reference = solve(A, y, penalty=penalty, **TIGHT).coef
    result = solve(A, factor * y, penalty=penalty._replace(alpha=factor * penalty.alpha), **TIGHT)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef / factor, reference, atol=1e-6)


@each
def test_a_path_gives_the_answers_of_single_solves(penalty):
    A, y, _ = target_of(penalty, n_samples=40, n_features=80)
    path = regularization_path(A, y, penalty=penalty, n_alphas=8, eps=0.02, **TIGHT)
    assert path.status is Status.CONVERGED
    for alpha, result in list(zip(path.alphas, path.results, strict=True))[::3]:
        single = solve(A, y, penalty=penalty._replace(alpha=float(alpha)), **TIGHT)
        np.testing.assert_allclose(result.coef, single.coef, atol=1e-5)


@each
def test_a_start_changes_nothing_and_the_answer_is_its_own_start(penalty):
    A, y, coef = target_of(penalty)
    reference = solve(A, y, penalty=penalty, **TIGHT)
    result = solve(A, y, penalty=penalty, init=coef + 1.0, **TIGHT)
    assert result.status is Status.CONVERGED
    np.testing.assert_allclose(result.coef, reference.coef, atol=1e-6)
    assert solve(A, y, penalty=penalty, init=reference.coef, **TIGHT).n_iter == 0


def test_a_start_on_an_excluded_group_is_dropped():
    A, y, _ = planted()
    penalty = GroupL1(0.1, 4, weights=(np.inf,) + (2.0,) * 19)
    result = solve(A, y, penalty=penalty, init=np.ones(80), **TIGHT)
    assert result.status is Status.CONVERGED
    assert not np.any(result.coef[:4])
    assert np.all(np.isfinite(result.history["objective"]))


# ---------------------------------------------------------------- hard problems


def hard_problems():
    """Designs that tempt a solver to divide by zero, or to take dependent columns for independent ones."""
    A, y, _ = planted()
    rng = np.random.default_rng(0)
    low = rng.standard_normal((30, 3)) @ rng.standard_normal((3, 80))
    holes = A.copy()
    holes[:, [0, 5, 8, 9, 10, 11]] = 0  # part of a group, and all of one
    twins = np.repeat(A[:, :40], 2, axis=1)
    return {
        "more columns than samples": (rng.standard_normal((6, 80)), rng.standard_normal(6)),
        "rank three": (low, rng.standard_normal(30)),
        "zero columns": (holes, y),
        "every column twice": (twins, y),
        "every group twice": (np.hstack([A[:, :40], A[:, :40]]), y),
        "columns of many sizes": (A * 10.0 ** rng.uniform(-4, 4, 80), y),
        "one sample": (rng.standard_normal((1, 80)), rng.standard_normal(1)),
        "one feature": (A[:, :1], y),
        "zeros alone": (0 * A, y),
    }


@each
@pytest.mark.parametrize("name", hard_problems())
@pytest.mark.parametrize("fraction", [0.5, 1e-3])
def test_hard_problems_are_certified(penalty, name, fraction):
    A, y = hard_problems()[name]
    if isinstance(penalty, RowL2):
        y = np.stack([y, y[::-1], 2 * y], axis=1)
    elif isinstance(penalty.groups, tuple):
        penalty = penalty._replace(groups=LABELS[: A.shape[1]])
    penalty = penalty._replace(alpha=fraction * alpha_max(A, y, penalty=penalty) or 1.0)
    result = solve(A, y, penalty=penalty, solver="block_descent", tol=1e-8)
    assert result.status is Status.CONVERGED
    assert np.all(np.isfinite(result.coef))
    assert not np.any(result.coef[~A.any(axis=0)])


@each
def test_a_zero_target_gives_zeros(penalty):
    A, y, _ = target_of(penalty)
    result = solve(A, 0 * y, penalty=penalty, **TIGHT)
    assert result.status is Status.CONVERGED
    assert result.certificate == 0
    assert not np.any(result.coef)


def test_an_operator_that_needs_many_columns_goes_on_by_gradient_steps():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((400, 600))
    y = A @ rng.standard_normal(600)
    penalty = GroupL1(0.002 * alpha_max(A, y, penalty=GroupL1(1.0, 5)), 5)
    result = solve(aslinearoperator(A), y, penalty=penalty, solver="block_descent", tol=1e-6)
    assert result.status is Status.CONVERGED
    assert np.count_nonzero(result.coef) > 256
    dense = solve(A, y, penalty=penalty, solver="block_descent", tol=1e-8)
    assert result.objective == pytest.approx(dense.objective, rel=1e-3)


def test_few_rounds_and_a_small_part_of_the_columns_suffice():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((200, 2000))
    for j in range(1, 2000):
        A[:, j] = 0.9 * A[:, j - 1] + np.sqrt(0.19) * A[:, j]
    coef = np.zeros(2000)
    coef[500:505] = coef[1200:1205] = 1.0
    y = A @ coef + 0.1 * rng.standard_normal(200)
    penalty = GroupL1(1.0, 5)
    problem = pose(A, y, None, penalty._replace(alpha=0.05 * alpha_max(A, y, penalty=penalty)))
    method = choose(problem)
    memory = method.remember(problem)
    result = method.run(problem, problem.start(), memory, tol=1e-10, max_iter=50)
    assert method.name == "block_descent"
    assert result.status is Status.CONVERGED
    assert result.n_iter <= 12
    assert memory.working_set.gram.size <= 600


# ---------------------------------------------------------------- who solves what


def test_what_blocks_cannot_do_is_left_to_gradient_steps():
    A, y, _ = planted()
    C, z, _ = planted(complex_=True)

    def taken(A, y, penalty):
        return choose(pose(A, y, None, penalty)).name

    assert taken(A, y, GroupL1(0.1, 4)) == taken(A, y, RowL2(0.1)) == taken(A, y, SparseGroupL1(0.1, 4))
    assert taken(A, y, GroupL1(0.1, 4)) == "block_descent"
    assert taken(C, z, GroupL1(0.1, 4)) == taken(A, y, GroupL1(0.0, 4)) == "fista"
    assert taken(np.ones((3, 600)), np.ones(3), GroupL1(0.1, 600)) == "fista"  # one block of too many columns
    assert taken(A, y, L1(0.1)) == "working_set"
    with pytest.raises(ValueError, match="block_descent.* cannot solve Squared with L1"):
        solve(A, y, penalty=L1(0.1), solver="block_descent")


@each
def test_gradient_steps_and_blocks_give_one_answer(penalty):
    A, y, _ = target_of(penalty)
    slow = fista(A, y, penalty=penalty, tol=1e-11)
    fast = solve(A, y, penalty=penalty, **TIGHT)
    assert fast.certificate_name == slow.certificate_name
    np.testing.assert_allclose(fast.coef, slow.coef, atol=1e-5)


def test_rows_known_through_their_gram_matrix_are_certified_by_one_number():
    A, Y, _ = planted(n_targets=3)
    gram = GramDesign(A.T @ A, len(A), target_sq_norm=np.sum(Y**2, axis=0))
    for solver in ("block_descent", "fista"):
        result = solve(gram, A.T @ Y, penalty=RowL2(0.15), solver=solver, tol=1e-10)
        reference = solve(A, Y, penalty=RowL2(0.15), solver=solver, tol=1e-10)
        assert isinstance(result.certificate, float)
        assert result.objective == pytest.approx(reference.objective, rel=1e-8)
        np.testing.assert_allclose(result.coef, reference.coef, atol=1e-5)
