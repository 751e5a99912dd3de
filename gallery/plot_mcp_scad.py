"""
Penalties without bias: MCP and SCAD
====================================

The l1 norm pays for its sparsity by shrinking what it keeps, and so keeps too much. MCP and SCAD stop charging once a
coefficient is large; the price is that they are not convex.
"""

# %%
# Support and bias along a path
# -----------------------------
# Twelve of 500 features matter, with coefficients of 0.5 to 2. Each penalty runs along its own path; shown are how well the
# support is found, and by how much these twelve come out too small.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    L1,
    MCP,
    SCAD,
    Huber,
    Lasso,
    LassoCV,
    NonconvexRegressor,
    NonconvexRegressorCV,
    NonconvexRegressorIC,
    SparseGLM,
    SparseGLMCV,
    regularization_path,
)
from sparsecode.metrics import support_f1

plt.style.use("seaborn-v0_8-colorblind")
rng = np.random.default_rng(1)
n_samples, n_features = 150, 500
X = rng.standard_normal((n_samples, n_features))
truth = np.zeros(n_features)
support = rng.choice(n_features, 12, replace=False)
truth[support] = rng.choice([-1.0, 1.0], 12) * np.linspace(0.5, 2.0, 12)
y = X @ truth + 0.5 * rng.standard_normal(n_samples)

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for penalty, line in ((L1(1.0), "-"), (MCP(1.0), "--"), (SCAD(1.0), ":")):
    path = regularization_path(X, y, penalty=penalty, n_alphas=40, eps=0.05)
    f1 = [support_f1(truth, coef) for coef in path.coefs.T]
    bias = [np.mean(np.abs(truth[support]) - np.sign(truth[support]) * coef[support]) for coef in path.coefs.T]
    name = type(penalty).__name__
    axes[0].plot(path.alphas, f1, line, lw=2, label=name)
    axes[1].plot(path.alphas, bias, line, lw=2, label=name)
    print(f"{name:4} best F1 {max(f1):.2f}, bias there {bias[int(np.argmax(f1))]:.2f}")
axes[0].set(xscale="log", xlabel="alpha", ylabel="F1 of the support")
axes[1].set(xscale="log", xlabel="alpha", ylabel="mean bias towards zero")
ticks = [2.0, 1.0, 0.5, 0.2]
for ax in axes:
    ax.set_xticks(ticks, ticks)
    ax.set_xticks([], minor=True)
    ax.invert_xaxis()
axes[1].legend()

# %%
# Where the l1 norm finds the support best, two fifths of their size are still missing; where its bias is small, false
# features have come in. MCP and SCAD find all twelve and no other over a wide range of strengths, at the end of it without bias.

# %%
# Chosen by the data
# ------------------
# Debiasing fits once more on the support that the l1 norm chose, which mends the bias but not the support.

models = {
    "Lasso, cross-validated": LassoCV(cv=5),
    "MCP, cross-validated": NonconvexRegressorCV("mcp", alphas=40, eps=0.02, cv=5),
    "SCAD, cross-validated": NonconvexRegressorCV("scad", alphas=40, eps=0.02, cv=5),
    "MCP, extended BIC": NonconvexRegressorIC("ebic", "mcp", alphas=40, eps=0.02),
    "MCP, alpha=0.3": NonconvexRegressor(0.3, "mcp"),
    "Lasso, alpha=0.15, debiased": Lasso(0.15, debias=True),
}
for name, model in models.items():
    model.fit(X, y)
    error = np.linalg.norm(model.coef_ - truth)
    print(f"{name:28} {model.support_.size:3d} features, F1 {support_f1(truth, model.coef_):.2f}, error {error:.2f}")

# %%
# With any loss
# -------------
# :class:`~sparsecode.SparseGLM` takes any pair, here MCP against outliers, and its fields are parameters to set or search.

spoilt = y.copy()
spoilt[:10] += 50.0
model = SparseGLM(Huber(0.5), MCP(1.0)).set_params(penalty__alpha=0.15).fit(X, spoilt)
print(f"MCP and Huber, ten gross errors: F1 {support_f1(truth, model.coef_):.2f}")
chosen = SparseGLMCV(Huber(0.5), MCP(1.0), alphas=15, eps=0.05, cv=4).fit(X, spoilt)
print(f"the same, cross-validated: alpha {chosen.alpha_:.3f}, F1 {support_f1(truth, chosen.coef_):.2f}")
