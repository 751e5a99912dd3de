"""The row-whitened gradient ``A^+ r``: the least change of the coefficients that explains the residual r.

For unit columns, B = A D^-1/2 with D the squared column norms, and W = B B^H the Gram matrix of the rows,

    B^+ r = B^H W^+ r = (B^H B)^+ B^H r

Four forms: W factored once (few rows), B^H B factored once (fewer columns than rows, or a Gram design), or conjugate gradients
on either, in which every step gives a better answer and an estimate of its error. Where the rows are orthonormal one step on W is
exact; but a residual with a part outside the range of A, which tall designs leave, is none of its right-hand sides.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ..._array import array_namespace, as_double, asarray_like, dagger, norm, sq_norm, to_numpy
from ..._parallel import blas_for_system
from ...designs import CenteredDesign, DenseDesign, GramDesign
from ..certificates import column_norms, inverse_norms
from .setting import ratio

__all__ = ["ColumnGram", "KrylovColumns", "KrylovRows", "RowGram", "make_whitening"]

_FEW_ROWS = 1000  # up to so many for each target, factoring W costs less than the products that it saves
_MOST_ROWS = 8192
_BLOCK = 1024  # columns of A that meet at a time in W
_STEPS = 200
_LOST = 1e6
_SAFE = 1e12  # norms of columns up to that, or down to its inverse, leave single precision room for products
_DELAY = 4  # steps whose terms together stand for the error before them
_ILL = 1e-10  # pivots of the factor of W below this share of the largest: its null space is left out instead


def make_whitening(problem):
    """A callable ``whiten(residual) -> iterator of (B^+ residual, guess, bound)`` in the form that suits the design.

    `residual` is ``y - A coef``, or for `ColumnGram` ``A^H (y - A coef)``; `guess` estimates the norm of what is missing, one
    number a target, and `bound` does so from far enough back to be trusted.
    """
    design = problem.design
    base = design.base if isinstance(design, CenteredDesign) else design
    n_samples, n_features = design.shape
    if isinstance(design, GramDesign):
        return ColumnGram(problem)
    n_targets = problem.target.shape[1] if problem.target.ndim == 2 else 1
    if base.is_matrix_free or min(design.shape) > min(_FEW_ROWS * n_targets, _MOST_ROWS):
        return KrylovRows(problem) if n_samples < n_features else KrylovColumns(problem)
    return RowGram(problem) if n_samples < n_features else ColumnGram(problem)


class _Whitening:
    """Column norms, and products with B; `rank` is that of B, or what it may be at most."""

    takes_correlation = False  # instead of the residual

    def __init__(self, problem):
        self.problem = problem.in_double()
        xp = self.problem.xp
        scale = column_norms(self.problem, self.problem.target)
        if problem.penalty_weights is not None:  # excluded columns count as absent
            scale = xp.where(xp.isinf(self.problem.coef_weights), 0 * scale, scale)
        self.inverse = inverse_norms(scale)
        self.n_columns = int(np.count_nonzero(to_numpy(self.inverse)))
        self.n_rows = _rows_that_count(problem.design)
        self.rank = min(self.n_columns, self.n_rows)

    @property
    def largest_support(self):
        """How many columns may be fitted at most: with as many as B has dimensions, any target that can be fitted is."""
        return self.rank if self.rank == self.n_columns < self.n_rows else self.rank - 1

    def _adjoint(self, residual):
        return self.inverse * self.problem.design.rmatvec(residual)

    def _typed(self, gram):
        return self.problem.xp.astype(gram, self.problem.target.dtype, copy=False)  # complex for a complex target

    def _no_error(self):
        none = np.zeros(self.problem.target.shape[1:])
        return none, none


class RowGram(_Whitening):
    """W by Cholesky's factor, or without its null space (which centring gives it); both in double precision."""

    def __init__(self, problem):
        super().__init__(problem)
        self._solve, rank = _pseudo_inverse(self._typed(self._rows()))
        self.rank = min(self.rank, rank)

    def _rows(self):
        design, flat = self.problem.design, self.inverse.reshape(-1) if self.problem.design.is_numpy else None
        if flat is None:
            inverse = self.inverse if self.inverse.ndim == 1 else self.inverse[:, 0]
            unit = as_double(design.array) * inverse[None, :]
            return unit @ dagger(unit)
        total: Any = 0.0
        for start in range(0, design.shape[1], _BLOCK):
            chosen = np.arange(start, min(start + _BLOCK, design.shape[1]))
            unit = design.columns(chosen) * flat[chosen]
            total = total + unit @ unit.conj().T
        return total

    def __call__(self, residual):
        """The whitened gradient, exact at once."""
        yield self._adjoint(self._solve(residual)), *self._no_error()


class ColumnGram(_Whitening):
    """``B^H B`` without its null space."""

    takes_correlation = True

    def __init__(self, problem):
        super().__init__(problem)
        inverse = self.inverse if self.inverse.ndim == 1 else self.inverse[:, 0]
        gram = self.problem.design.gram(np.arange(problem.n_features))
        eps = float(problem.xp.finfo(problem.design.dtype).eps)  # a Gram matrix in single precision stays one
        self._solve, rank = _pseudo_inverse(self._typed(inverse[:, None] * gram * inverse[None, :]), eps)
        self.rank = min(self.rank, rank)

    def __call__(self, correlation):
        """The whitened gradient, exact at once."""
        yield self._solve(self.inverse * correlation), *self._no_error()


class _Krylov(_Whitening):
    """Products for conjugate gradients, all targets in step.

    A dense matrix is multiplied in single precision: what the thresholding compares needs no more, and the products are bound by
    memory.
    """

    def __init__(self, problem):
        super().__init__(problem)
        design = self.problem.design
        self._narrow = (
            _narrowed(design.array, self.inverse) if type(design) is DenseDesign and design.is_numpy else None
        )
        fewer = min(self.problem.n_samples, self.problem.n_features)
        self._most_steps = max(_STEPS, 2 * fewer if fewer <= _FEW_ROWS else 0)

    def _adjoint(self, residual):
        if self._narrow is None:
            return super()._adjoint(residual)
        matrix, inverse = self._narrow
        narrow = residual.astype(matrix.dtype)
        product = np.conj(np.conj(narrow).T @ matrix).T if narrow.dtype.kind == "c" else matrix.T @ narrow
        return inverse * product.astype(residual.dtype)

    def _forward(self, coef):
        if self._narrow is None:
            return self.problem.design.matvec(self.inverse * coef)
        matrix, inverse = self._narrow
        return (matrix @ (inverse * coef).astype(matrix.dtype)).astype(coef.dtype)

    def _number(self, values):
        return asarray_like(np.asarray(values), self.problem.target, dtype=self.problem.xp.float64)

    @staticmethod
    def _lengths(residual):
        """Norms of the residuals, one where they are zero: single precision has a short range, so solves start from length one."""
        length = np.asarray(to_numpy(norm(residual)))
        return np.where(length > 0, length, 1.0)


class KrylovRows(_Krylov):
    """Conjugate gradients on W: the squared error of ``B^H z`` falls by ``a_k ||rho_k||^2`` in the k-th step."""

    def __call__(self, residual):
        """Ever better whitened gradients, each at the price of one product with A and one with its adjoint."""
        length_of = self._lengths(residual)
        remaining = direction = residual / self._number(length_of)
        size = to_numpy(sq_norm(remaining))
        floor = (8 * np.finfo(np.float64).eps) ** 2
        found: Any = 0.0
        terms: list = []
        rates: list = []
        for _ in range(self._most_steps):
            along = self._adjoint(direction)
            step = np.where(size > floor, ratio(size, to_numpy(sq_norm(along))), 0.0)
            found = found + self._number(step) * along
            term = step * size  # what this step took from the squared error
            rates.append(ratio(term, terms[-1]) if terms else np.full_like(term, 0.5))
            terms.append(term)
            rate = np.clip(rates[-1], rates[-2] if len(rates) > 2 else 0.0, 0.99)  # the worse of two: they scatter
            guess = length_of * np.sqrt(term * rate / (1.0 - rate))
            yield self._number(length_of) * found, guess, length_of * np.sqrt(sum(terms[-_DELAY:]))
            if not np.any(term) or np.any(term > _LOST * terms[0]):  # the residual is not in the range of A
                return
            remaining = remaining - self._number(step) * self._forward(along)
            last, size = size, to_numpy(sq_norm(remaining))
            turn = np.where(last > floor, ratio(size, last), 0.0)
            direction = remaining + self._number(turn) * direction


class KrylovColumns(_Krylov):
    """Conjugate gradients for least squares: they see of the residual only what the columns can explain.

    The steps never turn back, so what is missing is no longer than all steps to come, whose lengths are taken to go on falling.
    """

    def __call__(self, residual):
        """Ever better whitened gradients, each at the price of one product with A and one with its adjoint."""
        length_of = self._lengths(residual)
        remaining = residual / self._number(length_of)
        descent = direction = self._adjoint(remaining)
        size = to_numpy(sq_norm(descent))
        floor = self.problem.n_features * (8 * np.finfo(np.float64).eps) ** 2
        found: Any = 0.0
        moves: list = []
        for _ in range(self._most_steps):
            along = self._forward(direction)
            step = np.where(size > floor, ratio(size, to_numpy(sq_norm(along))), 0.0)
            found = found + self._number(step) * direction
            moves.append(step * to_numpy(norm(direction)))
            rate = np.clip(ratio(moves[-1], moves[-2]) if len(moves) > 1 else np.full_like(step, 0.5), 0.0, 0.99)
            yield (
                self._number(length_of) * found,
                length_of * moves[-1] * rate / (1.0 - rate),
                length_of * sum(moves[-_DELAY:]),
            )
            if not np.any(step):
                return
            remaining = remaining - self._number(step) * along
            descent = self._adjoint(remaining)
            last, size = size, to_numpy(sq_norm(descent))
            turn = np.where(last > floor, ratio(size, last), 0.0)
            direction = descent + self._number(turn) * direction


def _narrowed(matrix, inverse):
    """The matrix in single precision and in its own order, and what is left to multiply its columns by to bring them to unit norm."""
    dtype = np.complex64 if matrix.dtype.kind == "c" else np.float32
    used = inverse[inverse > 0]
    if np.all((used > 1.0 / _SAFE) & (used < _SAFE)):
        return matrix.astype(dtype, order="K", copy=False), inverse
    unit = np.empty_like(matrix, dtype=dtype)  # single precision has a short range
    return np.multiply(matrix, inverse.reshape(1, -1), out=unit, casting="same_kind"), np.ones_like(inverse)


def _rows_that_count(design):
    """Rows but those of weight zero, less the one that centring takes."""
    if not isinstance(design, CenteredDesign):
        return design.shape[0]
    count = design.shape[0] if design.scale is None else int(np.count_nonzero(design.scale))
    return count - (design.mean is not None)


def _pseudo_inverse(gram, eps=0.0):
    """``solve(right) = gram^+ right`` for a Hermitian matrix of unit scale, factored once, and its rank.

    `eps` is the precision of its entries.
    """
    if isinstance(gram, np.ndarray):
        try:
            with blas_for_system(gram.shape[0]):
                factor = cho_factor(gram, lower=True)
            pivots = np.abs(np.diagonal(factor[0])) ** 2
            if np.min(pivots) > max(_ILL, gram.shape[0] * eps):
                return partial(_cho_solve, factor), gram.shape[0]
        except LinAlgError:
            pass  # its null space is left out below
    xp = array_namespace(gram)
    values, vectors = xp.linalg.eigh(gram)
    keep = values > gram.shape[0] * max(eps, float(xp.finfo(values.dtype).eps)) * xp.max(values)
    inverse = xp.where(keep, 1.0 / xp.where(keep, values, xp.ones_like(values)), xp.zeros_like(values))

    def solve(right):
        turned = dagger(vectors) @ right
        return vectors @ (turned * (inverse if right.ndim == 1 else inverse[:, None]))

    return solve, int(xp.count_nonzero(keep))


def _cho_solve(factor, right):
    with blas_for_system(factor[0].shape[0]):
        return cho_solve(factor, right)
