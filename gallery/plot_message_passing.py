"""
Message passing for numbers, labels and counts
==============================================

A prior says what coefficients are like, a channel how an observation comes from their linear combination. The posterior is
passed as messages: the same few lines for normal noise, for labels and for counts.
"""

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    BernoulliGaussian,
    GAMPRegressor,
    GaussianChannel,
    GaussianMixture,
    GaussianPrior,
    PoissonChannel,
    ProbitChannel,
    VAMPRegressor,
)

rng = np.random.default_rng(0)
n_samples, n_features = 500, 200
X = rng.standard_normal((n_samples, n_features)) / np.sqrt(10)
coef = rng.standard_normal(n_features) * (rng.random(n_features) < 0.1)
signal = X @ coef
numbers = signal + 0.5 * rng.standard_normal(n_samples)
labels = (signal + 0.5 * rng.standard_normal(n_samples) > 0).astype(float)
counts = rng.poisson(np.exp(signal)).astype(float)
observed = [(GaussianChannel(0.25), numbers), (ProbitChannel(0.25), labels), (PoissonChannel(), counts)]

# %%
# What is left of the coefficients when the observations are numbers, one bit each, or counts. Error bars are two posterior
# standard deviations.
prior = BernoulliGaussian(rate=0.1)
active = np.flatnonzero(coef)
fig, axes = plt.subplots(1, 3, figsize=(11, 3.8), sharey=True, layout="constrained")
for ax, (channel, y) in zip(axes, observed, strict=True):
    model = GAMPRegressor(prior=prior, channel=channel, fit_intercept=False).fit(X, y)
    error = np.linalg.norm(model.coef_ - coef) / np.linalg.norm(coef)
    ax.errorbar(coef, model.coef_, 2 * np.sqrt(model.variance_), fmt="o", markersize=3, linewidth=0.8)
    ax.plot([-2.5, 2.5], [-2.5, 2.5], color="0.7", zorder=0)
    ax.set(title=f"{type(channel).__name__}: error {error:.2f}", xlabel="true coefficient")
    found = np.isin(active, model.support_).sum()
    print(f"{type(channel).__name__:16s} {found} of {len(active)} found, {len(model.support_) - found} beside")
axes[0].set_ylabel("posterior mean")

# %%
# New observations are predicted as what they are: numbers with an uncertainty, probabilities of a label, mean counts.
model = GAMPRegressor(prior=prior, fit_intercept=False).fit(X, numbers)
mean, std = model.predict(X[:3], return_std=True)
print("numbers      ", mean.round(2), "+-", std.round(2))
for channel, y in observed[1:]:
    model = GAMPRegressor(prior=prior, channel=channel, fit_intercept=False).fit(X, y)
    print(f"{type(channel).__name__:13s}", model.predict(X[:3]).round(2))

# %%
# Priors differ in what they make of the same data. A mixture with an atom at zero knows that these coefficients are near
# -1 and 1; a normal prior is ridge regression. The columns are correlated here, which is for VAMP.
correlated = rng.standard_normal((150, 200))
for column in range(1, 200):
    correlated[:, column] = 0.7 * correlated[:, column - 1] + 0.7 * correlated[:, column]
signs = rng.choice([-1.0, 0.0, 1.0], size=200, p=[0.1, 0.8, 0.1])
y = correlated @ signs + 0.5 * rng.standard_normal(150)
priors = {
    "atoms near -1, 0, 1": GaussianMixture((0.1, 0.8, 0.1), (-1.0, 0.0, 1.0), (0.01, 0.0, 0.01)),
    "zero or normal": BernoulliGaussian(0.2),
    "normal": GaussianPrior(0.2),
}
fig, axes = plt.subplots(1, 3, figsize=(11, 3), sharey=True, layout="constrained")
for ax, (name, prior) in zip(axes, priors.items(), strict=True):
    model = VAMPRegressor(prior=prior, noise_variance=0.25, fit_intercept=False).fit(correlated, y)
    ax.plot(signs, "o", color="0.8", label="true")
    ax.plot(model.coef_, ".", label="posterior mean")
    error = np.linalg.norm(model.coef_ - signs) / np.linalg.norm(signs)
    ax.set(title=f"{name}: error {error:.2f}", xlabel="coefficient")
axes[0].legend()
plt.show()
