"""WassersteinDictionary: distributions on a grid as mixtures of products, in Wasserstein distance."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._estimators import all_or_nothing
from .._tables import check_array, validate_data
from .._validation import refuse_lazy
from .._warnings import warn
from ..result import announce
from ._costs import GridCost
from ._cp_dictionary import GridDistance, codes_of, learn_factors, product_atoms

__all__ = ["WassersteinDictionary"]

_CODE_STEPS, _CODE_RHO = 200, 0.05  # proximal points of `transform`, and their strength


class WassersteinDictionary(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Learn a dictionary of distributions on a grid in Wasserstein distance; atoms are products of one distribution an axis.

    The problem is::

        minimise over factors and codes     sum_j W_reg(x_j, sum_r codes_jr  U1_r (x) U2_r (x) ...)

    with the codes of every signal, and the columns of every factor, on the simplex, and ``W_reg`` entropic transport on the grid. A
    bump that moves a little stays near in this distance, where least squares sees two bumps. With a grid of one axis it is
    Wasserstein dictionary learning; with more axes (images, joint distributions) a CP decomposition. Blocks are minimised in turn
    with proximal terms, and the objective does not rise.

    Parameters
    ----------
    n_components : int, default=2
        Atoms.
    shape : tuple of int, optional
        Lengths of the axes of the grid; their product is the number of features. By default one axis.
    reg : float, default=0.02
        Strength of the entropy, in units of the largest cost on the grid; at least 0.002.
    ground_cost : {"sqeuclidean", "cityblock"}, default="sqeuclidean"
        Cost of moving mass on the grid, divided by its largest value.
    rho : float, default=0.05
        Strength of the proximal terms beside the mean distance of the signals: larger for surer, smaller steps.
    max_iter : int, default=100
        Sweeps over all blocks.
    tol : float, default=1e-3
        Tolerance of ``certificate_``.
    random_state : int, RandomState or None, default=None
        What the first factors are drawn from.
    callback : callable, optional
        Called with a `Progress` at each certificate, ten sweeps apart or less; return True to stop.

    Attributes
    ----------
    factors_ : list of ndarray of shape (length of the axis, n_components)
        Distributions along each axis.
    components_ : ndarray of shape (n_components, n_features)
        The atoms: products of the factors.
    codes_ : ndarray of shape (n_samples, n_components)
        Codes of the signals of the fit.
    n_iter_ : int
        Sweeps done.
    objective_ : float
        Sum of the distances of the signals from the returned factors and codes, a bound from above: what plans with exactly these
        marginals show.
    excess_ : float
        `objective_` above its least value for any dictionary: signals are nearest to blurred copies of themselves, not to
        themselves, and distances to those are below zero.
    certificate_ : float
        How far any block, the others as they are, would move against a proximal term of strength one beside the mean distance
        (of codes the root mean square over signals; the largest cost is one): zero at a stationary point. Where that block goes,
        the mean distance is at most ``sqrt(2 n_components)`` times as much above the least that it could reach.
    status_ : Status
        How `fit` ended.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"``, ``"certificate"`` and ``"seconds"``.
    n_features_in_ : int
        Number of places of the grid.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If data are negative or not finite, a signal is zero, or the shape does not fit.

    See Also
    --------
    DictionaryLearning : Atoms of any sign, in least squares.

    Notes
    -----
    Signals are scaled to a total of one. The problem is not convex: what is found depends on the start, and the certificate proves a
    stationary point of every block, from the factors and codes alone. Entropic distances are least at blurred copies of the signals, so
    atoms come out blurred by about the square root of `reg` (squared distances, in units of the largest).

    References
    ----------
    Kwon and Lyu, "Complexity of block coordinate descent with proximal regularization and applications to Wasserstein CP-dictionary
    learning", 2023 (arXiv 2306.02420).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import WassersteinDictionary
    >>> atoms = np.array([[0.8, 0.2, 0.0, 0.0, 0.0, 0.0], [0.0, 0.0, 0.0, 0.0, 0.3, 0.7]])
    >>> X = np.random.default_rng(0).dirichlet([0.5, 0.5], size=20) @ atoms
    >>> model = WassersteinDictionary(2, random_state=0).fit(X)
    >>> model.components_.shape, model.status_.name, bool(model.excess_ / 20 < 2e-3)
    ((2, 6), 'CONVERGED', True)
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "shape": [tuple, list, None],
        "reg": [Interval(Real, 0.002, None, closed="left")],
        "ground_cost": [StrOptions({"sqeuclidean", "cityblock"})],
        "rho": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
        "callback": [callable, None],
    }

    def __init__(
        self,
        n_components=2,
        *,
        shape=None,
        reg=0.02,
        ground_cost="sqeuclidean",
        rho=0.05,
        max_iter=100,
        tol=1e-3,
        random_state=None,
        callback=None,
    ):
        self.n_components = n_components
        self.shape = shape
        self.reg = reg
        self.ground_cost = ground_cost
        self.rho = rho
        self.max_iter = max_iter
        self.tol = tol
        self.random_state = random_state
        self.callback = callback

    def fit(self, X, y=None):
        """Learn factors and codes.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row, not negative; images flattened by ``ravel``.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self):
            self._validate_params()
            X = self._signals(X, reset=True)
            distance = self._distance(X)
            random = check_random_state(self.random_state)
            count = self.n_components
            factors = [random.dirichlet(np.full(length, 5.0), count).T for length in distance.grid]
            codes = np.full((count, X.shape[0]), 1.0 / count)
            result = learn_factors(
                distance,
                factors,
                codes,
                float(self.rho),
                max_iter=self.max_iter,
                tol=float(self.tol),
                callback=self.callback,
            )
            self.factors_ = [factor.astype(X.dtype) for factor in result.coef.factors]
            self.components_ = product_atoms(result.coef.factors).astype(X.dtype)
            self.codes_ = np.ascontiguousarray(result.coef.codes.T).astype(X.dtype)
            self.n_iter_, self.objective_, self.certificate_ = result.n_iter, result.objective, result.certificate
            self.excess_ = self.objective_ - distance.least()
            self.status_, self.history_ = result.status, result.history
            announce(result)
        return self

    def transform(self, X):
        """Codes of signals over the atoms, each for itself.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row, not negative.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Their codes, on the simplex.

        Warns
        -----
        ConvergenceWarning
            If codes are further from stationary than `tol`.
        """
        check_is_fitted(self)
        X = self._signals(X)
        atoms = self.components_.astype(np.float64)
        codes, worst = np.empty((X.shape[0], atoms.shape[0]), dtype=X.dtype), 0.0
        for j in range(X.shape[0]):
            distance = self._distance(X[j : j + 1])
            found, length = codes_of(distance, atoms, _CODE_RHO, max_iter=_CODE_STEPS, tol=0.5 * float(self.tol))
            codes[j], worst = found[:, 0], max(worst, length)
        if not worst <= self.tol:
            warn(
                f"codes are {worst:.1e} from stationary after {_CODE_STEPS} steps, tolerance {self.tol:.1e}: "
                "raise reg, which makes distances smoother.",
                ConvergenceWarning,
            )
        return codes

    def inverse_transform(self, X):
        """Signals of codes: ``X @ components_``.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Distributions on the grid.

        Raises
        ------
        ValueError
            If the number of columns is not that of the codes.
        """
        check_is_fitted(self)
        codes = check_array(X, dtype=[np.float64, np.float32])
        if codes.shape[1] != self.components_.shape[0]:
            raise ValueError(
                f"X has {codes.shape[1]} columns, but the codes of this {type(self).__name__} have {self.components_.shape[0]}."
            )
        return codes @ self.components_.astype(codes.dtype)

    def _signals(self, X, reset=False):
        refuse_lazy(X, "X")
        if getattr(X, "ndim", 2) > 2:
            raise ValueError(
                f"X has shape {tuple(X.shape)}, but a signal is one row: pass X.reshape({X.shape[0]}, -1), and shape={tuple(X.shape[1:])} to "
                "the constructor."
            )
        X = validate_data(self, X, dtype=[np.float64, np.float32], ensure_min_features=1 + reset, reset=reset)
        if np.min(X) < 0:
            raise ValueError(
                f"Negative values in data passed to {type(self).__name__}: X holds distributions, whose masses are not negative."
            )
        empty = np.flatnonzero(~np.any(X > 0, axis=1))
        if empty.size:
            raise ValueError(f"X[{empty[0]}] is zero everywhere; a distribution needs mass: leave the row out.")
        return X

    def _distance(self, X):
        """Signals of total one on the grid."""
        shape = (X.shape[1],) if self.shape is None else tuple(self.shape)
        grid = GridCost(shape, self.ground_cost)
        if grid.shape[0] != X.shape[1]:
            raise ValueError(f"shape {shape} has {grid.shape[0]} places, but X has {X.shape[1]} features.")
        most = grid.extent()[1]
        masses = X.astype(np.float64)
        masses /= masses.max(axis=1, keepdims=True)
        return GridDistance(
            masses / masses.sum(axis=1, keepdims=True), [axis / most for axis in grid.axes], float(self.reg)
        )

    @property
    def _n_features_out(self):
        return self.components_.shape[0]

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
