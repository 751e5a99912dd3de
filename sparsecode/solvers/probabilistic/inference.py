"""What any model of causes says of signals: sufficient statistics, posteriors, evidence.

A model is a NamedTuple of its parameters with the methods `statistics`, `updated`, `codes` and `render`; see `DiscreteCauses`.
"""

from typing import Any, NamedTuple

import numpy as np

from ..._validation import as_number
from .blocks import map_signals, read_block, sum_over_signals
from .states import StateTable, Truncation, count_law, state_table

__all__ = [
    "Posterior",
    "Setting",
    "as_signals",
    "keep_signals",
    "local_statistics",
    "posterior",
    "setting_for",
    "update_causes",
]


class Setting(NamedTuple):
    """What an expectation step is told beside the model."""

    n_candidates: int
    max_active: int
    table: StateTable
    temperature: float = 1.0


class Posterior(NamedTuple):
    """What a model says about the causes of signals.

    Attributes
    ----------
    mean : array of shape (n_signals, H)
        Posterior means of the causes (times their amplitudes, where they have some).
    likeliest : array of shape (n_signals, H)
        The likeliest state of those looked at, with its mean amplitudes.
    inclusion : array of shape (n_signals, H)
        Probability that a cause is active.
    reconstruction : array of shape (n_signals, n_features)
        Posterior mean of the signals without noise, missing entries included.
    log_evidence : array of shape (n_signals,)
        Logarithm of the density of the observed entries; a lower bound where the truncation leaves states out.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, posterior
    >>> found = posterior(np.array([[0.6]]), DiscreteCauses(np.eye(1), np.array([0.5]), np.array([1.0]), 0.1))
    >>> found.likeliest, found.inclusion.round(3)
    (array([[1.]]), array([[0.731]]))
    """

    mean: Any
    likeliest: Any
    inclusion: Any
    reconstruction: Any
    log_evidence: Any


def setting_for(model, truncation=None, temperature=1.0) -> Setting:
    """The truncation as it applies to a model, with its table of states."""
    truncation = Truncation() if truncation is None else truncation
    truncation = truncation.within(model.components.shape[0], model.n_values)
    table = state_table(*truncation, model.n_values)
    temperature = as_number(temperature, "temperature", minimum=1.0)
    return Setting(truncation.n_candidates, truncation.max_active, table, temperature)


def as_signals(X, model):
    """X as rows as wide as the atoms of the model, infinities refused."""
    X = np.asarray(X)
    if X.ndim != 2 or X.shape[0] == 0 or X.shape[1] != model.components.shape[1]:
        raise ValueError(
            f"X has shape {X.shape}, but the atoms of {type(model).__name__} have length {model.components.shape[1]}: X must have "
            "one signal a row, as wide as the atoms, and at least one row."
        )
    if X.dtype.kind not in "fiub":
        raise ValueError(f"X has dtype {X.dtype}; it must hold real numbers, NaN where an entry is missing.")
    return X


def local_statistics(X, model, truncation=None, *, temperature=1.0, keep=None, n_jobs=None):
    """Expectation step: what some signals say about the parameters of a model of their causes.

    Statistics of several sets of signals add up (`add_statistics`), wherever they were computed; `update_causes` makes the next
    model from the sum.

    Parameters
    ----------
    X : array of shape (n_signals, n_features)
        Signals, one a row; NaN where an entry is missing.
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters.
    truncation : Truncation, optional
        The states that are looked at.
    temperature : float, default=1.0
        The likelihood counts to the power of one over it; at least 1.
    keep : bool array of shape (n_signals,), optional
        Signals that are learned from; all by default.
    n_jobs : int, optional
        Threads; the statistics have the same bits for any number.

    Returns
    -------
    DiscreteStatistics, MaximalStatistics or SpikeSlabStatistics
        A picklable tuple of sums over the signals.

    Raises
    ------
    ValueError
        If the width of X is not that of the atoms, X holds infinities, or the truncation makes too many states.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, local_statistics
    >>> model = DiscreteCauses(np.eye(2), np.array([0.5]), np.array([1.0]), 0.01)
    >>> statistics = local_statistics(np.array([[1.0, 0.0], [1.0, 1.0]]), model)
    >>> statistics.counts.round(6)
    array([3.])
    """
    model = model.checked()
    X = as_signals(X, model)
    setting = setting_for(model, truncation, temperature)
    weight = np.ones(X.shape[0]) if keep is None else np.asarray(keep, dtype=np.float64)

    def of_block(start, stop):
        return model.statistics(_checked_block(X, start, stop), setting, weight[start:stop])

    return sum_over_signals(of_block, X.shape[0], n_jobs)


def update_causes(model, statistics, truncation=None, *, temperature=1.0, noise_floor=0.0):
    """Maximisation step: the model whose parameters fit the statistics best.

    Parameters
    ----------
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters of the expectation step.
    statistics : DiscreteStatistics, MaximalStatistics or SpikeSlabStatistics
        From `local_statistics`, or sums of such.
    truncation : Truncation, optional
        The states that were looked at.
    temperature : float, default=1.0
        As in the expectation step.
    noise_floor : float, default=0.0
        The noise variance is no less.

    Returns
    -------
    DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The next model, of the kind of `model`.

    Raises
    ------
    ValueError
        If the statistics are of no signal.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, local_statistics, update_causes
    >>> model = DiscreteCauses(np.eye(2), np.array([0.5]), np.array([1.0]), 0.01)
    >>> X = np.array([[1.1, 0.0], [1.1, 1.1]])
    >>> update_causes(model, local_statistics(X, model)).components.round(3)
    array([[1.1, 0. ],
           [0. , 1.1]])
    """
    if not statistics.n_observed > 0:
        raise ValueError("statistics are of no observed entry; an update needs signals.")
    return model.updated(statistics, setting_for(model, truncation, temperature), noise_floor)


def posterior(X, model, truncation=None, *, n_jobs=None) -> Posterior:
    """Posterior of the causes of each signal.

    Parameters
    ----------
    X : array of shape (n_signals, n_features)
        Signals, one a row; NaN where an entry is missing.
    model : DiscreteCauses, MaximalCauses or SpikeSlabCauses
        The parameters.
    truncation : Truncation, optional
        The states that are looked at.
    n_jobs : int, optional
        Threads; the answer has the same bits for any number.

    Returns
    -------
    Posterior
        Means, likeliest states, inclusion probabilities, reconstructions, and the evidence of each signal.

    Raises
    ------
    ValueError
        If the width of X is not that of the atoms, X holds infinities, or the truncation makes too many states.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.probabilistic import DiscreteCauses, posterior
    >>> model = DiscreteCauses(np.array([[1.0, 2.0]]), np.array([0.5]), np.array([1.0]), 0.01)
    >>> posterior(np.array([[1.0, np.nan]]), model).reconstruction.round(3)
    array([[1., 2.]])
    """
    model = model.checked()
    X = as_signals(X, model)
    setting = setting_for(model, truncation)
    parts = map_signals(lambda start, stop: model.codes(_checked_block(X, start, stop), setting), X.shape[0], n_jobs)
    return Posterior(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))


def keep_signals(X, model, setting, share, n_jobs=None):
    """The given share of the signals that the model explains best, as a mask.

    Signals with more active causes than any state has are explained badly; without them the others say more of the noise.
    """
    n_kept = int(np.ceil(share * X.shape[0] - 1e-9))
    if n_kept >= X.shape[0]:
        return None

    def fit_of(start, stop):
        block = _checked_block(X, start, stop)
        evidence = model.expectations(block, setting, np.zeros(stop - start))[0]
        expected = -0.5 * block.n_observed * (np.log(2.0 * np.pi * model.noise_variance) + 1.0) / setting.temperature
        return (evidence - expected) / np.sqrt(np.maximum(block.n_observed, 1.0))

    fits = np.concatenate(map_signals(fit_of, X.shape[0], n_jobs))
    keep = np.zeros(X.shape[0], dtype=bool)
    keep[np.argsort(-fits, kind="stable")[: max(n_kept, 1)]] = True
    return keep


def expected_share(model, setting):
    """The share of signals that have no more active causes than the states."""
    return count_law(model.activity, model.components.shape[0], setting.max_active)[0]


def _checked_block(X, start, stop):
    block = read_block(X, start, stop)
    if not np.all(np.isfinite(block.sq_norms)):
        raise ValueError(
            f"X contains infinity, or values too large to square, in rows {start} to {stop - 1}; remove them (NaN marks missing "
            "entries), or scale X."
        )
    return block
