"""Atoms that do nothing, and signals that take their place.

An atom is useless if no code uses it, or if it is one direction with an atom that is used more. What replaces it is the
signal that is represented worst, as long as no atom has that direction already: no signal is taken twice. A direction is a line,
or with `signed`, where codes must not be negative, a ray.
"""

from __future__ import annotations

import numpy as np

from ..._parallel import single_threaded_blas

__all__ = ["distinct", "fresh_atoms", "likeness", "positive_part", "twins", "unit_rows", "useless_atoms"]

_SAME = 0.99  # cosine from which two atoms are one


def useless_atoms(atoms, usage, signed=False):
    """Indices of atoms that are zero, that nothing uses, or that equal an atom used more, ascending."""
    dead = (usage == 0) | ~np.any(atoms, axis=1)
    dead[twins(atoms, usage, dead, signed)] = True
    return np.flatnonzero(dead)


def twins(atoms, usage, dead, signed=False):
    """Of every two living atoms that are one direction, the one used less."""
    norms = np.linalg.norm(atoms, axis=1)
    units = atoms / np.where(norms > 0, norms, 1.0)[:, None]
    with single_threaded_blas():  # bits must not depend on the machine
        first, second = np.nonzero(np.triu(likeness(units @ units.T, signed) > _SAME, 1))
    gone = dead.copy()
    for i, j in zip(first, second, strict=True):
        if not gone[i] and not gone[j]:
            gone[i if usage[i] < usage[j] else j] = True
    return np.flatnonzero(gone & ~dead)


def fresh_atoms(candidates, useless, atoms, positive, signed=False):
    """Atoms for the places `useless`, at most as many, from the candidates in their order."""
    if len(useless) == 0:
        return np.empty((0, atoms.shape[1]))
    others = np.delete(atoms, useless, axis=0)
    return distinct(unit_rows(positive_part(candidates, positive)), len(useless), others, signed)


def distinct(rows, count, others=None, signed=False):
    """The first `count` unit rows that are not nearly parallel to an earlier one, nor to a row of `others`."""
    kept = np.empty((count, rows.shape[1]))
    if others is not None and others.size and rows.size:
        norms = np.linalg.norm(others, axis=1, keepdims=True)
        with single_threaded_blas():  # bits must not depend on the machine
            near = likeness(rows @ (others / np.where(norms > 0, norms, 1.0)).T, signed)
        rows = rows[np.max(near, axis=1) <= _SAME]
    size = 0
    for row in rows:
        if size == count:
            break
        if size == 0 or np.max(likeness(kept[:size] @ row, signed)) <= _SAME:
            kept[size] = row
            size += 1
    return kept[:size]


def likeness(cosines, signed):
    """How much two atoms are one: the cosine, or its modulus where sign does not count."""
    return cosines if signed else np.abs(cosines)


def positive_part(rows, positive):
    """The rows, without their negative entries if `positive`."""
    return np.maximum(rows, 0.0) if positive else rows


def unit_rows(rows):
    """The rows that are not zero, divided by their norms."""
    rows = rows[np.any(rows != 0, axis=1)]
    rows = rows / np.max(np.abs(rows), axis=1, keepdims=True)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)
