"""How good learned dictionaries are where the truth is known: ``python benchmarks/dictionary_quality.py lp masked compression unmixing``.

Errors, not times: they do not depend on the machine beyond rounding.

* lp: error ``1 - ||A D||_4^4 / n`` of complete dictionaries, for p = 3, 4, 5, many features, and noise;
* masked: distance of the true atoms from the nearest learned one, all entries seen against a tenth hidden, for dictionaries of
  growing size;
* compression: error of the outputs of a compressed weight over that of a truncated singular value decomposition of equal storage;
* unmixing: error of the shares of materials in pixels, against plain nonnegative matrix factorisation, with useless bands among
  the good ones and without.
"""

from __future__ import annotations

import argparse
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

from benchmarks.jobs.complete_dictionary import planted_signals  # noqa: E402


def lp_error(n_features, n_signals, p, *, rate=0.1, noise=0.0, seed=0, dtype=np.float64):
    """Zero if and only if the atoms are the true ones up to order and sign."""
    from sparsecode.solvers.dictionary import lp_dictionary

    X, truth = planted_signals(n_features, n_signals, rate, noise, seed)
    atoms = lp_dictionary(X.astype(dtype), p, orthogonal=True, random_state=seed, tol=1e-5).coef
    return 1.0 - float(np.sum((atoms @ truth.T) ** 4)) / n_features


def lp(arguments):
    """The rows of the published table, and what they were there (in percent)."""
    cases = [
        (100, 40_000, 3, 0.1, 0.0, 0.056),
        (100, 40_000, 4, 0.1, 0.0, 0.21),
        (100, 40_000, 5, 0.1, 0.0, 0.50),
        (100, 40_000, 3, 0.3, 0.6, 1.95),
        (400, 160_000, 3, 0.1, 0.0, 0.056),
    ]
    for n_features, n_signals, p, rate, noise, published in cases:
        if n_features > arguments.most_features:
            continue
        began = time.perf_counter()
        seeds = range(arguments.seeds if n_features <= 100 else 1)
        errors = [100 * lp_error(n_features, n_signals, p, rate=rate, noise=noise, seed=seed) for seed in seeds]
        print(
            f"lp n={n_features} N={n_signals} p={p} rate={rate} noise={noise}: {np.mean(errors):.4f} % "
            f"(published {published} %), {time.perf_counter() - began:.1f} s",
            flush=True,
        )


def masked_distances(n_components, seed, *, n_signals, n_features, n_atoms, n_nonzero, noise, **settings):
    """Distance of the true atoms from the nearest learned ones, plain and masked."""
    from sparsecode import MaskedDictionaryLearning

    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.zeros((n_signals, n_atoms))
    used = np.argsort(rng.random((n_signals, n_atoms)), axis=1)[:, :n_nonzero]
    np.put_along_axis(codes, used, rng.standard_normal((n_signals, n_nonzero)), axis=1)
    X = codes @ atoms + noise * rng.standard_normal((n_signals, n_features))
    found = []
    for share in (0.0, 0.1):
        learner = MaskedDictionaryLearning(
            n_components, n_nonzero_coefs=n_nonzero, hidden_share=share, random_state=seed, **settings
        ).fit(X)
        found.append(float(np.mean(2 - 2 * np.max(np.abs(atoms @ learner.components_.T), axis=1))))
    return found


def masked(arguments):
    """Plain and masked, over the size of the dictionary; 200 atoms are true."""
    sizes = [200, 400, 600, 1000] if arguments.sizes is None else [int(size) for size in arguments.sizes.split(",")]
    for size in sizes:
        began = time.perf_counter()
        pairs = [
            masked_distances(
                size,
                seed,
                n_signals=arguments.signals,
                n_features=100,
                n_atoms=200,
                n_nonzero=5,
                noise=0.1,
                max_iter=max(1, arguments.steps * 250 // arguments.signals),
                batch_size=250,
                learning_rate=arguments.rate,
            )
            for seed in range(arguments.seeds)
        ]
        plain, hidden = np.mean(pairs, axis=0)
        wins = sum(theirs < ours for ours, theirs in pairs)
        print(
            f"masked p'={size}: all seen {plain:.4f}, a tenth hidden {hidden:.4f} ({wins} of {len(pairs)} better), "
            f"{time.perf_counter() - began:.1f} s",
            flush=True,
        )


def compression_errors(kind, rate, ratio, *, shape=(128, 384), seed=0):
    """Relative error of the outputs: ours, and that of the truncated singular value decomposition of equal storage."""
    from sparsecode.solvers.dictionary import k_sparse_compression, truncated_svd

    rng = np.random.default_rng(seed)
    m, n = shape
    mix = np.linalg.qr(rng.standard_normal((m, m)))[0] * np.arange(1, m + 1.0) ** -0.7
    X = rng.standard_normal((8 * m, m)) @ mix.T
    if kind == "random":
        weight = rng.standard_normal((m, n))
    else:
        bases = rng.standard_normal((8, m, m // 8))
        weight = np.column_stack([bases[j % 8] @ rng.standard_normal(m // 8) for j in range(n)])
        weight += 0.1 * np.linalg.norm(weight) / np.sqrt(weight.size) * rng.standard_normal((m, n))
    result = k_sparse_compression(weight, X.T @ X, rate=rate, ratio=ratio, max_iter=100, random_state=seed)
    left, right = truncated_svd(weight, X.T @ X, result.storage.rank)
    return result.output_error, float(np.linalg.norm(X @ (weight - left @ right)) / np.linalg.norm(X @ weight))


def compression(arguments):
    """Random weights, and columns near a union of subspaces, for correlated inputs."""
    for kind in ("random", "subspaces"):
        for rate in (0.2, 0.5):
            for ratio in (2.0, 4.0):
                began = time.perf_counter()
                pairs = [compression_errors(kind, rate, ratio, seed=seed) for seed in range(arguments.seeds)]
                ours, theirs = np.mean(pairs, axis=0)
                print(
                    f"compression {kind}, {rate:.0%} saved, K/s={ratio:g}: {ours:.4f} against {theirs:.4f}, "
                    f"{1 - ours / theirs:.0%} lower, {time.perf_counter() - began:.1f} s",
                    flush=True,
                )


def unmixing_errors(n_useless, seed=0, *, side=30, n_bands=80, n_materials=4, **settings):
    """Root mean square errors of the shares: plain nonnegative matrix factorisation, and our losses; made scenes as in the gallery."""
    from scipy.ndimage import gaussian_filter
    from sklearn.decomposition import NMF

    from sparsecode import RobustUnmixing

    rng = np.random.default_rng(seed)
    places, widths, heights = (
        rng.uniform(low, high, (n_materials, 5, 1)) for low, high in ((0, 1), (0.05, 0.2), (0.1, 0.5))
    )
    spectra = 0.1 + np.sum(heights * np.exp(-0.5 * ((np.linspace(0, 1, n_bands) - places) / widths) ** 2), axis=1)
    fields = np.exp(
        60 * np.array([gaussian_filter(rng.standard_normal((side, side)), 2.5) for _ in range(n_materials)])
    )
    shares = (fields / fields.sum(axis=0)).reshape(n_materials, -1).T
    X = np.maximum(shares @ spectra + 0.02 * rng.standard_normal((side**2, n_bands)), 0.0)
    X[:, rng.choice(n_bands, n_useless, replace=False)] = np.abs(1.5 * rng.standard_normal((side**2, n_useless)))
    plain = NMF(n_materials, init="nndsvda", max_iter=2000, random_state=0).fit_transform(X)
    plain = plain * np.maximum(np.linalg.lstsq(plain, np.ones(len(plain)), rcond=None)[0], 1e-12)  # it knows no scale
    errors = {"plain": _share_error(shares, plain / plain.sum(axis=1, keepdims=True))}
    for loss in ("squared", "correntropy", "l21"):
        learner = RobustUnmixing(n_materials, loss=loss, **({"max_iter": 400, "tol": None} | settings)).fit(X)
        errors[loss] = _share_error(shares, learner.transform(X))
    return errors


def _share_error(shares, found):
    """Root mean square, materials matched to their likest."""
    from scipy.optimize import linear_sum_assignment

    costs = np.array([[np.mean((one - other) ** 2) for other in found.T] for one in shares.T])
    return float(np.sqrt(np.mean(costs[linear_sum_assignment(costs)])))


def unmixing(arguments):
    """Four materials in 80 bands, of which none, five or ten say nothing."""
    for n_useless in (0, 5, 10):
        began = time.perf_counter()
        each = [unmixing_errors(n_useless, seed) for seed in range(arguments.seeds)]
        means = {name: np.mean([errors[name] for errors in each]) for name in each[0]}
        wins = sum(errors["correntropy"] < errors["plain"] for errors in each)
        print(
            f"unmixing, {n_useless} of 80 bands useless: "
            + ", ".join(f"{name} {error:.4f}" for name, error in means.items())
            + f" (correntropy better than plain in {wins} of {len(each)}), {time.perf_counter() - began:.1f} s",
            flush=True,
        )


def main(argv=None) -> int:
    """Measure what is named."""
    parser = argparse.ArgumentParser(prog="benchmarks/dictionary_quality.py", description=__doc__.splitlines()[0])
    parser.add_argument(
        "what", nargs="*", default=["lp", "masked", "compression", "unmixing"], help="lp, masked, compression, unmixing"
    )
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--most-features", type=int, default=400, help="of the lp problems")
    parser.add_argument("--sizes", default=None, help="of the masked dictionaries, comma-separated")
    parser.add_argument("--signals", type=int, default=2_000, help="of the masked problems")
    parser.add_argument("--steps", type=int, default=2_000, help="of the masked problems")
    parser.add_argument("--rate", type=float, default=1e-2, help="learning rate of the masked problems")
    arguments = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    for name in arguments.what:
        {"lp": lp, "masked": masked, "compression": compression, "unmixing": unmixing}[name](arguments)
    return 0


if __name__ == "__main__":
    sys.exit(main())
