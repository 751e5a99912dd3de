"""LpDictionaryLearning: complete dictionaries by lp-norm maximisation."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._array import array_namespace, is_array_api_obj, is_complex
from .._estimators import all_or_nothing
from .._tables import validate_data
from .._validation import refuse_lazy
from ..result import announce
from ..solvers.dictionary.lp import dense_array, solve_lp
from ._signals import check_width, refusing

__all__ = ["LpDictionaryLearning"]


class LpDictionaryLearning(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learn a complete dictionary (as many atoms as dimensions) by maximising the lp norm of the codes.

    The problem is::

        maximise over A with orthonormal rows     mean over rows x of X of   sum_j |<x P, a_j>|^p,     p > 2

    where P makes the signals white (unless the dictionary is known to be orthogonal). The generalised power method takes A
    to the polar factor of its gradient until it stays there: two products with X an iteration, some 30 iterations, no step
    size, no penalty strength, and an objective that never falls. Codes are ``X @ filters_``, exact and in closed form.

    Parameters
    ----------
    p : float, default=3
        The power, greater than 2. 3 needs the fewest signals and bears the most noise; 4 is "matching, stretching and
        projection".
    n_components : int, optional
        Atoms to find; by default as many as the signals have dimensions. With fewer, the others are never computed.
    orthogonal : bool, default=False
        Whether the dictionary is known to be orthogonal: then signals are not whitened, which is more accurate.
    noise_variance : float, default=0.0
        Variance of white noise in each entry of X, in squared units of X: it is subtracted from the covariance by which the
        signals are whitened.
    dict_init : array of shape (n_components, n_features), optional
        Atoms to start from; by default a random orthonormal matrix.
    max_iter : int, default=200
        Iterations.
    tol : float, default=1e-8
        Tolerance of ``certificate_``; in single precision no less than 1e-5.
    random_state : int, RandomState or None, default=None
        What the start is drawn from.
    callback : callable, optional
        Called with a `Progress` after each iteration; return True to stop.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The answer has the same bits for any number.

    Attributes
    ----------
    components_ : array of shape (n_components, n_features)
        The atoms, of norm one, in the namespace and precision of X.
    filters_ : array of shape (n_features, n_components)
        Codes are ``X @ filters_``; with all atoms it is the inverse of ``components_`` (on the space of the signals).
    n_iter_ : int
        Iterations done.
    objective_ : float
        Mean over the signals of the sum of the p-th powers: it was maximised.
    certificate_ : float
        Distance of A from the polar factor of its gradient, over the square root of the number of atoms, in float64: zero
        where no orthonormal matrix does better to first order.
    status_ : Status
        How `fit` ended.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"``, ``"certificate"`` and ``"seconds"``.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If the data are not finite or zero, a parameter is out of range, or there are more atoms than dimensions.

    See Also
    --------
    DictionaryLearning : Dictionaries with more atoms than features.

    Notes
    -----
    X may be complex, or an array of any namespace (PyTorch, CuPy). Signals should have mean zero: nothing is subtracted.
    Atoms are determined up to order and sign, by codes with heavier tails than a Gaussian. Heavy tails of another origin
    (outliers, one entry in a thousand is enough) mislead every p, large ones most: clip entries at five times the usual size
    before `fit`, as `solvers.dictionary.lp_dictionary` shows.

    References
    ----------
    Shen, Xue, Zhang, Letaief and Lau, "Complete dictionary learning via lp-norm maximization", 2020 (arXiv 2002.10043).
    Zhai, Yang, Liao, Wright and Ma, "Complete dictionary learning via l4-norm maximization over the orthogonal group", 2019
    (arXiv 1906.02435).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LpDictionaryLearning
    >>> rng = np.random.default_rng(0)
    >>> atoms = np.array([[1.0, 0.0], [0.6, 0.8]])
    >>> X = rng.standard_normal((5000, 2)) * (rng.random((5000, 2)) < 0.2) @ atoms
    >>> learner = LpDictionaryLearning(random_state=0).fit(X)
    >>> np.round(np.max(np.abs(learner.components_ @ atoms.T), axis=0), 2)
    array([1., 1.])
    >>> bool(np.allclose(learner.inverse_transform(learner.transform(X)), X)), learner.status_.name
    (True, 'CONVERGED')
    """

    _parameter_constraints: dict = {
        "p": [Interval(Real, 2, None, closed="neither")],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "orthogonal": ["boolean"],
        "noise_variance": [Interval(Real, 0, None, closed="left")],
        "dict_init": ["array-like", None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "random_state": ["random_state"],
        "callback": [callable, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        p=3,
        *,
        n_components=None,
        orthogonal=False,
        noise_variance=0.0,
        dict_init=None,
        max_iter=200,
        tol=1e-8,
        random_state=None,
        callback=None,
        n_jobs=None,
    ):
        self.p = p
        self.n_components = n_components
        self.orthogonal = orthogonal
        self.noise_variance = noise_variance
        self.dict_init = dict_init
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.callback = callback
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Learn the atoms from X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row; a memory-map is read block by block.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self):
            self._validate_params()
            result = solve_lp(
                self._signals(X, reset=True),
                float(self.p),
                n_atoms=self.n_components,
                orthogonal=self.orthogonal,
                noise_variance=float(self.noise_variance),
                init=self.dict_init,
                max_iter=self.max_iter,
                tol=float(self.tol),
                random_state=self.random_state,
                callback=self.callback,
                n_jobs=self.n_jobs,
                atoms_name="n_components",
                init_name="dict_init",
            )
            self.components_, self.filters_ = result.coef, result.filters
            self.n_iter_, self.objective_, self.certificate_ = result.n_iter, result.objective, result.certificate
            self.status_, self.history_ = result.status, result.history
            announce(result)
        return self

    def transform(self, X):
        """Codes of the signals: ``X @ filters_``.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row, of the namespace of those of `fit`.

        Returns
        -------
        array of shape (n_samples, n_components)
            The codes.
        """
        check_is_fitted(self)
        X = self._signals(X, reset=False)
        return X @ _as_type(self.filters_, X)

    def inverse_transform(self, X):
        """Signals from codes: ``X @ components_``.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
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
        check_is_fitted(self)
        refuse_lazy(X, "X")
        codes = dense_array(X, "X")
        if codes.shape[1] != self.components_.shape[0]:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but the codes of this {type(self).__name__} have "
                f"{self.components_.shape[0]}."
            )
        return codes @ _as_type(self.components_, codes)

    def _signals(self, X, reset):
        """Real NumPy data by scikit-learn's rules; complex data and arrays of other namespaces by ours."""
        refuse_lazy(X, "X")
        foreign = is_array_api_obj(X) and not isinstance(X, np.ndarray)
        if not foreign and not str(getattr(X, "dtype", "")).startswith("complex"):
            with refusing(self):
                return validate_data(self, X, dtype=[np.float64, np.float32], reset=reset)
        X = dense_array(X, "X")
        check_width(self, X, reset)
        return X

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def _as_type(matrix, X):
    """The matrix in the precision of the data; a complex one stays complex."""
    if is_complex(matrix) and not is_complex(X):
        return matrix
    return array_namespace(matrix).astype(matrix, X.dtype, copy=False)
