"""Least squares on a support: the step that greedy and thresholding solvers share.

    minimise over z   ||y - A_S z||**2

`make_support_fit` picks the form that suits the design:

* explicit columns: the Gram matrix of all columns met so far, which only ever grows, and a Cholesky factor of its block;
* matrix-free: conjugate gradients on the normal equations from the coefficients at hand, two products a step;
* arrays outside NumPy: one stack of small systems for all targets, gathered from a shared Gram matrix.

Supports are masks: (n_features,) for one target or one support for all of them, (n_features, n_targets) for one each.
"""

from __future__ import annotations

import numpy as np
from scipy.linalg.lapack import get_lapack_funcs
from scipy.optimize import nnls

from .._array import as_double, asarray_like, conj, device, sq_norm, to_numpy
from .._parallel import blas_for_system
from ..designs import CenteredDesign, DenseDesign, GramDesign
from .certificates import column_norms, inverse_norms
from .factor import FollowingFactor
from .free_fit import gram_root
from .gram import GrowingGram

__all__ = ["make_support_fit"]

_MAX_GRAM = 8192  # columns whose Gram matrix (512 MiB) is still kept
_ILL = 1e-8  # squared distances of unit columns to the span of others: below, a factorisation of the columns is safer
_ILL_SINGLE = 1e-5  # the same where the columns themselves are known to single precision
_RIDGE = 1e-12
_CG_STEPS = 500
_MANY, _SMALL = 16, 64  # from so many targets on, of supports up to that size, stacks of systems beat one call each
_STACK = 1 << 20  # entries of a stack


def make_support_fit(problem, *, positive=False):
    """A callable ``fit(mask, coef, accuracy=0.0) -> coef``: least squares on the mask, zero elsewhere.

    Parameters
    ----------
    problem : Problem
        Design and target; its loss is the squared one, its rows are not weighted.
    positive : bool, default=False
        Whether coefficients must not be negative (real data; an operator is asked for the columns of the supports).
    """
    design = problem.design
    base = design.base if isinstance(design, CenteredDesign) else design
    if not design.is_numpy:
        return (
            StackedFit(problem, positive=positive) if positive or design.shape[1] <= _MAX_GRAM else KrylovFit(problem)
        )
    if positive:
        return ExplicitFit(problem, positive=True)
    return KrylovFit(problem) if base.is_matrix_free else ExplicitFit(problem)


class ExplicitFit:
    """Least squares by Cholesky's factor of ``A_S^H A_S``, in double precision; on NumPy designs that hold columns.

    Columns are brought to unit norm first, so that their scale does not matter. Dependent ones get the coefficients of least
    norm there, and `is_ill` then says so.
    """

    is_exact = True  # whatever the accuracy asked for
    is_ill = False  # whether columns of the last supports were nearly dependent

    def __init__(self, problem, *, positive=False):
        self.problem, self.positive = problem, positive
        self.design = problem.in_double().design
        self.gram = GrowingGram(self.design)
        self.factor = FollowingFactor(problem.n_features)
        self.norms = np.sqrt(self.design.column_sq_norms() / problem.n_samples)
        self.norms = np.where(self.norms > 0, self.norms, 1.0)
        self.place = np.full(problem.n_features, -1)  # of each column in the cache

    def __call__(self, mask, coef=None, accuracy=0.0):
        """Coefficients (n_features, ...) on the mask; `coef` and `accuracy` serve inexact forms."""
        problem = self.problem
        wanted = problem.in_double().at_zero().correlation
        self.is_ill = False
        new = np.zeros(problem.shape, dtype=wanted.dtype)
        if mask.ndim == 1:
            support = np.flatnonzero(mask)
            if not self._followed(support, wanted, new):
                new[support] = self._solve(support, wanted[support], problem.target)
        else:
            for p in self._stacked(mask, wanted, new):
                support = np.flatnonzero(mask[:, p])
                new[support, p] = self._solve(support, wanted[support, p], problem.target[:, p])
        with np.errstate(over="ignore"):  # single precision may have no number so large
            return new.astype(problem.target.dtype, copy=False)

    def columns(self, support):
        """The design of these columns alone, from those kept for the fits; None where they are not."""
        if isinstance(self.design, GramDesign) or not self._admit(support):
            return None
        return DenseDesign(self.gram.columns(self.place[support]))

    def _followed(self, support, wanted, new):
        """Solve by updating the factor of the support before, into `new`; False where that does not pay or is not safe."""
        if self.positive or not self._admit(support) or not self.factor.follow(support, self._unit_gram):
            return False
        pivot = self.factor.least_pivot()
        if pivot <= _ILL:
            return False
        self.is_ill = self.is_ill or pivot <= _level(self.problem)
        members = self.factor.members
        size = self.norms[members]
        new[members] = (self.factor.solve((wanted[members].T / size).T).T / size).T
        return True

    def _unit_gram(self, left, right):
        """Inner products of columns brought to unit norm."""
        gram = self.gram.matrix[np.ix_(self.place[left], self.place[right])]
        return gram / (self.norms[left][:, None] * self.norms[right])

    def _stacked(self, mask, wanted, new):
        """Solve for many targets of small supports in stacks, into `new`; returns the targets that are left."""
        counts = np.count_nonzero(mask, axis=0)
        depth = int(np.max(counts))
        members = np.flatnonzero(np.any(mask, axis=1))
        if self.positive or mask.shape[1] < _MANY or not 0 < depth <= _SMALL or not self._admit(members):
            return range(mask.shape[1])
        targets, features = np.nonzero(mask.T)
        slots = np.arange(targets.size) - np.repeat(np.cumsum(counts) - counts, counts)
        order = np.full((mask.shape[1], depth), members[0])
        order[targets, slots] = features
        used = np.arange(depth) < counts[:, None]
        left = []
        block = max(1, _STACK // depth**2)
        for start in range(0, mask.shape[1], block):
            part = slice(start, start + block)
            where, inside = self.place[order[part]], used[part]
            gram = self.gram.matrix[where[:, :, None], where[:, None, :]]
            gram = np.where(inside[:, :, None] & inside[:, None, :], gram, np.eye(depth))
            right = np.where(inside, np.take_along_axis(wanted.T[part], order[part], axis=1), 0.0)
            values, pivot = _stacked_solve(self.problem.xp, gram.astype(right.dtype, copy=False), right[:, :, None])
            rows, columns = np.nonzero(inside)
            new[order[part][rows, columns], start + rows] = values[rows, columns, 0]
            left.extend((start + np.flatnonzero(pivot <= _ILL)).tolist())
        return left

    def _admit(self, support):
        """Whether the Gram matrix of all columns met can hold these too; then it does."""
        new = support[self.place[support] < 0]
        if self.gram.size + new.size > _MAX_GRAM:
            return False
        if new.size:
            self.place[new] = np.arange(self.gram.size, self.gram.size + new.size)
            self.gram.grow(new)
        return True

    def _solve(self, support, wanted, target):
        if support.size == 0:
            return wanted
        gram = self._gram_of(support)
        size = np.sqrt(np.diagonal(gram).real)
        size = np.where(size > 0, size, 1.0)
        gram /= size[:, None] * size
        return (self._solve_unit(support, gram, (wanted.T / size).T, target, size).T / size).T

    def _solve_unit(self, support, gram, wanted, target, size):
        """The same for columns divided by `size`, the norms that make the diagonal of their Gram matrix one."""
        if self.positive:
            return _nonnegative(gram, wanted)
        (factorise, solve) = get_lapack_funcs(("potrf", "potrs"), (gram, wanted))
        with blas_for_system(support.size):
            factor, failed = factorise(gram, lower=1, clean=0)
            pivot = 0.0 if failed else np.min(np.abs(np.diagonal(factor))) ** 2
            self.is_ill = self.is_ill or pivot <= _level(self.problem)
            if pivot > _ILL:
                return solve(factor, wanted, lower=1)[0]
        return self._carefully(support, gram, wanted, target, size)

    def _gram_of(self, support):
        """``A_S^H A_S / n_samples``, of the caller's own."""
        if not self._admit(support):
            return np.asfortranarray(self.design.gram(support) / self.problem.n_samples)
        where = self.place[support]
        return conj(self.gram.matrix.T[np.ix_(where, where)])  # in LAPACK's order, without a copy

    def _carefully(self, support, gram, wanted, target, size):
        """The fit of least norm, from the columns themselves where there are any."""
        if isinstance(self.design, GramDesign):
            return _pseudo_solve(np, gram[None], wanted.reshape(1, support.size, -1)).reshape(wanted.shape)
        return np.linalg.lstsq(self.design.columns(support) / size, as_double(target))[0]


def _level(problem):
    """Squared distance to the span of others at which a unit column counts as nearly dependent."""
    return _ILL_SINGLE if problem.xp.finfo(problem.target.dtype).eps > 1e-10 else _ILL


def _nonnegative(gram, wanted):
    """``min ||A z - y||^2`` over z >= 0 from the normal equations, through a square root of the Gram matrix."""
    matrix, right = gram_root(gram, wanted)
    if wanted.ndim == 1:
        return nnls(matrix, right)[0]
    return np.stack([nnls(matrix, column)[0] for column in right.T], axis=1)


class KrylovFit:
    """Least squares by conjugate gradients on the normal equations of unit columns, all targets in step; on any design.

    It may end short of the accuracy asked for, after so many steps: the certificate of the caller shows it.
    """

    is_exact = False
    is_ill = False  # nobody knows

    def __init__(self, problem):
        self.problem = problem
        self.eps = float(problem.xp.finfo(problem.target.dtype).eps)
        self.inverse = inverse_norms(column_norms(problem, problem.target))

    def __call__(self, mask, coef=None, accuracy=0.0):
        """Coefficients (n_features, ...) on the mask, from `coef`.

        Ends when the gradient on the support, of unit columns, is `accuracy` of that of zero coefficients, or rounding.
        """
        problem, xp = self.problem, self.problem.xp
        mask = mask if mask.ndim == problem.target.ndim else mask[:, None]
        coef = problem.start() if coef is None else coef

        def inside(gradient):
            return xp.where(mask, self.inverse * gradient, 0 * gradient)

        coef = xp.where(mask, coef, 0 * coef)
        image = problem.image(coef)
        gradient = inside(-problem.gradient(image))
        direction = gradient
        size = to_numpy(sq_norm(gradient))
        scale = to_numpy(sq_norm(inside(problem.at_zero().correlation)))
        goal = max(accuracy, 4 * self.eps) ** 2 * scale
        for _ in range(_CG_STEPS):
            active = size > goal
            if not np.any(active):
                break
            root = np.sqrt(size)
            shrink = np.divide(1.0, root, out=np.zeros_like(root), where=active)  # products underflow else
            unit = self.inverse * (self._number(shrink) * direction)
            along = problem.image(unit)
            bend = to_numpy(problem.image_sq_norm(unit, along)) / problem.n_samples
            length = np.divide(root, bend, out=np.zeros_like(bend), where=active & (bend > 0))
            coef = coef + self._number(length) * unit
            gradient = gradient - self._number(length) * inside(problem.gradient_change(along))
            before, size = size, to_numpy(sq_norm(gradient))
            turn = np.divide(size, before, out=np.zeros_like(size), where=active & (before > 0))
            direction = gradient + self._number(turn) * direction
        return coef

    def _number(self, values):
        return asarray_like(np.asarray(values), self.problem.target, dtype=self.problem.target.dtype)


class StackedFit:
    """Least squares for all targets at once, from one Gram matrix of all columns; on dense arrays of any namespace."""

    is_exact = True
    is_ill = False

    def __init__(self, problem, *, positive=False):
        self.problem, self.positive = problem, positive
        wide = problem.in_double()
        self.correlation = wide.at_zero().correlation
        everything = np.arange(problem.n_features)
        self.gram = wide.design.gram(everything) / problem.n_samples

    def __call__(self, mask, coef=None, accuracy=0.0):
        """Coefficients (n_features, ...) on the mask; `coef` and `accuracy` serve inexact forms."""
        problem, xp = self.problem, self.problem.xp
        n_features = problem.n_features
        rows = mask[None, :] if mask.ndim == 1 else mask.T  # one support a row
        depth = int(xp.max(xp.count_nonzero(rows, axis=1)))
        self.is_ill = False
        if depth == 0:
            return problem.start()
        order = xp.argsort(xp.astype(~rows, xp.int64), axis=1, stable=True)[:, :depth]
        used = xp.take_along_axis(xp.astype(rows, xp.int64), order, axis=1) > 0
        flat = xp.reshape(order[:, :, None] * n_features + order[:, None, :], (-1,))
        gram = xp.reshape(xp.take(xp.reshape(self.gram, (-1,)), flat), (rows.shape[0], depth, depth))
        both = used[:, :, None] & used[:, None, :]
        eye = xp.eye(depth, dtype=gram.dtype, device=device(gram))[None, :, :] + 0 * gram
        gram = xp.where(both, gram, eye)
        wanted = self.correlation if self.correlation.ndim == 2 else self.correlation[:, None]
        joint = rows.shape[0] == 1
        right = (
            xp.take(wanted, order[0, :], axis=0)[None, :, :]
            if joint
            else (xp.take_along_axis(wanted.T, order, axis=1)[:, :, None])
        )
        right = xp.where(used[:, :, None], right, 0 * right)
        gram = xp.astype(gram, right.dtype, copy=False)  # a complex target on a real design
        values, least = _stacked_solve(xp, gram, right, self.positive)
        self.is_ill = bool(xp.any(least <= _level(problem)))
        values = values[0, :, :] if joint else values[:, :, 0].T  # (depth, P)
        return self._scattered(values, order, used)

    def _scattered(self, values, order, used):
        xp, problem = self.problem.xp, self.problem
        n_targets = values.shape[1]
        index = xp.arange(problem.n_features, dtype=order.dtype, device=device(order))[:, None]
        coef = xp.zeros((problem.n_features, n_targets), dtype=values.dtype, device=device(values))
        for q in range(order.shape[1]):
            here = (index == order[:, q][None, :]) & used[:, q][None, :]
            coef = xp.where(here, values[q, :][None, :], coef)
        coef = xp.astype(coef, problem.target.dtype)
        return coef[:, 0] if problem.target.ndim == 1 else coef


def _stacked_solve(xp, gram, right, positive=False):
    """Solve a stack of Hermitian systems, brought to a unit diagonal; and how near each is to a singular one (a squared pivot).

    Those that are too near are solved by the pseudo-inverse.
    """
    size = xp.sqrt(xp.abs(xp.linalg.diagonal(gram)))
    size = xp.where(size > 0, size, xp.ones_like(size))
    gram = gram / xp.astype(size[:, :, None] * size[:, None, :], gram.dtype)
    size = xp.astype(size, gram.dtype)[:, :, None]
    right = right / size
    pivot = _least_pivots(xp, gram)
    if positive:
        pairs = zip(to_numpy(gram), to_numpy(right), strict=True)
        stack = [_nonnegative(*pair) for pair in pairs]
        return asarray_like(np.stack(stack), right) / size, pivot
    poor = np.flatnonzero(to_numpy(pivot) <= _ILL)
    if poor.size == 0:
        return xp.linalg.solve(gram, right) / size, pivot
    bad = pivot <= _ILL
    eye = xp.eye(gram.shape[-1], dtype=gram.dtype, device=device(gram))
    values = xp.linalg.solve(xp.where(bad[:, None, None], eye[None, :, :], gram), right)
    index = asarray_like(poor, gram, dtype=xp.int64)
    least_norm = _pseudo_solve(xp, xp.take(gram, index, axis=0), xp.take(right, index, axis=0))
    where = xp.cumulative_sum(xp.astype(bad, xp.int64)) - 1  # place of each poor system among them
    spread = xp.take(least_norm, xp.maximum(where, xp.zeros_like(where)), axis=0)
    return xp.where(bad[:, None, None], spread, values) / size, pivot


def _least_pivots(xp, gram):
    """Smallest squared pivot of Cholesky's factor of each matrix of unit diagonal; zero where there is no telling."""
    eye = xp.eye(gram.shape[-1], dtype=gram.dtype, device=device(gram))
    try:
        factor = xp.linalg.cholesky(gram + _RIDGE * eye)  # which even a singular matrix has
    except (np.linalg.LinAlgError, RuntimeError):
        return xp.zeros(gram.shape[0], dtype=xp.float64, device=device(gram))
    return xp.min(xp.abs(xp.linalg.diagonal(factor)), axis=1) ** 2


def _pseudo_solve(xp, gram, right):
    """Solutions of least norm of a stack of Hermitian systems."""
    values, vectors = xp.linalg.eigh(gram)
    keep = values > gram.shape[-1] * xp.finfo(values.dtype).eps * values[:, -1:]
    inverse = xp.where(keep, 1.0 / xp.where(keep, values, xp.ones_like(values)), xp.zeros_like(values))
    turned = conj(xp.matrix_transpose(vectors)) @ right
    return vectors @ (xp.astype(inverse, turned.dtype)[:, :, None] * turned)
