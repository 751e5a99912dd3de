"""What a trained sparse autoencoder makes of signals: codes, reconstructions, and the attributes that say how."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._array import array_namespace, asarray_like, detached, is_array_api_obj, to_numpy
from .._tables import check_array, validate_data
from .._validation import refuse_lazy
from ..solvers.autoencoder.encoder import pre_activations
from ..solvers.autoencoder.frame import Frame
from ..solvers.autoencoder.parameters import Parameters
from ..solvers.autoencoder.pursuit import MatchingPursuit
from ..solvers.dictionary.lp import dense_array
from ._autoencoder_loop import working_dtype
from ._checkpoint import describe_data
from ._coders import Coded, measure_codes
from ._signals import check_width, refusing
from ._transform import CodingTransformer

__all__ = ["AutoencoderCodes", "EncoderCoder", "is_foreign"]


class EncoderCoder(NamedTuple):
    """Codes by the encoder, behind the face of the other coders; certified by what least squares on their support leaves undone."""

    parameters: Parameters
    activation: Any
    frame: Any

    @property
    def certificate_name(self):
        """What the certificate measures."""
        return "support optimality"

    @property
    def n_iter(self):
        """One prox step, or those of a pursuit."""
        return self.activation.k if isinstance(self.activation, MatchingPursuit) else 1

    @property
    def remedy(self):
        """What to do where it is missed: there is no tolerance to miss."""
        return "code with SparseCoder over the same atoms"

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most."""
        return min(getattr(self.activation, "k", n_atoms), n_atoms)

    def goal(self, dtype):
        """No tolerance: an encoder is fast, not exact."""
        return np.inf

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array."""
        parameters = Parameters(*(part.astype(signals.dtype, copy=False) for part in self.parameters))
        codes = self.activation.codes(parameters, self.frame.inputs(signals).astype(signals.dtype), None, n_jobs)
        keep = codes.values != 0
        kept = np.concatenate([[0], np.cumsum(keep)])
        indptr, indices = kept[codes.indptr], codes.indices[keep]
        values = codes.values[keep] * signals.dtype.type(self.frame.target_scale)
        if not self.frame.is_one:
            nothing = np.zeros(signals.shape[0])
            return Coded(indptr, indices, values, nothing, nothing)
        center = self.frame.target_center + self.frame.target_scale * parameters.decoder_bias
        return Coded(
            indptr, indices, values, *_measured(parameters.decoder, signals - center, indptr, indices, values, n_jobs)
        )


def _measured(atoms, signals, indptr, indices, values, n_jobs):
    """Support optimality and half the squared residual of each code."""
    sq_residuals, defects, sizes = measure_codes(atoms, signals.astype(atoms.dtype), indptr, indices, values, n_jobs)
    return np.divide(defects, sizes, out=np.zeros_like(sizes), where=sizes > 0), 0.5 * sq_residuals


class AutoencoderCodes(CodingTransformer):
    """Base of autoencoders: the learner's parameters in units of the data, and what they make of signals."""

    _sparse_signals = "csr"
    split_sign = False
    _frame: Frame
    alpha_: float | None

    def transform(self, X):
        """Codes of the rows of X.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Signals, one a row; a memory-map is read, and a sparse matrix made dense, block by block.

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix of shape (n_samples, n_components)
            The codes, sparse if `sparse_output`. Arrays of another namespace give dense codes there.
        """
        return self._foreign_codes(X) if is_foreign(X) else super().transform(X)

    def encode(self, X):
        """Codes of the rows of X, and how far each is from the best on its support.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Signals, one a row.

        Returns
        -------
        SolveResult
            `coef` holds what `transform` returns, `objective` half the squared misfit of each signal, and `certificate` what least squares on
            the support leaves undone, relative to the signal. An encoder promises nothing, so no tolerance is held against it; `n_iter` is 1, or the steps
            of a pursuit.

        Raises
        ------
        ValueError
            If the targets were others than the signals: a transcoder does not reconstruct X.
        """
        check_is_fitted(self)
        if not self._frame.is_one:
            raise ValueError("encode measures how X is reconstructed, and a transcoder reconstructs y; use transform.")
        return super().encode(X)

    def inverse_transform(self, X):
        """Signals from codes: ``X @ components_ + intercept_``.

        Parameters
        ----------
        X : array or sparse matrix of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        array of shape (n_samples, n_features)
            The signals that the codes stand for.

        Raises
        ------
        ValueError
            If the number of columns is not that of the codes.
        """
        if not is_foreign(X):
            signals = super().inverse_transform(X)
            return signals + to_numpy(self.intercept_).astype(signals.dtype)
        check_is_fitted(self)
        dtype = array_namespace(X).float32 if "32" in str(X.dtype) else array_namespace(X).float64
        atoms, intercept = (asarray_like(to_numpy(part), X, dtype) for part in (self.components_, self.intercept_))
        return detached(X) @ atoms + intercept

    def _fitted_atoms(self):
        check_is_fitted(self)
        return to_numpy(self.components_)

    def _coder(self, n_features, n_atoms):
        own = Parameters(*(to_numpy(part) for part in self._learner.parameters))
        return EncoderCoder(own, self._learner.activation, self._frame_of_numpy())

    def _frame_of_numpy(self):
        frame = self._frame
        return frame._replace(center=to_numpy(frame.center), target_center=to_numpy(frame.target_center))

    def _foreign_codes(self, X):
        """Dense codes where X lives."""
        check_is_fitted(self)
        X = self._foreign(X, reset=False)
        xp, frame = array_namespace(X), self._frame_of_numpy()
        inputs = (X - asarray_like(frame.center, X, X.dtype)) * (1.0 / frame.scale)
        own = Parameters(*(asarray_like(to_numpy(part), X, X.dtype) for part in self._learner.parameters))
        codes = self._learner.activation.dense(pre_activations(own, inputs), own.threshold, None)
        return xp.asarray(codes.values * frame.target_scale)

    def _signals(self, X, *, reset):
        """Signals by the rules; sets the precision of a first fit."""
        if is_foreign(X):
            X = self._foreign(X, reset)
        else:
            refuse_lazy(X, "X")
            with refusing(self):
                X = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=reset)
        if reset:
            self._dtype = working_dtype(X)
        return X

    def _same_rows(self, values, X, name):
        refuse_lazy(values, name)
        values = check_array(values, dtype="numeric", ensure_2d=name != "y", input_name=name, estimator=self)
        check_consistent_length(values, X)
        return values[:, None] if values.ndim == 1 else values  # one target for each row

    def _foreign(self, X, reset):
        X = dense_array(X, "X")
        check_width(self, X, reset)
        return X

    def _store(self, learner, learned):
        """Attributes of a fit or of a step, in units of the data; the learner stays, so that `partial_fit` can go on."""
        if not np.all(np.isfinite([learned.last.objective, learned.last.certificate])):
            raise ValueError(
                f"training left the range of numbers: the objective is {learned.last.objective}, its relative gradient norm "
                f"{learned.last.certificate}; lower learning_rate, or scale X by its largest entry."
            )
        self._learner, frame = learner, self._frame
        own, scale = learner.parameters, frame.target_scale
        xp = array_namespace(own.decoder)
        self.components_ = xp.asarray(own.decoder, copy=True)
        self.intercept_ = scale * own.decoder_bias + asarray_like(frame.target_center, own.decoder, own.decoder.dtype)
        self.encoder_ = own.encoder * (scale / frame.scale)
        center = asarray_like(frame.center, own.encoder, own.encoder.dtype)
        self.encoder_intercept_ = scale * own.encoder_bias - self.encoder_ @ center
        self.threshold_ = scale * own.threshold
        self.density_ = learner.life.density.copy()
        self.n_iter_, self.n_steps_, self.history_ = learned.n_iter, learner.life.n_steps, learned.history
        self.status_ = learned.status
        self.objective_, self.certificate_ = learned.last.objective, learned.last.certificate

    def _described(self, rows):
        """By what all of the data are known again."""
        given = {"": rows.X, "target ": rows.target, "gradient ": rows.slopes}
        parts = {
            name: describe_data(to_numpy(part) if is_foreign(part) else part)
            for name, part in given.items()
            if part is not None
        }
        return {f"{name}{key}": value for name, part in parts.items() for key, value in part.items()}


def is_foreign(X):
    """Whether X is an array of another namespace than NumPy's."""
    return is_array_api_obj(X) and not isinstance(X, np.ndarray)
