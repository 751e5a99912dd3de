"""MaskedDictionaryLearning: atoms that predict what their codes have not seen."""

from __future__ import annotations

import math
from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval

from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import worker_pool
from .._tables import validate_data
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..result import Status
from ..solvers.dictionary.alternating import Pass
from ..solvers.dictionary.masked import MaskedLearner
from ..solvers.dictionary.signals import dense_rows, row_blocks
from ..solvers.dictionary.start import initial_atoms, mixtures
from ._checkpoint import describe_data, opened_checkpoint
from ._coders import make_coder
from ._learning_loop import Learned, ended, judged, learn
from ._masked_coder import MaskedCoder
from ._masked_loop import Pace, harm_of, masked_pass, measure
from ._signals import refusing
from ._transform import CodingTransformer, as_dictionary, rows_dtype

__all__ = ["MaskedDictionaryLearning"]

_FREE = ("tol", "callback", "n_jobs", "checkpoint", "split_sign", "sparse_output")  # may change on the way
_BLOCK = 1 << 14  # signals read at a time where X is only measured


class MaskedDictionaryLearning(CallbackSupportMixin, CodingTransformer):
    """Learn a dictionary with more atoms than the truth has, from noisy or incomplete signals, by hiding data from the codes.

    The problem is::

        minimise over D, ||d_j|| = 1    E over masks M and rows x of X    1/2 d / (d - |M|) ||x - z D||^2 outside M

    where z is the code of at most `n_nonzero_coefs` atoms that orthogonal matching pursuit finds from the entries in M alone. A
    dictionary that is larger than the true one can always fit the noise in what its codes see, and the usual objective
    rewards that; the noise in what they have not seen cannot be fitted. Atoms follow the gradient of the hidden misfit by Adam,
    a batch and a random mask at a time.

    Entries of X that are NaN count as missing: they are neither seen nor asked for, in `fit` and in `transform`, and
    ``inverse_transform(transform(X))`` says what they should be.

    Parameters
    ----------
    n_components : int, optional
        Number of atoms; by default twice the number of features. Masking pays where this is well above the number of true
        atoms. **Where both are equal it hurts**: use `DictionaryLearning`, or ``hidden_share=0``.
    n_nonzero_coefs : int, optional
        Entries of a code, at most; by default a tenth of the width of X.
    hidden_share : float, default=0.1
        Share of the entries that each mask hides; 0 for the usual objective.
    batch_size : int, default=256
        Signals in a batch of `fit`; each batch has one mask.
    max_iter : int, default=100
        Passes over X. Count on some thousand batches.
    warm_start_epochs : int, default=1
        First passes that hide nothing. Very noisy data need more of them.
    last_plain_share : float, default=0.3
        Share of the batches, the last ones, that hide nothing: hiding finds better atoms, but estimates them from less data.
    learning_rate : float, default=1e-2
        Of Adam, for atoms of norm one; it falls linearly to zero over the second half of the batches. A thousand signals bear twice
        as much, very noisy data less.
    tol : float, optional
        `fit` ends when the certificate of a pass is at most this, and warns where ``certificate_`` is above it; by default all
        passes are made, without a warning.
    dict_init : array of shape (n_components, n_features), optional
        Where to start (rows are scaled to 1); by default random signals, zero where entries are missing; random mixtures of four
        of them where there are more atoms than half the signals.
    shuffle : bool, default=True
        Whether each pass takes the signals in a new random order.
    random_state : int, RandomState or None, default=None
        For the first atoms, the order of signals and the masks. The answer has the same bits for any `n_jobs`.
    checkpoint : str or path-like, optional
        File in which `fit` keeps the last complete pass, and from which it goes on if the file is there: with the same bits as a
        run that was never cut. Only `tol`, `callback`, `n_jobs` and the form of the codes may then differ from those of the first
        run. Remove the file to begin anew.
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
        The atoms, of norm one, in the precision of X.
    n_iter_ : int
        Passes done.
    n_steps_ : int
        Batches learned from.
    objective_ : float
        Mean hidden misfit of X over the final atoms, under new masks (for `partial_fit`: of the batch, before its step).
    certificate_ : float
        Root mean square distance, weighted by the energy of their codes, by which gradient steps of their own curvature would move
        the final atoms, under those masks. It is zero for stationary atoms and without end of data; few masks and signals leave
        a floor of some percent.
    status_ : Status
        How `fit` ended: CONVERGED where the certificate meets `tol`, or all passes were made without one; DIVERGED, with a warning, where
        its atoms fit worse than those that it began with, as they do after steps far too long.
    history_ : dict of str to list
        ``"epoch"``, ``"objective"`` and ``"certificate"`` (each batch over the atoms of its time), ``"seconds"`` and
        ``"replaced"`` (0) of every pass.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is out of range, shapes disagree, X is infinite somewhere or a dask collection, or the checkpoint is of
        another version of the package, other data or other parameters.

    See Also
    --------
    DictionaryLearning : The usual objective, faster, for dictionaries of the right size and complete signals.

    Notes
    -----
    Hiding wins most where signals are few: with 2000 signals of 200 true atoms the distance to these fell from 0.044 to 0.036 for 400 atoms, from
    0.061 to 0.042 for 600, and from 0.145 to 0.055 for 1000 (means of five data sets, at a learning rate of 0.02). With 5000 signals and 1000
    atoms all true ones were found either way, and what noise leaves fell from 0.026 to 0.018; longer runs made the former worse, not better.
    With ten signals an atom there is little to win. With as many atoms as signals, these predict every hidden entry with its noise: no fit starts there.

    References
    ----------
    Chidambaram, Wu, Cheng and Ge, "Hiding data helps: on the benefits of masking for sparse coding", 2023 (arXiv 2302.12715).
    Kingma and Ba, "Adam: a method for stochastic optimization", 2015 (arXiv 1412.6980).

    Examples
    --------
    An entry that is missing is filled in by what the signals have in common:

    >>> import numpy as np
    >>> from sparsecode import MaskedDictionaryLearning
    >>> X = np.outer(np.linspace(1, 2, 50), [3.0, 4.0, 0.0, 12.0])
    >>> X[7, 3] = np.nan
    >>> learner = MaskedDictionaryLearning(1, n_nonzero_coefs=1, random_state=0).fit(X)
    >>> np.round(3 * learner.inverse_transform(learner.transform(X))[7] / X[7, 0], 1)
    array([ 3.,  4.,  0., 12.])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "hidden_share": [Interval(Real, 0, 1, closed="left")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "warm_start_epochs": [Interval(Integral, 0, None, closed="left")],
        "last_plain_share": [Interval(Real, 0, 1, closed="both")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "dict_init": ["array-like", None],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "checkpoint": [str, PathLike, None],
        "callback": [callable, None],
        "split_sign": ["boolean"],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }
    _finite_signals = "allow-nan"

    def __init__(
        self,
        n_components=None,
        *,
        n_nonzero_coefs=None,
        hidden_share=0.1,
        batch_size=256,
        max_iter=100,
        warm_start_epochs=1,
        last_plain_share=0.3,
        learning_rate=1e-2,
        tol=None,
        dict_init=None,
        shuffle=True,
        random_state=None,
        checkpoint=None,
        callback=None,
        split_sign=False,
        sparse_output=False,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.n_nonzero_coefs = n_nonzero_coefs
        self.hidden_share = hidden_share
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.warm_start_epochs = warm_start_epochs
        self.last_plain_share = last_plain_share
        self.learning_rate = learning_rate
        self.tol = tol
        self.dict_init = dict_init
        self.shuffle = shuffle
        self.random_state = random_state
        self.checkpoint = checkpoint
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
            Real signals, one a row, NaN where an entry is missing; a memory-map is read batch by batch.
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
            random = check_random_state(self.random_state)
            later = check_random_state(random.randint(np.iinfo(np.int32).max))  # a run that was cut draws it too
            learner = self._learner_for(X, random)
            began = learner.atoms.copy()
            pace = Pace(
                self.max_iter,
                self.batch_size,
                self.warm_start_epochs,
                self.last_plain_share,
                self.learning_rate,
                self.shuffle,
            )
            learned = learn(
                learner,
                masked_pass(learner, X, pace, n_jobs=self.n_jobs),
                max_iter=self.max_iter,
                goal=lambda _: self.tol,
                random=random,
                callback=self.callback,
                checkpoint=self._opened_checkpoint(X),
                task=task,
            )
            last = measure(learner, X, self.batch_size, random=later, n_jobs=self.n_jobs)
            self._random = later
            status, harmed = learned.status, ""
            if status is not Status.INTERRUPTED:
                harmed = harm_of(learner, X, pace, began, self.n_jobs)
                status = Status.DIVERGED if harmed else ended(judged(last, self.tol), self.tol)
            self._store(learner, X, learned._replace(last=last, status=status))
            task.end(dict)
        if harmed:
            warn(f"{harmed}.", ConvergenceWarning)
        if self.status_ is Status.MAX_ITER:
            warn(
                f"relative stationarity {self.certificate_:.3e} after {self.n_iter_} passes, tolerance {self.tol:.1e}: raise max_iter or "
                "batch_size, loosen tol, or pass tol=None if the number of passes is what you want.",
                ConvergenceWarning,
            )
        return self

    def partial_fit(self, X, y=None):
        """Learn from one more batch under one more mask, at the full learning rate; goes on from an earlier fit.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row, NaN where an entry is missing.
        y : None
            Ignored.

        Returns
        -------
        self
            The estimator, one step further, or as it was if the step fails.
        """
        self._validate_params()
        with all_or_nothing(self):
            first = not hasattr(self, "_learner")
            X = self._signals(X, reset=first)
            random = check_random_state(self.random_state) if first else _copy_of(self._random)
            learner = self._learner_for(X, random) if first else self._continued(X)
            before = learner.copy()
            found = learner.step(dense_rows(X, slice(None)), learner.draw_mask(random), self.learning_rate, self.n_jobs)
            certificate = before.stationarity(found.gradient, found.energy)
            self._random = random
            last = Pass(found.objective / found.n_signals, certificate, 0.0)
            self._store(learner, X, Learned(judged(last, self.tol), 1, last, {}))
        return self

    def _opened_checkpoint(self, X):
        """The checkpoint of a run on these signals, where one is asked for."""
        return None if self.checkpoint is None else opened_checkpoint(self, _FREE, data=describe_data(X))

    def _signals(self, X, reset):
        refuse_lazy(X, "X")
        with refusing(self):
            return validate_data(self, X, dtype="numeric", reset=reset, ensure_all_finite=self._finite_signals)

    def _learner_for(self, X, random):
        """A learner that has seen nothing yet, for signals like those of X."""
        n_features = X.shape[1]
        n_atoms = self.n_components or 2 * n_features
        if self.dict_init is None:
            drawn = np.sort(random.permutation(X.shape[0])[: 4 * n_atoms])
            signals = np.nan_to_num(dense_rows(X, drawn))
            crowded = 2 * n_atoms > X.shape[0]
            atoms = initial_atoms(mixtures(signals, n_atoms, random) if crowded else signals, n_atoms, random)
        else:
            atoms = self._checked_init(n_atoms, n_features)
        return MaskedLearner(
            atoms,
            n_nonzero=self._coder(n_features, n_atoms).greedy.n_nonzero,
            n_hidden=self._n_hidden(n_features),
            scale=_mean_size(X),
        )

    def _continued(self, X):
        """The learner of an earlier fit under today's parameters."""
        learner = self._learner.copy()
        learner.n_nonzero = self._coder(X.shape[1], learner.atoms.shape[0]).greedy.n_nonzero
        learner.n_hidden = self._n_hidden(X.shape[1])
        return learner

    def _checked_init(self, n_atoms, n_features):
        atoms = as_dictionary(self.dict_init, "dict_init").astype(np.float64)
        if atoms.shape[1] != n_features or (self.n_components is not None and atoms.shape[0] != n_atoms):
            rows = "n_components" if self.n_components is None else n_atoms
            raise ValueError(
                f"dict_init has shape {atoms.shape}, but it must have shape ({rows}, {n_features}), one atom a row."
            )
        norms = np.linalg.norm(atoms, axis=1, keepdims=True)
        if not np.all(norms > 0):
            raise ValueError(
                f"dict_init has a row of zeros ({int(np.argmin(norms))}), which has no direction to learn from."
            )
        return atoms / norms

    def _n_hidden(self, n_features):
        seen = math.floor((1.0 - self.hidden_share) * n_features + 1e-9)  # 0.2 of 10 is 1.9999999999999996
        return min(n_features - seen, n_features - 1)

    def _coder(self, n_features, n_atoms):
        return MaskedCoder(make_coder("omp", n_features, n_atoms, n_nonzero_coefs=self.n_nonzero_coefs))

    def _store(self, learner, X, learned):
        """Attributes of a fit or of a step; the learner stays, so that `partial_fit` can go on."""
        self._learner = learner
        self.components_ = learner.atoms.astype(rows_dtype(X))
        self.n_iter_, self.n_steps_, self.history_ = learned.n_iter, learner.adam.count, learned.history
        self.objective_, self.certificate_ = learned.last.objective, learned.last.certificate
        self.status_ = learned.status

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _mean_size(X):
    """Root mean square norm of the signals, missing entries counted like the others on average; 1 where all are zero."""
    total, count = 0.0, 0
    for rows in row_blocks(X, _BLOCK):
        block = dense_rows(X, rows)
        missing = np.isnan(block)
        block = np.where(missing, 0.0, block)
        sq_norms = np.einsum("ij,ij->i", block, block)
        check_range(sq_norms, block.astype(rows_dtype(X)), "X", "row", rows.start)
        total, count = total + float(np.sum(sq_norms)), count + int(np.sum(~missing))
    return math.sqrt(total / count * X.shape[1]) if total > 0 else 1.0


def _copy_of(random):
    """A generator that goes on from here, so that a step that fails leaves the old one where it was."""
    twin = np.random.RandomState()
    twin.set_state(random.get_state())
    return twin
