"""
Which solver is fastest on my problem?
======================================

It depends on the problem. :func:`~sparsecode.compare` runs several on yours, after a warm-up run of each, certifies every
answer by the same code, and returns the table and the picture.
"""

# %%
# Methods of the library
# ----------------------
# A correlated design, the LASSO at a twentieth of the strength at which nothing is selected.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import Lasso as ScikitLearnLasso

from sparsecode import L1, Logistic, WithIntercept, alpha_max, compare

rng = np.random.default_rng(0)
A = rng.standard_normal((300, 1500))
for j in range(1, A.shape[1]):
    A[:, j] = 0.7 * A[:, j - 1] + np.sqrt(1 - 0.7**2) * A[:, j]
coef = np.zeros(1500)
coef[rng.choice(1500, 20, replace=False)] = rng.choice([-1.0, 1.0], 20)
y = A @ coef + 0.5 * rng.standard_normal(300)
alpha = 0.05 * alpha_max(A, y)

comparison = compare(A, y, penalty=L1(alpha), solvers=("auto", "fista", "ista"), tol=1e-8)
print(comparison)

# %%
# Seconds count from the call on, so that whatever a method sets up first counts too. "auto" says which method it chose. The
# same table as a dictionary is ``comparison.table``, as a data frame ``comparison.frame``; the results themselves stand in the
# :class:`~sparsecode.Comparison` too.

comparison.plot()

# %%
# Solvers from elsewhere
# ----------------------
# Any callable of ``A`` and ``y`` that returns coefficients takes part. What it claims of itself does not matter: its answer
# gets the certificate of the problem that was asked. scikit-learn stops at a tolerance of its own, so it is run at several.


def scikit_learn(tol):
    """scikit-learn's coordinate descent at some tolerance."""
    return lambda A, y: ScikitLearnLasso(alpha, fit_intercept=False, tol=tol, max_iter=100_000).fit(A, y).coef_


solvers = {"sparsecode": "auto", **{f"scikit-learn, tol={tol:g}": scikit_learn(tol) for tol in (1e-3, 1e-6, 1e-9)}}
print(compare(A, y, penalty=L1(alpha), solvers=solvers, tol=1e-8, n_repeats=3))

# %%
# Other losses
# ------------
# Nothing changes for another loss or penalty; methods that cannot solve the pair are refused by name.

labels = np.where(y + rng.logistic(size=300) > 0, 1.0, -1.0)
loss = WithIntercept(Logistic())
penalty = L1(0.1 * alpha_max(A, labels, loss))
logistic = compare(A, labels, loss, penalty, solvers=("auto", "fista", "ista"), tol=1e-6)
print(logistic)
logistic.plot(x="iteration")
try:
    compare(A, y, penalty=penalty, solvers=("nonconvex_ag",))
except ValueError as error:
    print(error)
plt.show()
