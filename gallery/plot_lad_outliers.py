"""
Outliers: how much may one sample say?
======================================

Under the squared loss a sample pulls as hard as it is wrong. The Huber loss caps the pull, and the absolute loss gives every
sample the same: :class:`~sparsecode.HuberLasso` and :class:`~sparsecode.LADLasso`.
"""

# %%
# A growing share of outliers
# ---------------------------
# Eight of 100 features matter; some targets are replaced by numbers ten times as large.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    L1,
    HuberLasso,
    HuberLassoCV,
    LADLasso,
    LADLassoCV,
    LassoCV,
    Quantile,
    WithIntercept,
    solve,
)
from sparsecode.metrics import nmse

plt.style.use("seaborn-v0_8-colorblind")
rng = np.random.default_rng(0)
n_samples, n_features = 200, 100
X = rng.standard_normal((n_samples, n_features))
truth = np.zeros(n_features)
truth[rng.choice(n_features, 8, replace=False)] = rng.choice([-1.0, 1.0], 8)
clean = X @ truth + 0.2 * rng.standard_normal(n_samples)
shares = [0.0, 0.05, 0.1, 0.2, 0.3]
models = {
    "LassoCV": LassoCV(alphas=20, eps=0.01, cv=5),
    "HuberLassoCV": HuberLassoCV(delta=0.3, alphas=20, eps=0.01, cv=5),
    "LADLassoCV": LADLassoCV(alphas=10, eps=0.05, cv=5),
}
errors = {name: [] for name in models}
for share in shares:
    y = clean.copy()
    wrong = rng.choice(n_samples, int(share * n_samples), replace=False)
    y[wrong] = 30 * rng.standard_normal(wrong.size)
    for name, model in models.items():
        errors[name].append(nmse(truth, model.fit(X, y).coef_))

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for (name, values), line in zip(errors.items(), ("o-", "s--", "^:"), strict=True):
    ax.plot(shares, values, line, label=name)
ax.set(xlabel="share of outliers", ylabel="relative squared error of the coefficients", yscale="log")
ax.xaxis.set_major_formatter("{x:.0%}")
ax.legend()

# %%
# Without outliers the squared loss is as good as the others. One in twenty is enough to make its coefficients useless, while a
# third of them hardly changes those of the robust losses.

# %%
# Other quantiles
# ---------------
# With another `quantile` the fit runs above or below the middle. Where the noise grows with a feature, so does the distance
# between two quantiles.

spread = np.exp(0.8 * X[:, 0])
y = X @ truth + spread * rng.standard_normal(n_samples)
low, high = (LADLasso(0.02, quantile=q).fit(X, y) for q in (0.1, 0.9))
print(f"below the 10 % line {np.mean(y < low.predict(X)):.0%}, below the 90 % line {np.mean(y < high.predict(X)):.0%}")
print(f"weight of feature 0 in the distance of both {(high.coef_ - low.coef_)[0]:.2f}")

# %%
# As functions
# ------------
# Estimators say what :func:`~sparsecode.solve` is given: a loss and a penalty.

result = solve(X, y, WithIntercept(Quantile(0.9)), L1(0.02))
print(result)
print(f"the same as the estimator: {np.allclose(result.coef, high.coef_, atol=1e-3)}")
print(HuberLasso(0.1, delta=0.3).fit(X, clean).result_)
