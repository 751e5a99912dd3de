"""
The greedy side of the LASSO: pursuits that know when to stop
=============================================================

OMP must be told how many columns to take, or how small a residual to reach. :func:`~sparsecode.loss_omp` takes from the
LASSO what says when to stop: a column enters only if its coefficient lowers a *loss plus a weighted penalty*. Which
loss and which weights decides three things: whether prior knowledge helps, whether one strength serves all noise levels,
and whether gross errors do harm.

Mohammad-Taheri and Adcock, "The greedy side of the LASSO: New algorithms for weighted sparse recovery via loss
function-based orthogonal matching pursuit", 2023 (arXiv 2303.00844).
"""

# %%
# Planted problems
# ----------------
# 100 measurements of a vector with 8 of 200 entries, by Gaussian columns of unit norm.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import LossOMP, loss_omp, omp

n_samples, n_features, sparsity, n_draws = 100, 200, 8, 12


def draw(seed, noise_norm, n_nonzero=sparsity, n_rows=n_samples):
    rng = np.random.default_rng(seed)
    design = rng.standard_normal((n_rows, n_features))
    design /= np.linalg.norm(design, axis=0)
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
    noise = rng.standard_normal(n_rows)
    return design, design @ coef + noise_norm * noise / np.linalg.norm(noise), coef, rng


def relative_error(result, coef):
    return np.linalg.norm(result.coef - coef) / np.linalg.norm(coef)


# %%
# Weights carry prior knowledge
# -----------------------------
# Fourteen entries are more than 40 measurements usually give to a blind pursuit. Here somebody names a share of the support
# and eight columns that have nothing to do with it; those that are named pay half the price, all others what they pay by default
# without weights. (The default with weights keeps noise out of the cheap columns too, and asks more of the others.)

shares = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
errors = np.empty((shares.size, n_draws))
for s, share in enumerate(shares):
    for seed in range(n_draws):
        design, target, coef, rng = draw(seed, 0.02, n_nonzero=14, n_rows=40)
        support = np.flatnonzero(coef)
        right = rng.choice(support, int(share * support.size), replace=False)
        wrong = rng.choice(np.flatnonzero(coef == 0), 8, replace=False)
        weights = np.ones(n_features)
        weights[right] = weights[wrong] = 0.5
        alpha = loss_omp(design, target, n_nonzero=1).history["alpha"]
        result = loss_omp(design, target, alpha, penalty_weights=weights, n_nonzero=20)
        errors[s, seed] = relative_error(result, coef)
blind = []
for seed in range(n_draws):
    design, target, coef, _ = draw(seed, 0.02, n_nonzero=14, n_rows=40)
    blind.append(relative_error(loss_omp(design, target, n_nonzero=20), coef))

print(f"without weights: median relative error {np.median(blind):.3f}")
for share, row in zip(shares, errors, strict=True):
    print(f"{share:4.0%} of the support named, and eight others: {np.median(row):.3f}")

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
ax.semilogy(shares, np.median(errors, axis=1), "o-", label="half the price for those named")
ax.axhline(np.median(blind), color="0.5", linestyle="--", label="no weights")
ax.set(xlabel="share of the support that is named", ylabel="median relative error")
ax.legend()

# %%
# One strength for every noise level
# ----------------------------------
# The best `alpha` of the squared loss is proportional to the noise. That of the square root is one number, because both
# sides of its comparison shrink with the residual; its default is marked.

levels = (1e-3, 1e-2, 1e-1)
grid = np.geomspace(1e-8, 1, 33)
figure, axes = plt.subplots(1, 2, figsize=(10, 3.8), layout="constrained", sharey=True)
for ax, loss in zip(axes, ("squared", "square_root"), strict=True):
    best = []
    for level in levels:
        curve = np.empty((n_draws // 2, grid.size))
        for seed in range(n_draws // 2):
            design, target, coef, _ = draw(100 + seed, level)
            curve[seed] = [relative_error(loss_omp(design, target, alpha, loss=loss), coef) for alpha in grid]
        middle = np.median(curve, axis=0)
        best.append(grid[np.argmin(middle)])
        ax.loglog(grid, middle, label=f"noise norm {level:g}")
    print(f"{loss:12} best alpha at noise {levels}: " + ", ".join(f"{alpha:.1e}" for alpha in best))
    ax.set(xlabel="alpha", title=f"{loss} loss, l1")
default = loss_omp(design, target).history["alpha"]
print(f"default of the square-root loss: {default:.1e}")
axes[1].axvline(default, color="0.5", linestyle="--", label="default")
axes[0].set_ylabel("median relative error")
axes[1].legend()

# %%
# Gross errors
# ------------
# A few measurements are replaced by something else entirely. Least squares spreads the damage over everything; a fit by
# absolute deviations passes through most of the good measurements and ignores the others.

shares = np.array([0.0, 0.05, 0.1, 0.15])
pursuits = {
    "OMP": lambda design, target: omp(design, target, n_nonzero=16),
    "square root, l1": lambda design, target: loss_omp(design, target),
    "absolute, l1": lambda design, target: loss_omp(design, target, loss="absolute"),
}
medians = {name: [] for name in pursuits}
for share in shares:
    found = {name: [] for name in pursuits}
    for seed in range(n_draws):
        design, target, coef, rng = draw(500 + seed, 1e-3)
        rows = rng.choice(n_samples, int(share * n_samples), replace=False)
        target[rows] += 5 * rng.standard_normal(rows.size)
        for name, pursue in pursuits.items():
            found[name].append(relative_error(pursue(design, target), coef))
    for name, values in found.items():
        medians[name].append(np.median(values))

print("median relative error at " + ", ".join(f"{share:.0%}" for share in shares) + " of the measurements corrupted")
for name, row in medians.items():
    print(f"{name:16}" + "".join(f"{value:10.1e}" for value in row))

figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, row in medians.items():
    ax.semilogy(100 * shares, row, "o-", label=name)
ax.set(xlabel="measurements corrupted, %", ylabel="median relative error")
ax.legend()

# %%
# The estimator fits a constant as well, exactly: the first tenth of these measurements is off by a thousand.

design, target, coef, _ = draw(0, 1e-3)
target[:10] += 1000
model = LossOMP("absolute").fit(design, target + 7)
print(
    f"intercept {model.intercept_:.4f}, relative error {relative_error(model.result_, coef):.1e}, {model.status_.name}"
)
plt.show()
