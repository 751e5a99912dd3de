"""RobustUnmixing: what a scene consists of, and how much of it every pixel holds, where some bands are useless."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import worker_pool
from .._tables import check_array, validate_data
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..result import Status
from ..solvers.unmixing import LOSSES, abundances, band_scale, first_endmembers, unmix
from ._learning_loop import ended
from ._signals import refusing
from ._transform import floating

__all__ = ["RobustUnmixing", "UnmixingProgress"]


class UnmixingProgress(NamedTuple):
    """What the callback of `RobustUnmixing` is given after each iteration: it may return True to stop.

    Attributes
    ----------
    iteration : int
        Iterations done.
    components : ndarray of shape (n_components, n_features)
        The endmembers.
    objective : float
        The objective, at today's scale.
    certificate : float
        How far projected gradient steps would move abundances and endmembers.
    """

    iteration: int
    components: Any
    objective: float
    certificate: float


class RobustUnmixing(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Write pixels as mixtures of a few endmembers by nonnegative matrix factorisation that useless bands cannot spoil.

    The problem, for pixels X divided by the median band's root mean square, is::

        min over M >= 0, and A >= 0 with rows of sum one,
            mean over bands l of rho(e_l)  +  alpha * mean over pixels of sum_k A_nk ** p_n,    e_l = mean_n (X - A M)_nl ** 2

    where ``rho(e)`` is ``e / 2`` (least squares), ``c^2 (1 - exp(-e / (2 c^2)))`` (correntropy), which stops to grow where a band
    is nothing but noise, or ``c sqrt(e)`` (the l2,1 norm of the residual), which grows more slowly. The scale c is the median of the
    bands' errors, for correntropy no less than a hundredth of the size of the bands; it is frozen before the fit ends, and from then
    on the objective never rises.

    Parameters
    ----------
    n_components : int, default=3
        Number of endmembers K.
    loss : {"correntropy", "l21", "squared"}, default="correntropy"
        How misfit is measured, as above.
    alpha : float, default=1e-4
        Strength of the sparsity of abundances, free of scale; pixels then hold few endmembers. 0: none.
    power : float or "learned", default=0.5
        The exponent p, above 0 and at most 1 (on the simplex an exponent of 1 does nothing). "learned": an exponent for each
        pixel, between .3 and 1, the lower the purer the pixel is (one minus Hoyer's sparseness of its abundances).
    simplex : {"exact", "soft"}, default="exact"
        Whether the abundances of a pixel sum to one, or are charged ``delta^2 / 2 (1 - sum_k A_nk)^2`` for not doing so.
    delta : float, default=1.0
        Weight of the soft constraint, above 0: without it, ever smaller abundances of ever larger endmembers cost ever less. Only
        for ``simplex="soft"``.
    init : array of shape (n_components, n_features), optional
        Endmembers to start from, not negative; by default the extreme pixels in the leading directions of the bands, each
        divided by its noise.
    max_iter : int, default=1000
        Iterations.
    tol : float or None, default=1e-4
        `fit` ends when projected gradient steps would move abundances and endmembers by no more than this (see ``certificate_``).
        None: all iterations, and no warning.
    callback : callable, optional
        Called with an `UnmixingProgress` of the start and after each iteration; return True to stop.
    n_jobs : int, optional
        Threads over pixels; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The endmembers, in the units of X.
    band_weights_ : ndarray of shape (n_features,)
        How much each band counted for the abundances, the largest one being one.
    scale_ : float
        The scale c in the units of X.
    objective_ : float
        The objective at the end.
    certificate_ : float
        How far projected gradient steps would move the abundances (root mean square over pixels) or the endmembers (relative to
        their norm), whichever is more: zero at a stationary point.
    status_ : Status
        How the fit ended: CONVERGED where the certificate meets `tol`, or all iterations were made without one.
    n_iter_ : int
        Iterations done.
    history_ : dict of str to list
        ``"iteration"``, ``"objective"``, ``"certificate"``, ``"scale"`` (c squared, relative to that of the data) and
        ``"seconds"`` of every iteration.
    n_features_in_ : int
        Number of bands.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If there are fewer pixels than endmembers, X has no positive entry, or `init` has another shape or negative entries.

    Notes
    -----
    X may have negative entries, which noise makes; endmembers and abundances have none. The factorisation is known up to the order of
    endmembers, and not unique in general: pure pixels, and sparse abundances, make it so. The weight of a band plays no part in
    its own row of endmembers, so useless bands hold noise there too.

    On clean data the bands' errors are those of the abundances alone, and would vanish with them. A scale that followed them would tell
    bands apart by nothing but the order in which they fall; hence its floor, below which no band is distrusted.

    References
    ----------
    Wang, Pan, Xiang and Zhu, "Robust hyperspectral unmixing with correntropy-based metric", 2015.
    Zhu, Wang, Xiang, Fan and Pan, "Effective spectral unmixing via robust representation and learning-based sparsity", 2014.
    Gillis and Vavasis, "Fast and robust recursive algorithms for separable nonnegative matrix factorization", 2014,
    arXiv 1208.1237.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import RobustUnmixing
    >>> endmembers = np.array([[1.0, 0.0, 1.0, 0.5], [0.0, 1.0, 0.5, 1.0]])
    >>> shares = np.random.default_rng(0).dirichlet([0.3, 0.3], size=200)
    >>> model = RobustUnmixing(2).fit(shares @ endmembers)
    >>> found = model.transform(shares @ endmembers)
    >>> bool(np.abs(found[:, np.argsort(-model.components_[:, 0])] - shares).max() < 0.05)
    True
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left")],
        "loss": [StrOptions(set(LOSSES))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "power": [Interval(Real, 0, 1, closed="right"), StrOptions({"learned"})],
        "simplex": [StrOptions({"exact", "soft"})],
        "delta": [Interval(Real, 0, None, closed="neither")],
        "init": ["array-like", None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "callback": [callable, None],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components=3,
        *,
        loss="correntropy",
        alpha=1e-4,
        power=0.5,
        simplex="exact",
        delta=1.0,
        init=None,
        max_iter=1000,
        tol=1e-4,
        callback=None,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.loss = loss
        self.alpha = alpha
        self.power = power
        self.simplex = simplex
        self.delta = delta
        self.init = init
        self.max_iter = max_iter
        self.tol = tol
        self.callback = callback
        self.n_jobs = n_jobs

    @with_callbacks
    def fit(self, X, y=None):
        """Find endmembers.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Real pixels, one a row; bands are columns.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        if self.simplex == "exact" and self.delta != 1.0:
            raise ValueError(
                "delta has no meaning for simplex='exact'; leave it at its default, or pass simplex='soft'."
            )
        task = FitTask.of_fit(self, self.max_iter)
        with all_or_nothing(self), worker_pool(self.n_jobs):
            refuse_lazy(X, "X")
            with refusing(self):
                X = floating(validate_data(self, X, dtype="numeric"))
            if X.shape[0] < self.n_components:
                raise ValueError(
                    f"X has n_samples={X.shape[0]} pixels, too few for n_components={self.n_components} endmembers; lower n_components."
                )
            if not np.any(X > 0):
                raise ValueError(
                    "X has no positive entry; unmixing needs intensities, of which noise alone may be negative."
                )
            with np.errstate(over="ignore", under="ignore"):
                check_range(np.einsum("ij,ij->j", X, X, dtype=np.float64), X.T, "X", "column")
            size = band_scale(X)
            pixels = np.ascontiguousarray(X, dtype=np.float64) / size
            found = unmix(
                pixels,
                self._first(pixels, size),
                loss=self.loss,
                max_iter=self.max_iter,
                tol=-1.0 if self.tol is None else self.tol,
                n_jobs=self.n_jobs,
                callback=self._told(task, size, X.dtype),
                **self._asked(),
            )
            self._store(found, size, X.dtype)
            task.end(dict)
        if self.status_ is Status.MAX_ITER:
            warn(
                f"projected gradient steps would still move abundances or endmembers by {self.certificate_:.3e} after {self.n_iter_} "
                f"iterations, tolerance {self.tol:.1e}: raise max_iter, loosen tol, or pass tol=None if the number of iterations is "
                "what you want.",
                ConvergenceWarning,
            )
        return self

    def transform(self, X):
        """Abundances of pixels, each pixel for itself.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Pixels, one a row.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            Abundances, not negative; rows sum to one, or nearly so with ``simplex="soft"``.
        """
        check_is_fitted(self)
        refuse_lazy(X, "X")
        with refusing(self):
            X = floating(validate_data(self, X, dtype="numeric", reset=False))
        with worker_pool(self.n_jobs):
            found = abundances(
                np.ascontiguousarray(X, dtype=np.float64) / self._size,
                self.components_.astype(np.float64) / self._size,
                self.band_weights_.astype(np.float64) * self._largest_weight,
                n_jobs=self.n_jobs,
                **self._asked(),
            )
        return found.astype(X.dtype, copy=False)

    def inverse_transform(self, X):
        """Pixels from abundances: ``X @ components_``.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
            Abundances.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            Pixels without noise.

        Raises
        ------
        ValueError
            If the number of columns is not that of the endmembers.
        """
        check_is_fitted(self)
        refuse_lazy(X, "X")
        X = check_array(X, dtype=[np.float64, np.float32], input_name="X")
        if X.shape[1] != len(self.components_):
            raise ValueError(f"X has {X.shape[1]} columns, but there are {len(self.components_)} endmembers.")
        return X @ self.components_.astype(X.dtype, copy=False)

    def _asked(self):
        return {
            "alpha": float(self.alpha),
            "power": None if self.power == "learned" else float(self.power),
            "delta": None if self.simplex == "exact" else float(self.delta),
        }

    def _first(self, pixels, size):
        """Endmembers to start from, in the units of `pixels`."""
        if self.init is None:
            return first_endmembers(pixels, self.n_components)
        refuse_lazy(self.init, "init")
        init = check_array(self.init, dtype=np.float64, input_name="init")
        if init.shape != (self.n_components, pixels.shape[1]):
            raise ValueError(
                f"init has shape {init.shape}, but it must have shape {(self.n_components, pixels.shape[1])}, one endmember a row."
            )
        if np.any(init < 0):
            raise ValueError("init has negative entries; endmembers have none: pass np.maximum(init, 0).")
        return init / size

    def _told(self, task, size, dtype):
        """What is called after each iteration: scikit-learn's callbacks, and the user's."""

        def told(iteration, endmembers, objective, certificate):
            stop = False
            if iteration:
                stop = task.part(f"iteration {iteration}").end(
                    lambda: {"components_": (size * endmembers).astype(dtype)}
                )
            if self.callback is not None:
                progress = UnmixingProgress(iteration, size * endmembers, objective, certificate)
                stop = bool(self.callback(progress)) or stop
            return stop

        return told

    def _store(self, found, size, dtype):
        self._size, self._largest_weight = size, found.largest_weight
        self.components_ = (size * found.endmembers).astype(dtype)
        self.band_weights_ = found.weights.astype(dtype)
        self.scale_ = float(np.sqrt(found.scale)) * size
        self.objective_, self.certificate_ = found.objective, found.certificate
        self.status_, self.n_iter_, self.history_ = ended(found.status, self.tol), found.n_iter, found.history

    @property
    def _n_features_out(self):
        return len(self.components_)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
