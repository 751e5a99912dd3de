"""Settings that must stand before NumPy, SciPy and scikit-learn are first imported, and the rule on skipped tests.

The compiled kernels need no setting here: `sparsecode.kernels` names its cache folder by a hash of the sources that it
compiles, so an edited kernel or penalty is never served from stale machine code.
"""

from __future__ import annotations

import os
import re

os.environ["SCIPY_ARRAY_API"] = "1"  # without it, SciPy and scikit-learn skip their array-API paths silently
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # small matrices: threads only get in each other's way
os.environ.setdefault("MPLBACKEND", "Agg")

import pytest

_REQUIRED = "SPARSECODE_REQUIRE_BACKENDS"
_OPTIONAL = re.compile(r"torch|array[ _-]?api|cvxpy|dask|spams", re.IGNORECASE)  # backends and independent solvers
_DEVICE = re.compile(r"cupy|cuda|gpu|mps|xpu", re.IGNORECASE)  # hardware may be missing; packages may not
_missed = []


def _note_skip(report):
    if not report.skipped or hasattr(report, "wasxfail"):
        return
    reason = str(report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr)
    about = f"{report.nodeid} {reason}"
    if _OPTIONAL.search(about) and not _DEVICE.search(about):
        _missed.append(f"{report.nodeid}: {reason}")


def pytest_runtest_logreport(report):
    """Remember a skipped test of an array backend, or of one that compares with an independent solver."""
    _note_skip(report)


def pytest_collectreport(report):
    """The same for a whole file that skips itself."""
    _note_skip(report)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session):
    """With SPARSECODE_REQUIRE_BACKENDS=1 such a skip fails the run."""
    if os.environ.get(_REQUIRED) and _missed and session.exitstatus == 0:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter):
    """Say which tests broke the rule."""
    if os.environ.get(_REQUIRED) and _missed:
        terminalreporter.section(f"skipped although {_REQUIRED} is set")
        for line in _missed:
            terminalreporter.write_line(line)
