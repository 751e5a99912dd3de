"""ConvolutionalDictionaryLearning: short atoms that occur anywhere in long signals or large images."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions

from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import worker_pool
from .._warnings import warn
from ..designs import ConvolutionDesign
from ..result import Status
from ..solvers.convolutional.atoms import ConvolutionalStatistics
from ..solvers.convolutional.coder import Layout
from ..solvers.convolutional.coding import largest_correlation, loudest_window, make_coder
from ..solvers.convolutional.learning import WATCHED, LearnedAtoms, Stream, learn_atoms, learn_batch
from ._checkpoint import describe_data, opened_checkpoint
from ._convolutional_setup import atom_lengths, first_atoms
from ._convolutional_transform import SOLVERS, ConvolutionalTransformer
from ._learning_loop import ended

__all__ = ["ConvolutionalDictionaryLearning"]

_FREE = ("max_iter", "tol", "callback", "n_jobs", "checkpoint", "sparse_output")  # may change on the way


class ConvolutionalDictionaryLearning(CallbackSupportMixin, ConvolutionalTransformer):
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
    forgetting : float, default=3.0
        `partial_fit`: batch t counts ``t ** forgetting`` times as much as the first; 0 never forgets.
    replace_dead : bool, default=True
        Whether, in the first 25 iterations (batches), an atom that no signal uses, or that equals another up to a shift, becomes what
        the codes represent worst.
    dict_init : array of shape ``(n_components, *atom_shape)``, optional
        Where to start (atoms longer than 1 are scaled to 1), for example `log_gabor_bank`; by default windows of the signals
        drawn at random, the likelier the more energy they hold.
    random_state : int, RandomState or None, default=None
        For the first atoms. The answer has the same bits for any `n_jobs`.
    checkpoint : str or path-like, optional
        File in which `fit` keeps the last complete iteration, and from which it goes on if the file is there: with the same bits as a
        run that was never cut. Only `max_iter`, `tol`, `callback`, `n_jobs` and the form of the codes may then differ from those of
        the first run. Remove the file to begin anew.
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
        Iterations done; batches seen by `partial_fit`.
    objective_ : float
        Mean objective of a signal at the end; in a stream of the last batch, over the atoms that it found.
    certificate_ : float
        How far projected gradient steps would move the atoms: root mean square over atoms, weighted by the energy of their codes.
        Atoms have norm one at most, so it is free of scale.
    code_certificate_ : float
        The largest relative duality gap of a signal's codes.
    status_ : Status
        How the fit ended: CONVERGED where the certificate meets `tol`, or all iterations were made without one.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"``, ``"certificate"``, ``"seconds"``, ``"replaced"`` (so far), ``"code_certificate"``.
    n_features_in_ : int
        Length of the first axis of a signal.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If atoms are longer than signals, would move along more than two axes, `dict_init` has another shape, or the checkpoint is of
        another version of the package, other data or other parameters: then nothing is changed.

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
        "solver": [StrOptions(set(SOLVERS))],
        "positive_code": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "code_tol": [Interval(Real, 0, None, closed="neither")],
        "n_sweeps": [Interval(Integral, 1, None, closed="left")],
        "forgetting": [Interval(Real, 0, None, closed="left")],
        "replace_dead": ["boolean"],
        "dict_init": ["array-like", None],
        "random_state": ["random_state"],
        "checkpoint": [str, PathLike, None],
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
        forgetting=3.0,
        replace_dead=True,
        dict_init=None,
        random_state=None,
        checkpoint=None,
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
        self.forgetting = forgetting
        self.replace_dead = replace_dead
        self.dict_init = dict_init
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.callback = callback
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y=None):
        """Learn the atoms from X.

        Parameters
        ----------
        X : array of shape (n_samples, length), (n_samples, height, width) or (n_samples, n_channels, length)
            Real signals or images, one an entry of the first axis.
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
            layout = self._layout(X)
            checkpoint = self._opened_checkpoint(X)
            signals = layout.planes(X, layout.signal_shape)
            atoms = first_atoms(
                self.dict_init, self.n_components, signals, layout, check_random_state(self.random_state)
            )
            self.alpha_ = self._strength(X, atoms, layout, checkpoint)
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
                checkpoint=checkpoint,
            )
            self._store(learned._replace(status=ended(learned.status, self.tol)), layout, signals.dtype)
            self._stream = Stream(learned.atoms, learned.statistics, len(signals))
            task.end(dict)
        if self.status_ is Status.MAX_ITER:
            warn(
                f"projected gradient steps would still move the atoms by {self.certificate_:.3e} after {self.n_iter_} iterations, "
                f"tolerance {self.tol:.1e}: raise max_iter, loosen tol, or pass tol=None if the number of iterations is what you want.",
                ConvergenceWarning,
            )
        return self

    def partial_fit(self, X, y=None):
        """Learn from one more batch, of any size; goes on from an earlier `fit` or `partial_fit`, under today's parameters.

        The batch is coded over the atoms as they are; then they improve from the statistics of all batches so far, earlier ones
        counting less (`forgetting`). The shape of signals and atoms, and an `alpha` that was measured, stay.

        Parameters
        ----------
        X : array of shape (n_samples, length), (n_samples, height, width) or (n_samples, n_channels, length)
            Real signals or images, one an entry of the first axis.
        y : None
            Ignored.

        Returns
        -------
        self
            The estimator, one step further, or as it was if the step fails.
        """
        self._validate_params()
        first = not hasattr(self, "_stream")
        with all_or_nothing(self), worker_pool(self.n_jobs):
            X = self._signals(X, reset=first)
            if first:
                layout = self._layout(X)
                signals, random = layout.planes(X, layout.signal_shape), check_random_state(self.random_state)
                atoms = first_atoms(self.dict_init, self.n_components, signals, layout, random)
                self.alpha_ = self._strength(X, atoms, layout, None)
                planes = layout.planes(atoms, layout.atom_shape)
                self._stream, self.n_iter_ = Stream(atoms, ConvolutionalStatistics.empty(planes.shape), 0), 0
            layout = Layout(self._stream.atoms.shape[1:], X.shape[1:])
            stream, batch, move = learn_batch(
                layout.planes(X, layout.signal_shape),
                self._stream,
                make_coder(self.solver, self._stream.atoms, layout, self.alpha_, **self._coding()),
                layout,
                forgetting=self.forgetting,
                n_sweeps=self.n_sweeps,
                replace_dead=self.replace_dead and self.n_iter_ < WATCHED,
                n_jobs=self.n_jobs,
            )
            status = Status.CONVERGED if self.tol is not None and move <= self.tol else Status.MAX_ITER
            self._store(LearnedAtoms(stream.atoms, status, self.n_iter_ + 1, batch, move, {}), layout, X.dtype)
            self._stream = stream
        return self

    def _layout(self, X):
        """How these signals and the atoms are arranged."""
        layout = Layout(atom_lengths(self.atom_shape, self.dict_init, X.shape[1:]), X.shape[1:])
        if not layout.is_plane:
            raise ValueError(
                f"atoms of shape {layout.atom_shape} would move along {len(layout.moving)} axes of signals of shape "
                f"{layout.signal_shape}; make them as long as the signal on all but two."
            )
        return layout

    def _opened_checkpoint(self, X):
        """The checkpoint of a run on these signals, where one is asked for."""
        return None if self.checkpoint is None else opened_checkpoint(self, _FREE, data=describe_data(X))

    def _strength(self, X, atoms, layout, checkpoint):
        """Strength of the penalty: as given, in proportion to what the first atoms correlate with, or that of the run that goes on."""
        if checkpoint is not None and checkpoint.saved is not None:
            return checkpoint.saved[0]["alpha"]
        if not self.relative:
            return float(self.alpha)
        design = ConvolutionDesign(atoms, layout.signal_shape)
        largest = largest_correlation(design, X, self.positive_code) or loudest_window(layout.atom_shape, X)
        return float(self.alpha) * largest or 1.0

    def _store(self, learned, layout, dtype):
        self._signal_shape = layout.signal_shape
        self.components_ = np.ascontiguousarray(learned.atoms, dtype=dtype)
        self.code_shape_ = (len(self.components_), *layout.places)
        self.n_iter_, self.status_, self.history_ = learned.n_iter, learned.status, learned.history
        self.objective_ = learned.statistics.objective / learned.statistics.n_signals
        self.certificate_, self.code_certificate_ = learned.certificate, learned.statistics.certificate
