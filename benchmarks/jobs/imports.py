"""What a process pays before the first answer: the import, and compiling the first LASSO, cold and from the cache.

Every figure comes from processes of their own. "Second process" is one that finds the compiled code of an earlier one.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..measure import Ask, Row
from . import Job

__all__ = ["JOB"]

_ROOT = Path(__file__).resolve().parents[2]
_TIMED = "import time; began = time.perf_counter(); {statement}; print(time.perf_counter() - began)"

_FIT = """
import time
import numpy as np
rng = np.random.default_rng(0)
X, y = np.asfortranarray(rng.standard_normal((200, 1000))), rng.standard_normal(200)
alpha = 0.1 * np.max(np.abs(X.T @ y)) / 200
import sklearn.linear_model
from {module} import Lasso
marks = [time.perf_counter()]
for _ in range(4):
    Lasso(alpha=alpha, fit_intercept=False).fit(X, y)
    marks.append(time.perf_counter())
steps = np.diff(marks)
print(steps[0] - np.min(steps[1:]))
"""


def _seconds(script, folder=None):
    """Run the script in a fresh interpreter; with a folder, compiled code is kept and looked for only there."""
    env = dict(os.environ)
    if folder is not None:
        env |= {"SPARSECODE_CACHE_DIR": folder, "NUMBA_CACHE_DIR": folder}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=env, cwd=_ROOT
    )
    if done.returncode:
        raise RuntimeError(f"a timed process failed: {done.stderr.strip().splitlines()[-1]}")
    return float(done.stdout)


def _import_row(setting, statement, ask):
    ours, base = [], []
    for _ in range(setting.pairs + 1):
        ours.append(_seconds(_TIMED.format(statement=statement)))
        base.append(_seconds(_TIMED.format(statement="import sklearn.base")))
    ours, base = ours[1:], base[1:]  # the first pair wrote bytecode and warmed the file cache
    low, value, high = np.percentile(np.subtract(ours, base), [25, 50, 75])
    return Row(
        job=JOB.name,
        problem=f"{statement}, beyond import sklearn.base",
        peer="sklearn.base",
        value=float(value),
        low=float(low),
        high=float(high),
        unit="s",
        ask=str(ask),
        met=ask.met(value),
        ours=float(np.median(ours)),
        theirs=float(np.median(base)),
        pairs=len(ours),
    )


def _fit_rows(setting):
    """Compile time of the first fit (first minus steady) in a cold process and in later ones."""
    later = setting.size(5, 1)
    peers = {} if setting.smoke else {"skglm": "skglm", "celer": "celer"}
    cold, warm = {}, {}
    for name, module in {"ours": "sparsecode", **peers}.items():
        with tempfile.TemporaryDirectory() as folder:
            script = _FIT.format(module=module)
            cold[name] = _seconds(script, folder)
            warm[name] = [_seconds(script, folder) for _ in range(later)]
    for problem, made, ask in (
        ("first Lasso().fit, second process: beyond a steady fit", warm, Ask(1.0, at_least=False, unit="s")),
        ("first Lasso().fit, nothing cached: beyond a steady fit", cold, Ask(unit="s")),
    ):
        low, value, high = (float(part) for part in np.percentile(made["ours"], [25, 50, 75]))
        row = Row(JOB.name, problem, "a steady fit", value, low, high, "s", str(ask), ask.met(value))
        row.ours, row.pairs = value, np.size(made["ours"])
        row.others = {name: float(np.median(made[name])) for name in peers}
        row.note = "numba's own import is part of it"
        yield row


def rows(setting):
    fewer = setting._replace(pairs=max(2, setting.pairs // 2))
    yield _import_row(fewer, "import sparsecode", Ask(0.1, at_least=False, unit="s"))
    yield _import_row(fewer, "from sparsecode import Lasso", Ask(unit="s"))  # what the first use loads
    yield from _fit_rows(setting)


JOB = Job("imports", rows, threaded=False)
