# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # The LASSO: time to a proof
#
# $$\min_w \; P(w) = \frac{1}{2 n} \|y - X w\|^2 + \alpha \|w\|_1$$
#
# Solvers stop by rules of their own: a duality gap scaled in some way, a violation of the optimality conditions, a small
# step. The same `tol` therefore means something different to each, and a comparison at equal `tol` compares nothing. Here every
# answer is judged by one number, which we recompute in float64 from the coefficients alone: the **relative duality gap**
#
# $$\frac{P(w) - D(u)}{P(0)}, \qquad u = s\,(y - Xw)/n \ \text{ with the best } s \text{ for which } \|X^\top u\|_\infty \le \alpha .$$
#
# It bounds how far $P(w)$ can be above the minimum. This page shows, for ours and for scikit-learn, celer and skglm:
# the gap against the time it took, the ratio of times at a gap of $10^{-8}$, and how the cost grows with the number of features.
# One thread, no intercept, compilation excluded; sizes are small unless `SPARSECODE_BENCH_SIZE=full` is set.

# %%
import os

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a BLAS
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from pathlib import Path

sys.path[:0] = [
    str(folder) for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "benchmarks/measure.py").exists()
][:1]

import warnings

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.figures import draw_costs, draw_ratios, draw_trajectories, installed, is_full, least_seconds
from benchmarks.jobs import lasso as lasso_job
from benchmarks.jobs._lasso_problems import LADDER, PEERS, cheapest_tolerance, lasso_problem
from benchmarks.measure import Contest, race

warnings.filterwarnings("ignore")  # tolerances below what double precision can do are tried on purpose

threadpool_limits(1)  # also where a BLAS was loaded before this cell
FULL = is_full()
PAIRS = 20 if FULL else 6
GAP = 1e-8
ladder = LADDER if FULL else LADDER[::2]
MODULES = {"scikit-learn": "sklearn", "celer": "celer", "skglm": "skglm"}
peers = [name for name, module in MODULES.items() if installed(module)]

# %% [markdown]
# ## Problems
#
# Three kinds of design: independent normal entries; rows that are autoregressive sequences, so that neighbouring columns correlate
# by 0.9; and a sparse matrix in CSC form. A hundred features or fewer carry signal, with signs ±1. The noise is 40 dB below the signal, or 10
# dB, and $\alpha$ is a tenth or a hundredth of $\alpha_{\max}$, from which on the answer is zero. At 10 dB and $\alpha_{\max}/100$ the answer fits noise: its
# support is nearly as large as the number of samples, which is where LASSO solvers are slow.

# %%
sizes = {"iid": (1000, 10_000), "AR 0.9": (1000, 10_000), "CSC": (20_000, 100_000)}
if not FULL:
    sizes = {"iid": (250, 2500), "AR 0.9": (250, 2500), "CSC": (3000, 15_000)}
problems = [
    lasso_problem("iid", *sizes["iid"], 10),
    lasso_problem("AR 0.9", *sizes["AR 0.9"], 10),
    lasso_problem("CSC", *sizes["CSC"], 10),
    lasso_problem("iid", *sizes["iid"], 100),
    lasso_problem("AR 0.9", *sizes["AR 0.9"], 100, snr=10.0),
    lasso_problem("CSC", *sizes["CSC"], 100, snr=10.0),
]


def short(problem):
    """The name of a problem, for the title of a small figure."""
    kind, shape, *_, fraction = problem.name.removeprefix("LASSO ").replace("AR 0.9", "AR").replace(",", "").split()
    noise = "10 dB" if "SNR 10" in problem.name else "40 dB"
    return f"{kind} {shape}, {noise}, {fraction}"


# %% [markdown]
# ## Certificate against time
#
# Each point is one complete solve from zero, at one tolerance of the solver's own; only its time and the recomputed gap are kept.
# Lower left is better; runs that another run of the same solver beats in both are left out. A curve that ends above the dotted line never reached a gap of $10^{-8}$ in the time it was given.

# %%
TOLERANCES = 10.0 ** -np.arange(1.0, 12.1, 1.0 if FULL else 2.0)
PATIENCE = 20.0 if FULL else 0.5  # seconds; no tighter tolerance is tried after a solve that took longer


def trajectory(problem, make):
    """Times and gaps over the tolerances, loose to tight."""
    seconds, gaps = [], []
    for tol in TOLERANCES:
        run = make(problem, tol)
        gaps.append(problem.certificate(run(0)).value)
        seconds.append(least_seconds(lambda run=run: run(0), 2))
        if seconds[-1] > PATIENCE or gaps[-1] < 1e-13:
            break
    return np.array(seconds), np.maximum(gaps, 1e-16)


solvers = {"ours": lasso_job.ours, **{name: PEERS[name] for name in peers}}
for make in solvers.values():  # compile for dense and for CSC
    for problem in (problems[0], problems[2]):
        make(problem, 1e-2)(0)

figure, axes = plt.subplots(2, 3, figsize=(11, 6.6), layout="constrained", sharey=True)
for ax, problem in zip(axes.flat, problems, strict=True):
    found = {}
    for name, make in solvers.items():
        found[name] = trajectory(problem, make)
    draw_trajectories(ax, found)
    ax.axhline(GAP, color="0.4", lw=1, ls=":")
    ax.set_title(short(problem), fontsize=9, loc="left")
axes[0, 0].legend(frameon=False, fontsize=9)
for ax in axes[:, 0]:
    ax.set_ylabel("relative duality gap")
for ax in axes[1]:
    ax.set_xlabel("seconds")
# %% [markdown]
# ## Ratio to each peer
#
# Every peer runs with the loosest of its tolerances that attains the gap on that problem, which is the best it can do. Runs are interleaved;
# a pair in which either answer misses the gap does not count.

# %%
ratios = {}
for problem in problems:
    tuned = {name: cheapest_tolerance(problem, name, GAP, PATIENCE, ladder) for name in peers}
    runners = {name: found[1] for name, found in tuned.items() if found is not None}
    result = race(Contest("", lasso_job.ours(problem), runners, problem.certificate, tol=GAP), PAIRS)
    for name in runners:
        kept = result.kept(name, GAP, 1e-6)
        if kept.any():
            ratios[f"{short(problem)}: {name}"] = (name, np.divide(result.seconds[name], result.seconds["ours"])[kept])
    for name in sorted(set(peers) - set(runners)):
        print(f"{short(problem)}: {name} did not reach the gap within {PATIENCE:g} s")

figure, ax = plt.subplots(figsize=(8.5, 1.0 + 0.42 * len(ratios)), layout="constrained")
draw_ratios(ax, dict(reversed(ratios.items())))
# %% [markdown]
# ## Cost against size
#
# Time to a gap of $10^{-8}$ against the number of features, the number of samples held, and against both grown together. One product
# $X^\top r$ costs $n p$, so an exponent of one in $p$ says that the work is a constant number of such products; an exponent below it, that the work on
# the few active features, which does not grow with $p$, still dominates.

# %%
scale = 4 if FULL else 1
sweeps = {
    "features": [((250 * scale, size, 10), size) for size in (1000 * scale, 2000 * scale, 4000 * scale, 8000 * scale)],
    "samples (features: 10 times as many)": [
        ((size, 10 * size, 10), size) for size in (100 * scale, 150 * scale, 250 * scale, 400 * scale)
    ],
}
figure, axes = plt.subplots(1, 2, figsize=(9, 3.8), layout="constrained")
for ax, (size_name, points) in zip(axes, sweeps.items(), strict=True):
    costs = {name: [] for name in solvers}
    for arguments, _ in points:
        problem = lasso_problem("AR 0.9", *arguments)
        costs["ours"].append(least_seconds(lambda problem=problem: lasso_job.ours(problem)(0)))
        for name in peers:
            found = cheapest_tolerance(problem, name, GAP, PATIENCE, ladder)
            costs[name].append(np.nan if found is None else least_seconds(lambda run=found[1]: run(0)))
    draw_costs(
        ax,
        [size for _, size in points],
        {name: each for name, each in costs.items() if np.all(np.isfinite(each))},
        size_name,
    )

# %% [markdown]
# ## Reading
#
# * The horizontal distance between two curves of the first figure is the ratio of times at that quality; it is not one number.
# * The second figure is the cut through it at $10^{-8}$. `make bench` repeats it at 1000 × 10 000 and 20 000 × 100 000 and writes the
#   table in the README, with the geometric mean over the problems.
# * The solve is exact in practice: working sets end on the true support, and Newton steps on it make the gap fall to rounding
#   error, which is why the last points of our curves lie so far below the tolerance asked.
