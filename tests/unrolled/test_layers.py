"""Layers against their definition, finite differences, torch's autodiff and the solvers they unroll."""

import numpy as np
import pytest

from sparsecode import L1, iht, ista
from sparsecode._array import to_numpy
from sparsecode.unrolled._layers import Layers, analytic_filters, apply_layers, beside, layer_slopes
from sparsecode.unrolled._passes import Passes
from tests._backends import FOREIGN, namespace, put
from tests.unrolled.cases import ALPHA, KINDS, parameters, problem
from tests.unrolled.naive import naive_codes, naive_loss

every_kind = pytest.mark.parametrize("kind", KINDS)
both_losses = pytest.mark.parametrize("supervised", [True, False])


@every_kind
def test_codes_are_those_of_the_definition(kind):
    atoms, signals, _ = problem()
    layers = parameters(kind, atoms).layers()
    expected = np.array([naive_codes(layers, signal)[-1] for signal in signals])
    assert np.count_nonzero(expected) > 5
    for codes in (apply_layers(layers, signals), Passes(layers).codes(layers, signals)):
        np.testing.assert_allclose(codes, expected, rtol=1e-10, atol=1e-12)
        np.testing.assert_array_equal(codes != 0, expected != 0)


@every_kind
@both_losses
def test_derivatives_are_differences(kind, supervised):
    atoms, signals, truth = problem()
    found = parameters(kind, atoms)
    target = truth if supervised else None
    layers = found.layers()
    loss, slopes = Passes(layers, found.trains_matrices).slopes(layers, signals, target, ALPHA)
    assert loss == pytest.approx(naive_loss(layers, signals, target, ALPHA), rel=1e-10)
    gradients = dict(zip(found.arrays, found.gradients(slopes, layers), strict=True))
    rng = np.random.default_rng(2)
    for name, array in found.arrays.items():
        places = (
            [tuple(rng.integers(size) for size in array.shape) for _ in range(4)]
            if array.ndim > 1
            else np.ndindex(array.shape)
        )
        for place in places:
            if name == "momenta" and place == (0,):
                assert gradients[name][place] == 0.0
                continue
            before, sides = array[place], []
            for change in (1e-6, -1e-6):
                array[place] = before + change
                sides.append(naive_loss(found.layers(), signals, target, ALPHA))
            array[place] = before
            assert gradients[name][place] == pytest.approx((sides[0] - sides[1]) / 2e-6, rel=2e-5, abs=2e-6), (
                name,
                place,
            )


@every_kind
@both_losses
def test_compiled_and_array_passes_agree(kind, supervised):
    atoms, signals, truth = problem(n=150)  # several blocks
    found = parameters(kind, atoms)
    target = truth if supervised else None
    layers = found.layers().up_to(3)
    loss, slopes = Passes(layers, found.trains_matrices).slopes(layers, signals, target, ALPHA)
    expected, other = layer_slopes(layers, signals, target, ALPHA, found.trains_matrices)
    assert loss == pytest.approx(expected, rel=1e-11)
    for one, two in zip(slopes[:3], other[:3], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)
    for one, two in zip(slopes.filters + slopes.mixing, other.filters + other.mixing, strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "kind", ["soft-tied-accelerated", "soft-analytic-accelerated-selected", "count-tied", "soft-coupled"]
)
def test_the_number_of_threads_does_not_change_a_bit(kind):
    atoms, signals, truth = problem(n=300, d=20, k=33)
    found = parameters(kind, atoms)
    layers = found.layers()
    one, many = (
        Passes(layers, found.trains_matrices, n_jobs).slopes(layers, signals, truth, ALPHA) for n_jobs in (1, 3)
    )
    assert one[0] == many[0]
    for left, right in zip(one[1][:3], many[1][:3], strict=True):
        np.testing.assert_array_equal(left, right)


@every_kind
@pytest.mark.parametrize("name", FOREIGN)
def test_other_namespaces_give_the_same(kind, name):
    namespace(name)
    atoms, signals, truth = problem()
    found = parameters(kind, atoms)
    layers = found.layers()
    there = beside(layers, put(signals, name))
    codes = Passes(there, found.trains_matrices).codes(there, put(signals, name))
    np.testing.assert_allclose(to_numpy(codes), apply_layers(layers, signals), rtol=1e-10, atol=1e-12)
    _, slopes = Passes(there, found.trains_matrices).slopes(there, put(signals, name), put(truth, name), ALPHA)
    _, expected = layer_slopes(layers, signals, truth, ALPHA, found.trains_matrices)
    for one, two in zip(slopes[:3], expected[:3], strict=True):
        np.testing.assert_allclose(one, two, rtol=1e-9, atol=1e-10)
    for one, two in zip(slopes.filters + slopes.mixing, expected.filters + expected.mixing, strict=True):
        np.testing.assert_allclose(to_numpy(one), two, rtol=1e-9, atol=1e-10)


@both_losses
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_derivatives_are_those_of_autodiff(supervised, dtype):
    torch = namespace("torch")
    atoms, signals, truth = problem(n=40, d=16, k=40)
    kind = "soft-coupled-accelerated-shared"
    layers = parameters(kind, atoms, n_layers=6).layers()
    layers = beside(layers, signals.astype(dtype))
    _, slopes = layer_slopes(layers, signals.astype(dtype), truth.astype(dtype) if supervised else None, ALPHA, True)

    def tensor(values, grad=True):
        return torch.tensor(np.asarray(values), dtype=getattr(torch, dtype), requires_grad=grad)

    x, c, d = tensor(signals, False), tensor(truth, False), tensor(layers.atoms, False)
    w, steps, levels, momenta = (
        tensor(part) for part in (layers.filters[0], layers.steps, layers.levels, layers.momenta)
    )
    code = before = torch.zeros(len(signals), len(atoms), dtype=x.dtype)
    for k in range(6):
        point = code + momenta[k] * (code - before) if k else code
        before = code
        code = (
            torch.nn.functional.relu((moved := point - steps[k] * ((point @ d - x) @ w.T)).abs() - levels[k])
            * moved.sign()
        )
    loss = ((code - c) ** 2).sum() if supervised else 0.5 * ((code @ d - x) ** 2).sum() + ALPHA * code.abs().sum()
    loss.backward()
    rtol = 1e-11 if dtype == "float64" else 2e-4
    for ours, theirs in (
        (slopes.steps, steps),
        (slopes.levels, levels),
        (slopes.momenta[1:], momenta),
        (slopes.filters[0], w),
    ):
        theirs = theirs.grad.numpy()[-len(ours) :]
        np.testing.assert_allclose(ours, theirs, rtol=rtol, atol=rtol * np.abs(theirs).max())


def _tied(atoms, steps, levels, rule="soft", count=0):
    steps, levels = np.asarray(steps, dtype=float), np.asarray(levels, dtype=float)
    return Layers(atoms, (atoms,), (), steps, levels, 0 * steps, rule, np.full(steps.size, count))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")  # after one iteration
def test_a_layer_is_an_iteration_of_ista():
    atoms, signals, _ = problem(d=10, k=25)
    alpha, length = 0.05, signals.shape[1]
    for signal in signals:
        run = [ista(atoms.T, signal, penalty=L1(alpha / length), max_iter=n, tol=0.0).coef for n in (1, 2)]
        on = np.flatnonzero(run[0])
        correlations = atoms @ signal
        steps = np.abs(run[0][on]) / (np.abs(correlations[on]) - alpha)  # what the solver chose
        np.testing.assert_allclose(steps, steps[0], rtol=1e-8)
        found = apply_layers(_tied(atoms, [steps[0]], [steps[0] * alpha]), signal[None])[0]
        np.testing.assert_allclose(found, run[0], rtol=1e-8, atol=1e-12)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_layer_is_an_iteration_of_iht():
    atoms, signals, _ = problem(d=10, k=25)
    for signal in signals:
        first = iht(atoms.T, signal, 3, step="fixed", max_iter=1, tol=0.0).coef
        step = (first[first != 0] / (atoms @ signal)[first != 0])[0]
        for n_iter in (1, 2, 5):
            expected = iht(atoms.T, signal, 3, step="fixed", max_iter=n_iter, tol=0.0).coef
            layers = _tied(atoms, [step] * n_iter, [0.0] * n_iter, "count", 3)
            np.testing.assert_allclose(Passes(layers).codes(layers, signal[None])[0], expected, rtol=1e-9, atol=1e-12)


def test_analytic_filters_are_the_least_coherent():
    atoms, _, _ = problem(d=6, k=11)
    filters = analytic_filters(atoms)
    sq_norms = np.sum(atoms**2, axis=1)
    np.testing.assert_allclose(np.sum(filters * atoms, axis=1), sq_norms, rtol=1e-12)
    rng = np.random.default_rng(0)
    for i, atom in enumerate(atoms):  # no feasible move of a filter lowers its coherence
        move = rng.standard_normal((50, 6))
        move -= np.outer(move @ atom / sq_norms[i], atom)
        assert np.max(np.abs(move @ atoms.T @ (atoms @ filters[i]))) < 1e-9
    assert np.linalg.norm(filters @ atoms.T) < np.linalg.norm(atoms @ atoms.T)
    atoms[3] = 0.0
    assert np.all(np.isfinite(analytic_filters(atoms))) and not np.any(analytic_filters(atoms)[3])


@pytest.mark.parametrize("rule", ["soft", "count"])
def test_of_equal_entries_the_first_are_kept(rule):
    atoms = np.eye(6)
    signal = np.array([[1.0, -2.0, 2.0, 2.0, -1.0, 0.0]])
    layers = _tied(atoms, [1.0], [0.5], rule, 2)
    for codes in (apply_layers(layers, signal), Passes(layers).codes(layers, signal)):
        expected = [0.5, -2.0, 2.0, 1.5, -0.5, 0.0] if rule == "soft" else [0.0, -2.0, 2.0, 0.0, 0.0, 0.0]
        np.testing.assert_array_equal(codes[0], expected)


def test_singles_stay_singles():
    atoms, signals, _ = problem()
    layers = beside(parameters("soft-tied", atoms).layers(), signals.astype(np.float32))
    assert Passes(layers).codes(layers, signals.astype(np.float32)).dtype == np.float32
    assert apply_layers(layers, signals.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize("rule", ["soft", "hard"])
def test_an_entry_as_large_as_the_threshold_is_zero(rule):
    signal = np.array([[2.0, -2.0, 2.5, -2.5, 1.0, 0.0]])
    layers = _tied(np.eye(6), [1.0], [2.0], rule)
    expected = [0.0, 0.0, 0.5, -0.5, 0.0, 0.0] if rule == "soft" else [0.0, 0.0, 2.5, -2.5, 0.0, 0.0]
    for codes in (apply_layers(layers, signal), Passes(layers).codes(layers, signal)):
        np.testing.assert_array_equal(codes[0], expected)


@pytest.mark.parametrize("count", [1, 5, 6])
def test_as_many_entries_are_kept_as_asked_for(count):
    signal = np.array([[3.0, -4.0, 2.0, -1.0, 6.0, 5.0]])
    layers = _tied(np.eye(6), [1.0], [0.0], "count", count)
    expected = np.where(np.abs(signal[0]) > 6 - count, signal[0], 0.0)
    for codes in (apply_layers(layers, signal), Passes(layers).codes(layers, signal)):
        np.testing.assert_array_equal(codes[0], expected)
