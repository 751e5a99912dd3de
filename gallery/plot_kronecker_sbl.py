"""
Sparse tensors behind a Kronecker product
=========================================

Measurements along several axes multiply: the design is a Kronecker product of small matrices, and a source that sits at a few
places of each axis has a support that is a product too. :class:`~sparsecode.KroneckerSBL` learns one prior variance for each index
of each axis, 45 numbers for 3375 coefficients here, and never forms the product.
"""

# %%
# A cube of 15 x 15 x 15 coefficients, 1440 samples
# -------------------------------------------------
# Three indices of each axis are in use. The least squares that are told the support are the best one can hope for.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import KroneckerDesign, KroneckerSBL, kronecker_sbl, omp
from sparsecode.metrics import nmse

rng = np.random.default_rng(0)


def problem(snr):
    """Factors with unit columns, a noisy target, and the coefficients behind it."""
    factors = [rng.standard_normal((n_samples, 15)) for n_samples in (8, 12, 15)]
    design = KroneckerDesign([factor / np.linalg.norm(factor, axis=0) for factor in factors])
    axes = np.zeros((3, 15))
    for axis in axes:
        axis[rng.choice(15, 3, replace=False)] = rng.standard_normal(3)
    coef = np.einsum("i,j,k->ijk", *axes).ravel()
    clean = design.matvec(coef)
    noise = np.sqrt(np.mean(clean**2)) * 10 ** (-snr / 20)
    return design, clean + noise * rng.standard_normal(clean.size), coef


def told_the_support(design, y, coef):
    """Least squares on the true support."""
    found, support = np.zeros_like(coef), np.flatnonzero(coef)
    found[support] = np.linalg.lstsq(design.columns(support), y)[0]
    return found


levels = np.arange(5, 31, 5)
errors = {"Kronecker SBL": [], "orthogonal matching pursuit, told 27": [], "least squares, told the support": []}
for snr in levels:
    trials = [problem(snr) for _ in range(6)]
    answers = [
        (KroneckerSBL().fit(design, y).coef_, omp(design, y, n_nonzero=27).coef, told_the_support(design, y, coef))
        for design, y, coef in trials
    ]
    for name, found in zip(errors, zip(*answers, strict=True), strict=True):
        errors[name].append(np.median([nmse(trial[2], coef) for trial, coef in zip(trials, found, strict=True)]))

figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for name, values in errors.items():
    left.plot(levels, 10 * np.log10(values), "o-", label=name)
left.set(xlabel="signal to noise in dB", ylabel="error in dB", title="median error of six trials")
left.legend(fontsize="small")

# %%
# What was learned
# ----------------
# The factors of the prior variances show which indices are in use; the others are dropped on the way. The noise level is learned
# with them.

design, y, coef = problem(15)
model = KroneckerSBL().fit(design, y)
used = np.abs(coef).reshape(design.feature_shape)
for axis, variance in enumerate(model.prior_variances_):
    right.stem(np.arange(15) + 16 * axis, variance / variance.max(), basefmt=" ")
    true = np.flatnonzero(used.any(axis=tuple(j for j in range(3) if j != axis)))
    right.plot(true + 16 * axis, np.ones(true.size), "kv")
right.set(xlabel="index along each axis", ylabel="prior variance, over the largest", title="variances (truth marked)")
right.set_xticks([7, 23, 39], ["first axis", "second", "third"])

spread = np.sqrt(model.variance_[model.support_])
inside = np.abs(model.coef_ - coef)[model.support_] < 2 * spread
print(f"{model.support_.size} coefficients in use, {np.mean(inside):.0%} of the truth within two standard deviations")
print(f"learned noise {np.sqrt(model.noise_variance_):.4f}, after {model.n_iter_} iterations")

# %%
# Exact updates of one factor after another never lower the evidence. They are slower, and often end in the same place.

exact = kronecker_sbl(design, y, method="am")
print(f"evidence {model.log_evidence_:.1f} nats by singular vectors, {exact.log_evidence:.1f} by exact updates")
