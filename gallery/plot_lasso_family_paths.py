"""
Paths of the Lasso family
=========================

As the strength falls, coefficients enter one by one, in groups, or for all targets together: the penalty decides. Every path
here is certified at every strength.
"""

# %%
# Five penalties and another loss
# -------------------------------
# Two features in each of three groups of four matter; three more groups do not, and the features of a group are correlated.
# :func:`~sparsecode.regularization_path` takes any penalty with a strength and any loss, and returns a
# :class:`~sparsecode.RegularizationPath`.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    L1,
    MCP,
    ElasticNet,
    ElasticNetCV,
    ElasticNetIC,
    GroupL1,
    GroupLasso,
    GroupLassoCV,
    L1Ridge,
    Logistic,
    MultiTaskLasso,
    MultiTaskLassoCV,
    SparseGroupL1,
    regularization_path,
)

plt.style.use("seaborn-v0_8-colorblind")
rng = np.random.default_rng(3)
n_samples = 80
shared = np.repeat(rng.standard_normal((n_samples, 6)), 4, axis=1)
X = 0.8 * shared + 0.6 * rng.standard_normal((n_samples, 24))
truth = np.zeros(24)
truth[[0, 1, 4, 5, 8, 9]] = [1.5, 1.0, -1.2, -0.8, 0.6, 0.6]
y = X @ truth + 0.5 * rng.standard_normal(n_samples)
label = np.where(y > 0, 1.0, -1.0)

cases = {
    "L1": (y, None, L1(1.0)),
    "L1Ridge, half and half": (y, None, L1Ridge(1.0, 0.5)),
    "GroupL1": (y, None, GroupL1(1.0, 4)),
    "SparseGroupL1": (y, None, SparseGroupL1(1.0, 4, 0.5)),
    "MCP": (y, None, MCP(1.0)),
    "L1, logistic loss": (label, Logistic(), L1(1.0)),
}
figure, axes = plt.subplots(2, 3, figsize=(12, 7), layout="constrained")
colours = np.repeat(["C0", "C1", "C2", "grey", "grey", "grey"], 4)
for (name, (target, loss, penalty)), ax in zip(cases.items(), axes.flat, strict=True):
    path = regularization_path(X, target, loss, penalty, n_alphas=50, eps=0.01)
    print(f"{name:23} {path}")
    for feature in reversed(range(24)):  # what matters in front
        ax.plot(path.alphas, path.coefs[feature], color=colours[feature], linewidth=1)
    ax.set(xscale="log", title=name)
    ax.invert_xaxis()
for group, colour in enumerate(("C0", "C1", "C2")):
    axes[0, 0].plot([], [], color=colour, label=f"features {4 * group} to {4 * group + 3}")
axes[0, 0].plot([], [], color="grey", label="features that do not matter")
for ax in axes[:, 0]:
    ax.set_ylabel("coefficient")
for ax in axes[1]:
    ax.set_xlabel("alpha")
figure.legend(loc="outside lower center", ncols=4)

# %%
# The l1 norm takes single features of a group; with the ridge and the groups the others come too, and under `GroupL1` all four
# leave zero at the same strength. MCP gets to its final sizes early and stays there, but not without jumps.

# %%
# Chosen by the data
# ------------------
# The elastic net shares a group's weight among its members; the group Lasso takes groups whole; the information criterion
# counts the ridge's degrees of freedom.

models = {
    "ElasticNetCV": ElasticNetCV(l1_ratio=[0.3, 0.7, 1.0], alphas=30, cv=5),
    "ElasticNetIC": ElasticNetIC("bic", l1_ratio=0.7),
    "ElasticNet": ElasticNet(0.1, l1_ratio=0.7),
    "GroupLassoCV": GroupLassoCV(groups=4, alphas=30, cv=5),
    "GroupLasso": GroupLasso(0.1, groups=4),
}
for name, model in models.items():
    model.fit(X, y)
    print(f"{name:13} {model.support_.size:2d} features, error {np.linalg.norm(model.coef_ - truth):.2f}")

# %%
# One support for many targets
# ----------------------------
# Eight noisy targets of the same six features, which are 0, 1, 4, 5, 8 and 9. Cross-validation aims at predictions and keeps more
# of them; at a larger strength the six are left, with one of the features that are correlated with them.

coefs = truth[:, None] * rng.uniform(0.3, 1.0, (24, 8))
Y = X @ coefs + 0.5 * rng.standard_normal((n_samples, 8))
joint = MultiTaskLassoCV(alphas=30, cv=5).fit(X, Y)
print("cross-validated:", np.flatnonzero(joint.support_.all(axis=0)))
print("stronger:       ", np.flatnonzero(MultiTaskLasso(8 * joint.alpha_).fit(X, Y).support_.all(axis=0)))
