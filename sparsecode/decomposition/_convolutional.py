"""ConvolutionalDictionaryLearning: short atoms that occur anywhere in long signals or large images."""

from __future__ import annotations

import math
from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted, validate_data

from .._array import attainable
from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import map_blocks, worker_pool
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..designs import ConvolutionDesign
from ..result import SolveResult, Status
from ..solvers.convolutional.coder import Layout
from ..solvers.convolutional.coding import CERTIFICATE, largest_correlation, loudest_window, make_coder
from ..solvers.convolutional.learning import learn_atoms
from ._convolutional_setup import atom_lengths, first_atoms
from ._rows import CompressedRows, DenseRows
from ._transform import floating, rows_dtype

__all__ = ["ConvolutionalDictionaryLearning"]

_CODING = {"lgcd": 1000, "fista": 10_000}  # iterations of a coder
_CHUNK = 64  # signals coded between two appends to the output


class ConvolutionalDictionaryLearning(
    CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator
):
    """Learn short atoms that occur anywhere in signals, by alternation of convolutional sparse coding and atom updates.

    The problem is::

        min over atoms ||d_k|| <= 1 and codes z, of the sum over signals y in X of
            1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1

    with full, linear convolutions: an atom of length P lies wholly within a signal of length T, and its code has length T - P + 1,
    on each axis of an image alike. Atoms improve by projected gradient steps, one after another, from correlations of the codes,
    whose size does not depend on the length of the signals. The objective never rises but where an atom is replaced.

    Parameters
    ----------
    n_components : int, default=8
        Number of atoms K.
    atom_shape : int or tuple of int, optional
        Length of an atom, or (height, width) for images; by default a quarter of the signal on each axis, at most 64 (12 for
        images). Signals of several channels, X of shape (n_samples, n_channels, length), take (n_channels, P).
    alpha : float, default=0.1
        Strength of the penalty, above zero.
    relative : bool, default=True
        Whether `alpha` is a share of the strength from which on no signal of `fit` would use the first atoms (if none does: any).
        Otherwise it is in the units of correlations of atoms of norm one with signals.
    solver : {"lgcd", "fista"}, default="lgcd"
        How signals are coded: by locally greedy coordinate descent, or by accelerated proximal gradient through Fourier transforms.
    positive_code : bool, default=False
        Whether codes must not be negative.
    max_iter : int, default=50
        Alternations.
    tol : float or None, default=1e-2
        `fit` ends when projected gradient steps would move the atoms by no more than this (see ``certificate_``). None: all
        iterations, and no warning.
    code_tol : float, default=1e-4
        Duality gap of the codes, relative to half the energy of their signal. In single precision at least 1e-6 is used.
    n_sweeps : int, default=10
        Updates of every atom, at most, in an iteration.
    replace_dead : bool, default=True
        Whether, in the first half of the iterations, an atom that no signal uses, or that equals another up to a shift, becomes
        what the codes represent worst.
    dict_init : array of shape ``(n_components, *atom_shape)``, optional
        Where to start (atoms longer than 1 are scaled to 1), for example `log_gabor_bank`; by default windows of the signals
        drawn at random, the likelier the more energy they hold.
    random_state : int, RandomState or None, default=None
        For the first atoms. The answer has the same bits for any `n_jobs`.
    callback : callable, optional
        Called with a `ConvolutionalProgress` after each iteration; return True to stop.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix.
    n_jobs : int, optional
        Threads over signals; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape ``(n_components, *atom_shape)``
        The atoms.
    alpha_ : float
        Strength of the penalty in the units of the data.
    code_shape_ : tuple of int
        ``(n_components, *places)``: a row of codes is an array of this shape, flattened.
    n_iter_ : int
        Iterations done.
    objective_ : float
        Mean objective of a signal at the end.
    certificate_ : float
        How far projected gradient steps would move the atoms: root mean square over atoms, weighted by the energy of their codes.
        Atoms have norm one at most, so it is free of scale.
    code_certificate_ : float
        The largest relative duality gap of a signal's codes.
    status_ : Status
        How the fit ended.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"``, ``"certificate"``, ``"seconds"``, ``"replaced"`` (so far), ``"code_certificate"``.
    n_features_in_ : int
        Length of the first axis of a signal.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If atoms are longer than signals, would move along more than two axes, or `dict_init` has another shape.

    See Also
    --------
    sparsecode.solvers.convolutional.convolutional_lasso : Codes of signals of any length over given atoms.
    DictionaryLearning : Atoms as long as the signals.

    Notes
    -----
    Atoms are known up to sign, order and, where their ends are nearly zero, a shift. Codes are kept between iterations.

    References
    ----------
    Grosse, Raina, Kwong and Ng, "Shift-invariance sparse coding for audio classification", 2007, arXiv 1206.5241.
    Moreau, Oudre and Vayatis, "DICOD: distributed convolutional coordinate descent for convolutional sparse coding", 2018,
    arXiv 1705.10087.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ConvolutionalDictionaryLearning
    >>> pulse = np.sin(np.linspace(0, np.pi, 10))
    >>> X = np.zeros((20, 100))
    >>> for i, signal in enumerate(X):
    ...     signal[4 * i : 4 * i + 10] = pulse
    >>> learner = ConvolutionalDictionaryLearning(1, atom_shape=10, random_state=0).fit(X)
    >>> codes = learner.transform(X)
    >>> learner.components_.shape, codes.shape, bool(np.linalg.norm(learner.inverse_transform(codes) - X) < 0.2 * np.linalg.norm(X))
    ((1, 10), (20, 91), True)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "atom_shape": [Interval(Integral, 1, None, closed="left"), tuple, list, None],
        "alpha": [Interval(Real, 0, None, closed="neither")],
        "relative": ["boolean"],
        "solver": [StrOptions(set(_CODING))],
        "positive_code": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "code_tol": [Interval(Real, 0, None, closed="neither")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "replace_dead": ["boolean"],
        "dict_init": ["array-like", None],
        "random_state": ["random_state"],
        "callback": [callable, None],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components=8,
        *,
        atom_shape=None,
        alpha=0.1,
        relative=True,
        solver="lgcd",
        positive_code=False,
        max_iter=50,
        tol=1e-2,
        code_tol=1e-4,
        n_sweeps=10,
        replace_dead=True,
        dict_init=None,
        random_state=None,
        callback=None,
        sparse_output=False,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.atom_shape = atom_shape
        self.alpha = alpha
        self.relative = relative
        self.solver = solver
        self.positive_code = positive_code
        self.max_iter = max_iter
        self.tol = tol
        self.code_tol = code_tol
        self.n_sweeps = n_sweeps
        self.replace_dead = replace_dead
        self.dict_init = dict_init
        self.random_state = random_state
        self.callback = callback
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y=None):
        """Learn the atoms from X.

        Parameters
        ----------
        X : array of shape (n_samples, length), (n_samples, height, width) or (n_samples, n_channels, length)
            Signals or images, one an entry of the first axis.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        task = FitTask.of_fit(self, self.max_iter)
        with all_or_nothing(self), worker_pool(self.n_jobs):
            X = self._signals(X, reset=True)
            layout = Layout(atom_lengths(self.atom_shape, self.dict_init, X.shape[1:]), X.shape[1:])
            if not layout.is_plane:
                raise ValueError(
                    f"atoms of shape {layout.atom_shape} would move along {len(layout.moving)} axes of signals of shape "
                    f"{layout.signal_shape}; make them as long as the signal on all but two."
                )
            signals = layout.planes(X, layout.signal_shape)
            atoms = first_atoms(
                self.dict_init, self.n_components, signals, layout, check_random_state(self.random_state)
            )
            self.alpha_ = float(self.alpha)
            if self.relative:
                design = ConvolutionDesign(atoms, layout.signal_shape)
                largest = largest_correlation(design, X, self.positive_code) or loudest_window(layout.atom_shape, X)
                self.alpha_ = self.alpha_ * largest or 1.0
            learned = learn_atoms(
                signals,
                atoms,
                self.alpha_,
                layout,
                solver=self.solver,
                coding=self._coding(),
                max_iter=self.max_iter,
                tol=self.tol,
                n_sweeps=self.n_sweeps,
                replace_dead=self.replace_dead,
                n_jobs=self.n_jobs,
                callback=self.callback,
                task=task,
            )
            self._store(learned, layout, signals.dtype)
            task.end(dict)
        if self.tol is not None and self.status_ is Status.MAX_ITER:
            warn(
                f"projected gradient steps would still move the atoms by {self.certificate_:.3e} after {self.n_iter_} iterations, "
                f"tolerance {self.tol:.1e}: raise max_iter, loosen tol, or pass tol=None if the number of iterations is what you want.",
                ConvergenceWarning,
            )
        return self

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
        return {"positive": self.positive_code, "tol": self.code_tol, "max_iter": _CODING[self.solver]}

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

    def _store(self, learned, layout, dtype):
        self._signal_shape = layout.signal_shape
        self.components_ = np.ascontiguousarray(learned.atoms, dtype=dtype)
        self.code_shape_ = (len(self.components_), *layout.places)
        self.n_iter_, self.status_, self.history_ = learned.n_iter, learned.status, learned.history
        self.objective_ = learned.statistics.objective / learned.statistics.n_signals
        self.certificate_, self.code_certificate_ = learned.certificate, learned.statistics.certificate

    @property
    def _n_features_out(self):
        return math.prod(self.code_shape_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.input_tags.three_d_array = True
        return tags
