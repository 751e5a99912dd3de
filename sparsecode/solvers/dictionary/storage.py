"""What a dictionary and column-sparse codes take to store, and how large they may be."""

from __future__ import annotations

import math
from typing import NamedTuple

from ..._validation import as_count, as_number
from ..._warnings import warn

__all__ = ["Storage", "sizes_within", "storage_of"]


class Storage(NamedTuple):
    """What a compressed weight takes, in bits.

    Attributes
    ----------
    dictionary : int
        The dense dictionary.
    values : int
        The entries of the codes.
    positions : int
        Where they stand.
    layout : {"bitmask", "indices", "dense"}
        How that is written, whichever is shorter: one bit for each atom and column, or one number for each entry; codes without
        zeros need neither.
    dense : int
        The weight as it was.
    rank : int
        The largest rank of a truncated singular value decomposition that takes no more.

    Examples
    --------
    >>> from sparsecode.solvers.dictionary import storage_of
    >>> storage = storage_of((128, 384), n_atoms=64, n_nonzero=32, bits=16)
    >>> storage.total, storage.layout, round(storage.rate, 2), storage.rank
    (352256, 'bitmask', 0.55, 43)
    """

    dictionary: int
    values: int
    positions: int
    layout: str
    dense: int
    rank: int

    @property
    def total(self):
        """All of it."""
        return self.dictionary + self.values + self.positions

    @property
    def rate(self):
        """Share of the weight's bits that is saved."""
        return (self.dense - self.total) / self.dense


def storage_of(shape, n_atoms, n_nonzero, bits=16) -> Storage:
    """Bits of a dictionary of `n_atoms` and codes of `n_nonzero` entries a column for a weight of a shape.

    Parameters
    ----------
    shape : tuple of int
        (m, n) of the weight.
    n_atoms : int
        Columns of the dictionary.
    n_nonzero : int
        Entries of a column of the codes.
    bits : int, default=16
        Of a number.

    Returns
    -------
    Storage
        The parts and their sum.

    Examples
    --------
    >>> from sparsecode.solvers.dictionary import storage_of
    >>> storage_of((100, 200), n_atoms=50, n_nonzero=2).layout
    'indices'
    """
    m, n = shape
    mask, numbers = n_atoms * n, n_nonzero * n * math.ceil(math.log2(n_atoms))
    dictionary, values, positions = bits * m * n_atoms, bits * n_nonzero * n, min(mask, numbers)
    layout = "bitmask" if mask <= numbers else "indices"
    if n_nonzero >= n_atoms:
        positions, layout = 0, "dense"
    rank = (dictionary + values + positions) // (bits * (m + n))
    return Storage(dictionary, values, positions, layout, bits * m * n, min(rank, m, n))


def sizes_within(shape, n_atoms, n_nonzero, rate, ratio, bits):
    """K and s, as given or as the rate allows."""
    rate, ratio = as_number(rate, "rate", maximum=1.0), as_number(ratio, "ratio", minimum=1.0)
    m, n = shape
    if n_nonzero is not None:
        n_nonzero = min(as_count(n_nonzero, "n_nonzero"), m, n)
    if n_atoms is None:
        candidates = range(n_nonzero or 1, n + 1)
        fitting = [K for K in candidates if storage_of(shape, K, n_nonzero or _share(K, ratio, m), bits).rate >= rate]
        if not fitting:
            warn(
                f"no dictionary saves {rate:.0%} of a weight of shape {shape} with these settings; the smallest one is used, and "
                "its storage says what it takes.",
                RuntimeWarning,
            )
        n_atoms = max(fitting, default=candidates[0])
    else:
        n_atoms = as_count(n_atoms, "n_atoms", maximum=n, maximum_name="the number of columns of the weight")
    if n_nonzero is None:
        return n_atoms, _share(n_atoms, ratio, m)
    return n_atoms, min(n_nonzero, n_atoms)


def _share(n_atoms, ratio, m):
    return max(1, min(int(n_atoms / ratio), m))
