"""Expectation maximisation with annealing: the one loop around every model of causes.

    maximise over the parameters   sum over signals y of   log sum over states s of p(s) p(y | s)

Cold expectation maximisation ends in the nearest local maximum. So the likelihood counts to the power 1 / T at first, with T falling
to one; parameters may be shaken; and signals that are likely to have more active causes than any state are left out.

Luecke and Eggert, "Expectation truncation and the benefits of preselection in training generative models", 2010.
"""

import time
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from ..._parallel import worker_pool
from ..._validation import as_count, as_number
from ...result import Status
from .inference import as_signals, expected_share, keep_signals, local_statistics, setting_for
from .states import Truncation

__all__ = ["Annealing", "CausesProgress", "CausesResult", "fit_causes"]

_COOL = 0.8  # of the annealed iterations: the temperature is down to one
_CUT = 2.0 / 3.0  # of them: all signals are left out that are likely to have too many causes
_FLOOR = 1e-6  # of the mean square of the data: the noise variance is no less
_HALVINGS = 20  # of a step; uphill at its start
_ROUNDING = 1e-11  # relative fall of the evidence that is none


class Annealing(NamedTuple):
    """How the first iterations differ from plain expectation maximisation.

    Parameters
    ----------
    n_iter : int, default=100
        Annealed iterations; 0 for none.
    temperature : float, default=2.0
        Where the temperature starts; it falls linearly to 1 over the first 80 % of these iterations. At least 1.
    noise : float, default=0.0
        Standard deviation of what is added to the components after each iteration, over that of the noise of the model; falls in
        the same way.
    cut : bool, default=True
        Whether signals that are likely to have more active causes than `max_active` are left out, the worst explained first: none
        at first, as many as the prior expects from two thirds of these iterations on, and those of the last of these iterations
        afterwards.

    Examples
    --------
    >>> from sparsecode.solvers.probabilistic import Annealing
    >>> Annealing(100, temperature=5.0).at(0)
    (5.0, 0.0, 0.0)
    """

    n_iter: int = 100
    temperature: float = 2.0
    noise: float = 0.0
    cut: bool = True

    def checked(self):
        """The same, or an error that names what is out of range.

        Returns
        -------
        Annealing
            With plain numbers.
        """
        return Annealing(
            as_count(self.n_iter, "n_annealing", minimum=0),
            as_number(self.temperature, "temperature", minimum=1.0),
            as_number(self.noise, "parameter_noise"),
            bool(self.cut),
        )

    def at(self, iteration):
        """Temperature, noise, and share of the expected cut, at an iteration.

        Parameters
        ----------
        iteration : int
            Iterations done.

        Returns
        -------
        tuple of float
            Temperature, relative noise, and the share of the cut from 0 to 1.
        """
        progress = iteration / self.n_iter if iteration < self.n_iter else 1.0
        left = max(1.0 - progress / _COOL, 0.0)
        cut = min(progress / _CUT, 1.0) if self.cut else 0.0
        return 1.0 + (self.temperature - 1.0) * left, self.noise * left, cut


class CausesProgress(NamedTuple):
    """What the callback of `fit_causes` is given after each iteration: it may return True to stop.

    Attributes
    ----------
    iteration : int
        Iterations done.
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters.
    free_energy : float
        Mean lower bound on the log density of the signals in use, at the temperature.
    certificate : float
        Relative change that one iteration makes.
    seconds : float
        Since the fit began.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, fit_causes
    >>> model = DiscreteCauses(np.eye(2), np.array([0.5]), np.array([1.0]), 0.1)
    >>> fit_causes(np.eye(2), model, callback=lambda progress: progress.iteration == 3).n_iter
    3
    """

    iteration: int
    model: Any
    free_energy: float
    certificate: float
    seconds: float


@dataclass(frozen=True, repr=False)
class CausesResult:
    """A model of causes, and how its fit ended.

    Attributes
    ----------
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters.
    status : Status
        How the fit ended.
    n_iter : int
        Iterations done.
    free_energy : float
        Mean lower bound on the log density of the signals in use under `model`.
    certificate : float
        The relative change that one more iteration makes to `model`, the largest of any kind of parameter.
    certificate_name : str
        What the certificate measures.
    tol : float
        What it was held against.
    history : dict of str to list
        ``"iteration"``, ``"free_energy"``, ``"certificate"``, ``"temperature"``, ``"n_used"`` (signals) and ``"seconds"`` of every
        iteration.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, fit_causes
    >>> result = fit_causes(np.eye(2), DiscreteCauses(np.eye(2), np.array([0.5]), np.array([1.0]), 0.1))
    >>> result.model.components.round(3)
    array([[1., 0.],
           [0., 1.]])
    """

    model: Any
    status: Status
    n_iter: int
    free_energy: float
    certificate: float
    certificate_name: str
    tol: float
    history: dict = field(default_factory=dict)

    def __repr__(self):
        return (
            f"CausesResult({self.status.name}, free_energy={self.free_energy:.6g}, {self.certificate_name}="
            f"{self.certificate:.2e} (tol={self.tol:.1e}), n_iter={self.n_iter})"
        )


def fit_causes(
    X,
    model,
    *,
    truncation=None,
    annealing=None,
    max_iter=300,
    tol=1e-4,
    random_state=None,
    callback=None,
    n_jobs=None,
) -> CausesResult:
    """Fit a model of causes by truncated expectation maximisation.

    The problem is::

        maximise over the parameters   sum over signals y of   log sum over states s of p(s) p(y | s)

    Parameters
    ----------
    X : array of shape (n_signals, n_features)
        Signals, one a row; NaN where an entry is missing.
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        Where to start.
    truncation : Truncation, optional
        The states that are looked at; ``Truncation(H, H)`` for all of them.
    annealing : Annealing, optional
        The first iterations; ``Annealing(0, cut=False)`` for plain expectation maximisation.
    max_iter : int, default=300
        Iterations, the annealed ones included.
    tol : float, default=1e-4
        Relative change of the parameters by one iteration at which the fit ends, after annealing.
    random_state : int, RandomState or None
        For the noise of `annealing`.
    callback : callable, optional
        Called with a `CausesProgress` of the start and after each iteration; return True to stop.
    n_jobs : int, optional
        Threads; the answer has the same bits for any number.

    Returns
    -------
    CausesResult
        The model, its free energy and certificate, and the history.

    Raises
    ------
    ValueError
        If a number is out of range, nothing is observed, or X and the model do not fit together.

    Notes
    -----
    With all states and without annealing the free energy is the log likelihood, and never falls. With a truncation it is a lower
    bound, which may fall a little where signals choose other candidates. `MaximalCauses` has no closed update: with soft shares the
    free energy may fall a little, too; with an infinite `sharpness` (and all states) a step that lowers it is halved until it does
    not, and the fit ends, STALLED, where no such step is left.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import Annealing, DiscreteCauses, fit_causes
    >>> X = np.kron(np.eye(2), np.ones((10, 1))) + 0.1 * np.random.default_rng(0).standard_normal((20, 2))
    >>> start = DiscreteCauses(np.array([[1.0, 0.2], [0.2, 1.0]]), np.array([0.5]), np.array([1.0]), 0.1)
    >>> result = fit_causes(X, start, annealing=Annealing(0))
    >>> result.status.name, np.abs(result.model.components.round(0)).tolist()
    ('CONVERGED', [[1.0, 0.0], [0.0, 1.0]])
    """
    model = model.checked()
    X = as_signals(X, model)
    truncation = Truncation() if truncation is None else truncation
    annealing = (Annealing() if annealing is None else annealing).checked()
    max_iter, tol = as_count(max_iter, "max_iter"), as_number(tol, "tol")
    noise_floor = _FLOOR * mean_square(X)
    random = check_random_state(random_state)
    with worker_pool(n_jobs):
        fit = _Fit(X, model, truncation, annealing, noise_floor, random, n_jobs)
        return fit.run(max_iter, tol, callback)


def mean_square(X):
    """Mean square of what was observed; one if that is zero."""
    total, count = 0.0, 0
    for start in range(0, X.shape[0], 1 << 12):
        block = np.asarray(X[start : start + (1 << 12)], dtype=np.float64)
        with np.errstate(over="ignore", under="ignore"):
            total += float(np.nansum(block * block))
        count += int(np.count_nonzero(~np.isnan(block)))
        if not np.isfinite(total):
            raise ValueError(
                "X contains infinity, or values too large to square; remove them (NaN marks missing entries)."
            )
        if total < 1e-280 and np.nanmax(np.abs(block), initial=0.0) > 0.0:
            raise ValueError(
                f"X has entries of size {np.nanmax(np.abs(block)):.1e}, too small to square; multiply X, the components scale along."
            )
    if count == 0:
        raise ValueError("X has no observed entry: all of them are NaN.")
    return total / count if total > 0 else 1.0


class _Fit:
    """One run of the loop."""

    def __init__(self, X, model, truncation, annealing, noise_floor, random, n_jobs):
        self.X, self.model, self.truncation, self.annealing = X, model, truncation, annealing
        self.noise_floor, self.random, self.n_jobs = noise_floor, random, n_jobs
        self.keep: Any = None  # mask of the signals in use
        self.last: Any = None  # the model before and its evidence, once the temperature is one
        self.history: dict[str, list] = {
            name: [] for name in ("iteration", "free_energy", "certificate", "temperature", "n_used", "seconds")
        }

    def run(self, max_iter, tol, callback):
        """Iterate until one iteration changes the parameters by at most `tol`."""
        began = time.perf_counter()
        status, model = Status.MAX_ITER, self.model
        for iteration in range(max_iter + 1):
            temperature, noise, cut = self.annealing.at(iteration)
            annealed = iteration < self.annealing.n_iter
            if annealed:
                self.keep = self._kept(model, temperature, cut)
            statistics, free_energy = self._expectations(model, temperature)
            if not annealed:
                lower = self._no_lower(model, statistics, free_energy)
                if lower is None:
                    status, iteration = Status.STALLED, iteration - 1  # what was recorded last is the answer
                    model = self.last[0]
                    break
                model, statistics, free_energy = lower
            following = model.updated(statistics, setting_for(model, self.truncation, temperature), self.noise_floor)
            certificate = _relative_change(model, following)
            seconds = time.perf_counter() - began
            row = (iteration, free_energy, certificate, temperature, int(statistics.n_signals), seconds)
            for name, value in zip(self.history, row, strict=True):
                self.history[name].append(value)
            if callback is not None and callback(CausesProgress(iteration, model, free_energy, certificate, seconds)):
                status = Status.INTERRUPTED
                break
            if certificate <= tol and not annealed:
                status = Status.CONVERGED
                break
            if iteration < max_iter:
                self.last = None if annealed else (model, free_energy)
                model = self._shaken(following, noise)
        return CausesResult(
            model=model,
            status=status,
            n_iter=iteration,
            free_energy=self.history["free_energy"][-1],
            certificate=self.history["certificate"][-1],
            certificate_name="relative change by one iteration",
            tol=tol,
            history=self.history,
        )

    def _kept(self, model, temperature, cut):
        """A mask of the signals in use; None for all."""
        setting = setting_for(model, self.truncation, temperature)
        share = 1.0 - (1.0 - expected_share(model, setting)) * cut
        return keep_signals(self.X, model, setting, share, self.n_jobs)

    def _expectations(self, model, temperature):
        """Statistics of the signals in use, and their mean evidence."""
        statistics = local_statistics(
            self.X, model, self.truncation, temperature=temperature, keep=self.keep, n_jobs=self.n_jobs
        )
        return statistics, statistics.log_evidence / statistics.n_signals

    def _no_lower(self, model, statistics, free_energy):
        """Go back by halves from a step that lowered the evidence, where nothing but the step can have done so.

        None if no step is left that does not.
        """
        exact = setting_for(model, self.truncation).max_active == model.components.shape[0]
        if self.last is None or not (model.may_overshoot and exact):
            return model, statistics, free_energy
        last, last_energy = self.last
        for _ in range(_HALVINGS):
            if free_energy >= last_energy - _ROUNDING * abs(last_energy):
                return model, statistics, free_energy
            model = model._replace(components=0.5 * (model.components + last.components))
            statistics, free_energy = self._expectations(model, 1.0)
        return None

    def _shaken(self, model, noise):
        if noise == 0.0:
            return model
        deviation = noise * np.sqrt(model.noise_variance)
        return model.shaken(deviation * self.random.standard_normal(model.components.shape))


def _relative_change(model, following):
    """Largest relative change of any kind of parameter, in norm."""
    largest = 0.0
    for old, new in zip(model.parameters(), following.parameters(), strict=True):
        size = max(float(np.linalg.norm(old)), float(np.linalg.norm(new)))
        if size > 0.0:
            largest = max(largest, float(np.linalg.norm(new - old)) / size)
    return largest
