"""Layers of unrolled solvers, forward and back, on arrays of any namespace; rows are signals.

    z_k = c_k + beta_k (c_k - c_k-1),    c_k+1 = eta(z_k - gamma_k (z_k D - x) W_k'; theta_k),    c_0 = 0

with the dictionary D (n_atoms, n_features), filters W_k of its shape (W_k = D: one iteration of the plain solver), and eta one of

    "soft"    shrinks by theta, but for the `counts[k]` largest entries (support selection)
    "hard"    keeps what is above theta
    "count"   keeps the `counts[k]` largest

Free layers are ``c_k+1 = eta(z_k M_k + x W_k'; theta_k)`` with mixing matrices M_k. What is derived in closed form: with V the derivative
of the loss in c_k+1 where that is not zero, and zero elsewhere,

    in gamma_k: -<V, G_k>,  G_k = (z_k D - x) W_k'       in theta_k: -<V, sign c_k+1> where it was shrunk     in beta_k: <Z, c_k - c_k-1>
    in W_k: -gamma_k V' (z_k D - x)                      in z_k: Z = V - gamma_k (V W_k) D'

Gregor and LeCun, "Learning fast approximations of sparse coding", 2010. Chen, Liu, Wang and Yin, "Theoretical linear convergence of unfolded ISTA
and its practical weights and thresholds", 2018 (arXiv 1808.10038).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace, as_double, asarray_like, hard_threshold_mask, is_numpy, to_numpy

__all__ = ["Layers", "Slopes", "analytic_filters", "apply_layers", "beside", "layer_slopes", "loss_seed"]


class Layers(NamedTuple):
    """What the layers compute with; the numbers of layers are NumPy, the matrices beside the signals.

    Attributes
    ----------
    atoms : array of shape (n_atoms, n_features)
        The dictionary D.
    filters : tuple of arrays of shape (n_atoms, n_features)
        W_k, one for each layer, or one that all share.
    mixing : tuple of arrays of shape (n_atoms, n_atoms)
        M_k of free layers, likewise; else empty.
    steps, levels, momenta : float64 arrays of shape (n_layers,)
        gamma_k, theta_k and beta_k.
    rule : {"soft", "hard", "count"}
        What eta does.
    counts : int64 array of shape (n_layers,)
        How many entries are not shrunk ("soft") or kept ("count").
    accelerated : bool
        Whether layers start from an extrapolated point.
    """

    atoms: Any
    filters: tuple
    mixing: tuple
    steps: Any
    levels: Any
    momenta: Any
    rule: str
    counts: Any
    accelerated: bool = False

    @property
    def depth(self):
        """Number of layers."""
        return self.steps.size

    def up_to(self, depth):
        """The first layers alone."""
        filters, mixing = (part if len(part) == 1 else part[:depth] for part in (self.filters, self.mixing))
        numbers = {name: getattr(self, name)[:depth] for name in ("steps", "levels", "momenta", "counts")}
        return self._replace(filters=filters, mixing=mixing, **numbers)


class Slopes(NamedTuple):
    """Derivatives of a loss: float64 arrays of shape (n_layers,), and tuples of matrices like those of the layers."""

    steps: Any
    levels: Any
    momenta: Any
    filters: tuple = ()
    mixing: tuple = ()


class _Trace(NamedTuple):
    """What one layer leaves behind."""

    point: Any
    change: Any  # c_k - c_k-1, where there is momentum
    residual: Any
    gradient: Any
    code: Any
    shrunk: Any


def analytic_filters(atoms):
    """Filters of the least total coherence with the atoms.

    They minimise ``||W D'||_F`` subject to ``<w_i, d_i> = ||d_i||^2``. In closed form ``w_i = ||d_i||^2 (D'D)^+ d_i / (d_i' (D'D)^+ d_i)``; an atom of norm zero keeps a filter of zeros. In float64.

    Liu, Chen, Wang and Yin, "ALISTA: analytic weights are as good as learned weights in LISTA", 2019.
    """
    rows = np.asarray(atoms, dtype=np.float64)
    filters = rows @ np.linalg.pinv(rows.T @ rows, hermitian=True)
    sizes, sq_norms = np.einsum("ij,ij->i", filters, rows), np.einsum("ij,ij->i", rows, rows)
    return filters * np.divide(sq_norms, sizes, out=np.zeros_like(sizes), where=sizes > 0)[:, None]


def apply_layers(layers, signals, traces=None):
    """Codes (n_signals, n_atoms) behind the last layer; a list `traces` takes what `layer_slopes` needs."""
    xp = array_namespace(signals)
    code = before = xp.zeros((signals.shape[0], layers.atoms.shape[0]), dtype=signals.dtype, device=signals.device)
    for k in range(layers.depth):
        change = code - before if k and layers.accelerated else None
        point = code if change is None else code + float(layers.momenta[k]) * change
        filters = _of_layer(layers.filters, k)
        if layers.mixing:
            residual = gradient = None
            moved = point @ _of_layer(layers.mixing, k) + signals @ filters.T
        else:
            residual = point @ layers.atoms - signals
            gradient = residual @ filters.T
            moved = point - float(layers.steps[k]) * gradient
        before = code
        code, shrunk = _threshold(layers, k, moved)
        if traces is not None:
            traces.append(_Trace(point, change, residual, gradient, code, shrunk))
    return code


def _of_layer(matrices, k):
    return matrices[k] if len(matrices) > 1 else matrices[0]


def _threshold(layers, k, moved):
    """eta, and where it took the level off (None where it never does)."""
    xp = array_namespace(moved)
    zero, size, count = xp.zeros_like(moved), xp.abs(moved), int(layers.counts[k])
    if layers.rule == "count":
        return xp.where(hard_threshold_mask(size.T, count).T, moved, zero), None
    level = float(layers.levels[k])
    passes = size > level
    if layers.rule == "hard":
        return xp.where(passes, moved, zero), None
    shrunk = passes & ~hard_threshold_mask(size.T, count).T if count else passes
    return xp.where(shrunk, moved - level * xp.sign(moved), xp.where(passes, moved, zero)), shrunk


def loss_seed(layers, code, signals, truth, alpha):
    """The loss summed over signals, in float64, and its derivative in the codes.

    With `truth` (n_signals, n_atoms) the squared distance to it, else ``1/2 ||x - c D||^2`` and alpha times the l1 norm ("soft"), the count
    of entries ("hard", whose derivative is zero), or nothing ("count").
    """
    xp = array_namespace(signals)
    if truth is not None:
        error = code - truth
        return _product(error, error), 2.0 * error
    residual = code @ layers.atoms - signals
    loss, seed = 0.5 * _product(residual, residual), residual @ layers.atoms.T
    if layers.rule == "soft":
        return loss + alpha * _total(xp.abs(code)), seed + alpha * xp.sign(code)
    if layers.rule == "hard":
        loss += alpha * float(xp.count_nonzero(code))
    return loss, seed


def layer_slopes(layers, signals, truth, alpha, matrices=False):
    """The loss summed over signals and its derivatives; those in filters and mixing matrices only with `matrices`."""
    xp = array_namespace(signals)
    traces: list = []
    code = apply_layers(layers, signals, traces)
    loss, bar = loss_seed(layers, code, signals, truth, alpha)
    numbers = np.zeros((3, layers.depth))
    filters, mixing = ([xp.zeros_like(part) for part in parts] for parts in (layers.filters, layers.mixing))
    carry = xp.zeros_like(bar)
    for k in range(layers.depth - 1, -1, -1):
        trace, step, momentum = traces[k], float(layers.steps[k]), float(layers.momenta[k])
        masked = xp.where(trace.code != 0, bar, xp.zeros_like(bar))
        if trace.shrunk is not None:
            numbers[1, k] = -_total(xp.where(trace.shrunk, masked * xp.sign(trace.code), xp.zeros_like(bar)))
        back = _of_layer(layers.filters, k)
        place = k if len(layers.filters) > 1 else 0
        if layers.mixing:
            if matrices:
                filters[place] += masked.T @ signals
                mixing[place] += trace.point.T @ masked
            slope = masked @ _of_layer(layers.mixing, k).T
        else:
            numbers[0, k] = -_product(masked, trace.gradient)
            if matrices:
                filters[place] -= step * (masked.T @ trace.residual)
            slope = masked - step * ((masked @ back) @ layers.atoms.T)
        if trace.change is None:
            bar, carry = slope + carry, xp.zeros_like(slope)
        else:
            numbers[2, k] = _product(slope, trace.change)
            bar, carry = (1.0 + momentum) * slope + carry, -momentum * slope
    return loss, Slopes(
        numbers[0],
        numbers[1],
        numbers[2],
        tuple(filters) if matrices else (),
        tuple(mixing) if matrices else (),
    )


def _product(one, other):
    """The sum of products, taken in float64: squares leave the range of single precision long before the numbers do."""
    if is_numpy(one):
        return float(np.einsum("ij,ij->", one, other, dtype=np.float64))
    return _total(as_double(one) * as_double(other))


def _total(values):
    """Their sum in float64, a Python number."""
    xp = array_namespace(values)
    return float(xp.sum(values, dtype=xp.float64))


def beside(layers, like):
    """The layers with their matrices in the namespace, on the device and in the precision of `like`."""
    atoms = asarray_like(to_numpy(layers.atoms), like, dtype=like.dtype)
    filters, mixing = (
        tuple(atoms if part is layers.atoms else asarray_like(to_numpy(part), like, dtype=like.dtype) for part in parts)
        for parts in (layers.filters, layers.mixing)
    )
    return layers._replace(atoms=atoms, filters=filters, mixing=mixing)
