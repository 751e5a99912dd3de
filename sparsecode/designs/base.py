"""What a solver may ask of a design matrix, whatever its kind.

A design `A` of shape (n_samples, n_features) answers with products, columns and Gram matrices, so that no
solver ever asks what the matrix is made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from .._array import as_double, asarray_like, norm

__all__ = ["Design", "largest_eigenvalue"]

_BLOCK = 1 << 16  # entries of the columns that are centred together, which stay in the cache
_FEWEST = 4  # columns at least
_NOTHING = 1e-14  # share of the largest entry below which the bidiagonal form has come to its end


class Design(ABC):
    """A matrix `A` (n_samples, n_features) seen through the products that solvers need.

    Subclasses set `shape`, `dtype`, `xp` (array namespace) and `is_numpy`.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.designs import DenseDesign, Design
    >>> design = DenseDesign(np.diag([3.0, 4.0]))
    >>> isinstance(design, Design), design.normal(np.array([1.0, 1.0]))
    (True, array([ 9., 16.]))
    """

    shape: tuple[int, int]
    dtype: Any
    xp: Any
    is_numpy = True
    is_matrix_free = False
    few = 0.0  # share of the columns up to which `matvec_support` beats `matvec`

    @abstractmethod
    def vector(self, values):
        """NumPy values as a vector of this design's namespace, device and dtype."""

    @abstractmethod
    def matvec(self, coef):
        """``A @ coef`` for coef of shape (n_features,) or (n_features, n_targets)."""

    @abstractmethod
    def rmatvec(self, residual):
        """``A^H @ residual`` for residual of shape (n_samples,) or (n_samples, n_targets)."""

    @abstractmethod
    def columns(self, indices):
        """The chosen columns as a dense, Fortran-ordered array (n_samples, n_chosen) of the caller's own."""

    def select(self, indices):
        """The design of the chosen columns alone, of the same kind; None where that would not be cheaper."""
        return

    @abstractmethod
    def column_sq_norms(self):
        """Squared norms of all columns in float64, a NumPy array (n_features,); an operator may only estimate them."""

    def column_blocks(self, entries, fewest):
        """All columns in turn, as many at a time as have so many entries, or a fewest number: index arrays."""
        width = max(fewest, entries // max(1, self.shape[0]))
        return [np.arange(start, min(start + width, self.shape[1])) for start in range(0, self.shape[1], width)]

    def sq_norms_around(self, mean=None, scale=None):
        """Squared column norms of ``diag(scale) (A - 1 mean^T)`` in float64, of a NumPy design, a block of columns at a time."""
        norms = np.empty(self.shape[1])
        for block in self.column_blocks(_BLOCK, _FEWEST):
            columns = as_double(self.columns(block))
            if mean is not None:
                columns = np.subtract(columns, mean[block], out=columns)
            if scale is not None:
                columns = np.multiply(columns, scale[:, None], out=columns)
            norms[block] = np.sum(np.abs(columns) ** 2, axis=0)
        return norms

    def with_exact_norms(self) -> Design:
        """The same design, whose `column_sq_norms` are no estimates: an operator that does not know them computes them once.

        That costs as many products as it has rows or columns, whichever are fewer; a second call costs nothing.
        """
        return self

    @abstractmethod
    def in_double(self) -> Design:
        """The same design, answering in float64 or complex128: what certificates use."""

    def gram(self, left, right=None):
        """``A_left^H A_right`` (right = left by default) as a dense array."""
        first = self.columns(left)
        second = first if right is None else self.columns(right)
        return first.conj().T @ second

    def full_gram(self):
        """``A^H A`` of a NumPy design as a dense array, from a block of its columns at a time."""
        gram = np.empty((self.shape[1], self.shape[1]), dtype=self.dtype)
        for block in self.column_blocks(_BLOCK, _FEWEST):
            gram[:, block] = self.rmatvec(self.columns(block))
        return gram

    def matvec_support(self, values, indices):
        """``A[:, indices] @ values``: the product with a coefficient vector that is zero elsewhere."""
        return self.columns(indices) @ values

    def product(self, coef):
        """``A @ coef``, from the columns of its support alone where these are few."""
        if not self.is_numpy:
            return self.matvec(coef)
        used = np.flatnonzero(coef if coef.ndim == 1 else coef.any(axis=1))
        if used.size == 0:
            return np.zeros((self.shape[0], *coef.shape[1:]), dtype=np.result_type(self.dtype, coef.dtype))
        if not self.is_few(used.size):
            return self.matvec(coef)
        return self.matvec_support(coef[used], used)

    def is_few(self, count):
        """Whether so many columns alone are cheaper to multiply than all of them."""
        return 0 < count <= self.few * self.shape[1]

    def normal(self, coef):
        """``A^H A coef``."""
        return self.rmatvec(self.matvec(coef))

    def spectral_sq_norm(self) -> float:
        """An upper estimate of the largest eigenvalue of ``A^H A`` (widened by 5 %)."""
        if getattr(self, "_spectral", None) is None:
            self._spectral = largest_eigenvalue(self)
        return self._spectral


def largest_eigenvalue(design, mask=None, n_steps=12):
    """Upper estimate of the largest eigenvalue of ``A^H A``, of the columns in `mask` if it is given: Golub and Kahan's bidiagonal form.

    The estimates of so many steps fall short of it by about 1 %, hence the 5 %. No number is formed of larger size than A.
    """

    def inside(vector):
        return vector if mask is None else design.xp.where(mask, vector, 0 * vector)

    right = inside(design.vector(np.random.default_rng(0).standard_normal(design.shape[1])))
    left: Any = 0.0
    diagonal, above = [], [float(norm(right))]
    for _ in range(n_steps):
        if above[-1] <= _NOTHING * max(diagonal, default=0.0):
            break
        right = _over(right, above[-1])
        left = design.matvec(right) - (asarray_like(above[-1], left, dtype=left.dtype) * left if diagonal else 0.0)
        diagonal.append(float(norm(left)))
        if diagonal[-1] <= _NOTHING * max(diagonal):
            break
        left = _over(left, diagonal[-1])
        right = inside(design.rmatvec(left)) - asarray_like(diagonal[-1], right, dtype=right.dtype) * right
        above.append(float(norm(right)))
    steps = len(diagonal)
    form = np.zeros((steps, steps + 1))
    form[np.arange(steps), np.arange(steps)] = diagonal
    form[np.arange(len(above) - 1), np.arange(1, len(above))] = above[1:]
    return 1.05 * float(np.linalg.norm(form, 2)) ** 2 if steps else 0.0


def _over(vector, size):
    return vector / asarray_like(size, vector, dtype=vector.dtype)
