"""Structured sparsity by variational Bayes: groups, runs of a Markov chain, a noise level that is learned safely."""

from __future__ import annotations

import numpy as np

from ..._array import attainable
from ..._parallel import blas_for_products
from ..._validation import (
    as_count,
    as_design,
    as_number,
    as_sample_weight,
    as_target,
    total_weight,
    weighted,
)
from ...designs import GramDesign
from ...penalties._groups import as_labels, groups_of
from ...result import PosteriorResult, announce
from ..belief import drive_beliefs
from ..driver import State
from ..greedy.forms import check_ranges, target_sq_norms
from ..noise_level import as_noise_variance, check_counted
from .hierarchical_model import HierarchicalModel
from .markov import Chain, Independent

__all__ = ["hierarchical_bayes", "solve_hierarchical_bayes"]

_CERTIFY_EVERY = 10
_SUBSPACE_STEPS = 10


def hierarchical_bayes(
    A,
    y,
    *,
    structure=None,
    rate=0.1,
    cluster_length=10.0,
    groups=None,
    method="full",
    noise_variance="learn",
    sample_weight=None,
    max_iter=1_000,
    tol=1e-5,
    callback=None,
):
    """Posterior of coefficients that are active or not, by groups or in runs, under a prior of three layers.

    The model is ``y = A x + e`` with ``e ~ N(0, s)``, ``x_n ~ N(0, 1 / rho_n)``, ``rho_n ~ Gamma(1, b)`` where s_n is active and
    ``Gamma(1, 1e-5 b)`` where not, and a distribution of the support s; b is the energy of an active coefficient if `rate` of the
    units are, one at least. It is common to all: columns should have comparable norms. Maximises the evidence bound
    ``E_q log p(y, x, rho, s) - E_q log q`` over q, a product of distributions of coefficients, precisions, support and noise, by sweeps of
    closed forms (variational Bayes), none of which lowers it.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; several share precisions and support.
    structure : {"chain"}, optional
        How the units of the support depend on each other: "chain" is a Markov chain in their order, whose active ones come in runs;
        without one, they are independent.
    rate : float, default=0.1
        Prior probability that a unit is active.
    cluster_length : float, default=10.0
        Mean length of a run of active units; for the chain.
    groups : int or array of int of shape (n_features,), optional
        What is active together: contiguous blocks of one size, or a label for each coefficient. By default each is its own unit.
    method : {"full", "subspace"}, default="full"
        "full": the coefficients are jointly Gaussian; a sweep inverts a matrix of as many rows as samples or features, whichever are
        fewer. "subspace": they are independent; a sweep inverts one of the size of the support and makes ten conjugate-gradient steps,
        so that operators do and no large inverse is formed but for the start, and that only up to 2000 samples or features.
    noise_variance : float or "learn", default="learn"
        Variance of the noise in the squared units of y. "learn": with everything else, as a factor of the approximation, which is safe
        as long as the support is smaller than the number of samples. One below 1e-12 of the mean square of y counts as that.
    sample_weight : array of shape (n_samples,), optional
        How often each sample counts (their sum matters): one of weight w has noise of variance ``s / w``. Weights of a mean above one
        say that replicates agree exactly, and a learned noise variance may then collapse: scale precisions to a mean of one.
    max_iter : int, default=1_000
        Sweeps.
    tol : float, default=1e-5
        Tolerance for the certificate; in single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    PosteriorResult
        `inclusion` holds the probabilities of being active, zero for columns of zeros, `log_evidence` the bound. The certificate is what
        one more sweep changes, recomputed in float64 from the result: the largest of the relative changes of the coefficients and of the
        noise variance, the changes of the probabilities and, for "subspace", the relative duality gap of the quadratic that the
        coefficients minimise: that the sweeps came to rest, not how far the bound is from its maximum. The objective is the negative
        bound.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above `tol` in the end.

    References
    ----------
    Liu, Liu, Lian, Lau and Zhao, "Robust recovery of structured sparse signals with uncertain sensing matrix: a Turbo-VBI approach", 2020.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import hierarchical_bayes
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((40, 100))
    >>> x = np.zeros(100)
    >>> x[20:26] = [2, -1, 1, -2, 1, 3]
    >>> result = hierarchical_bayes(A, A @ x + 0.1 * rng.standard_normal(40), structure="chain", rate=0.06, cluster_length=6)
    >>> result.support
    array([20, 21, 22, 23, 24, 25])
    """
    prior = {"structure": structure, "rate": rate, "cluster_length": cluster_length, "groups": groups}
    settings = {"method": method, "noise_variance": noise_variance, "sample_weight": sample_weight}
    run = {"max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_hierarchical_bayes(A, y, **prior, **settings, **run))


def solve_hierarchical_bayes(
    A,
    y,
    *,
    structure=None,
    rate=0.1,
    cluster_length=10.0,
    groups=None,
    method="full",
    noise_variance="learn",
    sample_weight=None,
    counted=None,
    lost=0,
    row_weight=None,
    max_iter=1_000,
    tol=1e-5,
    callback=None,
) -> PosteriorResult:
    """The solve behind `hierarchical_bayes`, without a warning; `counted` and `lost` as in `solve_kronecker_sbl`, `row_weight` as in `solve_sbl`."""
    if method not in ("full", "subspace"):
        raise ValueError(f"method must be 'full' or 'subspace'; got {method!r}.")
    design = as_design(A)
    if isinstance(design, GramDesign):
        raise ValueError("a GramDesign has no samples, whose noise this model describes; pass the design itself.")
    target = as_target(y, design)
    check_ranges(design, target, target_sq_norms(design, target))
    weight = as_sample_weight(sample_weight, design.shape[0])
    design, target = weighted(design, target, weight)
    counted = total_weight(sample_weight, design.shape[0]) if counted is None else counted
    check_counted(counted - lost, counted, design.shape[0])
    noise = as_noise_variance(noise_variance)
    limits = {"max_iter": as_count(max_iter, "max_iter"), "tol": attainable(as_number(tol, "tol"), target)}
    with blas_for_products(design.shape):
        model = HierarchicalModel(
            design,
            target,
            _support(structure, rate, cluster_length),
            _groups(groups, design.shape[1]),
            _SUBSPACE_STEPS if method == "subspace" else None,
            None if noise == "learn" else noise,
            counted,
            lost,
            row_weight if weight is None else weight,
        )
        return drive_beliefs(_steps(model), model.certify, callback=callback, **limits)


def _support(structure, rate, cluster_length):
    """The prior of the support."""
    rate = as_number(rate, "rate", strict=True)
    if rate >= 1:
        raise ValueError(f"rate must be less than 1; got {rate:g}.")
    if structure is None:
        return Independent(rate)
    if structure != "chain":
        raise ValueError(f"structure must be None or 'chain'; got {structure!r}.")
    least = max(1.0, rate / (1.0 - rate))  # shorter runs cannot make up that rate
    return Chain(rate, as_number(cluster_length, "cluster_length", minimum=least))


def _groups(groups, n_features):
    """Sums over units and back."""
    if groups is None or np.isscalar(groups):
        return groups_of(1 if groups is None else as_count(groups, "groups"), n_features)
    labels = as_labels(groups)
    if len(labels) != n_features:
        raise ValueError(
            f"groups has shape ({len(labels)},); it needs one label for each of the {n_features} features."
        )
    return groups_of(labels, n_features)


def _steps(model):
    """Yield posteriors whose evidence bound never falls, for ever."""
    if model.is_void:
        yield State(model.zeros(), finished=True)
    factors = model.start()
    iteration = 0
    while True:
        factors = model.sweep(factors)
        yield State(model.belief(factors), certify=iteration % _CERTIFY_EVERY == 0)
        iteration += 1
