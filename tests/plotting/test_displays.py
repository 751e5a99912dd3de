"""Displays draw what they were given on the axes they were given, and never show a window."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.base import BaseEstimator
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sparsecode import KSparseCompression, Lasso, SparseCoder, iht
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import PhaseTransitionResult, l1_weak_threshold
from sparsecode.plotting import DictionaryDisplay, PhaseTransitionDisplay, RecoveryDisplay

ATOMS = np.random.default_rng(0).standard_normal((10, 12))
PROBLEM = make_sparse_recovery(40, 80, 4, random_state=0)
RHOS = np.array([0.1, 0.3, 0.5])
DIAGRAM = PhaseTransitionResult(
    np.array([0.2, 0.6]),
    RHOS,
    (RHOS[None, :, None] > np.array([0.2, 0.4])[:, None, None]) * np.ones((2, 3, 4)),
    100,
    1e-3,
    0,
)

DRAW = {
    "dictionary": lambda ax: DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), ax=ax),
    "curves": lambda ax: DictionaryDisplay.from_components(ATOMS, atom_shape=(12,), ax=ax),
    "coefficients": lambda ax: RecoveryDisplay.from_result(PROBLEM.coef, PROBLEM.coef, ax=ax),
    "phase transition": lambda ax: PhaseTransitionDisplay.from_result(DIAGRAM, ax=ax),
}
every_display = pytest.mark.parametrize("draw", DRAW.values(), ids=DRAW)


@pytest.fixture(autouse=True)
def _no_window(monkeypatch):
    def show(*args, **kwargs):
        raise AssertionError("a display must not open a window")

    monkeypatch.setattr(plt, "show", show)
    yield
    plt.close("all")


@every_display
def test_a_display_draws_on_the_axes_it_is_given(draw):
    _, ax = plt.subplots()
    display = draw(ax)
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert len(plt.get_fignums()) == 1


@every_display
def test_a_display_without_axes_makes_a_figure(draw):
    display = draw(None)
    assert display.figure_ is display.ax_.figure
    display.figure_.canvas.draw()


@every_display
def test_a_display_can_be_drawn_again(draw):
    display = draw(None)
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first


def test_importing_the_displays_does_not_import_matplotlib():
    code = "import sys, sparsecode.plotting; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_without_matplotlib_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.pyplot", None)
    with pytest.raises(ModuleNotFoundError, match=r"sparsecode\[plot\]"):
        DRAW["dictionary"](None)


# dictionaries


def tile(display, position, shape=(3, 4), n_columns=4):
    row, column = divmod(position, n_columns)
    pixels = np.asarray(display.image_.get_array())
    return pixels[row * (shape[0] + 1) + 1 :][: shape[0], column * (shape[1] + 1) + 1 :][:, : shape[1]]


def test_tiles_hold_the_atoms_at_their_own_contrast():
    display = DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), n_columns=4)
    for position, atom in enumerate(ATOMS):
        np.testing.assert_allclose(tile(display, position), 0.5 + 0.5 * atom.reshape(3, 4) / np.abs(atom).max())


def test_an_order_of_indices_chooses_the_tiles():
    display = DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), n_columns=4, order=[7, 2])
    whole = DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), n_columns=4)
    np.testing.assert_array_equal(tile(display, 0), tile(whole, 7))
    np.testing.assert_array_equal(tile(display, 1), tile(whole, 2))


def test_only_the_first_atoms_are_drawn_if_asked():
    display = DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), n_columns=4, n_atoms=3)
    assert display.image_.get_array().shape == (5, 21)  # one row of 4 tiles with lines between them


def test_order_by_roughness_puts_smooth_atoms_first():
    smooth, rough = np.ones((4, 4)), np.indices((4, 4)).sum(axis=0) % 2 - 0.5
    display = DictionaryDisplay.from_components(
        np.stack([rough.ravel(), smooth.ravel()]), order="roughness", n_columns=2
    )
    np.testing.assert_allclose(tile(display, 0, (4, 4), 2), 1.0)


def test_colour_atoms_are_drawn_in_colour():
    display = DictionaryDisplay.from_components(np.random.default_rng(0).random((4, 12)), atom_shape=(2, 2, 3))
    assert display.image_.get_array().shape == (7, 7, 3)


def test_an_estimator_shows_its_components():
    pca = PCA(4).fit(np.random.default_rng(0).standard_normal((30, 16)))
    np.testing.assert_array_equal(DictionaryDisplay.from_estimator(pca).components, pca.components_)
    with pytest.raises(NotFittedError):
        DictionaryDisplay.from_estimator(PCA(4))


def test_a_fitted_estimator_without_components_is_told_how_to_draw_its_atoms():
    X = np.random.default_rng(0).standard_normal((60, 16))
    layer = KSparseCompression(n_components=8, n_nonzero_coefs=4, tol=1.0).fit(X)
    with pytest.raises(ValueError, match=r"KSparseCompression has no .*from_components\(estimator\.dictionary_\.T\)"):
        DictionaryDisplay.from_estimator(layer)
    assert DictionaryDisplay.from_components(layer.dictionary_.T).components.shape == (8, 16)
    with pytest.raises(ValueError, match=r"Lasso has no components_ .*from_components\(atoms\)"):
        DictionaryDisplay.from_estimator(Lasso(0.1).fit(X[:, 1:], X[:, 0]))
    with pytest.raises(NotFittedError):
        DictionaryDisplay.from_estimator(KSparseCompression())


def test_order_by_usage_puts_the_atoms_first_that_codes_use_most():
    usage = np.array([3, 9, 1, 0, 5, 7, 2, 8, 6, 4])
    display = DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), n_columns=4, usage=usage, order="usage")
    whole = DictionaryDisplay.from_components(ATOMS, atom_shape=(3, 4), n_columns=4)
    for position, atom in enumerate([1, 7, 5, 8, 4, 9, 0, 6, 2, 3]):
        np.testing.assert_array_equal(tile(display, position), tile(whole, atom))


@pytest.mark.parametrize("split_sign", [False, True])
@pytest.mark.parametrize("sparse_output", [False, True])
def test_an_estimator_counts_the_usage_in_the_codes_of_signals(split_sign, sparse_output):
    coder = SparseCoder(np.eye(9), n_nonzero_coefs=2, split_sign=split_sign, sparse_output=sparse_output)
    X = np.zeros((6, 9))
    X[:4, 2], X[:3, 7], X[3:, 5] = 1.0, -2.0, 3.0
    display = DictionaryDisplay.from_estimator(coder.fit(X), X, order="usage", n_atoms=3)
    np.testing.assert_allclose(display.usage, [0, 0, 4 / 6, 0, 0, 3 / 6, 0, 3 / 6, 0])
    np.testing.assert_allclose(tile(display, 0, (3, 3), 2).ravel(), 0.5 + 0.5 * np.eye(9)[2])


class Moving(BaseEstimator):
    """Two kernels along one axis, and codes at three places each."""

    components_ = ATOMS[:2, :9]
    code_shape_ = (2, 3)

    def fit(self, X, y=None):
        return self

    def transform(self, X):
        return np.array([[0, 1, 0, 5, 0, 1], [0, 0, 0, 2, 0, 2]])


def test_kernels_that_move_along_one_axis_are_curves_and_used_wherever_they_are():
    display = DictionaryDisplay.from_estimator(Moving(), np.ones((2, 40)), order="usage")
    np.testing.assert_allclose(display.usage, [0.5, 2.0])
    assert display.atom_shape == (9,)
    assert [int(label.get_text()) for label in display.ax_.get_yticklabels()] == [1, 0]


def test_kernels_keep_their_own_axes():
    kernels = np.random.default_rng(0).standard_normal((4, 3, 5))
    display = DictionaryDisplay.from_components(kernels, n_columns=4)
    np.testing.assert_allclose(tile(display, 2, (3, 5)), 0.5 + 0.5 * kernels[2] / np.abs(kernels[2]).max())
    colour = DictionaryDisplay.from_components(np.random.default_rng(0).random((4, 2, 5, 3)), n_columns=2)
    assert colour.image_.get_array().shape == (7, 13, 3)


def test_atoms_of_one_axis_are_curves_one_below_the_other():
    wavelengths = np.linspace(400, 700, 12)
    display = DictionaryDisplay.from_components(ATOMS, atom_shape=(12,), positions=wavelengths, order=[4, 1, 7])
    assert display.image_ is None
    assert [int(label.get_text()) for label in display.ax_.get_yticklabels()] == [4, 1, 7]
    for row, (line, atom) in enumerate(zip(display.lines_, ATOMS[[4, 1, 7]], strict=True)):
        np.testing.assert_array_equal(line.get_xdata(), wavelengths)
        height = line.get_ydata() + row
        assert np.abs(height).max() < 0.5  # curves do not touch
        np.testing.assert_allclose(height / np.abs(height).max(), atom / np.abs(atom).max())


def test_many_curves_lie_side_by_side_without_overlap():
    display = DictionaryDisplay.from_components(np.tile(ATOMS, (3, 1)), atom_shape=(12,), n_columns=5)
    assert len(display.lines_) == 30
    boxes = [
        (line.get_xdata().min(), line.get_xdata().max(), round(np.mean(line.get_ydata()))) for line in display.lines_
    ]
    assert len({(left, row) for left, _, row in boxes}) == 30
    starts, ends = sorted({box[0] for box in boxes}), sorted({box[1] for box in boxes})
    assert all(end < start for end, start in zip(ends, starts[1:], strict=False))
    assert not display.ax_.axison


def test_curves_are_ordered_by_roughness_along_their_axis():
    smooth, rough = np.linspace(1, 2, 16), np.tile([1.0, -1.0], 8)
    display = DictionaryDisplay.from_components(np.stack([rough, smooth]), atom_shape=(16,), order="roughness")
    assert display.lines_[0].get_ydata().min() > 0


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({}, "atom_shape"),
        ({"atom_shape": (5, 2)}, "atom_shape"),
        ({"atom_shape": (13,)}, "atom_shape"),
        ({"atom_shape": (3, 4), "order": "size"}, "order"),
        ({"atom_shape": (3, 4), "order": "usage"}, "usage"),
        ({"atom_shape": (3, 4), "usage": np.ones(4)}, "usage has shape"),
        ({"atom_shape": (3, 4), "positions": np.arange(4)}, "positions"),
        ({"atom_shape": (12,), "positions": np.arange(4)}, "positions has shape"),
    ],
)
def test_tiles_that_do_not_fit_are_named(options, named):
    with pytest.raises(ValueError, match=named):
        DictionaryDisplay.from_components(ATOMS, **options)


# recoveries


def test_hits_misses_and_false_finds_are_counted():
    true, found = np.array([1.0, 2.0, 0.0, 0.0, 3.0]), np.array([0.9, 0.0, 0.5, 0.0, 3.0])
    display = RecoveryDisplay.from_result(found, true)
    labels = {text.get_text() for text in display.ax_.get_legend().get_texts()}
    assert labels == {"planted", "found (2)", "missed (1)", "false (1)"}


def test_stems_stand_at_the_recovered_values():
    result = iht(PROBLEM.design, PROBLEM.target, 4)
    lines = RecoveryDisplay.from_result(result).ax_.lines
    places, heights = next(line.get_data() for line in lines if line.get_label() == "recovered (4)")
    np.testing.assert_array_equal(places, result.support)
    np.testing.assert_array_equal(heights, result.coef[result.support])


def test_residual_is_target_minus_fitted_values():
    coef = 0.9 * PROBLEM.coef
    display = RecoveryDisplay.from_result(coef, design=PROBLEM.design, target=PROBLEM.target, kind="residual")
    np.testing.assert_allclose(display.residual, 0.1 * PROBLEM.target, atol=1e-12)
    assert "1.0e-01" in display.ax_.get_title(loc="left")


def test_the_chosen_target_is_drawn():
    problem = make_sparse_recovery(40, 80, 4, n_targets=3, random_state=0)
    display = RecoveryDisplay.from_result(
        problem.coef, problem.coef, design=problem.design, target=problem.target, index=2, kind="residual"
    )
    np.testing.assert_array_equal(display.coef, problem.coef[:, 2])
    np.testing.assert_allclose(display.residual, 0.0, atol=1e-12)


def test_complex_coefficients_are_drawn_by_modulus():
    display = RecoveryDisplay.from_result(np.array([0.0, 3 - 4j]))
    assert display.ax_.get_ylabel() == "modulus"
    assert max(np.max(line.get_ydata()) for line in display.ax_.lines) == 5.0


@pytest.mark.parametrize(
    ("arguments", "options", "named"),
    [
        ((np.ones(3), np.ones(4)), {}, "coef_true"),
        ((np.ones(3),), {"kind": "residual"}, "residual"),
        ((np.ones(3),), {"kind": "spectrum"}, "kind"),
    ],
)
def test_recoveries_that_cannot_be_drawn_are_refused(arguments, options, named):
    with pytest.raises(ValueError, match=named):
        RecoveryDisplay.from_result(*arguments, **options)


# phase transitions


def test_the_mesh_shows_the_success_rates():
    display = PhaseTransitionDisplay.from_result(DIAGRAM)
    np.testing.assert_array_equal(np.asarray(display.mesh_.get_array()), DIAGRAM.success_rates.T)


def test_the_contour_and_the_reference_are_drawn_where_they_belong():
    contour, reference = PhaseTransitionDisplay.from_result(DIAGRAM).ax_.lines
    np.testing.assert_allclose(contour.get_ydata(), DIAGRAM.contour())
    np.testing.assert_allclose(reference.get_ydata(), l1_weak_threshold(reference.get_xdata()))


def test_lines_can_be_left_out():
    assert not PhaseTransitionDisplay.from_result(DIAGRAM, level=None, l1_reference=False, colorbar=False).ax_.lines


@pytest.mark.parametrize(
    ("parameters", "word"),
    [
        ({"n_atoms": 0}, "n_atoms"),
        ({"n_atoms": -2}, "n_atoms"),
        ({"n_columns": 0}, "n_columns"),
        ({"order": [9]}, "order"),
        ({"order": [-1]}, "order"),
        ({"order": "usage", "usage": [1.0, np.nan, 2.0]}, "usage"),
    ],
)
def test_what_cannot_be_drawn_of_a_dictionary_is_named(parameters, word):
    with pytest.raises(ValueError, match=word):
        DictionaryDisplay.from_components(np.ones((3, 4)), **parameters)


def test_complex_atoms_are_refused():
    with pytest.raises(ValueError, match="complex"):
        DictionaryDisplay.from_components(1j * np.ones((3, 4)))
