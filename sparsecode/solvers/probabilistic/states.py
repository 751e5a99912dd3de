"""Which states of the causes an expectation step looks at, and how likely the prior finds so few active causes.

Of H causes, H' candidates are chosen for each signal by a cheap score. The states are: no cause, one cause (any of the H), and
all states with at most `max_active` causes, all of them candidates:

    1 + H K + sum over g = 2 .. max_active of C(H', g) K^g        states, for K values of an active cause

With H' = H = max_active these are all (K + 1)^H states, and the expectation step is exact.

Luecke and Eggert, "Expectation truncation and the benefits of preselection in training generative models", 2010.
"""

from functools import lru_cache
from math import comb
from typing import Any, NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.special import gammaln, logsumexp

from ..._validation import as_count

__all__ = ["StateTable", "Truncation", "active_probability", "count_law", "state_table"]

_MOST_STATES = 1 << 18
_LEAST = 1e-6  # probability of an active cause: at zero it could never grow again


class Truncation(NamedTuple):
    """How many candidates each signal has, and how many of them may be active at once.

    Parameters
    ----------
    n_candidates : int, default=8
        Causes H' that may be active together, chosen anew for each signal; no more are used than there are causes.
    max_active : int, default=4
        Largest number of active causes; at most `n_candidates`.

    Examples
    --------
    >>> from sparsecode.solvers.probabilistic import Truncation
    >>> Truncation(8, 4).n_states(n_causes=20, n_values=1)
    175
    """

    n_candidates: int = 8
    max_active: int = 4

    def within(self, n_causes, n_values=1):
        """The same for so many causes, or an error if there would be too many states.

        Parameters
        ----------
        n_causes : int
            Number of causes H.
        n_values : int, default=1
            Values K of an active cause.

        Returns
        -------
        Truncation
            With both numbers at most `n_causes`.
        """
        n_candidates = as_count(self.n_candidates, "n_candidates")
        max_active = as_count(self.max_active, "max_active")
        if max_active > n_candidates:
            raise ValueError(
                f"max_active={max_active} causes cannot be active among n_candidates={n_candidates}; raise n_candidates or lower "
                "max_active."
            )
        fitting = Truncation(min(n_candidates, n_causes), min(max_active, n_causes))
        count = fitting.n_states(n_causes, n_values)
        if count > _MOST_STATES:
            raise ValueError(
                f"n_candidates={n_candidates} and max_active={max_active} make {count} states for each signal; lower one of them "
                f"until there are at most {_MOST_STATES}."
            )
        return fitting

    def n_states(self, n_causes, n_values=1):
        """How many states are summed over for each signal.

        Parameters
        ----------
        n_causes : int
            Number of causes H.
        n_values : int, default=1
            Values K of an active cause.

        Returns
        -------
        int
            The number, the state without causes included.
        """
        several = (comb(self.n_candidates, g) * n_values**g for g in range(2, self.max_active + 1))
        return 1 + n_causes * n_values + sum(several)


class StateTable(NamedTuple):
    """States with one or more active candidates; each adds one cause to an earlier one."""

    parent: Any  # (n_states,) row of the state without its last cause; -1 for none
    unit: Any  # (n_states,) place of that cause among the candidates, larger than those of its parents
    value: Any  # (n_states,) index of its value
    depth: Any  # (n_states,) number of active causes


@lru_cache(maxsize=16)
def state_table(n_candidates, max_active, n_values) -> StateTable:
    """All states with 1 to `max_active` active candidates, depth first: a parent stands before its children."""
    rows: list[tuple[int, int, int, int]] = []

    def extend(parent, first, depth):
        for unit in range(first, n_candidates):
            for value in range(n_values):
                rows.append((parent, unit, value, depth))
                if depth < max_active:
                    extend(len(rows) - 1, unit + 1, depth + 1)

    extend(-1, 0, 1)
    columns = np.array(rows, dtype=np.int64).reshape(-1, 4).T
    return StateTable(*(np.ascontiguousarray(column) for column in columns))


def count_law(probability, n_causes, max_active):
    """Of independent causes: the probability that at most `max_active` are active, and their mean number if so."""
    if max_active >= n_causes:
        return 1.0, n_causes * probability
    counts = np.arange(max_active + 1)
    log_law = gammaln(n_causes + 1) - gammaln(counts + 1) - gammaln(n_causes - counts + 1)
    log_law = log_law + counts * np.log(probability) + (n_causes - counts) * np.log1p(-probability)
    log_mass = logsumexp(log_law)
    return float(np.exp(log_mass)), float(np.exp(log_law - log_mass) @ counts)


def active_probability(mean_count, n_causes, max_active):
    """The probability of an active cause at which the prior, cut off after `max_active` causes, expects that many.

    It maximises the likelihood of the counts under the cut-off prior; without a cut it is ``mean_count / n_causes``. At most
    ``max_active / n_causes``: beyond, most signals of the prior would have more causes than any state.
    """
    if max_active >= n_causes:
        return float(np.clip(mean_count / n_causes, _LEAST, 1.0 - _LEAST))
    most = max_active / n_causes
    if mean_count >= count_law(most, n_causes, max_active)[1]:
        return most
    if mean_count <= count_law(_LEAST, n_causes, max_active)[1]:
        return _LEAST
    return float(brentq(lambda p: count_law(p, n_causes, max_active)[1] - mean_count, _LEAST, most, xtol=1e-14))
