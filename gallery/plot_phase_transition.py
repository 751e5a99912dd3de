"""
Where recovery breaks down
==========================

Whether a sparse vector can be found depends on two ratios: how many measurements there are for each unknown, and how
many non-zero entries for each measurement. Over that grid recovery is nearly certain on one side of a sharp edge and
nearly impossible on the other: a phase transition. Where the edge lies depends on the algorithm, and on what the
non-zero entries look like.

Donoho and Tanner, "Observed universality of phase transitions in high-dimensional geometry", 2009 (arXiv 0906.2530).
"""

# %%
# Run a grid
# ----------
# Each cell draws planted problems and counts how many are recovered to a relative error of 1e-3. A solver enters as a
# function of design, target and the true number of non-zeros. The l1 solver does not use that number; its strength is
# small, because there is no noise.

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import htp, lasso, omp
from sparsecode.metrics import PhaseTransitionResult, l1_weak_threshold, phase_transition
from sparsecode.plotting import PhaseTransitionDisplay


def solve_omp(design, target, n_nonzero):
    """OMP with the true sparsity level."""
    return omp(design, target, n_nonzero=n_nonzero)


def solve_l1(design, target, n_nonzero):
    """Nearly noiseless l1 minimisation."""
    alpha = 1e-4 * np.max(np.abs(design.T @ target)) / target.size
    return lasso(design, target, alpha, tol=1e-7)


grid = {"deltas": np.linspace(0.1, 0.9, 7), "rhos": np.linspace(0.05, 0.75, 8)}
settings = {"n_features": 100, "n_trials": 6, "random_state": 0}
results: dict[str, PhaseTransitionResult] = {
    "OMP": phase_transition(solve_omp, **grid, **settings),
    "HTP": phase_transition(htp, **grid, **settings),
    "l1": phase_transition(solve_l1, **grid, **settings),
}
figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
for ax, (name, result) in zip(axes, results.items(), strict=True):
    PhaseTransitionDisplay.from_result(result, ax=ax, colorbar=ax is axes[-1])
    ax.set_title(name)

# %%
# All algorithms, on larger problems
# ----------------------------------
# The rates below were measured with 400 features by ``python benchmarks/recovery_rates.py``, which takes a while; the
# file beside this example holds what it found. The first row has Gaussian coefficients, the second coefficients of
# equal size and random sign. Darker is safer.

stored = json.loads(Path("recovery_rates.json").read_text())
deltas, rhos = np.array(stored["deltas"]), np.array(stored["rhos"])
names = list(stored["plane"])
figure, axes = plt.subplots(
    2, len(names), figsize=(1.45 * len(names), 4.2), layout="constrained", sharex=True, sharey=True
)
for column, name in enumerate(names):
    for row, coef in enumerate(("gaussian", "sign")):
        ax = axes[row, column]
        ax.pcolormesh(deltas, rhos, np.array(stored["plane"][name][coef]).T, cmap="Blues", vmin=0, vmax=1)
        ax.plot(deltas, [l1_weak_threshold(delta) for delta in deltas], "k--", linewidth=0.8)
    axes[0, column].set_title(name, fontsize=9)
axes[0, 0].set_ylabel("Gaussian\nrho = k / m")
axes[1, 0].set_ylabel("equal size\nrho = k / m")
for ax in axes[1]:
    ax.set_xlabel("delta = m / n", fontsize=8)

# %%
# Anyone can repeat a cell: the seeds are part of the file.

again = phase_transition(
    solve_omp, deltas=[0.55], rhos=[0.26], n_features=400, n_trials=stored["trials"], random_state=stored["seed"]
)
there = stored["plane"]["OMP"]["gaussian"][stored["deltas"].index(0.55)][stored["rhos"].index(0.26)]
print(f"OMP at delta 0.55, rho 0.26: {again.success_rates[0, 0]:.2f} here, {there:.2f} in the file")

# %%
# Which one, when
# ---------------
# The area of the plane that an algorithm recovers, and what a solve costs on the cells of the table in the same file.

print(f"{'':15}  Gaussian  equal size  milliseconds")
for name in names:
    area = {coef: np.mean(stored["plane"][name][coef]) for coef in ("gaussian", "sign")}
    cost = np.mean([stored["table"][name][coef]["milliseconds"] for coef in ("gaussian", "sign")])
    print(f"{name:15}  {area['gaussian']:8.2f}  {area['sign']:10.2f}  {cost:12.1f}")
for delta in (0.25, 0.5, 0.75):
    print(f"delta {delta:.2f}: l1 minimisation breaks down near rho {l1_weak_threshold(delta):.3f} in large systems")
