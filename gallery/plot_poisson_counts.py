"""
Counts and labels
=================

Counts have a variance that grows with their mean, and their mean is never negative; labels are neither large nor small. Both
have losses of their own, with the same penalties, certificates and choices of strength as numbers.
"""

# %%
# Counts
# ------
# Six of 150 features move the logarithm of the mean. Least squares sees counts above all where they are large. The error is the
# mean squared difference of the square roots of predicted and true means, on new data.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    L1,
    LassoCV,
    Poisson,
    SparseGLMIC,
    SparseLogisticRegression,
    SparseLogisticRegressionCV,
    SparsePoissonRegressor,
    SparsePoissonRegressorCV,
)
from sparsecode.metrics import support_f1

plt.style.use("seaborn-v0_8-colorblind")
rng = np.random.default_rng(0)
n_samples, n_features = 300, 150
X = rng.standard_normal((2 * n_samples, n_features))
truth = np.zeros(n_features)
truth[rng.choice(n_features, 6, replace=False)] = [0.8, -0.6, 0.5, -0.5, 0.4, 0.3]
mean = np.exp(X @ truth + 0.5)
counts = rng.poisson(mean)
train, test = slice(None, n_samples), slice(n_samples, None)

models = {
    "Poisson, cross-validated": SparsePoissonRegressorCV(alphas=30, eps=0.02, cv=5),
    "Poisson, extended BIC": SparseGLMIC("ebic", Poisson(), L1(1.0), alphas=30, eps=0.02),
    "Poisson, alpha=0.2": SparsePoissonRegressor(0.2),
    "least squares, cross-validated": LassoCV(alphas=30, eps=0.02, cv=5),
}
for name, model in models.items():
    model.fit(X[train], counts[train])
    error = np.mean((np.sqrt(np.maximum(model.predict(X[test]), 0)) - np.sqrt(mean[test])) ** 2)
    print(f"{name:31} {model.support_.size:3d} features, F1 {support_f1(truth, model.coef_):.2f}, error {error:.3f}")

# %%
# Predictions are means, and the score is the share of the deviance that is explained.

chosen = models["Poisson, cross-validated"]
print(f"D^2 on new data {chosen.score(X[test], counts[test]):.3f}, certificate {chosen.certificate_:.1e}")
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
axes[0].loglog(mean[test], chosen.predict(X[test]), ".", alpha=0.5)
axes[0].axline((1.0, 1.0), (2.0, 2.0), color="black", linewidth=1, label="equal")
axes[0].legend()
axes[0].set(xlabel="true mean", ylabel="predicted mean")
axes[1].errorbar(
    chosen.alphas_, chosen.error_path_.mean(axis=1), chosen.error_path_.std(axis=1) / np.sqrt(5), capsize=2
)
axes[1].axvline(chosen.alpha_, color="black", linestyle="--", label="chosen")
axes[1].set(xscale="log", xlabel="alpha", ylabel="half the deviance, held out")
axes[1].invert_xaxis()
axes[1].legend()

# %%
# The penalty draws small means up and large ones down, a little. Bars are standard errors over the five folds.

# %%
# Labels
# ------
# Any labels, two or more; scarce classes can be given their share of the weight.

label = np.array(["none", "few", "many"])[np.digitize(counts, [1, 6])]
one = SparseLogisticRegression(0.02, class_weight="balanced").fit(X[train], label[train])
best = SparseLogisticRegressionCV(alphas=15, eps=0.05, cv=4).fit(X[train], label[train])
for name, model in (("alpha=0.02, balanced", one), ("cross-validated", best)):
    used = int(np.count_nonzero(np.any(model.coef_ != 0, axis=0)))
    print(f"{name:21} accuracy {model.score(X[test], label[test]):.2f}, {used} features in {model.classes_.tolist()}")
