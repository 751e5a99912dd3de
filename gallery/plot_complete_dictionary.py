"""
A complete dictionary from powers
=================================

When there are as many atoms as features, codes are the signals in another basis, and the right basis is the one in which
they look sparse. Among codes of equal variance, the sum of their third powers says how sparse they are: it is large for
many small values and a few large ones. Maximising it needs no penalty strength, no step size and no sparse coding: every
iteration is two matrix products and a small singular value decomposition, and none lowers the objective.

Shen, Xue, Zhang, Letaief and Lau, "Complete dictionary learning via lp-norm maximization", 2020 (arXiv 2002.10043).
"""

# %%
# Which power?
# ------------
# Signals with a tenth of 50 codes each, over an orthogonal dictionary. The error is zero if and only if the atoms are the true
# ones. Higher powers look at fewer, larger values, and need more signals for the same error. The function that the estimator
# calls returns an `LpDictionary`: atoms, filters, and how it went.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import LpDictionaryLearning
from sparsecode.datasets import load_patches
from sparsecode.metrics import dictionary_recovery
from sparsecode.plotting import DictionaryDisplay
from sparsecode.solvers.dictionary import lp_dictionary

rng = np.random.default_rng(0)
n_features = 50
truth = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]


def draw(n_signals, noise=0.0):
    codes = rng.standard_normal((n_signals, n_features)) * (rng.random((n_signals, n_features)) < 0.1)
    return codes @ truth + noise * rng.standard_normal((n_signals, n_features))


def error(atoms):
    return 1 - np.sum((atoms @ truth.T) ** 4) / n_features


sizes = [500, 1000, 2000, 4000, 8000]
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for p in (3, 4, 5):
    results = [lp_dictionary(draw(size), p, orthogonal=True, random_state=0, max_iter=1000, tol=1e-6) for size in sizes]
    axes[0].loglog(sizes, [error(result.coef) for result in results], marker="o", label=f"p = {p}")
    axes[1].semilogy(results[-1].history["iteration"], results[-1].history["certificate"], label=f"p = {p}")
axes[0].set(xlabel="signals", ylabel="error", title="Fewer signals for small powers")
axes[1].set(xlabel="iteration", ylabel="distance from stationarity", title="Some dozens of iterations")
axes[0].legend()
plt.show()

# %%
# Outliers
# --------
# Powers look at what is large, so one wild entry in a thousand misleads them all. Clip at some multiple of the usual
# size first.

X = draw(8000)
X += 10 * rng.standard_normal(X.shape) * (rng.random(X.shape) < 1e-3)
size = np.median(np.abs(X[X != 0])) / 0.6745
for name, data in {"as they are": X, "clipped": np.clip(X, -5 * size, 5 * size)}.items():
    atoms = lp_dictionary(data, orthogonal=True, random_state=0, max_iter=1000, tol=1e-6).coef
    print(f"{name:12} error {error(atoms):.4f}, atoms found {dictionary_recovery(truth, atoms):.2f}")

# %%
# A photograph
# ------------
# Patches of a photograph are not white, and without their mean they lie in a space of 63 dimensions: the estimator whitens
# them, and learns 63 atoms. `filters_` turn patches into codes.

patches = load_patches("china.jpg", n_patches=10_000, random_state=0)
learner = LpDictionaryLearning(random_state=0, max_iter=1000, tol=5e-3).fit(patches)
codes = learner.transform(patches)
print(learner.components_.shape, learner.status_.name, f"after {learner.n_iter_} iterations")
print("exact:", np.allclose(learner.inverse_transform(codes), patches))
DictionaryDisplay.from_estimator(learner)
plt.show()

# %%
# The codes have the heavy tails that were asked for, heavier than those of principal components:

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
principal = patches @ np.linalg.svd(patches, full_matrices=False)[2][:63].T
bins = np.linspace(-6, 6, 121)
for name, values in {"principal components": principal, "lp dictionary": codes}.items():
    ax.hist((values / values.std(axis=0)).ravel(), bins, histtype="step", density=True, label=name)
ax.set(yscale="log", xlabel="code, in standard deviations", ylabel="density")
ax.legend()
plt.show()
