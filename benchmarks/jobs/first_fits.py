"""The first fit of an estimator in a process that finds the compiled code of an earlier one: the LASSO family.

The figure is what the first fit costs beyond a steady one; how long it takes in all stands under "ours". scikit-learn's linear
models are imported before the clock starts, the estimator itself is not.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from ..measure import Ask, Row, progress
from . import Job

__all__ = ["JOB"]

_ROOT = Path(__file__).resolve().parents[2]
_SHAPE, _TARGETS, _GROUP = (200, 1000), 5, 10
_SMALL = (100, 200)  # of cross-validation: 500 fits
#: estimator: loss whose largest strength counts (None for those that look for their own), kind of target, other parameters
_ESTIMATORS = {
    "Lasso": ("Squared", "real", ""),
    "ElasticNet": ("Squared", "real", ""),
    "GroupLasso": ("Squared", "real", f"groups={_GROUP}"),
    "MultiTaskLasso": ("Squared", "many", ""),
    "SquareRootLasso": ("SquareRoot", "real", ""),
    "LADLasso": ("Absolute", "real", ""),
    "HuberLasso": ("Huber", "real", ""),
    "SparseLogisticRegression": ("Logistic", "labels", ""),
    "SparsePoissonRegressor": ("Poisson", "counts", ""),
    "NonconvexRegressor": ("Squared", "real", ""),
    "LassoCV": (None, "real", ""),
    "GroupLassoCV": (None, "real", f"groups={_GROUP}"),
    "MultiTaskLassoCV": (None, "many", ""),
    "SquareRootLassoCV": (None, "real", ""),
    "LADLassoCV": (None, "real", ""),
    "HuberLassoCV": (None, "real", ""),
    "SparseLogisticRegressionCV": (None, "labels", ""),
    "SparsePoissonRegressorCV": (None, "counts", ""),
    "NonconvexRegressorCV": (None, "real", ""),
}
_SCRIPT = """
import json, sys, time, warnings
import numpy as np
import sklearn.linear_model
from benchmarks.jobs.first_fits import drawn
warnings.simplefilter("ignore")
X, y = drawn({shape}, {kind!r})
marks = [time.perf_counter()]
from sparsecode import {name}
for _ in range(3):
    {name}({arguments}).fit(X, y)
    marks.append(time.perf_counter())
steps = np.diff(marks)
print(json.dumps([steps[0], min(steps[1:])]))
"""


def drawn(shape, kind):
    """A design by columns and a target of that kind, which ten of its columns explain."""
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal(shape))
    y = X[:, :10] @ rng.standard_normal((10, _TARGETS)) / 3 + 0.5 * rng.standard_normal((shape[0], _TARGETS))
    return X, {"many": y, "labels": y[:, 0] > 0, "counts": rng.poisson(np.exp(0.5 * y[:, 0]))}.get(kind, y[:, 0])


def _arguments(loss, shape, kind, rest):
    """A tenth of the largest strength, by a plain formula, and whatever else is asked."""
    if loss is None:
        return rest
    X, y = drawn(shape, kind)
    centred = y - np.mean(y, axis=0)
    pull = X.T @ {"Absolute": np.sign(centred), "Huber": np.clip(centred, -1.35, 1.35)}.get(loss, centred) / len(y)
    top = np.max(np.linalg.norm(pull.reshape(len(pull), -1), axis=1))
    top /= np.sqrt(np.mean(centred**2)) if loss == "SquareRoot" else 1.0
    return ", ".join(part for part in (f"alpha={0.1 * top!r}", rest) if part)


def _fit(name, shape, folder):
    loss, kind, rest = _ESTIMATORS[name]
    script = _SCRIPT.format(name=name, shape=shape, kind=kind, arguments=_arguments(loss, shape, kind, rest))
    env = {**os.environ, "SPARSECODE_CACHE_DIR": folder, "NUMBA_CACHE_DIR": folder, "PYTHONPATH": str(_ROOT)}
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=False, env=env, cwd=_ROOT
    )
    if done.returncode:
        raise RuntimeError(f"the first fit of {name} failed: {done.stderr.strip().splitlines()[-1]}")
    return json.loads(done.stdout)


def rows(setting):
    """A row an estimator; the first process of each compiles and does not count."""
    ask = Ask(1.0, at_least=False, unit="s")
    for name in setting.size(list(_ESTIMATORS), ["Lasso", "GroupLassoCV"]):
        shape = _SMALL if name.endswith("CV") else setting.size(_SHAPE, (40, 20))
        with tempfile.TemporaryDirectory() as folder:
            made = np.array([_fit(name, shape, folder) for _ in range(1 + setting.size(5, 1))])[1:]
        low, value, high = (float(part) for part in np.percentile(made[:, 0] - made[:, 1], [25, 50, 75]))
        text = f"first {name}.fit, {shape[0]}×{shape[1]}, second process: beyond a steady fit"
        row = Row(JOB.name, text, "a steady fit", value, low, high, "s", str(ask), ask.met(value), setting.threads)
        row.ours, row.theirs = (float(part) for part in np.median(made, axis=0))
        row.pairs, row.note = len(made), "numba's own import is part of it, where it is needed"
        progress(f"{name}: {row.ours:.2f} s, steady {row.theirs:.2f} s")
        yield row


JOB = Job("first-fits", rows, threaded=False)
