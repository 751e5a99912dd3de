"""
Transport plans with a proof
============================

Entropy makes optimal transport smooth: the plan is unique, and a few dozen sweeps or Newton steps find it. What it costs is that every
source sends a little to every target. :func:`sparsecode.transport.solve` returns plans in compressed rows, with numbers that prove
how good they are, also for transport without entropy.
"""

# %%
# From diffuse to sparse
# ----------------------
# Sixty points of a disc move to sixty points of a ring. The regularisation is in units of the cost, here squared distances. Each
# line is an entry of the plan, as dark as it is large.

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import linprog
from scipy.sparse import eye_array, kron, vstack

from sparsecode.plotting import TransportPlanDisplay
from sparsecode.transport import GridCost, PointCost, sinkhorn, solve

plt.style.use("seaborn-v0_8-colorblind")
rng = np.random.default_rng(0)
n = 60
angles = 2 * np.pi * np.sort(rng.random((2, n)), axis=1)
disc = 0.5 * np.sqrt(rng.random(n))[:, None] * np.stack([np.cos(angles[0]), np.sin(angles[0])], axis=1)
ring = (1.0 + 0.1 * rng.random(n))[:, None] * np.stack([np.cos(angles[1]), np.sin(angles[1])], axis=1)
cost = PointCost(disc, ring)

strengths = (0.3, 0.03, 0.001)
results = [solve(None, None, cost, reg) for reg in strengths]
figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), layout="constrained")
for ax, reg, result in zip(axes, strengths, results, strict=True):
    TransportPlanDisplay.from_result(result, disc, ring, kind="points", ax=ax)
    ax.text(0.5, -0.02, f"reg {reg:g}: {result.plan.nnz} entries", transform=ax.transAxes, ha="center", va="top")
    ax.set_axis_off()

# %%
# The same plan as a matrix, between its marginals; masses need not be equal, and sources without mass take no part.

masses = rng.random(n) * (np.arange(n) % 3 > 0)
display = TransportPlanDisplay.from_result(solve(masses / masses.sum(), None, cost, 0.003))

# %%
# What is proved
# --------------
# Any pair of potentials gives two bounds on transport *without* entropy: a plan rounded to the exact marginals costs at least as much,
# hard c-transforms of the potentials at most as much. A linear program confirms both. It is also the better tool here: up
# to a few thousand points an exact solver (``ot.emd`` of the package POT) ends at a vertex, whose plan has at most
# ``n + m - 1`` entries, in about the time of the smallest regularisation. Entropy is for when its smoothness is wanted, when costs are
# never stored, or when a plan within a per cent is enough.

sums = vstack([kron(eye_array(n), np.ones((1, n))), kron(np.ones((1, n)), eye_array(n))])
exact = linprog(cost.rows(slice(None)).ravel(), A_eq=sums, b_eq=np.full(2 * n, 1 / n)).fun
regs = np.geomspace(0.3, 1e-4, 15)
path = [solve(None, None, cost, reg) for reg in regs]
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.fill_between(
    regs, [r.lower_bound for r in path], [r.upper_bound for r in path], alpha=0.3, label="between the bounds"
)
ax.axhline(exact, color="k", lw=1, ls="--", label="linear program")
ax.set(xscale="log", xlabel="reg", ylabel="cost of transport")
ax.legend()

# %%
# Sweeps that learn from their past
# ---------------------------------
# Plain sweeps of Sinkhorn's algorithm slow down as the regularisation falls. A combination of the last ten, chosen so that their residuals
# nearly cancel, needs far fewer; where even these are many, ``solve`` turns to Newton steps.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
plain = sinkhorn(None, None, cost, 0.01, extrapolation=0)
mixed = sinkhorn(None, None, cost, 0.01)
for name, result, line in (("plain sweeps", plain, "-"), ("extrapolated", mixed, "--")):
    ax.plot(result.history["marginal_error"], line, label=f"{name}: {result.n_iter}")
ax.set(xscale="log", yscale="log", xlabel="sweep", ylabel="marginal error")
ax.legend()

# %%
# Grids
# -----
# Between the pixels of an image the cost is a sum over the axes, and a sweep needs one axis at a time: the cost of 1024 by 1024 pairs
# is never made. The barycentre of what each pixel receives is a map between the two images.

side = 32
x, y = np.meshgrid(np.arange(side), np.arange(side), indexing="ij")
blob = np.exp(-((x - 8) ** 2 + (y - 10) ** 2) / 20)
cross = ((abs(x - 20) < 3) | (abs(y - 20) < 3)).astype(float)
grid = solve(
    blob.ravel() / blob.sum(), cross.ravel() / cross.sum(), GridCost((side, side)), reg=2.0, tol=1e-6, plan="lazy"
)
moved = (grid.plan @ np.stack([x.ravel(), y.ravel()], axis=1)) / (grid.plan @ np.ones(side**2))[:, None]
figure, axes = plt.subplots(1, 2, figsize=(8, 4), layout="constrained")
for ax, image, name in zip(axes, (blob, cross), ("source and where it goes", "target"), strict=True):
    ax.imshow(image, cmap="Blues")
    ax.set(title=name, xticks=[], yticks=[])
heavy = np.flatnonzero(blob.ravel() > 0.2)
arrows = moved[heavy] - np.stack([x.ravel(), y.ravel()], axis=1)[heavy]
axes[0].quiver(
    y.ravel()[heavy], x.ravel()[heavy], arrows[:, 1], arrows[:, 0], angles="xy", scale_units="xy", scale=1, width=0.004
)
assert grid.status.is_success
plt.show()
