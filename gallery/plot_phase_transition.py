"""
Where recovery breaks down
==========================

Whether a sparse vector can be found depends on two ratios: how many measurements there are for each unknown, and how
many non-zero entries for each measurement. Over that grid recovery is nearly certain on one side of a sharp edge and
nearly impossible on the other: a phase transition.

Donoho and Tanner, "Observed universality of phase transitions in high-dimensional geometry", 2009 (arXiv 0906.2530).
"""

# %%
# Run the grid
# ------------
# Each cell draws planted problems and counts how many are recovered to a relative error of 1e-3. A solver enters as a
# function of design, target and the true number of non-zeros. The l1 solver does not use that number; its strength is
# small, because there is no noise.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import iht, lasso, omp
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
    "IHT": phase_transition(iht, **grid, **settings),
    "Lasso": phase_transition(solve_l1, **grid, **settings),
}

# %%
# Read the diagrams
# -----------------
# The dashed line is the asymptotic threshold of l1 minimisation. The coefficients here are Gaussian, which helps OMP:
# it finds the large ones first. With coefficients of equal size the order changes.

figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", sharey=True)
for ax, (name, result) in zip(axes, results.items(), strict=True):
    PhaseTransitionDisplay.from_result(result, ax=ax, colorbar=ax is axes[-1])
    ax.set_title(name)

for delta in (0.25, 0.5, 0.75):
    print(f"delta {delta:.2f}: l1 minimisation breaks down near rho {l1_weak_threshold(delta):.3f} in large systems")
