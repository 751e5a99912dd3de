"""A design known only through its Gram matrix ``A^H A``."""

from __future__ import annotations

import numpy as np

from .base import Design

__all__ = ["GramDesign"]


class GramDesign(Design):
    """The normal equations of a least-squares problem, in place of the design itself.

    A solver given a `GramDesign` takes the correlations ``A^H y`` as its target.

    Parameters
    ----------
    gram : ndarray of shape (n_features, n_features)
        ``A^H A``, Hermitian and positive semi-definite.
    n_samples : int
        Rows of the design it came from: the squared loss divides by it.
    target_sq_norm : float or ndarray of shape (n_targets,), optional
        ``||y||^2``. Without it, the part of `y` outside the range of `A` is taken to be zero: coefficients and
        duality gaps stay valid, residual norms then leave that part out, and what is decided by them (residual tolerances,
        information criteria, thresholds at the level of the noise) is refused.

    Raises
    ------
    ValueError
        If `gram` is not a square, finite matrix, its diagonal has negative entries, `n_samples` is not positive, or
        `target_sq_norm` is negative, NaN, or more than one-dimensional.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import GramDesign, omp
    >>> A = np.array([[1.0, 0.0], [1.0, 1.0]]); y = np.array([0.0, 2.0])
    >>> design = GramDesign(A.T @ A, n_samples=2, target_sq_norm=4.0)
    >>> omp(design, A.T @ y, n_nonzero=1).coef
    array([0., 2.])
    """

    xp = np

    def __init__(self, gram, n_samples, target_sq_norm=None):
        gram = np.asarray(gram)
        if gram.ndim != 2 or gram.shape[0] != gram.shape[1] or gram.shape[0] == 0:
            raise ValueError(f"gram must be a square matrix (A.conj().T @ A); got shape {gram.shape}.")
        if not np.all(np.isfinite(gram)):
            raise ValueError("gram contains NaN or infinity; clean the design before forming A.conj().T @ A.")
        diagonal = np.diagonal(gram).real
        if np.min(diagonal) < 0:
            worst = int(np.argmin(diagonal))
            raise ValueError(
                f"gram[{worst}, {worst}] is {diagonal[worst]:.1e}, but the diagonal of A.conj().T @ A holds squared norms: it is never "
                "negative."
            )
        if int(n_samples) < 1:
            raise ValueError(f"n_samples must be the number of rows of the design, at least 1; got {n_samples!r}.")
        self.matrix = gram if gram.dtype.kind in "fc" else gram.astype(np.float64)
        self.shape = (int(n_samples), gram.shape[0])
        self.dtype = self.matrix.dtype
        self.target_sq_norm = _as_sq_norm(target_sq_norm)

    def vector(self, values):
        """NumPy values in this design's dtype."""
        return np.asarray(values, dtype=self.dtype)

    def _unavailable(self, *_):
        raise ValueError("this operation needs the design itself; a GramDesign only holds A.conj().T @ A.")

    matvec = rmatvec = columns = _unavailable

    def normal(self, coef):
        return self.matrix @ coef

    def select(self, indices):
        return GramDesign(self.gram(indices), self.shape[0], self.target_sq_norm)

    def gram(self, left, right=None):
        return self.matrix[np.ix_(left, left if right is None else right)]

    def full_gram(self):
        return self.matrix

    def column_sq_norms(self):
        return np.diagonal(self.matrix).real.astype(np.float64)

    def spectral_sq_norm(self):
        if getattr(self, "_spectral", None) is None:
            from scipy.linalg import eigvalsh

            last = self.shape[1] - 1
            self._spectral = float(eigvalsh(self.matrix, subset_by_index=[last, last])[0])
        return self._spectral

    def sq_norm_of_target(self, correlations):
        """``||y||^2`` as given, or ``q^H G^+ q``: the norm of the part of `y` that the design can reach."""
        if self.target_sq_norm is not None:
            known = np.asarray(self.target_sq_norm, dtype=np.float64)
            n_targets = np.shape(correlations)[1:]
            if known.size == 1:
                return known.reshape(())
            if known.shape != n_targets:
                wanted = f"({n_targets[0]},), one a target" if n_targets else "(), for one target"
                raise ValueError(
                    f"target_sq_norm has shape {known.shape}; these correlations need a number, or shape {wanted}."
                )
            return known
        solution = np.linalg.lstsq(self.matrix.astype(np.result_type(self.dtype, np.float64)), correlations)[0]
        return np.sum((np.conj(correlations) * solution).real, axis=0)

    def known_target_sq_norm(self, purpose, otherwise=""):
        """``||y||^2`` as given, for a `purpose` that needs all of it; the error says so, and what could be done `otherwise`."""
        if self.target_sq_norm is None:
            raise ValueError(
                f"{purpose} needs the norm of y, which this GramDesign was not told: give GramDesign(gram, n_samples, "
                f"target_sq_norm){otherwise}."
            )
        return self.target_sq_norm

    def check_target(self, correlations):
        """Refuse a `target_sq_norm` that is too small for these correlations: ``|a_j^H y| <= ||a_j|| ||y||``."""
        if self.target_sq_norm is None:
            return
        norms, size = np.sqrt(self.column_sq_norms()), np.abs(correlations).astype(np.float64)
        norms = norms if size.ndim == 1 else norms[:, None]
        least = np.max(np.divide(size, norms, out=np.zeros_like(size), where=norms > 0), axis=0)
        given, least = np.broadcast_arrays(np.sqrt(np.maximum(self.target_sq_norm, 0.0)), least)
        given, least = np.atleast_1d(given), np.atleast_1d(least)
        for p in np.flatnonzero(given < 0.99 * least):  # one column would explain more than all there is
            raise ValueError(
                f"target_sq_norm stands for a target of norm {given[p]:.3e}, but one with these correlations has a norm of at least "
                f"{least[p]:.3e}; pass the squared norm of y."
            )

    def in_double(self):
        wide = np.result_type(self.dtype, np.float64)
        return self if wide == self.dtype else GramDesign(self.matrix.astype(wide), self.shape[0], self.target_sq_norm)


def _as_sq_norm(value):
    """Squared norms of targets, checked; None stays None."""
    if value is None:
        return None
    known = np.asarray(value)
    if known.dtype.kind not in "fiu" or known.ndim > 1 or not np.all(known >= 0):
        raise ValueError(
            "target_sq_norm must be the squared norm of y, a number that is not negative, or one for each target; got "
            f"{value!r}."
        )
    return value
