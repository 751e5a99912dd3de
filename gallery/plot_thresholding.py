"""
Thresholding: from slow steps to a finite end
=============================================

Four algorithms choose the support by thresholding a step along the gradient. They differ in what they do on the support:
IHT and NIHT take one gradient step, fast HTP takes a few, HTP solves a least-squares problem. NST whitens the gradient
before it chooses. The certificate of every iteration shows what that buys: HTP and NST end after finitely many
iterations, and the last one takes the error from visible to rounding.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import HardThresholdingPursuit, NullSpaceTuning, htp, iht, null_space_tuning

rng = np.random.default_rng(2)
n_samples, n_features, n_nonzero = 200, 500, 45
A = rng.standard_normal((n_samples, n_features)) / np.sqrt(n_samples)
coef = np.zeros(n_features)
coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.standard_normal(n_nonzero)
y = A @ coef

solvers = {
    "IHT, fixed step": lambda **options: iht(A, y, n_nonzero, step="fixed", **options),
    "NIHT": lambda **options: iht(A, y, n_nonzero, **options),
    "fast HTP, 3 gradient steps": lambda **options: htp(A, y, n_nonzero, n_gradient_steps=3, **options),
    "HTP": lambda **options: htp(A, y, n_nonzero, **options),
    "NST+HT+FB": lambda **options: null_space_tuning(A, y, n_nonzero, **options),
    "NST, adaptive: no level given": lambda **options: null_space_tuning(A, y, **options),
}

# %%
# The certificate of the thresholding pursuits is how far one more iteration would move the coefficients; that of IHT is
# the gradient on the support. Beside it the residual, which all of them mean to make small.
fig, (left, right) = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
warnings.simplefilter("ignore")  # some of them are stopped before they are done
for name, solve in solvers.items():
    result = solve(tol=1e-13, max_iter=200)
    history = result.history
    residual = np.sqrt(2 * n_samples * np.array(history["objective"])) / np.linalg.norm(y)
    left.semilogy(history["iteration"], np.maximum(history["certificate"], 1e-17), ".-", label=name)
    right.semilogy(history["iteration"], np.maximum(residual, 1e-17), ".-", label=name)
    error = np.linalg.norm(result.coef - coef) / np.linalg.norm(coef)
    print(f"{name:30s} {result.n_iter:4d} iterations   relative error {error:.0e}")
left.set(xscale="symlog", xlabel="iteration", ylabel="certificate", title="Finite steps")
right.set(xscale="symlog", xlabel="iteration", ylabel="relative residual")
right.legend(fontsize=8)

# %%
# Many targets may share their support: sensors that hear the same sources, frames of one scene. ``joint=True`` then
# judges a row of coefficients by its norm over all targets, and finds supports that no target shows alone.
levels = np.arange(10, 50, 6)
rates = {"each target alone": [], "one joint support": []}
for level in levels:
    found = dict.fromkeys(rates, 0.0)
    for _ in range(5):
        design = rng.standard_normal((60, 200))
        truth = np.zeros((200, 6))
        truth[rng.choice(200, level, replace=False)] = rng.standard_normal((level, 6))
        for name, joint in zip(rates, (False, True), strict=True):
            codes = htp(design, design @ truth, level, joint=joint, max_iter=50).coef
            found[name] += np.mean(np.linalg.norm(codes - truth, axis=0) <= 1e-3 * np.linalg.norm(truth, axis=0)) / 5
    for name, share in found.items():
        rates[name].append(share)

fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
for name, shares in rates.items():
    ax.plot(levels, shares, "o-", label=name)
ax.set(xlabel="non-zero rows, of 200", ylabel="share of targets recovered", title="60 samples of each of 6 targets")
ax.legend()

# %%
# The same as regressors, with an intercept: ``NullSpaceTuning()`` is told nothing but that the data are exact.
for model in (HardThresholdingPursuit(n_nonzero_coefs=n_nonzero), NullSpaceTuning()):
    model.fit(A, y + 3.0)
    error = np.linalg.norm(model.coef_ - coef) / np.linalg.norm(coef)
    print(f"{type(model).__name__:24s} error {error:.0e}, intercept {model.intercept_:.6f}, {model.n_iter_} iterations")
plt.show()
