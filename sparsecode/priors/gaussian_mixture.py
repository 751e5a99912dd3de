"""Gaussian mixture prior; a component of variance zero is an atom.

    density(x) = sum_k weights_k N(x; means_k, variances_k)

Seen as r = x + N(0, v), component k has probability proportional to ``weights_k N(r; means_k, variances_k + v)``.

Vila and Schniter, "Expectation-maximization Gaussian-mixture approximate message passing", 2013 (arXiv 1207.3107).
"""

from functools import reduce
from typing import NamedTuple

import numpy as np

from .._array import array_namespace
from ._numbers import average, check_number, halves, parameter, power

__all__ = ["GaussianMixture"]


class GaussianMixture(NamedTuple):
    """Coefficients drawn from a mixture of normal distributions.

    Each number may also be an array (n_targets,), as it is after learning.

    Parameters
    ----------
    weights : tuple of float, default=(0.9, 0.1)
        Probabilities of the components; their sum is one.
    means : tuple of float, default=(0.0, 0.0)
        Their means; complex for complex data.
    variances : tuple of float, default=(0.0, 1.0)
        Their variances, in the squared units of a coefficient; zero makes a component an atom. Not all may be zero.

    Examples
    --------
    An atom at zero and two kinds of coefficients:

    >>> import numpy as np
    >>> from sparsecode import GaussianMixture
    >>> prior = GaussianMixture((0.8, 0.1, 0.1), (0.0, -5.0, 5.0), (0.0, 1.0, 1.0))
    >>> prior.denoise(np.array([4.0]), 1.0)[0].round(2)
    array([4.48])
    """

    weights: tuple = (0.9, 0.1)
    means: tuple = (0.0, 0.0)
    variances: tuple = (0.0, 1.0)

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    @property
    def is_learnable(self):
        """Whether `learned` knows how to fit the parameters."""
        return True

    def check(self):
        """Raise a ValueError if a parameter is out of range."""
        if not len(self.weights) == len(self.means) == len(self.variances) > 0:
            raise ValueError(
                "GaussianMixture needs as many weights as means and variances, at least one; "
                f"got {len(self.weights)}, {len(self.means)} and {len(self.variances)}."
            )
        for weight, mean, variance in zip(*self, strict=True):
            check_number(self, "weight", weight, least=0.0, most=1.0)
            check_number(self, "mean", mean)
            check_number(self, "variance", variance, least=0.0)
        if not np.allclose(sum(self.weights), 1.0, rtol=0, atol=1e-6):
            raise ValueError(f"GaussianMixture needs weights of sum one; got {self.weights!r}.")
        if not np.all(sum(self.variances) > 0):
            raise ValueError("GaussianMixture needs a component of variance greater than zero.")

    def moments(self):
        """Mean and variance of a coefficient before the data are seen."""
        mean = sum(np.asarray(weight) * part for weight, part in zip(self.weights, self.means, strict=True))
        parts = zip(*self, strict=True)
        return np.asarray(mean), np.asarray(sum(w * (v + np.abs(m - mean) ** 2) for w, m, v in parts), dtype=float)

    def components(self):
        """Weights, means and variances of the normal distributions it is a mixture of."""
        return tuple(self)

    def denoise(self, pseudo, variance):
        """Posterior mean and variance of coefficients seen as ``pseudo = x + N(0, variance)``, arrays that broadcast."""
        parts = list(zip(*self._posterior(pseudo, variance), strict=True))
        center = sum(chance * mean for chance, mean, _ in parts)
        root = array_namespace(pseudo).sqrt
        return center, sum(chance * spread + power(root(chance) * (mean - center)) for chance, mean, spread in parts)

    def inclusion(self, pseudo, variance):
        """Posterior probability that a coefficient is not zero; None without an atom at zero."""
        atoms = [not (np.any(m) or np.any(v)) for m, v in zip(self.means, self.variances, strict=True)]
        if not any(atoms):
            return None
        chances = self._posterior(pseudo, variance)[0]
        return sum(chance for chance, atom in zip(chances, atoms, strict=True) if not atom) + 0 * chances[0]

    def learned(self, pseudo, variance):
        """The prior with the parameters that expectation maximisation moves to, one set a target; atoms stay where they are."""
        statistics = []
        for chance, mean, spread, center in zip(*self._posterior(pseudo, variance), self.means, strict=True):
            apart = mean - parameter(center, pseudo)
            statistics.append([average(part) for part in (chance, chance * apart, chance * (spread + power(apart)))])
        return self.moved_to(statistics, pseudo.shape[0])

    def moved_to(self, statistics, count):
        """The prior that its statistics over `count` coefficients imply, which are those of `BernoulliGaussian.moved_to`."""
        weights, means, variances = [], [], []
        for (weight, apart, square), mean, variance in zip(statistics, self.means, self.variances, strict=True):
            if np.any(variance):
                safe = np.where(weight > 0, weight, 1.0)
                moment = square / safe - np.abs(apart / safe) ** 2
                mean, variance = mean + apart / safe, np.where(moment > 0, moment, variance)
            weights.append(np.maximum(weight, 0.1 / count))  # a weight of zero could never grow again
            means.append(mean)
            variances.append(variance)
        total = sum(weights)
        return GaussianMixture(tuple(weight / total for weight in weights), tuple(means), tuple(variances))

    def _posterior(self, pseudo, variance):
        """Probabilities of the components, and means and variances given each."""
        xp, half = array_namespace(pseudo), halves(pseudo)
        heights, sizes, means, spreads = [], [], [], []
        for weight, center, slab in zip(*self, strict=True):
            center, slab = parameter(center, pseudo), parameter(slab, pseudo)
            with np.errstate(divide="ignore"):
                log_weight = parameter(np.log(weight), pseudo)
            total = variance + slab
            shrink = variance / total
            inverse = 1.0 / total + 0 * xp.real(pseudo)
            heights.append(log_weight + half * xp.log(inverse))
            sizes.append(xp.abs(pseudo - center) * xp.sqrt(inverse))
            means.append(pseudo + shrink * (center - pseudo))
            spreads.append(slab * shrink)
        barred = [parameter(np.where(np.asarray(weight) > 0, 0.0, np.inf), pseudo) for weight in self.weights]
        least = reduce(xp.minimum, [size + bar for size, bar in zip(sizes, barred, strict=True)])
        with np.errstate(over="ignore"):  # squares may be no numbers, their differences have a sign
            squares = [(size - least) * (size + least) for size in sizes]
        logs = [height - half * square for height, square in zip(heights, squares, strict=True)]
        top = reduce(xp.maximum, logs)
        chances = [xp.exp(log - top) for log in logs]
        total = sum(chances)
        return [chance / total for chance in chances], means, spreads
