"""Layers of every kind with numbers that are not those of the plain solver."""

import numpy as np

from sparsecode.unrolled._parameters import Parameters

KINDS = {
    f"{rule}-{weights}{'-accelerated' if accelerated else ''}{'-shared' if shared else ''}{'-selected' if selected else ''}": (
        rule, weights, accelerated, shared, selected,
    )
    for rule, weights, accelerated, shared, selected in (
        ("soft", "tied", False, False, False),
        ("soft", "tied", True, False, False),
        ("soft", "tied", False, False, True),
        ("soft", "analytic", False, False, False),
        ("soft", "analytic", True, False, True),
        ("soft", "coupled", False, False, False),
        ("soft", "coupled", True, True, False),
        ("soft", "free", False, False, False),
        ("soft", "free", True, True, True),
        ("hard", "tied", False, False, False),
        ("hard", "tied", True, False, False),
        ("hard", "coupled", False, False, False),
        ("count", "tied", False, False, False),
        ("count", "tied", True, False, False),
        ("count", "analytic", False, False, False),
        ("count", "free", False, False, False),
    )
}  # fmt: skip
ALPHA = 0.15


def problem(seed=0, n=9, d=7, k=13):
    """Atoms (k, d), signals (n, d) and their codes (n, k)."""
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((k, d)) / np.sqrt(d)
    truth = (rng.random((n, k)) < 0.2) * rng.standard_normal((n, k))
    return atoms, truth @ atoms + 0.05 * rng.standard_normal((n, d)), truth


def parameters(kind, atoms, n_layers=4, seed=1, trains_levels=None):
    """Parameters of that kind, away from where training starts."""
    rule, weights, accelerated, shared, selected = KINDS[kind]
    counts = np.zeros(n_layers, dtype=np.int64)
    if rule == "count":
        counts[:] = 3
    elif selected:
        counts[:] = np.minimum(np.arange(n_layers), 2)
    found = Parameters(
        atoms, n_layers=n_layers, rule=rule, weights=weights, shared=shared,
        trains_levels=weights != "tied" if trains_levels is None else trains_levels,
        accelerated=accelerated, alpha=ALPHA, counts=counts,
    )  # fmt: skip
    rng = np.random.default_rng(seed)
    for name, array in found.arrays.items():
        scale = 0.3 if name.startswith("log") else 0.2
        array += (scale * rng.standard_normal(array.shape)).astype(array.dtype)
    return found
