"""The Lasso from its definition, for tests to compare with."""

import numpy as np


def naive_lasso(A, y, alpha, weights=None, positive=False, sweeps=5_000):
    """Plain cyclic coordinate descent on the residual, written from the definition."""
    n, p = A.shape
    weights = np.ones(p) if weights is None else weights
    coef, residual = np.zeros(p), y.astype(float).copy()
    for _ in range(sweeps):
        largest = 0.0
        for j in range(p):
            size = A[:, j] @ A[:, j] / n
            if size == 0 or np.isinf(weights[j]):
                continue
            value = coef[j] + A[:, j] @ residual / n / size
            limit = alpha * weights[j] / size
            new = max(value - limit, 0.0) if positive else np.sign(value) * max(abs(value) - limit, 0.0)
            residual -= (new - coef[j]) * A[:, j]
            largest = max(largest, abs(new - coef[j]))
            coef[j] = new
        if largest < 1e-14:
            break
    return coef
