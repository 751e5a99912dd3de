"""What a trained sparse autoencoder makes of signals: codes, reconstructions, and the attributes that say how."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from sklearn.utils.validation import check_consistent_length, check_is_fitted

from .._array import array_namespace, asarray_like, detached, is_array_api_obj, to_numpy
from .._tables import check_array, validate_data
from .._validation import refuse_lazy
from ..networks import harm
from ..result import Status
from ..solvers.autoencoder.encoder import pre_activations
from ..solvers.autoencoder.frame import Frame
from ..solvers.autoencoder.parameters import Parameters
from ..solvers.autoencoder.pursuit import MatchingPursuit
from ..solvers.dictionary.lp import dense_array
from ._autoencoder_loop import Rows, half_energy, judged_alike, measure, silent, stationarity_of, working_dtype
from ._autoencoder_parts import add_parts
from ._autoencoder_setup import make_activation
from ._checkpoint import describe_data, opened_checkpoint
from ._coders import Coded, measure_codes
from ._signals import refusing
from ._transform import CodingTransformer

__all__ = ["AutoencoderCodes", "EncoderCoder"]

_FREE = ("max_iter", "tol", "callback", "n_jobs", "checkpoint", "sparse_output")  # may change between two runs


_WAVERING = 0.5  # share of what a start is better by than zeros that the last step may have given away


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
    """Base of `SparseAutoencoder`: the learner's parameters in units of the data, and what they make of signals."""

    _sparse_signals = "csr"
    split_sign = False
    _frame: Frame
    alpha_: float | None

    def transform(self, X, gradients=None):
        """Codes of the rows of X.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Signals, one a row; a memory-map is read, and a sparse matrix made dense, block by block.
        gradients : array of shape (n_samples, n_features), optional
            As in `fit`.

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix of shape (n_samples, n_components)
            The codes, sparse if `sparse_output`. Arrays of another namespace give dense codes there.
        """
        if _is_foreign(X):
            self._refuse_beside_foreign(X, gradients)
            return self._foreign_codes(X)
        if gradients is None:
            return super().transform(X)
        check_is_fitted(self)
        self._refuse_gradients()
        rows = self._checked_rows(X, None, gradients, reset=False, coding=True)
        inputs, _, slopes = rows.batch(self._frame, slice(None), self._dtype)
        coder = self._coder(X.shape[1], self.components_.shape[0])
        codes = coder.activation.given(slopes).codes(coder.parameters, inputs, None, self.n_jobs)
        kept = self._rows(X, self.components_)
        kept.append(codes.indptr, codes.indices, codes.values * codes.values.dtype.type(self._frame.target_scale))
        return kept.finish()

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
        if not _is_foreign(X):
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
        if _is_foreign(X):
            X = self._foreign(X, reset)
        else:
            refuse_lazy(X, "X")
            with refusing(self):
                X = validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=reset)
        if reset:
            self._dtype = working_dtype(X)
        return X

    def _checked_rows(self, X, y, gradients, *, reset, coding=False) -> Rows:
        """Signals, targets and gradients by the rules."""
        X = self._signals(X, reset=reset)
        if _is_foreign(X):
            self._refuse_beside_foreign(X, gradients)
        target = self._checked_target(X, y) if self.structure == "transcoder" and not coding else None
        if not (reset or coding):
            self._refuse_others(target)
        if gradients is not None:
            self._refuse_gradients()
            gradients = self._same_rows(gradients, X, "gradients")
            width = X.shape[1] if target is None else target.shape[1]
            width = self._frame.target_center.shape[0] if coding else width
            if gradients.shape[1] != width:
                raise ValueError(
                    f"gradients has {gradients.shape[1]} columns; it needs the {width} of what is reconstructed."
                )
        return Rows(X, target, gradients)

    def _checked_target(self, X, y):
        if y is None:
            raise ValueError(
                f"{type(self).__name__} with structure='transcoder' requires y to be passed, but the target y is None; give what is to be "
                "made of the rows of X: fit(X, y)."
            )
        return self._same_rows(y, X, "y")

    def _same_rows(self, values, X, name):
        refuse_lazy(values, name)
        values = check_array(values, dtype="numeric", ensure_2d=name != "y", input_name=name, estimator=self)
        check_consistent_length(values, X)
        return values[:, None] if values.ndim == 1 else values  # one target for each row

    def _refuse_beside_foreign(self, X, gradients):
        if gradients is not None or self.structure == "transcoder":
            raise ValueError(
                f"X is a {type(X).__module__.partition('.')[0]} array, from which neither transcoders are learned nor entries chosen by gradients; "
                "convert X to NumPy."
            )

    def _refuse_others(self, target):
        """Refuse other targets than those of the fit so far."""
        known = 0 if self._frame.is_one else self._frame.target_center.shape[0]
        width = 0 if target is None else target.shape[1]
        if width != known:
            said = [f"{count} columns of y" if count else "the signals" for count in (known, width)]
            raise ValueError(
                f"the fit so far reconstructs {said[0]}, and this one would reconstruct {said[1]}; leave structure={self.structure!r} and y "
                "as they were, or call fit."
            )

    def _refuse_gradients(self):
        if self.activation != "gradient_topk":
            raise ValueError(
                f"gradients has no meaning for activation={self.activation!r}; leave it at None, or use 'gradient_topk'."
            )

    def _foreign(self, X, reset):
        X = dense_array(X, "X")
        if reset:
            self.n_features_in_ = X.shape[1]
            self.__dict__.pop("feature_names_in_", None)  # of an earlier fit
        elif X.shape[1] != self.n_features_in_:
            raise ValueError(
                f"X has {X.shape[1]} features, but {type(self).__name__} is expecting {self.n_features_in_} features as input."
            )
        return X

    def _continued(self):
        """The learner of an earlier fit under today's parameters, a copy."""
        learner = self._learner.copy()
        n_latents = learner.atoms.shape[0]
        learner.activation, self.alpha_ = make_activation(
            self, self.n_features_in_, n_latents, self._frame.target_scale
        )
        add_parts(self, learner)
        return learner

    def _stationarity(self, found, targets):
        return stationarity_of(self._learner.parameters, found, targets)

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

    def _opened_checkpoint(self, data, method="fit"):
        """The checkpoint of a run on these data."""
        return opened_checkpoint(self, _FREE, method=method, data=data)

    def _described(self, rows):
        """By what all of the data are known again."""
        given = {"": rows.X, "target ": rows.target, "gradient ": rows.slopes}
        parts = {
            name: describe_data(to_numpy(part) if _is_foreign(part) else part)
            for name, part in given.items()
            if part is not None
        }
        return {f"{name}{key}": value for name, part in parts.items() for key, value in part.items()}

    def _shortfall(self, rows, done, more):
        """What to warn of after a fit whose end these rows judge: harm, which sets the status, or a tolerance that is missed."""
        if rows is not None and self.status_ is not Status.INTERRUPTED:
            harmed = self._harm(rows)
            if harmed:
                self.status_ = Status.DIVERGED
                return f"{harmed}."
        if self.status_ is not Status.MAX_ITER:
            return ""
        return (
            f"relative gradient norm {self.certificate_:.3e} after {done}, tolerance {self.tol:.1e}: raise {more}, loosen tol, "
            "or pass tol=None if the number of passes is what you want."
        )

    def _harm(self, rows):
        """What to say where training did harm; untrained learners are all alike, so that any will do to compare with."""
        frame, alpha, size = self._frame, self.alpha_, self.batch_size
        if max(self.objective_, *self.history_["objective"]) <= half_energy(rows, frame, size):
            return ""
        learners = self._learner, self._begin(rows, np.random.RandomState(0)), silent(self._learner)
        self._frame, self.alpha_ = frame, alpha
        last, start, zero = (
            measure(judged_alike(learner), rows, frame, size, n_jobs=self.n_jobs).objective for learner in learners
        )
        return harm(last, start, zero, self._rate(self._learner), wavering=_WAVERING)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.structure == "transcoder"
        return tags


def _is_foreign(X):
    """Whether X is an array of another namespace than NumPy's."""
    return is_array_api_obj(X) and not isinstance(X, np.ndarray)
