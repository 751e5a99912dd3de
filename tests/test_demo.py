"""The command line: what it prints, what it writes, and how it exits."""

import io
import os
import re
import subprocess
import sys
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest

import sparsecode
from sparsecode import __main__ as command_line
from sparsecode._demo import tour
from sparsecode._demo.mri import variable_density_mask
from sparsecode._demo.report import table
from sparsecode._demo.rows import Progress, Row

ROOT = Path(__file__).resolve().parents[1]
ROW = Row(task="task", method="method", certificate="gap", value=1e-9, bound=1e-6, first=1.0, later=0.5)


def start(*arguments, **options):
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-W", "error::RuntimeWarning", "-m", "sparsecode", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, env=environment, **options)


@pytest.fixture(scope="module")
def demo(tmp_path_factory):
    folder = tmp_path_factory.mktemp("demo")
    return start("demo", cwd=folder), folder


def lines_of(text, method):
    return [line.split() for line in text.splitlines() if f" {method} " in line]


def test_the_demo_meets_every_certificate(demo):
    done, _ = demo
    assert done.returncode == 0, done.stderr
    assert "missed" not in done.stdout.lower()


def test_the_demo_is_silent_where_no_terminal_is(demo):
    done, _ = demo
    assert done.stderr == ""


def test_the_demo_writes_its_picture_and_says_where(demo):
    done, folder = demo
    path = folder / "sparsecode_demo.png"
    assert str(path) in done.stdout
    pixels = matplotlib.image.imread(path)
    assert min(pixels.shape[:2]) > 1000
    assert np.std(pixels) > 0.1


def test_the_photograph_gains_seven_decibels_and_learned_atoms_beat_cosines(demo):
    done, _ = demo
    (learned,), (cosine,) = lines_of(done.stdout, "code, learned atoms"), lines_of(done.stdout, "code, cosine atoms")
    before, after = map(float, learned[3:5])
    assert before == pytest.approx(20.17, abs=0.05)  # noise of 25/255
    assert after > before + 7.0
    assert after > float(cosine[4])


def test_the_slice_gains_six_decibels(demo):
    done, _ = demo
    (fields,) = lines_of(done.stdout, "FISTA, wavelets")
    before, after = map(float, fields[4:6])
    assert after > before + 6.0


@pytest.mark.parametrize("method", ["OMP", "IHT", "FISTA, l1", "Lasso"])
def test_every_method_finds_the_planted_support(demo, method):
    done, _ = demo
    (fields,) = lines_of(done.stdout, method)
    assert "30/30" in fields


def test_both_l1_methods_find_the_same_minimiser(demo):
    done, _ = demo
    errors = {lines_of(done.stdout, method)[0][-8] for method in ("FISTA, l1", "Lasso")}
    assert len(errors) == 1


def test_columns_of_the_table_are_aligned():
    rows = [ROW, ROW._replace(task="another task", error=1.0, support="1/2 +0"), ROW._replace(before=20.0, after=27.5)]
    lines = table(rows).splitlines()
    ends = {match.end() for line in [lines[1], *lines[3:]] for match in [re.search(r"(later|0\.500)$", line)]}
    assert len(ends) == 1


def test_a_missed_certificate_is_marked_and_named_and_the_exit_status_is_one(monkeypatch, tmp_path):
    class Part:
        def __init__(self, *rows):
            self.rows, self.row = list(rows), rows[0]

    slow = ROW._replace(method="slow", value=2e-6)
    stuck = ROW._replace(method="stuck", value=float("nan"))
    monkeypatch.setattr(tour.photograph, "denoise", lambda image, progress: Part(ROW))
    monkeypatch.setattr(tour.mri, "recover", lambda image, progress: Part(slow))
    monkeypatch.setattr(tour, "picture", lambda *parts: None)
    for last, expected in ((ROW, {"slow"}), (stuck, {"slow", "stuck"})):
        monkeypatch.setattr(tour.planted, "recover", lambda progress, last=last: Part(last))
        stream = io.StringIO()
        assert tour.run(tmp_path / "x.png", stream=stream) == 1
        named = re.findall(r"^Missed: task, (\w+): gap", stream.getvalue(), re.MULTILINE)
        assert set(named) == expected
    monkeypatch.setattr(tour.mri, "recover", lambda image, progress: Part(ROW))
    monkeypatch.setattr(tour.planted, "recover", lambda progress: Part(ROW))
    assert tour.run(tmp_path / "x.png", stream=io.StringIO()) == 0


def test_the_exit_status_of_the_demo_is_that_of_the_command(monkeypatch, tmp_path):
    monkeypatch.setattr("sparsecode._demo.run", lambda output: 1)
    assert command_line.main(["demo", "--output", str(tmp_path / "x.png")]) == 1


def test_a_folder_that_does_not_exist_is_refused_before_the_work(capsys, tmp_path):
    assert command_line.main(["demo", "--output", str(tmp_path / "nowhere" / "x.png")]) == 2
    assert "nowhere" in capsys.readouterr().err


def test_progress_shows_on_a_terminal_only():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    for stream, is_shown in ((Terminal(), True), (io.StringIO(), False)):
        progress = Progress(2, stream)
        progress.begin("learning")
        progress.advance(1, 4)
        assert ("[1/2] learning:  25%" in stream.getvalue()) is is_shown


def test_the_mask_takes_its_share_and_all_low_frequencies():
    mask = variable_density_mask((128, 96), 0.25, np.random.default_rng(0))
    assert mask.mean() == pytest.approx(0.25, abs=0.015)
    assert mask[:4, :3].all()
    shifted = np.fft.fftshift(mask)
    assert shifted[48:80, 36:60].mean() > 2 * shifted[:16, :].mean()


def test_info_names_versions_threads_backends_and_the_cache(monkeypatch, tmp_path):
    monkeypatch.setenv("SPARSECODE_CACHE_DIR", str(tmp_path / "kernels"))
    done = start("info")
    assert done.returncode == 0, done.stderr
    assert re.search(rf"sparsecode +{re.escape(sparsecode.__version__)}$", done.stdout, re.MULTILINE)
    assert re.search(rf"numpy +{re.escape(np.__version__)}$", done.stdout, re.MULTILINE)
    assert str(tmp_path / "kernels") in done.stdout
    for word in ("threads", "BLAS", "array backends", "scikit-learn", "numba"):
        assert word in done.stdout


def test_info_works_without_optional_packages():
    code = (
        "import sys\n"
        "for name in ('torch', 'cupy', 'matplotlib', 'PIL', 'dask', 'cvxpy', 'ot'): sys.modules[name] = None\n"
        "from sparsecode.__main__ import main\n"
        "sys.exit(main(['info']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert re.search(r"torch +not installed$", done.stdout, re.MULTILINE)


def test_bench_hands_its_arguments_to_the_runner_of_the_checkout(monkeypatch, tmp_path):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "run.py").write_text("def main(argv):\n    return len(argv)\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "__file__", str(tmp_path / "sparsecode" / "__main__.py"))
    assert command_line.main(["bench", "--smoke", "--help", "-x"]) == 3


def test_bench_without_a_checkout_says_how_to_get_one(monkeypatch, tmp_path, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(command_line, "__file__", str(tmp_path / "sparsecode" / "__main__.py"))
    assert command_line.main(["bench"]) == 2
    assert "make bench" in capsys.readouterr().err


def test_an_unknown_argument_is_an_error(capsys):
    with pytest.raises(SystemExit):
        command_line.main(["info", "--fast"])
    assert "--fast" in capsys.readouterr().err
