"""
Write a penalty of your own
===========================

A penalty is an immutable class that holds its parameters and answers a handful of questions. Here is one that the
library does not have, which charges positive and negative coefficients differently::

    value(w) = sum_j weights_j (above max(w_j, 0) + below max(-w_j, 0))

As soon as it has a `prox`, FISTA minimises with it; as soon as it says how far correlations may be scaled to stay in
its dual ball, the answer is certified by a duality gap; and with its prox for one number as plain arithmetic, the compiled
working sets take it.
"""

# %%
# The class
# ---------
# Everything is written for whole arrays of any namespace, and `weights` broadcast against the coefficients.

from typing import NamedTuple

import matplotlib.pyplot as plt
import numpy as np
from array_api_compat import array_namespace

from sparsecode import L1, Squared, compare, fista, scalar_prox
from sparsecode.datasets import make_sparse_recovery
from sparsecode.plotting import RecoveryDisplay


class AsymmetricL1(NamedTuple):
    """The l1 norm with one price above zero and another below."""

    above: float
    below: float

    is_convex = property(lambda self: True)  # a duality gap can certify the answer
    is_separable = property(lambda self: True)  # penalty_weights apply
    supports_complex = property(lambda self: False)

    def value(self, coef, weights=None):
        """The penalty, one number a target."""
        xp = array_namespace(coef)
        cost = xp.where(coef > 0, self.above * coef, -self.below * coef)
        return xp.sum(cost if weights is None else weights * cost, axis=0)

    def prox(self, coef, step):
        """Minimiser over w of (w - coef)^2 / 2 + step * value(w)."""
        xp = array_namespace(coef)
        zero = xp.zeros_like(coef)
        return xp.maximum(coef - step * self.above, zero) + xp.minimum(coef + step * self.below, zero)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of -grad to the subdifferential, coefficient by coefficient."""
        xp = array_namespace(grad)
        scale = 1.0 if weights is None else weights
        low, high = -self.below * scale, self.above * scale  # the subdifferential at zero
        outside = xp.maximum(xp.maximum(-grad - high, low + grad), xp.zeros_like(grad))
        return xp.where(coef == 0, outside, xp.abs(grad + xp.where(coef > 0, high, low)))

    def dual_limit(self, correlation, weights=None):
        """Largest s with s * correlation in the dual ball."""
        xp = array_namespace(correlation)
        price = xp.where(correlation > 0, self.above, self.below) * (1.0 if weights is None else weights)
        return 1.0 / xp.max(xp.abs(correlation) / price, axis=0)

    def conjugate(self, correlation, weights=None):
        """Zero inside the dual ball, which is where dual_limit brings the point."""
        return 0.0


# %%
# Minimise with it
# ----------------
# The planted coefficients have both signs; negative ones cost twice as much.

problem = make_sparse_recovery(80, 200, 10, coef="sign", snr_db=30, random_state=0)
y = problem.target
price = 0.05 * np.max(np.abs(problem.design.T @ y)) / y.size
result = fista(problem.design, y, Squared(), AsymmetricL1(above=price, below=2 * price), tol=1e-10)
print(result)

# %%
# Is it right?
# ------------
# The same problem has another form: twice the columns, `[A, -A]`, and non-negative coefficients with their own
# weights. The objectives agree to the certificate.

doubled = np.hstack([problem.design, -problem.design])
weights = np.repeat([1.0, 2.0], 200)
twin = fista(doubled, y, Squared(), L1(price, positive=True), penalty_weights=weights, tol=1e-10)
print(f"objective {result.objective:.12f}, by the other form {twin.objective:.12f}")
print("largest difference of the coefficients", np.abs(result.coef - (twin.coef[:200] - twin.coef[200:])).max())

# %%
# What the prices do: negative coefficients are shrunk twice as much.

RecoveryDisplay.from_result(result, problem.coef)
plt.show()

# %%
# For the compiled kernels
# ------------------------
# Coordinate descent works coefficient by coefficient, in compiled code. The same prox, for one number, is registered
# as plain arithmetic; it is compiled when a kernel first meets the class, and kept in the cache on disk.


@scalar_prox(AsymmetricL1)
def asymmetric_prox(penalty, value, step):
    """The prox for one coefficient."""
    if value > step * penalty.above:
        return value - step * penalty.above
    if value < -step * penalty.below:
        return value + step * penalty.below
    return 0.0 * value


# %%
# From now on ``solver="auto"`` knows the class: working sets minimise with it, and the answers and their proofs are the same.

comparison = compare(
    problem.design, y, penalty=AsymmetricL1(above=price, below=2 * price), solvers=("auto", "fista"), tol=1e-8
)
print(comparison)

values = np.linspace(-3, 3, 301)
penalty = AsymmetricL1(0.5, 1.5)
one_by_one = np.array([asymmetric_prox(penalty, value, 1.0) for value in values])
print("both forms agree:", np.allclose(one_by_one, penalty.prox(values, 1.0)))

figure, ax = plt.subplots(figsize=(5, 4), layout="constrained")
ax.plot(values, values, color="lightgrey", label="identity")
ax.plot(values, one_by_one, label="prox")
ax.set(xlabel="value", ylabel="prox of value", title="above = 0.5, below = 1.5")
ax.legend()
