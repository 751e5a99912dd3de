"""Planted features for learned coders: sparse, of unequal frequency, nested in parents and correlated in groups."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import ndtri
from sklearn.utils import Bunch

from .._validation import as_count, as_flag, as_number
from ._random import as_generator, noise_at

__all__ = ["make_planted_features"]

_MOST_FREQUENT = 0.5  # a feature that is on more often is a mean, not a feature


class _Plan(NamedTuple):
    """Who is whose child, who belongs together, and how often each root fires."""

    parents: np.ndarray  # (n_components,), -1 for roots
    groups: np.ndarray  # (n_components,), -1 for those on their own
    roots: np.ndarray  # indices of those without a parent
    frequencies: np.ndarray  # (n_components,)
    child_rate: float
    correlation: float


def make_planted_features(
    n_samples,
    n_features,
    n_components,
    *,
    n_active=4.0,
    n_parents=0,
    n_children=4,
    child_rate=0.75,
    parent_cosine=0.0,
    zipf=0.0,
    group_size=1,
    correlation=0.5,
    signed=False,
    magnitudes=(0.5, 1.5),
    snr_db=None,
    dtype=np.float64,
    random_state=None,
):
    """Draw signals that are sums of a few planted features: ``data = code @ dictionary + noise``, everything labelled.

    Features come as roots, on or off by themselves, and as children, of which a parent that is on turns on one at most. The
    frequency of the root of rank r is proportional to ``r ** -zipf``, as far as one half; groups of roots are on together
    more often than independent ones, and each still as often as its frequency says. A signal may have no feature at all.

    Parameters
    ----------
    n_samples : int
        Number of signals, the rows of `data`.
    n_features : int
        Length of a signal and of a feature.
    n_components : int
        Number of planted features, the rows of `dictionary`: directions of norm one, independent except for children.
    n_active : float, default=4.0
        Mean number of features of a signal, children included.
    n_parents : int, default=0
        How many roots have children. They come first in the order of the features, then all their children, then the other roots.
    n_children : int, default=4
        Children of a parent, which exclude each other.
    child_rate : float, default=0.75
        Probability that a parent that is on has one of its children on, each as likely.
    parent_cosine : float, default=0.0
        Cosine of a child with its parent, in (-1, 1).
    zipf : float, default=0.0
        Exponent of the frequencies of the roots, whose ranks are drawn; 0 for equal ones, 1 for those of words.
    group_size : int, default=1
        Roots in a correlated group; 1 for none.
    correlation : float, default=0.5
        Of the normal variables within a group whose signs say what is on, in [0, 1).
    signed : bool, default=False
        Whether a feature may enter with a minus, as likely as with a plus.
    magnitudes : tuple of float, default=(0.5, 1.5)
        Smallest and largest modulus of an active feature, uniform between them.
    snr_db : float, optional
        Signal-to-noise ratio of each signal in decibels; no noise by default.
    dtype : {float32, float64}, default=float64
        Precision.
    random_state : int, sequence of int, Generator, RandomState or None
        What to draw from.

    Returns
    -------
    Bunch
        `data` (n_samples, n_features), `dictionary` (n_components, n_features), `code` (n_samples, n_components), `noise`
        (n_samples, n_features); integers `parents` and `groups` (n_components,), -1 where there is none; and
        `frequencies` (n_components,): the probability that a feature is on.

    Raises
    ------
    ValueError
        If a number is out of range, the families need more features than there are, or the roots cannot fire often enough.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.datasets import make_planted_features
    >>> planted = make_planted_features(500, 16, 40, n_parents=5, n_children=3, zipf=1.0, random_state=0)
    >>> bool(np.allclose(planted.code @ planted.dictionary, planted.data))
    True
    >>> child = 7
    >>> parent = planted.parents[child]
    >>> bool(np.all(planted.code[planted.code[:, child] != 0, parent] != 0))
    True
    """
    n_samples, n_features = as_count(n_samples, "n_samples"), as_count(n_features, "n_features")
    parent_cosine = as_number(parent_cosine, "parent_cosine", minimum=-1.0, strict=True, maximum=1.0 - 1e-12)
    signed = as_flag(signed, "signed")
    lowest, highest = _range(magnitudes)
    rng = as_generator(random_state)
    plan = _plan(n_components, n_active, (n_parents, n_children, child_rate), zipf, (group_size, correlation), rng)
    dictionary = _directions(plan, n_features, parent_cosine, rng)
    on = _activity(plan, n_samples, rng)
    values = rng.uniform(lowest, highest, on.shape)
    if signed:
        values *= rng.choice([-1.0, 1.0], on.shape)
    code = np.where(on, values, 0.0)
    clean = code @ dictionary
    noise = noise_at(clean, snr_db, rng, axis=1)
    fields = {"data": clean + noise, "dictionary": dictionary, "code": code, "noise": noise}
    return Bunch(
        **{name: array.astype(dtype) for name, array in fields.items()},
        parents=plan.parents,
        groups=plan.groups,
        frequencies=plan.frequencies,
    )


def _plan(n_components, n_active, family, zipf, group, rng):
    n_components = as_count(n_components, "n_components")
    n_parents, n_children = as_count(family[0], "n_parents", minimum=0), as_count(family[1], "n_children")
    child_rate = as_number(family[2], "child_rate", maximum=1.0)
    group_size = as_count(group[0], "group_size")
    correlation = as_number(group[1], "correlation", maximum=1.0 - 1e-12)
    if n_parents * (1 + n_children) > n_components:
        raise ValueError(
            f"n_parents={n_parents} with n_children={n_children} each are {n_parents * (1 + n_children)} features, but "
            f"n_components is {n_components}."
        )
    parents = np.full(n_components, -1)
    children = np.arange(n_parents, n_parents * (1 + n_children))
    parents[children] = np.repeat(np.arange(n_parents), n_children)
    roots = np.flatnonzero(parents < 0)
    groups = np.full(n_components, -1)
    if group_size > 1:
        groups[rng.permutation(roots)] = np.arange(roots.size) // group_size
    frequencies = np.zeros(n_components)
    brood = np.where(roots < n_parents, 1.0 + child_rate, 1.0)  # features that come with a root
    ranks = 1.0 + rng.permutation(roots.size)
    n_active = as_number(n_active, "n_active", strict=True)
    frequencies[roots] = _frequencies(ranks, as_number(zipf, "zipf"), brood, n_active)
    frequencies[children] = frequencies[parents[children]] * child_rate / n_children
    return _Plan(parents, groups, roots, frequencies, child_rate, correlation)


def _frequencies(ranks, zipf, brood, n_active):
    """Frequencies in proportion to ``ranks ** -zipf`` up to one half, which add up to `n_active` features of a signal."""
    most = _MOST_FREQUENT * brood.sum()
    if n_active > most:
        raise ValueError(
            f"n_active is {n_active:g}, but with no feature on in more than half of the signals these have at most {most:g}; "
            "lower it, or plant more features."
        )
    order = np.argsort(ranks)
    for n_capped in range(ranks.size):
        others = order[n_capped:]
        shares = (ranks[others[0]] / ranks[others]) ** zipf  # of the first that may be below the bound
        scale = (n_active - _MOST_FREQUENT * brood[order[:n_capped]].sum()) / (shares @ brood[others])
        if scale <= _MOST_FREQUENT:
            break
    frequencies = np.full(ranks.size, _MOST_FREQUENT)
    frequencies[others] = np.minimum(scale * shares, _MOST_FREQUENT)
    return frequencies


def _directions(plan, n_features, parent_cosine, rng):
    """Unit rows; those of children have the given cosine with the row of their parent."""
    rows = rng.standard_normal((plan.parents.size, n_features))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    children = np.flatnonzero(plan.parents >= 0)
    if children.size == 0:
        return rows
    if n_features < 2:
        raise ValueError(f"n_features is {n_features}; children that differ from their parent need at least 2.")
    above = rows[plan.parents[children]]
    aside = rows[children] - np.sum(rows[children] * above, axis=1, keepdims=True) * above
    aside /= np.linalg.norm(aside, axis=1, keepdims=True)
    rows[children] = parent_cosine * above + np.sqrt(1.0 - parent_cosine**2) * aside
    return rows


def _activity(plan, n_samples, rng):
    """Which features are on, (n_samples, n_components)."""
    on = np.zeros((n_samples, plan.parents.size), dtype=bool)
    levels = rng.standard_normal((n_samples, plan.roots.size))
    groups = plan.groups[plan.roots]
    if np.any(groups >= 0):  # a normal variable that its group shares; each keeps variance one
        shared = rng.standard_normal((n_samples, groups.max() + 1))[:, groups]
        levels = np.sqrt(plan.correlation) * shared + np.sqrt(1.0 - plan.correlation) * levels
    on[:, plan.roots] = levels < ndtri(plan.frequencies[plan.roots])
    n_parents = plan.parents.max() + 1
    if n_parents:
        n_children = np.count_nonzero(plan.parents == 0)
        chosen = rng.integers(0, n_children, (n_samples, n_parents))
        rows, parents = np.nonzero(on[:, :n_parents] & (rng.random((n_samples, n_parents)) < plan.child_rate))
        on[rows, n_parents + parents * n_children + chosen[rows, parents]] = True
    return on


def _range(magnitudes):
    if np.shape(magnitudes) != (2,):
        raise ValueError(f"magnitudes is {magnitudes!r}; it must be (smallest, largest).")
    lowest = as_number(magnitudes[0], "magnitudes[0]", strict=True)
    return lowest, as_number(magnitudes[1], "magnitudes[1]", minimum=lowest)
