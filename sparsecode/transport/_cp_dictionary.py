"""Dictionaries of distributions on a grid, whose atoms are products of one distribution an axis, fitted in Wasserstein distance.

    minimise over U^(1), ..., U^(d), codes    sum_j W_reg(x_j, y_j),    y_j = sum_r codes_jr  U^(1)_r (x) ... (x) U^(d)_r

with the columns of every factor U^(k) (I_k, R) and the rows of the codes (N, R) on the simplex, and ``W_reg(x, y)`` the least
``<C, P> + reg sum P (log P - 1)`` of plans between x and y. Each block (a factor, the codes) enters y linearly; block coordinate
descent with proximal regularisation solves ``min over V: sum_j W_reg(x_j, A(V)_j) + rho/2 |V - V_old|^2`` through its smooth dual

    min over G    sum_j H_j(g_j) + R(-A'G),      H_x(g) = reg <x, log(K exp(g / reg))> + const,   K = exp(-C / reg)
    V(G) = projection of V_old - A'G / rho on simplices,       gradient   exp(g / reg) K'(x / K exp(g / reg)) - A(V(G))

which ends when a rigorous bound on the duality gap is small beside ``rho |V - V_old|^2``. Strengths are given for the mean of the
distances over signals, so that more signals of the same kind change nothing. The certificate of factors and codes takes one such step of
every block from that very point, with a strength of its own: ``rho |V - V_old|``, a bound on the gap included, is zero only where no
block has a direction of descent.

Kwon and Lyu, "Complexity of block coordinate descent with proximal regularization and applications to Wasserstein CP-dictionary
learning", 2023 (arXiv 2306.02420).
"""

from __future__ import annotations

from functools import reduce
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import minimize
from scipy.special import xlogy

from .._parallel import single_threaded_blas
from ..result import SolveResult
from ..solvers.certificates import Certificate
from ..solvers.driver import State, drive
from ..solvers.unmixing import onto_simplex

__all__ = [
    "Codes",
    "Factor",
    "Fit",
    "GridDistance",
    "block_step",
    "codes_of",
    "learn_factors",
    "on_simplex",
    "product_atoms",
    "stationarity",
]

_SHARE = 0.1  # of rho |V - V_old|^2 that the duality gap of a block may be
_STEPS, _SOON, _LATER = (
    1000,
    5,
    25,
)  # of L-BFGS in a block; between looks at the gap, and after a look that cost a proof
_SWEEPS = 20  # that may polish a plan for the proof of a gap
_TINY = 1e-300
_REFERENCE = 1.0  # strength of the certificate's steps: the largest cost, so that no point is near by its weakness
_NEAR, _OFTEN = 2.0, 10  # a certificate is due where a sweep moves less than so many tolerances, and after so many


def on_simplex(block):
    """The nearest block whose columns hold numbers that are not negative and sum to one."""
    return onto_simplex(block.T).T


def product_atoms(factors):
    """Atoms (R, I) from factors (I_k, R)."""
    outer = reduce(lambda left, right: (left[:, None, :] * right[None, :, :]).reshape(-1, left.shape[1]), factors)
    return np.ascontiguousarray(outer.T)


class GridDistance:
    """The distances of signals X (N, I) on a grid whose cost is a sum over axes, with a largest cost of one."""

    def __init__(self, X, axes, reg):
        self.X, self.axes, self.reg = X, axes, reg
        self.grid = tuple(axis.shape[0] for axis in axes)
        self.kernels = [np.exp(-axis / reg) for axis in axes]
        self.entropy = reg * (float(np.sum(xlogy(X, X))) - X.shape[0])

    def smooth(self, values):
        """K times each row, an axis at a time."""
        made = values
        for kernel in self.kernels:  # symmetric; the last axis goes first, and comes back in front of the others
            made = np.swapaxes(made.reshape(values.shape[0], kernel.shape[0], -1), 1, 2) @ kernel
        return made.reshape(values.shape)

    def cost_between(self, left, right):
        """``sum_j <left_j, C right_j>``; of each axis only the marginals count."""
        left, right = left.reshape(-1, *self.grid), right.reshape(-1, *self.grid)
        total = 0.0
        for k, axis in enumerate(self.axes):
            others = tuple(other for other in range(1, len(self.grid) + 1) if other != k + 1)
            one, two = left.sum(axis=others), right.sum(axis=others)
            total += float(np.sum(one @ axis * two))
        return total

    def conjugate(self, G):
        """``sum_j H_j(g_j)``, its gradient, and what the plan is made of: ``exp(g / reg)`` and ``K exp(g / reg)``, scaled alike."""
        top = G.max(axis=1, keepdims=True)
        lifted = np.exp((G - top) / self.reg)
        blurred = self.smooth(lifted)
        ratio = self.X / blurred
        value = self.reg * float(np.sum(self.X * np.log(blurred))) + float(np.sum(self.X * top)) - self.entropy
        return value, lifted * self.smooth(ratio), (lifted, blurred, top)

    def gap(self, G, Y, target):
        """A bound on ``sum_j W_reg(x_j, y_j) - <g_j, y_j> + H_j(g_j)``: within the target, or else as good as some sweeps make it.

        Sweeps of Sinkhorn's algorithm take the plan of g to the marginals; what they gain is a lower bound on the same number.
        """
        start, bound = None, np.inf
        for _ in range(_SWEEPS):
            made = self.conjugate(G)
            reached = float(np.sum(G * Y)) - made[0]
            start = reached if start is None else start
            if reached - start > target:
                return np.inf
            bound = min(bound, max(reached - start, 0.0) + self.excess(G, Y, made))
            if bound <= target:
                break
            G = G + self.reg * np.log(np.maximum(Y, _TINY) / np.maximum(made[1], _TINY))
        return bound

    def total(self, G, Y):
        """``sum_j W_reg(x_j, y_j)``, from above: the least that plans show, from the potentials G and after each of some sweeps."""
        value = np.inf
        for _ in range(_SWEEPS):
            made = self.conjugate(G)
            value = min(value, float(np.sum(G * Y)) - made[0] + self.excess(G, Y, made))
            G = G + self.reg * np.log(np.maximum(Y, _TINY) / np.maximum(made[1], _TINY))
        return value

    def excess(self, G, Y, made):
        """A bound on ``sum_j W_reg(x_j, y_j) - <g_j, y_j> + H_j(g_j)``, not below zero: from a plan with the marginals x_j and y_j.

        The plan of g has the marginals x and y'; cut to ``min(y / y', 1)`` and filled up by an outer product, it has x and y. The
        entropy of a sum is at most that of its parts and of the shares, so the outer product is never added to the plan.
        """
        value, reached, (lifted, blurred, top) = made
        with np.errstate(divide="ignore", invalid="ignore"):
            cut = np.where(reached > 0, np.minimum(Y / reached, 1.0), 1.0)
        kept = self.X / blurred * self.smooth(lifted * cut)  # row sums of the cut plan
        columns = reached * cut
        left, right = np.maximum(self.X - kept, 0.0), np.maximum(Y - columns, 0.0)
        lost = np.maximum(left.sum(axis=1), right.sum(axis=1))
        with np.errstate(divide="ignore", invalid="ignore"):
            scaled = np.where(kept > 0, np.log(np.where(self.X > 0, self.X, 1.0) / blurred), 0.0) - top / self.reg
            plan = (
                self.reg * float(np.sum(kept * scaled))
                + float(np.sum(columns * G))
                + self.reg * float(np.sum(xlogy(columns, cut)))
            )
            rest = np.where(lost[:, None] > 0, right / np.where(lost > 0, lost, 1.0)[:, None], 0.0)
        outer = self.cost_between(left, rest) + self.reg * float(
            np.sum(xlogy(left, left)) + np.sum(lost[:, None] * xlogy(rest, rest))
        )
        shares = -float(np.sum(xlogy(lost, lost) + xlogy(1.0 - lost, np.maximum(1.0 - lost, 1e-300))))
        upper = plan + outer + self.reg * (shares - self.X.shape[0])
        return max(upper - float(np.sum(G * Y)) + value, 0.0)

    def least(self):
        """``sum_j min over y of W_reg(x_j, y)``: that of the blurred signals, which no dictionary can go below."""
        return -self.conjugate(np.zeros_like(self.X))[0]


class Codes(NamedTuple):
    """The signals as a function of the codes, held as columns (R, N)."""

    atoms: np.ndarray  # (R, I)

    def apply(self, block):
        return block.T @ self.atoms

    def adjoint(self, G):
        return self.atoms @ G.T

    def units(self, n_signals):
        """Strength and length of steps in the sum over signals for those in the mean; each signal has codes of its own."""
        return 1.0, float(np.sqrt(n_signals))


class Factor(NamedTuple):
    """The signals as a function of one factor (I_k, R)."""

    k: int
    others: Any  # the other factors, in order
    codes: np.ndarray  # (R, N)
    grid: tuple

    def apply(self, block):
        factors = [*self.others[: self.k], block, *self.others[self.k :]]
        return self.codes.T @ product_atoms(factors)

    def adjoint(self, G):
        tensor = np.moveaxis(G.reshape(-1, *self.grid), self.k + 1, 1)
        tensor = tensor.reshape(G.shape[0], self.grid[self.k], -1)
        beside = product_atoms(self.others).T if self.others else np.ones((1, self.codes.shape[0]))
        return np.einsum("nir,rn->ir", tensor @ beside, self.codes)

    def units(self, n_signals):
        """Strength and length of steps in the sum over signals for those in the mean."""
        return float(n_signals), float(n_signals)


class Block(NamedTuple):
    """The outcome of a block: what minimises it, the potentials, and the bound on its duality gap."""

    block: np.ndarray
    G: np.ndarray
    gap: float


def block_step(distance, linear, block, G, rho, tol) -> Block:
    """Minimise the objective regularised by the distance from `block`; gaps that count less than `tol` are left."""
    floor = 0.05 * tol**2 / rho
    shape, best = distance.X.shape, [Block(block, G, np.inf)]
    wait = [_SOON]

    def dual(flat):
        G = flat.reshape(shape)
        value, reached, _ = distance.conjugate(G)
        pull = linear.adjoint(G)
        following = on_simplex(block - pull / rho)
        value -= float(np.sum(pull * following)) + 0.5 * rho * float(np.sum((following - block) ** 2))
        return value, (reached - linear.apply(following)).ravel()

    def enough(flat):
        G = flat.reshape(shape)
        following = on_simplex(block - linear.adjoint(G) / rho)
        target = max(_SHARE * rho * float(np.sum((following - block) ** 2)), floor)
        gap = distance.gap(G, linear.apply(following), target)
        if gap <= best[0].gap:
            best[0] = Block(following, G.copy(), gap)
        wait[0] = _LATER if np.isfinite(gap) else _SOON
        return gap <= target

    def callback(intermediate_result):
        wait[0] -= 1
        if wait[0] <= 0 and enough(intermediate_result.x):
            raise StopIteration

    if not enough(G.ravel()):
        options = {"maxiter": _STEPS, "maxfun": 2 * _STEPS, "ftol": 0.0, "gtol": 1e-14, "maxcor": 20}
        last = minimize(dual, G.ravel(), jac=True, method="L-BFGS-B", callback=callback, options=options)
        if not np.isfinite(best[0].gap):
            enough(last.x)
            if not np.isfinite(best[0].gap):  # far from done: the last point is the best there is
                G = last.x.reshape(shape)
                best[0] = Block(on_simplex(block - linear.adjoint(G) / rho), G, np.inf)
    return best[0]


class Fit(NamedTuple):
    """Where the sweeps are, and potentials from which those of this place are near."""

    factors: list
    codes: np.ndarray  # (R, N)
    G: np.ndarray


def _proximal(distance, linear, block, G, rho, tol):
    """A block's step, and a bound on rho times the length of the exact one, whose distance its gap bounds."""
    strength, size = linear.units(distance.X.shape[0])
    rho = rho * strength
    step = block_step(distance, linear, block, G, rho, tol * size)
    length = rho * float(np.linalg.norm(step.block - block)) + float(np.sqrt(2.0 * rho * step.gap))
    return step, length / size


def _factor(k, factors, codes, grid):
    return Factor(k, [*factors[:k], *factors[k + 1 :]], codes, grid)


def stationarity(distance, fit, tol) -> Certificate:
    """The longest step of any block from these factors and codes, none of which moves before the others; the objective there."""
    atoms = product_atoms(fit.factors)
    blocks = [(_factor(k, fit.factors, fit.codes, distance.grid), factor) for k, factor in enumerate(fit.factors)]
    blocks.append((Codes(atoms), fit.codes))
    lengths = [_proximal(distance, linear, block, fit.G, _REFERENCE, tol)[1] for linear, block in blocks]
    objective = distance.total(fit.G, fit.codes.T @ atoms)
    return Certificate(np.asarray(max(lengths)), np.asarray(objective), "stationarity", fit)


def _sweeps(distance, factors, codes, rho, tol):
    """Yield one state after another: a sweep takes every factor in turn, then the codes."""
    factors, G = list(factors), np.zeros_like(distance.X)
    yield State(Fit(list(factors), codes, G), certify=False)
    for sweep in count(1):
        longest = 0.0
        for k, factor in enumerate(factors):
            step, length = _proximal(distance, _factor(k, factors, codes, distance.grid), factor, G, rho, tol)
            factors[k], G, longest = step.block, step.G, max(longest, length)
        over = Codes(product_atoms(factors))
        step, length = _proximal(distance, over, codes, G, rho, tol)
        codes, G, longest = step.block, step.G, max(longest, length)
        # lengths rise with the strength, and steps become shorter
        near = min(1.0, _REFERENCE / rho) * longest <= _NEAR * tol
        yield State(Fit(list(factors), codes, G), certify=near or sweep % _OFTEN == 0, chosen=True)


def learn_factors(distance, factors, codes, rho, *, max_iter, tol, callback=None) -> SolveResult:
    """A `Fit` in `coef`, with its stationarity for a certificate."""
    with single_threaded_blas():
        return drive(
            _sweeps(distance, factors, codes, rho, tol),
            lambda fit: stationarity(distance, fit, tol),
            max_iter=max_iter,
            tol=tol,
            callback=callback,
        )


def codes_of(distance, atoms, rho, *, max_iter, tol):
    """Codes (R, N) over fixed atoms by proximal points, and how far from stationary they are."""
    linear, G = Codes(atoms), np.zeros_like(distance.X)
    codes = np.full((atoms.shape[0], distance.X.shape[0]), 1.0 / atoms.shape[0])
    length = np.inf
    with single_threaded_blas():
        for _ in range(max_iter):
            step, length = _proximal(distance, linear, codes, G, rho, tol)
            codes, G = step.block, step.G
            if length <= tol:
                break
    return codes, length
