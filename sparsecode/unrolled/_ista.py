"""UnrolledISTA and UnrolledFISTA: iterations of shrinkage as layers with learned steps, thresholds and matrices."""

from __future__ import annotations

from numbers import Real

import numpy as np
from sklearn.utils._param_validation import Interval, StrOptions

from ._base import UnrolledTransformer

__all__ = ["UnrolledFISTA", "UnrolledISTA"]


class UnrolledISTA(UnrolledTransformer):
    """Iterations of ISTA as layers, whose steps, thresholds and matrices are learned from signals.

    For each signal x (a row of X), with the dictionary D of one atom a row and shrinkage by theta::

        c_0 = 0,     c_k+1 = shrink(c_k - gamma_k (c_k D - x) W_k'; theta_k),     k = 0 .. n_layers - 1

    ``fit(X)`` minimises the mean over signals of the problem's own objective, ``1/2 ||x - c D||^2 + alpha ||c||_1`` at the last layer; ``fit(X,
    codes)`` the mean squared distance to given codes. Trained without codes the layers reach the minimum in far fewer iterations than ISTA;
    with codes they come nearer to them than the minimum is, and do not minimise the objective. Derivatives are in closed form and cost what the
    codes have of entries; nothing but NumPy and Numba is needed. Layers are trained one after another, then all together.

    Parameters
    ----------
    dictionary : {"dct", "dct2"} or array of shape (n_components, n_features), default="dct"
        The atoms, as in `SparseCoder`.
    n_layers : int, default=16
        How many layers.
    alpha : float, optional
        Strength of the l1 norm, in the units of a correlation ``x D'``; by default a tenth of the median, over signals that are not zero, of
        the strength at which a code is.
    weights : {"tied", "analytic", "coupled", "free"}, default="tied"
        The filters W_k. "tied": the dictionary itself, so that only steps (and thresholds) are learned and a layer is an iteration of ISTA.
        "analytic": the filters of least coherence with the atoms, computed (ALISTA); again only steps and thresholds are learned. "coupled":
        learned, starting from the dictionary (LISTA-CP). "free": layers ``shrink(c_k M_k + x W_k'; theta_k)`` with M_k learned too (LISTA); they forget
        the dictionary they started from.
    thresholds : {"auto", "tied", "learned"}, default="auto"
        "tied": ``theta_k = gamma_k alpha``, as the objective asks; "learned": numbers of their own. "auto" ties them for ``weights="tied"`` alone.
    share_weights : bool, default=False
        Whether all layers share one learned matrix.
    support_selection : tuple of two float, optional
        ``(growth, most)``: the largest ``min(growth (k + 1), most)`` of all entries, as a share of the atoms, pass layer k unshrunk if they are above
        the threshold; for supervised training, such as ``(0.012, 0.13)``.
    n_components : int, optional
        Atoms of a built dictionary, as in `SparseCoder`.
    learning_rate : float, default=0.02
        Length of Adam's steps, in the logarithm of steps and thresholds; matrices move slower. It falls to a third and a tenth in the end.
    batch_size : int, default=256
        Signals of a training step.
    steps_per_layer : int, default=100
        Training steps after each new layer but the last; 0 trains all from the start, which runs away where layers are many.
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
        File in which `fit` keeps where it stands at every look, and from which it goes on if the file is there: with the same bits as a run that
        was never cut. Only `max_iter`, `tol`, `n_iter_no_change`, `callback`, `n_jobs` and the form of the codes may then differ. Remove the
        file to begin anew.
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
        The strength that was used.
    steps_, thresholds_ : ndarray of shape (n_layers,)
        gamma_k and theta_k; steps are 1 for free weights, which contain them.
    filters_ : ndarray of shape (1 or n_layers, n_components, n_features)
        W_k; one where all layers share it.
    mixing_ : ndarray of shape (1 or n_layers, n_components, n_components)
        M_k; only for free weights.
    loss_ : {"objective", "codes"}
        What was minimised.
    validation_loss_ : float
        Mean loss of the signals held out, over that of codes that are zero; with codes that is the normalised mean squared error.
    certificate_, median_certificate_ : float
        Largest and median relative duality gap of the codes of the training signals (of the first 4096), in float64. A fixed number of layers promises
        none: it says how far the codes are from minimisers.
    status_ : Status
        How training ended: CONVERGED where the loss of held-out signals stopped falling.
    n_iter_ : int
        Training steps.
    history_ : dict of str to list
        ``"step"``, ``"depth"``, ``"rate"``, ``"loss"`` and ``"seconds"`` of every look.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, X is a dask collection, thresholds are tied that free weights do not have, or the checkpoint is of
        other data, parameters or another version: then nothing is changed.

    Warns
    -----
    ConvergenceWarning
        If the loss still fell after `max_iter` steps, if training did harm (a `learning_rate` far too large leaves the layers worse than
        zero codes, or than they began; the status is then DIVERGED), or if all codes are zero and the signals are not.

    See Also
    --------
    UnrolledFISTA : The same with learned momenta.
    UnrolledIHT : Hard thresholds.
    SparseCoder : Codes that are minimisers, at the cost of as many iterations as they take.

    References
    ----------
    Gregor and LeCun, "Learning fast approximations of sparse coding", 2010.
    Chen, Liu, Wang and Yin, "Theoretical linear convergence of unfolded ISTA and its practical weights and thresholds", 2018 (arXiv 1808.10038).
    Liu, Chen, Wang and Yin, "ALISTA: analytic weights are as good as learned weights in LISTA", 2019.
    Nagahisa, Hayakawa and Iiguni, "Comparison between supervised and unsupervised learning in deep unfolded sparse signal recovery", 2025
    (arXiv 2509.01331).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import UnrolledISTA
    >>> rng = np.random.default_rng(0)
    >>> D = rng.standard_normal((20, 10)) / np.sqrt(10)
    >>> codes = rng.standard_normal((500, 20)) * (rng.random((500, 20)) < 0.1)
    >>> model = UnrolledISTA(D, n_layers=4, alpha=0.1, random_state=0).fit(codes @ D)
    >>> model.loss_, model.transform(codes[:3] @ D).shape
    ('objective', (3, 20))
    >>> steps = model.steps_ * np.linalg.norm(D, 2) ** 2
    >>> bool(steps.max() > 2)  # beyond what ISTA may do
    True
    """

    _parameter_constraints: dict = {
        **UnrolledTransformer._parameter_constraints,
        "thresholds": [StrOptions({"auto", "tied", "learned"})],
        "support_selection": [tuple, list, None],
    }

    def __init__(
        self,
        dictionary="dct",
        *,
        n_layers=16,
        alpha=None,
        weights="tied",
        thresholds="auto",
        share_weights=False,
        support_selection=None,
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
        self.alpha = alpha
        self.weights = weights
        self.thresholds = thresholds
        self.share_weights = share_weights
        self.support_selection = support_selection
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
        if self.thresholds == "tied" and self.weights == "free":
            raise ValueError("thresholds='tied' has no meaning for weights='free', which have no steps; use 'learned'.")
        tied = self.thresholds == "tied" or (self.thresholds == "auto" and self.weights == "tied")
        alpha = self._default_alpha(atoms, X) if self.alpha is None else float(self.alpha)
        return "soft", alpha, _unshrunk(self.support_selection, self.n_layers, atoms.shape[0]), not tied


def _unshrunk(selection, n_layers, n_atoms):
    """How many entries each layer leaves as they are."""
    if selection is None:
        return np.zeros(n_layers, dtype=np.int64)
    share = Interval(Real, 0, 1, closed="both")
    if len(selection) != 2 or not all(isinstance(part, Real) and part in share for part in selection):
        raise ValueError(
            f"support_selection must be None or two shares from 0 to 1, (growth, most), such as (0.012, 0.13); got {selection!r}."
        )
    growth, most = selection
    return np.floor(np.minimum(growth * np.arange(1, n_layers + 1), most) * n_atoms).astype(np.int64)


class UnrolledFISTA(UnrolledISTA):
    """Iterations of FISTA as layers, whose steps, momenta, thresholds and matrices are learned from signals.

    For each signal x (a row of X), with the dictionary D of one atom a row and shrinkage by theta::

        z_k = c_k + beta_k (c_k - c_k-1),     c_k+1 = shrink(z_k - gamma_k (z_k D - x) W_k'; theta_k),     c_0 = 0

    Momenta start as those of FISTA and are learned with the rest; everything else is as in `UnrolledISTA`.

    Parameters
    ----------
    dictionary, n_layers, alpha, weights, thresholds, share_weights, support_selection, n_components
        As for `UnrolledISTA`.
    learning_rate, batch_size, steps_per_layer, max_iter, tol, n_iter_no_change, validation_fraction
        As for `UnrolledISTA`.
    warm_start, checkpoint, random_state, callback, sparse_output, n_jobs
        As for `UnrolledISTA`.

    Attributes
    ----------
    momenta_ : ndarray of shape (n_layers,)
        beta_k; that of the first layer does nothing.
    components_, alpha_, steps_, thresholds_, filters_, mixing_, loss_, validation_loss_
        As for `UnrolledISTA`.
    certificate_, median_certificate_, status_, n_iter_, history_, n_features_in_, feature_names_in_
        As for `UnrolledISTA`.

    See Also
    --------
    UnrolledISTA : Without momenta.

    References
    ----------
    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009.
    Gregor and LeCun, "Learning fast approximations of sparse coding", 2010.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import UnrolledFISTA
    >>> X = np.random.default_rng(0).standard_normal((100, 6))
    >>> model = UnrolledFISTA(n_layers=3, random_state=0).fit(X)
    >>> model.momenta_.shape, model.transform(X[:2]).shape
    ((3,), (2, 12))
    """

    _accelerated = True
