"""Additive Gaussian noise: y = z + N(0, noise_variance).

For z ~ N(p, v), with s the noise variance:  E[z | y] = p + v (y - p) / (s + v),   Var[z | y] = s v / (s + v).
"""

from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace, asarray_like, real_dtype, sq_norm, to_numpy
from ._numbers import average, modulus_sq

__all__ = ["GaussianChannel"]


class GaussianChannel(NamedTuple):
    """Observations with additive Gaussian noise, ``y = z + N(0, noise_variance)``.

    Parameters
    ----------
    noise_variance : float or array of shape (n_targets,), default=1.0
        Variance of the noise, in the squared units of the target; of complex noise ``E |y - z|^2``. Greater than zero.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GaussianChannel
    >>> GaussianChannel(1.0).posterior(np.array([4.0]), np.array([0.0]), np.array([3.0]))
    (array([3.]), array([0.75]))
    """

    noise_variance: Any = 1.0

    @property
    def supports_complex(self):
        """Whether observations may be complex."""
        return True

    def check(self, target):
        """Raise a ValueError if the noise variance is out of range."""
        noise = np.asarray(self.noise_variance)
        if noise.dtype.kind not in "iuf" or not np.all((noise > 0) & np.isfinite(noise)):
            raise ValueError(f"GaussianChannel needs a noise_variance greater than 0; got {self.noise_variance!r}.")

    def score(self, target, mean, variance):
        """``(E[z | y] - mean) / variance`` and ``(1 - Var[z | y] / variance) / variance`` for ``z ~ N(mean, variance)``."""
        total = variance + self._noise(mean)
        return (target - mean) / total, 1.0 / total

    def posterior(self, target, mean, variance):
        """Mean and variance of z given the observation `target`, for ``z ~ N(mean, variance)``."""
        noise = self._noise(mean)
        share = variance / (variance + noise)
        return mean + share * (target - mean), noise * share

    def learned(self, target, mean, variance, weights=None):
        """The channel with the noise variance that expectation maximisation moves to, one a target."""
        center, spread = self.posterior(target, mean, variance)
        return GaussianChannel(average(modulus_sq(target - center) + spread, weights))

    def misfit(self, target, fitted, weights=None):
        """Half the mean of ``|target - fitted|^2``, one a target, in float64."""
        if weights is None:
            return 0.5 * np.asarray(to_numpy(sq_norm(target - fitted))) / target.shape[0]
        return 0.5 * average(modulus_sq(target - fitted), weights)

    def power(self, target, weights=None):
        """What may be guessed of the mean of ``|z|^2``, one a target."""
        energy = average(modulus_sq(target), weights)
        return np.maximum(energy - self.noise_variance, 0.01 * energy)

    def response(self, fitted, spread):
        """Mean of a new observation whose z has this mean and variance."""
        return fitted

    def _noise(self, like):
        if np.ndim(self.noise_variance) == 0:
            return float(self.noise_variance)
        return asarray_like(np.asarray(self.noise_variance), like, dtype=real_dtype(array_namespace(like), like.dtype))
