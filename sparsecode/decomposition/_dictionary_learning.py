"""DictionaryLearning: atoms learned online, batch by batch."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import validate_data

from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import worker_pool
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..result import Status
from ..solvers.dictionary.online import OnlineLearner, initial_atoms
from ._coders import ALGORITHMS, make_coder
from ._learning_loop import Learned, learn
from ._sparse_coder import SparseCoder
from ._transform import CodingTransformer, as_dictionary, rows_dtype

__all__ = ["DictionaryLearning"]

_ALPHA_OVER_RMS = 1.2  # about the strength at which an atom must beat white noise as strong as the data
_BATCH = 256  # signals, unless there are many atoms
_BLOCK = 1 << 14  # signals read at a time where X is only measured


class DictionaryLearning(CallbackSupportMixin, CodingTransformer):
    """Learn atoms over which signals have sparse codes, by online alternation of coding and atom updates.

    The problem is::

        min over D, ||d_j|| <= 1, of the mean over rows x of X of   min_c 1/2 ||x - c D||^2 + alpha ||c||_1

    or, for the other coders, of ``1/2 ||x - c D||^2`` with the codes c that they find. Each batch is coded, its statistics
    are added to those of the past, and every atom is set to the minimiser of the resulting surrogate. Only a K by K and a K by d
    matrix are kept, so X may be a memory-map or, through `partial_fit`, a stream without end.

    Parameters
    ----------
    n_components : int, optional
        Number of atoms K; by default the number of features.
    coder : {"lasso", "omp", "ols", "threshold"} or SparseCoder, default="lasso"
        How signals are coded, in `fit` and in `transform`. A `SparseCoder` brings its own settings (its dictionary is not
        used), for example an error constraint.
    alpha : float, optional
        Strength of the penalty ("lasso", "threshold"); by default 1.2 times the root mean square of the entries of X (for
        `partial_fit` of the first batch), so that rescaled data give a rescaled answer.
    n_nonzero_coefs : int, optional
        Entries of a code ("omp", "ols", "threshold"); for "omp" and "ols" a tenth of the width of X by default.
    batch_size : int, optional
        Signals in a batch of `fit`; by default 256, or twice the number of atoms if that is more.
    max_iter : int, default=100
        Passes over X.
    tol : float or None, default=5e-2
        `fit` ends when the statistics of a whole pass move the atoms by no more than this (see ``certificate_``). Batches leave
        a floor of some percent, which larger batches lower. None: all passes, and no warning.
    forgetting : float, default=3.0
        Batch t counts ``t ** forgetting`` times as much as the first: 0 never forgets. In later passes of `fit` a signal has
        faded by the time it comes again.
    n_sweeps : int, default=1
        Updates of every atom after each batch.
    positive_code : bool, default=False
        Whether codes must not be negative.
    positive_dict : bool, default=False
        Whether atoms must not be negative.
    replace_dead : bool, default=True
        Whether an atom that none of 10 K signals used, or that equals another, becomes the signal that is represented worst.
    dict_init : array of shape (n_components, n_features), optional
        Where to start (rows longer than 1 are scaled to 1); by default random signals.
    shuffle : bool, default=True
        Whether each pass takes the signals in a new random order.
    random_state : int, RandomState or None, default=None
        For the first atoms and the order of signals. The answer has the same bits for any `n_jobs`.
    callback : callable, optional
        Called with a `LearningProgress` after each pass; return True to stop.
    split_sign : bool, default=False
        Whether `transform` gives positive and negative parts of the codes columns of their own.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms, in the precision of X.
    alpha_ : float or None
        The strength that was used.
    n_iter_ : int
        Passes done.
    n_steps_ : int
        Batches learned from.
    objective_ : float
        Mean objective of the codes of the last pass (for `partial_fit`: batch), each over the atoms of its time.
    certificate_ : float
        Root mean square, weighted by the energy of their codes, of the distances by which one sweep over the statistics of the
        last pass moves the atoms it began with (for `partial_fit`: by which the step moved them); zero if they are stationary.
    code_certificate_ : float
        Largest certificate of the codes of the last pass (batch), as in `SparseCoder.encode`.
    status_ : Status
        How `fit` ended.
    history_ : dict of str to list
        ``"epoch"``, ``"objective"``, ``"certificate"``, ``"seconds"`` and ``"replaced"`` (atoms, so far) of every pass.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is given that the coder does not use, shapes disagree, or X is a dask collection.

    See Also
    --------
    SparseCoder : Codes over a given dictionary.

    Notes
    -----
    A fit that fails or is interrupted leaves the estimator as it was. scikit-learn's callbacks (version 1.9 and later), its
    progress bar among them, are told of every pass and batch.

    References
    ----------
    Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import DictionaryLearning
    >>> X = np.repeat(np.eye(4), 50, axis=0) * np.linspace(1, 2, 200)[:, None]
    >>> learner = DictionaryLearning(4, coder="omp", n_nonzero_coefs=1, random_state=0).fit(X)
    >>> np.round(np.sort(learner.components_.ravel()), 3).tolist() == [0.0] * 12 + [1.0] * 4
    True
    >>> learner.status_.name, learner.transform(X[:1]).shape
    ('CONVERGED', (1, 4))
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "coder": [StrOptions(set(ALGORITHMS)), SparseCoder],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "forgetting": [Interval(Real, 0, None, closed="left")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "positive_code": ["boolean"],
        "positive_dict": ["boolean"],
        "replace_dead": ["boolean"],
        "dict_init": ["array-like", None],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "callback": [callable, None],
        "split_sign": ["boolean"],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components=None,
        *,
        coder="lasso",
        alpha=None,
        n_nonzero_coefs=None,
        batch_size=None,
        max_iter=100,
        tol=5e-2,
        forgetting=3.0,
        n_sweeps=1,
        positive_code=False,
        positive_dict=False,
        replace_dead=True,
        dict_init=None,
        shuffle=True,
        random_state=None,
        callback=None,
        split_sign=False,
        sparse_output=False,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.coder = coder
        self.alpha = alpha
        self.n_nonzero_coefs = n_nonzero_coefs
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.forgetting = forgetting
        self.n_sweeps = n_sweeps
        self.positive_code = positive_code
        self.positive_dict = positive_dict
        self.replace_dead = replace_dead
        self.dict_init = dict_init
        self.shuffle = shuffle
        self.random_state = random_state
        self.callback = callback
        self.split_sign = split_sign
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y=None):
        """Learn the atoms from X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row; a memory-map is read batch by batch.
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
            refuse_lazy(X, "X")
            X = validate_data(self, X, dtype="numeric")
            random = check_random_state(self.random_state)
            learner = self._learner_for(X, random)
            learner.horizon = self.forgetting * X.shape[0]
            learned = learn(
                learner,
                X,
                max_iter=self.max_iter,
                tol=self.tol,
                batch_size=self.batch_size or max(_BATCH, 2 * learner.atoms.shape[0]),
                shuffle=self.shuffle,
                random=random,
                n_jobs=self.n_jobs,
                callback=self.callback,
                task=task,
            )
            self._store(learner, X, learned)
            task.end(dict)
        if self.tol is not None and self.status_ is Status.MAX_ITER:
            warn(
                f"relative stationarity {self.certificate_:.3e} after {self.n_iter_} passes, tolerance {self.tol:.1e}: raise "
                "max_iter or batch_size, loosen tol, or pass tol=None if the number of passes is what you want.",
                ConvergenceWarning,
            )
        return self

    def partial_fit(self, X, y=None):
        """Learn from one more batch, of any size; goes on from an earlier `fit` or `partial_fit`, under today's parameters.

        The number of atoms, and an `alpha` that was measured, stay.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row.
        y : None
            Ignored.

        Returns
        -------
        self
            The estimator, one step further, or as it was if the step fails.
        """
        self._validate_params()
        with all_or_nothing(self):
            refuse_lazy(X, "X")
            first = not hasattr(self, "_learner")
            X = validate_data(self, X, dtype="numeric", reset=first)
            learner = self._learner_for(X, check_random_state(self.random_state)) if first else self._continued(X)
            learner.horizon = np.inf
            statistics = learner.step(np.asarray(X, dtype=np.float64, order="C"), self.n_jobs)
            status = Status.CONVERGED if learner.last_move <= (self.tol or 0.0) else Status.MAX_ITER
            self._store(learner, X, Learned(status, 1, statistics, learner.last_move, {}))
        return self

    def _learner_for(self, X, random):
        """A learner that has seen nothing yet, for signals like those of X."""
        n_features = X.shape[1]
        n_atoms = n_features if self.n_components is None else self.n_components
        if self.dict_init is None:
            atoms = initial_atoms(X, n_atoms, random, positive=self.positive_dict)
        else:
            atoms = self._checked_init(n_atoms, n_features)
        self.alpha_ = self._strength(X)
        coder = self._coder(n_features, n_atoms)
        return OnlineLearner(
            atoms,
            coder,
            forgetting=self.forgetting,
            positive=self.positive_dict,
            n_sweeps=self.n_sweeps,
            replace_dead=self.replace_dead,
        )

    def _continued(self, X):
        """The learner of an earlier fit under today's parameters; a strength that was measured stays."""
        learner = self._learner.copy()
        self.alpha_ = self._strength(X, self.alpha_)
        learner.coder = self._coder(X.shape[1], learner.atoms.shape[0])
        learner.forgetting, learner.positive = self.forgetting, self.positive_dict
        learner.n_sweeps, learner.replace_dead = self.n_sweeps, self.replace_dead
        if learner.positive:
            learner.atoms = np.maximum(learner.atoms, 0.0)
        return learner

    def _checked_init(self, n_atoms, n_features):
        atoms = as_dictionary(self.dict_init, "dict_init").astype(np.float64)
        if atoms.shape[1] != n_features or (self.n_components is not None and atoms.shape[0] != n_atoms):
            rows = "n_components" if self.n_components is None else n_atoms
            raise ValueError(
                f"dict_init has shape {atoms.shape}, but it must have shape ({rows}, {n_features}), one atom a row."
            )
        if self.positive_dict and np.any(atoms < 0):
            raise ValueError(
                "dict_init has negative entries, but positive_dict forbids them; pass np.maximum(dict_init, 0)."
            )
        return np.ascontiguousarray(atoms / np.maximum(np.linalg.norm(atoms, axis=1, keepdims=True), 1.0))

    def _strength(self, X, measured=None):
        """The penalty's strength: as given, as measured, or in proportion to the root mean square of X, where the coder needs one."""
        if self.alpha is not None or isinstance(self.coder, SparseCoder) or self.coder not in ("lasso", "threshold"):
            return self.alpha
        if self.coder == "threshold" and self.n_nonzero_coefs is not None:
            return None
        if measured is not None:
            return measured
        total = 0.0
        for start in range(0, X.shape[0], _BLOCK):
            block = np.asarray(X[start : start + _BLOCK], dtype=np.float64)
            sq_norms = np.einsum("ij,ij->i", block, block)
            check_range(sq_norms, block, "X", "row", start)
            total += float(np.sum(sq_norms))
        mean_square = total / (X.shape[0] * X.shape[1])
        return _ALPHA_OVER_RMS * float(np.sqrt(mean_square)) if mean_square > 0 else 1.0

    def _coder(self, n_features, n_atoms):
        if isinstance(self.coder, SparseCoder):
            for name in ("alpha", "n_nonzero_coefs"):
                if getattr(self, name) is not None:
                    raise ValueError(
                        f"{name} has no meaning where coder is a SparseCoder; set it there, or pass the algorithm's name."
                    )
            if self.positive_code != self.coder.positive_code:
                raise ValueError("positive_code differs between DictionaryLearning and its coder; set both alike.")
            return self.coder._coder(n_features, n_atoms)
        return make_coder(
            self.coder,
            n_features,
            n_atoms,
            positive=self.positive_code,
            alpha=self.alpha_,
            n_nonzero_coefs=self.n_nonzero_coefs,
        )

    def _store(self, learner, X, learned):
        """Attributes of a fit or of a step; the learner stays, so that `partial_fit` can go on."""
        self._learner = learner
        self.components_ = learner.atoms.astype(rows_dtype(X))
        self.n_iter_, self.n_steps_, self.status_, self.history_ = (
            learned.n_iter,
            learner.n_steps,
            learned.status,
            learned.history,
        )
        self.objective_ = learned.statistics.objective / learned.statistics.n_signals
        self.certificate_, self.code_certificate_ = learned.certificate, learned.statistics.certificate
