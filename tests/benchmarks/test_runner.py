"""The benchmark runner: who runs when, what ratio is reported, and which pairs do not count. No test looks at real time."""

import json
import re
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from benchmarks import records, report, run
from benchmarks.jobs import NAMES, load
from benchmarks.jobs._lasso_problems import lasso_problem
from benchmarks.jobs._patches import greedy_certificate
from benchmarks.jobs.iteration import Alternate
from benchmarks.jobs.kronecker import kronecker_pursuit
from benchmarks.jobs.lasso import geometric_mean
from benchmarks.measure import Ask, Certificate, Contest, Row, Setting, compare, not_measured, race, row_of_ratios

GOOD = Certificate(0.0, 1.0)


class Stage:
    """Contestants that take a chosen time on a clock of their own and leave a trace."""

    def __init__(self):
        self.now, self.trace = 0.0, []

    def clock(self):
        return self.now

    def runner(self, name, seconds, answer=None):
        """`seconds` and `answer` are values, or functions of the round."""

        def run_it(count):
            self.trace.append(name)
            self.now += seconds(count) if callable(seconds) else seconds
            return answer(count) if callable(answer) else answer

        return run_it


def make_contest(stage, ours, peers, certify=lambda answer: answer or GOOD, **options):
    runners = {name: stage.runner(name, *spec) for name, spec in peers.items()}
    return Contest("a problem", stage.runner("ours", *ours), runners, certify, tol=1e-6, **options)


def test_runs_are_interleaved():
    stage = Stage()
    race(make_contest(stage, (1.0,), {"A": (1.0,), "B": (1.0,)}), 3, stage.clock)
    assert stage.trace == ["ours", "A", "B"] * 3


def test_certificates_are_made_outside_the_timed_part():
    stage = Stage()

    def slow_certificate(answer):
        stage.now += 100.0
        return GOOD

    made = race(make_contest(stage, (1.0,), {"A": (2.0,)}, certify=slow_certificate), 2, stage.clock)
    assert made.seconds == {"ours": [1.0, 1.0], "A": [2.0, 2.0]}


def test_the_figure_is_the_median_of_the_ratios_of_pairs_with_quartiles():
    ours, theirs = [1.0, 2.0, 1.0, 4.0, 1.0], [3.0, 2.0, 5.0, 40.0, 2.0]
    row = row_of_ratios(ours, theirs, job="", problem="", peer="A", ask=Ask(2.5))
    ratios = np.divide(theirs, ours)
    assert (row.low, row.value, row.high) == tuple(np.percentile(ratios, [25, 50, 75])) == (2.0, 3.0, 5.0)
    assert row.met is True
    cost = row_of_ratios(theirs, ours, job="", problem="", peer="A", ask=Ask(2.5, at_least=False), cost=True)
    assert cost.value == row.value
    assert cost.met is False


def test_a_peer_that_is_not_installed_is_named_in_the_table():
    row = not_measured("a job", "a problem", "A", Ask(4.0), "A is not installed")
    assert report.in_one_line(row.as_dict()) == "a problem | 1 thread | against A: not measured"
    assert row.ask == "≥ 4×" and row.met is None and "not installed" in row.note


def test_a_slow_spell_of_the_machine_does_not_move_the_ratio():
    stage = Stage()
    spell = lambda factor: lambda count: factor * (10.0 if count >= 3 else 1.0)  # noqa: E731
    row = compare(make_contest(stage, (spell(1.0),), {"A": (spell(2.0),)}), Setting(6), clock=stage.clock)
    assert row.low == row.value == row.high == 2.0


def test_the_ratio_is_to_the_fastest_peer_and_the_others_are_reported():
    stage = Stage()
    contest = make_contest(stage, (1.0,), {"slow": (5.0,), "fast": (3.0,)}, n_items=10)
    row = compare(contest, Setting(4), clock=stage.clock)
    assert (row.peer, row.value, row.others) == ("fast", 3.0, {"slow": 0.5})
    assert (row.ours, row.theirs) == (0.1, 0.3)


@pytest.mark.parametrize("who", ["ours", "A"])
def test_a_pair_with_a_missed_certificate_is_rejected_whoever_missed_it(who):
    stage = Stage()
    missed = lambda count: Certificate(1.0 if count == 2 else 0.0, 1.0)  # noqa: E731
    seconds = lambda count: 1000.0 if count == 2 else 2.0  # noqa: E731
    ours, theirs = ((seconds, missed), (2.0,)) if who == "ours" else ((2.0,), (seconds, missed))
    row = compare(make_contest(stage, ours, {"A": theirs}), Setting(5), clock=stage.clock)
    assert (row.pairs, row.rejected) == (4, 1)
    assert row.low == row.value == row.high == 1.0
    assert max(row.certificate, row.peer_certificate) == 1.0  # the worst one is shown


def test_a_certificate_that_is_not_a_number_is_missed():
    stage = Stage()
    contest = make_contest(stage, (1.0, Certificate(np.nan, 1.0)), {"A": (1.0,)})
    assert compare(contest, Setting(2), clock=stage.clock).rejected == 2


def test_a_worse_objective_of_ours_is_rejected_and_a_better_one_is_not():
    stage = Stage()
    worse = make_contest(stage, (1.0, Certificate(0.0, 1.1)), {"A": (2.0,)}, slack=0.01)
    assert compare(worse, Setting(2), clock=stage.clock).rejected == 2
    better = make_contest(stage, (1.0, Certificate(0.0, 0.9)), {"A": (2.0,)}, slack=0.01)
    assert compare(better, Setting(2), clock=stage.clock).rejected == 0


def test_with_every_pair_rejected_there_is_no_figure_and_nothing_is_met():
    stage = Stage()
    contest = make_contest(stage, (1.0, Certificate(1.0, 1.0)), {"A": (9.0,)}, ask=Ask(2.0))
    row = compare(contest, Setting(3), clock=stage.clock)
    assert row.value is None
    assert row.met is False
    assert "3 of 3 pairs rejected" in report.in_one_line(row.as_dict())


def test_an_answer_that_does_not_change_is_certified_once():
    stage, seen = Stage(), []

    def certify(answer):
        seen.append(answer)
        return GOOD

    codes = sp.csr_array(np.eye(3))
    contest = make_contest(stage, (1.0, lambda count: np.full(3, count // 2)), {"A": (1.0, codes)}, certify=certify)
    race(contest, 4, stage.clock)
    assert len(seen) == 2 + 1


def test_greedy_certificate_refuses_a_perturbed_code_and_a_code_that_is_too_long():
    rng = np.random.default_rng(0)
    dictionary = rng.standard_normal((12, 6))
    patches = np.vstack([rng.standard_normal((7, 6)), np.zeros(6)])  # a constant patch has the zero code
    codes = np.zeros((8, 12))
    for row, patch in enumerate(patches[:-1]):
        chosen = rng.choice(12, 2, replace=False)
        codes[row, chosen] = np.linalg.lstsq(dictionary[chosen].T, patch, rcond=None)[0]
    certify = greedy_certificate(patches, dictionary, 2)
    made = certify(codes)
    assert made.value < 1e-12
    assert made.objective == pytest.approx(np.mean(np.sum((patches - codes @ dictionary) ** 2, axis=1)))
    assert certify(np.where(codes != 0, codes + 1e-3, 0.0)).value > 1e-5
    assert greedy_certificate(patches, dictionary, 1)(codes).value == np.inf


def test_lasso_certificate_is_the_gap_of_the_stated_problem():
    problem = lasso_problem("iid", 20, 30, 10)
    assert problem.alpha == pytest.approx(np.max(np.abs(problem.X.T @ problem.y)) / 20 / 10)
    zero = problem.certificate(np.zeros(30))
    assert zero.objective == pytest.approx(problem.y @ problem.y / 40)
    assert zero.value > 0.01
    from sklearn.linear_model import Lasso

    exact = Lasso(problem.alpha, fit_intercept=False, tol=1e-14, max_iter=100_000).fit(problem.X, problem.y).coef_
    assert problem.certificate(exact).value < 1e-10
    assert problem.certificate(1.01 * exact).value > 1e-6


def test_geometric_mean_of_the_lasso_rows():
    made = [Row("lasso", "", "", value, low=value, high=value, pairs=3) for value in (1.0, 2.0, 4.0)]
    assert geometric_mean(made, "", Ask(1.5)).value == pytest.approx(2.0)
    made[1].value = None
    assert geometric_mean(made, "", Ask(1.5)).met is False


def test_the_bare_products_run_as_often_as_the_solver_iterated():
    calls = []
    watch = Alternate(lambda: calls.append(1), wanted=2)

    class Progress:
        certificate = 0.5

        def __init__(self, iteration):
            self.iteration = iteration

    stops = [watch(Progress(iteration)) for iteration in (0, 10, 20, 27)]
    assert stops == [False, False, False, True]
    assert len(calls) == 10 + 7
    assert len(watch.ours) == len(watch.theirs) == 2


def test_every_job_has_a_unique_name_and_loads():
    assert [load(name).name for name in NAMES] == list(NAMES)
    with pytest.raises(ValueError, match="there is no job 'nonsense'; the jobs are omp"):
        load("nonsense")


@pytest.mark.parametrize("argv", [["--jobs", "nonsense"], ["--pairs", "0"], ["--threads", "none"]])
def test_a_bad_command_line_ends_with_status_2(argv, capsys):
    with pytest.raises(SystemExit) as ended:
        run.main(argv)
    assert ended.value.code == 2
    assert re.search("the jobs are omp|a positive whole number is needed", capsys.readouterr().err)


def test_thread_counts_are_distinct_and_in_order(monkeypatch):
    monkeypatch.setattr(run.os, "sched_getaffinity", lambda _: {0, 1, 2}, raising=False)
    assert run._thread_counts("1,all") == [1, 3]
    monkeypatch.setattr(run.os, "sched_getaffinity", lambda _: {0}, raising=False)
    assert run._thread_counts("1,all") == [1]


def test_a_job_that_fails_is_named_and_the_others_are_still_reported(monkeypatch, tmp_path, capsys):
    row = Row("omp", "a problem", "A peer", 2.0, 1.0, 3.0, ask="≥ 1.5×", met=True, ours=1.0, theirs=2.0, pairs=3)

    def in_child(name, threads, pairs, smoke, kind="rows", env=None, trials=None):
        if kind == "first-call":
            return {"first": 3.0, "steady": 1.0}
        return (
            {"rows": [], "error": "ImportError: No module named 'spams'"}
            if name == "ols"
            else {"rows": [row.as_dict()]}
        )

    monkeypatch.setattr(run, "_in_child", in_child)
    output = tmp_path / "results.json"
    assert run.main(["--jobs", "omp,ols", "--threads", "1", "--output", str(output)]) == 1
    document = json.loads(output.read_text())
    measured, first = document["entries"][:2]
    assert (measured["job"], measured["kind"], measured["found"]) == ("omp", "1", {"rows": [row.as_dict()]})
    assert (first["kind"], first["found"]) == (records.FIRST_CALL, {"cold": 2.0, "second": 2.0, "steady": 1.0})
    assert document["failures"] == ["ols, 1 thread: ImportError: No module named 'spams'"]
    table = capsys.readouterr().out
    assert "| a problem | 1 | 1.00 s | A peer 2.00 s | 2.00× [1.00, 3.00] | ≥ 1.5× | yes |" in table
    assert "**Not measured:** ols, 1 thread: ImportError" in table
    assert "python benchmarks/run.py --jobs omp,ols --threads 1" in table


@pytest.mark.parametrize("smoke, most", [(False, 1), (True, 2)])
def test_only_jobs_of_a_smoke_run_are_side_by_side(monkeypatch, tmp_path, smoke, most):
    at_work, seen, both = [], [], threading.Barrier(2)

    def in_child(name, threads, pairs, smoke, kind="rows", env=None, trials=None):
        at_work.append(name)
        both.wait(60) if smoke else time.sleep(0.1)  # time for the other to come
        seen.append(len(at_work))
        at_work.remove(name)
        return {"rows": [], "error": name}

    monkeypatch.setattr(run, "_in_child", in_child)
    monkeypatch.setattr(run.os, "sched_getaffinity", lambda _: {0, 1}, raising=False)
    output = tmp_path / "results.json"
    asked = ["--jobs", "iteration,memory", "--threads", "1", "--output", str(output), *["--smoke"][: int(smoke)]]
    assert run.main(asked) == 1
    assert max(seen) == most
    assert json.loads(output.read_text())["failures"] == [
        f"{name}, 1 thread: {name}" for name in ("iteration", "memory")
    ]


def test_a_real_job_comes_back_from_its_own_process(tmp_path, capsys):
    output = tmp_path / "results.json"
    assert run.main(["--jobs", "iteration", "--threads", "1", "--smoke", "--output", str(output)]) == 0
    (entry,) = json.loads(output.read_text())["entries"]
    rows = entry["found"]["rows"]
    assert [row["problem"].split(",")[0] for row in rows] == ["FISTA", "IHT"]
    assert all(
        row["value"] > 0 and row["pairs"] == 2 and row["met"] is None for row in rows
    )  # a smoke run is held to nothing


def test_a_job_that_is_ended_keeps_the_rows_it_had(monkeypatch):
    def ended(command, **_):
        output = command[command.index("--output") + 1]
        Path(output).write_text(json.dumps({"rows": ["the first row"]}))
        raise subprocess.TimeoutExpired(command, 1)

    monkeypatch.setattr(run.subprocess, "run", ended)
    found = run._in_child("omp", 1, 20, smoke=False)
    assert found["rows"] == ["the first row"]
    assert found["error"].startswith("ended after")


def test_the_number_of_trials_reaches_the_job_and_gives_it_time(monkeypatch):
    seen = {}

    def remembered(command, timeout, **_):
        seen.update(command=command, timeout=timeout)
        return subprocess.CompletedProcess(command, 0)

    monkeypatch.setattr(run.subprocess, "run", remembered)
    run._in_child("ggamp-large", 1, 20, smoke=True, trials=100)
    assert seen["command"][-2:] == ["--trials", "100"]
    assert seen["timeout"] == 6000
    run._in_child("omp", 1, 20, smoke=True)
    assert "--trials" not in seen["command"]
    assert seen["timeout"] == 1800


def test_kronecker_pursuit_is_least_squares_on_a_product_of_supports():
    rng = np.random.default_rng(0)
    factors = [rng.standard_normal((8, 10)), rng.standard_normal((7, 9))]
    coef = np.zeros((10, 9))
    coef[np.ix_([2, 7], [1, 4])] = [[3.0, -2.0], [1.5, 4.0]]
    y = (factors[0] @ coef @ factors[1].T).ravel() + 0.01 * rng.standard_normal(56)
    found = kronecker_pursuit(factors, y, 2)
    np.testing.assert_array_equal(np.flatnonzero(found), np.flatnonzero(coef))
    columns = np.kron(*factors)[:, coef.ravel() != 0]
    np.testing.assert_allclose(found[found != 0], np.linalg.lstsq(columns, y)[0], rtol=1e-10)


def test_a_process_that_dies_is_an_error_and_says_how(monkeypatch):
    monkeypatch.setattr(run.subprocess, "run", lambda command, **_: subprocess.CompletedProcess(command, -9))
    assert run._in_child("omp", 1, 20, smoke=False)["error"] == "exit status -9"


def test_the_table_is_written_between_the_markers_only(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n")
    report.write_between_markers(readme, "new")
    report.write_between_markers(readme, "newer")
    assert readme.read_text() == f"before\n{report.BEGIN}\nnewer\n{report.END}\nafter\n"
    readme.write_text("no markers")
    with pytest.raises(ValueError, match="must contain the lines"):
        report.write_between_markers(readme, "new")
    assert readme.read_text() == "no markers"
