"""Which planted features sparse autoencoders find: ``python benchmarks/autoencoder_quality.py``.

256 features in 64 dimensions, four on in a signal on average, codes of eight entries. A feature is found if the latent that it is matched
with (Hungarian assignment) has a cosine above 0.95 with it. Two sets of 50,000 signals:

* hierarchy: 51 features are parents with four children each that exclude one another and never come without their parent;
* signed: independent features that enter with either sign; codes without signs need two latents for each.

Every model is trained at three learning rates and enters with the one at which it finds most, on data and starts of each seed. Features
decide, not the reconstruction: a sum of two features that come together explains both with one entry and is neither.
The example `plot_planted_features` shows the file that this writes.
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

OUTPUT = ROOT / "gallery" / "autoencoder_quality.json"
N_SIGNALS, N_TEST, N_FEATURES, N_DIMENSIONS = 50_000, 5_000, 256, 64
RATES = (0.005, 0.01, 0.02)
SETS = {"hierarchy": {"n_parents": 51, "n_children": 4}, "signed": {"signed": True}}
#: set: name of a model: number of latents and parameters
MODELS = {
    "hierarchy": {
        "TopK": (256, {}),
        "BatchTopK": (256, {"activation": "batchtopk"}),
        "HierarchicalTopK": (256, {"structure": "hierarchical"}),
        "Matryoshka, 64 first": (256, {"structure": "matryoshka", "levels": (64, 256)}),
        "OrtSAE": (256, {"structure": "orthogonal"}),
        "MP-SAE, atoms not kept apart": (256, {"structure": "matching_pursuit", "orthogonality": 0.0}),
        "MP-SAE": (256, {"structure": "matching_pursuit"}),
    },
    "signed": {
        "TopK, 256 latents": (256, {}),
        "TopK, 512 latents": (512, {}),
        "AbsTopK, 256 latents": (256, {"activation": "abstopk"}),
    },
}


def planted(name, seed):
    """Signals to learn from and to test with, one draw of features for both."""
    from sparsecode.datasets import make_planted_features

    return make_planted_features(
        N_SIGNALS + N_TEST, N_DIMENSIONS, N_FEATURES, n_active=4.0, random_state=seed, dtype=np.float32, **SETS[name]
    )


def one_fit(data, model, rate, seed, passes=30, n_jobs=None):
    """What one model finds in one set."""
    from sparsecode import SparseAutoencoder
    from sparsecode.metrics import absorption, match_atoms, sparsity, variance_unexplained

    n_latents, parameters = model
    learner = SparseAutoencoder(
        n_latents,
        n_nonzero_coefs=8,
        max_iter=passes,
        learning_rate=rate,
        random_state=seed,
        n_jobs=n_jobs,
        **parameters,
    )
    began = time.perf_counter()
    learner.fit(data.data[:N_SIGNALS])
    seconds = time.perf_counter() - began
    signed = np.any(data.code < 0)
    matches, cosines = match_atoms(data.dictionary, learner.components_, signed=not signed)
    test, codes = data.data[N_SIGNALS:], learner.transform(data.data[N_SIGNALS:])
    return {
        "found": int(np.sum(cosines > 0.95)),
        "cosine": round(float(np.mean(cosines)), 4),
        "unexplained": round(variance_unexplained(test, learner.inverse_transform(codes)), 4),
        "entries": round(float(np.mean(sparsity(codes))), 2),
        "absorption": round(absorption(data.code[N_SIGNALS:], codes, data.parents, matches), 3),
        "rate": rate,
        "seconds": round(seconds, 1),
    }


def main(argv=None) -> int:
    """Measure, and write the file of the gallery."""
    parser = argparse.ArgumentParser(prog="benchmarks/autoencoder_quality.py", description=__doc__.splitlines()[0])
    parser.add_argument("--set", choices=sorted(SETS), default=None, help="one set; the other keeps what it has")
    parser.add_argument("--only", default=None, help="models whose name has this in it")
    parser.add_argument("--seeds", type=int, default=3, help="random data sets and starts")
    parser.add_argument("--jobs", type=int, default=None, help="threads")
    arguments = parser.parse_args(argv)
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    for name in [arguments.set] if arguments.set else SETS:
        sets = [planted(name, seed) for seed in range(arguments.seeds)]
        for label, model in MODELS[name].items():
            if arguments.only is not None and arguments.only not in label:
                continue
            best = [
                max(
                    (one_fit(data, model, rate, seed, n_jobs=arguments.jobs) for rate in RATES),
                    key=lambda fit: fit["found"],
                )
                for seed, data in enumerate(sets)
            ]
            known.setdefault(name, {})[label] = best
            print(
                f"{name}, {label}: found {[fit['found'] for fit in best]} of {N_FEATURES}, unexplained "
                f"{np.mean([fit['unexplained'] for fit in best]):.4f}, absorption {np.mean([fit['absorption'] for fit in best]):.3f}, "
                f"rates {[fit['rate'] for fit in best]}, {np.median([fit['seconds'] for fit in best]):.0f} s",
                file=sys.stderr,
                flush=True,
            )
            ordered = {
                name: {label: known[name][label] for label in MODELS[name] if label in known[name]} for name in known
            }
            OUTPUT.write_text(json.dumps(ordered) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
