"""
Newton steps on a sparse plan
=============================

Sinkhorn's algorithm gains a constant factor a sweep, and where the regularisation is small that factor is close to one. Newton's
method squares the error, but each step needs a linear system of all potentials. Sinkhorn-Newton-Sparse solves it with the few entries
of the plan that matter. Here both run on the two problems of the method's paper: a random assignment, and two pictures whose pixels
pay city-block distances.
"""

# %%
# Two problems
# ------------
# The largest cost is one, and the regularisation 1/1200. Every pixel gets a little mass.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import zoom
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sparsecode.transport import sinkhorn, sinkhorn_newton_sparse

n, side, reg = 500, 28, 1 / 1200
random_costs = np.random.default_rng(0).random((n, n))
pixels = [np.maximum(zoom(image, side / 8, order=1), 0).ravel() for image in load_digits().images[1:3]]
a, b = ((1 - 1.25e-3) * image / image.sum() + 1.25e-3 / image.size for image in pixels)
places = np.stack(np.meshgrid(np.arange(side), np.arange(side), indexing="ij"), -1).reshape(-1, 2)
city_block = np.abs(places[:, None] - places).sum(-1) / (2 * side - 2)
problems = {
    f"random assignment, n = {n}": (None, None, random_costs, reg),
    f"digits at {side}×{side}, city block": (a, b, city_block, reg),
}

# %%
# Error against iterations and seconds
# ------------------------------------
# Sweeps are stopped after 2000. A dotted line is the error at a larger regularisation, on the way to the one that is asked for:
# the method halves it, and extrapolates the potentials.

methods = {
    "Sinkhorn": lambda problem: sinkhorn(*problem, extrapolation=0, max_iter=2000),
    "Sinkhorn, extrapolated": lambda problem: sinkhorn(*problem, max_iter=2000),
    "Sinkhorn-Newton-Sparse": lambda problem: sinkhorn_newton_sparse(*problem),
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)  # that of the plain sweeps is what the figure shows
    for method in methods.values():
        method((None, None, random_costs[:50, :50], reg))  # compiles
    results = {
        (title, name): method(problem) for title, problem in problems.items() for name, method in methods.items()
    }

figure, axes = plt.subplots(2, 2, figsize=(9, 6), sharey=True, layout="constrained")
for row, title in zip(axes, problems, strict=True):
    for name, color in zip(methods, ("#0072B2", "#E69F00", "#D55E00"), strict=True):
        history = results[title, name].history
        error, asked = np.array(history["marginal_error"]), np.array(history["reg"]) == reg
        for panel, along in zip(row, (np.arange(1, error.size + 1), history["seconds"]), strict=True):
            panel.loglog(along, error, color=color, lw=1, ls=":")
            panel.loglog(np.where(asked, along, np.nan), error, color=color, label=name)
    row[0].set(title=title, ylabel="marginal error", ylim=(1e-10, 3))
axes[0, 0].legend(loc="lower left")
axes[1, 0].set_xlabel("sweeps and Newton steps")
axes[1, 1].set_xlabel("seconds")

# %%
# The entries that matter
# -----------------------
# Entries are dropped as long as they weigh less than a hundredth of the error, so the steps become sharper as they need to be. Even
# the last one keeps a few per cent of the plan.

figure, panel = plt.subplots(figsize=(6, 3.2), layout="constrained")
for title, problem in problems.items():
    result = results[title, "Sinkhorn-Newton-Sparse"]
    kept = np.array(result.history["newton_kept"]) / problem[2].size
    panel.plot(100 * kept, marker=".", label=title)
    print(
        f"{title}: {result.stages['newton']} Newton steps and {result.stages['sinkhorn']} sweeps, marginal error "
        f"{result.marginal_error:.1e}, gap {result.gap:.1e}"
    )
    print(f"  cost without entropy between {result.lower_bound:.6f} and {result.upper_bound:.6f}")
    assert result.marginal_error < 1e-9
    assert kept[-1] < 0.1
panel.set(xlabel="Newton step", ylabel="entries kept, %")
panel.legend()

# %%
# The plan comes in compressed rows, and its bounds hold for transport without entropy as well. Where only that is wanted, for some
# thousands of points, an exact solver such as ``ot.emd`` of POT is the better tool.
