"""What unrolled solvers share as estimators: signals in, layers trained, codes out, and their certificates."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike

import numpy as np
import scipy.sparse as sp
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._array import (
    array_namespace,
    as_double,
    as_float,
    asarray_like,
    detached,
    is_array_api_obj,
    is_numpy,
    is_single,
    to_numpy,
)
from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import worker_pool
from .._tables import check_array, validate_data
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..decomposition import SparseCoder
from ..decomposition._checkpoint import (
    describe_data,
    generator_state,
    opened_checkpoint,
    restored_generator,
)
from ..decomposition._coders import Coded
from ..decomposition._signals import check_width, refusing
from ..decomposition._transform import CodingTransformer
from ..result import Status
from ._layers import beside, loss_seed
from ._parameters import MATRICES, Parameters
from ._passes import Passes
from ._solver import LearnedSolver, certificate_name, certified
from ._training import Settings, Signals, train

__all__ = ["UnrolledTransformer", "codes_beside"]

_FREE = ("max_iter", "tol", "n_iter_no_change", "callback", "n_jobs", "checkpoint", "sparse_output", "warm_start")
_ROWS = 4096  # signals at a time
_SHARE = 0.1  # of the strength at which half of the codes would be zero


class UnrolledTransformer(CallbackSupportMixin, CodingTransformer):
    """Base of unrolled solvers; subclasses say what a layer does."""

    split_sign = False  # codes have one column an atom
    _accelerated = False
    _parameter_constraints: dict = {
        "dictionary": [StrOptions({"dct", "dct2"}), "array-like"],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "alpha": [Interval(Real, 0, None, closed="neither"), None],
        "weights": [StrOptions(set(MATRICES))],
        "share_weights": ["boolean"],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "steps_per_layer": [Interval(Integral, 0, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, PathLike, None],
        "random_state": ["random_state"],
        "callback": [callable, None],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }

    @with_callbacks
    def fit(self, X, y=None):
        """Train the layers.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Real signals, one a row. CuPy and torch arrays are trained on where they are.
        y : array of shape (n_samples, n_components), optional
            The codes that the layers should find (supervised training); without them the objective is minimised. Labels of shape
            (n_samples,), which a pipeline hands to all its steps, are ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        task = FitTask.of_fit(self, None)
        with all_or_nothing(self), worker_pool(self.n_jobs):
            X = self._signals(X)
            atoms = self._dictionary(int(X.shape[1]))
            truth = codes_beside(y, X, atoms)
            checkpoint = self._opened_checkpoint(X, truth)
            random = self._generator(checkpoint)
            begun = generator_state(random)  # the signals held out must be the same after a cut
            grown = self.warm_start and hasattr(self, "_parameters")
            parameters = self._continued(atoms, X) if grown else self._new_parameters(atoms, X)
            signals, held_out = self._split_off(Signals(X, truth), random)
            trained = train(
                parameters,
                signals,
                held_out,
                Settings(
                    self.steps_per_layer,
                    self.max_iter,
                    self.learning_rate,
                    self.batch_size,
                    self.tol,
                    self.n_iter_no_change,
                    self.n_jobs,
                ),
                random,
                grown=grown,
                begun=begun,
                checkpoint=checkpoint,
                callback=self.callback,
                task=task if task.is_watched else None,
            )
            shortfall = self._store(parameters, trained, truth is not None, X)
            task.end(dict)
        if shortfall:
            warn(shortfall, ConvergenceWarning)
        return self

    def transform(self, X):
        """Codes of the rows of X behind the last layer.

        Nothing is promised of them; `encode` returns the same codes, and the certificate of each.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row; a memory-map is read block by block. CuPy and torch arrays are coded where they are.

        Returns
        -------
        array or scipy.sparse.csr_matrix of shape (n_samples, n_components)
            The codes, sparse if `sparse_output`.
        """
        if _is_foreign(X):
            check_is_fitted(self)
            rows = self._foreign(X, reset=False)
            codes = Passes(layers := beside(self._parameters.layers(), rows)).codes(layers, rows)
            return sp.csr_matrix(to_numpy(codes)) if self.sparse_output else codes
        _, X = self._atoms_and_signals(X)
        dtype = np.float32 if X.dtype in (np.float32, np.float16) else np.float64
        layers = beside(self._parameters.layers(), np.empty(0, dtype=dtype))
        passes, parts = Passes(layers, n_jobs=self.n_jobs), []
        with worker_pool(self.n_jobs):
            for start in range(0, X.shape[0], _ROWS):
                rows = np.asarray(X[start : start + _ROWS], dtype=dtype)
                check_range(np.einsum("ij,ij->i", rows, rows, dtype=np.float64), rows, "X", "row", start)
                codes = passes.codes(layers, rows)
                parts.append(sp.csr_matrix(codes) if self.sparse_output else codes)
        if self.sparse_output:
            return sp.vstack(parts, format="csr")
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def score(self, X, y=None):
        """Minus the mean loss, so that more is better and a search over parameters needs no `scoring`.

        Without codes that is the objective at `alpha_`: models of different `alpha` are not compared by it.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals.
        y : array of shape (n_samples, n_components), optional
            Codes; then the loss is the squared distance to them, otherwise the objective at ``alpha_``. Labels are ignored.

        Returns
        -------
        float
            Minus the mean over signals.
        """
        codes = self.transform(X)
        rows = as_float(X) if _is_foreign(X) else np.asarray(X, dtype=codes.dtype)
        codes = asarray_like(codes.toarray(), rows, dtype=rows.dtype) if sp.issparse(codes) else codes
        truth = codes_beside(y, rows, self.components_)
        layers = beside(self._parameters.layers(), rows)
        return -loss_seed(layers, codes, rows, truth, self.alpha_)[0] / rows.shape[0]

    def to_solver(self) -> LearnedSolver:
        """The plain solver that begins with the learned layers and goes on to its certificate.

        Returns
        -------
        LearnedSolver
            To be called with one signal of shape (n_features,), or several of shape (n_features, n_signals).
        """
        check_is_fitted(self)
        return LearnedSolver(self._parameters.layers(), self.alpha_)

    # ------------------------------------------------------------ fitting

    def _signals(self, X):
        refuse_lazy(X, "X")
        if _is_foreign(X):
            return self._foreign(X, reset=True)
        with refusing(self):
            X = validate_data(self, X, dtype=[np.float64, np.float32], order="C")
        check_range(np.einsum("ij,ij->i", X, X, dtype=np.float64), X, "X", "row")
        return X

    def _foreign(self, X, reset):
        """Signals of another namespace, checked where they are."""
        X = as_float(X)
        xp = array_namespace(X)
        if X.ndim != 2 or 0 in X.shape:
            raise ValueError(
                f"X has shape {tuple(X.shape)}; expected a 2D array (n_samples, n_features) that is not empty."
            )
        if "complex" in str(X.dtype):
            raise ValueError(f"Complex data not supported: {type(self).__name__} takes real signals.")
        if not bool(xp.all(xp.isfinite(X))):
            raise ValueError("X contains NaN or infinity; leave out those signals, or fill them in.")
        with np.errstate(over="ignore"):
            sq_norms = to_numpy(xp.sum(as_double(X) ** 2, axis=1))
        check_range(sq_norms, X, "X", "row")
        check_width(self, X, reset)
        return X

    def _dictionary(self, n_features):
        given = self.dictionary
        if is_array_api_obj(given) and not is_numpy(given):
            given = to_numpy(given)
        return SparseCoder(given, n_components=self.n_components)._dictionary(n_features)

    def _opened_checkpoint(self, X, truth):
        if self.checkpoint is None:
            return None
        codes = {} if truth is None else describe_data(to_numpy(truth))
        return opened_checkpoint(self, _FREE, data=describe_data(to_numpy(X)), codes=codes)

    def _generator(self, checkpoint):
        """What a fit begins with: that of the fit that was cut, if there is one."""
        if checkpoint is not None and checkpoint.saved is not None:
            return restored_generator(checkpoint.saved[0]["begun"])
        return check_random_state(self.random_state)

    def _new_parameters(self, atoms, X):
        atoms = np.ascontiguousarray(atoms, dtype=np.float32 if is_single(X) else np.float64)
        rule, alpha, counts, trains_levels = self._rule(atoms, X)
        return Parameters(
            atoms,
            n_layers=self.n_layers,
            rule=rule,
            weights=self.weights,
            shared=self.share_weights,
            trains_levels=trains_levels,
            accelerated=self._accelerated,
            alpha=alpha,
            counts=counts,
        )

    def _continued(self, atoms, X):
        """The parameters of the last fit, in memory of their own; those that `fit` would make now must be of the same kind."""
        new = self._new_parameters(atoms, X)
        old = self._parameters.copies()
        same = new.arrays.keys() == old.keys() and all(new.arrays[name].shape == old[name].shape for name in old)
        if not same or new.rule != self._parameters.rule or not np.array_equal(new.atoms, self._parameters.atoms):
            raise ValueError(
                "warm_start=True goes on from the layers of the last fit, but the dictionary, n_layers, weights or the precision of X are not "
                "those any more; set warm_start=False, or put them back."
            )
        new.alpha = new.alpha if self.alpha is not None else self._parameters.alpha
        new.put_back(old)
        return new

    def _rule(self, atoms, X):
        """What a layer does: rule, alpha, counts, and whether thresholds are trained for themselves."""
        raise NotImplementedError

    def _default_alpha(self, atoms, X):
        """A tenth of the median, over signals that are not zero, of the strength at which a code is; one if there are none."""
        rows = to_numpy(X[: min(8 * _ROWS, X.shape[0]), ...])
        tops = [np.max(np.abs(rows[i : i + _ROWS] @ atoms.T), axis=1) for i in range(0, rows.shape[0], _ROWS)]
        found = np.concatenate(tops)
        return _SHARE * float(np.median(found[found > 0])) if np.any(found > 0) else 1.0

    def _split_off(self, signals, random):
        """Signals to train with, and those to judge by; all serve for both where either would be none."""
        n = signals.rows.shape[0]
        n_held = round(self.validation_fraction * n)
        if not 0 < n_held < n:
            return signals, signals
        order = random.permutation(n)
        return signals.chosen(np.sort(order[n_held:])), signals.chosen(np.sort(order[:n_held]))

    def _store(self, parameters, trained, supervised, X):
        """Attributes of a fit; what is to be warned of, or nothing."""
        layers = parameters.layers()
        self._parameters = parameters
        self.components_ = parameters.atoms
        self.alpha_, self.loss_ = parameters.alpha, "codes" if supervised else "objective"
        self.steps_, self.thresholds_ = layers.steps, layers.levels
        self.filters_ = np.stack(layers.filters)
        if layers.mixing:
            self.mixing_ = np.stack(layers.mixing)
        elif hasattr(self, "mixing_"):
            del self.mixing_
        if self._accelerated:
            self.momenta_ = layers.momenta
        self.status_, self.n_iter_, self.history_ = trained.status, trained.n_iter, trained.history
        self.validation_loss_ = trained.loss
        rows = to_numpy(X[: min(_ROWS, X.shape[0]), ...])
        codes = Passes(layers, n_jobs=self.n_jobs).codes(layers, rows)
        found, _ = certified(layers.atoms, rows, codes, layers.rule, self.alpha_, layers.counts[-1])
        self.certificate_, self.median_certificate_ = float(np.max(found)), float(np.median(found))
        return self._shortfall(trained, rows, codes)

    def _shortfall(self, trained, rows, codes):
        """What is to be warned of, or nothing."""
        if trained.harm:
            more = "" if self.steps_per_layer else ", or raise steps_per_layer"
            return "" if trained.status is Status.INTERRUPTED else f"{trained.harm}{more}."
        if not np.any(codes) and np.any(rows):  # and derivatives are zero: this is where training ends
            self.status_ = Status.CONVERGED
            return _all_zero(self._parameters, float(np.max(np.abs(rows @ self.components_.T))))
        if trained.status is Status.MAX_ITER:
            return (
                f"the loss of the signals held out, {trained.loss:.4g} of that of zero codes, still fell after max_iter={self.max_iter} steps "
                "of all layers: raise max_iter, raise tol, or lower n_iter_no_change."
            )
        if not trained.loss <= 1.0:
            return (
                f"the layers are no better than codes that are zero (loss {trained.loss:.3g} of theirs): raise n_layers or steps_per_layer, or "
                "choose another alpha."
            )
        return ""

    # ------------------------------------------------------------ coding

    def _coder(self, n_features, n_atoms):
        return _NetworkCoder(self._parameters)


class _NetworkCoder:
    """Codes of the layers, with certificates that promise nothing: what `encode` asks of a coder."""

    def __init__(self, parameters):
        self._layers, self._alpha = parameters.layers(), parameters.alpha
        self.certificate_name = certificate_name(self._layers.rule, self._alpha)
        self.n_iter, self.remedy = self._layers.depth, "use `to_solver`"

    def longest(self, n_features, n_atoms):
        """How many atoms a code has at most."""
        return n_atoms

    def goal(self, dtype):
        """No tolerance: a fixed number of layers promises none."""
        return np.inf

    def code(self, atoms, signals, n_jobs=None) -> Coded:
        """Codes of the signals, rows of a floating array."""
        layers = beside(self._layers, signals)
        codes = Passes(layers, n_jobs=n_jobs).codes(layers, signals)
        certificate, objective = certified(atoms, signals, codes, layers.rule, self._alpha, layers.counts[-1])
        matrix = sp.csr_matrix(codes)
        return Coded(matrix.indptr.astype(np.int64), matrix.indices, matrix.data, certificate, objective)


def _all_zero(parameters, largest):
    """Why no layer codes anything, where the largest correlation of an atom with a signal is this."""
    if largest == 0.0:
        return "all codes are zero: no atom correlates with any of the signals; choose another dictionary."
    above = f", and no correlation of an atom with a signal is above {largest:.3g}" if parameters.rule == "soft" else ""
    return f"all codes are zero: thresholds are too high for these signals. alpha is {parameters.alpha:.3g}{above}; lower alpha."


def _is_foreign(X):
    return is_array_api_obj(X) and not is_numpy(X)


def codes_beside(y, X, atoms):
    """Codes beside the signals, or None."""
    if y is None:
        return None
    refuse_lazy(y, "y")
    y = y.toarray() if sp.issparse(y) else detached(y) if is_array_api_obj(y) else np.asarray(y)
    if y.ndim == 1:
        return None
    shape = (X.shape[0], atoms.shape[0])
    if tuple(y.shape) != shape:
        raise ValueError(
            f"y has shape {tuple(y.shape)}; codes to learn from have shape (n_samples, n_components), here {shape}. Leave y out to "
            "minimise the objective instead."
        )
    if is_numpy(X):
        return np.ascontiguousarray(check_array(to_numpy(y), dtype=X.dtype, input_name="y"))
    xp = array_namespace(X)
    y = asarray_like(y, X, dtype=X.dtype)
    if not bool(xp.all(xp.isfinite(y))):
        raise ValueError("y contains NaN or infinity; leave out those signals.")
    return y
