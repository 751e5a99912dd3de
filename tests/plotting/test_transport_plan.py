"""The picture of a plan shows its entries, its marginals and its points."""

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from sparsecode.plotting import TransportPlanDisplay
from sparsecode.transport import solve

RNG = np.random.default_rng(0)
X, Y = RNG.random((12, 2)), RNG.random((9, 2))
MASSES = RNG.random(12) + 0.2
COST = ((X[:, None] - Y) ** 2).sum(-1)
TARGETS = np.full(9, MASSES.sum() / 9)


def solved(form="csr"):
    return solve(MASSES, TARGETS, COST, 0.01, plan=form)


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


@pytest.mark.parametrize("form", ["csr", "dense", "lazy"])
def test_every_large_entry_is_a_mark_at_its_place(form):
    display = TransportPlanDisplay.from_result(solved(form), least=0.1)
    plan = solved("dense").plan
    rows, columns = np.nonzero(plan >= 0.1 * plan.max())
    (marks,) = display.ax_.collections
    assert set(map(tuple, marks.get_offsets())) == set(zip(columns, rows, strict=True))
    assert display.shown_ == rows.size < plan.size
    np.testing.assert_allclose(np.sort(marks.get_alpha()) ** 2, np.sort(plan[rows, columns]) / plan.max(), atol=1e-9)
    display.figure_.canvas.draw()


def test_marginals_stand_beside_the_plan():
    display = TransportPlanDisplay.from_result(solved())
    above, right = display.ax_.child_axes
    np.testing.assert_allclose(above.patches[0].get_data().values, TARGETS, atol=1e-8)
    np.testing.assert_allclose(right.patches[0].get_data().values, MASSES, atol=1e-8)


def test_lines_join_the_points_that_exchange_mass():
    _, ax = plt.subplots()
    display = TransportPlanDisplay.from_plan(np.eye(12, 9), X, Y, kind="points", ax=ax)
    assert display.ax_ is ax
    (lines,) = ax.collections
    np.testing.assert_allclose(lines.get_segments(), np.stack([X[:9], Y], axis=1))


def test_a_plan_without_mass_draws_nothing():
    assert TransportPlanDisplay.from_plan(np.zeros((2, 3))).shown_ == 0


@pytest.mark.parametrize(
    "make, message",
    [
        (lambda: TransportPlanDisplay.from_result(solved(), kind="graph"), "kind must be"),
        (lambda: TransportPlanDisplay.from_result(solved(), kind="points"), "points are not known"),
        (lambda: TransportPlanDisplay.from_result(solved(), X[:3], Y, kind="points"), r"X has shape \(3, 2\)"),
        (lambda: TransportPlanDisplay.from_result(solved(), X, np.nan * Y), "Y contains NaN"),
        (lambda: TransportPlanDisplay.from_result(solved(), least=2.0), "least must be"),
        (lambda: TransportPlanDisplay.from_plan(-np.eye(2)), "negative or NaN"),
        (lambda: TransportPlanDisplay.from_result(np.eye(2)), "got ndarray: from_plan draws any plan"),
        (lambda: TransportPlanDisplay.from_plan(np.ones(2)), "plan has shape"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
