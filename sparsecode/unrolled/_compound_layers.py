"""Layers of compound-Gaussian least squares, and their derivatives: a ridge regression, then steps in the textures.

Signals y = A c + noise, codes c = z u, textures z >= 0. With A of spectral norm one, h = A'(A(z u) - y) and m = max_n u_n^2,

    u <- (L + diag(z) A'A diag(z))^-1 diag(z) A'y                          the ridge regression, L diagonal
    d  = u h / m,  in a network shrunk to norm one where it is longer
    z <- max(0, prox(z - step d))           regulariser "prox": of step / m times the strength of half-normal or exponential textures
    z <- max(0, s + W(s)),  s = z - step d  regulariser "network"

The backward pass solves one more system with each matrix: for a slope g of u, q = H^-1 g, where H is the matrix of the ridge regression.

Lyons, Raj and Cheney, "Deep regularized compound Gaussian network for solving linear inverse problems", 2024 (arXiv 2311.17248).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._array import divisor

__all__ = ["CompoundLayers", "code_shape", "typical_entry"]

_BOUND = 1.0  # of the textures at the start
_ROWS = 64  # signals whose matrices are in memory together


class CompoundLayers:
    """Layers with what is learned in them, `arrays`; in double precision but for the networks.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        A transposed, of spectral norm one.
    ridge : float
        The diagonal of L: variance of the noise over that of u.
    shape : tuple of int
        Layers, and texture steps in each.
    texture : {"half-normal", "exponential"}
        What the strengths are those of.
    networks : ResidualNetworks, optional
        In place of the prox.
    trains_ridge : bool, default=False
        Whether the diagonal of L is learned.
    """

    def __init__(self, atoms, ridge, shape, texture, networks=None, trains_ridge=False):
        self.atoms, self.texture, self.networks, self.shape = atoms, texture, networks, shape
        self.strength = ridge  # of the textures: the prior of both factors counts alike
        self._ridge = np.full(atoms.shape[0], ridge)
        self.arrays = {"log_steps": np.zeros(shape)}
        if networks is None:
            self.arrays["log_strengths"] = np.full(shape, np.log(ridge))
        else:
            self.arrays |= networks.start(shape)
        if trains_ridge:
            self.arrays["log_ridge"] = np.log(self._ridge)
        squares = np.einsum("nm,nm->n", atoms, atoms)
        self._norms = np.where(squares > 0, squares, 1.0)
        self._gram = atoms @ atoms.T if atoms.shape[0] <= atoms.shape[1] else None

    @property
    def ridge(self):
        """The diagonal of L."""
        return np.exp(self.arrays["log_ridge"]) if "log_ridge" in self.arrays else self._ridge

    # ------------------------------------------------------------ forward

    def start(self, rows):
        """Textures that layers begin with: what each atom alone would have, up to a bound."""
        return np.minimum(np.abs(rows @ self.atoms.T) / self._norms, _BOUND)

    def run(self, rows, tape=None):
        """Textures and Gaussian factors (n, n_atoms) behind the last layer; `tape`, a list, gets what `slopes` needs."""
        z = self.start(rows)
        for k in range(self.shape[0]):
            u, begun, steps = self.gaussian(z, rows), z, []
            for j in range(self.shape[1]):
                step = self.step(z, u, rows, (k, j), tape is not None)
                z = step.after
                steps.append(step)
            if tape is not None:
                tape.append((begun, u, steps))
        return z, self.gaussian(z, rows)

    def gaussian(self, z, rows):
        """The ridge regression for given textures."""
        if self._gram is not None:
            return self._solve(z, z * (rows @ self.atoms.T))
        weights = z / self.ridge
        return weights * (self._of_rows(z * weights, rows) @ self.atoms.T)

    def _solve(self, z, right):
        """H^-1 of the right sides, H = L + diag(z) A'A diag(z), by the smaller of two systems."""
        if self._gram is None:
            found = right / self.ridge
            return found - (z / self.ridge) * (
                self._of_rows(z * z / self.ridge, (z * found) @ self.atoms) @ self.atoms.T
            )
        found = np.empty_like(right)
        for start in range(0, len(z), _ROWS):
            part = slice(start, start + _ROWS)
            matrices = z[part, :, None] * self._gram * z[part, None, :]
            matrices[:, *np.diag_indices(z.shape[1])] += self.ridge
            found[part] = np.linalg.solve(matrices, right[part, :, None])[:, :, 0]
        return found

    def _of_rows(self, weights, right):
        """(I + A diag(weights) A')^-1 of the right sides (n, n_features)."""
        found = np.empty_like(right)
        for start in range(0, len(right), _ROWS):
            part = slice(start, start + _ROWS)
            matrices = (self.atoms.T * weights[part, None, :]) @ self.atoms
            matrices[:, *np.diag_indices(right.shape[1])] += 1.0
            found[part] = np.linalg.solve(matrices, right[part, :, None])[:, :, 0]
        return found

    def step(self, z, u, rows, at, kept=False):
        """One texture step; `kept` for its derivatives."""
        length = np.exp(self.arrays["log_steps"][at])
        pull = ((z * u) @ self.atoms - rows) @ self.atoms.T
        largest = np.max(u * u, axis=1, keepdims=True)
        largest = np.where(largest > 0, largest, 1.0)
        direction = u * pull / largest
        factor: Any = 1.0
        if self.networks is not None:
            size = np.sqrt(np.einsum("ij,ij->i", direction, direction))[:, None]
            factor = np.where(size > 1.0, 1.0 / np.maximum(size, 1.0), 1.0)
        moved = z - length * factor * direction
        threshold, differentiate = 0.0, None
        if self.networks is not None:
            residual, differentiate = self.networks.run(self.arrays, at, moved, kept)
            after = moved + residual
        else:
            threshold = length * np.exp(self.arrays["log_strengths"][at]) / largest
            after = moved / (1.0 + threshold) if self.texture == "half-normal" else moved - threshold
        return _Step(
            z, np.where(after > 0, after, 0.0 * after), pull, largest, direction, factor, threshold, differentiate
        )

    # ------------------------------------------------------------ backward

    def slopes(self, tape, z, u, rows, of_z, of_u):
        """Derivatives by `arrays`, for slopes by what `run` returned; those of u may be None."""
        found = {name: np.zeros_like(array) for name, array in self.arrays.items()}
        if of_u is not None:
            of_z = of_z + self._gaussian_slopes(z, u, rows, of_u, found)
        for k in range(self.shape[0])[::-1]:
            before, u, steps = tape[k]
            of_u = np.zeros_like(u)
            for j in range(self.shape[1])[::-1]:
                of_z, more = self._step_slopes(steps[j], u, (k, j), of_z, found)
                of_u += more
            of_z = of_z + self._gaussian_slopes(before, u, rows, of_u, found)
        return found

    def _gaussian_slopes(self, z, u, rows, of_u, found):
        """Slopes by the textures through the ridge regression."""
        q = self._solve(z, of_u)
        if "log_ridge" in found:
            found["log_ridge"] -= self.ridge * np.sum(q * u, axis=0)
        pull = (rows - (z * u) @ self.atoms) @ self.atoms.T
        return q * pull - u * (((z * q) @ self.atoms) @ self.atoms.T)

    def _step_slopes(self, step, u, at, of_after, found):
        """Slopes by z and u through a texture step."""
        length = np.exp(self.arrays["log_steps"][at])
        of_after = np.where(step.after > 0, of_after, 0.0)
        of_largest = np.zeros_like(step.largest)
        if self.networks is not None:
            of_network, of_arrays = step.differentiate(of_after)
            of_moved = of_after + of_network
            for name, slope in of_arrays.items():
                found[name] += slope
        else:
            if self.texture == "half-normal":
                of_moved = of_after / (1.0 + step.threshold)
                of_threshold = -np.sum(of_moved * step.after, axis=1, keepdims=True)
            else:
                of_moved, of_threshold = of_after, -np.sum(of_after, axis=1, keepdims=True)
            through = of_threshold * step.threshold
            found["log_strengths"][at] += np.sum(through)
            found["log_steps"][at] += np.sum(through)
            of_largest -= through / step.largest
        shrunk = step.factor * step.direction
        found["log_steps"][at] -= length * np.sum(of_moved * shrunk)
        of_direction = -length * of_moved
        if self.networks is not None:
            along = np.sum(shrunk * of_direction, axis=1, keepdims=True)
            of_direction = step.factor * np.where(step.factor < 1.0, of_direction - shrunk * along, of_direction)
        of_largest -= np.sum(of_direction * step.direction, axis=1, keepdims=True) / step.largest
        scaled = of_direction / step.largest
        of_product = ((scaled * u) @ self.atoms) @ self.atoms.T
        of_u = scaled * step.pull + step.before * of_product
        top = np.argmax(u * u, axis=1)[:, None]
        of_top = np.take_along_axis(of_u, top, 1) + 2.0 * np.take_along_axis(u, top, 1) * of_largest
        np.put_along_axis(of_u, top, of_top, 1)
        return of_moved + u * of_product, of_u

    # ------------------------------------------------------------ losses

    def objective(self, z, u, rows):
        """``||y - A (z u)||^2 / 2 + u'L u / 2 + strength * r(z)``, its sum over signals, and its slopes by z."""
        misfit = (z * u) @ self.atoms - rows
        prior, of_prior = (0.5 * z * z, z) if self.texture == "half-normal" else (z, np.ones_like(z))
        value = 0.5 * np.sum(misfit * misfit) + 0.5 * np.sum(self.ridge * u * u) + self.strength * np.sum(prior)
        return float(value), u * (misfit @ self.atoms.T) + self.strength * of_prior

    def loss(self, rows, truth=None, slopes=False):
        """The sum over signals of the absolute error of codes, or of the objective; with `slopes` its derivatives too."""
        tape = [] if slopes else None
        z, u = self.run(rows, tape)
        if truth is None:  # u minimises the objective: only z has slopes
            value, of_z = self.objective(z, u, rows)
            of_u = None
        else:
            error = z * u - truth
            value, sign = float(np.sum(np.abs(error))), np.sign(error)
            of_z, of_u = sign * u, sign * z
        return (value, self.slopes(tape, z, u, rows, of_z, of_u)) if slopes else value


class _Step(NamedTuple):
    """A texture step, as its derivatives need it."""

    before: Any
    after: Any
    pull: Any
    largest: Any
    direction: Any
    factor: Any
    threshold: Any
    differentiate: Any


def typical_entry(X, atoms):
    """Median, over signals that are not zero, of the largest entry that an atom alone would have; one if there are none."""
    atoms = atoms.astype(np.float64)
    squares = np.einsum("nm,nm->n", atoms, atoms)
    alone = np.abs(X.astype(np.float64) @ atoms.T) / divisor(squares)
    largest = np.max(alone, axis=1)
    return float(np.median(largest[largest > 0])) if np.any(largest > 0) else 1.0


def code_shape(image_shape, n_atoms):
    """The axes along which convolutions of a code go: its own, or height and width."""
    if image_shape is None:
        return (n_atoms,)
    shape = tuple(int(size) for size in image_shape)
    if len(shape) != 2 or min(shape) < 1 or np.prod(shape) != n_atoms:
        raise ValueError(
            f"image_shape is {image_shape}; expected height and width of a code, whose product is n_components={n_atoms}."
        )
    return shape
