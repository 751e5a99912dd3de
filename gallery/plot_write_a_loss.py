"""
Write a loss of your own
========================

A loss is an immutable class that holds its parameters and answers a handful of questions, just as a penalty does. Here is one
that the library does not have, smooth everywhere and linear for outliers::

    value(z) = sum_i weights_i scale log cosh((y_i - z_i) / scale)

With its gradient any penalty can be minimised; with its dual the answer is certified by a duality gap; with the derivatives of
one sample as plain arithmetic, the compiled proximal Newton method takes it too.
"""

# %%
# The class
# ---------
# Everything takes the `target`, the `fitted` values and the `weights` of the samples, which add up to one.

import math
from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import L1, MCP, Squared, alpha_max, compare, scalar_loss, solve
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse, support_f1


class LogCosh(NamedTuple):
    """Squared for residuals far below `scale`, absolute far above."""

    scale: float

    is_smooth = property(lambda self: True)
    is_quadratic = property(lambda self: False)
    supports_complex = property(lambda self: False)
    curvature = property(lambda self: 1.0 / self.scale)  # the largest second derivative of one sample of weight one

    def value(self, target, fitted, weights):
        """The misfit, one number a target; log cosh without overflow."""
        size = np.abs(target - fitted) / self.scale
        return np.sum(weights * self.scale * (size + np.log1p(np.exp(-2 * size)) - math.log(2)), axis=0)

    def gradient(self, target, fitted, weights):
        """Gradient in the fitted values."""
        return weights * np.tanh((fitted - target) / self.scale)

    def hessian_diagonal(self, target, fitted, weights):
        """Second derivatives."""
        return weights * (1 - np.tanh((fitted - target) / self.scale) ** 2) / self.scale

    def bregman(self, target, fitted, other, weights):
        """What the tangent at `other` misses at `fitted`: backtracking looks at it."""
        tangent = np.sum(self.gradient(target, other, weights) * (fitted - other), axis=0)
        return self.value(target, fitted, weights) - self.value(target, other, weights) - tangent

    def dual_value(self, target, dual, weights):
        """``-F*(-dual)``: the entropy of shares (1 + u) / 2 and (1 - u) / 2 of u = dual / weights."""
        share = dual / weights
        up, down = np.clip(1 + share, 1e-300, None), np.clip(1 - share, 1e-300, None)
        value = np.sum(target * dual - weights * self.scale * (up * np.log(up) + down * np.log(down)) / 2, axis=0)
        return np.where(np.max(np.abs(share), axis=0) <= 1, value, -np.inf)

    def dual_scaling(self, target, dual, limit, weights):
        """A scaling of the dual from 0 to `limit` that is right at the minimum."""
        return np.minimum(limit, 1.0)

    def into_domain(self, target, dual, weights):
        """The nearest dual point in the domain."""
        return np.clip(dual, -weights, weights)


# %%
# Minimise with it
# ----------------
# One measurement in twenty is wrong by a lot. FISTA needs nothing more than the class.

problem = make_sparse_recovery(150, 400, 8, coef="sign", snr_db=25, random_state=0)
A, clean = problem.design, problem.target
rng = np.random.default_rng(0)
y = clean.copy()
wrong = rng.choice(y.size, 8, replace=False)
y[wrong] += 5 * np.std(clean) * rng.choice([-1, 1], wrong.size)

loss = LogCosh(scale=0.2 * np.std(clean))
alpha = 0.1 * float(alpha_max(A, y, loss))
print(solve(A, y, loss, L1(alpha), solver="fista"))

# %%
# Is it right? The gradient agrees with differences of the value, and the gap closes, which no wrong dual would allow.

fitted, step = y + loss.scale * rng.standard_normal(y.size), 1e-6
weights = 1 / y.size
there, here = (loss.value(y, fitted + shift * np.eye(y.size)[0], weights) for shift in (step, -step))
print("gradient", loss.gradient(y, fitted, weights)[0], "by differences", (there - here) / (2 * step))

# %%
# For the compiled kernels
# ------------------------
# First and second derivative of one sample, as plain arithmetic, are compiled when a kernel first meets the class, and kept in
# the cache on disk. From now on ``solver="auto"`` takes proximal Newton steps on working sets.


@scalar_loss(LogCosh)
def log_cosh_slopes(loss, target, fitted):
    """First and second derivative of one sample of weight one."""
    slope = math.tanh((fitted - target) / loss.scale)
    return slope, (1.0 - slope * slope) / loss.scale


print(compare(A, y, loss, L1(alpha), solvers=("auto", "fista", "ista")))

# %%
# With any penalty
# ----------------
# Outliers pull the squared loss away; log cosh lets them pull no harder than a residual of its scale. With MCP in place of the l1
# norm the large coefficients are not shrunk either.

figure, axes = plt.subplots(1, 3, figsize=(13, 3.5), sharey=True, layout="constrained")
planted = np.flatnonzero(problem.coef)
for ax, (misfit, penalty) in zip(
    axes, ((Squared(), L1(1.0)), (loss, L1(1.0)), (loss, MCP(1.0, gamma=3.0 * loss.scale))), strict=True
):
    top = float(alpha_max(A, y, misfit, penalty))
    results = [solve(A, y, misfit, penalty._replace(alpha=share * top)) for share in np.geomspace(0.7, 0.05, 12)]
    best = min(results, key=lambda result: nmse(problem.coef, result.coef))
    name = f"{type(misfit).__name__}, {type(penalty).__name__}"
    error, f1 = nmse(problem.coef, best.coef), support_f1(problem.coef, best.coef)
    print(f"{name:15} error {error:.4f}, support F1 {f1:.2f}, certificate {best.certificate:.1e}")
    ax.stem(planted, problem.coef[planted], linefmt="lightgrey", basefmt=" ", label="planted")
    ax.plot(best.support, best.coef[best.support], "o", ms=4, label="found")
    ax.set(title=name, xlabel="coefficient", xlim=(-5, 404))
axes[0].set_ylabel("value")
axes[0].legend(frameon=False)
plt.show()
