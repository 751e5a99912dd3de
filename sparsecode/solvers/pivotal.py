"""The strength that needs no noise level: what noise alone could pull with, for losses whose pull does not grow with the noise.

    alpha = 1.1 s quantile(1 - 0.05 / (2 n_features)) / sqrt(n_samples)      s = 1 (square root), sqrt(q (1 - q)) (quantile q)

with the quantile function of the normal distribution, for features of unit standard deviation: with probability 0.95 no feature
that is useless gets in.

Belloni, Chernozhukov and Wang, "Square-root lasso: pivotal recovery of sparse signals via conic programming", 2011
(arXiv 1009.5689). Belloni and Chernozhukov, "l1-penalized quantile regression in high-dimensional sparse models", 2011
(arXiv 0904.2931).
"""

from __future__ import annotations

import math

__all__ = ["pivotal_strength"]

_ABOVE, _LEVEL = 1.1, 0.05


def pivotal_strength(loss, shape) -> float:
    """The strength for a design of a given shape."""
    from scipy.special import ndtri  # slow to import

    n_samples, n_features = shape
    q = getattr(loss, "q", None)
    size = 1.0 if q is None else math.sqrt(q * (1.0 - q))
    return _ABOVE * size * float(ndtri(1.0 - _LEVEL / (2.0 * n_features))) / math.sqrt(n_samples)
