"""The compiled code lives where it can be written, and never outlives the source it was made from."""

import importlib
import os
import pkgutil
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from numba import types

import sparsecode
from sparsecode import kernels
from sparsecode.kernels import _compile
from sparsecode.kernels._exp import plus

VARIABLES = ("SPARSECODE_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME")


@pytest.fixture
def clean(monkeypatch, tmp_path):
    """No cache set by the environment, and a home of one's own."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(_compile.tempfile, "tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    _compile.cache_folder.cache_clear()
    yield tmp_path
    _compile.cache_folder.cache_clear()


def chosen():
    _compile.cache_folder.cache_clear()
    return _compile.cache_folder()


def unwritable(tmp_path):
    """A path below a file: nobody, not even root, can make a folder there."""
    blocker = tmp_path / "file"
    blocker.write_text("")
    return str(blocker / "cache")


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep their caches elsewhere")
def test_the_first_folder_that_can_be_written_is_taken(clean, monkeypatch):
    assert chosen() == clean / "home" / ".cache" / "sparsecode"
    monkeypatch.setenv("XDG_CACHE_HOME", str(clean / "xdg"))
    assert chosen() == clean / "xdg" / "sparsecode"
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(clean / "numba"))
    assert chosen() == clean / "numba"
    monkeypatch.setenv("SPARSECODE_CACHE_DIR", str(clean / "ours"))
    assert chosen() == clean / "ours"


@pytest.mark.skipif(sys.platform != "linux", reason="other systems keep their caches elsewhere")
def test_folders_that_cannot_be_written_are_passed_over(clean, monkeypatch):
    for name in VARIABLES[:2]:
        monkeypatch.setenv(name, unwritable(clean))
    assert chosen() == clean / "home" / ".cache" / "sparsecode"
    monkeypatch.setenv("XDG_CACHE_HOME", unwritable(clean))
    assert chosen().parent == clean / "tmp"
    monkeypatch.setattr(_compile.tempfile, "tempdir", unwritable(clean))
    assert chosen() is None


def test_without_any_folder_kernels_still_compile(monkeypatch):
    monkeypatch.setattr(_compile, "cache_folder", lambda: None)
    assert _compile.kernel(_double)(3.0) == 6.0


def _double(value):
    return 2 * value


def test_the_users_own_numba_setting_is_put_back(clean, monkeypatch):
    import numba

    monkeypatch.setattr(numba.config, "CACHE_DIR", "elsewhere")
    monkeypatch.setenv("SPARSECODE_CACHE_DIR", str(clean / "ours"))
    _compile.cache_folder.cache_clear()
    assert _compile.kernel(_double)(3.0) == 6.0
    assert numba.config.CACHE_DIR == "elsewhere"
    assert list((clean / "ours").glob("*/**/*.nbi"))


def test_two_processes_that_compile_at_once_never_take_each_others_code(clean, monkeypatch):
    """Both find an empty folder, both name their code, both write it: the second one first."""
    monkeypatch.setenv("SPARSECODE_CACHE_DIR", str(clean / "ours"))
    _compile.cache_folder.cache_clear()
    one, other, later = (_compile.kernel(_double) for _ in range(3))
    late = []
    with monkeypatch.context() as patch:
        patch.setattr(one._cache._cache_file, "_save_data", lambda *written: late.append(written))
        assert one(3.5) == 7.0
        patch.setattr(other._cache._cache_file, "_load_index", dict)
        assert other(3) == 6
    one._cache._cache_file._save_data(*late[0])
    assert later(3) == 6
    assert later.signatures == [(types.int64,)]
    assert sum(later.stats.cache_hits.values()) == 1


def test_the_folder_is_named_by_the_sources_that_are_compiled(tmp_path):
    package = shutil.copytree(
        Path(sparsecode.__file__).parent, tmp_path / "sparsecode", ignore=shutil.ignore_patterns("__pycache__")
    )
    kernel = tmp_path / "sparsecode" / "kernels" / "own.py"
    kernel.write_text("one")

    def fingerprint():
        code = (
            "from sparsecode.kernels import _compile;"
            f"assert _compile.__file__.startswith({str(tmp_path)!r});"
            f"print(_compile._fingerprint({str(kernel)!r}))"
        )
        run = subprocess.run(
            [sys.executable, "-c", code],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONPATH": str(tmp_path)},
        )
        return run.stdout.strip()

    first = fingerprint()
    assert fingerprint() == first
    seen = {first}
    for edited in (
        kernel,
        package / "penalties" / "l1.py",
        package / "losses" / "squared.py",
        package / "kernels" / "_compile.py",
        package / "kernels" / "_exp.py",
    ):
        edited.write_text(edited.read_text() + "\n# edited\n")
        seen.add(fingerprint())
    assert len(seen) == 6
    other = package / "solvers" / "driver.py"
    other.write_text(other.read_text() + "\n# edited\n")
    assert fingerprint() in seen


def test_a_second_process_finds_the_machine_code_of_the_first(tmp_path):
    code = (
        "import numpy as np\n"
        "from sparsecode import L1\n"
        "from sparsecode.kernels._compile import cache_folder, prox\n"
        "import shrinking\n"
        "print(shrinking.shrink(L1(1.0), 3.0), sum(shrinking.shrink.stats.cache_hits.values()))\n"
    )
    (tmp_path / "shrinking.py").write_text(
        "from sparsecode.kernels._compile import kernel, prox\n\n\n@kernel\ndef shrink(penalty, value):\n    return prox(penalty, value, 1.0)\n"
    )
    root = str(Path(sparsecode.__file__).parents[1])
    env = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([root, str(tmp_path)]),
        "SPARSECODE_CACHE_DIR": str(tmp_path / "cache"),
    }
    runs = [
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0].split() == ["2.0", "0"]
    assert runs[1].split() == ["2.0", "1"]


def _dispatchers():
    """Every kernel of the package, by module and name."""
    for module in pkgutil.iter_modules(kernels.__path__):
        room = importlib.import_module(f"sparsecode.kernels.{module.name}")
        for name, value in vars(room).items():
            if hasattr(value, "py_func"):
                yield room, name, value


def test_kernels_that_others_call_and_that_sum_in_any_order_are_merged_into_them():
    """Else the process that compiles them, and those that load them from the cache, add in orders of their own."""
    calls = {}
    for room, name, dispatcher in _dispatchers():
        called = [vars(room).get(other) for other in dispatcher.py_func.__code__.co_names]
        calls[dispatcher] = name, [other for other in called if other is plus or hasattr(other, "py_func")]

    def sums(dispatcher):
        return any(other is plus or sums(other) for other in calls[dispatcher][1])

    callees = {other for _, called in calls.values() for other in called if other is not plus}
    free = {dispatcher for dispatcher in callees if sums(dispatcher)}
    assert "plan_rows" in {calls[dispatcher][0] for dispatcher in free}
    options = {calls[dispatcher][0]: dispatcher.targetoptions for dispatcher in free}
    assert not {name for name, made in options.items() if not made.get("forceinline") and not made.get("inline")}


def test_the_first_process_and_later_ones_compute_the_same_bits(tmp_path):
    """The first compiles the kernels of a Newton step, the second finds them in the cache."""
    code = (
        "import hashlib, numpy as np\n"
        "from sparsecode.transport import sinkhorn_newton_sparse\n"
        "cost = np.random.default_rng(0).random((60, 50))\n"
        "print(hashlib.sha256(sinkhorn_newton_sparse(None, None, cost, 1e-3, tol=1e-6, n_jobs=1).f.tobytes()).hexdigest())\n"
    )
    env = {
        **os.environ,
        "PYTHONPATH": str(Path(sparsecode.__file__).parents[1]),
        "SPARSECODE_CACHE_DIR": str(tmp_path / "cache"),
    }
    first, second = (
        subprocess.run([sys.executable, "-c", code], env=env, capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    )
    assert first == second
