"""Kronecker-structured sparse Bayesian learning against algebra with the product written out, and against what it generalises."""

from functools import reduce

import numpy as np
import pytest
from scipy.optimize import nnls
from sklearn.exceptions import ConvergenceWarning

from sparsecode import KroneckerDesign, KroneckerSBL, Status, kronecker_sbl, omp
from sparsecode._array import to_numpy
from sparsecode.solvers.bayesian.kronecker import solve_kronecker_sbl
from sparsecode.solvers.bayesian.kronecker_model import KroneckerModel
from sparsecode.solvers.bayesian.kronecker_review import _Coefficients
from sparsecode.solvers.belief import Belief
from tests._backends import FOREIGN, get, put

SHAPES = (4, 5), (5, 6), (6, 7)


def problem(shapes=SHAPES, n_nonzero=2, noise=0.02, complex_=False, n_targets=None, seed=0):
    """Factors of unit columns, a target, and coefficients whose support is a product."""
    rng = np.random.default_rng(seed)

    def gaussian(*shape):
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape)) / np.sqrt(2) if complex_ else values

    factors = [gaussian(*shape) for shape in shapes]
    factors = [factor / np.linalg.norm(factor, axis=0) for factor in factors]
    masks = [np.isin(np.arange(shape[1]), rng.choice(shape[1], n_nonzero, replace=False)) for shape in shapes]
    x = reduce(np.kron, masks)[:, None] * gaussian(int(np.prod([shape[1] for shape in shapes])), n_targets or 1)
    y = reduce(np.kron, factors) @ x
    y = y + noise * gaussian(*y.shape)
    return (factors, y, x) if n_targets else (factors, y[:, 0], x[:, 0])


def dense_moments(A, Y, g, s):
    """Mean, variances, log evidence and the next noise variance, by inverses."""
    C = s * np.eye(len(A)) + (A * g) @ A.conj().T
    inverse = np.linalg.inv(C)
    mean = g[:, None] * (A.conj().T @ inverse @ Y)
    covariance = np.diag(g) - (g[:, None] * A.conj().T) @ inverse @ (A * g)
    factor = 1.0 if np.iscomplexobj(A) else 0.5
    norm = np.pi if np.iscomplexobj(A) else 2 * np.pi
    quadratic = np.real(np.trace(Y.conj().T @ inverse @ Y))
    evidence = -factor * (Y.shape[1] * (len(A) * np.log(norm) + np.linalg.slogdet(C)[1]) + quadratic)
    misfit = np.mean(np.sum(np.abs(Y - A @ mean) ** 2, axis=0)) + np.real(np.trace(A @ covariance @ A.conj().T))
    return mean, np.real(np.diag(covariance)), evidence, misfit / len(A)


def naive(factors, Y, iterations, method, noise):
    """The algorithm from its definition, on the product written out, without pruning; axes one after another."""
    A = reduce(np.kron, factors)
    shape = [factor.shape[1] for factor in factors]
    s = 0.1 * np.mean(np.abs(Y) ** 2) if noise is None else noise
    power = np.sum(np.abs(A) ** 2) / len(A)
    g = [np.ones(size) for size in shape]
    g[-1] = g[-1] * np.mean(np.abs(Y) ** 2) / power
    for iteration in range(iterations + 1):
        mean, variance, evidence, next_noise = dense_moments(A, Y, reduce(np.kron, g), s)
        if iteration == iterations:
            return mean, variance, evidence, g, s
        second = (variance + np.mean(np.abs(mean) ** 2, axis=1)).reshape(shape)
        if method == "am":
            for axis in range(len(shape)):
                rest = [np.ones(size) if j == axis else g[j] for j, size in enumerate(shape)]
                ratio = second / reduce(np.multiply.outer, rest)
                g[axis] = ratio.mean(axis=tuple(j for j in range(len(shape)) if j != axis))
        else:
            g = [np.ones(size) for size in shape]
            for _ in range(200):  # the nearest tensor of rank one, by least squares in one factor after another
                g[0] = np.einsum("ijk,j,k->i", second, g[1], g[2]) / (g[1] @ g[1] * (g[2] @ g[2]))
                g[1] = np.einsum("ijk,i,k->j", second, g[0], g[2]) / (g[0] @ g[0] * (g[2] @ g[2]))
                g[2] = np.einsum("ijk,i,j->k", second, g[0], g[1]) / (g[0] @ g[0] * (g[1] @ g[1]))
        s = next_noise if noise is None else s


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("noise", [None, 0.003])
@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["am", "svd"])
def test_iterations_are_those_of_the_product_written_out(method, complex_, noise):
    factors, Y, _ = problem(complex_=complex_, n_targets=2)
    known = "learn" if noise is None else noise
    found = kronecker_sbl(factors, Y, method=method, noise_variance=known, prune=0.0, max_iter=10, tol=0)
    mean, variance, evidence, g, s = naive(factors, Y, 10, method, noise)
    accuracy = 1e-9 if method == "am" else 1e-4  # where the search for rank one is stopped
    np.testing.assert_allclose(found.coef, mean, atol=accuracy)
    np.testing.assert_allclose(found.variance[:, 1], variance, atol=accuracy)
    np.testing.assert_allclose(found.log_evidence, evidence, rtol=accuracy)
    np.testing.assert_allclose(found.noise_variance, s, rtol=10 * accuracy)
    np.testing.assert_allclose(reduce(np.kron, found.parameters["prior_variances"]), reduce(np.kron, g), atol=accuracy)
    np.testing.assert_allclose([np.linalg.norm(part) for part in found.parameters["prior_variances"][:-1]], 1.0)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("max_iter", [1, 5, 10, 20])
def test_the_certificate_is_what_one_more_iteration_changes(max_iter):
    factors, y, _ = problem(noise=0.3)
    found = kronecker_sbl(factors, y, method="am", prune=0.0, max_iter=max_iter, tol=0)
    before, s = found.parameters["prior_variances"], found.noise_variance
    mean, variance, _, noise = dense_moments(reduce(np.kron, factors), y[:, None], reduce(np.kron, before), s)
    second = (variance + mean[:, 0] ** 2).reshape([factor.shape[1] for factor in factors])
    after = list(before)
    for axis in range(3):
        rest = [np.ones(part.size) if j == axis else part for j, part in enumerate(after)]
        ratio = second / reduce(np.multiply.outer, rest)
        after[axis] = ratio.mean(axis=tuple(j for j in range(3) if j != axis))
    total = np.prod([np.linalg.norm(part) for part in after])
    after = [part / np.linalg.norm(part) for part in after]
    after[-1] = after[-1] * total
    changes = [np.linalg.norm(new - old) / np.linalg.norm(old) for new, old in zip(after, before, strict=True)]
    np.testing.assert_allclose(found.certificate, max(*changes, abs(noise / s - 1)), rtol=1e-6)
    if max_iter == 1:
        assert abs(noise / s - 1) > max(changes)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_jumps_end_where_sure_steps_do_in_far_fewer_iterations(monkeypatch):
    for seed in range(2):
        factors, y, _ = problem(seed=seed, noise=0.5)
        jumped = kronecker_sbl(factors, y, method="am", prune=5e-3)
        with monkeypatch.context() as patch:
            patch.setattr(KroneckerModel, "may_jump", False)
            sure = kronecker_sbl(factors, y, method="am", prune=5e-3)
        assert jumped.status is Status.CONVERGED
        assert jumped.n_iter < 0.5 * sure.n_iter
        assert jumped.objective < sure.objective + 0.5


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["am", "svd"])
def test_the_planted_tensor_is_found(method, complex_):
    factors, y, x = problem(complex_=complex_)
    found = kronecker_sbl(factors, y, method=method)
    assert found.status is Status.CONVERGED
    assert set(np.flatnonzero(x)) <= set(found.support)
    columns = reduce(np.kron, factors)[:, x != 0]
    oracle = np.linalg.lstsq(columns, y)[0]
    assert np.linalg.norm(found.coef - x) < 3 * np.linalg.norm(oracle - x[x != 0]) + 1e-3
    assert 0.5 < found.noise_variance / 0.02**2 < 1.5


def evidence(A, y, g, s):
    return dense_moments(A, y[:, None], reduce(np.kron, g), s)[2]


@pytest.mark.parametrize("complex_", [False, True])
@pytest.mark.parametrize("method", ["am", "svd"])
def test_every_index_in_use_is_worth_three_nats_and_no_other(method, complex_):
    for seed in (0, 2):
        factors, y, x = problem(complex_=complex_, seed=seed)
        A = reduce(np.kron, factors)
        found = kronecker_sbl(factors, y, method=method)
        np.testing.assert_array_equal(found.support, np.flatnonzero(x))
        g, s = found.parameters["prior_variances"], found.noise_variance
        best = evidence(A, y, g, s)
        for axis in range(3):
            for index in range(g[axis].size):
                gains = []
                for value in [0.0] if g[axis][index] else np.max(g[axis]) * np.geomspace(1e-6, 1, 25):
                    other = [part.copy() for part in g]
                    other[axis][index] = value
                    gains.append(evidence(A, y, other, s) - best)
                assert max(gains) < (-3 if g[axis][index] else 3.3)  # neither steps nor iterations are exact


@pytest.mark.parametrize("complex_", [False, True])
def test_what_indices_are_worth_is_exact_for_a_single_factor(complex_):
    factors, y, _ = problem(((12, 20),), n_nonzero=4, complex_=complex_)
    model = KroneckerModel(KroneckerDesign(factors), y, "svd", (0.0,), None, len(y))
    A, target = to_numpy(model.factors[0]), model.target[:, 0]
    place, spare = np.array([1, 4, 7, 9, 15]), np.array([0, 2, 18])
    g, s = np.array([0.3, 0.1, 0.7, 1e-3, 0.2]), 0.05
    coefficients = _Coefficients(model, [g], s, [place])
    here = evidence(A[:, place], target, [g], s)
    losses = [here - evidence(A[:, np.delete(place, k)], target, [np.delete(g, k)], s) for k in range(5)]
    np.testing.assert_allclose(coefficients.losses(0), losses, rtol=1e-8)
    tried = np.array([2.0, 0.3, 0.01])
    gains = [[evidence(A[:, [*place, n]], target, [np.append(g, v)], s) for n in spare] for v in tried]
    row, column = np.unravel_index(np.argmax(gains), (3, 3))
    assert coefficients.most_promising(0, spare, tried) == (column, tried[row])


def test_the_certificate_sees_a_mean_that_is_not_the_posteriors():
    factors, y, _ = problem()
    found = kronecker_sbl(factors, y)
    model = KroneckerModel(KroneckerDesign(factors), y, "svd", (0.0,) * 3, None, len(y))
    belief = Belief(found.coef, found.variance, found.noise_variance, found.log_evidence, None, found.parameters)
    np.testing.assert_allclose(model.certify(belief).value, found.certificate, atol=1e-10)
    moved = belief.mean.copy()
    moved[found.support[0]] += 0.1 * np.max(np.abs(moved))
    np.testing.assert_allclose(model.certify(belief._replace(mean=moved)).value, 0.1, rtol=0.2)


def test_an_index_that_was_dropped_comes_back(monkeypatch):
    factors, y, x = problem()
    whole, start = kronecker_sbl(factors, y), KroneckerModel.start
    lost = np.unravel_index(np.flatnonzero(x)[0], [factor.shape[1] for factor in factors])

    def poor(model):
        variances, noise = start(model)
        for variance, index in zip(variances, lost, strict=True):
            variance[index] = 0.0
        return variances, noise

    monkeypatch.setattr(KroneckerModel, "start", poor)
    found = kronecker_sbl(factors, y)
    np.testing.assert_array_equal(found.support, whole.support)
    np.testing.assert_allclose(found.objective, whole.objective, atol=0.05)
    assert not set(whole.support) <= set(kronecker_sbl(factors, y, prune=1e-3).support)


def test_the_evidence_never_falls_with_exact_updates():
    for seed in range(4):
        factors, y, _ = problem(seed=seed, noise=0.1)
        found = kronecker_sbl(factors, y, method="am", prune=0.0, max_iter=1000, tol=1e-7)
        assert found.status is Status.CONVERGED
        assert np.all(np.diff(found.history["objective"]) <= 1e-8)
        assert found.history["objective"][-1] < found.history["objective"][0] - 10


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_jump_that_lowers_the_evidence_is_undone(monkeypatch):
    factors, y, _ = problem()
    settings, jumps = {"method": "am", "prune": 0.0, "noise_variance": 4e-4, "tol": 1e-7}, []
    with monkeypatch.context() as patch:
        patch.setattr(KroneckerModel, "may_jump", False)
        sure = kronecker_sbl(factors, y, **settings, max_iter=90)

    def worse(model, found, variances):
        jumps.append(1)
        return [*variances[:-1], 50.0 * variances[-1]]

    monkeypatch.setattr(KroneckerModel, "jumped", worse)
    found = kronecker_sbl(factors, y, **settings, max_iter=200)
    assert jumps
    assert np.all(np.diff(found.history["objective"]) <= 1e-8)
    assert found.history["objective"][-1] <= sure.history["objective"][-1] + 1e-8


@pytest.mark.parametrize("method", ["am", "svd"])
def test_one_factor_is_sparse_bayesian_learning_by_expectation_maximisation(method):
    factors, y, _ = problem(shapes=((12, 20),))
    A, s = factors[0], 0.01
    g = np.full(20, np.mean(y**2) / (np.sum(A**2) / len(A)))
    for _ in range(10):  # the first jump is later
        mean, variance, evidence, _ = dense_moments(A, y[:, None], g, s)
        g = variance + mean[:, 0] ** 2
    with pytest.warns(ConvergenceWarning):
        found = kronecker_sbl(A, y, method=method, noise_variance=s, prune=0.0, max_iter=10, tol=1e-12)
    mean, _, evidence, _ = dense_moments(A, y[:, None], g, s)
    np.testing.assert_allclose(found.coef, mean[:, 0], atol=1e-10)
    np.testing.assert_allclose(found.parameters["prior_variances"][0], g, rtol=1e-8)


def test_a_rank_one_second_moment_makes_both_methods_one():
    factors = [np.eye(3), np.eye(4)]  # white factors and a rank-one |y|^2: the posterior is nearly rank one itself
    y = np.kron([1.0, 3.0, 2.0], [2.0, 1.0, 1.0, 4.0])
    settings = {"noise_variance": 1e-9, "prune": 0.0, "tol": 1e-7}
    am, svd = (kronecker_sbl(factors, y, method=method, **settings) for method in ("am", "svd"))
    for one, other in zip(am.parameters["prior_variances"], svd.parameters["prior_variances"], strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-6)
    np.testing.assert_allclose(np.kron(*am.parameters["prior_variances"]), y**2, rtol=1e-6)


def test_permuting_the_modes_permutes_the_coefficients():
    factors, y, _ = problem()
    sizes = [len(factor) for factor in factors]
    turned = y.reshape(sizes).transpose(2, 0, 1).ravel()
    for method, accuracy in (("am", 1e-2), ("svd", 1e-2)):  # axes are updated, and unfolded, in their order
        one = kronecker_sbl(factors, y, method=method, tol=1e-5, max_iter=5_000)
        other = kronecker_sbl([factors[2], factors[0], factors[1]], turned, method=method, tol=1e-5, max_iter=5_000)
        tensor = one.coef.reshape([factor.shape[1] for factor in factors]).transpose(2, 0, 1)
        assert np.linalg.norm(other.coef - tensor.ravel()) < accuracy * np.linalg.norm(one.coef)


def test_permuting_and_scaling_columns_of_a_factor_permutes_and_scales_coefficients():
    factors, y, _ = problem()
    order = np.random.default_rng(0).permutation(6)
    one = kronecker_sbl(factors, y)
    other = kronecker_sbl([factors[0], factors[1][:, order], factors[2]], y)
    sizes = [factor.shape[1] for factor in factors]
    np.testing.assert_allclose(other.coef.reshape(sizes), one.coef.reshape(sizes)[:, order], atol=1e-8)


@pytest.mark.parametrize("method", ["am", "svd"])
@pytest.mark.parametrize("coupling", [None, 0.3])
def test_the_scale_of_single_columns_is_immaterial(method, coupling):
    factors, y, _ = problem(complex_=True, n_targets=2, noise=0.1)
    rng = np.random.default_rng(1)
    scales = [10 ** rng.uniform(-3, 3, factor.shape[1]) for factor in factors]
    plain = kronecker_sbl(factors, y, method=method, coupling=coupling, tol=1e-3)
    changed = [factor * scale for factor, scale in zip(factors, scales, strict=True)]
    scaled = kronecker_sbl(changed, y, method=method, coupling=coupling, tol=1e-3)
    scale = reduce(np.kron, scales)[:, None]
    np.testing.assert_allclose(scale * scaled.coef, plain.coef, atol=1e-6)
    np.testing.assert_allclose(scale**2 * scaled.variance, plain.variance, atol=1e-6)
    np.testing.assert_allclose(scaled.noise_variance, plain.noise_variance, rtol=1e-6)
    np.testing.assert_allclose(scaled.log_evidence, plain.log_evidence, rtol=1e-8)
    np.testing.assert_allclose(scaled.certificate, plain.certificate, rtol=1e-3)
    g, wanted = (reduce(np.kron, found.parameters["prior_variances"]) for found in (scaled, plain))
    np.testing.assert_allclose(scale[:, 0] ** 2 * g, wanted, atol=1e-6 * wanted.max())
    for part in scaled.parameters["prior_variances"][:-1]:
        np.testing.assert_allclose(np.linalg.norm(part), 1)


def test_columns_of_many_sizes_in_one_factor_are_fitted():
    rng = np.random.default_rng(0)
    sizes = np.geomspace(1, 100, 10)
    B = rng.standard_normal((100, 10)) * sizes
    y = B @ (1 / sizes) + 0.01 * rng.standard_normal(100)
    for method in ("am", "svd"):
        model = KroneckerSBL(method=method).fit(B, y)
        assert model.score(B, y) > 0.9999
        np.testing.assert_allclose(model.coef_ * sizes, 1, atol=0.01)


@pytest.mark.parametrize("method", ["am", "svd"])
def test_a_small_coefficient_above_the_noise_is_kept(method):
    """Two hundredths of the largest, 46 dB above the noise."""
    rng = np.random.default_rng(0)
    A, x = rng.standard_normal((60, 30)), np.zeros(30)
    x[[3, 9]] = [1, 0.02]
    found = kronecker_sbl([A], A @ x + 1e-4 * rng.standard_normal(60), method=method)
    np.testing.assert_array_equal(found.support, [3, 9])
    np.testing.assert_allclose(found.coef[9], 0.02, rtol=0.01)


@pytest.mark.parametrize("method", ["am", "svd"])
def test_coupled_variances_are_a_step_to_the_nearest_coupled_ones(method):
    factors, y, _ = problem(shapes=((4, 5), (5, 6)), noise=0.2)
    run = {"method": method, "noise_variance": 0.04, "prune": 0.0, "tol": 0}
    with pytest.warns(ConvergenceWarning):
        found = kronecker_sbl(factors, y, coupling=[0.0, 0.6], max_iter=1, **run)
    with pytest.warns(ConvergenceWarning):
        wanted = kronecker_sbl(factors, y, max_iter=1, **run).parameters["prior_variances"]
    coupling = np.eye(6) + 0.6 * (np.eye(6, k=1) + np.eye(6, k=-1))
    direction = coupling @ nnls(coupling, wanted[1])[0] + 1e-5 * wanted[1].max()
    got = found.parameters["prior_variances"]
    np.testing.assert_allclose(got[1] / np.linalg.norm(got[1]), direction / np.linalg.norm(direction), rtol=1e-6)
    np.testing.assert_allclose(got[0] / np.linalg.norm(got[0]), wanted[0] / np.linalg.norm(wanted[0]), rtol=1e-6)


def one_block_an_axis(seed):
    """Neighbours that are not zero on each of three axes, in noise of 20 dB."""
    rng = np.random.default_rng(seed)
    factors = [rng.standard_normal(shape) for shape in ((6, 18), (9, 18), (9, 18))]
    factors = [factor / np.linalg.norm(factor, axis=0) for factor in factors]
    parts = np.zeros((3, 18))
    for part, size in zip(parts, (3, 4, 4), strict=True):
        first = rng.integers(0, 18 - size)
        part[first : first + size] = rng.standard_normal(size)
    x = reduce(np.kron, parts)
    y = reduce(np.kron, factors) @ x
    return factors, y + 0.1 * np.sqrt(np.mean(y**2)) * rng.standard_normal(y.size), x


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_coupling_helps_exact_updates_to_find_blocks():
    def error(seed, coupling):
        factors, y, x = one_block_an_axis(seed)
        found = kronecker_sbl(factors, y, method="am", coupling=coupling)
        return np.sum((found.coef - x) ** 2) / np.sum(x**2)

    plain, coupled = ([error(seed, coupling) for seed in range(4)] for coupling in (None, 0.8))
    assert np.median(coupled) < np.median(plain)


@pytest.mark.parametrize("snr", [5, 15, 30])
def test_it_beats_kronecker_pursuit_and_plain_sparse_bayesian_learning(snr):
    errors = {"svd": [], "omp": [], "plain": []}
    for seed in range(5):
        factors, clean, x = problem(((5, 8), (6, 8), (7, 8)), n_nonzero=2, noise=0.0, seed=seed)
        s = np.mean(clean**2) * 10 ** (-snr / 10)
        y = clean + np.sqrt(s) * np.random.default_rng(seed).standard_normal(clean.size)
        design = KroneckerDesign(factors)
        A, g = reduce(np.kron, factors), np.full(x.size, np.mean(y**2))
        for _ in range(60):  # MacKay's fixed point
            mean, variance, _, _ = dense_moments(A, y[:, None], g, s)
            g = mean[:, 0] ** 2 / np.maximum(1 - variance / np.maximum(g, 1e-300), 1e-12)
        for name, coef in (
            ("svd", kronecker_sbl(design, y).coef),
            ("omp", omp(design, y, n_nonzero=8).coef),
            ("plain", mean[:, 0]),
        ):
            errors[name].append(np.sum((coef - x) ** 2) / np.sum(x**2))
    assert np.median(errors["svd"]) < min(np.median(errors["omp"]), np.median(errors["plain"]))


@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("method", ["am", "svd"])
def test_every_namespace_gives_numpys_answer(name, method):
    factors, Y, _ = problem(n_targets=2, complex_=True)
    expected = kronecker_sbl(factors, Y, method=method, coupling=0.2)
    found = kronecker_sbl([put(factor, name) for factor in factors], put(Y, name), method=method, coupling=0.2)
    assert type(found.coef) is type(put(Y, name))
    np.testing.assert_allclose(get(found.coef), expected.coef, atol=1e-7)
    np.testing.assert_allclose(get(found.variance), expected.variance, atol=1e-7)


def test_single_precision_comes_back_single():
    factors, y, _ = problem()
    found = kronecker_sbl([factor.astype(np.float32) for factor in factors], y.astype(np.float32))
    assert found.coef.dtype == found.variance.dtype == np.float32
    np.testing.assert_allclose(found.coef, kronecker_sbl(factors, y).coef, atol=1e-4)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"method": "em"}, "method must be 'svd' or 'am'"),
        ({"coupling": [0.5]}, "coupling has 1 entries; it needs one for each of the 3"),
        ({"coupling": 2.0}, "coupling must be"),
        ({"noise_variance": 0.0}, "noise_variance must be greater than 0"),
        ({"noise_variance": "guess"}, "noise_variance"),
        ({"prune": -1.0}, "prune must be"),
        ({"sample_weight": np.arange(120.0)}, "sample_weight is not possible with several factors"),
    ],
)
def test_bad_arguments_get_an_error_that_names_them(change, text):
    factors, y, _ = problem()
    with pytest.raises(ValueError, match=text):
        kronecker_sbl(factors, y, **change)


def test_a_target_of_another_shape_gets_an_error():
    factors, y, _ = problem()
    with pytest.raises(ValueError, match=r"y has shape \(119,\)"):
        kronecker_sbl(factors, y[1:])


def test_zero_targets_zero_factors_and_zero_columns_end_well():
    factors, y, _ = problem()
    for noise in ("learn", 0.1):
        for found in (
            kronecker_sbl(factors, 0 * y, noise_variance=noise),
            kronecker_sbl([0 * factors[0], *factors[1:]], y, noise_variance=noise),
        ):
            assert found.status is Status.CONVERGED
            assert np.all(found.coef == 0)
            assert np.isfinite(found.log_evidence)
    gone = factors[0].copy()
    gone[:, 1] = 0
    found = kronecker_sbl([gone, *factors[1:]], y)
    assert np.all(found.coef.reshape(5, -1)[1] == 0)
    assert np.all(np.isfinite(found.coef))


def test_weights_count_copies_of_a_sample():
    factors, y, _ = problem(shapes=((12, 20),), noise=0.3)
    counts = np.where(np.arange(12) < 5, 2, 1)
    weighted = kronecker_sbl(factors, y, sample_weight=counts)
    copied = kronecker_sbl([np.repeat(factors[0], counts, axis=0)], np.repeat(y, counts))
    np.testing.assert_allclose(weighted.coef, copied.coef, atol=1e-9)
    np.testing.assert_allclose(weighted.noise_variance, copied.noise_variance)
    np.testing.assert_allclose(weighted.log_evidence, copied.log_evidence)


def test_weights_that_sum_to_less_than_one_are_refused():
    factors, y, _ = problem(shapes=((12, 20),), noise=0.3)
    weights = np.full(12, 1 / 24)
    with pytest.raises(ValueError, match=r"sample_weight sums to 0.5.*mean of one"):
        kronecker_sbl(factors, y, sample_weight=weights)
    with pytest.raises(ValueError, match=r"sample_weight sums to 0.5.*mean of one"):
        KroneckerSBL().fit(factors[0], y, sample_weight=weights)


@pytest.mark.parametrize("method", ["am", "svd"])
def test_what_nothing_can_explain_is_noise_at_once(method):
    """The decay of expectation maximisation towards zero would never end."""
    factors, y, _ = problem()
    strong = 2 * np.max((reduce(np.kron, factors).T @ y) ** 2)
    found = kronecker_sbl(factors, y, method=method, noise_variance=strong)
    assert found.status is Status.CONVERGED
    assert np.all(found.coef == 0)
    np.testing.assert_allclose(found.log_evidence, dense_moments(np.eye(y.size), y[:, None], 0 * y, strong)[2])
    orthogonal = kronecker_sbl([np.eye(4)[:, :2], np.eye(3)], np.eye(12)[11], method=method)
    assert orthogonal.status is Status.CONVERGED
    np.testing.assert_allclose(orthogonal.noise_variance, 1 / 12)


@pytest.mark.parametrize("method", ["am", "svd"])
@pytest.mark.parametrize("size", [1e-100, 1e-30, 1e30, 1e100])
def test_sizes_of_targets_and_factors_are_immaterial(method, size):
    factors, y, _ = problem()
    plain = kronecker_sbl(factors, y, method=method)
    grown = kronecker_sbl(factors, size * y, method=method)
    np.testing.assert_allclose(grown.coef / size, plain.coef, atol=1e-9)
    np.testing.assert_allclose(grown.noise_variance / size / size, plain.noise_variance)
    np.testing.assert_allclose(grown.log_evidence, plain.log_evidence - y.size * np.log(size))
    assert grown.status is plain.status
    for place in range(3):
        changed = [size * factor if i == place else factor for i, factor in enumerate(factors)]
        np.testing.assert_allclose(size * kronecker_sbl(changed, y, method=method).coef, plain.coef, atol=1e-9)


def test_data_whose_squares_are_no_numbers_are_refused():
    factors, y, _ = problem()
    for size in (1e-160, 1e-150, 1e150, 1e160):
        with pytest.raises(ValueError, match="y has a target"):
            kronecker_sbl(factors, size * y)
        with pytest.raises(ValueError, match="factor 0 of A has a column"):
            kronecker_sbl([size * factors[0], *factors[1:]], y)
    for size in (1e-60, 1e60):  # each of them would do, their product does not
        with pytest.raises(ValueError, match="the columns of A have norms"):
            kronecker_sbl([size * factor for factor in factors], y)
    with pytest.raises(ValueError, match="coefficients of size 1e"):
        kronecker_sbl([1e-30 * factor for factor in factors], 1e50 * y)
    with pytest.raises(ValueError, match="range of float32"):
        kronecker_sbl([np.float32(factor) for factor in factors], np.float32(1e25 * y))


@pytest.mark.parametrize("method", ["am", "svd"])
@pytest.mark.parametrize("noise", [1e-300, 1e-20])
def test_tall_factors_without_noise_end_with_finite_numbers(method, noise):
    """The data lie outside of what the factors span: rounding alone would decide on a smaller noise."""
    rng = np.random.default_rng(0)
    factors, y = [rng.standard_normal((9, 4)), rng.standard_normal((8, 3))], rng.standard_normal(72)
    found = solve_kronecker_sbl(factors, y, method=method, noise_variance=noise, max_iter=20)
    assert np.all(np.isfinite(found.coef))
    assert np.isfinite(found.log_evidence)
    np.testing.assert_allclose(found.noise_variance, 1e-12 * np.mean(y**2))


@pytest.mark.parametrize("return_to", ["design", "matrix"])
def test_the_estimator_predicts_with_the_exact_spread(return_to):
    factors, y, _ = problem(noise=0.1)
    model = KroneckerSBL().fit(KroneckerDesign(factors), y)
    new = [np.random.default_rng(1).standard_normal((2, factor.shape[1])) for factor in factors]
    mean, std = model.predict(KroneckerDesign(new), return_std=True)
    A, B, s = reduce(np.kron, factors), reduce(np.kron, new), model.noise_variance_
    g = reduce(np.kron, model.prior_variances_)
    covariance = np.diag(g) - (g[:, None] * A.T) @ np.linalg.inv(s * np.eye(len(A)) + (A * g) @ A.T) @ (A * g)
    np.testing.assert_allclose(mean, B @ model.coef_, atol=1e-10)
    np.testing.assert_allclose(std**2, np.einsum("ij,jk,ik->i", B, covariance, B) + s, rtol=1e-8)
    if return_to == "matrix":
        np.testing.assert_allclose(model.predict(B), mean, atol=1e-10)
        assert np.all(model.predict(B, return_std=True)[1] > 0)


def test_a_list_of_factors_is_told_what_fit_takes():
    factors, y, _ = problem()
    with pytest.raises(ValueError, match=r"X is a list of 3 matrices; pass KroneckerDesign"):
        KroneckerSBL().fit(factors, y)


def test_an_intercept_needs_a_single_factor():
    factors, y, _ = problem()
    with pytest.raises(ValueError, match="only possible with a single factor"):
        KroneckerSBL(fit_intercept=True).fit(KroneckerDesign(factors), y)
    with pytest.raises(ValueError, match="only possible with a single factor"):
        KroneckerSBL().fit(KroneckerDesign(factors), y, sample_weight=np.ones(y.size))


@pytest.mark.parametrize("method", ["svd", "am"])
def test_noise_that_nothing_holds_up_falls_in_few_iterations(method, monkeypatch):
    """Expectation maximisation alone lowers it as one over its iterations: it would take ten thousand to come to rest."""
    factors, y = [np.eye(3), np.eye(4)], np.arange(12.0)
    found = kronecker_sbl(factors, y, method=method)
    monkeypatch.setattr("sparsecode.solvers.bayesian.kronecker._LONG", np.inf)
    slow = solve_kronecker_sbl(factors, y, method=method, max_iter=1_500)
    assert found.status is Status.CONVERGED
    assert found.n_iter < 200
    assert slow.status is Status.MAX_ITER
    assert found.log_evidence > slow.log_evidence
    g = reduce(np.kron, found.parameters["prior_variances"])
    np.testing.assert_allclose(found.coef, g / (g + found.noise_variance) * y)
