"""Information criteria: the price of one more non-zero coefficient against what it explains.

    n log(2 pi s2) + RSS / s2 + k f        f = 2 (aic), log(n) (bic, ebic);  ebic adds 2 gamma log(binomial(p, k))

for n samples, p features and k non-zero coefficients that leave the residual sum of squares RSS. Without a known noise
variance s2 is RSS / n (the profile likelihood), and supports above half of the samples are left out: that estimate breaks
down there.

Akaike, "A new look at the statistical model identification", 1974. Schwarz, "Estimating the dimension of a model", 1978.
Other losses that are minus a log-likelihood (logistic, multinomial, Poisson) have their deviance, ``2 n loss``, in place of the
first two terms. With a ridge in the penalty k f becomes d f, for the degrees of freedom d = trace of the fit. A penalty that ties
coefficients to one another (total variation, sorted l1) counts what is left to choose, in the place of k.

Chen and Chen, "Extended Bayesian information criteria for model selection with large model spaces", 2008.
Zou, Hastie and Tibshirani, "On the degrees of freedom of the lasso", 2007 (arXiv 0712.0881).
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

from .._array import to_numpy
from ..losses import Logistic, Multinomial, Poisson, Squared
from ..penalties import L1Ridge

__all__ = ["CRITERIA", "criterion_of_fit", "information_criterion"]

CRITERIA = ("aic", "bic", "ebic")


def information_criterion(
    name, rss, size, n_samples, n_features, *, noise_variance=None, ebic_gamma=1.0, n_targets=1, freedom=None
):
    """The criterion of fits with residual sums of squares `rss` and `size` non-zero coefficients; inf where left out.

    Parameters
    ----------
    name : {"aic", "bic", "ebic"}
        Which one.
    rss, size : float and int, or arrays that broadcast
        What the fits leave and use.
    n_samples, n_features : float, int
        Samples (by their weights) and features to choose from.
    noise_variance : float, optional
        Variance of the noise, if known.
    ebic_gamma : float, default=1.0
        Weight of the number of models of one size, for "ebic".
    n_targets : int, default=1
        Targets that share the support: `rss` and `n_samples` then count those of all, and a column costs as many coefficients.
    freedom : float, optional
        Degrees of freedom of the fit; by default as many as it has coefficients.
    """
    rss, size = np.asarray(rss, dtype=np.float64), np.asarray(size)
    variance = np.maximum(rss, np.finfo(float).tiny) / n_samples if noise_variance is None else noise_variance
    value = n_samples * np.log(2.0 * np.pi * variance) + rss / variance
    freedom = n_targets * size if freedom is None else freedom
    value = value + _charge(name, freedom, size, n_samples, n_features, ebic_gamma)
    return np.where(n_targets * size > n_samples / 2, np.inf, value) if noise_variance is None else value


def criterion_of_fit(name, problem, coef, n_samples, *, noise_variance=None, ebic_gamma=1.0) -> float:
    """The criterion of a problem's coefficients; `n_samples` counts the samples by their weights."""
    size = _n_choices(problem.penalty, to_numpy(coef))
    loss = getattr(problem.loss, "loss", problem.loss)
    deviance = 2.0 * n_samples * float(np.sum(to_numpy(problem.at(coef).loss)))
    freedom = _degrees_of_freedom(problem, coef, size)
    n_coefs = int(np.prod(problem.shape))
    if isinstance(loss, Squared):
        options = {"noise_variance": noise_variance, "ebic_gamma": ebic_gamma, "freedom": freedom}
        return float(information_criterion(name, deviance, size, n_samples, n_coefs, **options))
    if not isinstance(loss, (Logistic, Multinomial, Poisson)):
        raise ValueError(
            f"an information criterion needs a likelihood, and {type(loss).__name__} is none; choose alpha by cross-validation."
        )
    if size > n_samples / 2:
        return np.inf
    return float(deviance + _charge(name, freedom, size, n_samples, n_coefs, ebic_gamma))


def _charge(name, freedom, size, n_samples, n_features, ebic_gamma):
    """What coefficients cost."""
    charge = freedom * (2.0 if name == "aic" else np.log(n_samples))
    if name == "ebic":
        models = gammaln(n_features + 1) - gammaln(size + 1) - gammaln(n_features - size + 1)
        charge = charge + 2.0 * ebic_gamma * models
    return charge


def _n_choices(penalty, coef):
    """Non-zero coefficients of all targets, or what a penalty that ties them leaves to choose."""
    if not hasattr(penalty, "degrees_of_freedom"):
        return int(np.count_nonzero(coef))
    return sum(penalty.degrees_of_freedom(column) for column in coef.reshape(len(coef), -1).T)


def _degrees_of_freedom(problem, coef, size):
    """As many as there are choices, or the trace of the map from y to its fit where a ridge shrinks that of least squares."""
    penalty, used = problem.penalty, to_numpy(coef) != 0
    squared = isinstance(getattr(problem.loss, "loss", problem.loss), Squared)
    if not (squared and isinstance(penalty, L1Ridge) and penalty.l1_ratio < 1 and used.any()):
        return size
    support = np.flatnonzero(used)
    weights = 1.0 if problem.penalty_weights is None else to_numpy(problem.penalty_weights)[support]
    gram = to_numpy(problem.in_double().design.gram(support)) / problem.n_samples
    ridge = penalty.alpha * (1.0 - penalty.l1_ratio) * weights * np.ones(support.size)
    return float(np.trace(np.linalg.lstsq(gram + np.diag(ridge), gram)[0]).real)
