"""Where convolutional dictionary learning starts: the shape of the atoms, and the first of them."""

from __future__ import annotations

from numbers import Integral

import numpy as np

from .._tables import check_array
from .._validation import refuse_lazy
from ..solvers.convolutional.learning import centred_windows

__all__ = ["atom_lengths", "first_atoms"]

_LONGEST = {1: 64, 2: 12}  # of an axis of the atoms by default, and never more than a quarter of the signal's


def atom_lengths(atom_shape, dict_init, signal_shape):
    """Shape of an atom: as given, that of the first atoms, or a quarter of the signal's."""
    if atom_shape is not None:
        lengths = (atom_shape,) if isinstance(atom_shape, Integral) else tuple(atom_shape)
    elif dict_init is not None:
        lengths = np.shape(dict_init)[1:]
    else:
        longest = _LONGEST.get(len(signal_shape), min(_LONGEST.values()))
        lengths = tuple(min(max(1, size // 4), longest) for size in signal_shape)
    whole = all(isinstance(length, Integral) and int(length) >= 1 for length in lengths)
    if not whole or len(lengths) != len(signal_shape) or np.any(np.greater(lengths, signal_shape)):
        raise ValueError(
            f"atom_shape is {lengths}, but a signal of X has shape {signal_shape}: give one length for each of its axes, none "
            "longer than the signal."
        )
    return tuple(int(length) for length in lengths)


def first_atoms(dict_init, n_components, signals, layout, random):
    """Where to start, (n_components, *atom_shape) in float64: atoms that were given, or windows of the signals."""
    if dict_init is None:
        lengths = layout.planes(np.empty((1, *layout.atom_shape), dtype=bool), layout.atom_shape).shape[2:]
        return layout.back(centred_windows(signals, n_components, lengths, random), layout.atom_shape)
    refuse_lazy(dict_init, "dict_init")
    atoms = check_array(dict_init, dtype=np.float64, allow_nd=True, input_name="dict_init")
    if atoms.shape != (n_components, *layout.atom_shape):
        raise ValueError(
            f"dict_init has shape {atoms.shape}, but it must have shape {(n_components, *layout.atom_shape)}: "
            "(n_components, *atom_shape)."
        )
    norms = np.linalg.norm(atoms.reshape(len(atoms), -1), axis=1)
    return atoms / np.maximum(norms, 1.0).reshape(-1, *[1] * len(layout.atom_shape))
