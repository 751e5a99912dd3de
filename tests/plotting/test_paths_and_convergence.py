"""Displays of paths and of convergence show the numbers they were given, on logarithmic axes."""

import itertools

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from sklearn.exceptions import NotFittedError

from sparsecode import (
    L1,
    MCP,
    ElasticNetCV,
    Lasso,
    LassoCV,
    LassoIC,
    NonconvexRegressor,
    OrthogonalMatchingPursuit,
    RowL2,
    SolveResult,
    SparseLogisticRegression,
    Status,
    compare,
    lasso_path,
    omp,
    regularization_path,
)
from sparsecode.plotting import ConvergenceDisplay, PathDisplay
from tests.planted import planted

A, y, TRUE = planted(60, 40, 4, noise=0.3)
PLANTED = np.flatnonzero(TRUE)
PATH = regularization_path(A, y, penalty=L1(1.0), n_alphas=15, eps=0.05)


def result(certificates, seconds=None, name="relative duality gap"):
    """A result with a given history."""
    n = len(certificates)
    history = {
        "iteration": list(range(n)),
        "certificate": list(certificates),
        "objective": [1.0] * n,
        "seconds": list(seconds or np.arange(1.0, n + 1)),
    }
    return SolveResult(np.zeros(3), 0.0, Status.CONVERGED, n, 1.0, certificates[-1], name, 1e-6, history)


RESULTS = {"one": result([1.0, 0.1, 0.3, 1e-7]), "two": result([1.0, 0.0])}

DRAW = {
    "path": lambda ax: PathDisplay.from_path(PATH, ax=ax),
    "estimator": lambda ax: PathDisplay.from_estimator(Lasso(0.1).fit(A, y), A, y, n_alphas=5, ax=ax),
    "convergence": lambda ax: ConvergenceDisplay.from_results(RESULTS, ax=ax),
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
def test_a_display_draws_on_the_axes_it_is_given_or_on_its_own(draw):
    _, ax = plt.subplots()
    assert draw(ax).ax_ is ax
    assert len(plt.get_fignums()) == 1
    display = draw(None)
    display.figure_.canvas.draw()
    assert display.ax_ is not ax
    first = display.ax_
    assert display.plot() is display
    assert display.ax_ is not first


# convergence


def test_lines_show_the_best_certificate_so_far():
    one, two = ConvergenceDisplay.from_results(RESULTS).lines_
    np.testing.assert_array_equal(one.get_xdata(), [1, 2, 3, 4])
    np.testing.assert_array_equal(one.get_ydata(), [1.0, 0.1, 0.1, 1e-7])
    assert two.get_ydata()[-1] == pytest.approx(1e-17)  # zero has no place on a logarithmic axis


def test_axes_are_logarithmic_and_the_tolerance_is_drawn():
    display = ConvergenceDisplay.from_results(RESULTS)
    assert (display.ax_.get_xscale(), display.ax_.get_yscale()) == ("log", "log")
    assert display.ax_.get_ylabel() == "relative duality gap"
    assert any(np.allclose(line.get_ydata(), 1e-6) for line in display.ax_.lines if line not in display.lines_)
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["one", "two"]


def test_iterations_can_run_across():
    display = ConvergenceDisplay.from_results(RESULTS, x="iteration")
    np.testing.assert_array_equal(display.lines_[0].get_xdata(), [0, 1, 2, 3])
    assert display.ax_.get_xscale() == "symlog"
    assert display.ax_.get_xlim()[0] == 0  # nothing happens before iteration zero
    only_start = ConvergenceDisplay.from_results({"zero": result([0.0])}, x="iteration")
    assert only_start.ax_.get_xlim() == (0, 1)


def test_a_comparison_is_drawn_from_its_results():
    found = compare(A, y, penalty=L1(0.1), solvers=("fista", "ista"))
    display = ConvergenceDisplay.from_comparison(found)
    for line, solved in zip(display.lines_, found.results.values(), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), solved.history["seconds"])
        assert line.get_ydata()[-1] == max(float(solved.certificate), 1e-17)


@pytest.mark.parametrize(
    ("results", "options", "named"),
    [
        (
            {**RESULTS, "other": result([1.0], name="relative stationarity")},
            {},
            "one: relative duality gap; .*other: relative stationarity.*a picture of their own",
        ),
        ({}, {}, "results is empty"),
        ({"omp": omp(A, y, n_nonzero=3)}, {}, "omp"),
        (RESULTS, {"x": "hours"}, "hours"),
        (list(RESULTS.values()), {}, "by name.*got a list"),
    ],
)
def test_results_that_cannot_be_drawn_are_refused(results, options, named):
    with pytest.raises(ValueError, match=named):
        ConvergenceDisplay.from_results(results, **options)


def shown_labels(display):
    """Boxes of the labels on the x axis that are not empty."""
    display.figure_.canvas.draw()
    ticks = [*display.ax_.xaxis.get_majorticklabels(), *display.ax_.xaxis.get_minorticklabels()]
    left, right = sorted(display.ax_.get_xlim())
    shown = [tick for tick in ticks if tick.get_text() and left <= tick.get_position()[0] <= right]
    return sorted((tick.get_window_extent() for tick in shown), key=lambda box: box.x0)


@pytest.mark.parametrize("seconds", [[1e-3, 1.01e-3], [3e-4, 6e-3], [1e-4, 2.0], [2e-5, 9e-5], [5.0, 5.0]])
def test_labels_of_a_logarithmic_axis_do_not_run_into_each_other(seconds):
    boxes = shown_labels(ConvergenceDisplay.from_results({"one": result([1.0, 1e-7], seconds=seconds)}))
    assert len(boxes) >= 1
    assert all(first.x1 < second.x0 for first, second in itertools.pairwise(boxes))


# paths


def test_lines_show_the_coefficients_over_falling_strengths():
    display = PathDisplay.from_path(PATH)
    assert set(display.lines_) == set(np.flatnonzero(np.any(PATH.coefs != 0, axis=1)))
    for feature, line in display.lines_.items():
        np.testing.assert_array_equal(line.get_xdata(), PATH.alphas)
        np.testing.assert_array_equal(line.get_ydata(), PATH.coefs[feature])
    left, right = display.ax_.get_xlim()
    assert left > right and display.ax_.get_xscale() == "log"


def named_lines(display):
    """Features that the legend names."""
    return [text.get_text() for text in display.ax_.get_legend().get_texts()]


def test_the_largest_at_the_marked_strength_are_named():
    display = PathDisplay.from_path(PATH, alpha=PATH.alphas[5])
    size = np.abs(PATH.coefs[:, 5])
    expected = np.sort(np.argsort(-size)[: min(7, np.count_nonzero(size))])
    assert named_lines(display) == [str(feature) for feature in expected]
    names = [f"gene {j}" for j in range(40)]
    display = PathDisplay.from_path(PATH, feature_names=names, highlight=PLANTED[:2])
    assert named_lines(display) == [names[j] for j in PLANTED[:2]]


def test_complex_and_joint_paths_are_drawn_by_size():
    complex_ = planted(40, 20, 3, complex_=True)
    path = lasso_path(complex_.A, complex_.y, n_alphas=5, eps=0.1)
    for feature, line in PathDisplay.from_path(path).lines_.items():
        np.testing.assert_allclose(line.get_ydata(), np.abs(path.coefs[feature]))
    many = planted(40, 20, 3, n_targets=3)
    path = regularization_path(many.A, many.y, penalty=RowL2(1.0), n_alphas=5, eps=0.1)
    for feature, line in PathDisplay.from_path(path).lines_.items():
        np.testing.assert_allclose(line.get_ydata(), np.linalg.norm(path.coefs[feature], axis=0))


def vertical(display):
    """Where the vertical line stands."""
    return [
        line.get_xdata()[0]
        for line in display.ax_.lines
        if len(line.get_xdata()) == 2 and np.ptp(line.get_xdata()) == 0
    ]


@pytest.mark.parametrize(
    "model",
    [
        LassoCV(alphas=8, eps=0.05),
        LassoIC(alphas=8, eps=0.05),
        ElasticNetCV(l1_ratio=[0.3, 0.9], alphas=8, eps=0.05),
        Lasso(0.1),
        NonconvexRegressor(0.1, "mcp"),
    ],
    ids=lambda model: type(model).__name__,
)
def test_the_path_of_an_estimator_passes_through_its_coefficients(model):
    model.fit(A, y)
    strength = getattr(model, "alpha_", None) or model.alpha
    display = PathDisplay.from_estimator(model, A, y, n_alphas=8, eps=0.05)
    assert vertical(display) == [strength]
    assert len(display.alphas) == 8
    if hasattr(model, "alphas_"):
        at = int(np.argmin(np.abs(display.alphas - strength)))
        np.testing.assert_allclose(display.coefs[:, at], model.coef_, atol=2e-3)


def test_a_classifier_shows_its_path_and_is_left_as_it_was():
    labels = np.where(y > 0, "yes", "no")
    model = SparseLogisticRegression(0.05).fit(A, labels)
    before = dict(model.__dict__)
    PathDisplay.from_estimator(model, A, labels, n_alphas=5, eps=0.2)
    assert model.__dict__.keys() == before.keys()
    assert all(model.__dict__[name] is value for name, value in before.items())


def test_names_of_columns_are_taken_from_the_estimator():
    pandas = pytest.importorskip("pandas")
    frame = pandas.DataFrame(A, columns=[f"x{j}" for j in range(40)])
    model = Lasso(0.2).fit(frame, y)
    display = PathDisplay.from_estimator(model, frame, y, n_alphas=5, highlight=PLANTED)
    assert named_lines(display) == [f"x{j}" for j in PLANTED]


def test_estimators_without_a_path_are_refused():
    with pytest.raises(NotFittedError):
        PathDisplay.from_estimator(Lasso(), A, y)
    with pytest.raises(ValueError, match="OrthogonalMatchingPursuit"):
        PathDisplay.from_estimator(OrthogonalMatchingPursuit(n_nonzero_coefs=3).fit(A, y), A, y)
    with pytest.raises(ValueError, match="path is a SolveResult; from_path takes .*plot_greedy_paths"):
        PathDisplay.from_path(omp(A, y, n_nonzero=3, return_path=True))


def test_features_to_colour_are_indices_or_a_mask():
    mask = np.isin(np.arange(40), PLANTED)
    assert named_lines(PathDisplay.from_path(PATH, highlight=mask)) == [str(j) for j in PLANTED]
    for wrong in ([0, 40], [-1], [0.5], mask[:5], [[1]]):
        with pytest.raises(ValueError, match="highlight must hold"):
            PathDisplay.from_path(PATH, highlight=wrong)
    with pytest.raises(ValueError, match="feature_names has 2 names for 40 features"):
        PathDisplay.from_path(PATH, feature_names=["a", "b"])


@pytest.mark.parametrize("alphas", [[0.1], [0.1, 0.1]])
@pytest.mark.filterwarnings("error")
def test_a_path_of_one_strength_is_drawn_as_points(alphas):
    display = PathDisplay.from_path(regularization_path(A, y, penalty=L1(1.0), alphas=alphas))
    assert {line.get_marker() for line in display.lines_.values()} == {"o"}
    left, right = sorted(display.ax_.get_xlim())
    assert left < 0.1 < right
    assert {line.get_marker() for line in PathDisplay.from_path(PATH).lines_.values()} == {""}


def test_a_path_that_selects_nothing_is_an_empty_picture():
    display = PathDisplay.from_path(regularization_path(A, y, penalty=MCP(1.0), alphas=[100.0]))
    assert display.lines_ == {} and display.ax_.get_legend() is None
