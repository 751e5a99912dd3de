"""Phase transitions: how often a solver recovers, over a grid of undersampling and sparsity.

    delta = n_samples / n_features        rho = n_nonzero / n_samples

Every trial can be repeated on its own: trial t of a cell is
``make_sparse_recovery(..., random_state=[seed, round(100 delta), round(100 rho), t])``.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from joblib import Parallel, delayed
from scipy.special import ndtr
from sklearn.exceptions import ConvergenceWarning

from .._array import to_numpy
from .._parallel import single_threaded_blas
from .._validation import as_count, as_number
from ..datasets import make_sparse_recovery

__all__ = ["PhaseTransitionResult", "l1_weak_threshold", "phase_transition"]


@dataclass(frozen=True)
class PhaseTransitionResult:
    """Errors of every trial on a grid of problems, and what follows from them.

    Attributes
    ----------
    deltas : array of shape (n_deltas,)
        Undersampling, ``n_samples / n_features``.
    rhos : array of shape (n_rhos,)
        Sparsity, ``n_nonzero / n_samples``.
    errors : array of shape (n_deltas, n_rhos, n_trials)
        Relative errors ``||coef - truth|| / ||truth||``; infinite where the answer is not finite.
    n_features : int
        Number of features.
    tol : float
        Relative error up to which a trial counts as a success.
    seed : int
        First word of every trial's random state.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.metrics import PhaseTransitionResult
    >>> errors = np.array([[[0.0, 1e-9], [0.0, 0.7], [0.9, 0.8]]])
    >>> result = PhaseTransitionResult(np.array([0.5]), np.array([0.1, 0.3, 0.5]), errors, 400, 1e-3, 0)
    >>> result.success_rates
    array([[1. , 0.5, 0. ]])
    """

    deltas: np.ndarray
    rhos: np.ndarray
    errors: np.ndarray
    n_features: int
    tol: float
    seed: int

    @property
    def success_rates(self):
        """Share of successful trials, (n_deltas, n_rhos)."""
        return np.mean(self.errors <= self.tol, axis=2)

    def contour(self, level=0.5):
        """The rho at which the success rate falls to `level`, by logistic regression on rho for each delta.

        Parameters
        ----------
        level : float, default=0.5
            Success rate, between 0 and 1.

        Returns
        -------
        array of shape (n_deltas,)
            NaN where the rate does not fall through the level: the transition lies outside the grid.
        """
        level = as_number(level, "level", strict=True, maximum=1.0)
        if level == 1.0:
            raise ValueError("level must lie strictly between 0 and 1; got 1.")
        return np.array([_crossing(self.rhos, rates, self.errors.shape[2], level) for rates in self.success_rates])

    def __repr__(self):
        n_deltas, n_rhos, n_trials = self.errors.shape
        return (
            f"PhaseTransitionResult({n_deltas} x {n_rhos} cells, {n_trials} trials each, n_features={self.n_features}, "
            f"mean success rate {self.success_rates.mean():.2f})"
        )


def phase_transition(
    solver,
    *,
    deltas,
    rhos,
    n_features=400,
    n_trials=20,
    ensemble="gaussian",
    coef="gaussian",
    snr_db=None,
    tol=1e-3,
    n_jobs=None,
    random_state=None,
    callback=None,
):
    """Success rates of a solver over a grid of undersampling and sparsity, in parallel.

    Parameters
    ----------
    solver : callable
        Called as ``solver(design, target, n_nonzero)``; returns the coefficients or a `SolveResult`.
    deltas : array-like of shape (n_deltas,)
        Undersampling ratios ``n_samples / n_features``, in (0, 1].
    rhos : array-like of shape (n_rhos,)
        Sparsity ratios ``n_nonzero / n_samples``, in (0, 1].
    n_features : int, default=400
        Number of features; samples and non-zeros are rounded, to at least one.
    n_trials : int, default=20
        Problems in a cell. The standard error of a rate is at most ``0.5 / sqrt(n_trials)``.
    ensemble, coef, snr_db
        What is planted: see `make_sparse_recovery`.
    tol : float, default=1e-3
        Relative error up to which a trial counts as a success.
    n_jobs : int, optional
        Processes (joblib's convention; None for one unless a joblib context says otherwise). The answer does not depend
        on it.
    random_state : int, optional
        Seed of all trials; drawn afresh if None.
    callback : callable, optional
        Called as ``callback(n_done, n_cells)`` after each cell.

    Returns
    -------
    PhaseTransitionResult
        Errors of all trials, success rates, and the contour of success rate 0.5.

    Raises
    ------
    ValueError
        If a ratio is not in (0, 1], or the solver returns coefficients of another shape.

    Notes
    -----
    A solve that misses its tolerance is data here, not a mishap: its ConvergenceWarning is not shown.

    References
    ----------
    Donoho and Tanner, "Observed universality of phase transitions in high-dimensional geometry", 2009, arXiv 0906.2530.

    Examples
    --------
    >>> from sparsecode import iht
    >>> from sparsecode.metrics import phase_transition
    >>> result = phase_transition(iht, deltas=[0.5], rhos=[0.05, 0.9], n_features=60, n_trials=4, random_state=0)
    >>> result.success_rates
    array([[1., 0.]])
    """
    deltas, rhos = _ratios(deltas, "deltas"), _ratios(rhos, "rhos")
    n_features, n_trials = as_count(n_features, "n_features"), as_count(n_trials, "n_trials")
    tol = as_number(tol, "tol")
    if random_state is None:
        random_state = int(np.random.SeedSequence().generate_state(1)[0])
    seed = as_count(random_state, "random_state", minimum=0)
    law = {"ensemble": ensemble, "coef": coef, "snr_db": snr_db}
    cells = [(row, column) for row in range(deltas.size) for column in range(rhos.size)]
    tasks = (
        delayed(_cell)(solver, cell, float(deltas[cell[0]]), float(rhos[cell[1]]), n_features, n_trials, seed, law)
        for cell in cells
    )
    errors = np.empty((deltas.size, rhos.size, n_trials))
    with single_threaded_blas():
        finished = Parallel(n_jobs=n_jobs, return_as="generator_unordered")(tasks)
        for n_done, (cell, cell_errors) in enumerate(finished, start=1):
            errors[cell] = cell_errors
            if callback is not None:
                callback(n_done, len(cells))
    return PhaseTransitionResult(deltas, rhos, errors, n_features, tol, seed)


def l1_weak_threshold(delta):
    """Sparsity up to which l1 minimisation recovers typical supports in large Gaussian systems.

    ``rho(delta) = max_z (1 - 2 h(z) / delta) / (1 + z^2 - 2 h(z))`` with ``h(z) = (1 + z^2) Phi(-z) - z phi(z)``, the
    weak threshold of Donoho and Tanner in the form found by approximate message passing.

    Parameters
    ----------
    delta : float or array
        Undersampling ratios, in (0, 1].

    Returns
    -------
    float or array of the same shape
        The critical ``n_nonzero / n_samples``.

    Raises
    ------
    ValueError
        If a ratio is not in (0, 1].

    References
    ----------
    Donoho, Maleki and Montanari, "Message-passing algorithms for compressed sensing", 2009, arXiv 0907.3574.

    Examples
    --------
    >>> from sparsecode.metrics import l1_weak_threshold
    >>> round(l1_weak_threshold(0.5), 3)
    0.386
    """
    ratios = _ratios(np.ravel(delta), "delta")
    z = np.linspace(1e-4, 8.0, 4001)
    tail = (1.0 + z**2) * ndtr(-z) - z * np.exp(-0.5 * z**2) / np.sqrt(2.0 * np.pi)
    rho = (1.0 - 2.0 * tail / ratios[:, None]) / (1.0 + z**2 - 2.0 * tail)
    best = rho.max(axis=1).reshape(np.shape(delta))
    return float(best) if best.ndim == 0 else best


def _cell(solver, cell, delta, rho, n_features, n_trials, seed, law):
    """Relative errors of one cell's trials."""
    n_samples = max(1, round(delta * n_features))
    n_nonzero = max(1, round(rho * n_samples))
    errors = np.full(n_trials, np.inf)
    for trial in range(n_trials):
        state = [seed, round(100 * delta), round(100 * rho), trial]
        problem = make_sparse_recovery(n_samples, n_features, n_nonzero, **law, random_state=state)
        with warnings.catch_warnings(), single_threaded_blas():
            warnings.simplefilter("ignore", ConvergenceWarning)
            answer = solver(problem.design, problem.target, n_nonzero)
        coef = to_numpy(getattr(answer, "coef", answer))
        if coef.shape != problem.coef.shape:
            raise ValueError(
                f"solver returned coefficients of shape {coef.shape}; the problem has {problem.coef.shape}."
            )
        error = np.linalg.norm(coef - problem.coef) / np.linalg.norm(problem.coef)
        errors[trial] = error if np.isfinite(error) else np.inf
    return cell, errors


def _ratios(values, name):
    ratios = np.atleast_1d(np.asarray(values, dtype=np.float64))
    if ratios.ndim != 1 or ratios.size == 0 or not np.all((ratios > 0) & (ratios <= 1)):
        raise ValueError(f"{name} must be a list of numbers in (0, 1]; got {values!r}.")
    return ratios


def _crossing(rhos, rates, n_trials, level):
    """Where the success probability fitted by logistic regression passes `level`; NaN if it never does."""
    from sklearn.linear_model import LogisticRegression

    if np.all(rates == 1.0) or np.all(rates == 0.0):
        return np.nan
    middle, spread = rhos.mean(), max(np.ptp(rhos), np.finfo(float).tiny)
    position = np.tile((rhos - middle) / spread, 2)[:, None]
    outcome = np.repeat([1, 0], rhos.size)
    counts = n_trials * np.concatenate([rates, 1.0 - rates])
    # rates that jump from one to zero have no finite slope: the mild penalty picks the middle of the jump
    model = LogisticRegression(C=1e4, tol=1e-8, max_iter=1_000).fit(position, outcome, sample_weight=counts)
    slope = model.coef_[0, 0]
    if slope >= 0:
        return np.nan
    return float(middle + spread * (np.log(level / (1.0 - level)) - model.intercept_[0]) / slope)
