"""
Penalties side by side
======================

A penalty is what sparsity costs. Its prox, the minimiser of ``(w - v)**2 / 2 + penalty(w)``, shows what it does to a
number v: where it gives zero, and how much it takes from what is left. Its unit ball shows what it favours.
"""

# %%
# One coefficient
# ---------------
# Convex penalties shrink everything by what it takes to reach zero. Those that are not convex leave large coefficients
# alone; the price is local minima, and some jump.

import matplotlib.pyplot as plt
import numpy as np

import sparsecode as sp

separable = {
    "L1": sp.L1(1.0),
    "L1Ridge (elastic net)": sp.L1Ridge(1.0, 0.7),
    "Box": sp.Box(-1.0, 1.5),
    "MCP": sp.MCP(1.0, gamma=2.5),
    "SCAD": sp.SCAD(1.0),
    "CEL0, curvature 0.5": sp.CEL0(1.0, curvature=0.5),
    "L0": sp.L0(1.0),
    "Lq, q=1/2": sp.Lq(1.0),
    "Lq, q=2/3": sp.Lq(1.0, q=2 / 3),
    "LogSum": sp.LogSum(1.0, epsilon=1.2),
    "CappedL1": sp.CappedL1(1.0, cap=1.5),
}
values = np.linspace(-4, 4, 801)
figure, axes = plt.subplots(3, 4, figsize=(10, 7), sharex=True, sharey=True, layout="constrained")
for ax, (name, penalty) in zip(axes.flat, separable.items(), strict=False):
    ax.plot(values, values, color="lightgrey", lw=1)
    proxes = penalty.prox(values, 1.0)
    proxes[np.append(np.abs(np.diff(proxes)) > 0.1, False)] = np.nan  # a jump is no line
    ax.plot(values, proxes, color="C0" if penalty.is_convex else "C3")
    ax.set_title(name)
figure.supxlabel("value")
figure.supylabel("prox of the value")
axes.flat[-1].axis("off")
axes.flat[-1].text(0.05, 0.5, "blue: convex\nred: not convex", va="center", transform=axes.flat[-1].transAxes)

# %%
# Coefficients that belong together
# ---------------------------------
# Unit balls in the plane: corners are what a penalty favours. Those of `GroupL1` and of the l2 norm are round, so the two
# coordinates come and go together; those of `SLOPE` have corners on the diagonals too, where moduli are equal; the
# 2-support norm of two numbers is the Euclidean norm. Blue balls are convex, red ones are not.

plane = {
    "L1": sp.L1(1.0),
    "GroupL1, one group": sp.GroupL1(1.0, 2, (1.0,)),
    "SparseGroupL1": sp.SparseGroupL1(1.0, 2, 0.5, (1.0,)),
    "SLOPE": sp.SLOPE(1.0, (1.0, 0.4)),
    "L1Ridge (elastic net)": sp.L1Ridge(1.0, 0.5),
    "SparseEnvelope, k=1": sp.SparseEnvelope(2.0, 1),
    "SparseEnvelope, k=2": sp.SparseEnvelope(2.0, 2),
    "KSupport, k=1": sp.KSupport(1.0, 1),
    "GroupSparseEnvelope": sp.GroupSparseEnvelope(2.0, 1.5),
    "TotalVariation1D": sp.TotalVariation1D(1.0),
    "Lq, q=1/2": sp.Lq(1.0),
    "MCP": sp.MCP(1.0, gamma=2.5),
}
axis = np.linspace(-1.5, 1.5, 201)
points = np.stack([grid.reshape(-1) for grid in np.meshgrid(axis, axis)])
figure, axes = plt.subplots(3, 4, figsize=(10, 7.6), sharex=True, sharey=True, layout="constrained")
for ax, (name, penalty) in zip(axes.flat, plane.items(), strict=True):
    height = penalty.value(points).reshape(201, 201)
    ax.contourf(axis, axis, height, levels=[-1, 1], colors=["#cfe3f5" if penalty.is_convex else "#f6d5d0"])
    ax.contour(axis, axis, height, levels=[0.25, 0.5, 1.0], colors="k", linewidths=[0.4, 0.4, 1.2])
    ax.set(title=name, aspect="equal")

# %%
# `RowL2` is `GroupL1` on the rows of a matrix: all targets share one support.

rng = np.random.default_rng(0)
design = rng.standard_normal((40, 60))
rows = np.zeros((60, 5))
rows[[4, 17, 33]] = rng.standard_normal((3, 5)) * 2
targets = design @ rows + rng.standard_normal((40, 5))
joint = sp.fista(design, targets, penalty=sp.RowL2(0.6), tol=1e-8)
alone = sp.fista(design, targets, penalty=sp.L1(0.3), tol=1e-8)
print("rows in use: together", np.flatnonzero(np.any(joint.coef, axis=1)))
print("one by one, all the same:", np.flatnonzero(np.any(alone.coef, axis=1)))
print("one number certifies all targets:", joint.certificate)

# %%
# Coefficients that are neighbours
# --------------------------------
# Total variation makes them constant in pieces: here a noisy staircase and a noisy image, whose denoised forms are proxes. The
# sequence's is exact; the image's comes with a duality gap of its own.

steps = np.repeat([0.0, 2.0, 1.0, 3.0], 60)
noisy = steps + 0.5 * rng.standard_normal(240)
image = np.zeros((40, 40))
image[8:25, 10:30] = 1.0
image[18:34, 4:18] = 0.5
grainy = image + 0.25 * rng.standard_normal((40, 40))
smooth = sp.TotalVariation2D(0.25, (40, 40), tol=1e-6).prox(grainy.reshape(-1), 1.0).reshape(40, 40)

figure, axes = plt.subplots(1, 3, figsize=(11, 3.4), width_ratios=[1.6, 1, 1], layout="constrained")
axes[0].plot(noisy, ".", ms=3, color="grey", label="noisy")
axes[0].plot(sp.TotalVariation1D(3.0).prox(noisy, 1.0), color="C3", label="prox")
axes[0].set(title="TotalVariation1D", xlabel="position", ylabel="value")
axes[0].legend()
for ax, picture, name in ((axes[1], grainy, "noisy"), (axes[2], smooth, "TotalVariation2D")):
    ax.imshow(picture, cmap="gray", vmin=-0.3, vmax=1.3)
    ax.set(title=name, xticks=[], yticks=[])
plt.show()

# %%
# Reweighted l1
# -------------
# A concave penalty lies below its tangents, which are weighted l1 norms: solving with `tangent` of the last answer lowers the
# objective of `LogSum`, round by round.

penalty, coef = sp.LogSum(0.1, epsilon=0.3), np.zeros(60)
for turn in range(5):
    coef = sp.fista(design, targets[:, 0], penalty=sp.L1(1.0), penalty_weights=penalty.tangent(coef), tol=1e-9).coef
    misfit = np.sum((targets[:, 0] - design @ coef) ** 2) / 80
    print(f"round {turn}: objective {misfit + float(penalty.value(coef)):.6f}, {np.count_nonzero(coef)} non-zeros")
