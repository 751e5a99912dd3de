"""ProbabilisticSparseCoding: hidden causes with a prior, learned by truncated expectation maximisation."""

from __future__ import annotations

from numbers import Integral, Real

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils._param_validation import Interval, StrOptions

from .._estimators import all_or_nothing
from .._parallel import worker_pool
from .._warnings import warn
from ..result import Status
from ..solvers.probabilistic.start import MODELS
from ._causes_transform import CausesTransformer
from ._first_causes import best_fit
from ._learning_loop import ended
from ._transform import rows_dtype

__all__ = ["ProbabilisticSparseCoding"]


class ProbabilisticSparseCoding(CausesTransformer):
    """Learn hidden causes of signals, how often they are active, and the noise, by maximum likelihood.

    Each row y of X is explained by H causes s that are rarely active; W holds one component a row::

        "binary"               y = s W + noise,                    s_h in {0, 1}
        "ternary"              the same,                           s_h in {-1, 0, 1}, both signs equally likely
        "discrete"             the same,                           s_h in {0, values}
        "maximal"              y_d = max_h s_h W_hd + noise,       s_h in {0, 1}, W >= 0
        "maximum_magnitude"    y_d = the s_h W_hd of largest modulus + noise
        "spike_slab"           y = (s * z) W + noise,              s_h in {0, 1}, z ~ N(slab mean, slab covariance)

    Causes are active independently of each other, each with the same probability, and noise is N(0, noise_variance). Maximised is::

        sum over rows y of   log sum over states s of p(s) p(y | s)

    by expectation maximisation over the states with at most `max_active` active causes out of the `n_candidates` that suit the row
    best. Missing entries (NaN) are left out of all sums, and of what is learned from them.

    Parameters
    ----------
    n_components : int, optional
        Number of causes H; by default the number of features.
    model : {"binary", "ternary", "discrete", "maximal", "maximum_magnitude", "spike_slab"}, default="binary"
        How causes make signals.
    values : array-like of shape (n_values,), optional
        Values of an active cause, for "discrete"; (1, 2) by default.
    learn_values : bool, default=False
        Whether "discrete" learns the values too, up to their scale, which is that of the components: the largest stays.
    slab_covariance : {"diagonal", "full"}, default="diagonal"
        What "spike_slab" learns of the covariance of the amplitudes.
    n_candidates : int, default=8
        Causes that may be active together in a row. States number about ``comb(n_candidates, max_active)`` times the number of
        values to the power of `max_active`.
    max_active : int, default=4
        Largest number of active causes. With both numbers at least `n_components` all states are looked at: exact, for few causes.
    n_annealing : int, default=80
        Iterations whose likelihood counts to the power of one over a temperature, which falls to 1.
    temperature : float, optional
        Where it starts; by default 5 for "binary" and 6 for "discrete" (less in proportion for fewer than 25 features), 4 for
        "ternary", 2 for the others. At least 1.
    parameter_noise : float, default=0.0
        Noise added to the components while annealing, over that of the data as learned so far.
    cut_data : bool, default=True
        Whether `fit` leaves out the worst explained rows, as many as the prior expects to have more than `max_active` active causes:
        without it they make the noise and the probabilities too large. Which they are is settled while annealing, and without
        that none is left out.
    max_iter : int, default=300
        Iterations, the annealed ones included.
    tol : float or None, default=1e-4
        `fit` ends when an iteration changes the parameters by no more than this (see ``certificate_``). None: all iterations, and no
        warning.
    dict_init : array of shape (n_components, n_features), optional
        Where the components start; by default at random rows of X.
    n_init : int, default=4
        Fits from different random rows, of which the one that explains all rows best (`score`) is kept; one where `dict_init` is given. Annealing
        avoids most local maxima, but not all.
    replace_dead : bool, default=True
        Whether causes that the best of these fits finds active less than half as often as the others begin anew, as what the rows
        explained worst have in common beyond the others; and, where causes have both signs, whether of two that are mostly active
        together one becomes their sum, with the signs that they have then: V + W and W explain V too, and few rows show V - W, which
        they cannot. Either is kept if it explains all rows better.
    code : {"mean", "map"}, default="mean"
        What `transform` returns: posterior means, or the likeliest state.
    random_state : int, RandomState or None, default=None
        For the first components and the noise on them. The answer has the same bits for any `n_jobs`.
    callback : callable, optional
        Called with a `CausesProgress` after each iteration; return True to stop.
    sparse_output : bool, default=False
        Whether `transform` returns a CSR matrix.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows.

    Attributes
    ----------
    components_ : ndarray of shape (n_components, n_features)
        One cause a row, in the precision of X; of norm one for "spike_slab".
    values_ : ndarray of shape (n_values,)
        Values of an active cause ([1] where it has none of its own).
    prior_ : ndarray of shape (n_values,)
        Probability of each of them; what is left of one is the probability that a cause is not active.
    noise_variance_ : float
        Variance of the noise of an entry; never below a millionth of the mean square of X.
    slab_mean_ : ndarray of shape (n_components,)
        Means of the amplitudes, for "spike_slab".
    slab_covariance_ : ndarray of shape (n_components, n_components)
        Their covariance, for "spike_slab".
    model_ : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        All parameters in double precision, for the functions of `sparsecode.solvers.probabilistic`.
    n_iter_ : int
        Iterations of the fit that was kept; those before causes were replaced do not count.
    free_energy_ : float
        Mean lower bound on the log density of the rows that `fit` used.
    certificate_ : float
        Relative change that one more iteration makes to the parameters, the largest of any kind of them. It proves a fixed point,
        **not** that no other has a higher likelihood.
    status_ : Status
        How `fit` ended: CONVERGED where the certificate meets `tol`, or all iterations were made without one.
    history_ : dict of str to list
        ``"iteration"``, ``"free_energy"``, ``"certificate"``, ``"temperature"``, ``"n_used"`` and ``"seconds"`` of each iteration.
        While annealing, the free energy is that at the temperature.
    n_features_in_ : int
        Width of X.
    feature_names_in_ : ndarray of shape (n_features,)
        Names of the features of X, where it has any.

    Raises
    ------
    ValueError
        If a parameter is given that the model does not use, shapes disagree, the truncation makes too many states, nothing is
        observed, or X is a dask collection.

    See Also
    --------
    DictionaryLearning : Atoms without a prior, much faster for large data.

    Notes
    -----
    A row without observed entries has the prior as its posterior. The sums that an iteration needs are public, add up over rows, and
    can be pickled: `local_statistics`, `add_statistics` and `update_causes` in `sparsecode.solvers.probabilistic`.

    References
    ----------
    Luecke and Eggert, "Expectation truncation and the benefits of preselection in training generative models", 2010.

    Luecke and Sahani, "Maximal causes for non-linear component extraction", 2008.

    Sheikh, Shelton and Luecke, "A truncated EM approach for spike-and-slab sparse coding", 2014 (arXiv 1211.3589).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import ProbabilisticSparseCoding
    >>> random = np.random.default_rng(0)
    >>> states = random.random((200, 2)) < 0.4
    >>> X = states @ np.array([[3.0, 3.0, 0.0], [0.0, 3.0, 3.0]]) + 0.1 * random.standard_normal((200, 3))
    >>> learner = ProbabilisticSparseCoding(2, random_state=0).fit(X)
    >>> learner.components_[np.argsort(learner.components_[:, 0])].round(0) + 0.0
    array([[0., 3., 3.],
           [3., 3., 0.]])
    >>> learner.reconstruct(np.array([[3.0, np.nan, 0.0]])).round(0)
    array([[3., 3., 0.]])
    """

    _parameter_constraints: dict = {
        "n_components": [Interval(Integral, 1, None, closed="left"), None],
        "model": [StrOptions(set(MODELS))],
        "values": ["array-like", None],
        "learn_values": ["boolean"],
        "slab_covariance": [StrOptions({"diagonal", "full"})],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "max_active": [Interval(Integral, 1, None, closed="left")],
        "n_annealing": [Interval(Integral, 0, None, closed="left")],
        "temperature": [Interval(Real, 1, None, closed="left"), None],
        "parameter_noise": [Interval(Real, 0, None, closed="left")],
        "cut_data": ["boolean"],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left"), None],
        "dict_init": ["array-like", None],
        "n_init": [Interval(Integral, 1, None, closed="left")],
        "replace_dead": ["boolean"],
        "code": [StrOptions({"mean", "map"})],
        "random_state": ["random_state"],
        "callback": [callable, None],
        "sparse_output": ["boolean"],
        "n_jobs": [Integral, None],
    }

    def __init__(
        self,
        n_components=None,
        *,
        model="binary",
        values=None,
        learn_values=False,
        slab_covariance="diagonal",
        n_candidates=8,
        max_active=4,
        n_annealing=80,
        temperature=None,
        parameter_noise=0.0,
        cut_data=True,
        max_iter=300,
        tol=1e-4,
        dict_init=None,
        n_init=4,
        replace_dead=True,
        code="mean",
        random_state=None,
        callback=None,
        sparse_output=False,
        n_jobs=None,
    ):
        self.n_components = n_components
        self.model = model
        self.values = values
        self.learn_values = learn_values
        self.slab_covariance = slab_covariance
        self.n_candidates = n_candidates
        self.max_active = max_active
        self.n_annealing = n_annealing
        self.temperature = temperature
        self.parameter_noise = parameter_noise
        self.cut_data = cut_data
        self.max_iter = max_iter
        self.tol = tol
        self.dict_init = dict_init
        self.n_init = n_init
        self.replace_dead = replace_dead
        self.code = code
        self.random_state = random_state
        self.callback = callback
        self.sparse_output = sparse_output
        self.n_jobs = n_jobs

    def fit(self, X, y=None):
        """Learn the causes of the rows of X.

        Parameters
        ----------
        X : array of shape (n_samples, n_features)
            Real signals, one a row; NaN where an entry is missing. A memory-map is read block by block.
        y : None
            Ignored.

        Returns
        -------
        self
            The fitted estimator.
        """
        self._validate_params()
        with all_or_nothing(self), worker_pool(self.n_jobs):
            X = self._signals(X, reset=True)
            result = best_fit(self, X)
            self._store(X, result)
        if self.status_ is Status.MAX_ITER:
            warn(
                f"relative change by one iteration {self.certificate_:.3e} after {self.n_iter_} iterations, tolerance {self.tol:.1e}: raise "
                "max_iter above n_annealing, loosen tol, or pass tol=None if the number of iterations is what you want.",
                ConvergenceWarning,
            )
        return self

    def _store(self, X, result):
        model = result.model
        self.model_ = model
        self.components_ = model.components.astype(rows_dtype(X))
        self.values_ = np.array(getattr(model, "values", [1.0]), dtype=float)
        self.prior_ = np.array(getattr(model, "probabilities", [model.activity]), dtype=float)
        self.noise_variance_ = float(model.noise_variance)
        for name in ("slab_mean_", "slab_covariance_"):
            self.__dict__.pop(name, None)  # of an earlier fit of another model
        if self.model == "spike_slab":
            self.slab_mean_, self.slab_covariance_ = model.mean, model.covariance
        self.n_iter_, self.status_, self.history_ = result.n_iter, ended(result.status, self.tol), result.history
        self.free_energy_, self.certificate_ = result.free_energy, result.certificate
