"""One step of expectation maximisation for variances that are a Kronecker product, on factors that stay apart.

With ``A_i diag(g_i) A_i^H = U_i diag(p_i) U_i^H`` the covariance of the data is ``U diag(D) U^H``, ``D = s + p_1 ⊗ ... ⊗ p_I``,
``U = U_1 ⊗ ... ⊗ U_I``: its inverse costs small eigenvalue problems and products with one factor at a time.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import nnls

from ..._array import (
    array_namespace,
    as_double,
    asarray_like,
    dagger,
    device,
    is_complex,
    norm,
    real_dtype,
    sq_norm,
    to_numpy,
)
from ...designs.kronecker import kronecker_product
from ..belief import Belief, check_size
from ..certificates import Certificate
from ..noise_level import LEARNED_FLOOR

__all__ = ["KroneckerModel", "chosen", "fitted_variance", "outer", "spectra"]

_FLOOR = 1e-5  # of a coupled variance, relative to the largest: a zero would be for ever
_FIRST_NOISE = 0.1
_SWEEPS = 20
_NEAR = 1e-8
_UNKNOWN = 1e-12  # share of a coefficient that the data determine at least
_VANISHED = 1e-10  # of the largest: a zero would be for ever
_TELLABLE, _LARGEST = -12.0, 250.0  # exponents of a noise variance relative to that mean square
_NAME = "relative change under one more iteration"


class Moments(NamedTuple):
    """The posterior for given variances; flattened tensors."""

    mean: Any  # (n_features, L)
    variance: Any  # (n_features,)
    log_evidence: float
    noise_variance: float  # the next one, by expectation maximisation
    far_noise: float = 0.0  # the same by MacKay's fixed point


class KroneckerModel:
    """The validated problem in double precision, and one step of expectation maximisation in it.

    Inside, the target has mean square one and each column norm one, so that the scale of a column is immaterial; beliefs have the user's
    units.
    """

    def __init__(self, design, target, method, couplings, noise_variance, total, lost=0):
        self.like = target
        target = as_double(target if target.ndim == 2 else target[:, None])
        factors = design.in_double().factors
        self.size = math.sqrt(float(array_namespace(target).mean(sq_norm(target))) / target.shape[0])
        self.mean_square = float(self.size > 0)
        self.size = self.size or 1.0
        sizes = [math.sqrt(float(array_namespace(factor).sum(sq_norm(factor)))) or 1.0 for factor in factors]
        self.target = target / self.size
        factors = [factor / size for factor, size in zip(factors, sizes, strict=True)]
        self.shares = [_shares(factor) for factor in factors]  # norm of a column over that of its factor
        self.factors = [
            factor / asarray_like(share, factor, dtype=factor.dtype)[None, :]
            for factor, share in zip(factors, self.shares, strict=True)
        ]
        exponent = math.log10(self.size) - sum(map(math.log10, sizes))
        check_size(exponent, self.like)
        check_size(exponent - sum(math.log10(float(np.min(to_numpy(share)))) for share in self.shares), self.like)
        self.scale = self.size / math.prod(sizes)  # of a coefficient whose columns have the norms of their factors
        self.method, self.couplings = method, couplings
        self.noise_variance = None if noise_variance is None else _tellable(noise_variance, self.size)
        self.counted = (
            total - lost
        )  # samples that the likelihood counts: the sum of their weights, but for what a mean took
        self.unit = target.shape[0] / total  # noise variance of rows weighted with mean one, over the true one
        self._strongest = None

    @property
    def learns_noise(self):
        """Whether the noise variance is learned."""
        return self.noise_variance is None

    def start(self):
        """Variances that are all the same, of the energy of the target; none for zero columns, nor for a zero target."""
        xp = array_namespace(self.target)
        noise = _FIRST_NOISE * self.mean_square if self.learns_noise else self.noise_variance
        variances = [xp.astype(sq_norm(factor) > 0, xp.float64) for factor in self.factors]
        power = math.prod(float(xp.sum(sq_norm(factor))) for factor in self.factors) / self.target.shape[0]
        return normalised(variances, self.mean_square / power if power > 0 else 0.0), noise * self.unit

    def moments(self, factors, variances, noise) -> Moments:
        """Posterior mean and variances, without ever forming the product of the factors."""
        xp = array_namespace(self.target)
        eigenvalues, bases = spectra(factors, variances)
        gains = [g[:, None] * (dagger(F) @ U) for F, g, U in zip(factors, variances, bases, strict=True)]
        spectrum = noise + outer(eigenvalues)
        data = kronecker_product([dagger(basis) for basis in bases], self.target)
        mean = kronecker_product(gains, data / xp.astype(spectrum, data.dtype)[:, None])
        known = kronecker_product([xp.abs(gain) ** 2 for gain in gains], 1.0 / spectrum)
        variance = outer(variances) - known
        power = xp.sum(xp.abs(data) ** 2, axis=1)
        left = noise / spectrum  # share of each direction of the data that is noise
        n_targets = self.target.shape[1]
        quadratic = float(xp.sum(power / spectrum)) / math.prod(self.target.shape)
        misfit, free = float(xp.sum(left**2 * power)) / n_targets, self.counted - float(xp.sum(1.0 - left))
        return Moments(
            mean,
            xp.where(variance > 0, variance, 0 * variance),
            self._log_density(float(xp.sum(xp.log(spectrum))), quadratic, noise),
            float(xp.sum(left**2 * power / n_targets + noise * (1.0 - left))) / self.counted,
            misfit / free if free > 0 else noise,
        )

    @property
    def may_jump(self):
        """Whether a jump ends where sure steps do."""
        return self.method == "am" and not any(self.couplings)

    def jumped(self, moments, variances):
        """Variances by MacKay's fixed point, which sure steps reach late where a variance is to vanish; the evidence may fall.

        As `maximised`, with the share that the data determine of each coefficient in place of what its variance adds.
        """
        xp = array_namespace(self.target)
        shape = tuple(variance.shape[0] for variance in variances)
        power = xp.reshape(xp.mean(xp.abs(moments.mean) ** 2, axis=1), shape)
        known = xp.reshape(1.0 - moments.variance / outer(variances), shape)
        known = xp.where(known > _UNKNOWN, known, _UNKNOWN + 0 * known)
        ones, new = [xp.ones_like(variance) for variance in variances], list(variances)
        for axis in range(len(new)):
            wanted = _contracted(power, [1.0 / variance for variance in new], axis) / _contracted(known, ones, axis)
            top = xp.max(wanted)
            new[axis] = xp.where(wanted > _VANISHED * top, wanted, _VANISHED * top + 0 * wanted)
        return normalised(new)

    def maximised(self, moments, variances, places):
        """The next variances, from the second moments of the coefficients; `places` are the indices kept of each axis."""
        xp = array_namespace(self.target)
        second = moments.variance + xp.mean(xp.abs(moments.mean) ** 2, axis=1)
        second = xp.reshape(second, tuple(variance.shape[0] for variance in variances))
        if self.method == "svd":
            new = [
                _blockwise(part, place, share)
                for part, place, share in zip(_rank_one(second), places, self.couplings, strict=True)
            ]
        else:
            new = list(variances)
            for axis, (place, share) in enumerate(zip(places, self.couplings, strict=True)):
                new[axis] = _blockwise(_mean_over_others(second, new, axis), place, share)
        return normalised(new)

    def noise_after(self, moments, noise):
        """The next noise variance."""
        return self._kept_up(moments.noise_variance) if self.learns_noise else noise

    def noise_jumped(self, moments):
        """The noise variance by MacKay's fixed point, where expectation maximisation falls to zero only as one over its steps."""
        return self._kept_up(moments.far_noise)

    def _kept_up(self, noise):
        return max(noise, LEARNED_FLOOR * self.mean_square * self.unit)

    def belief(self, moments, variances, noise, places):
        """The posterior in the user's precision, over all features."""
        xp = array_namespace(self.like)
        shape = tuple(factor.shape[1] for factor in self.factors)
        kept = tuple(variance.shape[0] for variance in variances)
        real = real_dtype(xp, self.like.dtype)
        mean = _spread(xp.reshape(moments.mean, (*kept, self.target.shape[1])), shape, places)
        variance = _spread(xp.reshape(moments.variance, (*kept, 1)), shape, places)
        scale = self.scale / outer(self.shares)[:, None]
        mean, variance = xp.astype(_times(scale, mean), self.like.dtype), xp.astype(scale**2 * variance, real)
        whole = [_spread(g[:, None], (n,), [place])[:, 0] for g, n, place in zip(variances, shape, places, strict=True)]
        whole = normalised([g / share**2 for g, share in zip(whole, self.shares, strict=True)])
        whole[-1] = self.scale**2 * whole[-1]
        if self.like.ndim == 1:
            mean, variance = mean[:, 0], variance[:, 0]
        else:
            variance = xp.broadcast_to(variance, mean.shape) + 0.0
        units = (2.0 if is_complex(self.target) else 1.0) * self.counted * self.target.shape[1] * math.log(self.size)
        return Belief(
            mean,
            variance,
            noise / self.unit * self.size**2,
            moments.log_evidence - units,
            parameters={"prior_variances": whole},
        )

    def certify(self, belief):
        """What one more iteration changes, computed from the belief alone."""
        xp = array_namespace(self.like)
        noise, whole = belief.noise_variance / self.size**2 * self.unit, list(belief.parameters["prior_variances"])
        whole[-1] = whole[-1] / self.scale**2
        places = [np.flatnonzero(to_numpy(variance) > 0) for variance in whole]
        if not all(place.size for place in places):  # nothing explains, or nothing is to be explained
            return Certificate(np.float64(0.0), np.float64(-belief.log_evidence), _NAME)
        variances = [g * share**2 for g, share in zip(whole, self.shares, strict=True)]
        variances = normalised([chosen(g, place) for g, place in zip(variances, places, strict=True)])
        factors = self.restricted(places)
        moments = self.moments(factors, variances, noise)
        after = self.maximised(moments, variances, places)
        changes = [float(norm(new - old)) / float(norm(old)) for new, old in zip(after, variances, strict=True)]
        exact, _, _, log_evidence, *_ = self.belief(moments, variances, noise, places)
        weight = outer(self.shares)  # coefficients of columns of one norm
        size, away = (
            float(xp.max(weight[:, None] * xp.abs(self._columns_of(values)))) for values in (exact, belief.mean - exact)
        )
        changes.append(away / size if size > 0 else 0.0)
        changes.append(abs(self.noise_after(moments, noise) / noise - 1.0))
        return Certificate(np.float64(max(changes)), np.float64(-log_evidence), _NAME)

    def _columns_of(self, values):
        """Coefficients in double precision, a column for each target."""
        values = as_double(values)
        return values if values.ndim == 2 else values[:, None]

    def zeros(self, noise):
        """The belief where nothing can be explained, or nothing is to be: all is noise."""
        places = [np.arange(0)] * len(self.factors)
        variances = [sq_norm(factor)[:0] for factor in self.factors]
        noise, log_evidence = self._of_noise_alone(noise)
        return self.belief(Moments(self.target[:0, :], variances[0], log_evidence, noise), variances, noise, places)

    def is_noise(self, moments, noise):
        """Whether no coefficients are better than these, and none is worth being the first: their decay would never end."""
        if self._strongest is None:
            xp = array_namespace(self.target)
            correlation = kronecker_product([dagger(factor) for factor in self.factors], self.target)
            power, sq_norms = xp.mean(xp.abs(correlation) ** 2, axis=1), outer([sq_norm(f) for f in self.factors])
            sq_norms = xp.where(sq_norms > 0, sq_norms, xp.ones_like(sq_norms))
            self._strongest = float(xp.max(power / sq_norms))
        noise, log_evidence = self._of_noise_alone(noise)
        return log_evidence >= moments.log_evidence and self._strongest <= noise

    def _of_noise_alone(self, noise):
        """The noise variance that explains everything, and its log evidence."""
        noise = self.mean_square * self.target.shape[0] / self.counted if self.learns_noise else noise
        if not noise > 0:
            return noise, 0.0
        return noise, self._log_density(self.target.shape[0] * math.log(noise), self.mean_square / noise, noise)

    def _log_density(self, log_det, mean_quadratic, noise):
        """Of all targets, from the log determinant of their covariance and the mean of ``|C^-1/2 y|^2`` over their entries."""
        n_samples, n_targets = self.target.shape
        double = 1.0 if is_complex(self.target) else 2.0
        constant = self.counted * math.log(double * math.pi)
        if self.counted != n_samples:  # a sample's copies have the noise alone between them
            log_det = log_det + self.counted * math.log(noise / self.unit) - n_samples * math.log(noise)
        return -n_targets * (constant + log_det + n_samples * mean_quadratic) / double

    def restricted(self, places):
        """The factors without the columns that were dropped."""
        return [chosen(factor, place, axis=1) for factor, place in zip(self.factors, places, strict=True)]


def fitted_variance(factors, variances, noise, new_factors):
    """Posterior variance of ``(B_1 ⊗ ... ⊗ B_I) x`` for the rows of new factors B_i, from the training factors."""
    eigenvalues, bases = spectra(factors, variances)
    prior = [np.sum(np.abs(B) ** 2 * g, axis=1) for B, g in zip(new_factors, variances, strict=True)]
    known = [
        np.abs((B * g) @ (dagger(F) @ U)) ** 2
        for B, F, g, U in zip(new_factors, factors, variances, bases, strict=True)
    ]
    return np.maximum(outer(prior) - kronecker_product(known, 1.0 / (noise + outer(eigenvalues))), 0.0)


def _tellable(noise_variance, size):
    """A given noise variance for a target of mean square one, as far as double precision can tell it from none, or from infinity."""
    return 10.0 ** min(max(math.log10(noise_variance) - 2.0 * math.log10(size), _TELLABLE), _LARGEST)


def spectra(factors, variances):
    """Eigenvalues and eigenvectors of each ``A_i diag(g_i) A_i^H``."""
    xp = array_namespace(*factors)
    eigenvalues, bases = [], []
    for factor, variance in zip(factors, variances, strict=True):
        values, basis = xp.linalg.eigh((factor * variance[None, :]) @ dagger(factor))
        eigenvalues.append(xp.where(values > 0, values, 0 * values))
        bases.append(basis)
    return eigenvalues, bases


def outer(vectors):
    """``v_1 ⊗ v_2 ⊗ ...``, flattened."""
    xp = array_namespace(*vectors)
    product = vectors[0]
    for vector in vectors[1:]:
        product = xp.reshape(product[:, None] * vector[None, :], (-1,))
    return product


def chosen(array, places, axis=0):
    """Some entries of an axis."""
    xp = array_namespace(array)
    return xp.take(array, xp.asarray(places, device=device(array)), axis=axis)


def _spread(tensor, shape, places):
    """A tensor of the kept indices, with its targets last, among zeros: (prod shape, n_targets)."""
    xp = array_namespace(tensor)
    for axis, (size, place) in enumerate(zip(shape, places, strict=True)):
        where = np.full(size, len(place))
        where[place] = np.arange(len(place))
        empty = xp.zeros(
            (*tensor.shape[:axis], 1, *tensor.shape[axis + 1 :]), dtype=tensor.dtype, device=device(tensor)
        )
        tensor = chosen(xp.concat([tensor, empty], axis=axis), where, axis)
    return xp.reshape(tensor, (math.prod(shape), tensor.shape[-1]))


def normalised(variances, total=None):
    """Factors of norm one, but for the last, which takes the scale of all; with `total` all entries are scaled to that mean."""
    sizes = [_size(variance) for variance in variances]
    if min(sizes) == 0:
        return variances
    variances = [variance / size for variance, size in zip(variances, sizes, strict=True)]
    return [*variances[:-1], variances[-1] * (math.prod(sizes) if total is None else math.prod(sizes) * total)]


def _size(values):
    """The norm of what is not negative, however large or small."""
    top = float(array_namespace(values).max(values)) if values.shape[0] else 0.0
    return top * float(norm(values / top)) if top > 0 else 0.0


def _shares(factor):
    """Norms of the columns; one where a column is zero."""
    xp = array_namespace(factor)
    norms = xp.sqrt(sq_norm(factor))
    return xp.where(norms > 0, norms, xp.ones_like(norms))


def _times(scale, values):
    """A product with real numbers, in namespaces that do not mix them with complex ones too."""
    return array_namespace(values).astype(scale, values.dtype) * values


def _mean_over_others(second, variances, axis):
    """The optimum of one factor where the others are held: the mean of the second moments over all that they explain."""
    return _contracted(second, [1.0 / (variance.shape[0] * variance) for variance in variances], axis)


def _contracted(tensor, vectors, axis):
    """The sum over all axes but one, weighted by a vector for each."""
    xp = array_namespace(tensor)
    for other in reversed(range(len(vectors))):
        if other != axis:
            tensor = xp.tensordot(tensor, vectors[other], axes=([other], [0]))
    return tensor


def _rank_one(second):
    """The factors, none negative, of the tensor of rank one nearest to `second`.

    Leading singular vectors of one unfolding after another are improved one by one, which also makes the order of the axes immaterial.
    """
    xp = array_namespace(second)
    factors, left = [], second
    while left.ndim > 1:
        basis, values, rows = xp.linalg.svd(xp.reshape(left, (left.shape[0], -1)), full_matrices=False)
        factors.append(xp.abs(basis[:, 0]))
        left = xp.reshape(values[0] * xp.abs(rows[0, :]), tuple(left.shape[1:]))
    factors.append(left)
    if second.ndim < 3:  # exact
        return factors
    for _ in range(_SWEEPS):
        before = factors[-1]
        for axis in range(second.ndim):
            shares = [factor / sq_norm(factor) for factor in factors]
            factors[axis] = _contracted(second, shares, axis)
        if float(norm(factors[-1] - before)) <= _NEAR * float(norm(before)):
            break
    return factors


def _blockwise(wanted, places, share):
    """Variances near the wanted ones of the form ``C g``, g >= 0, where C adds `share` of the neighbours' to each."""
    if share == 0:
        return wanted
    near = np.abs(np.subtract.outer(places, places)) == 1
    coupling = np.eye(len(places)) + share * near
    values = to_numpy(wanted)
    size = float(np.max(values))
    free, _ = nnls(coupling, values / size)
    return asarray_like(size * (coupling @ free + _FLOOR), wanted, dtype=wanted.dtype)
