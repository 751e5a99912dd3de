"""SparseCoder: codes over a given dictionary, each with its certificate."""

from __future__ import annotations

from numbers import Integral, Real

from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._estimators import all_or_nothing
from .._tables import validate_data
from .._validation import as_count, refuse_lazy
from ._coders import ALGORITHMS, DYNAMICS, make_coder
from ._dct import overcomplete_dct
from ._signals import refusing
from ._transform import CodingTransformer, as_dictionary

__all__ = ["SparseCoder"]


class SparseCoder(CodingTransformer):
    """Sparse codes of signals over a fixed dictionary.

    Each row x of X is coded alone; D is the dictionary, one atom a row, and atoms need not have unit norm::

        "omp", "ols"    min ||x - c D||  with at most n_nonzero_coefs entries, or
                        as few entries as greedy selection finds with ||x - c D|| <= tol ||x||
        "lasso"         min 1/2 ||x - c D||^2 + alpha ||c||_1
        "elastic_net"   min 1/2 ||x - c D||^2 + alpha (l1_ratio ||c||_1 + (1 - l1_ratio) / 2 ||c||^2)
        "penalty"       min 1/2 ||x - c D||^2 + penalty(c), a local minimum where the penalty is not convex
        "threshold"     correlations x a / ||a||^2 where |x a| > alpha, shrunk by alpha / ||a||^2 (or hard: not shrunk)

    Parameters
    ----------
    dictionary : {"dct", "dct2"} or array of shape (n_components, n_features), default="dct"
        The atoms. "dct" builds an overcomplete cosine dictionary for the width of X in `fit`; "dct2" one for square patches.
    algorithm : {"omp", "ols", "lasso", "elastic_net", "penalty", "threshold"}, default="omp"
        How codes are found. "ols" selects the atom that lowers the residual most, "omp" the one that correlates most with it.
        "penalty" takes any penalty of the library: `L0` (hard thresholds), `Lq`, `CEL0`, `MCP` and the like give sparser codes than the
        l1 norm at the same error.
    n_components : int, optional
        Atoms of a built dictionary; by default twice the width of X (four times for "dct2").
    n_nonzero_coefs : int, optional
        Entries of a code ("omp", "ols", "threshold"); for "omp" and "ols" without `tol` and `atol` a tenth of the width of X.
    alpha : float, optional
        Strength of the penalty ("lasso", "elastic_net") or threshold of the correlations ("threshold").
    l1_ratio : float, optional
        Share of the l1 norm for "elastic_net", above 0 and at most 1; 0.5 by default.
    penalty : penalty, optional
        For "penalty", for example ``Lq(0.1)``, which also says whether codes may be negative. It must charge each code by itself.
        `CEL0` follows the norms of the atoms: its `curvature` counts in units of their squares.
    penalty_weights : array of shape (n_components,), optional
        How much the penalty of each atom counts ("lasso", "elastic_net", separable penalties), from 0 (unpenalised) to inf (excluded).
    dynamics : {"prox", "lca"}, optional
        For "penalty": "prox", the default, moves one coefficient after another to its minimiser, the longest move first, so that the objective
        never rises (penalties that are not separable: proximal gradient steps); "lca" lets locally competitive neurons settle, whose
        threshold function is the prox (those that oscillate are settled by such moves). Both end where no coefficient alone can lower
        the objective.
    tol : float, optional
        Error-constrained coding ("omp", "ols"): atoms are added until ``||x - c D|| <= tol ||x||``. With `n_nonzero_coefs` too,
        codes that reach that many atoms first are counted in a warning.
    atol : float, optional
        The same with ``||x - c D|| <= atol``; with `tol`, whichever is met first.
    positive_code : bool, default=False
        Whether codes must not be negative; a `penalty` has to say so too.
    hard_threshold : bool, optional
        For "threshold": whether kept correlations are left as they are; by default only where `alpha` is not given.
    gap_tol : float, optional
        For "lasso" and "elastic_net": relative duality gap of every code, 1e-8 by default. For "penalty": that, or relative stationarity
        where the penalty is not convex, 1e-6 by default. Never below 1e-5 in single precision.
    split_sign : bool, default=False
        Whether positive and negative parts of the codes go to columns of their own.
    sparse_output : bool, default=False
        Whether codes are a CSR matrix; coding then needs no memory beyond its result, K by K matrices and 64 MiB.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The codes have the same bits for any number.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The dictionary.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is given that the algorithm does not use, or shapes disagree.

    See Also
    --------
    DictionaryLearning : Learns the dictionary.

    Notes
    -----
    Certificates belong to codes, not to the estimator: `encode` returns them, `transform` warns where one is missed. They are
    the relative duality gap for "lasso", "elastic_net" and convex penalties; for other penalties the distance of the negative
    gradient to the subdifferential over the largest correlation (for `L0` and `Lq`, how far a proximal gradient step moves); for
    "omp" and "ols" the residual norm where `tol` or `atol` is given, else the largest correlation of a used atom with the residual.

    References
    ----------
    Rubinstein, Zibulevsky and Elad, "Efficient implementation of the K-SVD algorithm using batch orthogonal matching
    pursuit", 2008.
    Rozell, Johnson, Baraniuk and Olshausen, "Sparse coding via thresholding and local competition in neural circuits", 2008.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseCoder
    >>> X = np.array([[3.0, 4.0], [1.0, 0.0]])
    >>> coder = SparseCoder(np.array([[0.6, 0.8], [1.0, 0.0]]), n_nonzero_coefs=1).fit(X)
    >>> coder.transform(X)
    array([[5., 0.],
           [0., 1.]])
    >>> coder.encode(X).status.name
    'CONVERGED'
    >>> from sparsecode import L0
    >>> SparseCoder(np.array([[0.6, 0.8], [1.0, 0.0]]), algorithm="penalty", penalty=L0(0.4)).transform(X)
    array([[5., 0.],
           [0., 1.]])
    """

    _sparse_signals = "csr"
    _parameter_constraints: dict = {
        "dictionary": [StrOptions({"dct", "dct2"}), "array-like"],
        "algorithm": [StrOptions(set(ALGORITHMS))],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
        "alpha": [Interval(Real, 0, None, closed="left"), None],
        "l1_ratio": [Interval(Real, 0, 1, closed="right"), None],
        "penalty": "no_validation",  # by `make_coder`
        "penalty_weights": ["array-like", None],
        "dynamics": [StrOptions(set(DYNAMICS)), None],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "atol": [Interval(Real, 0, None, closed="left"), None],
        "positive_code": ["boolean"],
        "hard_threshold": ["boolean", None],
        "gap_tol": [Interval(Real, 0, None, closed="left"), None],
        "split_sign": ["boolean"],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        dictionary="dct",
        *,
        algorithm="omp",
        n_components=None,
        n_nonzero_coefs=None,
        alpha=None,
        l1_ratio=None,
        penalty=None,
        penalty_weights=None,
        dynamics=None,
        tol=None,
        atol=None,
        positive_code=False,
        hard_threshold=None,
        gap_tol=None,
        split_sign=False,
        sparse_output=False,
        n_jobs=None,
    ):
        self.dictionary = dictionary
        self.algorithm = algorithm
        self.n_components = n_components
        self.n_nonzero_coefs = n_nonzero_coefs
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.penalty = penalty
        self.penalty_weights = penalty_weights
        self.dynamics = dynamics
        self.tol = tol
        self.atol = atol
        self.positive_code = positive_code
        self.hard_threshold = hard_threshold
        self.gap_tol = gap_tol
        self.split_sign = split_sign
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Check the parameters against the width of X, and build the dictionary where it is not given.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_samples, n_features)
            Real signals, one a row; only their width is used.
        y : None
            Ignored.

        Returns
        -------
        self
            The estimator, ready to transform.
        """
        with all_or_nothing(self):
            self._validate_params()
            refuse_lazy(X, "X")
            with refusing(self):
                X = validate_data(self, X, accept_sparse="csr", dtype="numeric")
            self.components_ = self._dictionary(X.shape[1])
            self._coder(X.shape[1], self.components_.shape[0])
        return self

    def _dictionary(self, n_features):
        if not isinstance(self.dictionary, str):
            if self.n_components is not None:
                raise ValueError("n_components has no meaning where dictionary is an array; leave it None.")
            atoms = as_dictionary(self.dictionary)
            if atoms.shape[1] != n_features:
                turned = "; give its transpose, dictionary.T" if atoms.shape[0] == n_features else ""
                raise ValueError(
                    f"dictionary has shape {atoms.shape}, but X has {n_features} features: signals and atoms are rows of the same "
                    f"length{turned}."
                )
            return atoms
        square = self.dictionary == "dct2"
        count = (
            n_features * (4 if square else 2)
            if self.n_components is None
            else as_count(self.n_components, "n_components")
        )
        return overcomplete_dct(n_features, count, two_dimensional=square)

    def _fitted_atoms(self):
        if not hasattr(self, "components_") and not isinstance(self.dictionary, str):
            return as_dictionary(self.dictionary)  # a given dictionary needs no fit
        check_is_fitted(self)
        return self.components_

    def _coder(self, n_features, n_atoms):
        return make_coder(
            self.algorithm,
            n_features,
            n_atoms,
            positive=self.positive_code,
            n_nonzero_coefs=self.n_nonzero_coefs,
            alpha=self.alpha,
            l1_ratio=self.l1_ratio,
            penalty=self.penalty,
            penalty_weights=self.penalty_weights,
            dynamics=self.dynamics,
            tol=self.tol,
            atol=self.atol,
            hard_threshold=self.hard_threshold,
            gap_tol=self.gap_tol,
        )
