"""ClassTransport: a map between samples that keeps classes together."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted, column_or_1d

from .._estimators import all_or_nothing
from .._warnings import warn
from ..result import announce
from ._class import pose_class, solve_class
from ._samples import PointTransport

__all__ = ["ClassTransport"]


class ClassTransport(PointTransport):
    """Transport one sample to another so that points of one class go to the same places.

    The problem is::

        minimise over plans P     <C, P> + alpha sum_(l,k) |P_l. - P_k.|_2 + target_alpha sum_(l,k) |P_.l - P_.k|_2

    over pairs of sources of one class, and over pairs of targets of one class, with the Euclidean norm (not squared) of differences
    of rows and columns. Rows of a class coincide from some strength on, and a class moves as one. It is convex and certified by its
    duality gap.

    Parameters
    ----------
    alpha : float, default=1.0
        Strength for pairs of sources, in units of the cost.
    target_alpha : float, optional
        Strength for pairs of targets; by default as for sources.
    metric : {"sqeuclidean", "euclidean", "cityblock"}, default="sqeuclidean"
        The cost of moving a point.
    n_neighbors : int, optional
        Join each point to so many of its nearest in the class; by default to all of them, which takes long beyond some fifty
        points a class.
    max_iter : int, default=20_000
        Steps of the primal-dual method.
    tol : float, default=1e-6
        Tolerance of ``certificate_``.
    callback : callable, optional
        Called with a `Progress` at each certificate; return True to stop.

    Attributes
    ----------
    plan_ : ndarray of shape (n, m)
        The plan, of total mass one, in float64: with exact marginals.
    sources_ : ndarray of shape (n, n_features)
        The source points.
    images_ : ndarray of shape (n, n_features)
        Where they go: the mean of their targets under the plan.
    n_iter_ : int
        Steps done.
    objective_ : float
        The minimum.
    certificate_ : float
        Duality gap, relative to the objective above what all plans pay; see `sparsecode.transport.class_transport`.
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
        If data are not finite, Y has another number of features than X, or there is not one label a point.

    Warns
    -----
    ConvergenceWarning
        If the duality gap misses the tolerance.
    RuntimeWarning
        If labels are -1 and 1, of which -1 stands for unknown, or if all of a side are unknown.

    See Also
    --------
    sparsecode.transport.class_transport : The same for any cost, masses and strengths of pairs.

    Notes
    -----
    Labels of the targets may be guesses (of a classifier trained on the sources), or left out. Without any labels it is plain
    transport, which POT's ``ot.emd`` solves faster.

    References
    ----------
    Rahbar, Panahi, Chehreghani, Dubhashi and Krim, "Recovery bounds on class-based optimal transport: a sum-of-norms regularization
    framework", 2023 (arXiv 1903.03850).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ClassTransport
    >>> X = np.array([[0.0], [1.0], [4.0], [5.0]])
    >>> Y = np.array([[2.2], [3.0], [7.0], [8.0]])
    >>> model = ClassTransport(alpha=10.0).fit(X, Y, labels=[0, 0, 1, 1])
    >>> model.transform(X).round(2).ravel()
    array([2.6, 2.6, 7.5, 7.5])
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "target_alpha": [Interval(Real, 0, None, closed="left"), None],
        "metric": [StrOptions({"sqeuclidean", "euclidean", "cityblock"})],
        "n_neighbors": [Interval(Integral, 1, None, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "callback": [callable, None],
    }

    def __init__(
        self,
        alpha=1.0,
        *,
        target_alpha=None,
        metric="sqeuclidean",
        n_neighbors=None,
        max_iter=20_000,
        tol=1e-6,
        callback=None,
    ):
        self.alpha = alpha
        self.target_alpha = target_alpha
        self.metric = metric
        self.n_neighbors = n_neighbors
        self.max_iter = max_iter
        self.tol = tol
        self.callback = callback

    def fit(self, X, Y, labels=None, target_labels=None):
        """Find the plan between the samples.

        Parameters
        ----------
        X : array of shape (n, n_features)
            Sources, one a row.
        Y : array of shape (m, n_features)
            Targets, one a row.
        labels : array of shape (n,), optional
            Classes of the sources, of any one kind; -1, None and NaN stand for unknown. Two classes are therefore not -1 and 1,
            but for example ``labels > 0``.
        target_labels : array of shape (m,), optional
            Classes of the targets.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self):
            self._validate_params()
            X = self._points(X, reset=True)
            Y = self._targets(Y)
            sources, targets = X.astype(np.float64), Y.astype(np.float64)
            with np.errstate(over="ignore", invalid="ignore"):
                cost = cdist(sources, targets, self.metric)
            if not np.all(np.isfinite(cost)):
                raise ValueError(
                    "X and Y hold points so far apart that their cost overflows; divide both by the size of their entries."
                )
            alpha = float(self.alpha)
            target_alpha = alpha if self.target_alpha is None else float(self.target_alpha)
            problem = pose_class(
                cost,
                alpha * self._graph(sources, labels, "labels"),
                target_alpha * self._graph(targets, target_labels, "target_labels"),
            )
            result = solve_class(problem, max_iter=self.max_iter, tol=float(self.tol), callback=self.callback)
            self.plan_, self.sources_ = result.coef, X.copy()
            self.images_ = (result.coef @ targets * X.shape[0]).astype(X.dtype)
            self.n_iter_, self.objective_, self.certificate_ = result.n_iter, result.objective, result.certificate
            self.status_, self.history_ = result.status, result.history
            announce(result)
        return self

    def transform(self, X):
        """Where points go: the sources of the fit to the mean of their targets, others as far as the nearest source.

        Parameters
        ----------
        X : array of shape (n_points, n_features)
            Points, one a row.

        Returns
        -------
        ndarray of shape (n_points, n_features)
            Their images.
        """
        check_is_fitted(self)
        X = self._points(X)
        nearest = NearestNeighbors(n_neighbors=1).fit(self.sources_).kneighbors(X, return_distance=False)[:, 0]
        return (self.images_[nearest] + (X - self.sources_[nearest])).astype(X.dtype, copy=False)

    def _graph(self, points, labels, name):
        """Which pairs of points are of one class."""
        size = points.shape[0]
        if labels is None:
            return sp.csr_array((size, size))
        labels = column_or_1d(labels if hasattr(labels, "dtype") else np.array(labels, dtype=object), warn=False)
        if labels.size != size:
            raise ValueError(f"{name} has {labels.size} entries; it needs one for each of {size} points.")
        unknown = np.array([_is_unknown(label) for label in labels.tolist()], dtype=bool)
        codes = np.full(size, -1)
        try:
            classes, codes[~unknown] = np.unique(labels[~unknown], return_inverse=True)
        except TypeError as error:
            raise ValueError(
                f"{name} mixes kinds of labels that have no order ({error}); make them all strings."
            ) from error
        _warn_of_unknown(labels[unknown].tolist(), classes.tolist(), name)
        if self.n_neighbors is None:
            known = np.flatnonzero(~unknown)
            members = sp.csr_array((np.ones(known.size), (known, codes[known])), shape=(size, 1 + codes.max(initial=0)))
            return sp.csr_array(members @ members.T)
        graph = sp.lil_array((size, size))
        for code in np.unique(codes[~unknown]):
            members = np.flatnonzero(~unknown & (codes == code))
            count = min(self.n_neighbors, members.size - 1)
            if count:
                search = NearestNeighbors(n_neighbors=count).fit(points[members])
                graph[np.ix_(members, members)] = search.kneighbors_graph()
        return graph.tocsr().maximum(graph.tocsr().T)


def _is_unknown(label):
    try:
        return label is None or bool(label == -1 or label != label)
    except TypeError:  # the NA of pandas is neither true nor false
        return True


def _warn_of_unknown(unknown, classes, name):
    """Where labels may not mean what they say."""
    if not classes:
        warn(f"{name} are all unknown, which joins no points; leave {name} out, or pass the classes.", RuntimeWarning)
    elif classes == [1] and any(isinstance(label, Real) and label == -1 for label in unknown):
        warn(
            f"{name} are -1 and 1, but -1 stands for unknown: only points labelled 1 are joined. If -1 is a class, pass "
            f"{name} > 0; if it is not, None in its place says so.",
            RuntimeWarning,
        )
