"""What learned layers reach: tables of two plantings, as `python -m benchmarks.unrolled_quality` prints them.

* ``deep``: 75 x 150, codes of rate 0.08, noise of variance 1e-3, 20 layers: steps trained with codes and without, for l1 and l0, against the
  plain iterations and where those converge (Nagahisa, Hayakawa and Iiguni, 2025, arXiv 2509.01331).
* ``coupled``: 250 x 500, codes of rate 0.1, no noise, 16 layers: learned matrices against ISTA after 16 iterations, and the objective of learned
  steps against 100 iterations of ISTA.
* ``analytic``: 75 x 150 of unit norm, noise of 0.01, 16 layers: filters that are the atoms, computed ones, and those with support selection.
* ``proximal``: the prox learned from two million Laplace numbers, against the soft threshold on [-3, 3].
"""

from __future__ import annotations

import sys
import time

import numpy as np

from sparsecode import LearnedProximalNetwork, SparseCoder, UnrolledIHT, UnrolledISTA
from sparsecode.solvers.coordinate.batch import batch_lasso


def planted(shape, rate, noise, counts, *, unit=False, dtype=np.float64):
    """Atoms (K, d), and for each count signals with their codes; normal entries, sparse codes of normal entries, white noise."""
    rng = np.random.default_rng(0)
    d, k = shape
    atoms = rng.standard_normal((k, d)) / np.sqrt(d)
    if unit:
        atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    parts = []
    for n in counts:
        codes = (rng.random((n, k)) < rate) * rng.standard_normal((n, k))
        signals = codes @ atoms + noise * rng.standard_normal((n, d))
        parts.append((signals.astype(dtype), codes.astype(dtype)))
    return atoms.astype(dtype), *parts


def decibels(codes, truth):
    """Normalised mean squared error."""
    return float(10.0 * np.log10(np.sum((codes - truth) ** 2) / np.sum(truth**2)))


def objective(atoms, signals, codes, alpha, rule):
    """Mean over signals."""
    residual = signals - codes @ atoms
    size = np.sum(np.abs(codes)) if rule == "soft" else np.count_nonzero(codes)
    return float((0.5 * np.sum(residual**2) + alpha * size) / len(signals))


def iterations(atoms, signals, alpha, rule, n_iter):
    """Codes after each of the plain iterations, of step one over the Lipschitz constant."""
    step = 1.0 / np.linalg.norm(atoms, 2) ** 2
    codes = np.zeros((signals.shape[0], atoms.shape[0]), dtype=signals.dtype)
    level = step * alpha if rule == "soft" else np.sqrt(2.0 * step * alpha)
    for _ in range(n_iter):
        moved = codes - step * ((codes @ atoms - signals) @ atoms.T)
        kept = np.abs(moved) > level
        codes = np.where(kept, moved - level * np.sign(moved) if rule == "soft" else moved, 0.0).astype(signals.dtype)
        yield codes


def _said(name, value):
    print(f"{name:44s} {value[0]:8.2f} dB   objective {value[1]:.4f}", flush=True)


def deep():
    """Supervised against unsupervised, for l1 and l0."""
    depth = 20
    atoms, train, test = planted((75, 150), 0.08, np.sqrt(1e-3), (5000, 2000))
    for rule, alpha in (("soft", 0.1), ("soft", 0.03), ("hard", 0.02)):
        kind, name = (UnrolledISTA if rule == "soft" else UnrolledIHT), f"{'l1' if rule == 'soft' else 'l0'} {alpha:g}"

        def judged(codes, alpha=alpha, rule=rule):
            return decibels(codes, test[1]), objective(atoms, test[0], codes, alpha, rule)

        *_, last = iterations(atoms, test[0], alpha, rule, depth)
        _said(f"{name}, plain", judged(last))
        if rule == "soft":
            _said(f"{name}, converged", judged(SparseCoder(atoms, algorithm="lasso", alpha=alpha).transform(test[0])))
        else:
            *_, last = iterations(atoms, test[0], alpha, rule, 2000)
            _said(f"{name}, converged", judged(last))
        ways = {"supervised": {}, "unsupervised": {}}
        if rule == "soft":
            ways["supervised, thresholds"] = {"thresholds": "learned"}
        for way, settings in ways.items():
            model = kind(atoms, n_layers=depth, alpha=alpha, random_state=0, **settings)
            model.fit(train[0], train[1] if way != "unsupervised" else None)
            _said(f"{name}, {way}", judged(model.transform(test[0])))


def coupled():
    """Learned matrices, and learned steps, at the size of the literature."""
    atoms, train, test = planted((250, 500), 0.1, 0.0, (10_000, 500), unit=True, dtype=np.float32)
    alpha, depth = 0.1, 16
    plain = list(iterations(atoms, test[0], alpha, "soft", 100))
    for n_iter in (depth, 100):
        codes = plain[n_iter - 1]
        _said(f"ISTA, {n_iter} iterations", (decibels(codes, test[1]), objective(atoms, test[0], codes, alpha, "soft")))
    best = float(np.mean(batch_lasso(atoms, test[0].astype(float), alpha=alpha, tol=1e-8).objectives))
    print(f"{'smallest objective':44s} {best:.5f}", flush=True)
    for name, settings, codes in (
        ("coupled, supervised", {"weights": "coupled", "steps_per_layer": 40, "max_iter": 600}, train[1]),
        ("steps, unsupervised", {}, None),
    ):
        model = UnrolledISTA(atoms, n_layers=depth, alpha=alpha, random_state=0, **settings).fit(train[0], codes)
        learned = model.transform(test[0])
        _said(name, (decibels(learned, test[1]), objective(atoms, test[0], learned, alpha, "soft")))
        print(
            f"{'':44s} loss {model.validation_loss_:.3g}, {model.n_iter_} steps, {model.history_['seconds'][-1]:.0f} s, {model.status_.name}",
            flush=True,
        )


def analytic():
    """Filters computed from the atoms, with and without support selection."""
    atoms, train, test = planted((75, 150), 0.08, 0.01, (10_000, 2000), unit=True)
    ways = {
        "steps and thresholds": {"thresholds": "learned"},
        "analytic": {"weights": "analytic"},
        "analytic, support selection": {"weights": "analytic", "support_selection": (0.012, 0.13)},
    }
    for name, settings in ways.items():
        model = UnrolledISTA(atoms, n_layers=16, alpha=0.02, random_state=0, **settings).fit(*train)
        codes = model.transform(test[0])
        _said(name, (decibels(codes, test[1]), objective(atoms, test[0], codes, 0.02, "soft")))


def proximal():
    """Proximal matching at the limit of its bias, over random states of data and fit."""
    y = np.linspace(-3, 3, 601)[:, None]
    truth = np.sign(y) * np.maximum(np.abs(y) - 1, 0)
    for state in range(5):
        signals = np.random.default_rng(100 + state).laplace(size=(2_000_000, 1)).astype(np.float32)
        model = LearnedProximalNetwork(1.0, width=64, match=0.02, n_steps=100, refine_steps=60, random_state=state)
        begin = time.process_time()
        model.fit(signals)
        seconds = time.process_time() - begin
        error = np.abs(model.transform(y) - truth)
        print(
            f"random state {state}: largest error {error.max():.3f} at {y[error.argmax(), 0]:+.2f}, root mean square "
            f"{np.sqrt(np.mean(error**2)):.3f}, gamma {model.gamma_:.4f}, {seconds:.0f} s of one core",
            flush=True,
        )


if __name__ == "__main__":
    parts = {"deep": deep, "coupled": coupled, "analytic": analytic, "proximal": proximal}
    for part in sys.argv[1:] or parts:
        parts[part]()
