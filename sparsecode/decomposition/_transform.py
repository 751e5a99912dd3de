"""What SparseCoder and DictionaryLearning share: signals in, codes out, and back."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils.validation import check_is_fitted

from .._parallel import worker_pool
from .._tables import check_array, validate_data
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..result import SolveResult, Status
from ..solvers.dictionary.signals import dense_rows
from ._rows import CompressedRows, DenseRows
from ._signals import refusing

__all__ = ["CodingTransformer", "as_dictionary", "floating"]

_CHUNK_BYTES = 1 << 22  # codes held beside the output
_LARGEST_CHUNK = 1 << 15  # signals


def floating(signals):
    """A block of signals in single or double precision, itself where it already is."""
    if signals.dtype in (np.float32, np.float64):
        return signals
    return signals.astype(np.float32 if signals.dtype == np.float16 else np.float64)


def as_dictionary(dictionary, name="dictionary"):
    """A dense, finite, floating matrix (n_components, n_features), or an error that names it."""
    refuse_lazy(dictionary, name)
    return check_array(dictionary, dtype=[np.float64, np.float32], input_name=name, estimator="SparseCoder")


class CodingTransformer(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Base of transformers that code rows of X over ``components_``; subclasses implement ``_coder(n_features, n_atoms)``."""

    _finite_signals: bool | str = True  # "allow-nan" where NaN stands for a missing entry
    _sparse_signals: bool | str = False  # "csr" where sparse matrices are welcome

    def transform(self, X):
        """Code each row of X.

        The estimator is not changed. One `ConvergenceWarning` says how many codes miss their tolerance; `encode` returns the
        same codes with the certificate of each.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Signals, one a row; a memory-map is read, and a sparse matrix made dense, block by block.

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix of shape (n_samples, n_components)
            The codes, sparse if `sparse_output`; twice as many columns with `split_sign`.
        """
        atoms, X = self._atoms_and_signals(X)
        coder = self._coder(X.shape[1], atoms.shape[0])
        rows = self._rows(X, atoms)
        missed, worst = 0, 0.0
        with worker_pool(self.n_jobs):
            for _, coded in self._coded(coder, atoms, X):
                rows.append(coded.indptr, coded.indices, coded.values)
                met = coded.certificate <= coder.goal(rows_dtype(X))
                missed += int(np.count_nonzero(~met))
                worst = max(worst, float(np.max(coded.certificate)))
        self._announce(coder, missed, X, worst)
        return self._split(rows.finish())

    def encode(self, X):
        """Code each row of X, and prove how good every code is.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Signals, one a row.

        Returns
        -------
        SolveResult
            `coef` holds what `transform` returns, one code a row; `certificate` and `objective` have one entry for each signal,
            in float64. `status` is CONVERGED if every certificate is at most `tol`; `n_iter` is the largest number of entries of a
            code, or for encoders and layers how many steps they make.
        """
        atoms, X = self._atoms_and_signals(X)
        coder = self._coder(X.shape[1], atoms.shape[0])
        rows = self._rows(X, atoms)
        certificate, objective = np.empty(X.shape[0]), np.empty(X.shape[0])
        most = 0
        with worker_pool(self.n_jobs):
            for part, coded in self._coded(coder, atoms, X):
                rows.append(coded.indptr, coded.indices, coded.values)
                certificate[part], objective[part] = coded.certificate, coded.objective
                most = max(most, int(np.max(np.diff(coded.indptr))))
        goal = coder.goal(rows_dtype(X))
        missed = int(np.count_nonzero(~(certificate <= goal)))
        self._announce(coder, missed, X, float(np.max(certificate)))
        return SolveResult(
            coef=self._split(rows.finish()),
            intercept=0.0,
            status=Status.STALLED if missed else Status.CONVERGED,
            n_iter=getattr(coder, "n_iter", most),
            objective=objective,
            certificate=certificate,
            certificate_name=coder.certificate_name,
            tol=float(goal),
        )

    def inverse_transform(self, X):
        """Signals from codes: ``X @ components_``.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_components)
            Codes; with `split_sign` twice as many columns.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The signals that the codes stand for.

        Raises
        ------
        ValueError
            If the number of columns is not that of the codes.
        """
        atoms = self._fitted_atoms()
        refuse_lazy(X, "X")
        X = check_array(X, accept_sparse="csr", dtype=[np.float64, np.float32])
        n_columns = atoms.shape[0] * (2 if self.split_sign else 1)
        if X.shape[1] != n_columns:
            raise ValueError(
                f"X has {X.shape[1]} columns, but the codes of this {type(self).__name__} have {n_columns}."
            )
        if self.split_sign:
            X = X[:, : atoms.shape[0]] - X[:, atoms.shape[0] :]
        return X @ atoms.astype(X.dtype, copy=False)

    def _fitted_atoms(self):
        check_is_fitted(self)
        return self.components_

    def _atoms_and_signals(self, X):
        atoms = self._fitted_atoms()
        refuse_lazy(X, "X")
        rules = {"accept_sparse": self._sparse_signals, "dtype": "numeric", "ensure_all_finite": self._finite_signals}
        with refusing(self):
            if hasattr(self, "n_features_in_"):
                X = validate_data(self, X, reset=False, **rules)
            else:
                X = check_array(X, input_name="X", estimator=self, **rules)
        if not hasattr(self, "n_features_in_") and X.shape[1] != atoms.shape[1]:
            raise ValueError(
                f"X has {X.shape[1]} features, but the atoms of {type(self).__name__} have {atoms.shape[1]}: "
                "signals and atoms are rows of the same length."
            )
        return atoms, X

    def _rows(self, X, atoms):
        kind = CompressedRows if self.sparse_output else DenseRows
        return kind(X.shape[0], atoms.shape[0], rows_dtype(X))

    def _coded(self, coder, atoms, X):
        """The slices of X, coded one after another."""
        chunk = _CHUNK_BYTES // (12 * coder.longest(*atoms.shape[::-1])) // 256 * 256
        chunk = min(max(chunk, 256), _LARGEST_CHUNK)
        for start in range(0, X.shape[0], chunk):
            part = slice(start, min(start + chunk, X.shape[0]))
            block = floating(dense_rows(X, part, dtype=None))
            check_range(np.einsum("ij,ij->i", block, block, dtype=np.float64), block, "X", "row", start)
            yield part, coder.code(atoms, block, self.n_jobs)

    def _announce(self, coder, missed, X, worst):
        if missed:
            warn(
                f"{missed} of {X.shape[0]} codes miss the tolerance {coder.goal(rows_dtype(X)):.1e}: the largest "
                f"{coder.certificate_name} is {worst:.3e}; {coder.remedy}.",
                ConvergenceWarning,
            )

    def _split(self, codes):
        if not self.split_sign:
            return codes
        if sp.issparse(codes):
            codes.indices[codes.data < 0] += codes.shape[1]
            twice = sp.csr_matrix(
                (np.abs(codes.data), codes.indices, codes.indptr), shape=(codes.shape[0], 2 * codes.shape[1])
            )
            twice.sort_indices()
            return twice
        return np.hstack([np.maximum(codes, 0), np.maximum(-codes, 0)])

    @property
    def _n_features_out(self):
        return self._fitted_atoms().shape[0] * (2 if self.split_sign else 1)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = bool(self._sparse_signals)
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def rows_dtype(X):
    """Precision of the codes of X."""
    return np.dtype(np.float32 if X.dtype in (np.float32, np.float16) else np.float64)
