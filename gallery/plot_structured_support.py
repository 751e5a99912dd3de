"""
Coefficients that come in runs
==============================

Channels, spectra and images are active in clusters. :class:`~sparsecode.HierarchicalBayesRegressor` has three layers: a support, a
precision for each coefficient that depends on it, and the coefficient. A Markov chain as the support's prior lets neighbours
speak for each other; the noise level is learned.
"""

# %%
# One draw, with and without the chain
# ------------------------------------
# 200 coefficients, a tenth of them active in runs of about ten, and 100 samples at 10 dB.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import HierarchicalBayesRegressor, hierarchical_bayes
from sparsecode.metrics import nmse


def problem(seed, snr=10, n_samples=100, n_features=200):
    """A Gaussian design, a noisy target, and coefficients in runs."""
    rng = np.random.default_rng(seed)
    active = np.zeros(n_features, dtype=bool)
    for start in rng.choice(n_features // 20, 2, replace=False) * 20:
        active[start + 3 : start + 3 + rng.integers(7, 14)] = True
    X = rng.standard_normal((n_samples, n_features)) / np.sqrt(n_samples)
    coef = active * rng.standard_normal(n_features)
    noise = np.linalg.norm(X @ coef) / np.sqrt(n_samples) * 10 ** (-snr / 20)
    return X, X @ coef + noise * rng.standard_normal(n_samples), coef, noise


X, y, coef, noise = problem(1)
models = {
    "independent": HierarchicalBayesRegressor(fit_intercept=False),
    "Markov chain": HierarchicalBayesRegressor(structure="chain", fit_intercept=False),
}
figure, axes = plt.subplots(2, 1, figsize=(9, 5), sharex=True, layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    model.fit(X, y)
    ax.fill_between(
        np.arange(coef.size), 0, model.inclusion_, step="mid", alpha=0.4, label="probability of being active"
    )
    ax.plot(coef, "k.", label="truth")
    ax.plot(model.coef_, lw=1, label="posterior mean")
    ax.set(title=f"{name}: error {10 * np.log10(nmse(coef, model.coef_)):.1f} dB")
axes[0].legend(loc="upper right", fontsize="small")

# %%
# Many draws
# ----------
# ``method="subspace"`` inverts matrices of the size of the support only; its error is the same.

models["Markov chain, subspace"] = HierarchicalBayesRegressor(structure="chain", method="subspace", fit_intercept=False)
trials = [problem(seed) for seed in range(10, 22)]
for name, model in models.items():
    fits = [(model.fit(X, y).coef_, np.sqrt(model.noise_variance_) / noise) for X, y, _, noise in trials]
    error = np.median([nmse(trial[2], found) for trial, (found, _) in zip(trials, fits, strict=True)])
    level = np.median([ratio for _, ratio in fits])
    print(f"{name:24s} median error {10 * np.log10(error):6.1f} dB, learned over true noise {level:.2f}")

# %%
# Groups instead of runs
# ----------------------
# Where it is known what stands and falls together, the evidence of all members adds up.

X, y, coef, noise = problem(1)
for size in (1, 5):
    result = hierarchical_bayes(X, y, groups=size)
    print(f"blocks of {size}: error {10 * np.log10(nmse(coef, result.coef)):.1f} dB, {result.support.size} active")
