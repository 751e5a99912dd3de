"""
Which features were matched? A ring graph from pairs
====================================================

Cells and their daughters, workers and firms, words and their translations: pairs are observed, and one asks which features made
them. Inverse optimal transport looks for a ground cost ``-x' theta y`` under which the observed pairs are a cheap matching, and an l1
penalty keeps it to few pairs of features. Here the truth is a ring: each feature is matched with itself and its two neighbours.
"""

# %%
# Pairs from a known cost
# -----------------------
# Gaussian pairs whose joint precision has the cost ``theta`` off its diagonal: their density is that of an entropic plan.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import InverseTransport

rng = np.random.default_rng(0)
d, n = 12, 600
ring = np.eye(d) + 0.5 * (np.roll(np.eye(d), 1, axis=0) + np.roll(np.eye(d), -1, axis=0))
precision = np.block([[3 * np.eye(d), -ring], [-ring, 3 * np.eye(d)]])
both = rng.standard_normal((2 * n, 2 * d)) @ np.linalg.cholesky(np.linalg.inv(precision)).T
both /= both.std(axis=0)
X, Y = both[:, :d], both[:, d:]
train, test = slice(0, n), slice(n, None)

# %%
# The path
# --------
# Each strength starts where the last one ended, and each answer carries a duality gap.

path = InverseTransport().path(X[train], Y[train], n_alphas=15, eps=0.03)
truth = (ring != 0)[:, :, None]
found = path.coefs != 0
scores = [InverseTransport(alpha).fit(X[train], Y[train]).score(X[test], Y[test]) for alpha in path.alphas]
best = int(np.argmax(scores))
print(path)
print(f"held-out pairs choose alpha = {path.alphas[best]:.3f}")

figure, panel = plt.subplots(figsize=(7, 3.5), layout="constrained")
panel.semilogx(path.alphas, (found & truth).sum(axis=(0, 1)), marker=".", label=f"true entries, of {truth.sum()}")
panel.semilogx(path.alphas, (found & ~truth).sum(axis=(0, 1)), marker=".", label="false entries")
panel.axvline(path.alphas[best], color="gray", lw=1, label="best on held-out pairs")
panel.invert_xaxis()
panel.set(xlabel="alpha", ylabel="entries")
panel.legend()

# %%
# As with every l1 penalty, the strength that predicts best lets some small false entries in, and one twice as large gives a
# cleaner graph.

model = InverseTransport(2 * path.alphas[best]).fit(X[train], Y[train])
support = model.coef_ != 0
print(
    f"{(support & truth[:, :, 0]).sum()} of {truth.sum()} true entries, {(support & ~truth[:, :, 0]).sum()} false ones"
)
assert (support & truth[:, :, 0]).sum() >= 34
assert (support & ~truth[:, :, 0]).sum() <= 20

figure, axes = plt.subplots(1, 3, figsize=(9, 3.2), layout="constrained")
covariance = X[train].T @ Y[train] / n
for panel, values, title in zip(
    axes, (ring, covariance, model.coef_), ("truth", "covariance of the pairs", "InverseTransport"), strict=True
):
    panel.imshow(values, cmap="RdBu_r", vmin=-np.abs(values).max(), vmax=np.abs(values).max())
    panel.set(title=title, xlabel="feature of Y", xticks=[], yticks=[])
axes[0].set_ylabel("feature of X")

# %%
# Could it work at all?
# ---------------------
# The irrepresentability number says whether the support is one that an l1 penalty finds, given pairs enough: below 1 it is.

print(f"irrepresentability: {model.irrepresentability(X[train], Y[train]):.2f}")
