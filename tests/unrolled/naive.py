"""Unrolled layers from their definition, one signal and one layer at a time."""

import numpy as np


def naive_codes(layers, signal):
    """c_0 .. c_n of one signal, in float64."""
    atoms = np.asarray(layers.atoms, dtype=float)
    codes = [np.zeros(len(atoms))]
    for k in range(layers.depth):
        point = codes[-1]
        if layers.accelerated and k:
            point = point + layers.momenta[k] * (codes[-1] - codes[-2])
        filters = np.asarray(layers.filters[k if len(layers.filters) > 1 else 0], dtype=float)
        if layers.mixing:
            mixing = np.asarray(layers.mixing[k if len(layers.mixing) > 1 else 0], dtype=float)
            moved = point @ mixing + filters @ signal
        else:
            moved = point - layers.steps[k] * (filters @ (point @ atoms - signal))
        codes.append(naive_threshold(moved, layers.rule, layers.levels[k], int(layers.counts[k])))
    return codes


def naive_threshold(moved, rule, level, count):
    """eta by sorting; of equal sizes the first comes first."""
    order = sorted(range(len(moved)), key=lambda j: (-abs(moved[j]), j))
    out = np.zeros(len(moved))
    for place, j in enumerate(order):
        if rule == "count":
            out[j] = moved[j] if place < count else 0.0
        elif abs(moved[j]) > level:
            spared = rule == "hard" or place < count
            out[j] = moved[j] if spared else moved[j] - np.copysign(level, moved[j])
    return out


def naive_loss(layers, signals, truth, alpha):
    """The loss, summed over signals."""
    total = 0.0
    for s, signal in enumerate(np.asarray(signals, dtype=float)):
        code = naive_codes(layers, signal)[-1]
        if truth is not None:
            total += np.sum((code - truth[s]) ** 2)
            continue
        total += 0.5 * np.sum((signal - code @ layers.atoms) ** 2)
        if layers.rule != "count":
            total += alpha * (np.abs(code).sum() if layers.rule == "soft" else np.count_nonzero(code))
    return total
