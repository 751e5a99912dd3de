"""SparseMongeMap: transport maps between two samples that move few features."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
import scipy.sparse as sp
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._estimators import all_or_nothing
from ._elastic import PENALTIES, elastic_regulariser
from ._elastic_cost import as_points, checked_costs
from ._elastic_map import displacement_blocks, sinkhorn_divergence
from ._samples import PointTransport
from ._solve import solve

__all__ = ["SparseMongeMap"]

_SHARE = 0.05  # of the mean cost: the default strength of the entropy
_MODERATE = 1e-60  # squares and products of costs of this unit stay in the range of numbers


class SparseMongeMap(PointTransport):
    """Learn from two samples a map that carries one onto the other and moves few features of each point.

    The cost of moving x to y is ``h(x - y)`` with ``h(z) = |z|^2 / 2 + tau(z)``, and the plan between the samples solves::

        minimise over P >= 0, P 1 = a, P^T 1 = b    sum_ij P_ij h(x_i - y_j) + reg * sum_ij P_ij (log P_ij - 1)

    Its potentials give a map for any point::

        T(x) = x - prox_tau(x + sum_j p_j(x) (grad tau(x - y_j) - y_j)),    p(x) = softmax_j (g_j - h(x - y_j)) / reg

    The prox makes displacements zero in every feature in which the targets that x may go to lie on both sides of it. Without tau
    this is the usual entropic map, which moves every feature by the mean of its noise.

    Parameters
    ----------
    penalty : {"l1", "elastic", "stvs", "group", "k_support"}, default="l1"
        The regulariser tau:

        - "l1": ``gamma |z|_1``;
        - "elastic": ``gamma |z|_1 + ridge / 2 |z|^2``;
        - "stvs": soft thresholding with vanishing shrinkage, which moves far what it moves at all;
        - "group": ``gamma sum_g group_weights_g |z_g|``, for groups of features that move together;
        - "k_support": ``gamma / 2`` times the squared k-support norm.
    gamma : float, default=1.0
        Strength of tau, in the units of the features for "l1", "elastic", "stvs" and "group", a number for "k_support". Not negative; for
        "stvs" greater than 0.
    reg : float, optional
        Strength of the entropy, in squared units of the features, greater than 0. By default a twentieth of the mean cost.
        Smaller is not better: sparsity needs targets to average over, and without entropy every point goes to one target.
    ridge : float, default=1.0
        The ridge of "elastic".
    scale : float, default=1.0
        A factor of the regulariser "stvs", from 0 to below 2, which is not the same as another `gamma`.
    groups : int or array of shape (n_features,), optional
        Groups of "group": the size of contiguous blocks, or one label for each feature.
    group_weights : array of shape (n_groups,), optional
        Their weights, in the order of the labels; square roots of the sizes by default.
    k : int, default=1
        The k of "k_support", from 1 to the number of features.
    tol : float, default=1e-9
        Tolerance of the marginal error of the plan, for samples of total mass one.
    max_iter : int, default=10000
        Iterations of the transport solver.
    n_jobs : int, optional
        Threads; by default as many as OMP_NUM_THREADS allows. The bits are the same for any number.

    Attributes
    ----------
    sources_, targets_ : ndarray or csr_matrix of shape (n, n_features) and (m, n_features)
        The samples, in float64.
    f_ : ndarray of shape (n,)
        Potential of the sources.
    g_ : ndarray of shape (m,)
        Potential of the targets.
    reg_ : float
        The strength of the entropy that was used.
    gap_ : float
        Objective of a plan with exactly these marginals, minus a lower bound of the optimum.
    certificate_ : float
        Marginal error of the plan.
    status_ : Status
        How `fit` ended.
    n_iter_ : int
        Iterations of the solver.
    n_features_in_ : int
        Number of features.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If points are not finite, samples differ in their features, or a parameter is out of range.

    See Also
    --------
    sparsecode.transport.elastic_cost : The costs by themselves.
    sparsecode.plotting.DisplacementDisplay : Which features move.

    Notes
    -----
    `gamma` and `reg` are best chosen together, by `score` on held-out samples that are many for their dimension: with few, any
    distance of samples favours maps that shrink them. scikit-learn's ``GridSearchCV`` splits X and Y alike, and so needs as many points
    of both: where there are not, split each sample by itself and compare ``fit(X1, Y1).score(X2, Y2)``. Apply ``log1p`` to counts and bring features to
    one scale: a few large ones dominate the cost otherwise. Do so to both samples before the fit: steps of a ``Pipeline`` see X
    alone. Samples may be CSR matrices; all work is done in blocks of
    rows, and "l1", "elastic" and "stvs" never make sparse samples dense.

    References
    ----------
    Cuturi, Klein and Ablin, "Monge, Bregman and Occam: interpretable optimal transport in high dimensions with feature-sparse
    maps", 2023 (arXiv 2302.04065).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import SparseMongeMap
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.random((200, 20)), rng.random((200, 20))
    >>> Y[:, 3] += 2.0
    >>> model = SparseMongeMap("l1", gamma=8.0).fit(X, Y)
    >>> moved = model.displacement(X) != 0
    >>> moved.mean(axis=0)[3].item(), moved.sum(axis=1).mean().round().item()
    (1.0, 2.0)
    >>> model.transform(X)[:, 3].mean().round(1).item(), model.status_.name
    (2.5, 'CONVERGED')
    """

    _takes_sparse = True
    _parameter_constraints: dict = {
        "penalty": [StrOptions(set(PENALTIES))],
        "gamma": [Interval(Real, 0, None, closed="left")],
        "reg": [Interval(Real, 0, None, closed="neither"), None],
        "ridge": [Interval(Real, 0, None, closed="left")],
        "scale": [Interval(Real, 0, 2, closed="left")],
        "groups": [Interval(Integral, 1, None, closed="left"), "array-like", None],
        "group_weights": ["array-like", None],
        "k": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="neither")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        penalty="l1",
        gamma=1.0,
        reg=None,
        *,
        ridge=1.0,
        scale=1.0,
        groups=None,
        group_weights=None,
        k=1,
        tol=1e-9,
        max_iter=10_000,
        n_jobs=None,
    ):
        self.penalty = penalty
        self.gamma = gamma
        self.reg = reg
        self.ridge = ridge
        self.scale = scale
        self.groups = groups
        self.group_weights = group_weights
        self.k = k
        self.tol = tol
        self.max_iter = max_iter
        self.n_jobs = n_jobs

    def fit(self, X, Y, a=None, b=None):
        """Solve the transport problem between the samples.

        Parameters
        ----------
        X : array or CSR matrix of shape (n, n_features)
            Source points, one a row.
        Y : array or CSR matrix of shape (m, n_features)
            Target points, one a row; there may be more or fewer of them, and no order connects them with X.
        a : array of shape (n,), optional
            Masses of the sources; equal ones by default.
        b : array of shape (m,), optional
            Masses of the targets, of the same total.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self):
            self._validate_params()
            sources = as_points(self._points(X, reset=True))
            targets = as_points(self._targets(Y))
            regulariser = self._regulariser()
            cost = checked_costs(regulariser, sources, targets, self.n_jobs)
            self.reg_ = float(self.reg) if self.reg is not None else _SHARE * float(cost.mean()) or 1.0
            unit = 1.0 if _MODERATE < self.reg_ < 1.0 / _MODERATE else self.reg_
            cost /= unit
            result = solve(
                a,
                b,
                cost,
                self.reg_ / unit,
                tol=float(self.tol),
                max_iter=self.max_iter,
                plan="lazy",
                n_jobs=self.n_jobs,
            )
            self.sources_, self.targets_ = sources, targets
            self.f_, self.g_, self.gap_ = unit * result.f, unit * result.g, unit * result.gap
            self.certificate_, self.status_, self.n_iter_ = result.certificate, result.status, result.n_iter
        return self

    def transform(self, X):
        """Where the map takes points.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_points, n_features)
            Points, one a row, of the fit or others.

        Returns
        -------
        array or CSR matrix of shape (n_points, n_features)
            ``T(X)``, of the kind and precision of X.
        """
        check_is_fitted(self)
        X = self._points(X)
        return X + self._moved(X, self.targets_, self.g_)

    def displacement(self, X):
        """How the map moves points: ``T(X) - X``, with exact zeros.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_points, n_features)
            Points, one a row.

        Returns
        -------
        array or CSR matrix of shape (n_points, n_features)
            The displacements, of the kind and precision of X.
        """
        check_is_fitted(self)
        X = self._points(X)
        return self._moved(X, self.targets_, self.g_)

    def inverse_transform(self, X):
        """Where the map in the other direction, of targets to sources, takes points.

        It is the same construction with the samples exchanged, and undoes `transform` only as far as the entropy lets it.

        Parameters
        ----------
        X : array or CSR matrix of shape (n_points, n_features)
            Points among the targets, one a row.

        Returns
        -------
        array or CSR matrix of shape (n_points, n_features)
            Points among the sources, of the kind and precision of X.
        """
        check_is_fitted(self)
        X = self._points(X)
        return X + self._moved(X, self.sources_, self.f_)

    def score(self, X, Y):
        """Minus the Sinkhorn divergence between ``T(X)`` and Y, for half the squared distance: 0 is best.

        Its own entropy depends on Y alone, so that scores of maps of different `gamma` and `reg` compare.

        Parameters
        ----------
        X : array or CSR matrix of shape (n, n_features)
            Source points.
        Y : array or CSR matrix of shape (m, n_features)
            Target points.

        Returns
        -------
        float
            The score, in squared units of the features.
        """
        moved = self.transform(X)
        return -sinkhorn_divergence(as_points(moved), as_points(self._targets(Y)), self.n_jobs)

    def _regulariser(self):
        return elastic_regulariser(
            self.penalty,
            self.gamma,
            self.n_features_in_,
            ridge=self.ridge,
            scale=self.scale,
            groups=self.groups,
            group_weights=self.group_weights,
            k=self.k,
        )

    def _moved(self, X, anchors, potential):
        """Displacements, of the kind and precision of X."""
        blocks = displacement_blocks(self._regulariser(), as_points(X), anchors, potential, self.reg_, self.n_jobs)
        if sp.issparse(X):
            return sp.vstack([type(X)(block) for block in blocks], format="csr", dtype=X.dtype)
        out = np.empty_like(X)
        stop = 0
        for block in blocks:
            out[stop : stop + len(block)] = block
            stop += len(block)
        return out
