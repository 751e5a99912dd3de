"""UnrolledIHT: iterations of hard thresholding as layers with learned steps and matrices."""

from __future__ import annotations

from numbers import Integral

import numpy as np
from sklearn.utils._param_validation import Interval

from .._validation import as_count
from ._base import UnrolledTransformer

__all__ = ["UnrolledIHT"]


class UnrolledIHT(UnrolledTransformer):
    """Iterations of hard thresholding as layers, whose steps and matrices are learned from signals.

    For each signal x (a row of X), with the dictionary D of one atom a row::

        c_0 = 0,     c_k+1 = H_k(c_k - gamma_k (c_k D - x) W_k'),     k = 0 .. n_layers - 1

    With `n_nonzero_coefs`, H_k keeps so many of the largest entries, and the problem is ``min 1/2 ||x - c D||^2`` over codes with no more; with
    `alpha` it keeps what is above ``sqrt(2 gamma_k alpha)``, and the problem is ``min 1/2 ||x - c D||^2 + alpha ||c||_0``. Both are not convex: learned
    layers, with or without codes to learn from, end in better minima than the iterations they unroll. Thresholds have no derivative of their own
    and stay tied to the steps.

    Parameters
    ----------
    dictionary : {"dct", "dct2"} or array of shape (n_components, n_features), default="dct"
        The atoms, as in `SparseCoder`.
    n_layers : int, default=16
        How many layers.
    n_nonzero_coefs : int, optional
        Entries of a code; without `alpha` by default a tenth of the width of X.
    alpha : float, optional
        Price of an entry, in the units of the squared signals.
    weights : {"tied", "analytic", "coupled", "free"}, default="tied"
        The filters W_k, as in `UnrolledISTA`; "free" needs `n_nonzero_coefs`, as its layers have no steps to tie a threshold to.
    share_weights : bool, default=False
        Whether all layers share one learned matrix.
    n_components : int, optional
        Atoms of a built dictionary, as in `SparseCoder`.
    learning_rate : float, default=0.02
        Length of Adam's steps, in the logarithm of steps; matrices move slower. It falls to a third and a tenth in the end.
    batch_size : int, default=256
        Signals of a training step.
    steps_per_layer : int, default=100
        Training steps after each new layer but the last; 0 trains all from the start.
    max_iter : int, default=2000
        Training steps of all layers.
    tol : float, default=1e-4
        The loss of held-out signals, looked at every 20 steps, falls as long as it does so by this share.
    n_iter_no_change : int, default=10
        Looks without a fall after which the rate falls, or training ends; the best state is kept.
    validation_fraction : float, default=0.1
        Share of the signals held out; with 0, or too few signals, the training signals are looked at.
    warm_start : bool, default=False
        Whether `fit` goes on from the layers of the last fit, all together.
    checkpoint : str or path-like, optional
        File from which a fit that was cut goes on, as in `UnrolledISTA`.
    random_state : int, RandomState or None, default=None
        For the signals held out and the batches. The answer has the same bits for any `n_jobs`.
    callback : callable, optional
        Called with a `TrainingProgress` at every look; return True to stop.
    sparse_output : bool, default=False
        Whether codes are a CSR matrix, of SciPy also where X is of another namespace.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        The dictionary.
    alpha_ : float
        The price that was used; 0 with `n_nonzero_coefs`.
    n_nonzero_coefs_ : int or None
        The count that was used.
    steps_, thresholds_ : ndarray of shape (n_layers,)
        gamma_k, and the thresholds tied to them (0 with `n_nonzero_coefs`).
    certificate_, median_certificate_ : float
        Largest and median over training signals (the first 4096) of how far one step of the plain solver moves a code, relative to its norm for a count,
        and to the largest first step for `alpha`.
    filters_, mixing_, loss_, validation_loss_, status_, n_iter_, history_, n_features_in_, feature_names_in_
        As for `UnrolledISTA`.

    Raises
    ------
    ValueError
        If both `n_nonzero_coefs` and `alpha` are given, shapes disagree, or data are not finite.

    See Also
    --------
    UnrolledISTA : Shrinkage, for the l1 norm.

    References
    ----------
    Blumensath and Davies, "Iterative hard thresholding for compressed sensing", 2009 (arXiv 0805.0510).
    Nagahisa, Hayakawa and Iiguni, "Comparison between supervised and unsupervised learning in deep unfolded sparse signal recovery", 2025
    (arXiv 2509.01331).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import UnrolledIHT
    >>> X = np.random.default_rng(0).standard_normal((200, 6))
    >>> model = UnrolledIHT(n_layers=4, n_nonzero_coefs=2, random_state=0).fit(X)
    >>> np.count_nonzero(model.transform(X), axis=1).max()
    np.int64(2)
    """

    _parameter_constraints: dict = {
        **UnrolledTransformer._parameter_constraints,
        "n_nonzero_coefs": [Interval(Integral, 1, None, closed="left"), None],
    }

    def __init__(
        self,
        dictionary="dct",
        *,
        n_layers=16,
        n_nonzero_coefs=None,
        alpha=None,
        weights="tied",
        share_weights=False,
        n_components=None,
        learning_rate=0.02,
        batch_size=256,
        steps_per_layer=100,
        max_iter=2000,
        tol=1e-4,
        n_iter_no_change=10,
        validation_fraction=0.1,
        warm_start=False,
        checkpoint=None,
        random_state=None,
        callback=None,
        sparse_output=False,
        n_jobs=None,
    ):
        self.dictionary = dictionary
        self.n_layers = n_layers
        self.n_nonzero_coefs = n_nonzero_coefs
        self.alpha = alpha
        self.weights = weights
        self.share_weights = share_weights
        self.n_components = n_components
        self.learning_rate = learning_rate
        self.batch_size = batch_size
        self.steps_per_layer = steps_per_layer
        self.max_iter = max_iter
        self.tol = tol
        self.n_iter_no_change = n_iter_no_change
        self.validation_fraction = validation_fraction
        self.warm_start = warm_start
        self.checkpoint = checkpoint
        self.random_state = random_state
        self.callback = callback
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    def _rule(self, atoms, X):
        if self.alpha is not None:
            if self.n_nonzero_coefs is not None:
                raise ValueError("n_nonzero_coefs and alpha are two problems; give one of them.")
            if self.weights == "free":
                raise ValueError("alpha has no meaning for weights='free', which have no steps; give n_nonzero_coefs.")
            self.n_nonzero_coefs_ = None
            return "hard", float(self.alpha), np.zeros(self.n_layers, dtype=np.int64), False
        wanted = max(1, atoms.shape[1] // 10) if self.n_nonzero_coefs is None else self.n_nonzero_coefs
        count = as_count(wanted, "n_nonzero_coefs", maximum=atoms.shape[0], maximum_name="the number of atoms")
        self.n_nonzero_coefs_ = count
        return "count", 0.0, np.full(self.n_layers, count, dtype=np.int64), False
