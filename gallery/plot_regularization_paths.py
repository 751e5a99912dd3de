"""
Regularization paths: l1, elastic net, MCP
==========================================

A path shows each coefficient over the strength of the penalty. It says at a glance which features enter first, how much
the penalty shrinks them, and where noise begins to be fitted.
"""

# %%
# Three penalties on the same data
# --------------------------------
# Six of 100 coefficients are planted; their true sizes are the dots on the right. Planted features are coloured, others grey.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import L1, MCP, L1Ridge, LassoCV, regularization_path
from sparsecode.metrics import nmse, support_f1
from sparsecode.plotting import PathDisplay

rng = np.random.default_rng(1)
A = rng.standard_normal((120, 100))
A = 0.8 * A + 0.6 * rng.standard_normal((120, 1))  # all columns have something in common
truth = np.zeros(100)
planted = np.sort(rng.choice(100, 6, replace=False))
truth[planted] = [3.0, -2.5, 2.0, -1.5, 1.0, 0.7]
y = A @ truth + 1.0 * rng.standard_normal(120)

figure, axes = plt.subplots(1, 3, figsize=(14, 4), sharey=True, layout="constrained")
for ax, penalty in zip(axes, (L1(1.0), L1Ridge(1.0, l1_ratio=0.5), MCP(1.0, gamma=3.0)), strict=True):
    path = regularization_path(A, y, penalty=penalty, n_alphas=60, eps=0.01)
    PathDisplay.from_path(path, highlight=planted, ax=ax)
    ax.plot(np.full(planted.size, path.alphas[-1]), truth[planted], "k.", clip_on=False)
    ax.set_title(type(penalty).__name__)
    ax.get_legend().remove()
    ax.label_outer()
    errors = [nmse(truth, coef) for coef in path.coefs.T]
    best = int(np.argmin(errors))
    print(
        f"{type(penalty).__name__:8} best alpha {path.alphas[best]:.3f}: error {errors[best]:.4f}, "
        f"support F1 {support_f1(truth, path.coefs[:, best]):.2f}, {path}"
    )

# %%
# The l1 norm shrinks large coefficients as much as small ones, so that the best strength lets noise in; the ridge of the elastic
# net shrinks still more and keeps correlated columns together; MCP lets large coefficients go free, and the planted ones reach
# their size while the others are still zero.
#
# The path of an estimator
# ------------------------
# From an estimator and data, the display solves the path with the estimator's own loss, penalty and intercept, and marks the
# strength that it chose.

model = LassoCV(alphas=60, eps=0.01, cv=5).fit(A, y)
display = PathDisplay.from_estimator(model, A, y, highlight=planted)
display.ax_.set_title(f"LassoCV chose alpha = {model.alpha_:.3f}")
plt.show()
