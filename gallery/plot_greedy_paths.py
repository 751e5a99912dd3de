"""
Three greedy paths, and where to stop
=====================================

Matching pursuit moves one coefficient at a time; OMP refits all chosen columns after each step; orthogonal least squares
also looks ahead: it takes the column whose addition leaves the smallest residual. On correlated columns the difference
shows, and an information criterion says which step to keep.
"""

# %%
# A design with correlated columns
# --------------------------------
# Gaussian columns with correlation 0.9 between neighbours, twelve of them used, and noise at a tenth of the signal.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import MatchingPursuit, OrthogonalMatchingPursuitCV, mp, omp
from sparsecode.metrics import support_precision, support_recall

rng = np.random.default_rng(0)
n_samples, n_features, n_used = 150, 400, 12
A = rng.standard_normal((n_samples, n_features))
for j in range(1, n_features):
    A[:, j] = 0.9 * A[:, j - 1] + np.sqrt(1 - 0.9**2) * A[:, j]
coef = np.zeros(n_features)
coef[rng.choice(n_features, n_used, replace=False)] = rng.choice([-1.0, 1.0], n_used) * rng.uniform(1, 2, n_used)
clean = A @ coef
noise = rng.standard_normal(n_samples)
y = clean + 0.1 * np.linalg.norm(clean) / np.linalg.norm(noise) * noise

# %%
# The residual along the path
# ---------------------------
# With `return_path` the history holds the coefficients after every step. Matching pursuit returns to columns that it has
# already; what counts is how many it uses.

steps = 40
paths = {
    "matching pursuit": mp(A, y, n_nonzero=steps, return_path=True).history["path"],
    "OMP": omp(A, y, n_nonzero=steps, return_path=True).history["path"],
    "OLS": omp(A, y, n_nonzero=steps, selection="ols", return_path=True).history["path"],
}


def residual_with(path):
    """The least residual norm of a path, relative to the target, for each number of columns in use."""
    used = np.count_nonzero(path, axis=0)
    left = np.linalg.norm(y[:, None] - A @ path, axis=0) / np.linalg.norm(y)
    return [left[used <= k].min() for k in range(steps + 1)]


# %%
# Where to stop
# -------------
# A criterion picks the step by itself, before the path begins to fit the noise. The extended BIC takes into account from
# how many columns each one was chosen; plain BIC does not, and keeps too many, with a warning. OMP, stopped in the same way, needs more
# columns: over thirty such draws 18 in the mean, where OLS needs 15.

bic = omp(A, y, criterion="bic", selection="ols")
ebic = omp(A, y, criterion="ebic", selection="ols")
cv = OrthogonalMatchingPursuitCV(max_n_nonzero_coefs=steps, selection="ols", fit_intercept=False).fit(A, y)
chosen_by = {
    "BIC": bic.coef,
    "extended BIC": ebic.coef,
    "cross-validation": cv.coef_,
    "OMP, extended BIC": omp(A, y, criterion="ebic").coef,
    "matching pursuit": MatchingPursuit(ebic.support.size, fit_intercept=False).fit(A, y).coef_,  # told how many
}
for name, chosen in chosen_by.items():
    found = f"precision {support_precision(coef, chosen):.2f}, recall {support_recall(coef, chosen):.2f}"
    print(f"{name:17} {np.count_nonzero(chosen):2d} columns, {found}, error {np.linalg.norm(A @ chosen - clean):.2f}")

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4.2), layout="constrained")
for name, path in paths.items():
    left.semilogy(residual_with(path), label=name)
left.axhline(np.linalg.norm(y - clean) / np.linalg.norm(y), color="grey", linestyle=":", label="the noise")
left.axvline(ebic.support.size, color="black", linestyle="--", label="extended BIC stops OLS")
left.set(xlabel="columns in use", ylabel="relative residual norm")
left.legend()

for result, name in ((bic, "BIC"), (ebic, "extended BIC")):
    (line,) = right.plot(result.history["criterion"][: steps + 1], label=name)
    best = int(np.argmin(result.history["criterion"]))
    if best <= steps:
        right.plot(best, result.history["criterion"][best], "o", color=line.get_color())
right.axvline(n_used, color="grey", linestyle=":", label="the truth")
right.set(xlabel="columns", ylabel="criterion")
right.legend()

# %%
# How many planted columns are among the first steps of OLS? A step that adds none took a neighbour in the place of one,
# which a greedy path never gives back: that is why the extended BIC, too, keeps a few columns more than were planted.

order = omp(A, y, n_nonzero=20, selection="ols").history["selected"]
print(np.cumsum(coef[order] != 0).tolist())
