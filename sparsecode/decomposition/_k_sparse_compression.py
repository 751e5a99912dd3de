"""KSparseCompression: a linear layer that keeps its outputs on calibration data with fewer numbers."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._estimators import all_or_nothing
from .._parallel import worker_pool
from .._tables import validate_data
from .._validation import check_range, refuse_lazy
from ..result import announce
from ..solvers.dictionary.compression import solve_compression
from ..solvers.dictionary.row_sums import second_moments
from ._signals import refusing

__all__ = ["KSparseCompression"]


class KSparseCompression(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Compress a linear layer, outputs = inputs @ weight, into a dense dictionary times column-sparse codes.

    The problem is::

        minimise over D (m, K) and S (K, n)    ||X (W - D S)||_F    with at most s entries in each column of S

    A *sample* is one input of the layer, a row of X with m features: `fit` is given calibration inputs, on which the error of
    the outputs is made small, and `transform` computes the n outputs of the compressed layer for new inputs, ``(x D) S``. The
    weight is a parameter, as the dictionary is of `SparseCoder`.

    Parameters
    ----------
    weight : array of shape (n_features, n_outputs), or list of such arrays, optional
        The layer, or several layers that are to share a dictionary: they are joined side by side. Where they have different
        inputs, give those of all in turn, each of which then counts for all. By default the identity: inputs themselves are
        compressed.
    n_components : int, optional
        Atoms K; by default as many as `rate` allows.
    n_nonzero_coefs : int, optional
        Entries s of a column of the codes; by default ``K / ratio``.
    rate : float, default=0.2
        Share of the weight's bits to save, where it is not said by `n_components`.
    ratio : float, default=2.0
        K / s. With 1 codes are dense, and the answer is the truncated singular value decomposition.
    bits : int, default=16
        Of a stored number, for ``storage_``; nothing is rounded.
    max_iter : int, default=100
        Passes over the columns of the weight.
    tol : float, default=2e-3
        Tolerance of ``certificate_``.
    random_state : int, RandomState or None, default=None
        Which columns the start takes.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The answer has the same bits for any number.

    Attributes
    ----------
    dictionary_ : ndarray of shape (n_features, n_components)
        D, columns of norm one, in the precision of X.
    codes_ : csc_array of shape (n_components, n_outputs)
        S; the weight is about ``dictionary_ @ codes_``.
    storage_ : Storage
        Bits of the dictionary, of the values and positions of the codes (as a bitmask or as indices), of the weight as it was,
        and the rank of a singular value decomposition of the same size.
    output_error_ : float
        ``||X (W - D S)||_F / ||X W||_F`` on the calibration inputs.
    n_iter_ : int
        Passes done.
    n_samples_seen_ : int
        Calibration inputs so far.
    objective_ : float
        Half the squared error of the outputs, with a ridge of a millionth of the mean variance of the inputs.
    certificate_ : float
        How far a sweep over the dictionary would move it, its codes held: root mean square, weighted by the energy of the codes.
    status_ : Status
        How the passes ended.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"`` and ``"certificate"``.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, the calibration inputs are zero or a parameter is out of range.

    See Also
    --------
    DictionaryLearning : Dictionaries of the samples themselves.

    Notes
    -----
    Calibration inputs enter through ``X.T @ X`` alone, so any matrix of the same one does, for example the transposed Cholesky
    factor of a Gram matrix that was gathered elsewhere. With fewer inputs than features, or few more, the error on new
    inputs is larger than ``output_error_``: hold some out.

    References
    ----------
    Shopkhoev, Makhov, Zaytsev, Konushin and Panov, "CoSpaDi: compressing LLMs via calibration-guided sparse dictionary
    learning", 2025 (arXiv 2509.22075).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import KSparseCompression
    >>> rng = np.random.default_rng(0)
    >>> weight, X = rng.standard_normal((20, 60)), rng.standard_normal((500, 20))
    >>> layer = KSparseCompression(weight, rate=0.3, random_state=0).fit(X)
    >>> layer.dictionary_.shape, layer.codes_.shape, layer.storage_.rate >= 0.3
    ((20, 15), (15, 60), True)
    >>> error = np.linalg.norm(layer.transform(X) - X @ weight) / np.linalg.norm(X @ weight)
    >>> bool(np.isclose(error, layer.output_error_))
    True
    """

    _parameter_constraints: dict = {
        "weight": ["array-like", list, None],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "rate": [Interval(Real, 0, 1, closed="left")],
        "ratio": [Interval(Real, 1, None, closed="left")],
        "bits": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        weight=None,
        *,
        n_components=None,
        n_nonzero_coefs=None,
        rate=0.2,
        ratio=2.0,
        bits=16,
        max_iter=100,
        tol=2e-3,
        random_state=None,
        n_jobs=None,
    ):
        self.weight = weight
        self.n_components = n_components
        self.n_nonzero_coefs = n_nonzero_coefs
        self.rate = rate
        self.ratio = ratio
        self.bits = bits
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.n_jobs = n_jobs

    def _check_sizes(self):
        for name, default in (("rate", 0.2), ("ratio", 2.0)):
            needed = self.n_components is None or (name == "ratio" and self.n_nonzero_coefs is None)
            if not needed and getattr(self, name) != default:
                given = "n_components" if name == "rate" else "n_components and n_nonzero_coefs"
                raise ValueError(f"{name} has no meaning where {given} say the size; leave it at its default.")

    def fit(self, X, y=None):
        """Compress the weight for inputs like X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Real calibration inputs, one a row; a memory-map is read block by block.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self), worker_pool(self.n_jobs):
            self._validate_params()
            self._check_sizes()
            X = self._inputs(X, reset=True)
            result = self._compressed(X, self._gram_of(X), self.max_iter, self.n_components)
            self.n_samples_seen_ = X.shape[0]
            announce(result)
        return self

    def partial_fit(self, X, y=None):
        """Add calibration inputs to those before, and improve the factors by one pass.

        The number of atoms stays as it was. One pass is far less than `fit` does: call it again, with the same inputs in turn, until
        ``certificate_`` is small. Inputs that come again count again, which changes nothing where all do so equally often.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            More inputs, one a row.
        y : None
            Ignored.

        Returns
        -------
        self
            The estimator, one step further, or as it was if the step fails.
        """
        with all_or_nothing(self), worker_pool(self.n_jobs):
            self._validate_params()
            self._check_sizes()
            first = not hasattr(self, "_gram")
            X = self._inputs(X, reset=first)
            gram, seen = self._gram_of(X), X.shape[0]
            if first:
                n_atoms, known = self.n_components, {}
            else:
                gram, seen = self._gram + gram, self.n_samples_seen_ + seen
                n_atoms, known = self.dictionary_.shape[1], {"init": self.dictionary_, "codes": self.codes_}
            self._compressed(X, gram, 1, n_atoms, **known)
            self.n_samples_seen_ = seen
        return self

    def _compressed(self, X, gram, max_iter, n_atoms, init=None, codes=None):
        weight = self._weight(X.shape[1])
        if codes is not None and codes.shape[1] != weight.shape[1]:
            raise ValueError(
                f"weight has {weight.shape[1]} columns, but the one before had {codes.shape[1]}: call fit for a new weight."
            )
        result = solve_compression(
            weight,
            gram,
            n_atoms=n_atoms,
            n_nonzero=self.n_nonzero_coefs,
            rate=float(self.rate),
            ratio=float(self.ratio),
            bits=self.bits,
            init=init,
            codes=codes,
            max_iter=max_iter,
            tol=float(self.tol),
            random_state=self.random_state,
            n_jobs=self.n_jobs,
        )
        self._gram = gram
        self.dictionary_, self.codes_ = result.coef.astype(X.dtype), result.codes.astype(X.dtype)
        self.storage_, self.output_error_ = result.storage, result.output_error
        self.n_iter_, self.objective_, self.certificate_ = result.n_iter, result.objective, result.certificate
        self.status_, self.history_ = result.status, result.history
        return result

    def transform(self, X):
        """Outputs of the compressed layer: ``(X @ dictionary_) @ codes_``.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Inputs, one a row.

        Returns
        -------
        ndarray of shape (n_samples, n_outputs)
            The outputs.
        """
        check_is_fitted(self)
        X = self._inputs(X, reset=False)
        inner = X @ self.dictionary_.astype(X.dtype, copy=False)
        return np.ascontiguousarray((self.codes_.T.astype(X.dtype, copy=False) @ inner.T).T)

    def _inputs(self, X, reset):
        refuse_lazy(X, "X")
        with refusing(self):
            return validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)

    def _gram_of(self, X):
        gram = second_moments(X, self.n_jobs)
        check_range(np.diagonal(gram), X.T, "X", "column")
        return gram

    def _weight(self, n_features):
        if self.weight is None:
            return np.eye(n_features)
        refuse_lazy(self.weight, "weight")
        several = isinstance(self.weight, list) and self.weight and np.ndim(self.weight[0]) == 2
        parts = [np.asarray(part) for part in (self.weight if several else [self.weight])]
        for part in parts:
            if part.ndim != 2 or part.shape[0] != n_features:
                raise ValueError(
                    f"weight has shape {part.shape}, but X has {n_features} features: it must have shape "
                    f"({n_features}, n_outputs), one row for each input."
                )
        return np.hstack(parts)

    @property
    def _n_features_out(self):
        return self.codes_.shape[1]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
