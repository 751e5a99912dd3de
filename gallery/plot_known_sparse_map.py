"""
A map that moves two of many coordinates
========================================

Two samples differ in two coordinates; all others are noise that has nothing to do with the difference. The usual entropic map pairs
points by all coordinates and so moves them all: its error grows with the dimension. :class:`~sparsecode.SparseMongeMap` charges every
coordinate that moves, and leaves alone those in which the targets lie on both sides.
"""

# %%
# A known map
# -----------
# The first two coordinates are doubled and shifted, the others are left as they are. This is optimal for every cost used here, since it is
# monotone in each coordinate.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import SparseMongeMap
from sparsecode.plotting import DisplacementDisplay
from sparsecode.transport import elastic_cost, solve

rng = np.random.default_rng(0)


def known_map(X):
    """Doubles and shifts two coordinates."""
    T = X.copy()
    T[:, :2] = 2 * X[:, :2] + 3
    return T


def samples(d, n=300):
    """Sources, independent targets, and points to test the map on."""
    return rng.random((n, d)), known_map(rng.random((n, d))), rng.random((100, d))


def judged(model, X, Y, test):
    """Squared error of the map relative to the true displacement, and how many coordinates move."""
    moved, truth = model.fit(X, Y).displacement(test), known_map(test) - test
    return np.sum((moved - truth) ** 2) / np.sum(truth**2), np.mean(np.count_nonzero(moved, axis=1)), moved


# %%
# Error against dimension
# -----------------------
# Each method has the best of a few strengths, as it would have from a validation set.

methods = {
    "l2, the entropic map": [SparseMongeMap("l1", 0.0, tol=1e-6)],
    "l1": [SparseMongeMap("l1", gamma, tol=1e-6) for gamma in (0.5, 4.0, 16.0)],
    "soft threshold with vanishing shrinkage": [SparseMongeMap("stvs", gamma, tol=1e-6) for gamma in (0.5, 4.0, 16.0)],
}
dimensions = [8, 16, 32, 64, 128, 256]
found = {name: [] for name in methods}
for d in dimensions:
    X, Y, test = samples(d)
    for name, models in methods.items():
        found[name].append(min((judged(model, X, Y, test) for model in models), key=lambda made: made[0]))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, made in found.items():
    left.loglog(dimensions, [error for error, _, _ in made], "o-", label=name)
    right.loglog(dimensions, [count for _, count, _ in made], "o-", label=name)
right.axhline(2, color="0.6", lw=0.8)
left.set(xlabel="dimension", ylabel="relative error of the map")
right.set(xlabel="dimension", ylabel="coordinates that move (2 do)")
left.legend(frameon=False)

for name, made in found.items():
    both = np.mean(np.all(made[-1][2][:, :2] != 0, axis=1))
    print(
        f"{name}: error {made[-1][0]:.3f} in dimension 256, {made[-1][1]:.1f} coordinates move, {both:.0%} of the points in both true ones"
    )

# %%
# Which coordinates move
# ----------------------
# The two true ones move for every point; single points move in a few others, where all their likely targets lie on one side by chance.

DisplacementDisplay.from_displacement(found["l1"][-1][2], n_features=10)

# %%
# The plan behind the map
# -----------------------
# The map comes from the potentials of an entropic transport problem with the cost :func:`~sparsecode.transport.elastic_cost`, which can be
# solved by itself. Its certificate says how far the plan is from the best one; a plan in which each source has many targets
# lets signs cancel, and displacements vanish.

X, Y, test = samples(64)
cost = elastic_cost(X, Y, "l1", 4.0)
result = solve(None, None, cost, 0.05 * cost.mean(), plan="dense")
effective = 1.0 / np.sum((result.plan / result.plan.sum(axis=1, keepdims=True)) ** 2, axis=1)
print(
    f"marginal error {result.marginal_error:.1e}, gap {result.gap:.1e}; a source has {effective.mean():.0f} of 300 targets in effect"
)

# %%
# Less entropy is not better
# --------------------------
# As the entropy vanishes every point has one target, and goes there in all its coordinates. Sparsity comes from averaging.

model = SparseMongeMap("l1", 4.0, tol=1e-6).fit(X, Y)
for share in (2.0, 1.0, 0.3, 0.1):
    error, count, _ = judged(SparseMongeMap("l1", 4.0, share * model.reg_, tol=1e-6), X, Y, test)
    print(f"entropy {share:.1f} times the default: error {error:.3f}, {count:.1f} coordinates move")
plt.show()
