"""CompoundGaussianNetwork: compound-Gaussian least squares as layers, whose prior of the textures is learned."""

from __future__ import annotations

from numbers import Integral, Real
from os import PathLike

import numpy as np
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_is_fitted

from .._array import is_array_api_obj, is_numpy, to_numpy
from .._estimators import CallbackSupportMixin, FitTask, all_or_nothing, with_callbacks
from .._parallel import single_threaded_blas
from .._tables import check_array, validate_data
from .._validation import check_range, refuse_lazy
from .._warnings import warn
from ..decomposition import SparseCoder
from ..decomposition._checkpoint import describe_data, opened_checkpoint
from ..decomposition._signals import refusing
from ..result import Status
from ._base import codes_beside
from ._compound_layers import CompoundLayers, code_shape, typical_entry
from ._compound_residual import ResidualNetworks
from ._compound_training import Settings, continue_from, total, train

__all__ = ["CompoundGaussianNetwork"]

_FREE = ("max_iter", "tol", "n_iter_no_change", "warm_start", "callback", "checkpoint")
_ROWS = 256  # signals at a time


class CompoundGaussianNetwork(CallbackSupportMixin, ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Iterations of `compound_gaussian` as layers whose prior of the textures is learned from few signals.

    For each signal x, a row of X, a code ``c = z u`` is the product of textures z >= 0 and Gaussian factors u. The layers descend::

        F(z, u) = ||x - (z u) D||^2 / 2 + ridge * (||u||^2 / 2 + R(z)),      ridge = noise^2 / prior_variance

    A layer finds u by a ridge regression, then makes steps in z: down the slope of the misfit, then what R asks for. With "prox" that is the
    prox of half-normal, ``R(z) = sum z^2 / 2``, or exponential textures, ``R(z) = sum z``, with a learned step and strength each: before
    training, the moves of `compound_gaussian`. With "network" it is ``max(0, s + W(s))`` with a convolutional network W of its own for
    each step, zero before training. Behind the last layer u is found once more.

    Parameters
    ----------
    dictionary : {"dct", "dct2"} or array of shape (n_components, n_features), default="dct"
        The atoms, one a row, as in `SparseCoder`. For measurements ``y = A c`` it is A transposed.
    regulariser : {"network", "prox"}, default="network"
        What stands for R. "network" needs torch (the extra `torch`); "prox" learns two numbers a step, without it.
    texture : {"half-normal", "exponential"}, default="half-normal"
        R of "prox", and of the objective.
    n_layers : int, default=3
        Ridge regressions, but for the last one.
    n_texture_steps : int, default=4
        Steps in the textures a layer.
    image_shape : tuple of int, optional
        Height and width of a code that is a picture, for convolutions in two dimensions; by default they go along the code.
    prior_variance : float, default=0.1
        Variance of u.
    noise : float, default=0.01
        Standard deviation of the noise, in units in which the dictionary has norm one, and the typical largest entry of a code is one.
    learn_prior : bool, default=False
        Whether the variance of each entry of u is learned; needs codes.
    n_conv_layers : int, default=8
        Convolutions of a network.
    n_channels : int, default=32
        Channels between them.
    n_components : int, optional
        Number of atoms of "dct" and "dct2"; by default as many as features.
    learning_rate : float, default=2e-3
        Of Adam.
    batch_size : int, default=20
        Signals in a step.
    max_iter : int, default=200
        Passes over X.
    tol : float, default=1e-3
        Training ends when the loss has not fallen by this share for `n_iter_no_change` passes.
    n_iter_no_change : int, default=10
        See `tol`.
    warm_start : bool, default=False
        Whether `fit` goes on from the layers of the last fit.
    checkpoint : str or path-like, optional
        File in which `fit` keeps the last complete pass, and from which it goes on if the file is there: with the same bits as a run that was
        never cut. Only `max_iter`, `tol`, `n_iter_no_change`, `warm_start` and `callback` may then differ. Remove the file to begin anew.
    random_state : int, RandomState or None, default=None
        What weights and batches are drawn from; no state that others use is touched.
    callback : callable, optional
        Called with a `TrainingProgress` after each pass, whose loss is that of all signals; return True to stop.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The atoms.
    steps_ : ndarray of shape (n_layers, n_texture_steps)
        The learned steps, one before training: in "prox" those that are sure to descend.
    strengths_ : ndarray of shape (n_layers, n_texture_steps)
        Of the textures, with "prox".
    ridge_ : ndarray of shape (n_components,)
        Variance of the noise over that of u.
    weights_ : dict of str to ndarray
        Kernels and biases, with "network".
    scale_ : float
        The typical largest entry of a code of X.
    loss_ : {"codes", "objective"}
        What was minimised: the mean absolute error of codes, or F.
    training_loss_ : float
        That of X, over that of codes that are zero.
    status_ : Status
        CONVERGED by `tol`; DIVERGED where numbers left their range, or the last pass was worse than before training: the best state is kept.
    certificate_ : float
        Relative gradient norm: that of the training loss, over what it was before training. Nothing is proved of codes.
    n_iter_ : int
        Passes done.
    history_ : dict of str to list
        ``"step"``, ``"loss"`` and ``"seconds"`` of each pass.
    n_features_in_ : int
        Length of the signals.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ImportError
        If torch is missing, and `regulariser` is "network".
    ValueError
        If shapes disagree, data are not finite, or the checkpoint is of other data, parameters or another version.

    See Also
    --------
    compound_gaussian : The iterations, to their certificate.
    UnrolledISTA : Layers for the LASSO.

    Notes
    -----
    Derivatives are written out, all but those of the convolutions, which are torch's. As in the solver, a texture of zero stays zero where only
    slopes and the prox move it; the start is the modulus of what each atom alone would have, at most one (in units of `scale_`). Steps
    are shrunk to norm one in "network". With the default networks, a pass over 20 images of 64 pixels takes some tenths of a second.

    References
    ----------
    Lyons, Raj and Cheney, "Deep regularized compound Gaussian network for solving linear inverse problems", 2024 (arXiv 2311.17248).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import CompoundGaussianNetwork
    >>> rng = np.random.default_rng(0)
    >>> atoms, codes = rng.standard_normal((30, 20)), (rng.random((40, 30)) < 0.1) * rng.standard_normal((40, 30))
    >>> layers = {"regulariser": "prox", "texture": "exponential", "learning_rate": 0.05}
    >>> model = CompoundGaussianNetwork(atoms, **layers, random_state=0)
    >>> found = model.fit(codes[:20] @ atoms, codes[:20]).transform(codes[20:] @ atoms)
    >>> bool(np.abs(found - codes[20:]).mean() < 0.2 * np.abs(codes[20:]).mean())
    True
    """

    _layers: CompoundLayers
    _parameter_constraints: dict = {
        "dictionary": [StrOptions({"dct", "dct2"}), "array-like"],
        "regulariser": [StrOptions({"network", "prox"})],
        "texture": [StrOptions({"half-normal", "exponential"})],
        "n_layers": [Interval(Integral, 1, None, closed="left")],
        "n_texture_steps": [Interval(Integral, 1, None, closed="left")],
        "image_shape": [tuple, list, None],
        "prior_variance": [Interval(Real, 0, None, closed="neither")],
        "noise": [Interval(Real, 0, None, closed="neither")],
        "learn_prior": ["boolean"],
        "n_conv_layers": [Interval(Integral, 2, None, closed="left")],
        "n_channels": [Interval(Integral, 1, None, closed="left")],
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "learning_rate": [Interval(Real, 0, None, closed="neither")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "warm_start": ["boolean"],
        "checkpoint": [str, PathLike, None],
        "random_state": ["random_state"],
        "callback": [callable, None],
    }

    def __init__(
        self,
        dictionary="dct",
        *,
        regulariser="network",
        texture="half-normal",
        n_layers=3,
        n_texture_steps=4,
        image_shape=None,
        prior_variance=0.1,
        noise=0.01,
        learn_prior=False,
        n_conv_layers=8,
        n_channels=32,
        n_components=None,
        learning_rate=2e-3,
        batch_size=20,
        max_iter=200,
        tol=1e-3,
        n_iter_no_change=10,
        warm_start=False,
        checkpoint=None,
        random_state=None,
        callback=None,
    ):
        self.dictionary = dictionary
        self.regulariser = regulariser
        self.texture = texture
        self.n_layers = n_layers
        self.n_texture_steps = n_texture_steps
        self.image_shape = image_shape
        self.prior_variance = prior_variance
        self.noise = noise
        self.learn_prior = learn_prior
        self.n_conv_layers = n_conv_layers
        self.n_channels = n_channels
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.callback = callback

    @with_callbacks
    def fit(self, X, y=None):
        """Train the layers.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Real signals, one a row.
        y : array of shape (n_samples, n_components), optional
            The codes that the layers should find, by mean absolute error; without them F is minimised. Labels of shape (n_samples,), which
            a pipeline hands to all its steps, are ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        task = FitTask.of_fit(self, self.max_iter)
        with all_or_nothing(self), single_threaded_blas():
            X = self._signals(X, reset=True)
            atoms = self._atoms(X)
            truth = codes_beside(y, X, atoms)
            checkpoint = self._opened_checkpoint(X, truth)
            random = check_random_state(self.random_state)
            norm = float(np.linalg.norm(atoms.astype(np.float64), 2)) or 1.0
            layers = self._new_layers(atoms.astype(np.float64) / norm, truth, random, X.dtype)
            if checkpoint is not None and checkpoint.saved is not None:
                self.scale_ = checkpoint.saved[0]["scale"]
            elif self.warm_start and hasattr(self, "_layers"):
                continue_from(layers, self._layers)
            else:
                self.scale_ = typical_entry(X, atoms)
            self._layers, self._norm = layers, norm
            self.components_, self.loss_ = atoms, "objective" if truth is None else "codes"
            settings = Settings(self.learning_rate, self.batch_size, self.max_iter, self.tol, self.n_iter_no_change)
            trained = train(
                layers,
                self._rows(X),
                None if truth is None else truth.astype(np.float64) / self.scale_,
                settings,
                random,
                scale=self.scale_,
                checkpoint=checkpoint,
                callback=self.callback,
                task=task if task.is_watched else None,
            )
            self._store(trained)
            shortfall = self._shortfall(trained)
            task.end(dict)
        if shortfall:
            warn(shortfall, ConvergenceWarning)
        return self

    def transform(self, X):
        """Codes of the rows of X behind the last layer; nothing is promised of them.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals, one a row.

        Returns
        -------
        ndarray of shape (n_samples, n_components)
            The codes, in the precision of X.
        """
        check_is_fitted(self)
        X = self._signals(X)
        codes = np.empty((len(X), len(self.components_)), dtype=X.dtype)
        with single_threaded_blas():
            for start in range(0, len(X), _ROWS):
                z, u = self._layers.run(self._rows(X[start : start + _ROWS]))
                codes[start : start + _ROWS] = self.scale_ * (z * u)
        return codes

    def inverse_transform(self, X):
        """Signals from codes: ``X @ components_``.

        Parameters
        ----------
        X : array of shape (n_samples, n_components)
            Codes.

        Returns
        -------
        ndarray of shape (n_samples, n_features)
            The signals that the codes stand for.
        """
        check_is_fitted(self)
        refuse_lazy(X, "X")
        X = check_array(X, dtype=[np.float64, np.float32])
        if X.shape[1] != len(self.components_):
            raise ValueError(
                f"X has {X.shape[1]} columns, but the codes of this {type(self).__name__} have {len(self.components_)}."
            )
        return X @ self.components_.astype(X.dtype, copy=False)

    def score(self, X, y=None):
        """Minus the loss over that of codes that are zero, so that more is better and a search over parameters needs no `scoring`.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Signals.
        y : array of shape (n_samples, n_components), optional
            Codes; then the loss is the absolute distance to them, otherwise F. Labels are ignored.

        Returns
        -------
        float
            The score: 0 is best, -1 what codes of zeros earn.
        """
        check_is_fitted(self)
        X = self._signals(X)
        truth = codes_beside(y, X, self.components_)
        with single_threaded_blas():
            return -total(self._layers, self._rows(X), None if truth is None else truth / self.scale_)

    # ------------------------------------------------------------ fitting

    def _signals(self, X, reset=False):
        refuse_lazy(X, "X")
        with refusing(self):
            X = validate_data(self, X, reset=reset, dtype=[np.float64, np.float32], order="C")
        check_range(np.einsum("ij,ij->i", X, X, dtype=np.float64), X, "X", "row")
        return X

    def _atoms(self, X):
        given = self.dictionary
        if is_array_api_obj(given) and not is_numpy(given):
            given = to_numpy(given)
        atoms = SparseCoder(given, n_components=self.n_components)._dictionary(X.shape[1])
        return np.ascontiguousarray(atoms, dtype=X.dtype)

    def _rows(self, X):
        """Signals in the units of the layers."""
        return X.astype(np.float64) / (self._norm * self.scale_)

    def _new_layers(self, atoms, truth, random, dtype):
        if self.learn_prior and truth is None:
            raise ValueError("learn_prior=True needs codes to learn from: F alone is least where u may be anything.")
        shape = code_shape(self.image_shape, len(atoms))
        networks = None
        if self.regulariser == "network":
            networks = ResidualNetworks(shape, self.n_conv_layers, self.n_channels, random, dtype)
        ridge = self.noise**2 / self.prior_variance
        steps = (self.n_layers, self.n_texture_steps)
        return CompoundLayers(atoms, ridge, steps, self.texture, networks, self.learn_prior)

    def _opened_checkpoint(self, X, truth):
        if self.checkpoint is None:
            return None
        codes = {} if truth is None else describe_data(truth)
        return opened_checkpoint(self, _FREE, data=describe_data(X), codes=codes)

    def _store(self, trained):
        layers = self._layers
        self.steps_, self.ridge_ = np.exp(layers.arrays["log_steps"]), layers.ridge.copy()
        for name in ("strengths_", "weights_"):
            if hasattr(self, name):
                delattr(self, name)
        if layers.networks is None:
            self.strengths_ = np.exp(layers.arrays["log_strengths"])
        else:
            self.weights_ = {name: array for name, array in layers.arrays.items() if not name.startswith("log_")}
        self.status_, self.n_iter_, self.history_ = trained.status, trained.n_iter, trained.history
        self.training_loss_, self.certificate_ = trained.loss, trained.certificate

    def _shortfall(self, trained):
        """What is to be warned of, or nothing."""
        if trained.status is Status.DIVERGED:
            return f"{trained.harm}; the best state so far is kept."
        if trained.status is not Status.MAX_ITER:
            return ""
        return f"the loss, {trained.loss:.4g} of that of zero codes, still fell after max_iter={self.max_iter} passes: raise max_iter, or tol."

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    @property
    def _n_features_out(self):
        return len(self.components_)
