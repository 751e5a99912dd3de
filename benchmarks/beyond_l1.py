"""Error against sparsity of codes of whitened photographs, each penalty with a dictionary of its own: ``python benchmarks/beyond_l1.py``.

The file that comes out of it is drawn by the gallery's example ``plot_beyond_l1``. For every penalty and strength a dictionary is learned from
patches of two photographs, then other patches are coded: how many atoms a code uses on average, and which share of the energy
it misses. `matched` says how the errors compare with that of the l1 norm at the same sparsity. The figures do not depend on the machine
beyond rounding; the seconds do.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

OUTPUT = ROOT / "gallery" / "beyond_l1.json"
SEED = 20240
SIDE, N_ATOMS, N_TRAIN, N_TEST = 12, 200, 4_000, 1_000
LEVELS = (15.0, 20.0, 30.0, 40.0)  # atoms in a code at which errors are compared


def penalties():
    """Name to penalties of growing strength, for images of unit variance."""
    from sparsecode import CEL0, L0, L1, MCP, Lq

    return {
        "l1": [L1(alpha) for alpha in (0.5, 0.75, 1.1, 1.6, 2.2)],
        "l_2/3": [Lq(alpha, q=2 / 3) for alpha in (0.2, 0.35, 0.6, 1.0, 1.6)],
        "l_1/2": [Lq(alpha) for alpha in (0.16, 0.35, 0.6, 0.9, 1.4)],
        "MCP": [MCP(alpha, gamma=2.0) for alpha in (0.42, 0.7, 1.0, 1.4, 2.0)],
        "CEL0": [CEL0(alpha) for alpha in (0.08, 0.2, 0.4, 0.8, 1.4)],
        "l0": [L0(alpha) for alpha in (0.08, 0.2, 0.4, 0.8, 1.4)],
    }


def patches(n_patches, seed):
    """Patches of both photographs, whitened, without those that hold nothing."""
    from sparsecode.datasets import load_patches, whiten_image

    drawn = [
        load_patches(whiten_image(name), (SIDE, SIDE), n_patches, random_state=[seed, place])
        for place, name in enumerate(("china.jpg", "flower.jpg"))
    ]
    drawn = np.concatenate(drawn)
    drawn = drawn[drawn.var(axis=1) > 0.05]
    return drawn[np.random.default_rng(seed).permutation(len(drawn))[:n_patches]]


def measure(penalty, train, test, n_passes, n_jobs):
    """Mean sparsity and relative error of the test patches over a dictionary learned under the penalty."""
    from sparsecode import L1, DictionaryLearning, SparseCoder
    from sparsecode.metrics import dead_fraction, sparsity

    began = time.perf_counter()
    if isinstance(penalty, L1):
        coder = SparseCoder(algorithm="lasso", alpha=penalty.alpha)  # the same codes, faster
    else:
        coder = SparseCoder(algorithm="penalty", penalty=penalty)
    learner = DictionaryLearning(
        N_ATOMS, coder=coder, max_iter=n_passes, tol=None, random_state=SEED, sparse_output=True, n_jobs=n_jobs
    ).fit(train)
    codes = learner.transform(test)
    return {
        "sparsity": sparsity(codes),
        "error": float(np.sum((test - codes @ learner.components_) ** 2) / np.sum(test**2)),
        "dead": dead_fraction(codes),
        "seconds": round(time.perf_counter() - began, 1),
    }


def matched(points, reference):
    """Error over that of the reference at the same sparsity, both curves interpolated in the logarithm of the error."""

    def error_at(curve, level):
        order = np.argsort([point["sparsity"] for point in curve])
        levels, errors = (np.array([curve[place][name] for place in order]) for name in ("sparsity", "error"))
        inside = levels[0] <= level <= levels[-1]
        return float(np.exp(np.interp(level, levels, np.log(errors)))) if inside else None

    ratios = {}
    for level in LEVELS:
        ours, theirs = error_at(points, level), error_at(reference, level)
        ratios[f"{level:g}"] = None if ours is None or theirs is None else round(ours / theirs, 3)
    return ratios


def main(argv=None) -> int:
    """Measure, and write the file of the gallery."""
    parser = argparse.ArgumentParser(prog="benchmarks/beyond_l1.py", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=None, help="comma-separated names; the others keep the figures they have")
    parser.add_argument("--passes", type=int, default=3, help="passes over the training patches")
    parser.add_argument("--train", type=int, default=N_TRAIN, help="training patches")
    parser.add_argument("--jobs", type=int, default=None, help="threads")
    arguments = parser.parse_args(argv)
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {"points": {}}
    chosen = penalties()
    if arguments.only is not None:
        chosen = {name: chosen[name] for name in arguments.only.split(",")}
    train, test = patches(arguments.train, SEED), patches(N_TEST, SEED + 1)
    for name, strengths in chosen.items():
        known["points"][name] = [measure(one, train, test, arguments.passes, arguments.jobs) for one in strengths]
        print(f"{name}: {known['points'][name]}", file=sys.stderr, flush=True)
        known |= {"atoms": N_ATOMS, "side": SIDE, "train": len(train), "test": len(test), "passes": arguments.passes}
        if "l1" in known["points"]:
            known["matched"] = {
                each: matched(points, known["points"]["l1"]) for each, points in known["points"].items()
            }
        OUTPUT.write_text(json.dumps(known, indent=1) + "\n")
    for name, ratios in known.get("matched", {}).items():
        print(name, ratios, file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
