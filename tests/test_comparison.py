"""compare: every solver on the same problem, certified by the same code, timed from the call on."""

import sys
import time

import matplotlib
import numpy as np
import pytest

matplotlib.use("Agg")
import matplotlib.pyplot as plt

from sparsecode import (
    L1,
    MCP,
    Absolute,
    Comparison,
    Logistic,
    RowL2,
    Status,
    WithIntercept,
    compare,
    fista,
    lasso,
)
from sparsecode.plotting import ConvergenceDisplay
from tests.planted import planted

A, y, TRUE = planted(50, 80, 5, noise=0.1)
N = len(y)
ALPHA = 0.1


def objective(coef):
    """The Lasso's objective, from its formula."""
    return np.sum((y - A @ coef) ** 2) / (2 * N) + ALPHA * np.sum(np.abs(coef))


def gap(coef):
    """Its relative duality gap."""
    residual = y - A @ coef
    pull = np.abs(A.T @ residual).max() / N
    scale = np.clip(y @ residual / (residual @ residual), 0, ALPHA / pull)
    dual = scale * residual / N
    return (objective(coef) - (y @ dual - N / 2 * dual @ dual)) / (y @ y / (2 * N))


def test_every_row_is_certified_at_its_own_coefficients():
    found = compare(A, y, penalty=L1(ALPHA), solvers=("auto", "fista", "ista"), tol=1e-8)
    assert found.certificate_name == "relative duality gap"
    for record in found.records:
        coef = found.results[record["solver"]].coef
        assert record["certificate"] == pytest.approx(gap(coef), rel=1e-3, abs=1e-15)
        assert record["objective"] == pytest.approx(objective(coef))
        assert record["n_nonzero"] == np.count_nonzero(coef)
        assert record["status"] == "CONVERGED" and record["certificate"] <= found.tol == 1e-8
    assert found.methods == {"auto": "working_set", "fista": "fista", "ista": "ista"}


def test_a_callable_is_certified_whatever_it_says_of_itself():
    def boastful(A, y):
        return fista(A, y, penalty=L1(2 * ALPHA))  # solves another problem, to its own satisfaction

    def exact(A, y):
        return lasso(A, y, ALPHA, tol=1e-9).coef

    found = compare(A, y, penalty=L1(ALPHA), solvers=(boastful, exact, "fista"))
    assert list(found.results) == ["boastful", "exact", "fista"]
    wrong, right = found.results["boastful"], found.results["exact"]
    assert wrong.status is not Status.CONVERGED
    assert wrong.certificate == pytest.approx(gap(boastful(A, y).coef))
    assert right.status is Status.CONVERGED
    assert right.certificate <= 1e-8
    assert found.methods["exact"] == "exact"


def test_an_answer_that_is_no_number_has_diverged():
    found = compare(A, y, penalty=L1(ALPHA), solvers={"nan": lambda A, y: np.full(80, np.nan), "auto": "auto"})
    assert found.table["status"] == ["DIVERGED", "CONVERGED"]
    assert "DIVERGED" in repr(found)
    plt.close(found.plot().figure_)


def test_time_counts_from_the_call_on_and_warm_up_runs_do_not_count():
    calls = []

    def slow(A, y):
        calls.append(time.perf_counter())
        if len(calls) == 1:
            time.sleep(0.3)  # as compilation would
        time.sleep(0.02)
        return fista(A, y, penalty=L1(ALPHA))

    found = compare(A, y, penalty=L1(ALPHA), solvers=(slow,))
    assert len(calls) == 2
    assert 0.02 <= found.seconds["slow"] < 0.3
    history = found.results["slow"].history
    assert history["seconds"][-1] == pytest.approx(found.seconds["slow"])
    assert history["seconds"][0] >= 0.02 and np.all(np.diff(history["seconds"]) >= 0)
    calls.clear()
    assert compare(A, y, penalty=L1(ALPHA), solvers=(slow,), warm_up=False).seconds["slow"] >= 0.3
    assert len(calls) == 1


def test_repeated_runs_take_turns_and_the_median_counts():
    order, naps = [], iter([0.0, 0.09, 0.01, 0.03])

    def first(A, y):
        order.append("first")
        time.sleep(next(naps))
        return np.zeros(80)

    def second(A, y):
        order.append("second")
        return np.zeros(80)

    found = compare(A, y, penalty=L1(ALPHA), solvers=(first, second), n_repeats=3)
    assert order == ["first", "second"] * 4
    assert 0.03 <= found.seconds["first"] < 0.09


def test_names_can_be_given_and_equal_ones_are_told_apart():
    found = compare(A, y, penalty=L1(ALPHA), solvers={"mine": "fista", "zeros": lambda A, y: np.zeros(80)})
    assert list(found.results) == ["mine", "zeros"]
    same = compare(A, y, penalty=L1(ALPHA), solvers=[lambda A, y: np.zeros(80), lambda A, y: TRUE])
    assert list(same.results) == ["callable", "callable (2)"]
    assert list(compare(A, y, penalty=L1(ALPHA), solvers="fista").results) == ["fista"]


def test_weights_and_any_loss_reach_methods_given_by_name():
    labels = np.where(y > 0, 1.0, -1.0)
    counts = np.arange(N) % 3 + 1.0
    weights = np.r_[0.0, np.inf, np.ones(78)]
    options = {"penalty_weights": weights, "sample_weight": counts}
    found = compare(A, labels, WithIntercept(Logistic()), L1(0.05), solvers=("fista", "ista"), **options)
    expected = fista(A, labels, WithIntercept(Logistic()), L1(0.05), **options)
    for result in found.results.values():
        np.testing.assert_allclose(result.coef, expected.coef, atol=0.02)
        assert result.coef[1] == 0
        assert result.intercept == pytest.approx(float(expected.intercept), abs=0.02)


def test_joint_targets_are_compared_and_independent_ones_refused():
    many = planted(40, 60, 4, n_targets=3)
    found = compare(many.A, many.y, penalty=RowL2(0.2), solvers=("auto", "fista"))
    assert {record["status"] for record in found.records} == {"CONVERGED"}
    with pytest.raises(ValueError, match=r"\(40, 3\).*one by one"):
        compare(many.A, many.y, penalty=L1(0.2))


def test_the_table_has_every_form():
    found = compare(A, y, penalty=MCP(ALPHA), solvers=("auto", "ista"))
    assert found.table["solver"] == ["auto", "ista"]
    assert [record["seconds"] for record in found.records] == found.table["seconds"]
    pandas = pytest.importorskip("pandas")
    assert isinstance(found.frame, pandas.DataFrame)
    assert list(found.frame.index) == ["auto", "ista"]
    assert found.frame.loc["ista", "n_iter"] == found.results["ista"].n_iter
    text = repr(found)
    assert "relative stationarity" in text and "ista" in text and "CONVERGED" in text


def test_without_pandas_the_error_names_what_is_there(monkeypatch):
    found = compare(A, y, penalty=L1(ALPHA), solvers=("fista",))
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(ModuleNotFoundError, match="records"):
        found.frame  # noqa: B018


def test_the_picture_is_a_convergence_display():
    found = compare(A, y, penalty=L1(ALPHA), solvers=("auto", "fista"))
    assert isinstance(found, Comparison)
    display = found.plot(x="iteration")
    assert isinstance(display, ConvergenceDisplay) and display.ax_.get_xlabel() == "iteration"
    plt.close(display.figure_)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"penalty": None}, "penalty"),
        ({"solvers": ()}, "solvers"),
        ({"solvers": ("fista", "fista")}, "twice"),
        ({"solvers": ("fista", 3)}, "3"),
        ({"solvers": ("magic",)}, "magic"),
        ({"loss": Absolute(), "solvers": ("fista",)}, "cannot solve Absolute"),
        ({"solvers": {"short": lambda A, y: np.zeros(3)}}, r"'short' returned .* \(3,\); expected \(80,\)"),
        ({"n_repeats": 0}, "n_repeats"),
        ({"tol": -1.0}, "tol"),
    ],
)
def test_bad_input_is_named(options, named):
    with pytest.raises(ValueError, match=named):
        compare(A, y, **{"penalty": L1(ALPHA), **options})
