"""Displays draw what they were given on the axes they were given, and never show a window."""

import subprocess
import sys

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from sparsecode import iht
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


@pytest.mark.parametrize(
    ("options", "named"),
    [({}, "atom_shape"), ({"atom_shape": (5, 2)}, "atom_shape"), ({"atom_shape": (3, 4), "order": "size"}, "order")],
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
