"""The sparse envelope, half the square of the k-support norm: the closest convex function to ridge on k-sparse vectors.

    value(w) = alpha/2 min { sum_j |w_j|**2 / u_j :  0 <= u_j <= 1, sum_j u_j <= k }

It is the convex envelope of ``alpha/2 ||w||**2`` over vectors of at most k non-zeros; for k = 1 it is ``alpha/2 ||w||_1**2``.

Argyriou, Foygel and Srebro, "Sparse prediction with the k-support norm", 2012 (arXiv 1204.5043).
Beck and Refael, "Sparse regularization via bidualization", 2022.
"""

from typing import NamedTuple

from ._checks import require
from .group_sparse_envelope import GroupSparseEnvelope

__all__ = ["SparseEnvelope"]


class SparseEnvelope(NamedTuple):
    """``alpha / 2`` times the square of the k-support norm, each target by itself.

    Parameters
    ----------
    alpha : float
        Strength, that of a ridge on vectors of at most `n_nonzero` non-zeros. Not negative.
    n_nonzero : int
        The k: how many coefficients are charged as by ridge, at least 1.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseEnvelope
    >>> SparseEnvelope(1.0, 2).prox(np.array([6.0, -4.0, 1.0]), 1.0)
    array([ 3., -2.,  0.])
    """

    alpha: float
    n_nonzero: int

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: they share a budget."""
        return False

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return True

    @property
    def _grouped(self):
        return GroupSparseEnvelope(self.alpha, float(self.n_nonzero), groups=1)

    def check(self, n_features):
        """Raise a ValueError if the sparsity level is no count."""
        require(
            self.n_nonzero >= 1 and int(self.n_nonzero) == self.n_nonzero,
            f"{type(self).__name__}.n_nonzero must be an integer of at least 1; got {self.n_nonzero!r}.",
        )

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        return self._grouped.value(coef)

    def prox(self, coef, step):
        """Its prox: each coefficient shrunk as by ridge, the more the smaller its share of the budget."""
        return self._grouped.prox(coef, step)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential, coefficient by coefficient."""
        return self._grouped.subdiff_distance(grad, coef)

    def dual_limit(self, correlation, weights=None):
        """Largest s with a finite conjugate at ``s * correlation``: any."""
        return self._grouped.dual_limit(correlation)

    def conjugate(self, correlation, weights=None):
        """Half the sum of the k largest squares, over alpha."""
        return self._grouped.conjugate(correlation)
