"""SparseAutoencoder: codes by one product and one prox, atoms by gradients."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike

from sklearn.utils._param_validation import HasMethods, Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._estimators import with_callbacks
from ._autoencoder_codes import is_foreign
from ._autoencoder_loop import Rows
from ._autoencoder_parts import DEAD_LATENTS, STRUCTURES, add_parts
from ._autoencoder_setup import ACTIVATIONS, make_activation
from ._autoencoder_training import AutoencoderTraining

__all__ = ["SparseAutoencoder"]


class SparseAutoencoder(AutoencoderTraining):
    """Learn a dictionary together with an encoder that finds sparse codes by one matrix product and one prox step.

    The problem is::

        minimise over W, b_e, D, b with ||d_j|| = 1      mean over rows x of X    1/2 ||x - z D - b||^2 + phi(z)
                                                         z = prox_phi(x W^T + b_e)

    which is a proximal gradient step for sparse coding from zero, with weights of its own. The activation says what phi is: a bound on the number
    of entries ("topk" and its kin), the l1 norm ("relu"), the number of entries ("jumprelu"), or any separable penalty of the library.
    Training is by Adam in batches; only the encoder's product is dense, so time hardly depends on how many latents there are beside it.

    Parameters
    ----------
    n_components : int, optional
        Number of latents; by default that of the rows of `dict_init`, else four times the number of features.
    activation : str or penalty, default="topk"
        What the codes are:

        - "topk": the `n_nonzero_coefs` largest positive pre-activations; "abstopk": the largest in modulus, for features that have two directions;
        - "batchtopk", or by another name "mutual_choice": as many on average, the largest of a batch together; `transform` takes what is above a
          threshold, the running least value that was kept;
        - "feature_choice": as many on average, each latent keeping the same number of its largest signals in a batch, so that none is dead
          that has positive ones; "feature_choice_zipf": as many as Zipf's law gives its rank; `transform` has a threshold for each;
        - "gradient_topk": the largest of ``pre_j |<d_j, g>|`` where `gradients` g of a downstream loss are given, else as "topk";
        - "relu": the price `alpha` for the sum of a code's entries;
        - "jumprelu": entries above a threshold, which is learned for each latent, at the price `alpha` an entry, or so that there are
          `n_nonzero_coefs` on average where `alpha` is None;
        - a separable penalty, such as ``MCP(0.1)``, or an ``L0Ball``, in units of X.
    structure : {"flat", "transcoder", "matryoshka", "hierarchical", "orthogonal", "matching_pursuit"}, default="flat"
        What codes must do:

        - "flat": reconstruct the signals; "transcoder": the rows of `y` instead;
        - "matryoshka": also by the first latents alone, for several prefixes, so that general features come first;
        - "hierarchical": also by their largest entries alone, so that codes may be cut to any of the budgets;
        - "orthogonal": with atoms that are kept apart;
        - "matching_pursuit": come from `n_nonzero_coefs` steps of matching pursuit (`mp`), which sees what is left, without an encoder to be
          learned; slower, with all products of two atoms in memory. Atoms are kept apart too: the first step prefers sums of features.
    levels : tuple of int, optional
        Sizes of the prefixes ("matryoshka"; by default all latents, half as many, down to a sixteenth) or budgets ("hierarchical"; by default
        `n_nonzero_coefs`, its half, and so on to 1). The whole is added where it is missing.
    orthogonality : float, optional
        Weight of the mean squared cosine of atoms with their nearest neighbours, times ``1/2 mean ||x - center||^2``; by default 0.25 for
        "orthogonal" and "matching_pursuit", else 0. Less where true features are close to each other, as in few dimensions.
    dead_latents : {"auto", "aux_k", "aux_zipf", "resample"} or None, default="auto"
        "aux_k": latents that no signal uses are trained to reconstruct what the others leave; "aux_zipf" (experimental): so are those that are on
        much less often than Zipf's law has it for their rank; "resample": every hundred steps they become residuals of signals that are
        represented badly. "auto": "aux_k" for "topk" and its kin, else nothing.
    dead_after : int, optional
        Signals without an entry that make a latent dead; by default a hundred times as many as lie between two of an average one.
    n_nonzero_coefs : int, optional
        Entries of a code, at most or on average; by default a tenth of the width of X.
    alpha : float, optional
        Price of "relu" in units of X, by default 1.2 times the root mean square of X about its centre; of "jumprelu" in their square.
    bandwidth : float, default=0.1
        Width of the window in which thresholds of "jumprelu" feel the entries they let in or keep out, over the root mean square of X.
    batch_size : int, default=512
        Signals in a batch.
    max_iter : int, default=50
        Passes over X.
    learning_rate : float, optional
        Of Adam, for atoms of norm one and X scaled to entries of about one; by default ``5e-4 sqrt(2**14 / n_components)``. It rises over the first
        steps of `fit`, and falls to zero over the last third.
    tol : float, optional
        `fit` ends when the certificate of a pass is at most this, and warns where ``certificate_`` is above it; by default all
        passes are made, without a warning.
    dict_init : array of shape (n_components, n_features), optional
        Atoms to start from (rows are scaled to 1); by default random directions. The encoder starts as their transpose.
    shuffle : bool, default=True
        Whether each pass takes the signals in a new random order.
    random_state : int, RandomState or None, default=None
        For the first atoms and the order of signals. The answer has the same bits for any `n_jobs`.
    checkpoint : str or path-like, optional
        File in which `fit` keeps the last complete pass (`fit_stream`: batch), with the state of Adam and of the generators, and from which it
        goes on if the file is there: with the same bits as a run that was never cut. Only `tol`, `callback`, `n_jobs`,
        the form of the codes, and `max_iter` of a run that was cut before its learning rate fell, may then differ. Remove the file to begin anew.
    callback : callable, optional
        Called with a `LearningProgress` after each pass (batch); return True to stop.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix; arrays of other namespaces give dense codes, where they live.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The atoms: decoder rows of norm one.
    intercept_ : array of shape (n_features,)
        b, of the reconstruction.
    encoder_ : array of shape (n_components, n_features)
        W.
    encoder_intercept_ : array of shape (n_components,)
        b_e: pre-activations are ``X @ encoder_.T + encoder_intercept_``.
    threshold_ : array of shape (n_components,)
        What pre-activations must exceed where the activation has thresholds, else zero.
    alpha_ : float or None
        The price in force.
    density_ : ndarray of shape (n_components,)
        Running share of the signals of training in which each latent has an entry.
    n_iter_ : int
        Passes done.
    n_steps_ : int
        Batches learned from.
    objective_ : float
        Mean objective of X (of 16384 of its rows at even distances) at the end, in double precision; of `partial_fit` that of the batch.
    certificate_ : float
        Relative gradient norm at the end, on the same rows: to first order the share of the variance of X that a step downhill saves which is as
        long as one atom. It is zero at a stationary point; batches and a selection that jumps leave a floor.
    status_ : Status
        How `fit` ended: CONVERGED where the certificate meets `tol` or all passes were made without one; DIVERGED, with a warning, where the
        objective is worse than before training.
    history_ : dict of str to list
        ``"epoch"``, ``"objective"`` and ``"certificate"`` (each batch at the parameters of its time), ``"seconds"`` and ``"replaced"`` of every pass.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is out of range or has no meaning for the activation, shapes disagree, X is not finite or a dask collection, training leaves
        the range of numbers, or the checkpoint is of another version of the package, other data or other parameters.

    See Also
    --------
    DictionaryLearning : Codes that minimise the objective, rather than approximate ones by one product.

    Notes
    -----
    Judge latents by known features where there are any (`sparsecode.metrics`), not by reconstruction alone.

    Arrays of torch, CuPy and other namespaces are learned from where they live, on dense codes, with the flat structure.

    References
    ----------
    Gao, la Tour, Tillman and others, "Scaling and evaluating sparse autoencoders", 2024 (arXiv 2406.04093).
    Bussmann, Leask and Nanda, "BatchTopK sparse autoencoders", 2024 (arXiv 2412.06410).
    Rajamanoharan, Lieberum, Sonnerat and others, "Jumping ahead: improving reconstruction fidelity with JumpReLU sparse autoencoders", 2024
    (arXiv 2407.14435).
    Ayonrinde, "Adaptive sparse allocation with mutual choice and feature choice sparse autoencoders", 2024 (arXiv 2411.02124).
    Olmo, Wilson, Forsey and others, "Features that make a difference: leveraging gradients for improved dictionary learning", 2024
    (arXiv 2411.10397).
    Bussmann, Nabeshima, Karvonen and Nanda, "Learning multi-level features with Matryoshka sparse autoencoders", 2025 (arXiv 2503.17547).
    Balagansky, Aksenov, Laptev and others, "Train one sparse autoencoder across multiple sparsity budgets", 2025 (arXiv 2505.24473).
    Korznikov, Galichin, Dontsov and others, "OrtSAE: orthogonal sparse autoencoders uncover atomic features", 2025 (arXiv 2509.22033).
    Costa, Fel, Lubana, Tolooshams and Ba, "From flat to hierarchical: extracting sparse representations with matching pursuit", 2025
    (arXiv 2506.03093).

    Examples
    --------
    Three directions, of which each signal has one:

    >>> import numpy as np
    >>> from sparsecode import SparseAutoencoder
    >>> atoms = np.array([[0.6, 0.8, 0.0], [0.0, 0.6, 0.8], [0.8, 0.0, -0.6]])
    >>> rng = np.random.default_rng(0)
    >>> X = np.repeat(atoms, 200, axis=0) * rng.uniform(1, 2, (600, 1))
    >>> model = SparseAutoencoder(6, n_nonzero_coefs=1, batch_size=50, random_state=0).fit(X)
    >>> codes = model.transform(X)
    >>> bool(np.linalg.norm(X - model.inverse_transform(codes)) < 0.1 * np.linalg.norm(X))
    True
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "activation": [StrOptions(set(ACTIVATIONS)), HasMethods("prox")],
        "structure": [StrOptions(set(STRUCTURES))],
        "levels": ["array-like", None],
        "orthogonality": [Interval(Real, 0, None, closed="left"), None],
        "dead_latents": [StrOptions(set(DEAD_LATENTS)), None],
        "dead_after": [Interval(Integral, 1, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "bandwidth": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither"), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "dict_init": ["array-like", None],
        "shuffle": ["boolean"],
        "random_state": ["random_state"],
        "checkpoint": [str, PathLike, None],
        "callback": [callable, None],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components=None,
        *,
        activation="topk",
        structure="flat",
        levels=None,
        orthogonality=None,
        dead_latents="auto",
        dead_after=None,
        n_nonzero_coefs=None,
        alpha=None,
        bandwidth=0.1,
        batch_size=512,
        max_iter=50,
        learning_rate=None,
        tol=None,
        dict_init=None,
        shuffle=True,
        random_state=None,
        checkpoint=None,
        callback=None,
        sparse_output=False,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.activation = activation
        self.structure = structure
        self.levels = levels
        self.orthogonality = orthogonality
        self.dead_latents = dead_latents
        self.dead_after = dead_after
        self.n_nonzero_coefs = n_nonzero_coefs
        self.alpha = alpha
        self.bandwidth = bandwidth
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.learning_rate = learning_rate
        self.tol = tol
        self.dict_init = dict_init
        self.shuffle = shuffle
        self.random_state = random_state
        self.checkpoint = checkpoint
        self.callback = callback
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y=None, gradients=None):
        """Learn latents from X.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Real signals, one a row; a memory-map is read, and a sparse matrix made dense, batch by batch.
        y : array of shape (n_samples, n_targets), optional
            What a transcoder reconstructs; ignored otherwise.
        gradients : array of shape (n_samples, n_features), optional
            Of a downstream loss in X (in y, for a transcoder), for ``activation="gradient_topk"``.

        Returns
        -------
        self
            The fitted estimator.
        """
        return self._fit(X, y, gradients)

    def partial_fit(self, X, y=None, gradients=None):
        """Learn from one more batch, of any size; goes on from an earlier fit, at the full learning rate after the first hundred steps.

        Centre and scale, which the first batch gave, and the number of latents stay.

        Parameters
        ----------
        X, y, gradients
            As for `fit`.

        Returns
        -------
        self
            The estimator, one step further, or as it was if the step fails.
        """
        return self._partial_fit(X, y, gradients)

    @with_callbacks
    def fit_stream(self, batches):
        """Learn from batches, one after another, from a new start: `partial_fit` with what `fit` has around it.

        Callbacks are told of every batch, a `checkpoint` keeps the last one, and what falls short is warned of at the end. A stream
        that was cut is gone through again from its first batch; those that the checkpoint has seen are passed over.

        Parameters
        ----------
        batches : iterable of arrays or CSR matrices of shape (n_samples, n_features)
            Signals, one a row, in batches of any size (the last may be a short one) and equal width; the first one gives centre and
            scale. Batches without a signal are passed over.

        Returns
        -------
        self
            The fitted estimator; ``history_`` has an entry for each batch.
        """
        if self.structure == "transcoder":
            raise ValueError(
                "fit_stream has no targets for structure='transcoder'; call partial_fit(X, y) with each batch."
            )
        return self._fit_stream(batches)

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
        if is_foreign(X):
            self._refuse_beside_foreign(X, gradients)
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

    def _make_activation(self, n_latents):
        return make_activation(self, self.n_features_in_, n_latents, self._frame.target_scale)

    def _equip(self, learner):
        add_parts(self, learner)

    def _checked_rows(self, X, y, gradients, *, reset, coding=False) -> Rows:
        """Signals, targets and gradients by the rules."""
        X = self._signals(X, reset=reset)
        if is_foreign(X):
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

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.structure == "transcoder"
        return tags
