"""LearnedProximalNetwork: the prox of a penalty that is learned from signals."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval
from sklearn.utils.validation import check_is_fitted

from .._estimators import all_or_nothing
from .._parallel import single_threaded_blas
from .._tables import validate_data
from .._validation import refuse_lazy
from .._warnings import warn
from ..decomposition._checkpoint import (
    describe_data,
    generator_state,
    opened_checkpoint,
    restored_generator,
)
from ..networks import ConvexNetwork
from ..result import Status
from ._learned_penalty import LearnedPenalty
from ._matching import Schedule, train

__all__ = ["LearnedProximalNetwork"]

_MET = 2048
_SHARPNESS = 10.0
_QUADRATIC = 0.1  # of the network, at the start: a map that shrinks


class LearnedProximalNetwork(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Learn ``f = grad psi``, psi a convex network, such that f maps noisy signals to the mode of their posterior: a learned prox.

    The problem is::

        minimise over convex psi   E [ 1 - exp(-||grad psi(y) - x||^2 / gamma^2) ],      y = x + noise * (standard normal)

    with gamma falling. A map is the prox of some penalty exactly if it is the gradient of a convex function. So f is the prox of a penalty
    R, whatever the training did; if it did well, R is ``-noise^2 log p`` for the density p of the signals. From Laplace data f becomes the
    soft threshold. R is not convex in general; `value` evaluates it, `penalty` hands it to the solvers.

    Parameters
    ----------
    noise : float, optional
        Standard deviation of the noise that f removes, in units of the signals; by default half that of the entries of X, and one if these are all
        the same.
    width : int, default=32
        Units of a hidden layer.
    n_layers : int, default=1
        Hidden layers. The first is a squared rectifier, so that one layer gives a piecewise linear f; further ones are softplus.
    match : float, default=0.1
        Where gamma ends: at the mean of ``exp(-||f(y) - x||^2 / gamma^2)``. The smaller, the sharper the mode, and the more signals it takes.
    pretrain_steps : int, default=400
        First steps, on the absolute error.
    n_steps : int, default=500
        Steps on the loss above.
    refine_steps : int, default=0
        Steps of L-BFGS after those, on a sample of 16 batches of noisy signals against all of X: as many for each of the gammas that halve
        the match from 0.2 on. For signals of a few numbers, where small gammas pay.
    learning_rate : float, default=2e-2
        Of Adam; it falls linearly to zero.
    batch_size : int, default=256
        Noisy signals in a step.
    checkpoint : str or path-like, optional
        File in which `fit` keeps where it stands, every 50 steps and behind the refinement, and from which it goes on if the file is there: with
        the same bits as a run that was never cut. Remove the file to begin anew.
    random_state : int, RandomState or None, default=None
        What weights, batches and noise are drawn from.

    Attributes
    ----------
    noise_ : float
        The noise trained at.
    center_ : ndarray of shape (n_features,)
        The mean of the signals.
    network_ : ConvexNetwork
        psi, of signals less their mean, in units of the noise.
    gamma_ : float
        The last gamma, in units of the noise.
    status_ : Status
        CONVERGED after all steps; DIVERGED, with a warning, if numbers left their range or f denoises worse than doing nothing: then
        weights are those from before.
    certificate_ : float
        Relative gradient norm: the norm of the mean gradient over batches, over the root mean square norm of one. The training is done
        where noise is all that is left: with 16 batches, about 0.25. It says nothing of the mode; that f is a prox holds by construction.
    n_iter_ : int
        Steps done.
    history_ : dict of str to list
        Of each step of matching: ``"gamma"``, ``"share"`` and the norm of the ``"gradient"``.
    n_features_in_ : int
        Length of the signals.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If X is not finite, or leaves the range of single precision in units of the noise, or the checkpoint is of other data, parameters or
        another version.

    See Also
    --------
    PlugAndPlay : Solves inverse problems under the penalty.
    ista : Proximal gradient, which takes the penalty.

    Notes
    -----
    Under `penalty`, steps of `ista` are at most one over the curvature of the loss, and at most ``1 / alpha``. The objective then never
    rises, and if it is bounded below, the squares of the steps have a finite sum: the prox residual, which is the certificate, goes to zero.
    As the network is a definable function, iterates that stay bounded converge. R need not be convex for any of this. It is bounded below
    where f, far out, stretches no direction; that training does not enforce.

    The mean of the loss over the noise is taken over all signals that a point may have come from, each as likely as the noise makes it:
    the same expectation, less variance. In many dimensions only the true one is likely, and modes are hard to tell: there `match` sets how
    much of a mean f remains.

    Smoothing by gamma moves the mode where the posterior has a kink: for Laplace data by 0.065, 0.043 and 0.03 noise at gamma 0.05, 0.03 and
    0.02. Batches do not get there, as their noise grows while the loss flattens; L-BFGS on one sample does: two million Laplace
    numbers, at ``width=64, match=0.02, n_steps=100, refine_steps=60``, gave the soft threshold with a largest error of 0.027 to 0.048 on
    [-3, 3] in five random states, in 14 seconds of one core; one million with ``batch_size=64, match=0.025, refine_steps=80``, 0.07 in 4 seconds.

    References
    ----------
    Fang, Buchanan and Sulam, "What's in a prior? Learned proximal networks for inverse problems", 2024 (arXiv 2310.14344).
    Byrd, Lu, Nocedal and Zhu, "A limited memory algorithm for bound constrained optimization", 1995.
    Gribonval and Nikolova, "A characterization of proximity operators", 2020 (arXiv 1807.04014).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LearnedProximalNetwork
    >>> X = np.random.default_rng(0).laplace(size=(20_000, 1))
    >>> model = LearnedProximalNetwork(noise=1.0, n_steps=200, random_state=0).fit(X)
    >>> shrunk = model.transform([[0.4], [3.0]])
    >>> bool(abs(shrunk[0, 0]) < 0.2), bool(1.5 < shrunk[1, 0] < 2.5)
    (True, True)
    """

    _parameter_constraints: dict = {
        "noise": [Interval(Real, 0, None, closed="neither"), None],
        "width": [Interval(Integral, 1, None, closed="left")],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "match": [Interval(Real, 0, 0.5, closed="neither")],
        "pretrain_steps": [Interval(Integral, 0, None, closed="left")],
        "n_steps": [Interval(Integral, 0, None, closed="left")],
        "refine_steps": [Interval(Integral, 0, None, closed="left")],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "checkpoint": [str, PathLike, None],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        noise=None,
        *,
        width=32,
        n_layers=1,
        match=0.1,
        pretrain_steps=400,
        n_steps=500,
        refine_steps=0,
        learning_rate=2e-2,
        batch_size=256,
        checkpoint=None,
        random_state=None,
    ):
        self.noise = noise
        self.width = width
        self.n_layers = n_layers
        self.match = match
        self.pretrain_steps = pretrain_steps
        self.n_steps = n_steps
        self.refine_steps = refine_steps
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.checkpoint = checkpoint
        self.random_state = random_state

    def fit(self, X, y=None):
        """Train the network.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals without noise, one a row.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        with all_or_nothing(self), single_threaded_blas():
            self._validate_params()
            X = self._signals(X, reset=True)
            self.noise_ = self._noise(X)
            checkpoint = self._opened_checkpoint(X)
            saved = None if checkpoint is None else checkpoint.saved
            random = restored_generator(saved[0]["begun"]) if saved else check_random_state(self.random_state)
            state = generator_state(random)  # the network and the order of signals must be the same after a cut
            self.center_ = np.mean(X, axis=0, dtype=np.float64)
            signals = self._in_units(X)
            network = self._start(signals, random)
            steps = self.pretrain_steps, self.n_steps, self.refine_steps
            schedule = Schedule(*steps, self.match, self.learning_rate, self.batch_size, _MET)
            trained = train(network, signals, schedule, random, begun=state, checkpoint=checkpoint)
            self.network_ = network.cast(np.float64)
            self.gamma_, self.certificate_, self.history_ = trained.gamma, trained.certificate, trained.history
            self.n_iter_ = self.pretrain_steps + len(trained.history["gamma"])
            self.status_ = Status.DIVERGED if trained.harm else Status.CONVERGED
        if trained.harm:
            warn(f"{trained.harm}; the weights from before are kept.", ConvergenceWarning)
        return self

    def _opened_checkpoint(self, X):
        if self.checkpoint is None:
            return None
        return opened_checkpoint(self, ("checkpoint",), data=describe_data(X))

    def _in_units(self, X):
        """Signals around their mean, in units of the noise: far from zero, single precision would not tell them apart."""
        with np.errstate(over="ignore"):
            signals = ((X - self.center_) / self.noise_).astype(np.float32)
            fits = np.isfinite(np.sum(signals * signals))
        if not fits:
            raise ValueError(
                f"signals are so long beside noise={self.noise_:.3g} that their squares leave single precision; raise noise."
            )
        return signals

    def _noise(self, X):
        if self.noise is not None:
            return float(self.noise)
        with np.errstate(over="ignore", invalid="ignore"):
            noise = 0.5 * float(np.std(X, dtype=np.float64))
        if not np.isfinite(noise):
            raise ValueError("X is so large that its squares overflow; divide it by the size of its entries.")
        return noise or 1.0

    def _start(self, signals, random):
        """A network whose first layer bends where noisy signals are."""
        d = signals.shape[1]
        network = ConvexNetwork(d, self.width, self.n_layers, random, np.float32, leak=0.0, sharpness=_SHARPNESS)
        directions, offsets = network.parameters[:2]
        at = signals[random.randint(len(signals), size=self.width)] + random.standard_normal((self.width, d))
        offsets[:] = -np.sum(directions * at, axis=1)
        network.parameters[-2][:] = 1.0 / self.width
        network.parameters[-1][:] = _QUADRATIC
        return network

    def transform(self, X):
        """The learned prox of noisy signals: ``f(X)``.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals with noise, one a row.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The signals without it, in the precision of X.
        """
        check_is_fitted(self)
        X = self._signals(X)
        return self.penalty().prox(X.T, 1.0).T

    prox = transform

    def value(self, X):
        """The penalty R that was learned: ``f(y)`` minimises ``||x - y||^2 / 2 + R(x)``.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row.

        Returns
        -------
        ndarray of shape (n_samples,)
            In squared units of the signals, up to a constant; inf for signals that no y is mapped to.
        """
        check_is_fitted(self)
        return self.penalty().value(self._signals(X).T)

    def penalty(self, alpha=1.0):
        """``alpha * R`` for the solvers of the library, on consecutive blocks of coefficients as long as the signals.

        Parameters
        ----------
        alpha : float, default=1.0
            Strength; ``(measurement noise / noise_)^2 / n_samples`` for the mode of the posterior.

        Returns
        -------
        LearnedPenalty
            The penalty, which keeps the network.
        """
        check_is_fitted(self)
        return LearnedPenalty(float(alpha), self.network_, self.noise_, self.center_)

    def score(self, X, y=None):
        """Minus the mean squared error with which noisy copies of signals are denoised, in units of the squared noise.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals without noise.
        y : None
            Ignored.

        Returns
        -------
        float
            The score: 0 is best, -1 what doing nothing earns.
        """
        check_is_fitted(self)
        X = self._signals(X).astype(np.float64)
        noise = np.random.RandomState(0).standard_normal(X.shape)
        left = (self.transform(X + self.noise_ * noise) - X) / self.noise_
        return -float(np.mean(left**2))

    def _signals(self, X, reset=False):
        refuse_lazy(X, "X")
        return validate_data(self, X, reset=reset, dtype=[np.float64, np.float32])

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
