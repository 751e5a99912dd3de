"""The picture of a posterior shows the numbers of the posterior."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from scipy.stats import chi2, norm
from sklearn.exceptions import NotFittedError

from sparsecode import Lasso, SparseBayesianRegressor, Status, omp, sbl
from sparsecode.plotting import UncertaintyDisplay
from sparsecode.result import PosteriorResult
from tests.planted import planted

A, y, TRUE = planted(60, 40, 4, noise=0.3)
RESULT = sbl(A, y, noise_variance=0.09)


def posterior(coef, variance, inclusion=None, **parameters):
    """A result with a given posterior."""
    solved = (0.0, Status.CONVERGED, 1, 0.0, 0.0, "certificate", 1e-6)
    return PosteriorResult(coef, *solved, variance=variance, inclusion=inclusion, parameters=parameters)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def errors_of(display):
    """Positions, centres and half widths of everything that was drawn with an error bar."""
    found = {}
    for container in display.ax_.containers:
        points, _, (bars,) = container.lines
        for (x, centre), segment in zip(points.get_xydata(), bars.get_segments(), strict=True):
            found[int(x)] = (centre, np.ptp(segment[:, 1]) / 2)
    return found


def test_it_draws_on_the_axes_it_is_given_or_on_its_own():
    _, ax = plt.subplots()
    display = UncertaintyDisplay.from_result(RESULT, TRUE, ax=ax)
    assert display.ax_ is ax
    assert display.plot() is display
    assert display.ax_ is not ax
    display.figure_.canvas.draw()


@pytest.mark.parametrize("level", [0.5, 0.95])
def test_intervals_are_those_of_the_posterior(level):
    drawn = errors_of(UncertaintyDisplay.from_result(RESULT, level=level))
    assert set(drawn) == set(np.flatnonzero(RESULT.coef))
    for index, (centre, half) in drawn.items():
        assert centre == RESULT.coef[index]
        assert half == pytest.approx(norm.interval(level, scale=np.sqrt(RESULT.variance[index]))[1])


def test_intervals_that_miss_the_truth_are_told_apart_and_missed_coefficients_are_shown():
    true = np.array([0.0, 1.0, 2.0, -1.0, 0.0])
    display = UncertaintyDisplay.from_result(
        posterior(np.array([0.0, 1.1, 1.0, 0.0, 0.5]), np.array([0, 0.01, 0.01, 0, 0.1])), true
    )
    np.testing.assert_array_equal(display.covered_, [True, True, False, False, True])
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "planted",
        "95 % holds the truth (2)",
        "95 % misses it (2)",
    ]
    assert set(errors_of(display)) == {1, 2, 3, 4}


def test_complex_coefficients_have_discs_of_that_probability():
    display = UncertaintyDisplay.from_result(posterior(np.array([1.0 + 1j, 2j]), np.array([0.5, 2.0])), level=0.9)
    np.testing.assert_allclose(display.half_width_**2, chi2.ppf(0.9, 2) * np.array([0.5, 2.0]) / 2)
    assert errors_of(display)[0][0] == pytest.approx(np.sqrt(2))
    assert display.ax_.get_ylabel() == "modulus"


def test_relevance_is_the_prior_variance_or_the_inclusion_probability():
    display = UncertaintyDisplay.from_result(RESULT, kind="relevance")
    (line,) = [line for line in display.ax_.lines if line.get_marker() == "o"]
    np.testing.assert_array_equal(line.get_xdata(), np.flatnonzero(RESULT.parameters["prior_variance"]))
    assert (display.ax_.get_yscale(), display.ax_.get_ylabel()) == ("log", "prior variance")
    inclusion = np.array([0.2, 0.9, 0.0])
    display = UncertaintyDisplay.from_result(
        posterior(np.ones(3), np.ones(3), inclusion, prior_variance=np.ones(3)), np.array([0, 1.0, 0]), kind="relevance"
    )
    assert (display.ax_.get_yscale(), display.ax_.get_ylabel()) == ("linear", "inclusion probability")
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == ["others (2)", "planted (1)"]


def test_planted_coefficients_of_no_relevance_stand_at_the_foot():
    result = posterior(np.array([0.0, 1.0, 0.0]), np.ones(3), prior_variance=np.array([0.0, 2.0, 0.0]))
    display = UncertaintyDisplay.from_result(result, np.array([1.0, 1.0, 0.0]), kind="relevance")
    assert [text.get_text() for text in display.ax_.get_legend().get_texts()] == [
        "planted (1)",
        "planted, not in use (1)",
    ]
    (line,) = [line for line in display.ax_.lines if line.get_marker() == "v"]
    np.testing.assert_array_equal(line.get_xdata(), [0])


def test_an_estimator_is_drawn_as_its_result():
    model = SparseBayesianRegressor(noise_variance=0.09, fit_intercept=False).fit(A, y)
    expected, drawn = (
        errors_of(UncertaintyDisplay.from_result(RESULT)),
        errors_of(UncertaintyDisplay.from_estimator(model)),
    )
    assert drawn.keys() == expected.keys()
    np.testing.assert_allclose(list(drawn.values()), list(expected.values()))
    assert UncertaintyDisplay.from_estimator(model, kind="relevance").relevance_name == "prior variance"


def test_one_of_many_targets_is_drawn():
    Y = np.stack([y, -y], axis=1)
    result = sbl(A, Y, noise_variance=0.09, joint=True)
    drawn = UncertaintyDisplay.from_result(result, np.stack([TRUE, -TRUE], axis=1), index=1)
    np.testing.assert_array_equal(drawn.coef, result.coef[:, 1])
    np.testing.assert_array_equal(drawn.coef_true, -TRUE)
    model = SparseBayesianRegressor(noise_variance=0.09, fit_intercept=False).fit(A, Y)
    for kind in ("intervals", "relevance"):
        drawn = UncertaintyDisplay.from_estimator(model, np.stack([TRUE, -TRUE]), index=1, kind=kind)
        np.testing.assert_array_equal(drawn.coef, model.coef_[1])
        np.testing.assert_array_equal(drawn.relevance, model.prior_variance_[1])


@pytest.mark.parametrize(
    ("draw", "named"),
    [
        (lambda: UncertaintyDisplay.from_result(omp(A, y, n_nonzero=3)), "SolveResult"),
        (lambda: UncertaintyDisplay.from_estimator(Lasso(0.1).fit(A, y)), "Lasso"),
        (lambda: UncertaintyDisplay.from_result(RESULT, TRUE[:5]), "coef_true"),
        (lambda: UncertaintyDisplay.from_result(RESULT, np.nan * TRUE), "coef_true contains NaN"),
        (lambda: UncertaintyDisplay.from_result(RESULT, kind="bars"), "bars"),
        (lambda: UncertaintyDisplay.from_result(RESULT, level=1.0), "level must be .*below 1.*got 1"),
        (lambda: UncertaintyDisplay.from_result(RESULT, level=2), "level must be .*below 1.*got 2"),
        (lambda: UncertaintyDisplay.from_result(RESULT, level=0.0), "level must be greater than 0"),
        (lambda: UncertaintyDisplay.from_result(RESULT, index=1), "index is 1, but there is one target"),
        (lambda: UncertaintyDisplay.from_result(RESULT, index=-1), "index"),
        (lambda: UncertaintyDisplay(np.ones(2), np.ones(2)).plot(kind="relevance"), "relevance"),
    ],
)
def test_what_cannot_be_drawn_is_refused(draw, named):
    with pytest.raises(ValueError, match=named):
        draw()


def test_an_estimator_must_be_fitted():
    with pytest.raises(NotFittedError):
        UncertaintyDisplay.from_estimator(SparseBayesianRegressor())
