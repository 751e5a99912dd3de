"""
Coefficients with their uncertainty
===================================

Sparse Bayesian learning gives every coefficient a prior variance, and chooses those under which the data are most likely. Most
become zero; the rest come with a posterior distribution, and so do predictions.
"""

# %%
# Neighbouring columns of correlation 0.9
# ---------------------------------------
# Forty of 400 coefficients are not zero, 200 samples are measured 50 dB above the noise, whose variance is learned along.
# scikit-learn's ``ARDRegression`` maximises the evidence of the same model by MacKay's fixed point.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import ARDRegression

from sparsecode import SparseBayesianRegressor, sbl
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse, support_f1
from sparsecode.plotting import ConvergenceDisplay, UncertaintyDisplay

problem = make_sparse_recovery(200, 400, 40, ensemble="correlated", correlation=0.9, snr_db=50, random_state=0)
X, y, truth = problem.design, problem.target, problem.coef
model = SparseBayesianRegressor(fit_intercept=False).fit(X, y)
peer = ARDRegression(fit_intercept=False).fit(X, y)
for name, coef in {"SparseBayesianRegressor": model.coef_, "ARDRegression": peer.coef_}.items():
    print(f"{name}: error {10 * np.log10(nmse(truth, coef)):.1f} dB, F1 of the support {support_f1(truth, coef):.2f}")
noise = np.mean(problem.noise**2)
print(f"noise variance {noise:.2e}, learned {model.noise_variance_:.2e}; {model.n_iter_} rounds, {model.status_.name}")

# %%
# Posterior intervals
# -------------------
# Less signal, so that there is something to be uncertain of: bars hold 95 % of the posterior probability. Small coefficients
# are missed; nothing false comes in, since each has to bring three nats of evidence.

problem = make_sparse_recovery(100, 150, 15, ensemble="correlated", correlation=0.9, snr_db=15, random_state=3)
X, y, truth = problem.design, problem.target, problem.coef
model = SparseBayesianRegressor().fit(X, y)
_, axes = plt.subplots(2, 1, figsize=(9, 6), layout="constrained")
UncertaintyDisplay.from_estimator(model, truth, ax=axes[0])
UncertaintyDisplay.from_estimator(model, truth, kind="relevance", ax=axes[1])

# %%
# Predictions
# -----------
# The deviation of a prediction takes the covariance of all coefficients, the intercept and the noise: 95 of 100 new
# observations should lie within 1.96 of them.

rng = np.random.default_rng(1)
draws = rng.standard_normal((2_000, 150))
for j in range(1, 150):
    draws[:, j] = 0.9 * draws[:, j - 1] + np.sqrt(1 - 0.9**2) * draws[:, j]
new = draws / np.sqrt(100)
observed = new @ truth + np.sqrt(np.mean(problem.noise**2)) * rng.standard_normal(2_000)
mean, std = model.predict(new, return_std=True)
print(f"within 1.96 deviations: {np.mean(np.abs(observed - mean) < 1.96 * std):.3f}")

# %%
# How the methods get there
# -------------------------
# Told the noise, three methods maximise the same evidence, less what the coefficients in use pay. Left: what a single variance could
# still gain; right: how far the objective is above the best. One variance at a time takes the fewest rounds; expectation-maximisation
# is slow where variances are to vanish. For large designs there is ``method="gamp"``, whose gains are those that messages see.

options = {"noise_variance": float(np.mean(problem.noise**2)), "tol": 1e-6}
results = {method: sbl(X, y, method=method, **options) for method in ("em", "mackay", "fast")}
_, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
display = ConvergenceDisplay.from_results(results, x="iteration", ax=axes[0])
best = min(result.objective for result in results.values())
for result, line in zip(results.values(), display.lines_, strict=True):
    height = np.array(result.history["objective"]) - best + 1e-9
    axes[1].loglog(1 + np.array(result.history["iteration"]), height, "o-", color=line.get_color(), markersize=3)
axes[1].set(xlabel="iteration", ylabel="objective above the best (nats)")
messages = sbl(X, y, method="gamp", **options)
for name, result in {**results, "gamp": messages}.items():
    print(f"{name}: log evidence {result.log_evidence:.3f}, {result.support.size} in use, {result.n_iter} iterations")

# %%
# Several targets with one support
# --------------------------------
# Four targets whose coefficients have correlation 0.95 in each row; the function returns a
# :class:`~sparsecode.PosteriorResult`. What they share helps to find the support; that they are
# correlated helps again.

A = rng.standard_normal((25, 100))
correlation = 0.95 ** np.abs(np.subtract.outer(np.arange(4), np.arange(4)))
truth = np.zeros((100, 4))
truth[rng.choice(100, 14, replace=False)] = rng.standard_normal((14, 4)) @ np.linalg.cholesky(correlation).T
Y = A @ truth + 0.01 * rng.standard_normal((25, 4))
for name, options in {
    "each its own": {},
    "one support": {"joint": True},
    "one support, correlation learned": {"correlation": "learn"},
}.items():
    found = sbl(A, Y, method="em", noise_variance=1e-4, **options)
    print(f"{name}: error {10 * np.log10(np.sum((found.coef - truth) ** 2) / np.sum(truth**2)):.1f} dB")
plt.show()
