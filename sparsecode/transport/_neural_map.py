"""NeuralSparseMap: a transport map by convex networks that moves few features."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._estimators import all_or_nothing
from .._parallel import single_threaded_blas
from .._warnings import warn
from ..result import Status
from ._neural import NeuralTransport, Settings, adapted, sliced_distance
from ._samples import PointTransport

__all__ = ["NeuralSparseMap"]

_WEAK = 1e-3  # strength that rounds start from where alpha is zero
_SMALL = 0.1  # of the size of an unpenalised displacement: what counts as moved, unless told


class NeuralSparseMap(PointTransport):
    """Learn a transport map, the gradient of a convex network, that displaces few features.

    The problem is::

        max over psi, min over phi    - E psi(y) - E [ <x, T(x)> - psi(T(x)) ] + alpha E tau(T(x) - x),     T = grad phi

    with input-convex networks phi and psi, and ``tau(z) = sum_k 1 - exp(-z_k^2 / (2 width^2))``, a smooth count of displaced features.
    Without the penalty it is the neural solver of squared-distance transport. Once fitted, the map costs the same for every point,
    whatever the size of the samples. With `n_displaced` the strength is found: raised until held-out points move so few features,
    then lowered by random proposals; rejected ones put weights and optimiser back.

    Parameters
    ----------
    alpha : float, default=0.01
        Strength of the penalty, in units of the pooled variance of the samples (``"l1"``: of their standard deviation); where
        `n_displaced` is given, the one to start from (0.001 in place of 0).
    penalty : {"l0", "l1"}, default="l0"
        The smooth count, or the sum of absolute displacements.
    n_displaced : float, optional
        Mean number of displaced features to reach, that of all features at most.
    width : float, optional
        Width of the smooth count, and the least displacement that counts, in units of the features; by default a tenth of the root
        mean square displacement of a map without penalty.
    n_steps : int, default=500
        Steps of psi: first without penalty, then as many with it.
    round_steps : int, default=100
        Steps of each round in which the strength is changed.
    n_inner : int, default=5
        Steps of phi for one of psi.
    hidden : tuple of two int, default=(64, 4)
        Units of a hidden layer, and hidden layers.
    learning_rate : float, default=2e-3
        Of Adam.
    batch_size : int, default=128
        Points in a step.
    validation_fraction : float, default=0.2
        Share of both samples that is held out, to judge by.
    random_state : int, RandomState or None, default=None
        What weights, batches, proposals and the held-out points are drawn from.

    Attributes
    ----------
    alpha_ : float
        The strength of the map.
    width_ : float
        What counted as displaced, in units of the features.
    n_displaced_ : float
        Mean number of displaced features of held-out points.
    sliced_distance_ : float
        Sliced Wasserstein distance between images of held-out sources and held-out targets, in units of the features.
    cost_ : float
        The dual estimate of half the mean squared displacement, in squared units.
    networks_ : tuple
        phi and psi, which compute in single precision.
    center_, scale_ : ndarray of shape (n_features,) and float
        What points are reduced by before the networks see them.
    n_iter_ : int
        Steps of psi.
    status_ : Status
        CONVERGED if `n_displaced` was reached or not asked for, MAX_ITER if not, DIVERGED if numbers left their range.
    history_ : dict of str to list
        Of each round: ``"stage"``, ``"alpha"``, ``"n_displaced"``, ``"sliced"`` (scaled) and ``"accepted"``.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If data are not finite, Y has another number of features than X, a sample has fewer than five points, or `n_displaced` is
        more than there are features.

    See Also
    --------
    SparseMongeMap : Exact zeros, a convex problem and a certificate; each point costs a pass over the targets.

    Notes
    -----
    The saddle point is not convex, and no certificate exists: judge a map by ``sliced_distance_`` and ``n_displaced_``, which come from
    points that no step was trained on. With `n_displaced` they have chosen the strength, and flatter the map: there, judge by `score`
    on points of your own. Displacements are small, not zero, where the penalty acts. The network psi enforces the distribution of the
    targets, and the penalty works against it: asking for many fewer features than really move ends at a large strength and a poor map,
    which the sliced distance shows.

    References
    ----------
    Chen, Xie and Zhang, "Displacement-sparse neural optimal transport", 2025 (arXiv 2502.01889). Makkuva, Taghvaei, Oh and Lee,
    "Optimal transport mapping via input convex neural networks", 2020 (arXiv 1908.10962).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import NeuralSparseMap
    >>> rng = np.random.default_rng(0)
    >>> X, Y = rng.standard_normal((200, 3)), rng.standard_normal((200, 3)) + [4.0, 0.0, 0.0]
    >>> model = NeuralSparseMap(n_steps=60, hidden=(16, 2), random_state=0).fit(X, Y)
    >>> moved = np.abs(model.displacement(X)).mean(axis=0)
    >>> bool(moved[0] > 5 * moved[1:].max())
    True
    """

    _parameter_constraints: dict = {
        "alpha": [Interval(Real, 0, None, closed="left")],
        "penalty": [StrOptions({"l0", "l1"})],
        "n_displaced": [Interval(Real, 0, None, closed="left"), None],
        "width": [Interval(Real, 0, None, closed="neither"), None],
        "n_steps": [Interval(Integral, 1, None, closed="left")],
        "round_steps": [Interval(Integral, 1, None, closed="left")],
        "n_inner": [Interval(Integral, 1, None, closed="left")],
        "hidden": [tuple, list],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        alpha=0.01,
        *,
        penalty="l0",
        n_displaced=None,
        width=None,
        n_steps=500,
        round_steps=100,
        n_inner=5,
        hidden=(64, 4),
        learning_rate=2e-3,
        batch_size=128,
        validation_fraction=0.2,
        random_state=None,
    ):
        self.alpha = alpha
        self.penalty = penalty
        self.n_displaced = n_displaced
        self.width = width
        self.n_steps = n_steps
        self.round_steps = round_steps
        self.n_inner = n_inner
        self.hidden = hidden
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.validation_fraction = validation_fraction
        self.random_state = random_state

    def fit(self, X, Y):
        """Train the networks.

        Parameters
        ----------
        X : array of shape (n, n_features)
            Source points, one a row.
        Y : array of shape (m, n_features)
            Target points, one a row; no order connects them with X.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self), single_threaded_blas():
            self._validate_params()
            X, Y = self._points(X, reset=True), self._targets(Y)
            self._check_number()
            random = check_random_state(self.random_state)
            self._reduce(X, Y)
            samples, held_out = zip(*(self._split(self._inward(points), random) for points in (X, Y)), strict=True)
            width = 1.0 if self.width is None else float(self.width) / self.scale_
            settings = Settings(self.penalty, width, float(self.learning_rate), self.n_inner, self.batch_size)
            model = NeuralTransport(samples, held_out, settings, self._hidden(), random)
            fine = self._train(model)
            judged = model.judge(model.settings.width)
            reached = self.n_displaced is None or judged.n_displaced <= self.n_displaced
            self.status_ = Status.DIVERGED if not fine else Status.CONVERGED if reached else Status.MAX_ITER
            self.networks_ = model.source, model.target
            self.width_ = model.settings.width * self.scale_
            self.n_displaced_, self.sliced_distance_ = judged.n_displaced, judged.sliced * self.scale_
            self.cost_, self.n_iter_ = model.cost() * self.scale_**2, model.optimisers[1].count
            self._announce()
        return self

    def _train(self, model):
        """Without the penalty, with it, and with changing strengths; True if all numbers stayed in range."""
        self.history_ = {key: [] for key in ("stage", "alpha", "n_displaced", "sliced", "accepted")}
        self.alpha_ = 0.0
        start = model.saved()
        if not model.train(self.n_steps, 0.0):
            model.restore(start)
            return False
        if self.width is None:
            model.settings = model.settings._replace(width=_SMALL * model.size() or 1.0)
        strength = float(self.alpha) or (0.0 if self.n_displaced is None else _WEAK)
        if not strength:
            return True
        start = model.saved()
        if not model.train(self.n_steps, strength):
            model.restore(start)
            return False
        self.alpha_ = strength
        if self.n_displaced is not None:
            width = model.settings.width
            self.alpha_, fine = adapted(
                model, self.alpha_, float(self.n_displaced), width, self.round_steps, self.history_
            )
            return fine
        return True

    def _announce(self):
        if self.status_ is Status.DIVERGED:
            warn(
                "NeuralSparseMap left the range of numbers; the weights before that are kept: lower learning_rate.",
                ConvergenceWarning,
            )
        elif self.status_ is Status.MAX_ITER:
            warn(
                f"NeuralSparseMap moves {self.n_displaced_:.2f} features of held-out points, more than n_displaced="
                f"{self.n_displaced}: raise alpha, n_steps or round_steps.",
                ConvergenceWarning,
            )

    def transform(self, X):
        """Where the map takes points.

        Parameters
        ----------
        X : array of shape (n_points, n_features)
            Points, one a row.

        Returns
        -------
        ndarray of shape (n_points, n_features)
            ``T(X)``, in the precision of X.
        """
        return self._mapped(X, 0)

    def displacement(self, X):
        """How the map moves points: ``T(X) - X``.

        Parameters
        ----------
        X : array of shape (n_points, n_features)
            Points, one a row.

        Returns
        -------
        ndarray of shape (n_points, n_features)
            The displacements.
        """
        return self.transform(X) - self._points(X)

    def inverse_transform(self, X):
        """Where the gradient of psi takes points of the targets: back, as far as the networks have learned to be inverse.

        Parameters
        ----------
        X : array of shape (n_points, n_features)
            Points among the targets, one a row.

        Returns
        -------
        ndarray of shape (n_points, n_features)
            Points among the sources.
        """
        return self._mapped(X, 1)

    def score(self, X, Y):
        """Minus the sliced Wasserstein distance between ``T(X)`` and Y: 0 is best.

        Parameters
        ----------
        X : array of shape (n, n_features)
            Source points.
        Y : array of shape (m, n_features)
            Target points.

        Returns
        -------
        float
            The score, in units of the features.
        """
        images = self.transform(X)
        directions = np.random.RandomState(0).standard_normal((images.shape[1], 128))
        directions /= np.linalg.norm(directions, axis=0)
        return -sliced_distance(images, self._targets(Y), directions)

    def _mapped(self, X, which):
        check_is_fitted(self)
        X = self._points(X)
        with single_threaded_blas():
            images = self.networks_[which].gradient(self._inward(X).astype(np.float32))
        return (self.center_ + self.scale_ * images).astype(X.dtype)

    def _reduce(self, X, Y):
        X, Y = X.astype(np.float64), Y.astype(np.float64)
        self.center_ = X.mean(axis=0)
        with np.errstate(over="ignore", invalid="ignore"):
            size = np.sqrt(0.5 * (np.var(X, axis=0).mean() + np.var(Y, axis=0).mean()))
        if not np.isfinite(size):
            raise ValueError(
                "X and Y are so large that their squares overflow; divide both by the size of their entries."
            )
        self.scale_ = float(size) or 1.0

    def _inward(self, points):
        return (points.astype(np.float64) - self.center_) / self.scale_

    def _split(self, points, random):
        count = points.shape[0]
        if count < 5:
            raise ValueError(
                f"a sample has n_samples = {count}, but NeuralSparseMap needs 5, some to hold out; give more points."
            )
        order = random.permutation(count)
        held = min(max(1, round(float(self.validation_fraction) * count)), count - 1)
        return points[order[held:]], points[order[:held]]

    def _check_number(self):
        if self.n_displaced is not None and self.n_displaced > self.n_features_in_:
            raise ValueError(
                f"n_displaced is {self.n_displaced}, but there are {self.n_features_in_} features; ask for fewer, or leave it out to "
                "move all of them."
            )

    def _hidden(self):
        if len(self.hidden) != 2 or not all(isinstance(size, Integral) and int(size) >= 1 for size in self.hidden):
            raise ValueError(f"hidden must be two positive integers, units of a layer and layers; got {self.hidden!r}.")
        return tuple(self.hidden)
