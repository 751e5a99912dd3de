"""
Which loss for which data?
==========================

A loss measures the misfit between a target and fitted values. The squared loss is right for noise that is normal; for
outliers, labels and counts there are others, and every solver and penalty that can work with them takes them the same
way. Here are their shapes, what outliers do to two of them, and labels and counts with an intercept.
"""

# %%
# Values and slopes
# -----------------
# Of one sample, with the target 0 where the target is a number, 1 where it is a label, and 2 where it is a count. What
# counts is the slope: how hard a sample pulls on the fit. It is bounded for the robust losses, so that one sample cannot
# do much harm, and it grows without bound for the squared one.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    L1,
    Absolute,
    Huber,
    Logistic,
    Multinomial,
    Poisson,
    Quantile,
    Squared,
    SquareRoot,
    WithIntercept,
    alpha_max,
    fista,
    scalar_loss,
)
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse, support_f1

fitted = np.linspace(-3, 3, 301)
shapes = {
    "Squared()": (Squared(), 0.0),
    "SquareRoot()": (SquareRoot(), 0.0),
    "Absolute()": (Absolute(), 0.0),
    "Quantile(0.8)": (Quantile(0.8), 0.0),
    "Huber(1.0)": (Huber(1.0), 0.0),
    "Logistic()": (Logistic(), 1.0),
    "Poisson()": (Poisson(), 2.0),
}
figure, axes = plt.subplots(2, 7, figsize=(14, 4.5), sharex=True, layout="constrained")
for (name, (loss, target)), column in zip(shapes.items(), axes.T, strict=True):
    targets = np.full((1, fitted.size), target)  # every column is a target of its own
    column[0].plot(fitted, loss.value(targets, fitted[None, :], 1.0))
    column[1].plot(fitted, loss.gradient(targets, fitted[None, :], 1.0)[0], color="tab:orange")
    column[0].set(title=name, ylim=(-0.2, 4))
    column[1].set(xlabel="fitted value", ylim=(-3.2, 3.2))
axes[0, 0].set_ylabel("value")
axes[1, 0].set_ylabel("slope")

# %%
# The square-root and the absolute loss look alike for one sample. For many, the first is the norm of all residuals, the
# second the sum of their sizes.
#
# Outliers
# --------
# One measurement in twenty is wrong by a lot. :class:`~sparsecode.Huber` treats residuals up to `delta` as the squared
# loss does and lets larger ones pull no harder, so it barely notices.

problem = make_sparse_recovery(120, 200, 8, coef="sign", snr_db=25, random_state=0)
A, clean = problem.design, problem.target
rng = np.random.default_rng(0)
wrong = rng.choice(clean.size, 6, replace=False)
y = clean.copy()
y[wrong] += 6 * np.std(clean) * rng.choice([-1, 1], 6)

noise = np.median(np.abs(clean - A @ problem.coef)) / 0.6745
figure, axes = plt.subplots(1, 2, figsize=(10, 3.5), sharey=True, layout="constrained")
for ax, loss in zip(axes, (Squared(), Huber(2 * noise)), strict=True):
    strengths = alpha_max(A, y, loss) * np.geomspace(0.9, 0.01, 16)
    results = [fista(A, y, loss, L1(alpha)) for alpha in strengths]
    best = min(results, key=lambda result: nmse(problem.coef, result.coef))
    name = type(loss).__name__
    print(
        f"{name:8} at its best alpha: error {nmse(problem.coef, best.coef):.3f}, support F1 "
        f"{support_f1(problem.coef, best.coef):.2f}, certificate {best.certificate:.1e}"
    )
    ax.stem(
        np.flatnonzero(problem.coef), problem.coef[problem.coef != 0], linefmt="lightgrey", basefmt=" ", label="planted"
    )
    ax.plot(best.support, best.coef[best.support], "o", markersize=4, label="found")
    ax.set(xlabel="coefficient", title=f"{name}: six of 120 samples are outliers", xlim=(-3, 202))
axes[0].set_ylabel("value")
axes[0].legend()

# %%
# Labels, counts, and an intercept
# --------------------------------
# :class:`~sparsecode.WithIntercept` adds a constant to the fitted values of any loss. It is not penalised, and it is fitted
# exactly wherever the loss is looked at, so that the duality gap certifies coefficients and intercept together.
# :func:`~sparsecode.alpha_max` knows for every pair of loss and penalty from which strength on nothing is selected.

log_odds = 2 * clean / np.std(clean) + 1.0
labels = np.where(rng.uniform(size=clean.size) < 1 / (1 + np.exp(-log_odds)), 1.0, -1.0)
counts = rng.poisson(np.exp(0.7 * clean / np.std(clean) + 1.0)).astype(float)
scores = np.stack([log_odds, -log_odds, np.zeros_like(log_odds)], axis=1) + rng.gumbel(size=(clean.size, 3))
classes = np.eye(3)[np.argmax(scores, axis=1)]
for loss, target in ((Logistic(), labels), (Poisson(), counts), (Multinomial(), classes)):
    loss = WithIntercept(loss)
    result = fista(A, target, loss, L1(0.3 * alpha_max(A, target, loss)))
    used = np.count_nonzero(np.any(np.reshape(result.coef != 0, (200, -1)), axis=1))
    print(f"{type(loss.loss).__name__:11} {used:3d} features, intercept {np.round(result.intercept, 2)}, {result}")

# %%
# Losses that are not smooth
# --------------------------
# :class:`~sparsecode.Absolute`, :class:`~sparsecode.Quantile` and :class:`~sparsecode.SquareRoot` have a prox instead of a
# gradient that proximal gradient could follow. Residuals within a step of zero become zero.

print(Absolute().prox(np.zeros(5), np.array([-2.0, -0.5, 0.0, 0.5, 2.0]), 1.0, 1.0))

# %%
# A loss of one's own
# -------------------
# For the compiled kernels, the derivatives of one sample are registered as plain arithmetic; one kernel then serves every
# smooth loss, from the cache on disk. :ref:`sphx_glr_gallery_plot_write_a_loss.py` shows what the class needs besides.

import math
from typing import NamedTuple


class LogCosh(NamedTuple):
    """``scale log cosh((y - z) / scale)``: smooth everywhere, linear for outliers."""

    scale: float


@scalar_loss(LogCosh)
def log_cosh_slopes(loss, target, fitted):
    """First and second derivative of one sample."""
    slope = math.tanh((fitted - target) / loss.scale)
    return slope, (1.0 - slope * slope) / loss.scale


print(log_cosh_slopes(LogCosh(2.0), 0.0, 1.0))
plt.show()
