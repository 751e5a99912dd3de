"""Compound-Gaussian least squares: each coefficient is a Gaussian number times a texture that is not negative.

    minimise over z >= 0 and u   ||y - A (z u)||^2 / (2 n_samples) + t sum_j (|u_j|^2 / 2 + r(z_j)),      coef = z u

For given textures u is a ridge regression; for given u the textures are improved by proximal gradient steps; and of all pairs of one
product that of the least sum is taken. None of the three raises the objective, which as a function of the product alone is

    half-normal   r(z) = z^2 / 2,   t = alpha:         ||y - A c||^2 / (2 n_samples) + alpha sum |c_j|
    exponential   r(z) = z,         t = 2 alpha / 3:   ||y - A c||^2 / (2 n_samples) + alpha sum |c_j|^(2/3)

Lyons, Raj and Cheney, "Deep regularized compound Gaussian network for solving linear inverse problems", 2024 (arXiv 2311.17248).
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..._array import (
    array_namespace,
    as_double,
    asarray_like,
    attainable,
    conj,
    real_dtype,
    real_part,
    sq_norm,
    to_numpy,
)
from ..._validation import as_count, as_design, as_number, as_sample_weight, as_target, check_columns, weighted
from ...designs import GramDesign
from ...losses import Squared
from ...penalties import L1, Lq
from ...result import PosteriorResult, announce
from ..belief import Belief, check_size, drive_beliefs
from ..certificates import certificate_of
from ..driver import State
from ..problem import make_problem
from ..targets import joined_history, worst_status
from .gaussian import posterior

__all__ = ["compound_gaussian", "solve_compound_gaussian"]

_CERTIFY_EVERY = 10
_SMALL = 1e-10  # share of the largest coefficient below which one is zero
_TELLABLE = 1e-14  # of the largest eigenvalue: of a ridge below, double precision knows nothing
_RANGE = 1e280  # of numbers, for steps
_PATIENCE = 50  # iterations until an answer worse than none is none
_RETURN = 1e-4  # of the largest, with which one comes back
_LEAST_EXPONENT = {"half-normal": 1 / 2, "exponential": 2 / 3}  # of |c|, the texture of the least sum


def compound_gaussian(
    A,
    y,
    alpha,
    *,
    texture="half-normal",
    n_texture_steps=5,
    sample_weight=None,
    max_iter=2_000,
    tol=1e-6,
    callback=None,
):
    """Minimise ``||y - A (z u)||^2 / (2 n_samples) + t sum_j (|u_j|^2 / 2 + r(z_j))`` over textures z >= 0 and Gaussian u.

    The coefficients are the products ``z u``. With half-normal textures, ``r(z) = z^2 / 2`` and ``t = alpha``, they solve the LASSO; with
    exponential ones, ``r(z) = z`` and ``t = 2 alpha / 3``, they are a local minimum of the l_2/3 penalty ``alpha sum_j |coef_j|^(2/3)``.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,) or (n_samples, n_targets)
        The target; each by itself.
    alpha : float
        Strength of the penalty on the coefficients that the two priors amount to; greater than zero.
    texture : {"half-normal", "exponential"}, default="half-normal"
        Distribution of the textures. "exponential" has the heavier tail: fewer coefficients, less bias, and local minima.
    n_texture_steps : int, default=5
        Proximal gradient steps in the textures an iteration.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples.
    max_iter : int, default=2_000
        Iterations: a ridge regression each, of a matrix of as many rows as samples or coefficients in use, whichever are fewer.
    tol : float, default=1e-6
        Tolerance for the certificate; in single precision at least 1e-6 is used.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Returns
    -------
    PosteriorResult
        The certificate is the relative duality gap of the LASSO for half-normal textures, and the relative prox residual of the l_2/3
        penalty for exponential ones. `variance` is that of the coefficients for given textures, with the noise variance that the residual
        shows; ``parameters["texture"]`` holds z.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the certificate is above `tol` in the end.

    See Also
    --------
    lasso : The same minimum for half-normal textures, far faster.

    References
    ----------
    Lyons, Raj and Cheney, "Deep regularized compound Gaussian network for solving linear inverse problems", 2024 (arXiv 2311.17248).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import compound_gaussian
    >>> compound_gaussian(np.eye(3), np.array([3.0, -2.0, 0.1]), alpha=1 / 3).coef.round(4)
    array([ 2., -1.,  0.])
    """
    settings = {"texture": texture, "n_texture_steps": n_texture_steps, "sample_weight": sample_weight}
    run = {"max_iter": max_iter, "tol": tol, "callback": callback}
    return announce(solve_compound_gaussian(A, y, alpha, **settings, **run))


def solve_compound_gaussian(
    A,
    y,
    alpha,
    *,
    texture="half-normal",
    n_texture_steps=5,
    sample_weight=None,
    max_iter=2_000,
    tol=1e-6,
    callback=None,
) -> PosteriorResult:
    """The solve behind `compound_gaussian`, without a warning."""
    if texture not in _LEAST_EXPONENT:
        raise ValueError(f"texture must be 'half-normal' or 'exponential'; got {texture!r}.")
    alpha = as_number(alpha, "alpha", strict=True)
    n_texture_steps = as_count(n_texture_steps, "n_texture_steps", minimum=0)
    design = as_design(A)
    if isinstance(design, GramDesign):
        raise ValueError("a GramDesign has no samples, whose noise this model describes; pass the design itself.")
    target = as_target(y, design)
    check_columns(design)
    design, target = weighted(design, target, as_sample_weight(sample_weight, design.shape[0]))
    penalty = L1(alpha) if texture == "half-normal" else Lq(alpha, 2 / 3)
    limits = {"max_iter": as_count(max_iter, "max_iter"), "tol": attainable(as_number(tol, "tol"), target)}

    def alone(one):
        problem = make_problem(design, one, Squared(), penalty)
        certify = certificate_of(problem)
        model = _Textures(problem.in_double(), one, alpha, texture, n_texture_steps)
        return drive_beliefs(
            _steps(model, limits["max_iter"]), lambda belief: certify(problem, belief.mean), callback=callback, **limits
        )

    if target.ndim == 1:
        return alone(target)
    return _together([alone(_contiguous(target[:, column])) for column in range(target.shape[1])])


class _Textures:
    """One target in double precision, and the three moves, none of which raises the objective."""

    def __init__(self, problem, like, alpha, texture, n_steps):
        self.design, self.target, self.like = problem.design, problem.target[:, None], like
        self.texture, self.n_steps = texture, n_steps
        self.strength = alpha if texture == "half-normal" else 2.0 * alpha / 3.0
        self.n_samples = problem.n_samples
        self.alpha = alpha

    @property
    def is_lasso(self):
        """Whether there is one minimum; zeros are always a local one of the l_2/3 penalty."""
        return self.texture == "half-normal"

    def balanced(self, coef):
        """The texture of the least sum for each coefficient; real, in NumPy."""
        return np.abs(coef) ** _LEAST_EXPONENT[self.texture]

    def start(self):
        """Textures of the coefficients that each column would have alone."""
        norms = self.design.with_exact_norms().column_sq_norms()
        alone = np.abs(to_numpy(self.design.rmatvec(self.target))[:, 0])
        if np.any(alone > 0):
            check_size(0.5 * float(np.log10(to_numpy(sq_norm(self.target))[0]) - np.log10(np.sum(norms))), self.like)
        return self.balanced(np.divide(alone, norms, out=np.zeros_like(alone), where=norms > 0))

    def ridge(self, columns, texture):
        """Posterior of the coefficients for given textures, in units of the noise variance over ``n_samples * strength``."""
        xp = array_namespace(self.target)
        prior = asarray_like(texture**2, self.target, dtype=xp.float64)
        least = _TELLABLE * float(np.max(texture**2 * to_numpy(sq_norm(columns))))
        return posterior(columns, self.target, prior, max(self.n_samples * self.strength, least))

    def improved(self, columns, texture, gaussian, lipschitz):
        """Textures after proximal gradient steps for given Gaussian factors; all of the columns in use."""
        xp = array_namespace(self.target)
        u = asarray_like(gaussian, self.target)
        curvature = lipschitz * float(np.max(np.abs(gaussian))) ** 2
        if curvature * _RANGE <= self.n_samples * max(1.0, self.strength):  # next to the penalty, the data are nothing
            return np.zeros_like(texture)
        step = self.n_samples / curvature  # sure to descend
        z = asarray_like(texture, self.target, dtype=xp.float64)
        threshold = step * self.strength
        for _ in range(self.n_steps):
            residual = self.target[:, 0] - columns @ (xp.astype(z, u.dtype) * u)
            z = z + (step / self.n_samples) * real_part(conj(u) * (conj(columns).T @ residual))
            z = z / (1.0 + threshold) if self.texture == "half-normal" else z - threshold
            z = xp.where(z > 0, z, 0 * z)
        return to_numpy(z)

    def is_worse_than_nothing(self, columns, now):
        """Whether zeros have the lower objective."""
        sizes = np.abs(to_numpy(now.mean)[:, 0])
        misfit = float(np.sum(to_numpy(sq_norm(self.target - columns @ now.mean)))) / (2 * self.n_samples)
        nothing = float(np.sum(to_numpy(sq_norm(self.target)))) / (2 * self.n_samples)
        with np.errstate(over="ignore"):
            return misfit + self.alpha * float(np.sum(sizes if self.is_lasso else sizes ** (2 / 3))) > nothing

    def zeros(self):
        """The belief where no column has anything to explain."""
        real = np.zeros(self.design.shape[1])
        mean, variance = (asarray_like(real, self.like, dtype=dtype) for dtype in self._dtypes())
        noise = float(np.sum(to_numpy(sq_norm(self.target)))) / self.n_samples
        return Belief(mean, variance, noise, parameters={"texture": real})

    def _dtypes(self):
        return self.like.dtype, real_dtype(array_namespace(self.like), self.like.dtype)

    def belief(self, used, columns, texture, now):
        """The posterior for these textures, with the noise variance that the residual shows."""
        n_features = self.design.shape[1]
        residual = self.target - columns @ now.mean
        left = max(self.n_samples - float(texture**2 @ to_numpy(now.sparsity)), 1.0)
        noise = float(np.sum(to_numpy(sq_norm(residual)))) / left
        mean = np.zeros(n_features, dtype=to_numpy(now.mean).dtype)
        variance, whole = np.zeros(n_features), np.zeros(n_features)
        mean[used], whole[used] = to_numpy(now.mean)[:, 0], texture
        variance[used] = to_numpy(now.variance) * (noise / (self.n_samples * self.strength))
        dtype, real = self._dtypes()
        mean, variance = asarray_like(mean, self.like, dtype=dtype), asarray_like(variance, self.like, dtype=real)
        return Belief(mean, variance, noise, parameters={"texture": whole})


def _steps(model, max_iter):
    """Yield posteriors of textures whose objective never rises, until none is left; zeros in the end if these are better."""
    texture = model.start()
    lipschitz = model.design.spectral_sq_norm()
    used = np.flatnonzero(texture)
    columns = _columns(model, used)
    iteration, patience = 0, max_iter if model.is_lasso else min(_PATIENCE, max_iter)
    while used.size:
        now = model.ridge(columns, texture[used])
        coef = to_numpy(now.mean)[:, 0]
        belief = model.belief(used, columns, texture[used], now)
        worse = (iteration >= patience or not model.is_lasso) and model.is_worse_than_nothing(columns, now)
        if worse and iteration >= patience:
            break
        certificate = yield State(belief, certify=not worse and iteration % _CERTIFY_EVERY == 0)
        textures = model.improved(columns, texture[used], coef / texture[used], lipschitz)
        improved = textures * coef / texture[used]
        kept = np.abs(improved) > _SMALL * np.max(np.abs(improved), initial=0.0)
        texture[used] = np.where(kept, model.balanced(improved), 0.0)
        returned = _returning(model, certificate, texture)
        texture[returned] = model.balanced(_RETURN * np.max(np.abs(improved)))
        if returned.size or not kept.all():
            used = np.flatnonzero(texture)
            columns = _columns(model, used)
        iteration += 1
    yield State(model.zeros(), finished=iteration < max_iter, chosen=True)


def _returning(model, certificate, texture):
    """Coefficients that were dropped, but for which the LASSO's certificate says that they should not be."""
    if certificate is None or model.texture != "half-normal":
        return np.arange(0)
    correlation = np.abs(to_numpy(certificate.point.correlation))
    return np.flatnonzero((texture == 0) & (correlation > model.alpha))


def _columns(model, used):
    """The columns in use, complex where the target is."""
    columns = as_double(model.design.columns(used))
    xp = array_namespace(columns)
    return xp.astype(columns, xp.result_type(columns.dtype, model.target.dtype), copy=False)


def _contiguous(target):
    return np.ascontiguousarray(target) if type(target) is np.ndarray else target


def _together(results):
    """The answers of targets that have nothing in common, as one."""
    xp = array_namespace(results[0].coef)
    certificate = np.asarray([result.certificate for result in results])
    return replace(
        results[0],
        coef=xp.stack([result.coef for result in results], axis=1),
        variance=xp.stack([result.variance for result in results], axis=1),
        status=worst_status(results, certificate, results[0].tol),
        n_iter=max(result.n_iter for result in results),
        objective=np.asarray([result.objective for result in results]),
        certificate=certificate,
        history=joined_history(results),
        noise_variance=np.asarray([result.noise_variance for result in results]),
        parameters={"texture": np.stack([result.parameters["texture"] for result in results], axis=1)},
    )
