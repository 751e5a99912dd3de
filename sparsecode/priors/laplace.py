"""Laplace prior: its mode gives the LASSO, its mean shrinks without zeros.

    density(x) = exp(-|x| / scale) / (2 scale)              of complex x: proportional to exp(-2 |x| / scale)

Seen as r = x + N(0, v), the most likely x is the soft threshold of r at ``v / scale``.
The posterior is N(r - v/scale, v) on the positive axis and N(r + v/scale, v) on the negative one, each weighed by its mass.

Park and Casella, "The Bayesian lasso", 2008.
"""

from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace, is_complex
from .._tails import positive_part
from ._numbers import average, between, check_number, parameter, sigmoid

__all__ = ["LaplacePrior"]

_FAR = 1e9  # deviations from zero, where a truncated normal distribution is not cut


class LaplacePrior(NamedTuple):
    """Coefficients with density ``exp(-|x| / scale) / (2 scale)``; complex ones with one proportional to ``exp(-2 |x| / scale)``.

    Message passing with ``estimate="map"`` is its max-sum form, whose fixed point solves the LASSO: with noise of variance s on n
    samples, ``lasso`` with ``alpha = s / (n scale)``.

    Parameters
    ----------
    scale : float, default=1.0
        Mean absolute value of a coefficient, in its units; greater than zero. It may also be an array
        (n_targets,), as it is after learning.
    estimate : {"map", "mmse"}, default="map"
        Whether the estimate is the most likely coefficient, which is often zero, or the posterior mean, which never is. The second is
        for real data.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LaplacePrior
    >>> LaplacePrior(scale=2.0).denoise(np.array([0.3, 3.0]), 1.0)
    (array([0. , 2.5]), array([0., 1.]))
    """

    scale: Any = 1.0
    estimate: str = "map"

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return self.estimate == "map"

    @property
    def is_learnable(self):
        """Whether `learned` knows how to fit the parameters: not from the most likely coefficients, which know no spread."""
        return self.estimate == "mmse"

    def check(self):
        """Raise a ValueError if a parameter is out of range."""
        check_number(self, "scale", self.scale, least=0.0, strict=True)
        if self.estimate not in ("map", "mmse"):
            raise ValueError(f"LaplacePrior's estimate must be 'map' or 'mmse'; got {self.estimate!r}.")

    def moments(self):
        """Mean and variance of a (real) coefficient before the data are seen."""
        return np.asarray(0.0), 2.0 * np.asarray(self.scale, dtype=float) ** 2

    def denoise(self, pseudo, variance):
        """Estimate of coefficients seen as ``pseudo = x + N(0, variance)``, and their variance, arrays that broadcast.

        The variance of the most likely coefficient is `variance` times the derivative of the estimate.
        """
        if self.estimate == "map":
            return self._soft(pseudo, variance)
        chance, (above, spread), (below, spread_below) = self._halves(pseudo, variance)
        return (
            chance * above - (1.0 - chance) * below,
            chance * spread + (1.0 - chance) * spread_below + between(chance, above + below),
        )

    def inclusion(self, pseudo, variance):
        """1 where the most likely coefficient is not zero; None for posterior means."""
        if self.estimate != "map":
            return None
        xp = array_namespace(pseudo)
        return xp.astype(self._soft(pseudo, variance)[0] != 0, xp.real(pseudo).dtype)

    def learned(self, pseudo, variance):
        """The prior with the scale that expectation maximisation moves to, one a target."""
        chance, (above, _), (below, _) = self._halves(pseudo, variance)
        size = average(chance * above + (1.0 - chance) * below)
        return self._replace(scale=np.where(size > 0, size, self.scale))

    def _soft(self, pseudo, variance):
        xp = array_namespace(pseudo)
        threshold = variance / parameter(self.scale, pseudo)
        size = xp.abs(pseudo)
        over = size > threshold
        share = threshold / xp.where(over, size, xp.ones_like(size))
        slope = 1.0 - 0.5 * share if is_complex(pseudo) else xp.ones_like(size)
        nothing = xp.zeros_like(size)
        return pseudo * xp.where(over, 1.0 - share, nothing), variance * xp.where(over, slope, nothing)

    def _halves(self, pseudo, variance):
        """Probability of the positive axis, and mean size and variance on either."""
        xp = array_namespace(pseudo)
        rate = 1.0 / parameter(self.scale, pseudo)
        variance = variance + 0 * pseudo
        deviation = xp.sqrt(variance)

        def on_axis(middle):
            with np.errstate(over="ignore"):
                size, spread, mass = positive_part(middle / deviation)
                return xp.where(middle > _FAR * deviation, middle, deviation * size), variance * spread, mass

        above, spread_above, mass_above = on_axis(pseudo - rate * variance)
        below, spread_below, mass_below = on_axis(-pseudo - rate * variance)
        chance = sigmoid(mass_above - mass_below)  # what their squares add is what the density takes: 2 rate pseudo
        return chance, (above, spread_above), (below, spread_below)
