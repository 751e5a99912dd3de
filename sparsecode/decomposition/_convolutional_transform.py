"""What convolutional atoms say of signals: codes, their proofs, and signals from codes."""

from __future__ import annotations

import math

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .._array import attainable
from .._parallel import map_blocks, worker_pool
from .._tables import check_array, validate_data
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..designs import ConvolutionDesign
from ..result import SolveResult, Status
from ..solvers.convolutional.coder import Layout
from ..solvers.convolutional.coding import CERTIFICATE, make_coder
from ._rows import CompressedRows, DenseRows
from ._signals import refusing
from ._transform import floating, rows_dtype

__all__ = ["SOLVERS", "ConvolutionalTransformer"]

SOLVERS = {"lgcd": 1000, "fista": 10_000}  # iterations of a coder
_CHUNK = 64  # signals coded between two appends to the output


class ConvolutionalTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of estimators that learn ``components_``, ``alpha_`` and ``code_shape_``, and have `solver`, `positive_code` and `code_tol`."""

    def transform(self, X):
        """Code each signal.

        Parameters
        ----------
        X : array of shape ``(n_samples, *signal_shape)``
            Signals of the shape of those of `fit`; `convolutional_lasso` codes others.

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix of shape (n_samples, n_components * n_places)
            Codes, one flattened array of ``code_shape_`` a row; sparse if `sparse_output`.
        """
        codes, certificate, _, _ = self._coded(X)
        goal = attainable(self.code_tol, np.empty(0, codes.dtype))
        missed = int(np.count_nonzero(~(certificate <= goal)))
        if missed:
            warn(
                f"{missed} of {certificate.size} codes miss the tolerance {goal:.1e}: the largest {CERTIFICATE} is "
                f"{np.max(certificate):.3e}; raise code_tol, or fit with float64.",
                ConvergenceWarning,
            )
        return codes

    def encode(self, X):
        """Code each signal, and prove how good every code is.

        Parameters
        ----------
        X : array of shape ``(n_samples, *signal_shape)``
            Signals of the shape of those of `fit`.

        Returns
        -------
        SolveResult
            `coef` holds what `transform` returns; `certificate`, the relative duality gap, and `objective` have one entry a signal.
        """
        codes, certificate, objective, n_iter = self._coded(X)
        goal = attainable(self.code_tol, np.empty(0, codes.dtype))
        return SolveResult(
            coef=codes,
            intercept=0.0,
            status=Status.CONVERGED if np.all(certificate <= goal) else Status.MAX_ITER,
            n_iter=n_iter,
            objective=objective,
            certificate=certificate,
            certificate_name=CERTIFICATE,
            tol=goal,
        )

    def inverse_transform(self, X):
        """Signals from codes: ``sum_k d_k * z_k``.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_components * n_places)
            Codes, as `transform` returns them.

        Returns
        -------
        ndarray of shape ``(n_samples, *signal_shape)``
            The signals that the codes stand for.
        """
        check_is_fitted(self)
        refuse_lazy(X, "X")
        X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32], input_name="X")
        if X.shape[1] != math.prod(self.code_shape_):
            raise ValueError(
                f"X has {X.shape[1]} columns, but the codes of this {type(self).__name__} have {math.prod(self.code_shape_)}."
            )
        atoms = self.components_.astype(X.dtype, copy=False)
        design = ConvolutionDesign(atoms, self._signal_shape)
        rows = np.empty((X.shape[0], *self._signal_shape), dtype=X.dtype)
        for i in range(X.shape[0]):
            row = X[i].toarray().reshape(-1) if hasattr(X, "toarray") else X[i]
            rows[i] = design.matvec(row).reshape(self._signal_shape)
        return rows

    def _signals(self, X, *, reset):
        """Validated signals in single or double precision."""
        refuse_lazy(X, "X")
        with refusing(self):
            X = validate_data(self, X, dtype="numeric", allow_nd=True, reset=reset)
        if not reset and tuple(X.shape[1:]) != self._signal_shape:
            raise ValueError(
                f"X holds signals of shape {tuple(X.shape[1:])}, but {type(self).__name__} was fitted to {self._signal_shape}; "
                "sparsecode.solvers.convolutional.convolutional_lasso codes signals of any length."
            )
        X = floating(X)
        rows = X.reshape(len(X), -1)
        with np.errstate(over="ignore", under="ignore"):
            check_range(np.einsum("ij,ij->i", rows, rows, dtype=np.float64), rows, "X", "row")
        return X

    def _coding(self):
        return {"positive": self.positive_code, "tol": self.code_tol, "max_iter": SOLVERS[self.solver]}

    def _coded(self, X):
        """Codes, their certificates and objectives, and the most iterations that one took."""
        check_is_fitted(self)
        X = self._signals(X, reset=False)
        layout = Layout(self.components_.shape[1:], self._signal_shape)
        coder = make_coder(self.solver, self.components_, layout, self.alpha_, **self._coding())
        kind = CompressedRows if self.sparse_output else DenseRows
        rows = kind(X.shape[0], math.prod(self.code_shape_), rows_dtype(X))
        certificate, objective, n_iter = np.empty(X.shape[0]), np.empty(X.shape[0]), 0
        with worker_pool(self.n_jobs):
            for first in range(0, X.shape[0], _CHUNK):
                planes = layout.planes(X[first : first + _CHUNK], layout.signal_shape)
                done = map_blocks(
                    lambda start, stop, planes=planes: coder.code(planes[start]), len(planes), 1, self.n_jobs
                )
                ends = np.cumsum([0, *(coded.indices.size for coded in done)], dtype=np.int64)
                indices = np.concatenate([coded.indices for coded in done]).astype(np.int32)
                rows.append(ends, indices, np.concatenate([coded.values for coded in done]))
                part = slice(first, first + len(done))
                certificate[part] = [coded.gap for coded in done]
                objective[part] = [coded.objective for coded in done]
                n_iter = max(n_iter, *(coded.n_iter for coded in done))
        return rows.finish(), certificate, objective, n_iter

    @property
    def _n_features_out(self):
        return math.prod(self.code_shape_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags
