"""How far two rankings agree, most of all at their tops."""

from __future__ import annotations

import numpy as np

from .._array import is_array_api_obj, to_numpy
from .._validation import as_number

__all__ = ["rank_biased_overlap"]


def rank_biased_overlap(reference, ranking, *, persistence=0.9):
    """Rank-biased overlap of two lists of items, best first: 1 for the same order, 0 for lists without a common item.

    It is the mean agreement of the tops of the lists::

        (1 - p) * sum over d >= 1 of  p**(d - 1) * A_d,      A_d = |first d of one  and  first d of the other| / d

    in which the first of them weighs most: a reader who goes from each item to the next with probability p expects to see an
    agreement of that much. Lists are rarely complete: beyond the end of the shorter one its agreement is taken to go on as it was at
    its end, and beyond the end of the longer one that of both. Differences of the deep ranks hardly count.

    Parameters
    ----------
    reference, ranking : sequence of items
        Numbers or names, each of them once, best first; the lists may differ in length and in their items.
    persistence : float, default=0.9
        The probability p, above 0 and below 1: the first ``1 / (1 - p)`` ranks carry most of the weight.

    Returns
    -------
    float
        Between 0 and 1.

    Raises
    ------
    ValueError
        If a list is empty or holds an item twice, or `persistence` is out of range.

    References
    ----------
    Webber, Moffat and Zobel, "A similarity measure for indefinite rankings", 2010 (ACM Transactions on Information Systems 28, 4).

    Examples
    --------
    Two neighbours at the top cost more than two below.

    >>> from sparsecode.metrics import rank_biased_overlap
    >>> rank_biased_overlap("abcd", "abcd"), rank_biased_overlap("abcd", "efgh")
    (1.0, 0.0)
    >>> round(rank_biased_overlap("abcd", "bacd"), 3), round(rank_biased_overlap("abcd", "abdc"), 3)
    (0.9, 0.973)
    """
    persistence = as_number(persistence, "persistence", strict=True, maximum=1.0)
    if persistence == 1.0:
        raise ValueError("persistence must be below 1, so that weights of the ranks have a sum; got 1.")
    reference, ranking = _items(reference, "reference"), _items(ranking, "ranking")
    short, long = sorted((reference, ranking), key=len)
    hits = _common(short, long)
    depth, end = np.arange(1, len(long) + 1), len(short)
    rate = hits[end - 1] / end
    agreement = (hits + rate * np.maximum(depth - end, 0)) / depth
    powers = persistence ** (depth - 1.0)
    value = (1.0 - persistence) * np.sum(powers * agreement) + persistence ** len(long) * agreement[-1]
    return float(min(value, 1.0))


def _common(short, long):
    """Items that the first d of both lists share, for every d up to the length of the longer one."""
    one, other, hits = set(), set(), np.empty(len(long))
    count = 0
    for d, item in enumerate(long):
        other.add(item)
        count += item in one
        if d < len(short):
            one.add(short[d])
            count += short[d] in other
        hits[d] = count
    return hits


def _items(values, name):
    """A list of what can be compared, none of it twice."""
    items = to_numpy(values).ravel().tolist() if is_array_api_obj(values) else list(values)
    if not items:
        raise ValueError(f"{name} is empty; a ranking needs at least one item.")
    if len(set(items)) < len(items):
        twice = next(item for item in items if items.count(item) > 1)
        raise ValueError(f"{name} holds {twice!r} more than once; a ranking names every item once.")
    return items
