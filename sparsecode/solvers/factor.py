"""Cholesky's factor of ``A_S^H A_S`` that follows a support S as it changes, instead of being made anew.

Taking away a column costs ``2 (k - position)^2`` flops, adding d columns ``d k^2``, against ``k^3 / 3`` and a gather of ``k^2``
scattered numbers for a new factor, which however run at the speed of BLAS-3. Measured on one core, a deletion and an insertion
cost as much as a new factor divided by 11 for k = 200, by 40 for k = 500, by more beyond: hence the rule in `follow`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.linalg import LinAlgError, cholesky, get_lapack_funcs, solve_triangular

__all__ = ["FollowingFactor"]

_PAYS_FROM = 1000  # columns; below, a new factor costs less than the products with the design of one iteration
_SHARE = 16  # at most one column in so many may change


class FollowingFactor:
    """Factor of the Gram matrix of unit columns over `members`, in the order in which they came."""

    def __init__(self, n_features):
        self.members: Any = np.empty(0, dtype=np.int64)
        self._is_member = np.zeros(n_features, dtype=bool)
        self._factor: Any = None
        self._spare: Any = None

    def follow(self, support, gram):
        """Make it the factor of this support, where that costs less than a new one; whether it did.

        `gram(left, right)` is the matrix of inner products of unit columns.
        """
        if support.size < _PAYS_FROM:
            return False
        wanted = np.zeros_like(self._is_member)
        wanted[support] = True
        new = support[~self._is_member[support]]
        gone = np.flatnonzero(~wanted[self.members])
        try:
            if new.size + gone.size > support.size // _SHARE or self._factor is None:
                self._start(support, gram)
            else:
                self._delete(gone)
                self._append(new, gram)
        except LinAlgError:  # dependent columns, which others treat with care
            self._factor = None
            return False
        return True

    def least_pivot(self):
        """Smallest squared pivot: how near a column is to the span of those before it."""
        return float(np.min(np.diagonal(self._factor)[: self.members.size].real)) ** 2

    def solve(self, right):
        """``G^-1 right``, both over `members`."""
        size = self.members.size
        (potrs,) = get_lapack_funcs(("potrs",), (self._factor, right))
        return potrs(self._factor[:size, :size], right, lower=1)[0]

    def _start(self, support, gram):
        size = support.size
        factor = cholesky(gram(support, support), lower=True, check_finite=False)
        capacity = size + max(16, size // 4)
        self._factor = np.zeros((capacity, capacity), dtype=factor.dtype, order="F")
        self._factor[:size, :size] = factor
        self._spare = np.empty(capacity, dtype=factor.dtype)
        self._remember(support)

    def _delete(self, positions):
        from ..kernels.cholesky import delete_column  # compiles: only large supports pay for it

        members = self.members
        for position in positions[::-1]:
            delete_column(self._factor, members.size, position, self._spare)
            members = np.delete(members, position)
        self._remember(members)

    def _append(self, new, gram):
        old, size = self.members.size, self.members.size + new.size
        if new.size == 0:
            return
        if size > self._factor.shape[0]:
            self._start(np.concatenate([self.members, new]), gram)
            return
        cross = solve_triangular(
            self._factor[:old, :old], gram(self.members, new), lower=True, check_finite=False
        )  # L^-1 G_(members, new)
        self._factor[old:size, :old] = cross.conj().T
        left = gram(new, new) - cross.conj().T @ cross
        self._factor[old:size, old:size] = cholesky(left, lower=True, check_finite=False)
        self._remember(np.concatenate([self.members, new]))

    def _remember(self, members):
        self._is_member[:] = False
        self._is_member[members] = True
        self.members = members
