"""Which indices of a Kronecker-structured prior are worth their place: what the evidence loses without one, or gains with one more.

Expectation maximisation never brings back an index whose variance is zero, and takes very long to make one zero. Where it has come to
rest, variances of single indices are therefore set to zero, or brought back. Candidates are found as if the coefficients of an index were
uncorrelated: with ``q = a^H C^-1 y`` and ``s = a^H C^-1 a``, C without that coefficient, prior variance v is worth

    v |q|^2 / (1 + v s) - log(1 + v s),    of real coefficients half of that;

then the evidence itself decides.
"""

from __future__ import annotations

import numpy as np

from ..._array import array_namespace, asarray_like, dagger, is_complex, to_numpy
from ...designs.kronecker import kronecker_product
from .kronecker_model import chosen, outer, spectra

__all__ = ["left_out", "returned"]

_CHARGE = 3.0  # nats that an index is worth at least, as a coefficient of `sbl`
_TRIED = np.geomspace(1.0, 1e-9, 19)  # variances of an index that might return, in units of the largest of its axis
_CHECKED = 3  # of the indices of an axis: for so many the evidence is computed
_LEFT = 1e-12  # of a prior variance, which the data leave at least


def left_out(model, moments, variances, noise, places):
    """Places and variances without the index that the evidence loses least with, if that is less than it is charged; else None."""
    best, least = None, _CHARGE
    coefficients = _Coefficients(model, variances, noise, places)
    for axis, place in enumerate(places):
        if place.size == 1:
            continue
        for index in np.argsort(coefficients.losses(axis), kind="stable")[:_CHECKED]:
            kept = np.delete(np.arange(place.size), index)
            fewer, smaller = list(places), list(variances)
            fewer[axis], smaller[axis] = place[kept], chosen(variances[axis], kept)
            loss = moments.log_evidence - model.moments(model.restricted(fewer), smaller, noise).log_evidence
            if loss < least:
                best, least = (fewer, smaller), loss
    return best


def returned(model, moments, variances, noise, places, before):
    """Places and variances with the index back that promises most, if the evidence gains more than it is charged; else None.

    Each index returns once: `before`, a set for each axis, holds those that did.
    """
    xp, best, most = array_namespace(model.target), None, _CHARGE
    coefficients = _Coefficients(model, variances, noise, places)
    for axis, place in enumerate(places):
        seen = np.flatnonzero(to_numpy(xp.max(xp.abs(model.factors[axis]), axis=0)) > 0)
        spare = np.setdiff1d(seen, [*place, *before[axis]]).astype(int)
        if spare.size == 0:
            continue
        tried = float(np.max(to_numpy(variances[axis]))) * _TRIED
        which, value = coefficients.most_promising(axis, spare, tried)
        where = int(np.searchsorted(place, spare[which]))
        more, larger = list(places), list(variances)
        more[axis] = np.insert(place, where, spare[which])
        values = np.insert(to_numpy(variances[axis]), where, value)
        larger[axis] = asarray_like(values, variances[axis], dtype=variances[axis].dtype)
        gain = model.moments(model.restricted(more), larger, noise).log_evidence - moments.log_evidence
        if gain > most:
            best, most = (axis, spare[which], more, larger), gain
    if best is None:
        return None
    axis, index, more, larger = best
    before[axis].add(index)
    return more, larger


class _Coefficients:
    """``|q|^2`` and s of coefficients, C being that of the whole model."""

    def __init__(self, model, variances, noise, places):
        xp = array_namespace(model.target)
        self.model, self.factors = model, model.restricted(places)
        self.variances = [to_numpy(variance) for variance in variances]
        eigenvalues, self.bases = spectra(self.factors, variances)
        self.information = 1.0 / (noise + outer(eigenvalues))
        data = kronecker_product([dagger(basis) for basis in self.bases], model.target)
        self.data = data * xp.astype(self.information, data.dtype)[:, None]
        self.half = (1.0 if is_complex(model.target) else 0.5) * model.target.shape[1]

    def losses(self, axis):
        """What each index of this axis in use is worth."""
        quality, sparsity, weight = self._of(axis, self.factors[axis], self.variances[axis])
        left = np.maximum(1.0 - weight * sparsity, _LEFT)  # share of the prior variance that the data leave
        return self.half * np.sum(weight * quality / left + np.log(left), axis=1)

    def most_promising(self, axis, spare, tried):
        """Which of the indices `spare`, and which variance of those `tried`, would be worth most."""
        own = chosen(self.model.factors[axis], spare, axis=1)
        quality, sparsity, weight = self._of(axis, own, np.ones(spare.size))
        gains = []
        for value in tried:
            share = 1.0 + value * weight * sparsity
            gains.append(np.sum(value * weight * quality / share - np.log(share), axis=1))
        row, which = np.unravel_index(np.argmax(gains), (tried.size, spare.size))
        return which, tried[row]

    def _of(self, axis, own, own_variances):
        """``|q|^2``, s and prior variances, a row for each index of the axis."""
        xp = array_namespace(self.model.target)
        factors, weights = list(self.factors), list(self.variances)
        factors[axis], weights[axis] = own, own_variances
        turned = [dagger(factor) @ basis for factor, basis in zip(factors, self.bases, strict=True)]
        quality = xp.mean(xp.abs(kronecker_product(turned, self.data)) ** 2, axis=1)
        sparsity = kronecker_product([xp.abs(part) ** 2 for part in turned], self.information)
        shape = [weight.size for weight in weights]
        return (
            np.moveaxis(np.reshape(to_numpy(values), shape), axis, 0).reshape(shape[axis], -1)
            for values in (quality, sparsity, outer(weights))
        )
