"""
Basis pursuit: the noise instead of a strength
==============================================

A sparse vector is measured with noise whose norm is known. :func:`~sparsecode.basis_pursuit` asks for the least l1 norm that
stays within it: no strength has to be chosen, and without noise the vector comes back exactly.
"""

# %%
# Without noise
# -------------
# Twelve non-zero entries of 400 come back from 120 measurements, exactly, with a dual point that proves it.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import BasisPursuit, basis_pursuit
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse

problem = make_sparse_recovery(120, 400, 12, coef="gaussian", random_state=0)
A, truth = problem.design, problem.coef
result = basis_pursuit(A, A @ truth)
print(result)
print("largest error:", np.max(np.abs(result.coef - truth)))

# %%
# With noise
# ----------
# The bound is the norm of the noise. A bound that is too small fits noise, one that is too large loses small entries; in between
# the error is flat around the truth.

rng = np.random.default_rng(1)
noise = 0.05 * np.linalg.norm(A @ truth) / np.sqrt(len(A)) * rng.standard_normal(len(A))
y = A @ truth + noise
level = np.linalg.norm(noise)
shares = np.geomspace(0.1, 8.0, 13)
errors, counts = [], []
for share in shares:
    model = BasisPursuit(noise=share * level, fit_intercept=False).fit(A, y)
    errors.append(nmse(truth, model.coef_, db=True))
    counts.append(model.support_.size)

figure, axes = plt.subplots(1, 2, figsize=(10, 3.6), layout="constrained")
axes[0].semilogx(shares, errors, marker="o")
axes[0].set(xlabel="noise allowed / noise", ylabel="error of the coefficients (dB)")
axes[1].semilogx(shares, counts, marker="o")
axes[1].axhline(12, color="grey", linestyle=":")
axes[1].set(xlabel="noise allowed / noise", ylabel="coefficients that are not zero")
plt.show()
