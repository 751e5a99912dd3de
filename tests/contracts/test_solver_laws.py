"""The laws every solver obeys, over the planted problems of `tests.planted`."""

import copy
import itertools
import pickle
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import lsq_linear
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.exceptions import ConvergenceWarning

from sparsecode import GramDesign, Status
from sparsecode._validation import as_design
from sparsecode.designs import KroneckerDesign
from tests._backends import FOREIGN, get, put
from tests.contracts.registry import SOLVERS, named
from tests.planted import planted


def combined(cases=SOLVERS, **axes):
    """Parametrize over all combinations that a solver supports, so that nothing has to be skipped."""
    names = list(axes)
    keep = []
    for case, *values in itertools.product(cases, *axes.values()):
        asked = dict(zip(names, values, strict=True))
        dtype = asked.get("dtype", "complex" if asked.get("complex_") else "real")
        kind = asked.get("kind", "dense").replace("fortran", "dense")
        many = asked.get("n_targets") is None or case.many
        home = case.namespaces or "name" not in asked
        phases = not (case.phaseless and asked.get("complex_target"))  # of a real problem, a magnitude has none
        if kind in case.kinds and (case.complex or "complex" not in dtype) and home and many and phases:
            keep.append(pytest.param(case, *values, id="-".join([case.name, *map(str, values)])))
    return pytest.mark.parametrize(["case", *names], keep)


def that(condition):
    """Parametrize over the solvers that meet a condition."""
    return pytest.mark.parametrize("case", **named([case for case in SOLVERS if condition(case)]))


every_solver = pytest.mark.parametrize("case", **named(SOLVERS))
of_least_squares = that(lambda case: case.squared)
weighted_solvers = that(lambda case: case.weights)
complex_solvers = that(lambda case: case.complex)


def same(case, left, right, scale=None):
    """Whether two coefficient arrays agree to the accuracy of the solver."""
    left, right = get(left), get(right)
    size = np.abs(right).max() if scale is None else scale
    np.testing.assert_allclose(left, right, rtol=0, atol=case.accuracy * max(size, np.finfo(float).tiny))


def in_kind(A, y, kind):
    """The problem with its design as another kind."""
    if kind == "gram":
        return GramDesign(A.conj().T @ A, len(A), target_sq_norm=np.sum(np.abs(y) ** 2, axis=0)), A.conj().T @ y
    convert = {
        "dense": np.asarray,
        "fortran": np.asfortranarray,
        "csc": sp.csc_array,
        "csr": sp.csr_matrix,
        "operator": aslinearoperator,
        "kronecker": lambda A: KroneckerDesign([np.array([[2.0]]), A / 2]),
    }
    return convert[kind](A), y


# ---------------------------------------------------------------- the answer


@every_solver
def test_the_answer_is_certified_and_near_the_planted_one(case):
    A, y, coef = planted()
    result = case.solve(A, y)
    assert result.status is Status.CONVERGED
    assert result.certificate <= result.tol
    top = np.flatnonzero(coef > 0)
    assert set(top) <= set(result.support)


@every_solver
@pytest.mark.parametrize("factor", [1e-9, 1e-3, 1e9])
def test_scaling_the_target_scales_the_coefficients(case, factor):
    A, y, _ = planted()
    one, other = case.solve(A, y), case.solve(A, factor * y, scale=factor)
    assert other.status is Status.CONVERGED
    same(case, other.coef / factor, one.coef)
    np.testing.assert_array_equal(other.support, one.support)


@of_least_squares
@pytest.mark.parametrize("factor", [1e-6, 1e6])
def test_scaling_design_and_target_together_changes_only_the_strength(case, factor):
    A, y, _ = planted()
    other = case.solve(factor * A, factor * y, scale=factor**2)
    assert other.status is Status.CONVERGED
    same(case, other.coef, case.solve(A, y).coef)


@complex_solvers
def test_turning_the_phase_of_the_target_turns_the_coefficients(case):
    A, y, _ = planted(complex_=True)
    phase = np.exp(0.7j)
    same(case, case.solve(A, phase * y).coef, phase * case.solve(A, y).coef)


@every_solver
def test_permuting_the_columns_permutes_the_coefficients(case):
    A, y, _ = planted()
    order = np.random.default_rng(1).permutation(A.shape[1])
    same(case, case.solve(A[:, order], y).coef, case.solve(A, y).coef[order])


@every_solver
def test_permuting_the_samples_changes_nothing(case):
    A, y, _ = planted()
    order = np.random.default_rng(1).permutation(A.shape[0])
    same(case, case.solve(A[order], y[order]).coef, case.solve(A, y).coef)


@that(lambda case: case.many)
def test_many_targets_are_solved_one_by_one(case):
    A, Y, _ = planted(n_targets=3)
    together = case.solve(A, Y)
    assert together.coef.shape == (A.shape[1], 3)
    assert together.support.shape == (A.shape[1], 3)
    assert np.shape(together.certificate) == np.shape(together.objective) == (3,)
    for target in range(3):
        alone = case.solve(A, np.ascontiguousarray(Y[:, target]))
        same(case, together.coef[:, target], alone.coef)
        np.testing.assert_array_equal(np.flatnonzero(together.support[:, target]), alone.support)
        np.testing.assert_allclose(together.objective[target], alone.objective, rtol=1e-6)


@combined(n_targets=[None, 2])
def test_a_zero_target_gives_zeros_converged_without_a_warning(case, n_targets):
    A, Y, _ = planted(n_targets=n_targets)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = case.solve(A, 0 * Y)
    assert result.status is Status.CONVERGED
    assert np.all(result.coef == 0)
    assert np.all(result.certificate == 0)


@that(lambda case: case.many)
def test_a_zero_target_among_others_stays_zero(case):
    A, Y, _ = planted(n_targets=2)
    Y[:, 0] = 0
    result = case.solve(A, Y)
    assert result.status is Status.CONVERGED
    assert np.all(result.coef[:, 0] == 0)
    assert np.any(result.coef[:, 1] != 0)


# ---------------------------------------------------------------- columns that must not matter


@combined(kind=["dense", "csc", "operator", "gram"])
def test_a_zero_column_is_never_selected(case, kind):
    A, y, _ = planted()
    A[:, [0, 7]] = 0
    result = case.solve(*in_kind(A, y, kind))
    assert result.status is Status.CONVERGED
    assert not {0, 7} & set(result.support)
    assert np.all(np.isfinite(result.coef))


@weighted_solvers
def test_an_excluded_column_is_never_selected_and_counts_as_absent(case):
    A, y, coef = planted()
    gone = int(np.flatnonzero(coef)[0])
    weights = np.ones(A.shape[1])
    weights[gone] = np.inf
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        result = case.solve(A, y, penalty_weights=weights)
    assert result.status is Status.CONVERGED
    assert result.coef[gone] == 0
    without = case.solve(np.delete(A, gone, axis=1), y)
    same(case, np.delete(result.coef, gone), without.coef)


@weighted_solvers
def test_an_excluded_column_of_any_size_leaves_no_trace(case):
    A, y, coef = planted()
    B = np.column_stack([A, 1e4 * y])  # it would explain everything
    weights = np.append(np.ones(A.shape[1]), np.inf)
    result = case.solve(B, y, penalty_weights=weights)
    assert result.status is Status.CONVERGED
    assert result.coef[-1] == 0
    same(case, result.coef[:-1], case.solve(A, y).coef)


@that(lambda case: case.weights and case.certificate != "absolute")
def test_a_free_column_is_fitted_by_least_squares(case):
    A, y, coef = planted()
    free = int(np.flatnonzero(coef == 0)[3])
    weights = np.ones(A.shape[1])
    weights[free] = 0.0
    result = case.solve(A, y + 5 * A[:, free], penalty_weights=weights)
    assert result.status is Status.CONVERGED
    assert abs(result.coef[free]) > 3
    residual = y + 5 * A[:, free] - A @ result.coef
    assert abs(A[:, free] @ residual) <= 1e-4 * np.linalg.norm(A[:, free]) * np.linalg.norm(y)


@weighted_solvers
def test_equal_weights_are_no_weights(case):
    A, y, _ = planted()
    np.testing.assert_array_equal(case.solve(A, y, penalty_weights=np.ones(A.shape[1])).coef, case.solve(A, y).coef)


@every_solver
def test_duplicated_columns_end_with_a_status_and_finite_numbers(case):
    A, y, _ = planted()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = case.solve(np.hstack([A, A]), y)
    assert isinstance(result.status, Status)
    assert np.all(np.isfinite(result.coef))
    if case.certificate in ("gap", "support"):  # a local minimum may be another one
        assert result.objective <= case.solve(A, y).objective * (1 + 1e-6)


@every_solver
def test_a_rank_deficient_design_ends_with_a_status_and_finite_numbers(case):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((30, 2)) @ rng.standard_normal((2, 50))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = case.solve(A, rng.standard_normal(30))
    assert isinstance(result.status, Status)
    assert np.all(np.isfinite(result.coef))
    assert np.isfinite(result.objective)
    assert result.certificate >= 0


@every_solver
@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (30, 5)])
def test_every_shape_of_design_is_solved(case, shape):
    rng = np.random.default_rng(0)
    A = rng.standard_normal(shape)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result = case.solve(A, rng.standard_normal(shape[0]))
    assert result.coef.shape == (shape[1],)
    assert np.all(np.isfinite(result.coef))
    assert isinstance(result.status, Status)


# ---------------------------------------------------------------- one problem in many clothes


@combined(kind=["fortran", "csc", "csr", "operator", "kronecker", "gram"], complex_=[False, True])
def test_every_kind_of_design_gives_the_same_answer(case, kind, complex_):
    A, y, _ = planted(complex_=complex_)
    reference = case.solve(A, y)
    result = case.solve(*in_kind(A, y, kind))
    assert result.status is Status.CONVERGED
    same(case, result.coef, reference.coef)
    np.testing.assert_allclose(result.objective, reference.objective, rtol=1e-6)


@combined(name=FOREIGN, n_targets=[None, 3], dtype=["float64", "float32", "complex128", "complex64"])
def test_every_namespace_gives_numpys_answer(case, name, n_targets, dtype):
    A, y, _ = planted(n_targets=n_targets, complex_="complex" in dtype, dtype=dtype)
    reference = case.solve(A, y)
    result = case.solve(put(A, name), put(y, name))
    assert type(result.coef) is type(put(A, name))
    assert str(result.coef.dtype).endswith(dtype)
    single = dtype in ("float32", "complex64")
    np.testing.assert_allclose(get(result.coef), reference.coef, atol=2e-3 if single else 10 * case.accuracy)
    np.testing.assert_array_equal(get(result.support), reference.support) if not single else get(result.support)
    assert result.status is reference.status
    assert isinstance(result.certificate, float if n_targets is None else np.ndarray)


@that(lambda case: case.namespaces and case.weights)
@pytest.mark.parametrize("name", FOREIGN)
def test_penalty_weights_reach_every_namespace(case, name):
    A, y, coef = planted()
    weights = np.random.default_rng(0).uniform(0.5, 2.0, A.shape[1])
    weights[0], weights[1] = 0.0, np.inf
    reference = case.solve(A, y, penalty_weights=weights)
    result = case.solve(put(A, name), put(y, name), penalty_weights=weights)
    np.testing.assert_allclose(get(result.coef), reference.coef, atol=10 * case.accuracy)


@that(lambda case: case.namespaces)
@pytest.mark.parametrize("name", FOREIGN)
def test_sample_weights_reach_every_namespace(case, name):
    A, y, _ = planted()
    weights = np.random.default_rng(0).uniform(0.5, 2.0, len(y))
    reference = case.solve(A, y, sample_weight=weights)
    result = case.solve(put(A, name), put(y, name), sample_weight=weights)
    np.testing.assert_allclose(get(result.coef), reference.coef, atol=10 * case.accuracy)


@that(lambda case: case.namespaces and not case.phaseless)  # whose sign the case takes from the target, graph and all
def test_tensors_that_ask_for_gradients_leave_no_graph_behind(case):
    A, y = (put(part, "torch") for part in planted()[:2])
    reference = case.solve(A, y)
    result = case.solve(A.clone().requires_grad_(), y.clone().requires_grad_())
    assert not result.coef.requires_grad
    np.testing.assert_array_equal(get(result.coef), get(reference.coef))


@every_solver
def test_lists_integers_pandas_and_odd_layouts_are_read(case):
    import pandas as pd

    rng = np.random.default_rng(0)
    A = rng.integers(-5, 6, size=(40, 20))
    y = A[:, 3] * 2 + A[:, 5]
    reference = case.solve(A.astype(float), y.astype(float)).coef
    padded = np.zeros((80, 40))
    padded[::2, ::2] = A
    frozen = A.astype(float)
    frozen.setflags(write=False)
    wide = sp.csr_array(A.astype(float))
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for design in (
        A,
        A.tolist(),
        A.astype(np.int8),
        pd.DataFrame(A),
        padded[::2, ::2],
        frozen,
        wide,
        frozen[::-1][::-1],
    ):
        same(case, case.solve(design, y.tolist()).coef, reference)
    same(case, case.solve(A, pd.Series(y)).coef, reference)
    same(case, case.solve(sp.coo_array(A), y).coef, reference)


@that(lambda case: case.complex and case.circular and not case.phaseless)
def test_a_complex_target_of_no_imaginary_part_gives_the_real_answer(case):
    A, y, _ = planted()
    result = case.solve(A, y.astype(complex))
    assert result.coef.dtype == np.complex128
    same(case, result.coef, case.solve(A, y).coef)


@combined(name=["numpy", *FOREIGN], n_targets=[None, 3], complex_=[True], complex_target=[True])
def test_a_complex_target_on_a_real_design_is_a_complex_problem(case, name, n_targets, complex_, complex_target):
    A, Y, _ = planted(n_targets=n_targets)
    Y = Y + 1j * (A @ planted(n_targets=n_targets, seed=1).coef)  # sparse too: what is not takes long
    result = case.solve(put(A, name), put(Y, name))
    same(case, result.coef, case.solve(A.astype(complex), Y).coef)


@complex_solvers
def test_a_real_target_on_a_complex_design_is_a_complex_problem(case):
    A, y, _ = planted(complex_=True)
    result = case.solve(A, y.real)
    assert result.coef.dtype == np.complex128
    same(case, result.coef, case.solve(A, y.real.astype(complex)).coef)
    operator = case.solve(aslinearoperator(A), y.real) if "operator" in case.kinds else result
    same(case, operator.coef, result.coef)


@combined(dtype=["float32", "complex64"], kind=["dense", "csc", "gram"])
def test_single_precision_in_single_precision_out(case, dtype, kind):
    A, y, _ = planted(complex_=dtype == "complex64")
    result = case.solve(*in_kind(A.astype(dtype), y.astype(dtype), kind))
    assert result.coef.dtype == dtype
    assert result.status is Status.CONVERGED
    assert isinstance(result.certificate, float)
    np.testing.assert_allclose(result.coef, case.solve(A, y).coef, atol=5e-3)


# ---------------------------------------------------------------- what a call leaves behind


@combined(kind=["dense", "csc", "gram"])
def test_inputs_are_never_modified(case, kind):
    A, y, _ = planted()
    given = in_kind(A, y, kind)
    before = copy.deepcopy((A, y, *given))
    case.solve(*given)
    for now, then in zip((A, y, *given), before, strict=True):
        if isinstance(now, GramDesign):
            np.testing.assert_array_equal(now.matrix, then.matrix)
        elif sp.issparse(now):
            np.testing.assert_array_equal(now.toarray(), then.toarray())
        else:
            np.testing.assert_array_equal(now, then)


@that(lambda case: "init" in case.options)
def test_the_start_is_not_modified_and_leads_to_the_same_answer(case):
    A, y, coef = planted()
    start = np.abs(coef)
    before = start.copy()
    result = case.solve(A, y, init=start)
    np.testing.assert_array_equal(start, before)
    same(case, result.coef, case.solve(A, y).coef)
    warm = case.solve(A, y, init=result.coef)
    assert warm.n_iter <= 1
    assert warm.coef is not result.coef


@every_solver
def test_the_same_call_gives_the_same_bits(case):
    A, Y, _ = planted(n_targets=3 if case.many else None)
    first, second = case.solve(A, Y), case.solve(A, Y)
    np.testing.assert_array_equal(first.coef, second.coef)
    np.testing.assert_array_equal(first.certificate, second.certificate)


@every_solver
def test_the_same_bits_come_from_any_thread_of_a_pool(case):
    from joblib import Parallel, delayed

    A, y, _ = planted()
    alone = case.solve(A, y)
    for result in Parallel(n_jobs=3, backend="threading")(delayed(case.solve)(A, y) for _ in range(4)):
        np.testing.assert_array_equal(result.coef, alone.coef)


@that(lambda case: case.threads)
@pytest.mark.parametrize("complex_", [False, True])
def test_the_number_of_threads_does_not_change_a_bit(case, complex_):
    A, Y, _ = planted(20, 30, 3, n_targets=700, complex_=complex_ and case.complex)
    one, two, three = (case.solve(A, Y, n_jobs=n_jobs) for n_jobs in (1, 2, 3))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.coef, three.coef)
    np.testing.assert_array_equal(one.certificate, two.certificate)


@every_solver
def test_a_result_survives_pickling(case):
    A, y, _ = planted()
    result = case.solve(A, y)
    twin = pickle.loads(pickle.dumps(result))
    np.testing.assert_array_equal(twin.coef, result.coef)
    assert (twin.status, twin.certificate, twin.history) == (result.status, result.certificate, result.history)


@every_solver
def test_a_result_is_frozen(case):
    A, y, _ = planted()
    with pytest.raises(AttributeError):
        case.solve(A, y).coef = None


# ---------------------------------------------------------------- how a solve ends


@that(lambda case: case.limit)
def test_an_uncertified_answer_warns_once_and_names_value_and_tolerance(case):
    A, Y, _ = planted(n_targets=2)
    with pytest.warns(ConvergenceWarning) as caught:
        result = case.solve(A, Y, **case.limit)
    assert len(caught) == 1
    assert caught[0].filename == __file__.replace("test_solver_laws", "registry")  # the line that called the solver
    text = str(caught[0].message)
    assert f"{np.max(result.certificate):.3e}" in text
    assert f"{result.tol:.1e}" in text
    assert "2 of 2 targets" in text
    assert result.status.value.split(";")[0] in text  # its remedy may be told more closely
    assert result.status is Status.MAX_ITER
    assert result.n_missed == 2


@that(lambda case: "callback" in case.options)
def test_a_callback_sees_progress_and_may_stop_the_solve(case):
    A, y, _ = planted()
    seen = []
    full = case.solve(A, y, callback=seen.append)
    assert full.status is Status.CONVERGED
    assert [progress.iteration for progress in seen] == full.history["iteration"][:-1]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        stopped = case.solve(A, y, callback=lambda progress: True)
    assert stopped.status is Status.INTERRUPTED


@that(lambda case: "callback" in case.options)
def test_an_exception_in_the_callback_reaches_the_user(case):
    A, y, _ = planted()

    def press_ctrl_c(progress):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        case.solve(A, y, callback=press_ctrl_c)


@that(lambda case: case.limit)
def test_the_history_belongs_to_the_iterations(case):
    A, y, _ = planted()
    history = case.solve(A, y).history
    assert {"iteration", "certificate", "objective", "seconds"} <= set(history)
    lengths = {len(column) for column in history.values()}
    assert len(lengths) == 1
    assert history["iteration"] == sorted(history["iteration"])
    assert history["seconds"] == sorted(history["seconds"])
    if case.descends:
        objective = np.array(history["objective"])
        assert np.all(np.diff(objective) <= 1e-12 * objective[0])


# ---------------------------------------------------------------- certificates


def lasso_gap(A, y, coef, alpha, positive=False):
    """Relative duality gap of ``||y - A coef||^2 / (2 n) + alpha ||coef||_1``, from the definition."""
    n_samples = len(A)
    residual = y - A @ coef
    primal = np.vdot(residual, residual).real / (2 * n_samples) + alpha * np.abs(coef).sum()
    correlation = A.conj().T @ residual / n_samples
    top = correlation.max() if positive else np.abs(correlation).max()
    limit = alpha / top if top > 0 else np.inf
    scale = np.clip(np.vdot(y, residual).real / np.vdot(residual, residual).real, -limit, limit)
    dual = scale * residual / n_samples
    bound = np.vdot(y, dual).real - n_samples / 2 * np.vdot(dual, dual).real
    return (primal - bound) / (np.vdot(y, y).real / (2 * n_samples))


def mcp_stationarity(A, y, coef, alpha):
    """Distance of the negative gradient to the subdifferential of the minimax concave penalty, over its size at zero."""
    gamma = 3 * len(A) / np.max(np.sum(np.abs(A) ** 2, axis=0))
    pull = A.conj().T @ (y - A @ coef) / len(A)
    zero = coef == 0
    phase = coef / np.where(zero, 1, np.abs(coef))
    missed = np.where(zero, np.abs(pull) - alpha, np.abs(pull - phase * np.maximum(alpha - np.abs(coef) / gamma, 0)))
    return max(missed.max(), 0) / np.abs(A.conj().T @ y / len(A)).max()


def fixed_point_residual(A, y, coef, count, kind, positive=False):
    """How far a thresholded step moves the coefficients, relative to their norm: on unit columns, but for a common step length.

    The tuned form chooses the support by the pseudo-inverse.
    """
    size = (
        np.full(A.shape[1], (as_design(A).spectral_sq_norm() / 0.99) ** 0.5)
        if "gradient" in kind
        else np.linalg.norm(A, axis=0)
    )
    unit, here = A / size, size * coef
    residual = y - unit @ here
    moved = here + unit.conj().T @ residual
    rank = here + np.linalg.pinv(unit) @ residual if "tuned" in kind else moved
    kept = np.argsort(-(np.maximum(rank, 0) if positive else np.abs(rank)), kind="stable")[:count]
    kept = kept[moved[kept] > 0] if positive else kept
    after = np.zeros_like(here)
    after[kept] = moved[kept]
    return np.linalg.norm(here - after) / np.linalg.norm(here)


def sign_defect(columns, residual):
    """How nearly the signs of a residual are orthogonal to k columns, those of its k zeros being free in [-1, 1]."""
    zero = np.argsort(np.abs(residual))[: columns.shape[1]]
    fixed = np.sign(residual)
    fixed[zero] = 0
    fixed[zero] = lsq_linear(columns[zero].T, -columns.T @ fixed, bounds=(-1, 1), method="bvls").x
    return np.max(np.abs(columns.T @ fixed) / np.abs(columns).sum(axis=0), initial=0)


def recomputed(case, A, y, coef):
    """The certificate of `coef`, from its definition."""
    from tests.contracts.registry import ALPHA, SPARSITY

    if case.certificate == "gap":
        return lasso_gap(A, y, coef, ALPHA, positive="positive" in case.name)
    if case.phaseless:
        y = np.abs(y) * np.exp(1j * np.angle(A @ coef)) if np.iscomplexobj(A) else np.abs(y) * np.sign(A @ coef)
    if case.certificate == "fixed-point":
        norms = np.linalg.norm(A, axis=0)
        moved = norms * coef + A.conj().T @ (y - A @ coef) / norms
        moved[np.argsort(-np.abs(moved), kind="stable")[SPARSITY:]] = 0
        return np.linalg.norm(moved - norms * coef) / np.linalg.norm(norms * coef)
    if case.certificate == "residual":
        return np.linalg.norm(y - A @ coef) / np.linalg.norm(y)
    if "fixed point" in case.certificate:
        return fixed_point_residual(A, y, coef, SPARSITY, case.certificate, "positive" in case.name)
    if case.certificate == "absolute":
        return sign_defect(A[:, coef != 0], y - A @ coef)
    if case.certificate == "mcp":
        return mcp_stationarity(A, y, coef, ALPHA)
    correlation = np.abs(A.conj().T @ (y - A @ coef))
    support = coef != 0
    if case.certificate == "support":
        return np.max((correlation / np.linalg.norm(A, axis=0))[support], initial=0) / np.linalg.norm(y)
    asked = correlation[support] if support.sum() >= SPARSITY else correlation
    return asked.max() / np.abs(A.conj().T @ y).max()


@combined([case for case in SOLVERS if case.squared], complex_=[False, True], finished=[False, True])
def test_the_certificate_is_what_its_definition_says(case, complex_, finished):
    A, y, _ = planted(complex_=complex_)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        result = case.solve(A, y, **({} if finished else case.limit))
    expected = recomputed(case, A, y, result.coef)
    np.testing.assert_allclose(result.certificate, expected, rtol=1e-6, atol=1e-14)


@of_least_squares
def test_a_single_precision_certificate_is_computed_in_double_precision(case):
    A, y, _ = planted(dtype="float32")
    result = case.solve(A, y)
    wide = [values.astype(np.float64) for values in (A, y, result.coef)]
    np.testing.assert_allclose(result.certificate, recomputed(case, *wide), rtol=1e-5, atol=1e-12)


# ---------------------------------------------------------------- bad input


def _lazy(values):
    return pytest.importorskip("dask.array").from_array(values)


def _with(values, index, what):
    values = values.copy()
    values[index] = what
    return values


BAD = {
    "NaN in A": (lambda A, y: (_with(A, (2, 3), np.nan), y), r"A contains NaN or infinity"),
    "inf in A": (lambda A, y: (_with(A, (2, 3), np.inf), y), r"A contains NaN or infinity"),
    "NaN in sparse A": (lambda A, y: (sp.csc_array(_with(A, (2, 3), np.nan)), y), r"A contains NaN or infinity"),
    "inf in y": (lambda A, y: (A, _with(y, 4, -np.inf)), r"y contains NaN or infinity"),
    "empty A": (lambda A, y: (A[:0], y[:0]), r"A is empty"),
    "A without columns": (lambda A, y: (A[:, :0], y), r"A is empty"),
    "A of one dimension": (lambda A, y: (A[:, 0], y), r"A has shape .* two-dimensional"),
    "A of three dimensions": (lambda A, y: (A[None], y), r"A has shape .* two-dimensional"),
    "short y": (lambda A, y: (A, y[:-1]), r"y has shape \(59,\).*design has shape \(60, 80\)"),
    "y of three dimensions": (lambda A, y: (A, y[:, None, None]), r"y has shape"),
    "y without targets": (lambda A, y: (A, np.empty((len(A), 0))), r"y has shape"),
    "sparse y": (lambda A, y: (A, sp.csc_array(y[:, None])), r"y is sparse.*toarray"),
    "A of words": (lambda A, y: (np.full(A.shape, "word"), y), r"A has dtype .*must hold numbers"),
    "ragged A": (lambda A, y: ([[1.0, 2.0], [3.0]], y), r"A cannot be read as an array of numbers"),
    "dask A": (lambda A, y: (_lazy(A), y), r"A is a dask collection.*compute\(\)"),
    "dask y": (lambda A, y: (A, _lazy(y)), r"y is a dask collection.*compute\(\)"),
    "operator without rmatvec": (
        lambda A, y: (LinearOperator(A.shape, matvec=lambda coef: A @ coef, dtype=A.dtype), y),
        r"A is a LinearOperator without rmatvec.*rmatvec=",
    ),
    "strict y on NumPy A": (
        lambda A, y: (A, put(y, "array_api_strict")),
        r"y is a.*array_api_strict.*of the same kind",
    ),
    "NumPy y on torch A": (lambda A, y: (put(A, "torch"), y), r"y is a.*numpy.*torch.*of the same kind"),
}


@every_solver
@pytest.mark.parametrize("fault", BAD)
def test_bad_data_gets_an_error_that_names_the_argument_and_the_fix(case, fault):
    A, y, _ = planted()
    spoil, text = BAD[fault]
    with pytest.raises(ValueError, match=text):
        case.solve(*spoil(A, y))


BAD_OPTIONS = [
    ("max_iter", 0),
    ("max_iter", 2.5),
    ("max_iter", True),
    ("tol", -1e-3),
    ("tol", np.nan),
    ("tol", "small"),
    ("init", np.zeros(3)),
    ("init", np.full(80, np.nan)),
]


@pytest.mark.parametrize(
    ("case", "option", "value"),
    [
        pytest.param(case, option, value, id=f"{case.name}-{option}-{np.ravel(value)[0]}")
        for case in SOLVERS
        for option, value in BAD_OPTIONS
        if option in case.options
    ],
)
def test_a_bad_option_gets_an_error_that_names_it(case, option, value):
    A, y, _ = planted()
    with pytest.raises(ValueError, match=option):
        case.solve(A, y, **{option: value})


@weighted_solvers
@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(80), np.full(80, np.nan), np.ones((80, 2))])
def test_bad_penalty_weights_get_an_error_that_names_them(case, weights):
    A, y, _ = planted()
    with pytest.raises(ValueError, match="penalty_weights"):
        case.solve(A, y, penalty_weights=weights)


@every_solver
@pytest.mark.parametrize("weights", [np.ones(3), -np.ones(60), np.full(60, np.nan), np.zeros(60)])
def test_bad_sample_weights_get_an_error_that_names_them(case, weights):
    A, y, _ = planted()
    with pytest.raises(ValueError, match="sample_weight"):
        case.solve(A, y, sample_weight=weights)


@every_solver
def test_a_sample_of_integer_weight_counts_that_often(case):
    A, y, _ = planted()
    weights = np.random.default_rng(0).integers(0, 4, len(A))
    repeated = case.solve(np.repeat(A, weights, axis=0), np.repeat(y, weights))
    result = case.solve(A, y, sample_weight=weights)
    assert result.status is Status.CONVERGED
    same(case, result.coef, repeated.coef)


@that(lambda case: not case.complex)
def test_a_complex_problem_is_refused_where_it_makes_no_sense(case):
    A, y, _ = planted(complex_=True)
    with pytest.raises(ValueError, match="complex"):
        case.solve(A, y)
