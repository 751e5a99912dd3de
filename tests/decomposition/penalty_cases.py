"""What the tests of coders by penalties share: penalties of every kind, a problem, and the descent as it is defined."""

import numpy as np
import pytest

from sparsecode import (
    CEL0,
    L0,
    L1,
    MCP,
    SCAD,
    SLOPE,
    Box,
    CappedL1,
    GroupL1,
    L1Ridge,
    LogSum,
    Lq,
    SparseCoder,
    SparseEnvelope,
)

CONVEX = [L1(0.3), L1(0.3, positive=True), L1Ridge(0.4, l1_ratio=0.6), Box(0.0, 0.5)]
CONCAVE = [
    MCP(0.4, gamma=1.7),
    MCP(0.4, gamma=0.3),
    SCAD(0.4),
    LogSum(0.2, epsilon=0.5),
    CappedL1(0.4, cap=0.6),
    CEL0(0.2),
    L0(0.2),
    L0(0.2, positive=True),
    Lq(0.3),
    Lq(0.3, q=2 / 3, positive=True),
    Lq(0.3, q=0.3),
]
PRICES = tuple(np.linspace(1.0, 0.2, 16).tolist())
JOINED = [SparseEnvelope(0.3, 3), SLOPE(0.3, PRICES), GroupL1(0.3, groups=2)]  # of 16 atoms


def each(penalties):
    return pytest.mark.parametrize("penalty", penalties, ids=[repr(penalty) for penalty in penalties])


def problem(n_atoms=40, n_features=16, n_signals=50, seed=0, norms=None):
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    signals = rng.standard_normal((n_signals, n_features))
    return (atoms if norms is None else atoms * rng.uniform(*norms, (n_atoms, 1))), signals


def coder(atoms, penalty, **options):
    return SparseCoder(atoms, algorithm="penalty", penalty=penalty, **options)


def as_regression(atoms, signals):
    """Design and target whose squared loss over the number of samples is that of the codes."""
    root = np.sqrt(atoms.shape[1])
    return root * atoms.T, root * signals


def naive_objective(atoms, signal, code, penalty):
    return 0.5 * np.sum((signal - code @ atoms) ** 2) + float(penalty.value(code))


def naive_minimisers(atoms, signal, code, penalty):
    """Where each coefficient would go, the others held."""
    curvature = np.sum(atoms**2, axis=1)
    return penalty.prox(code + atoms @ (signal - code @ atoms) / curvature, 1.0 / curvature), curvature


def naive_descent(atoms, signal, penalty, tol):
    """The longest move first, then sweeps over the support until it is settled ten times better, ten at most."""
    code, still = np.zeros(len(atoms)), tol * np.max(np.abs(atoms @ signal))
    while True:
        best, curvature = naive_minimisers(atoms, signal, code, penalty)
        if np.max(curvature * np.abs(best - code)) <= still:
            return code
        chosen = np.argmax(curvature * (best - code) ** 2)
        enough = max(still, 0.1 * curvature[chosen] * abs(best[chosen] - code[chosen]))
        code[chosen] = best[chosen]
        support = np.flatnonzero(code)
        for _ in range(10):
            worst = 0.0
            for j in support:
                best, curvature = naive_minimisers(atoms, signal, code, penalty)
                worst, code[j] = max(worst, curvature[j] * abs(best[j] - code[j])), best[j]
            if worst <= enough:
                break
