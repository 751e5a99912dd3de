"""
One strength for every noise level
==================================

The best strength of the Lasso is proportional to the noise, which nobody knows. The square-root Lasso measures the misfit by
the norm of the residual itself, not by its square: its best strength depends on the design alone.
"""

# %%
# Support and coefficients as the noise grows
# -------------------------------------------
# Eight of 400 features matter. The strength of :class:`~sparsecode.SquareRootLasso` is its default, the same at every noise
# level; that of :class:`~sparsecode.Lasso` is right for one of them.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import Lasso, SquareRootLasso, SquareRootLassoCV
from sparsecode.metrics import nmse, support_f1

plt.style.use("seaborn-v0_8-colorblind")
rng = np.random.default_rng(0)
n_samples, n_features = 500, 400
X = rng.standard_normal((n_samples, n_features))
truth = np.zeros(n_features)
truth[rng.choice(n_features, 8, replace=False)] = rng.choice([-1.0, 1.0], 8)
levels = np.geomspace(1e-3, 3.0, 10)
pivotal = SquareRootLasso().fit(X, X @ truth).alpha_
models = {
    "square root, its default": SquareRootLasso(),
    "Lasso, right for noise 0.1": Lasso(0.1 * pivotal),
    "Lasso, right for noise 1": Lasso(1.0 * pivotal),
}
scores, errors = ({name: [] for name in models} for _ in range(2))
for level in levels:
    y = X @ truth + level * rng.standard_normal(n_samples)
    for name, model in models.items():
        model.fit(X, y)
        scores[name].append(support_f1(truth, model.coef_))
        errors[name].append(nmse(truth, model.coef_) ** 0.5)

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for ax, found in zip(axes, (scores, errors), strict=True):
    for (name, values), line in zip(found.items(), ("o-", "s--", "^:"), strict=True):
        ax.plot(levels, values, line, label=name)
    ax.set(xscale="log", xlabel="standard deviation of the noise")
axes[0].set(ylabel="F1 of the support", ylim=(0, 1.05))
axes[0].legend(loc="lower left")
axes[1].set(yscale="log", ylabel="relative error of the coefficients")

# %%
# A Lasso that is too weak for the noise selects it; one that is too strong still finds the support here, but shrinks the
# coefficients by far more than the noise would make it. The error of the square root falls with the noise.

# %%
# It knows the noise afterwards
# -----------------------------
# The root mean square of what is left estimates the noise (somewhat too high, since coefficients are shrunk), and the answer is
# the Lasso's at that strength.

y = X @ truth + 0.3 * rng.standard_normal(n_samples)
model = SquareRootLasso(tol=1e-9).fit(X, y)
sigma = np.sqrt(np.mean((y - model.predict(X)) ** 2))
lasso = Lasso(model.alpha_ * sigma, tol=1e-10).fit(X, y)
print(
    f"noise 0.3, estimated {sigma:.3f}; largest difference to the Lasso {np.abs(model.coef_ - lasso.coef_).max():.1e}"
)

# %%
# Cross-validation, which aims at predictions, takes a smaller strength and more features.

chosen = SquareRootLassoCV(alphas=30, eps=0.05, cv=5).fit(X, y)
print(
    f"by theory {model.alpha_:.3f}: {model.support_.size} features; by folds {chosen.alpha_:.3f}: {chosen.support_.size}"
)
