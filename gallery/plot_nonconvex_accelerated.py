"""
Accelerated gradient for nonconvex penalties
============================================

MCP and SCAD leave large coefficients without bias, but proximal gradient crawls to their stationary points on correlated
designs. Momentum helps there as well, if it is damped as the theory of nonconvex problems asks; the sequence of least
complexity is that of Yang, Asgharian and Bhatnagar (arXiv 2009.10629). Here is how many iterations it saves, and what else
there is.
"""

# %%
# Designs of three correlations
# -----------------------------
# Neighbouring columns of a design of 200 samples and 400 features correlate by 0.1, 0.5 or 0.9; ten coefficients are not zero.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import MCP, SCAD, LogSum, alpha_max, compare, ista, nonconvex_ag, solve
from sparsecode.plotting import ConvergenceDisplay


def correlated(rho, n_samples=200, n_features=400, n_nonzero=10, seed=0):
    """A design whose neighbouring columns correlate by rho, and a target."""
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    for j in range(1, n_features):
        A[:, j] = rho * A[:, j - 1] + np.sqrt(1 - rho**2) * A[:, j]
    coef = np.zeros(n_features)
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.choice([-1, 1], n_nonzero) * rng.uniform(
        1, 3, n_nonzero
    )
    return A, A @ coef + 0.5 * rng.standard_normal(n_samples), coef


# %%
# Iterations to the same stationarity
# -----------------------------------
# Both stop at a relative stationarity of 1e-6, recomputed from the coefficients. The harder the design, the more the momentum
# is worth. A certificate is asked for every 20 iterations, so counts are multiples of 20.

print("penalty  rho   proximal gradient   accelerated   ratio")
for penalty_class in (SCAD, MCP):
    for rho in (0.1, 0.5, 0.9):
        A, y, _ = correlated(rho)
        penalty = penalty_class(0.1 * alpha_max(A, y))
        plain, fast = ista(A, y, penalty=penalty), nonconvex_ag(A, y, penalty=penalty)
        print(
            f"{penalty_class.__name__:7}  {rho}  {plain.n_iter:18d}  {fast.n_iter:12d}  {plain.n_iter / fast.n_iter:6.1f}"
            f"   objectives {plain.objective:.6f}, {fast.objective:.6f}"
        )

# %%
# On the hardest of these designs, certificate and objective over the iterations. The objective never rises: where a step would
# lift it, the damping starts anew.

A, y, coef = correlated(0.9)
penalty = SCAD(0.1 * alpha_max(A, y))
results = {"proximal gradient": ista(A, y, penalty=penalty), "accelerated": nonconvex_ag(A, y, penalty=penalty)}
figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
display = ConvergenceDisplay.from_results(results, x="iteration", ax=axes[0])
best = min(result.objective for result in results.values())
for result, line in zip(results.values(), display.lines_, strict=True):
    height = np.array(result.history["objective"]) - best + 1e-12
    axes[1].semilogy(result.history["iteration"], height, color=line.get_color())
axes[1].set(xlabel="iteration", ylabel="objective above the best")

# %%
# Other ways to a stationary point
# --------------------------------
# A nonconvex problem has many stationary points, and methods may end at different ones; the table shows their objectives.
# Working sets are the fastest where they apply, and what ``solver="auto"`` takes. :func:`~sparsecode.fista` with the penalty's
# own prox takes fewer products than the accelerated gradient, but its objective may rise on the way. Reweighted l1 (Candes,
# Wakin and Boyd) solves a few weighted LASSOs, each of which touches the concave penalty from above. None of them always ends
# lowest.

solvers = ("auto", "fista", "nonconvex_ag", "reweighted_l1", "ista")
comparison = compare(A, y, penalty=penalty, solvers=solvers, n_repeats=3)
print(comparison)
comparison.plot()

# %%
# The weights of reweighted l1 under the log-sum penalty are ``1 / (|x_j| + epsilon)``, up to the strength: its rounds, one by
# one.

penalty = LogSum(0.02 * alpha_max(A, y), epsilon=0.2)
rounds = solve(A, y, penalty=penalty, solver="reweighted_l1").history
for iteration, objective in zip(rounds["iteration"], rounds["objective"], strict=True):
    print(f"round {iteration}: objective {objective:.6f}")
plt.show()
