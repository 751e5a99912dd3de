"""The penalty whose prox a convex network's gradient is.

    R(x) = sup over y  <x, y> - psi(y)  -  ||x||^2 / 2,        f = grad psi = prox_R

so that ``R(f(y)) = <y, f(y)> - ||f(y)||^2 / 2 - psi(y)``. For steps s below 1 the prox of s R comes from the same network: with x = f(y)
the subgradient of R at x is y - x, and ``x - v + s (y - x) = 0`` is the equation ``(1 - s) f(y) + s y = v`` of a strongly convex function.

Fang, Buchanan and Sulam, "What's in a prior? Learned proximal networks for inverse problems", 2024 (arXiv 2310.14344).
Gribonval and Nikolova, "A characterization of proximity operators", 2020 (arXiv 1807.04014).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import array_namespace, as_double, asarray_like, to_numpy
from .._parallel import single_threaded_blas
from ..penalties._checks import require

__all__ = ["LearnedPenalty"]

_NEWTON = 100  # steps at most
_RIDGE = 0.01  # of a Newton step, times the residual
_HALVINGS = 30
_SOLVED = 1e-10  # residual of an equation, relative
_FOUND = 1e-3  # residual below which a point has a preimage
_ROUNDING = 1e-9  # of a step that is the longest one
_CHUNK = 1 << 22  # entries of Hessians made at a time


class LearnedPenalty(NamedTuple):
    """``alpha * sum_b R(w_b)`` over consecutive blocks of coefficients, R learned from signals; not convex.

    Made by `LearnedProximalNetwork.penalty`. Steps of a prox may be no longer than ``1 / alpha``, to which solvers keep: beyond, the
    prox may have no single value. Steps of that length cost one pass of the network, shorter ones a few Newton steps.

    Parameters
    ----------
    alpha : float
        Strength; with ``(measurement noise / noise of the network)^2 / n_samples`` answers are modes of the posterior under the prior
        that was learned.
    network : ConvexNetwork
        psi, of signals less their center, in units of the noise.
    noise : float
        The noise that the network was trained at, in units of the coefficients.
    center : float or array of shape (block_size,), default=0.0
        What is taken from a block before it enters the network.
    """

    alpha: float
    network: Any
    noise: float = 1.0
    center: Any = 0.0

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return False

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients; not to the compiled kernels."""
        return False

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return False

    @property
    def certificate(self):
        """What certifies an answer: the prox is known, the subdifferential only where it maps to."""
        return "prox"

    @property
    def longest_step(self):
        """Steps up to which the prox is known to be single-valued."""
        return 1.0 / self.alpha if self.alpha > 0 else np.inf

    @property
    def block_size(self):
        """Coefficients of a block."""
        return self.network.parameters[-1].shape[0]

    def check(self, n_features):
        """Raise a ValueError if the coefficients are no whole number of blocks."""
        require(
            n_features % self.block_size == 0,
            f"the learned penalty takes blocks of {self.block_size} coefficients, but there are {n_features}; train a network on "
            "signals whose length divides that number.",
        )

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target; inf outside the range of the prox."""
        blocks, back = self._blocks(coef)
        values = np.zeros(len(blocks))
        if self.alpha == 0:
            return asarray_like(np.zeros(back[0][1:]), coef)
        for part in _parts(blocks):
            points, solved = _preimages(self.network, blocks[part], 0.0)
            found = np.sum(points * blocks[part], axis=1) - 0.5 * np.sum(blocks[part] ** 2, axis=1)
            values[part] = np.where(solved, found - self.network.value(points), np.inf)
        total = np.sum(values.reshape(back[0]), axis=0) * (self.alpha * self.noise**2)
        return asarray_like(np.asarray(total), coef, dtype=array_namespace(coef).float64)

    def prox(self, coef, step):
        """The minimiser over w of ``||w - coef||^2 / 2 + step * penalty(w)``, for steps up to `longest_step`; NaN where it was not found."""
        share = float(step) * self.alpha
        if share > 1.0 + _ROUNDING:
            raise ValueError(
                f"step * alpha is {share:.3g}, but the prox of a learned penalty is known up to 1 only; take a step of at most "
                f"{self.longest_step:.3g}, or a smaller alpha."
            )
        if share == 0.0:
            return coef
        blocks, back = self._blocks(coef)
        images = np.empty_like(blocks)
        for part in _parts(blocks):
            points, solved = blocks[part], True
            if share < 1.0 - _ROUNDING:
                points, solved = _preimages(self.network, points, share)
            with np.errstate(over="ignore", invalid="ignore"):
                images[part] = np.where(np.reshape(solved, (-1, 1)), self.network.gradient(points), np.nan)
        return asarray_like(self._unblocked(images, back), coef, dtype=coef.dtype)

    def _blocks(self, coef):
        """Coefficients (n, ...) as rows of blocks in units of the noise, and what it takes to go back."""
        values = to_numpy(as_double(coef))
        columns = values.reshape(values.shape[0], -1)
        size = self.block_size
        blocks = columns.reshape(-1, size, columns.shape[1]).swapaxes(1, 2)  # (blocks, targets, size)
        blocks = (blocks - self.center) / self.noise
        return blocks.reshape(-1, size), ((blocks.shape[0], *values.shape[1:]), blocks.shape, values.shape)

    def _unblocked(self, rows, back):
        _, split, shape = back
        return (rows.reshape(split) * self.noise + self.center).swapaxes(1, 2).reshape(shape)


def _parts(rows):
    """Slices of rows whose Hessians fit into a bounded amount of memory."""
    size = max(1, _CHUNK // rows.shape[1] ** 2)
    return [slice(start, start + size) for start in range(0, len(rows), size)]


def _preimages(network, targets, share):
    """Solve ``(1 - share) f(y) + share y = v`` for each row v of `targets`; the y, and for which rows that was possible.

    Newton's method on ``(1 - share) psi(y) + share ||y||^2 / 2 - <v, y>``, damped row by row.
    """
    with single_threaded_blas(), np.errstate(over="ignore", invalid="ignore"):
        points, scale = targets.copy(), 1.0 + np.linalg.norm(targets, axis=1)
        residual, value = _equation(network, points, targets, share)
        for _ in range(_NEWTON):
            open_rows = np.flatnonzero(np.linalg.norm(residual, axis=1) > _SOLVED * scale)
            if not open_rows.size:
                break
            here, goal = points[open_rows], targets[open_rows]
            step = _newton_step(network, here, residual[open_rows], share)
            slope = np.sum(step * residual[open_rows], axis=1)
            length, waiting = np.ones(len(here)), np.arange(len(here))
            for _ in range(_HALVINGS):
                tried = here[waiting] - length[waiting, None] * step[waiting]
                left, reached = _equation(network, tried, goal[waiting], share)
                rows = open_rows[waiting]
                rounding = 1e-15 * scale[rows] ** 2
                good = reached <= value[rows] - 1e-4 * length[waiting] * slope[waiting] + rounding
                points[rows[good]], residual[rows[good]], value[rows[good]] = tried[good], left[good], reached[good]
                waiting = waiting[~good]
                if not waiting.size:
                    break
                length[waiting] *= 0.5
        left = np.linalg.norm(residual, axis=1)
    return points, (left <= _FOUND * scale) & np.isfinite(left)


def _equation(network, points, targets, share):
    """What is left of the equation, and the function whose gradient it is."""
    trace = network.trace(points)
    left = (1.0 - share) * network.gradient_of(trace) + share * points - targets
    value = (1.0 - share) * network.value_of(trace) + np.sum(points * (0.5 * share * points - targets), axis=1)
    return left, value


def _newton_step(network, points, residual, share):
    """Newton's step with a ridge that falls with the residual: where the network is flat, a plain gradient step."""
    hessian = (1.0 - share) * network.hessian_of(network.trace(points))
    ridge = share + _RIDGE * np.minimum(np.linalg.norm(residual, axis=1), 1.0 if share == 0.0 else share)
    hessian += ridge[:, None, None] * np.eye(points.shape[1])
    return np.linalg.solve(hessian, residual[:, :, None])[:, :, 0]
