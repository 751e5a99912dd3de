"""
A Gaussian times a texture
==========================

A coefficient that is a Gaussian number times a random size, its texture, has the heavy tails of sparse signals. What is assumed of
the texture decides the penalty: half-normal textures give the l1 norm, exponential ones the l_2/3 penalty, which shrinks large
coefficients less.
"""

# %%
# Two textures along the strength
# -------------------------------
# :class:`~sparsecode.CompoundGaussianRegressor` fits 40 samples by 100 features, of which 5 matter.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import CompoundGaussianRegressor, compound_gaussian, lasso
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse

problem = make_sparse_recovery(40, 100, 5, snr_db=25, random_state=0)
X, y, truth = problem.design, problem.target, problem.coef
strengths = np.geomspace(5e-4, 3e-2, 15)
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for texture in ("half-normal", "exponential"):
    results = [compound_gaussian(X, y, alpha, texture=texture) for alpha in strengths]
    errors = [nmse(truth, result.coef, db=True) for result in results]
    left.plot(strengths, errors, "o-", label=texture)
    best = strengths[int(np.argmin(errors))]
    model = CompoundGaussianRegressor(best, texture=texture, fit_intercept=False).fit(X, y)
    used = model.support_
    spread = 2 * np.sqrt(model.variance_[used])
    right.errorbar(used, model.coef_[used], spread, fmt="o", ms=4, label=f"{texture}: {used.size} coefficients")
left.set(xscale="log", xlabel="alpha", ylabel="error in dB", title="error along the strength")
left.legend()
right.plot(np.flatnonzero(truth), truth[truth != 0], "kx", label="truth")
right.set(xlabel="index", title="coefficients, two standard deviations")
right.legend(fontsize="small")

# %%
# With half-normal textures the answer is the Lasso's, and the duality gap proves it.

result = compound_gaussian(X, y, strengths[8], tol=1e-9)
print(f"{result.certificate_name} {result.certificate:.1e} after {result.n_iter} iterations")
print(f"largest difference to the Lasso: {np.abs(result.coef - lasso(X, y, strengths[8], tol=1e-12).coef).max():.1e}")
