"""Information criteria: the price of one more non-zero coefficient against what it explains.

    n log(2 pi s2) + RSS / s2 + k f        f = 2 (aic), log(n) (bic, ebic);  ebic adds 2 gamma log(binomial(p, k))

for n samples, p features and k non-zero coefficients that leave the residual sum of squares RSS. Without a known noise
variance s2 is RSS / n (the profile likelihood), and supports above half of the samples are left out: that estimate breaks
down there.

Akaike, "A new look at the statistical model identification", 1974. Schwarz, "Estimating the dimension of a model", 1978.
Chen and Chen, "Extended Bayesian information criteria for model selection with large model spaces", 2008.
"""

from __future__ import annotations

import numpy as np
from scipy.special import gammaln

__all__ = ["CRITERIA", "information_criterion"]

CRITERIA = ("aic", "bic", "ebic")


def information_criterion(name, rss, size, n_samples, n_features, *, noise_variance=None, ebic_gamma=1.0, n_targets=1):
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
    """
    rss, size = np.asarray(rss, dtype=np.float64), np.asarray(size)
    variance = np.maximum(rss, np.finfo(float).tiny) / n_samples if noise_variance is None else noise_variance
    value = n_samples * np.log(2.0 * np.pi * variance) + rss / variance
    value = value + n_targets * size * (2.0 if name == "aic" else np.log(n_samples))
    if name == "ebic":
        models = gammaln(n_features + 1) - gammaln(size + 1) - gammaln(n_features - size + 1)
        value = value + 2.0 * ebic_gamma * models
    return np.where(n_targets * size > n_samples / 2, np.inf, value) if noise_variance is None else value
