"""Convolutional coding and its statistics, against naive loops and the library's Lasso on the explicit matrix."""

import itertools

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import L1, Squared, lasso
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.convolutional import convolutional_lasso
from sparsecode.solvers.convolutional.atoms import (
    ConvolutionalStatistics,
    add_statistics,
    gradient,
    include,
    misfit,
    stationarity,
    update_atoms,
)
from sparsecode.solvers.convolutional.coder import DescentCoder, Layout
from sparsecode.solvers.problem import make_problem
from tests._backends import FOREIGN, get, put
from tests.designs.test_convolution import naive_matrix

SHAPES = {
    "in time": ((3, 6), (40,)),
    "an image": ((3, 3, 4), (9, 12)),
    "two channels": ((2, 2, 5), (2, 30)),
    "colours": ((2, 3, 2, 3), (3, 7, 8)),
    "long atoms": ((2, 9), (12,)),
    "a column": ((2, 4, 1), (16, 1)),
}
every_shape = pytest.mark.parametrize("atom_shape, signal_shape", SHAPES.values(), ids=SHAPES)


def planted(atom_shape, signal_shape, seed=0, n_signals=None):
    """Atoms of different norms, and signals that use each here and there."""
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal(atom_shape)
    matrix = naive_matrix(atoms, signal_shape)
    coef = np.where(rng.random((n_signals or 1, matrix.shape[1])) < 0.1, rng.standard_normal(matrix.shape[1]), 0.0)
    signals = coef @ matrix.T + 0.1 * rng.standard_normal((len(coef), len(matrix)))
    signals = signals.reshape(-1, *signal_shape)
    return atoms, signals if n_signals else signals[0]


def objective(atoms, signal, codes, alpha):
    residual = signal.ravel() - naive_matrix(atoms, signal.shape) @ codes.ravel()
    return 0.5 * residual @ residual + alpha * np.abs(codes).sum()


@every_shape
@pytest.mark.parametrize("solver", ["lgcd", "fista"])
@pytest.mark.parametrize("positive", [False, True])
def test_codes_are_the_lassos_on_the_explicit_matrix(atom_shape, signal_shape, solver, positive):
    atoms, signal = planted(atom_shape, signal_shape)
    alpha, matrix = 1.5, naive_matrix(atoms, signal_shape)
    ours = convolutional_lasso(
        atoms, signal, alpha, relative=False, solver=solver, positive=positive, tol=1e-12, max_iter=100_000
    )
    reference = lasso(matrix, signal.ravel(), alpha / signal.size, positive=positive, tol=1e-13)
    expected = objective(atoms, signal, reference.coef, alpha)
    assert ours.status.is_success
    assert ours.coef.shape == (atom_shape[0], *(s - a + 1 for s, a in zip(signal_shape, atom_shape[1:], strict=True)))
    assert objective(atoms, signal, ours.coef, alpha) == pytest.approx(expected, rel=1e-10)
    assert ours.objective == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(ours.coef.ravel(), reference.coef, atol=1e-4)


def naive_descent(atoms, signal, alpha, n_moves):
    """Greedy coordinate descent on the explicit matrix: the best of all moves, every time."""
    matrix = naive_matrix(atoms, signal.shape)
    sq_norms, codes = np.sum(matrix**2, axis=0), np.zeros(matrix.shape[1])
    for _ in range(n_moves):
        left = matrix.T @ (signal.ravel() - matrix @ codes) + sq_norms * codes
        best = np.sign(left) * np.maximum(np.abs(left) - alpha, 0.0) / sq_norms
        move = int(np.argmax(np.sqrt(sq_norms) * np.abs(best - codes)))
        codes[move] = best[move]
    return codes


@pytest.mark.parametrize("n_moves", [1, 2, 7, 40])
def test_one_tile_makes_the_moves_of_the_naive_greedy_twin(n_moves):
    """In one tile the locally greedy choice is the greedy one."""
    from sparsecode.kernels.convolutional import descend

    atoms, signal = planted((3, 6), (40,), seed=4)
    coder = DescentCoder(atoms[:, None, None], (1, 1, 40), 0.7)
    codes = np.zeros(coder.code_shape)
    first = coder.design.rmatvec(signal).reshape(coder.code_shape)
    left, score = first.copy(), np.empty(coder.code_shape)
    state = left, left.view(np.int64), codes, score, score.view(np.int64)
    model = coder.cross, coder.sq_norms, -0.7, 0.7
    moves, _ = descend(state, model, (1, 100), first, float(signal @ signal), 0.0, 0.0, 0.5, n_moves)
    assert moves == n_moves
    np.testing.assert_allclose(codes.ravel(), naive_descent(atoms, signal, 0.7, n_moves), atol=1e-10)
    residual = signal - naive_matrix(atoms, (40,)) @ codes.ravel()
    expected = (naive_matrix(atoms, (40,)).T @ residual).reshape(codes.shape)
    np.testing.assert_allclose(left - coder.sq_norms[:, None, None] * codes, expected, atol=1e-10)


@pytest.mark.parametrize("low", [-0.5, -np.inf])
def test_the_gap_by_which_descent_stops_is_the_certificate(low):
    from sparsecode.kernels.convolutional import descend

    atoms, signal = planted((3, 6), (60,), seed=2)
    coder = DescentCoder(atoms[:, None, None], (1, 1, 60), 0.5, positive=low == -np.inf)
    codes, score = np.zeros(coder.code_shape), np.empty(coder.code_shape)
    first = coder.design.rmatvec(signal).reshape(coder.code_shape)
    left = first.copy()
    state = left, left.view(np.int64), codes, score, score.view(np.int64)
    model = coder.cross, coder.sq_norms, low, 0.5
    for tol in (1e-1, 1e-3, 1e-6):
        _, gap = descend(state, model, (1, 12), first, float(signal @ signal), tol, 0.0, 0.3, 100_000)
        certified, _ = coder.certify(signal.reshape(1, 1, 60), codes.ravel(), np.float64)
        assert gap <= tol
        assert gap == pytest.approx(certified, rel=1e-6, abs=1e-13)
        assert np.any(codes < 0) == (low == -0.5)


@pytest.mark.parametrize("solver", ["lgcd", "fista"])
def test_the_certificate_bounds_what_is_missing(solver):
    atoms, signal = planted((3, 6), (60,), seed=2)
    best = convolutional_lasso(atoms, signal, 0.05, tol=1e-13, max_iter=100_000).objective
    for tol in (1e-2, 1e-4, 1e-6):
        result = convolutional_lasso(atoms, signal, 0.05, solver=solver, tol=tol, max_iter=100_000)
        assert result.certificate <= tol
        assert -1e-12 * best <= result.objective - best <= result.certificate * 0.5 * np.sum(signal**2) + 1e-12 * best


@pytest.mark.parametrize("positive", [False, True])
def test_the_certificate_is_the_librarys_own_on_the_explicit_matrix(positive):
    atoms, signal = planted((3, 6), (60,), seed=2)
    result = convolutional_lasso(atoms, signal, 0.5, relative=False, positive=positive, tol=1e-3)
    penalty = L1(0.5 / 60, positive)
    made = relative_gap(make_problem(naive_matrix(atoms, (60,)), signal, Squared(), penalty), result.coef.ravel())
    assert result.certificate == pytest.approx(float(made.value), rel=1e-9)
    assert result.objective == pytest.approx(60 * float(made.objective), rel=1e-12)


@pytest.mark.parametrize("positive", [False, True])
def test_from_the_largest_correlation_on_all_codes_are_zero(positive):
    atoms, signals = planted((3, 6), (40,), n_signals=2)
    assert not np.any(convolutional_lasso(atoms, signals, 1.0, positive=positive).coef)
    assert np.any(convolutional_lasso(atoms, signals, 0.99, positive=positive).coef)
    largest = max((naive_matrix(atoms, (40,)).T @ signal).max() for signal in signals)
    if positive:
        assert np.any(convolutional_lasso(atoms, signals, 0.99 * largest, relative=False, positive=True).coef)
        assert not np.any(convolutional_lasso(atoms, signals, 1.01 * largest, relative=False, positive=True).coef)


@pytest.mark.parametrize("solver", ["lgcd", "fista"])
def test_many_signals_are_coded_one_by_one_on_any_number_of_threads(solver):
    atoms, signals = planted((2, 3, 2), (7, 8), n_signals=5)
    together = convolutional_lasso(atoms, signals, 0.4, relative=False, solver=solver, n_jobs=1)
    threads = convolutional_lasso(atoms, signals, 0.4, relative=False, solver=solver, n_jobs=3)
    np.testing.assert_array_equal(together.coef, threads.coef)
    for i, signal in enumerate(signals):
        alone = convolutional_lasso(atoms, signal, 0.4, relative=False, solver=solver)
        np.testing.assert_array_equal(alone.coef, together.coef[i])
        assert alone.certificate == together.certificate[i]


@pytest.mark.parametrize("solver", ["lgcd", "fista"])
@pytest.mark.parametrize("factor", [1e-8, 1e8])
def test_scaling_the_signal_scales_the_codes(solver, factor):
    atoms, signal = planted((3, 6), (40,))
    one, other = (convolutional_lasso(atoms, f * signal, 0.2, solver=solver, tol=1e-9) for f in (1.0, factor))
    np.testing.assert_allclose(other.coef / factor, one.coef, atol=1e-5)


@pytest.mark.parametrize("solver", ["lgcd", "fista"])
def test_single_precision_stays_single_and_is_certified(solver):
    atoms, signal = planted((3, 6), (40,))
    result = convolutional_lasso(atoms.astype(np.float32), signal.astype(np.float32), 0.2, solver=solver)
    assert result.coef.dtype == np.float32
    assert result.status.is_success
    np.testing.assert_allclose(result.coef, convolutional_lasso(atoms, signal, 0.2).coef, atol=1e-2)


@pytest.mark.parametrize("solver", ["lgcd", "fista"])
def test_zeros_have_zero_codes_and_atoms_of_zeros_are_never_used(solver):
    atoms, signal = planted((3, 6), (40,))
    result = convolutional_lasso(atoms, np.zeros(40), solver=solver)
    assert result.status.is_success
    assert not np.any(result.coef)
    atoms[1] = 0.0
    result = convolutional_lasso(atoms, signal, solver=solver)
    assert result.status.is_success
    assert not np.any(result.coef[1])
    assert np.any(result.coef)


def test_a_start_changes_nothing_but_the_work():
    atoms, signal = planted((3, 6), (60,))
    coder = DescentCoder(atoms[:, None, None], (1, 1, 60), 0.5, tol=1e-10)
    signal = signal.reshape(1, 1, 60)
    cold = coder.code(signal)
    warm = coder.code(signal, (cold.indices, 0.9 * cold.values))
    assert warm.gap <= 1e-10
    np.testing.assert_array_equal(warm.indices, cold.indices)
    np.testing.assert_allclose(warm.values, cold.values, atol=1e-5)
    assert coder.code(signal, (cold.indices, cold.values)).n_iter < cold.n_iter / 5


def test_three_moving_axes_are_left_to_fourier_transforms():
    atoms, signal = planted((2, 2, 2, 2), (4, 3, 5))
    result = convolutional_lasso(atoms, signal, 0.5, relative=False, tol=1e-10)
    reference = lasso(naive_matrix(atoms, signal.shape), signal.ravel(), 0.5 / signal.size, tol=1e-12)
    np.testing.assert_allclose(result.coef.ravel(), reference.coef, atol=1e-5)
    with pytest.raises(ValueError, match="one or two axes"):
        convolutional_lasso(atoms, signal, solver="lgcd")


@pytest.mark.parametrize("name", FOREIGN)
def test_every_namespace_gives_numpys_codes(name):
    atoms, signals = planted((2, 3, 2), (7, 8), n_signals=3)
    reference = convolutional_lasso(atoms, signals, 0.2, tol=1e-9)
    result = convolutional_lasso(put(atoms, name), put(signals, name), 0.2, tol=1e-9)
    assert type(result.coef) is type(put(atoms, name))
    np.testing.assert_allclose(get(result.coef), reference.coef, atol=1e-4)
    np.testing.assert_allclose(result.objective, reference.objective, rtol=1e-8)
    with pytest.raises(ValueError, match="needs NumPy arrays"):
        convolutional_lasso(put(atoms, name), put(signals, name), solver="lgcd")


def test_an_uncertified_answer_warns_once():
    atoms, signals = planted((3, 6), (60,), n_signals=3)
    for solver in ("lgcd", "fista"):
        with pytest.warns(ConvergenceWarning, match="relative duality gap") as caught:
            result = convolutional_lasso(atoms, signals, 0.01, solver=solver, max_iter=1, tol=1e-14)
        assert len(caught) == 1
        assert result.status.name == "MAX_ITER"


@pytest.mark.parametrize(
    "change, message",
    [
        ({"y": np.full(40, np.nan)}, "y contains NaN"),
        ({"y": np.ones(40) * 1j}, "y has dtype"),
        ({"y": np.ones((2, 3, 40))}, "as many axes"),
        ({"y": np.ones(5)}, "do not lie within"),
        ({"y": np.ones((0, 40))}, "y is empty"),
        ({"atoms": np.full((3, 6), np.inf)}, "atoms contains NaN"),
        ({"y": np.full(40, 1e-200)}, "y has a row .* entries of size"),
        ({"alpha": 0.0}, "alpha must be greater than 0"),
        ({"solver": "admm"}, "solver must be"),
        ({"max_iter": 0}, "max_iter"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_bad_input_is_refused_by_name(change, message):
    atoms, signal = planted((3, 6), (40,))
    with pytest.raises(ValueError, match=message):
        convolutional_lasso(**{"atoms": atoms, "y": signal, **change})


# ---------------------------------------------------------------- statistics and atoms

PLANES = {
    "in time": ((3, 1, 1, 5), (1, 1, 30)),
    "images": ((2, 1, 3, 2), (1, 7, 9)),
    "colours": ((2, 3, 2, 3), (3, 6, 8)),
}
every_plane = pytest.mark.parametrize("atom_shape, signal_shape", PLANES.values(), ids=PLANES)


def coded_planes(atom_shape, signal_shape, seed=0, n_signals=2):
    rng = np.random.default_rng(seed)
    places = [s - a + 1 for s, a in zip(signal_shape[1:], atom_shape[2:], strict=True)]
    codes = np.where(
        rng.random((n_signals, atom_shape[0], *places)) < 0.3,
        rng.standard_normal((n_signals, atom_shape[0], *places)),
        0.0,
    )
    atoms = rng.standard_normal(atom_shape)
    atoms /= np.sqrt(np.sum(atoms**2, axis=(1, 2, 3), keepdims=True))
    return atoms, rng.standard_normal((n_signals, *signal_shape)), codes


def statistics_of(signals, codes, shape):
    """Added up in two ways: signal by signal, and by parts."""
    total = ConvolutionalStatistics.empty(shape)
    for signal, code in zip(signals, codes, strict=True):
        total = add_statistics(total, include(ConvolutionalStatistics.empty(shape), signal, code))
    whole = ConvolutionalStatistics.empty(shape)
    for signal, code in zip(signals, codes, strict=True):
        whole = include(whole, signal, code)
    for one, other in zip(total, whole, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-12)
    return total


def naive_misfit(atoms, signals, codes):
    matrix = naive_matrix(atoms, signals.shape[1:])
    return 0.5 * sum(np.sum((y.ravel() - matrix @ z.ravel()) ** 2) for y, z in zip(signals, codes, strict=True))


@every_plane
def test_statistics_are_the_sums_of_their_definition(atom_shape, signal_shape):
    _, signals, codes = coded_planes(atom_shape, signal_shape)
    found = statistics_of(signals, codes, atom_shape)
    n_atoms, n_channels, h, w = atom_shape
    for k, j, a, b in itertools.product(range(n_atoms), range(n_atoms), range(1 - h, h), range(1 - w, w)):
        total = 0.0
        for z in codes:
            for s, t in itertools.product(*map(range, z.shape[1:])):
                if 0 <= s + a < z.shape[1] and 0 <= t + b < z.shape[2]:
                    total += z[k, s, t] * z[j, s + a, t + b]
        assert found.code_corr[k, j, a + h - 1, b + w - 1] == pytest.approx(total, abs=1e-12)
    for k, c, u, v in itertools.product(range(n_atoms), range(n_channels), range(h), range(w)):
        total = sum(
            np.sum(z[k] * y[c, u : u + z.shape[1], v : v + z.shape[2]]) for y, z in zip(signals, codes, strict=True)
        )
        assert found.code_signal[k, c, u, v] == pytest.approx(total, abs=1e-12)
    np.testing.assert_array_equal(found.usage, np.count_nonzero(codes, axis=(0, 2, 3)))
    assert found.n_signals == 2


@every_plane
def test_misfit_and_gradient_are_those_of_the_signals(atom_shape, signal_shape):
    atoms, signals, codes = coded_planes(atom_shape, signal_shape)
    found = statistics_of(signals, codes, atom_shape)
    assert misfit(atoms, found) == pytest.approx(naive_misfit(atoms, signals, codes), rel=1e-12)
    slope, step = gradient(atoms, found), 1e-5
    for place in itertools.product(*map(range, atom_shape)):
        up, down = atoms.copy(), atoms.copy()
        up[place] += step
        down[place] -= step
        expected = (naive_misfit(up, signals, codes) - naive_misfit(down, signals, codes)) / (2 * step)
        assert slope[place] == pytest.approx(expected, rel=1e-6, abs=1e-6)


@every_plane
def test_updates_never_raise_the_misfit_and_end_stationary(atom_shape, signal_shape):
    atoms, signals, codes = coded_planes(atom_shape, signal_shape, n_signals=6)
    found = statistics_of(signals, codes, atom_shape)
    before, values = atoms.copy(), [naive_misfit(atoms, signals, codes)]
    for _ in range(8):
        atoms = update_atoms(atoms, found, n_sweeps=1)
        values.append(naive_misfit(atoms, signals, codes))
        assert np.all(np.sum(atoms**2, axis=(1, 2, 3)) <= 1 + 1e-12)
    assert np.all(np.diff(values) <= 1e-10 * values[0])
    assert stationarity(atoms, found) < 0.1 * stationarity(before, found)
    for _ in range(100):
        atoms = update_atoms(atoms, found, n_sweeps=50)
    assert stationarity(atoms, found) < 1e-6


def test_least_squares_inside_the_ball_is_stationary():
    """With atoms that may be as short as they like the minimiser solves the normal equations."""
    _, signals, codes = coded_planes((2, 1, 1, 3), (1, 1, 40), n_signals=4)
    signals *= 0.01
    found = statistics_of(signals, codes, (2, 1, 1, 3))
    rows = []
    for z in codes:
        for k in range(2):
            for u in range(3):
                shifted = np.zeros(40)
                shifted[u : u + 38] = z[k, 0]
                rows.append(shifted)
    matrix = np.array(rows).reshape(4, 6, 40).transpose(0, 2, 1).reshape(160, 6)
    best = np.linalg.lstsq(matrix, signals.ravel(), rcond=None)[0].reshape(2, 1, 1, 3)
    assert np.linalg.norm(best) < 1
    assert stationarity(best, found) < 1e-12
    atoms = np.zeros((2, 1, 1, 3))
    for _ in range(200):
        atoms = update_atoms(atoms, found)
    np.testing.assert_allclose(atoms, best, atol=1e-8)


def test_layouts_put_what_moves_last_and_back():
    layout = Layout((2, 3, 4), (9, 3, 8))
    block = np.arange(2 * 9 * 3 * 8).reshape(2, 9, 3, 8)
    planes = layout.planes(block, layout.signal_shape)
    assert planes.shape == (2, 3, 9, 8)
    np.testing.assert_array_equal(planes[:, 1], block[:, :, 1])
    np.testing.assert_array_equal(layout.back(planes, layout.signal_shape), block)
