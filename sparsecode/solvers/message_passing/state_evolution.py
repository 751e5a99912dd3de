"""State evolution: what error approximate message passing has after each iteration, without running it.

On a large matrix with independent entries of variance 1/M, coefficient by coefficient, the iteration sees ``r = X + tau Z`` with Z
standard normal, X drawn from the truth, and

    tau_t^2 = s2 + (N/M) E[(eta(X + tau_{t-1} Z, v_{t-1}) - X)^2]            eta(r, v), its variance: the prior's estimate of x
    v_t     = s2 + (N/M) E[Var(X + tau_{t-1} Z, v_{t-1})]                    what the iteration believes tau_t^2 to be

Where the prior is the truth and the estimate its mean, both are the same.

Donoho, Maleki and Montanari, "Message-passing algorithms for compressed sensing", 2009 (arXiv 0907.3574).
Bayati and Montanari, "The dynamics of message passing on dense graphs", 2011 (arXiv 1001.3448).
"""

from typing import NamedTuple

import numpy as np

from ..._validation import as_count, as_number

__all__ = ["StateEvolution", "state_evolution"]

_NODES, _WIDTH = 20_001, 9.0  # equal steps: the estimate bends within tau, far too sharply for a Gauss-Hermite rule


class StateEvolution(NamedTuple):
    """What state evolution predicts; entry t is after t iterations, entry 0 before the first.

    Attributes
    ----------
    nmse : array of shape (n_iter + 1,)
        Mean squared error of the coefficients over their mean square.
    pseudo_variance : array of shape (n_iter + 1,)
        Variance tau^2 of the noise through which iteration t + 1 sees each coefficient.
    believed_variance : array of shape (n_iter + 1,)
        What the iteration takes that variance to be.

    Examples
    --------
    >>> from sparsecode import GaussianPrior, state_evolution
    >>> state_evolution(GaussianPrior(1.0), 1.0, 0.5, n_iter=2).pseudo_variance.round(3)
    array([1.5  , 1.1  , 1.024])
    """

    nmse: np.ndarray
    pseudo_variance: np.ndarray
    believed_variance: np.ndarray


def state_evolution(prior, sampling_ratio, noise_variance, *, truth=None, n_iter=30):
    """Predict the error of `gamp` with Gaussian noise and uniform variances, iteration by iteration.

    It holds for real matrices with independent entries of mean zero and variance ``1 / n_samples`` as they grow with a fixed ratio of
    samples to features. Expectations are sums over the normal distributions that the
    truth is mixed of.

    Parameters
    ----------
    prior : prior
        What `gamp` is told of the coefficients.
    sampling_ratio : float
        ``n_samples / n_features``; greater than zero.
    noise_variance : float
        Variance of the noise, which `gamp` knows; greater than zero.
    truth : BernoulliGaussian, GaussianMixture or GaussianPrior, optional
        What the coefficients are drawn from; the prior itself by default.
    n_iter : int, default=30
        Iterations.

    Returns
    -------
    StateEvolution
        ``nmse``, ``pseudo_variance`` and ``believed_variance``, arrays (n_iter + 1,).

    Raises
    ------
    ValueError
        If a parameter is out of range or no single real number, or the truth is no mixture of normal distributions, or always zero.

    See Also
    --------
    gamp : What is predicted.

    References
    ----------
    Donoho, Maleki and Montanari, "Message-passing algorithms for compressed sensing", 2009 (arXiv 0907.3574).
    Bayati and Montanari, "The dynamics of message passing on dense graphs, with applications to compressed sensing", 2011
    (arXiv 1001.3448).

    Examples
    --------
    >>> from sparsecode import BernoulliGaussian, state_evolution
    >>> predicted = state_evolution(BernoulliGaussian(0.1), sampling_ratio=0.5, noise_variance=1e-3, n_iter=20)
    >>> predicted.nmse[[0, 1, 5, 20]].round(4)
    array([1.    , 0.3827, 0.0099, 0.0019])
    """
    ratio = as_number(sampling_ratio, "sampling_ratio", strict=True)
    noise = as_number(noise_variance, "noise_variance", strict=True)
    n_iter = as_count(n_iter, "n_iter")
    if isinstance(prior, type) or not hasattr(prior, "denoise"):
        raise ValueError(f"prior must be a prior such as BernoulliGaussian(); got {prior!r}.")
    name, truth = ("prior, which without truth is the truth too,", prior) if truth is None else ("truth", truth)
    if isinstance(truth, type) or not hasattr(truth, "components"):
        raise ValueError(f"{name} must be a mixture of normal distributions; got {truth!r}.")
    prior.check()
    truth.check()
    for name, part in (("prior", prior), ("truth", truth)):
        if any(np.ndim(moment) > 0 or np.iscomplexobj(moment) for moment in part.moments()):
            raise ValueError(f"{name} must be real, with one number for each parameter; got {part!r}.")
    center, spread = prior.moments()
    true_center, true_spread = truth.moments()
    power = float(true_spread + true_center**2)
    if not 0 < power < np.inf:
        raise ValueError(f"the coefficients that truth draws must have a mean square greater than 0; got {truth!r}.")
    error, believed = float(true_spread + (true_center - center) ** 2), float(spread)
    rows = []
    for _ in range(n_iter + 1):
        tau_sq, variance = noise + error / ratio, noise + believed / ratio
        rows.append((error / power, tau_sq, variance))
        error, believed = _expected(prior, truth, tau_sq, variance)
    return StateEvolution(*(np.array(column) for column in zip(*rows, strict=True)))


def _expected(prior, truth, tau_sq, variance):
    """Mean squared error and mean variance of the estimates from ``X + N(0, tau_sq)``, believed to be N(0, variance)."""
    nodes = np.linspace(-_WIDTH, _WIDTH, _NODES)
    mass = np.exp(-0.5 * nodes**2)
    mass /= np.sum(mass)
    error = believed = 0.0
    for weight, mean, spread in zip(*truth.components(), strict=True):
        total = spread + tau_sq
        seen = mean + np.sqrt(total) * nodes
        estimate, uncertain = prior.denoise(seen, variance)
        here = mean + spread / total * (seen - mean)  # E[X | r] within the component, and then its variance
        error += weight * float(mass @ (estimate - here) ** 2 + spread * tau_sq / total)
        believed += weight * float(mass @ (uncertain + 0 * seen))
    return error, believed
