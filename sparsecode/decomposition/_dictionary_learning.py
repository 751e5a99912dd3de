"""DictionaryLearning: atoms learned online, batch by batch, or from a whole data set at a time."""

from __future__ import annotations

from functools import partial
from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import worker_pool
from .._tables import validate_data
from .._validation import refuse_lazy
from .._warnings import warn
from ..solvers.dictionary.alternating import Pass
from ..solvers.dictionary.signals import dense_rows
from ._checkpoint import describe_data, opened_checkpoint
from ._learning_loop import Learned, judged, learn, online_pass, shortfall, whole_pass
from ._learning_setup import BY_NAME, METHODS, as_coder, as_online, back_in_stream, continued, make_learner, tolerance
from ._signals import refusing
from ._sparse_coder import SparseCoder
from ._streams import OnlineOnly, follow
from ._transform import CodingTransformer, rows_dtype

__all__ = ["DictionaryLearning"]

_BATCH = 256  # signals, unless there are many atoms
_FREE = ("max_iter", "tol", "callback", "n_jobs", "checkpoint", "split_sign", "sparse_output")  # may change on the way


class DictionaryLearning(CallbackSupportMixin, CodingTransformer):
    """Learn atoms over which signals have sparse codes, by alternation of coding and atom updates.

    The problem is::

        min over D, ||d_j|| <= 1, of the mean over rows x of X of   min_c 1/2 ||x - c D||^2 + penalty(c)

    with ``alpha ||c||_1`` as the penalty of "lasso"; the other coders allow a few entries, or have a penalty of their own. Four methods::

        "online"    a batch is coded, its statistics are added to those of the past, each atom minimises the resulting surrogate
        "mod"       all signals are coded, all atoms at once minimise the misfit of the codes (method of optimal directions)
        "ksvd"      all signals are coded, one atom after another is minimised over together with its codes (a singular pair)
        "aksvd"     the same by one step of the power method: faster, nearly as good

    Online, a K by K and a K by d matrix are all that is kept, so X may be a memory-map, a sparse matrix or, through `partial_fit`
    and `fit_stream`, a stream without end. The other three hold the signals, their codes and residuals, in double precision. With
    "omp" and "ols" of so many entries, "lasso", "elastic_net" and penalties, the objective of their passes never rises: where new codes
    would raise it, the signals that lose most keep the codes of the pass before.

    Parameters
    ----------
    n_components : int, optional
        Number of atoms K; by default the number of features. There may be more than signals.
    method : {"online", "mod", "ksvd", "aksvd"}, default="online"
        How atoms are improved. "ksvd" and "aksvd" take every coder but penalties of a `SparseCoder`.
    coder : {"lasso", "elastic_net", "omp", "ols", "threshold"} or SparseCoder, default="lasso"
        How signals are coded, in `fit` and in `transform`. A `SparseCoder` brings its own settings (its dictionary is not
        used), for example an error constraint, or any penalty of the library.
    alpha : float, optional
        Strength of the penalty ("lasso", "elastic_net", "threshold"); for "lasso" and "threshold" by default 1.2 times the root mean
        square of the entries of X (in a stream: of its first batch), so that rescaled data give a rescaled answer.
    n_nonzero_coefs : int, optional
        Entries of a code ("omp", "ols", "threshold"); for "omp" and "ols" a tenth of the width of X by default.
    batch_size : int, optional
        Online: signals in a batch of `fit`; by default 256, or twice the number of atoms if that is more.
    max_iter : int, default=100
        Passes over X.
    tol : "auto", float or None, default="auto"
        `fit` ends when the statistics of a whole pass move the atoms by no more than this (see ``certificate_``). "auto": 1e-2
        for "online", 1e-3 for the others, 5e-2 where `max_coherence` pushes atoms apart; coarser ones end fits on plateaus. Online,
        it is also a third of how far so many new signals of the same kind would move the best atoms, by chance, if that is more: two
        halves of the batches of a pass tell, unless there is one batch or signals are sorted. A number is kept to. None: all passes.
        Signals many times longer than the others slow the atoms that they use, and may end a fit early: scale them first.
    forgetting : float, default=3.0
        Online: batch t counts ``t ** forgetting`` times as much as the first; 0 never forgets. In later passes of `fit` a signal has
        faded by the time it comes again.
    n_sweeps : int, default=1
        Online: updates of every atom after each batch.
    positive_code : bool, default=False
        Whether codes must not be negative.
    positive_dict : bool, default=False
        Whether atoms must not be negative.
    replace_dead : bool, default=True
        Whether an atom that no signal uses (online: none of 10 K), or that equals another (up to sign, unless codes cannot be negative),
        becomes the signal that is represented worst and that no atom resembles. Beyond "online" an atom that equals another but is
        used stays where its loss raises the objective.
    max_coherence : float, optional
        Bound on the absolute cosine of two atoms, kept after every update by iterative projections and rotations; the objective may
        then rise.
    dict_init : "k-means++" or array of shape (n_components, n_features), optional
        Where to start: signals of different directions, chosen far from each other, or given atoms (rows longer than 1 are scaled to
        1); by default random signals of different directions.
    shuffle : bool, default=True
        Online: whether each pass takes the signals in a new random order.
    checkpoint : str or path-like, optional
        File in which `fit` keeps the last complete pass (`fit_stream`: batch), and from which it goes on if the file is there: with the same
        bits as a run that was never cut. Only `max_iter`, `tol`, `callback`, `n_jobs` and the form of the codes may then differ from
        those of the first run. Remove the file to begin anew.
    random_state : int, RandomState or None, default=None
        For the first atoms and the order of signals. The answer has the same bits for any `n_jobs`.
    callback : callable, optional
        Called with a `LearningProgress` after each pass (`fit_stream`: batch); return True to stop.
    split_sign : bool, default=False
        Whether `transform` gives positive and negative parts of the codes columns of their own.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms, in the precision of X; of norm one, except that "online" and penalties of a `SparseCoder` leave shorter ones.
    alpha_ : float or None
        The strength that was used.
    tol_ : float or None
        The tolerance that was used; that of the last pass, where "auto" measured it.
    n_iter_ : int
        Passes done; 1 after `partial_fit`.
    n_steps_ : int
        Batches learned from.
    objective_ : float
        Mean objective of the codes of the last pass (in a stream: batch). Online each is over the atoms of its time; otherwise
        codes and atoms are those that the pass ended with.
    certificate_ : float
        Root mean square of the distances by which one sweep over the statistics of the last pass (with the step back within
        `max_coherence`) moves the atoms it began with (in a stream: by which the step moved them); zero if they are stationary. Atoms are
        weighted by the energy of their codes or, where it is more, by how many signals use them.
    code_certificate_ : float
        Largest certificate that codes of the last pass (batch) came with, before atoms moved; as in `SparseCoder.encode`.
    status_ : Status
        How `fit` ended: CONVERGED where the certificate meets `tol`, or all passes were made without one.
    history_ : dict of str to list
        ``"epoch"``, ``"objective"``, ``"certificate"``, ``"seconds"`` and ``"replaced"`` (atoms, so far) of every pass of `fit`.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is given that method or coder does not use, shapes disagree, X is a dask collection, or the checkpoint is of
        another version of the package, other data or other parameters: then nothing is changed.

    See Also
    --------
    SparseCoder : Codes over a given dictionary.
    local_statistics : With `update_dictionary` the two halves of a step, to be distributed.

    Notes
    -----
    A fit that fails or is interrupted leaves the estimator as it was; with a `checkpoint` the passes until then are not lost.
    scikit-learn's callbacks (version 1.9 and later), its progress bar among them, are told of every pass and batch.

    References
    ----------
    Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).
    Engan, Aase and Husoy, "Method of optimal directions for frame design", 1999.
    Aharon, Elad and Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries", 2006.
    Rubinstein, Zibulevsky and Elad, "Efficient implementation of the K-SVD algorithm using batch orthogonal matching pursuit", 2008.
    Barchiesi and Plumbley, "Learning incoherent dictionaries for sparse approximation using iterative projections and rotations",
    2013.

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
    >>> learner.set_params(method="ksvd").fit(X).objective_ < 1e-12
    True
    """

    _sparse_signals = "csr"
    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "method": [StrOptions(set(METHODS))],
        "coder": [StrOptions(set(BY_NAME)), SparseCoder],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "batch_size": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), StrOptions({"auto"}), None],
        "forgetting": [Interval(Real, 0, None, closed="left")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "positive_code": ["boolean"],
        "positive_dict": ["boolean"],
        "replace_dead": ["boolean"],
        "max_coherence": [Interval(Real, 0, 1, closed="neither"), None],
        "dict_init": [StrOptions({"k-means++"}), "array-like", None],
        "shuffle": ["boolean"],
        "checkpoint": [str, PathLike, None],
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
        method="online",
        coder="lasso",
        alpha=None,
        n_nonzero_coefs=None,
        batch_size=None,
        max_iter=100,
        tol="auto",
        forgetting=3.0,
        n_sweeps=1,
        positive_code=False,
        positive_dict=False,
        replace_dead=True,
        max_coherence=None,
        dict_init=None,
        shuffle=True,
        checkpoint=None,
        random_state=None,
        callback=None,
        split_sign=False,
        sparse_output=False,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.method = method
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
        self.max_coherence = max_coherence
        self.dict_init = dict_init
        self.shuffle = shuffle
        self.checkpoint = checkpoint
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
        X : array or CSR matrix of shape (n_samples, n_features)
            Real signals, one a row; online a memory-map is read, and a sparse matrix made dense, batch by batch.
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
            checkpoint = None if self.checkpoint is None else self._opened_checkpoint(describe_data(X))
            random = check_random_state(self.random_state)
            learner = make_learner(self, X, random)
            if self.method == "online":
                learner.horizon = X.shape[0] * max(self.forgetting, 1.0)  # or little forgetting would be much
                size = self.batch_size or max(_BATCH, 2 * learner.atoms.shape[0])
                one_pass = online_pass(learner, X, batch_size=size, shuffle=self.shuffle, n_jobs=self.n_jobs)
            else:
                one_pass = whole_pass(learner, X, n_jobs=self.n_jobs)
            learned = learn(
                learner,
                one_pass,
                max_iter=self.max_iter,
                goal=partial(tolerance, self),
                random=random,
                callback=self.callback,
                checkpoint=checkpoint,
                task=task,
            )
            self._store(as_online(self, learner), X, learned)
            missed = shortfall(self, "passes")
            task.end(dict)
        if missed:
            warn(missed, ConvergenceWarning)
        return self

    @OnlineOnly
    def partial_fit(self, X, y=None):
        """Learn from one more batch, of any size; goes on from an earlier `fit` or `partial_fit`, under today's parameters.

        The number of atoms, and an `alpha` that was measured, stay. Only for ``method="online"``.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
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
            self._step(self._signals(X, reset=not hasattr(self, "_learner")))
        return self

    @OnlineOnly
    @with_callbacks
    def fit_stream(self, batches):
        """Learn from batches, one after another, from a new start: `partial_fit` with what `fit` has around it.

        Callbacks are told of every batch, a `checkpoint` keeps the last one, and what falls short is warned of at the end. A stream
        that was cut is gone through again from its first batch; those that the checkpoint has seen are passed over. Only for
        ``method="online"``.

        Parameters
        ----------
        batches : iterable of arrays or CSR matrices of shape (n_samples, n_features)
            Signals, one a row, in batches of any size and equal width; the first one gives the first atoms. Batches without a signal
            are passed over.

        Returns
        -------
        self
            The fitted estimator; ``history_`` has an entry for each batch.
        """
        self._validate_params()
        task = FitTask.of_fit(self, None)
        with all_or_nothing(self), worker_pool(self.n_jobs):
            follow(self, batches, task, back_in_stream)
            missed = shortfall(self, "batches")
            task.end(dict)
        if missed:
            warn(missed, ConvergenceWarning)
        return self

    def _signals(self, X, *, reset):
        refuse_lazy(X, "X")
        with refusing(self):
            return validate_data(self, X, accept_sparse="csr", dtype="numeric", reset=reset)

    def _opened_checkpoint(self, data, method="fit"):
        """The checkpoint of a run on these data."""
        return opened_checkpoint(self, _FREE, method=method, data=data)

    def _step(self, X) -> Learned:
        """One batch more; attributes are set when it is done."""
        first = not hasattr(self, "_learner")
        learner = make_learner(self, X, check_random_state(self.random_state)) if first else continued(self, X)
        learner.horizon = np.inf
        new = learner.step(dense_rows(X, slice(None)), self.n_jobs)
        last = Pass(new.objective / new.n_signals, learner.last_move, new.certificate)
        learned = Learned(judged(last, tolerance(self, last)), 1, last, {})
        self._store(learner, X, learned)
        return learned

    def _coder(self, n_features, n_atoms):
        alpha = self.alpha if isinstance(self.coder, SparseCoder) else self.alpha_
        return as_coder(
            self.coder,
            n_features,
            n_atoms,
            alpha=alpha,
            n_nonzero_coefs=self.n_nonzero_coefs,
            positive_code=self.positive_code,
            owner=type(self).__name__,
        )

    def _store(self, learner, X, learned):
        """Attributes of a fit or of a step; the learner stays, so that `partial_fit` can go on."""
        self._learner, self.tol_ = learner, tolerance(self, learned.last)
        self.components_ = learner.atoms.astype(rows_dtype(X))
        self.n_iter_, self.n_steps_, self.history_ = learned.n_iter, learner.n_steps, learned.history
        self.status_ = learned.status
        self.objective_, self.certificate_, self.code_certificate_ = learned.last[:3]
