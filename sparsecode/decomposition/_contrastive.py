"""ContrastiveSparseRepresentation: embeddings as sparse codes that keep who is near whom."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.utils import column_or_1d
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_consistent_length

from .._array import is_numpy
from .._estimators import with_callbacks
from ..solvers.autoencoder.contrast import Contrast, Leading, LeadingTopK
from ..solvers.autoencoder.dead import AuxiliaryLatents
from ._autoencoder_loop import Rows, default_rate
from ._autoencoder_setup import n_entries
from ._autoencoder_training import AutoencoderTraining
from ._checkpoint import describe_data

__all__ = ["ContrastiveSparseRepresentation"]

_WIDER = 4  # entries of a code in training, over those of `transform`
_QUICKER = 8.0  # the default learning rate, over that of an autoencoder: embeddings to retrieve from are few
_DEAD = 30  # batches without an entry after which a latent is dead


class ContrastiveSparseRepresentation(AutoencoderTraining):
    """Learn sparse codes of embeddings by which neighbours are found as by the embeddings themselves.

    The problem is::

        minimise    mean over rows x of X    1/2 ||x - z_k D - b||^2 + 1/16 ||x - z_4k D - b||^2    + contrast v KL(q || p)
                    z_k = the k largest positive entries of x W^T + b_e,        v = 1/2 mean of ||x - center||^2
                    p_ij = softmax over j of cos(z_k,i, z_k,j) / temperature,   j in the batch

    with unit rows of D, and a loss that gives dead latents the residual. q says who should be near whom: in the embedding itself the same
    softmax of the cosines of ``x - center`` (the geometric median), or what `positives` says. Codes have few entries of many, so that `InvertedIndex`
    looks only at signals that share a latent with the query.

    Parameters
    ----------
    n_components : int, optional
        Number of latents; by default that of the rows of `dict_init`, else four times the number of features.
    n_nonzero_coefs : int, optional
        Entries of a code, k at most; by default a tenth of the width of X.
    contrast : float, default=3.0
        Weight of the contrast; 0 for a plain autoencoder.
    temperature : float, default=0.1
        Of the softmax: the difference of cosines that counts.
    positives : {"neighbours", "self", "labels", "pairs"}, default="neighbours"
        Who should be near signal i:

        - "neighbours": who is near in the embedding, as near as there;
        - "self": nobody but itself, all others of the batch are negatives (InfoNCE, as published, there with ``contrast=0.1, temperature=0.2``);
        - "labels": the others of the same label in `y`;
        - "pairs": the same row of `y`, another view of the signal of the same width, such as the embedding of its caption.
    batch_size : int, default=256
        Signals in a batch. The contrast is between them, and takes memory by the square of their number.
    max_iter : int, default=100
        Passes over X.
    learning_rate : float, optional
        Of Adam, as for `SparseAutoencoder`; by default ``0.512 / sqrt(n_components)``.
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
        File in which `fit` keeps the last complete pass, and from which it goes on if the file is there, as for `SparseAutoencoder`.
    callback : callable, optional
        Called with a `LearningProgress` after each pass (batch); return True to stop.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms: decoder rows of norm one.
    intercept_ : ndarray of shape (n_features,)
        b, of the reconstruction.
    encoder_ : ndarray of shape (n_components, n_features)
        W.
    encoder_intercept_ : ndarray of shape (n_components,)
        b_e: pre-activations are ``X @ encoder_.T + encoder_intercept_``.
    threshold_ : ndarray of shape (n_components,)
        Zeros.
    alpha_ : None
        Nothing has a price here.
    density_ : ndarray of shape (n_components,)
        Running share of the signals of training in which each latent has one of the 4 k entries.
    n_iter_ : int
        Passes done.
    n_steps_ : int
        Batches learned from.
    objective_ : float
        Mean objective of X (of 16384 of its rows at even distances) at the end, in double precision; of `partial_fit` that of the batch.
    certificate_ : float
        Relative gradient norm at the end, on the same rows: to first order the share of the variance of X that a step downhill saves which is as
        long as one atom. Batches and a selection that jumps leave a floor.
    status_ : Status
        How `fit` ended, as for `SparseAutoencoder`.
    history_ : dict of str to list
        ``"epoch"``, ``"objective"`` and ``"certificate"`` (each batch at the parameters of its time), ``"seconds"`` and ``"replaced"`` of every pass.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is out of range, shapes disagree, `y` is missing where `positives` needs it, X is not finite or a dask collection,
        training leaves the range of numbers, or the checkpoint is of another version of the package, other data or other parameters.

    See Also
    --------
    InvertedIndex : Finds neighbours by such codes.
    SparseAutoencoder : Codes for their own sake.

    Notes
    -----
    Of the ten nearest of 1400 digits of scikit-learn, 4, 8 and 16 entries of 256 found 0.55, 0.71 and 0.82; as many principal components 0.30, 0.58
    and 0.80; a plain autoencoder 0.57, 0.67 and 0.74; the published contrast 0.53, 0.61 and 0.65 (means over splits, or of one). A plain
    autoencoder is enough where codes have very few entries.

    References
    ----------
    Wen, Wang, Zeng and others, "Beyond Matryoshka: revisiting sparse coding for adaptive representation", 2025 (arXiv
    2503.01776).
    van den Oord, Li and Vinyals, "Representation learning with contrastive predictive coding", 2018 (arXiv 1807.03748).
    Khosla, Teterwak, Wang and others, "Supervised contrastive learning", 2020 (arXiv 2004.11362).

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sparsecode import ContrastiveSparseRepresentation, InvertedIndex
    >>> X = load_digits().data[:600] / 16
    >>> model = ContrastiveSparseRepresentation(128, n_nonzero_coefs=8, max_iter=20, random_state=0).fit(X)
    >>> index = InvertedIndex(model.transform(X))
    >>> scores, neighbours = index.query(model.transform(X[:3]), n_neighbors=2)
    >>> neighbours[:, 0]
    array([0, 1, 2])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "contrast": [Interval(Real, 0, None, closed="left")],
        "temperature": [Interval(Real, 0, None, closed="neither")],
        "positives": [StrOptions({"neighbours", "self", "labels", "pairs"})],
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
        n_nonzero_coefs=None,
        contrast=3.0,
        temperature=0.1,
        positives="neighbours",
        batch_size=256,
        max_iter=100,
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
        self.n_nonzero_coefs = n_nonzero_coefs
        self.contrast = contrast
        self.temperature = temperature
        self.positives = positives
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
    def fit(self, X, y=None):
        """Learn latents from X.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Embeddings, one a row; a memory-map is read, and a sparse matrix made dense, batch by batch.
        y : array of shape (n_samples,) or (n_samples, n_features), optional
            Labels, or the other view of each row, as `positives` says; ignored otherwise.

        Returns
        -------
        self
            The fitted estimator.
        """
        return self._fit(X, y)

    def partial_fit(self, X, y=None):
        """Learn from one more batch; goes on from an earlier fit, at the full learning rate after the first hundred steps.

        Parameters
        ----------
        X, y
            As for `fit`.

        Returns
        -------
        self
            The estimator, one step further, or as it was if the step fails.
        """
        return self._partial_fit(X, y)

    @with_callbacks
    def fit_stream(self, batches):
        """Learn from batches, one after another, from a new start: `partial_fit` with what `fit` has around it.

        Parameters
        ----------
        batches : iterable of arrays or CSR matrices of shape (n_samples, n_features)
            Embeddings, one a row, as for `SparseAutoencoder`.

        Returns
        -------
        self
            The fitted estimator; ``history_`` has an entry for each batch.
        """
        if self.positives in ("labels", "pairs"):
            raise ValueError(
                f"fit_stream has no y for positives={self.positives!r}; call partial_fit(X, y) with each batch."
            )
        self._contrast = Contrast(self.contrast, self.temperature, self.positives)
        return self._fit_stream(batches)

    def transform(self, X):
        """Codes of the rows of X, of at most `n_nonzero_coefs` entries.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Embeddings, one a row; a memory-map is read, and a sparse matrix made dense, block by block.

        Returns
        -------
        ndarray or scipy.sparse.csr_matrix of shape (n_samples, n_components)
            The codes, sparse if `sparse_output`.
        """
        return super().transform(X)

    def _make_activation(self, n_latents):
        return LeadingTopK(*self._sizes(n_latents)), None

    def _equip(self, learner):
        if not is_numpy(learner.atoms):
            raise ValueError(
                "X is no NumPy array: ContrastiveSparseRepresentation learns from these alone; convert it."
            )
        learner.structure = Leading(*self._sizes(learner.atoms.shape[0]))
        n_signals = self.batch_size * (2 if self.positives == "pairs" else 1)  # of a batch
        learner.terms = self._contrast, AuxiliaryLatents(_DEAD * n_signals)

    def _sizes(self, n_latents):
        """Entries of a code of `transform`, and of one in training."""
        k = n_entries(self, self.n_features_in_, n_latents)
        return k, min(_WIDER * k, n_latents)

    def _rate(self, learner):
        return self.learning_rate or _QUICKER * default_rate(learner.atoms.shape[0])

    def _checked_rows(self, X, y, gradients=None, *, reset):
        """Signals, and labels or views, by the rules."""
        X = self._signals(X, reset=reset)
        self._contrast = Contrast(self.contrast, self.temperature, self.positives)
        if self.positives not in ("labels", "pairs"):
            return Rows(X)
        if y is None:
            raise ValueError(f"positives={self.positives!r} needs y, the {self.positives} of the rows of X: fit(X, y).")
        if self.positives == "pairs":
            views = self._same_rows(y, X, "y")
            if views.shape[1] != X.shape[1]:
                raise ValueError(f"y has {views.shape[1]} columns; another view of each row of X needs {X.shape[1]}.")
            return _Pairs(X, views, self._contrast)
        labels = column_or_1d(y)
        if any(label is None or label != label for label in labels.tolist()):
            raise ValueError(
                "y has labels that are None or NaN, which would be a class of their own; leave out those rows."
            )
        labels = np.unique(labels, return_inverse=True)[1]
        check_consistent_length(X, labels)
        return _Labelled(X, labels, self._contrast)

    def _described(self, rows):
        """By what all of the data are known again."""
        known = describe_data(rows.X)
        if not isinstance(rows, Rows):
            known.update({f"y {key}": value for key, value in describe_data(rows.y).items()})
        return known

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = self.positives in ("labels", "pairs")
        return tags


class _Labelled:
    """Signals with labels, of which the contrast is told batch by batch; otherwise as `Rows`."""

    target = slopes = None

    def __init__(self, X, labels, contrast):
        self.X, self.labels, self.contrast = X, labels, contrast

    @property
    def y(self):
        """What came beside X, as rows."""
        return self.labels[:, None]

    def batch(self, frame, rows, dtype):
        """Some rows as the learner takes them."""
        self.contrast.labels = self.labels[rows]
        return Rows(self.X).batch(frame, rows, dtype)


class _Pairs:
    """Signals in two views, which make one batch: a label for each pair; otherwise as `Rows`."""

    target = slopes = None

    def __init__(self, X, y, contrast):
        self.X, self.y, self.contrast = X, y, contrast

    def batch(self, frame, rows, dtype):
        """Some rows of the first view, then those of the second, as the learner takes them."""
        inputs = np.vstack([Rows(view).batch(frame, rows, dtype)[0] for view in (self.X, self.y)])
        self.contrast.labels = np.tile(np.arange(len(inputs) // 2), 2)
        return inputs, inputs, None
