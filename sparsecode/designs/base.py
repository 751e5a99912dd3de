"""What a solver may ask of a design matrix, whatever its kind.

A design `A` of shape (n_samples, n_features) answers with products, columns and Gram matrices, so that no
solver ever asks what the matrix is made of.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from importlib import import_module
from typing import Any

import numpy as np

from .._array import as_double, asarray_like, is_complex, norm

__all__ = ["Design", "largest_eigenvalue"]

_BLOCK = 1 << 16  # entries of the columns that are centred together, which stay in the cache
_FEWEST = 4  # columns at least
_NOTHING = 1e-14  # share of the largest entry below which the bidiagonal form has come to its end
_FAILURE = 1e-4  # share of the starts for which a bound is none
_WIDER, _MOST, _LOOK = 1.1, 40, 3  # bound over Ritz value that is good enough, steps, steps between looks
_TIGHT = 1e-12  # excess of a bound that is none to speak of
_ROUNDINGS = 16.0


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

    def __getstate__(self):
        """What copies and processes are given: a module, the namespace, goes by its name."""
        return {name: value.__name__ if name == "xp" else value for name, value in self.__dict__.items()}

    def __setstate__(self, state):
        self.__dict__.update(state)
        if "xp" in state:
            self.xp = import_module(state["xp"])

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
        used = (coef if coef.ndim == 1 else coef.any(axis=1)).nonzero()[0]
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
        """An upper bound of the largest eigenvalue of ``A^H A``, as a rule within 10 % (`largest_eigenvalue`)."""
        if getattr(self, "_spectral", None) is None:
            self._spectral = largest_eigenvalue(self)
        return self._spectral


def largest_eigenvalue(design, mask=None):
    """Upper bound of the largest eigenvalue of ``A^H A``, of the columns in `mask` if it is given: Golub and Kahan's bidiagonal form.

    With t the largest eigenvalue, the product of its eigenvector and the start is at most one over the Lanczos polynomial at t. It is
    smaller than a length that is known for one random start in 10 000 only; where the polynomial has grown to one over that
    length, t is exceeded. Steps go on until that is within 10 % of the largest Ritz value, or for 40. No number is formed of larger
    size than A.

    Hochstenbach, "Probabilistic upper bounds for the matrix two-norm", 2013.
    """

    def inside(vector):
        return vector if mask is None else design.xp.where(mask, vector, 0 * vector)

    right = inside(design.vector(np.random.default_rng(0).standard_normal(design.shape[1])))
    rare = _FAILURE * np.sqrt(np.pi / (2.0 * design.shape[1])) * (np.sqrt(0.5) if is_complex(right) else 1.0)
    left: Any = 0.0
    diagonal, above = [], [float(norm(right))]
    while above[-1] > _NOTHING * max(diagonal, default=0.0):
        right = _over(right, above[-1])
        left = design.matvec(right) - (asarray_like(above[-1], left, dtype=left.dtype) * left if diagonal else 0.0)
        diagonal.append(float(norm(left)))
        if not diagonal[-1] > _NOTHING * max(diagonal):
            above.append(0.0)
            break
        left = _over(left, diagonal[-1])
        right = inside(design.rmatvec(left)) - asarray_like(diagonal[-1], right, dtype=right.dtype) * right
        above.append(float(norm(right)))
        if len(diagonal) >= _MOST or (len(diagonal) % _LOOK == 0 and _exceeds(diagonal, above, rare)[0] <= _WIDER):
            break
    if not any(diagonal):
        return 0.0
    wider, size = _exceeds(diagonal, above, rare)
    return (1.0 + _ROUNDINGS * float(design.xp.finfo(right.dtype).eps)) * wider * size**2


def _exceeds(diagonal, above, rare):
    """How far above the largest Ritz value the Lanczos polynomial is one over a length, as a factor; and that value's root."""
    from scipy.optimize import brentq

    diagonal, above = np.asarray(diagonal), np.asarray(above[1:])
    ritz = np.linalg.svd(np.diag(diagonal) + np.diag(above[:-1], 1), compute_uv=False)
    size = float(ritz[0])
    if not diagonal.all() or not above.all():
        return 1.0, size
    goal = float(np.sum(np.log(diagonal / size) + np.log(above / size))) - np.log(rare)
    roots = (ritz / size) ** 2

    def grown(log_excess):
        return float(np.sum(np.log((1.0 - roots) + np.exp(log_excess)))) - goal

    low, high = np.log(_TIGHT), 0.0
    if grown(low) >= 0:
        return 1.0 + _TIGHT, size
    while grown(high) < 0:
        high += 1.0
    return 1.0 + float(np.exp(brentq(grown, low, high, xtol=1e-3))) * 1.001, size


def _over(vector, size):
    return vector / asarray_like(size, vector, dtype=vector.dtype)
