"""What was measured is kept with its conditions, and the tables say nothing else."""

import json
from pathlib import Path

import pytest

from benchmarks import records, report, run
from benchmarks.measure import Row

ROOT = Path(__file__).resolve().parents[2]
MACHINE = {"processor": "a processor", "cores": 2, "memory_gib": 24, "system": "Linux"}


def make_row(value, ask="≥ 2×", threads=1, problem="a problem", peer="a peer"):
    return Row("omp", problem, peer, value, unit="x", ask=ask, met=value >= 2.0, threads=threads).as_dict()


def make_entry(*rows, job="omp", kind="1", versions=None, beside="", command="python benchmarks/run.py"):
    versions = versions or {"numpy": "2.4"}
    return records.Entry(job, kind, command, "2026-11-22", 60.0, MACHINE, versions, {"rows": list(rows)}, beside)


def test_a_job_measured_again_replaces_its_entry_of_that_thread_count_and_no_other(tmp_path):
    first, second, other = make_entry(make_row(3.0)), make_entry(make_row(4.0)), make_entry(make_row(5.0), kind="2")
    records.keep([first, other], tmp_path)
    records.keep([second], tmp_path)
    assert records.kept(tmp_path) == [second, other]


def test_entries_come_in_the_order_of_the_jobs(tmp_path):
    records.keep([make_entry(job="lasso"), make_entry(job="omp")], tmp_path)
    assert [entry.job for entry in records.kept(tmp_path)] == ["omp", "lasso"]


def test_a_file_of_no_job_is_an_error_that_names_it(tmp_path):
    (tmp_path / "ompp.json").write_text("{}")
    with pytest.raises(ValueError, match=r"ompp\.json, which no job is called after"):
        records.kept(tmp_path)


def test_a_line_in_short_runs_from_the_worst_to_the_best_figure_and_counts_those_that_meet_the_ask():
    rows = [make_row(value, problem=str(value)) for value in (5.0, 1.5, 3.0)]
    text = report.in_short([make_entry(*rows), make_entry(make_row(2.5, threads=2, problem="5.0"), kind="2")])
    assert "| OMP codes of image patches | a peer | ≥ 2× | 1.50× to 5.00× (2 of 3) | 2.50× |" in text
    assert "**3 of 4 figures meet what was asked of them; these fall short:**" in text
    assert "* 1.5 | 1 thread | against a peer: 1.50× (asked ≥ 2×: not met)" in text
    assert "* 5.0 |" not in text


def test_figures_of_nothing_asked_stand_in_full_only():
    rows = [make_row(3.0), make_row(9.0, ask="", problem="only reported") | {"met": None}]
    entries = [make_entry(*rows)]
    assert "only reported" not in report.in_short(entries)
    assert "| only reported | 1 |" in report.in_full(entries)


def test_conditions_that_differ_from_the_usual_ones_stand_in_their_section():
    usual = [make_entry(make_row(3.0), kind=kind) for kind in ("1", "2")]
    odd = make_entry(make_row(3.0), job="lasso", versions={"numpy": "2.0"}, beside="beside a film")
    head, lasso = report.in_full([*usual, odd]).split("## LASSO (`lasso`)")
    assert head.count("numpy 2.4") == 1
    assert "numpy 2.4" not in lasso
    assert "numpy 2.0, beside a film." in lasso


def test_recording_keeps_what_came_to_its_end_and_writes_both_tables(monkeypatch, tmp_path, capsys):
    def in_child(name, *_, **__):
        return {"rows": [make_row(3.0)]} | ({"error": "ended after 1800 s"} if name == "memory" else {})

    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "README.md").write_text(f"{report.BEGIN}\n{report.END}\n")
    monkeypatch.setattr(run, "_in_child", in_child)
    monkeypatch.setattr(run, "ROOT", tmp_path)
    monkeypatch.setattr(records, "FOLDER", tmp_path / "results")
    assert run.main(["--jobs", "iteration,memory", "--threads", "1", "--record", "--beside", "a film"]) == 1
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["iteration.json"]
    kept = json.loads((tmp_path / "results" / "iteration.json").read_text())["1"]
    assert kept["beside"] == "a film"
    assert "--jobs iteration,memory --threads 1" in kept["command"]
    assert "1 of 1 figures" in (tmp_path / "README.md").read_text()
    assert "a film" in (tmp_path / "benchmarks" / "RESULTS.md").read_text()


def test_figures_of_a_smoke_run_are_not_kept(capsys):
    with pytest.raises(SystemExit):
        run.main(["--jobs", "iteration", "--smoke", "--record"])
    assert "keeps no figures of a smoke run" in capsys.readouterr().err


def test_the_tables_of_this_checkout_are_those_of_its_records():
    entries = records.kept()
    readme = (ROOT / "README.md").read_text().split(report.BEGIN)[1].split(report.END)[0]
    assert readme.strip() == report.in_short(entries)
    assert (ROOT / "benchmarks" / "RESULTS.md").read_text().strip() == report.in_full(entries)
