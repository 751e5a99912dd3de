"""The path of a Lasso with many samples for each feature, on its Gram matrix: a sweep costs no product with the design.

    min over x   1/2 x^T G x - q^T x + alpha_k sum_j weights_j |x_j|,     G = A^T A / n,  q = A^T y / n,     for each alpha_k

Between the strengths at which the support changes the minimiser is a linear function of the strength, so that sweeps start from the
straight line through the last two; where they are slow, Newton steps on the support help.

Friedman, Hastie and Tibshirani, "Regularization paths for generalized linear models via coordinate descent", 2010.
"""

from __future__ import annotations

import numpy as np

from ...designs import CenteredDesign, DenseDesign
from ..gram_problem import GramProblem
from .newton import newton_step

__all__ = ["gram_path", "is_tall"]

_FEATURES = 1024  # a move costs a row of the Gram matrix
_SAMPLES = 2  # for each feature: the Gram matrix is then the smaller one by half
_FEATURES_EACH = 32  # for each strength: fewer strengths need fewer products than the Gram matrix does
_NEAR = 0.9  # of the tolerance: the certificate that counts differs by rounding
_SWEEPS, _ROUNDS = 16, 25  # before a Newton step on the support, and with it


def is_tall(problem, n_alphas):
    """Whether a Gram matrix serves so many strengths at less cost than products with the design."""
    n_samples, n_features = problem.n_samples, problem.n_features
    if n_features > _FEATURES or problem.free_columns().size or not np.any(problem.target):
        return False
    if isinstance(problem, GramProblem):
        return problem.target_sq_norm > 0
    stored = problem.design.base if isinstance(problem.design, CenteredDesign) else problem.design
    worth = n_samples >= _SAMPLES * n_features and n_features <= _FEATURES_EACH * n_alphas
    return worth and isinstance(stored, DenseDesign)


def gram_path(problem, alphas, tol):
    """Coefficients (n_features, n_alphas) of a `GramProblem` with an `L1` penalty, and the rounds of sweeps each took; zeros from
    the first strength on that misses the tolerance."""
    from ...kernels.coordinate import gram_lasso, gram_line

    n_samples, n_features = problem.n_samples, problem.n_features
    gram = np.ascontiguousarray(problem.design.matrix, dtype=np.float64) / n_samples
    target, target_sq = problem.target.astype(np.float64) / n_samples, float(problem.target_sq_norm) / n_samples
    weights = problem.penalty_weights
    weights = np.ones(n_features) if weights is None else np.asarray(weights, dtype=np.float64)
    penalty, goal = problem.penalty._replace(alpha=1.0), _NEAR * tol * 0.5 * target_sq
    coefs = np.zeros((len(alphas), n_features))
    coef, rounds = np.zeros(n_features), np.zeros(len(alphas), dtype=np.int64)
    for k, alpha in enumerate(alphas):
        remaining = target - gram @ coef  # anew: the rounding of many moves adds up
        if k >= 2 and alphas[k - 2] > alphas[k - 1]:
            way = (alpha - alphas[k - 1]) / (alphas[k - 1] - alphas[k - 2])
            gram_line(gram, coefs[k - 1], coefs[k - 2], way, coef, remaining)
        for rounds[k] in range(1, _ROUNDS + 1):
            gap = gram_lasso(gram, target, target_sq, penalty, weights, alpha, goal, _SWEEPS, coef, remaining)
            if gap <= goal:
                break
            support = np.flatnonzero(coef)
            inner = gram[support][:, support]
            step = newton_step(inner, coef[support], remaining[support], alpha * weights[support], penalty.positive)
            if step is not None:
                coef[support] += step
                remaining -= step @ gram[support]
        else:
            return coefs.T, rounds
        coefs[k] = coef
    return coefs.T, rounds
