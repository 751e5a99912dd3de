"""K-SVD: each atom, together with the codes that use it, fits what the other atoms leave of its signals.

    minimise over ||d|| = 1 and g    1/2 ||E - g d^T||^2 + l1 ||g||_1 + ridge/2 ||g||^2

with E = R + g d^T on the signals that use the atom, for one atom after another; the residual R = X - Z D follows in place. No
step raises the objective. Without a penalty and without constraints the minimiser is the leading singular pair of E; with
them, or where one step is enough, atom and codes are minimised in turn, each exactly:

    d = E^T g / ||E^T g||            (its positive part, for atoms that must not be negative)
    g = soft(E d, l1) / (1 + ridge)  (zero where negative, for codes that must not be negative)

Aharon, Elad and Bruckstein, "K-SVD: an algorithm for designing overcomplete dictionaries", 2006; "K-SVD and its non-negative
variant for dictionary design", 2005. Rubinstein, Zibulevsky and Elad, "Efficient implementation of the K-SVD algorithm using batch
orthogonal matching pursuit", 2008 (the single step).
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["rank_one_updates"]

_MOST_STEPS = 100  # of the alternation
_STILL = 1e-24  # squared move of the atom that ends it
_MOST_POWERS, _STEADY = 60, 1e-28  # of the power method, likewise


@kernel
def _atom_step(block, code, atom, new, positive):
    """The unit atom that fits best with the codes held; returns its squared move. Where nothing pulls it, it stays."""
    size, n_features = block.shape
    largest = 0.0
    for i in range(size):
        largest = max(largest, abs(code[i]))
    if not largest > 0.0:
        return 0.0
    for f in range(n_features):
        new[f] = 0.0
    for i in range(size):
        weight = code[i] / largest
        if weight != 0.0:
            for f in range(n_features):
                new[f] += weight * block[i, f]
    total = 0.0
    for f in range(n_features):
        if positive and new[f] < 0.0:
            new[f] = 0.0
        total += new[f] * new[f]
    if not total > 0.0:
        return 0.0
    scale, moved = 1.0 / np.sqrt(total), 0.0
    for f in range(n_features):
        value = scale * new[f]
        moved += (value - atom[f]) ** 2
        atom[f] = value
    return moved


@kernel
def _code_step(block, code, atom, l1, ridge, positive):
    """The codes that fit best with the unit atom held."""
    size, n_features = block.shape
    for i in range(size):
        total = 0.0
        for f in range(n_features):
            total += block[i, f] * atom[f]
        if total > l1:
            code[i] = (total - l1) / (1.0 + ridge)
        elif total < -l1 and not positive:
            code[i] = (total + l1) / (1.0 + ridge)
        else:
            code[i] = 0.0


@kernel
def _leading_vector(gram, vector):
    """Leading eigenvector of a Gram matrix, in place of a guess: the power method, which is done soon from a good one.

    What it ends at is the leading one if its eigenvalue is more than half of the trace; otherwise LAPACK decides.
    """
    size = vector.shape[0]
    new, trace, value = np.empty(size), 0.0, 0.0
    for i in range(size):
        trace += gram[i, i]
    for _ in range(_MOST_POWERS):
        total = 0.0
        for i in range(size):
            product = 0.0
            for m in range(size):
                product += gram[i, m] * vector[m]
            new[i] = product
            total += product * product
        if not total > 0.0:
            break
        value = np.sqrt(total)
        moved = 0.0
        for i in range(size):
            product = new[i] / value
            moved += (product - vector[i]) ** 2
            vector[i] = product
        if moved <= _STEADY:
            if 2.0 * value > trace:
                return
            break
    if trace > 0.0:
        _, vectors = np.linalg.eigh(gram)
        for i in range(size):
            vector[i] = vectors[i, size - 1]


@kernel
def _leading_atom(block, atom, new):
    """The leading right singular vector, on the side of the atom as it was; from the smaller of the two Gram matrices."""
    size, n_features = block.shape
    if size >= n_features:
        for f in range(n_features):
            new[f] = atom[f]
        _leading_vector(np.dot(block.T, block), new)
    else:
        left = np.dot(block, atom)
        total = 0.0
        for i in range(size):
            total += left[i] * left[i]
        for i in range(size):
            left[i] = left[i] / np.sqrt(total) if total > 0.0 else 1.0
        _leading_vector(np.dot(block, block.T), left)
        for f in range(n_features):
            new[f] = 0.0
        for i in range(size):
            for f in range(n_features):
                new[f] += left[i] * block[i, f]
    total = with_old = 0.0
    for f in range(n_features):
        total += new[f] * new[f]
        with_old += new[f] * atom[f]
    if not total > 0.0:
        return
    scale = (1.0 if with_old >= 0.0 else -1.0) / np.sqrt(total)
    for f in range(n_features):
        atom[f] = scale * new[f]


@kernel
def rank_one_updates(
    atoms, residual, starts, rows, entries, values, l1, ridge, exact, positive_code, positive_dict, block, code, new
):
    """Update every atom that is used, and its codes, in place.

    Parameters
    ----------
    atoms : float64 array of shape (K, d)
        Unit atoms.
    residual : float64 array of shape (n, d)
        ``X - Z D``.
    starts, rows, entries : integer arrays of shapes (K + 1,), (m,) and (m,)
        Atom j is used by the signals ``rows[starts[j]:starts[j + 1]]``, with the codes at ``entries`` of the same places.
    values : float64 array of shape (m,)
        The codes.
    l1, ridge : float
        Strengths of the penalty.
    exact : bool
        Whether the two steps are repeated until the atom stays (or replaced by the singular pair), or done once.
    positive_code, positive_dict : bool
        Constraints.
    block, code, new : float64 arrays of shapes (largest use, d), (largest use,) and (d,)
        Workspaces.
    """
    n_atoms, n_features = atoms.shape
    free = l1 == 0.0 and ridge == 0.0 and not positive_code and not positive_dict
    for j in range(n_atoms):
        first, size = starts[j], starts[j + 1] - starts[j]
        if size == 0:
            continue
        atom, errors, own = atoms[j], block[:size], code[:size]
        largest = 0.0
        for i in range(size):
            row, value = rows[first + i], values[entries[first + i]]
            own[i] = value
            for f in range(n_features):
                errors[i, f] = residual[row, f] + value * atom[f]
                largest = max(largest, abs(errors[i, f]))
        if exact and free:
            if largest > 0.0:
                for i in range(size):
                    for f in range(n_features):
                        errors[i, f] /= largest  # squares stay in range
                _leading_atom(errors, atom, new)
                for i in range(size):
                    for f in range(n_features):
                        errors[i, f] *= largest
            _code_step(errors, own, atom, l1, ridge, positive_code)
        else:
            for _ in range(_MOST_STEPS if exact else 1):
                moved = _atom_step(errors, own, atom, new, positive_dict)
                _code_step(errors, own, atom, l1, ridge, positive_code)
                if moved <= _STILL:
                    break
        for i in range(size):
            row, value = rows[first + i], own[i]
            values[entries[first + i]] = value
            for f in range(n_features):
                residual[row, f] = errors[i, f] - value * atom[f]
