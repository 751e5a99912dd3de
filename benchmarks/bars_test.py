"""How often all bars are found, and how near prior and noise come: ``python benchmarks/bars_test.py``.

Each model is fitted with its defaults, to images of bars that it could have made itself: height 10, noise of
standard deviation 2, two bars an image on average. A bar is found if an atom of its own has a cosine above 0.98 with it. Prior and
noise are compared with what was drawn. The example `plot_bars` shows the file that this writes.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
if str(ROOT) not in sys.path:  # run as a script
    sys.path.insert(0, str(ROOT))

OUTPUT = ROOT / "gallery" / "bars_test.json"
N_IMAGES = 500
NOISE = 2.0
#: model: sizes of an image, values of a bar, what shows where bars cross
CASES = {
    "binary": ((4, 5, 8), (1.0,), "sum"),
    "maximal": ((4, 5, 8), (1.0,), "max"),
    "ternary": ((5,), (-1.0, 1.0), "sum"),
    "discrete": ((5,), (1.0, 2.0), "sum"),
    "maximum_magnitude": ((5,), (1.0,), "magnitude"),
    "spike_slab": ((5,), (1.0,), "sum"),
}


def one_fit(model, size, seed, n_jobs=None, **parameters):
    """Bars found, learned over true probability and noise, and seconds."""
    from sparsecode import ProbabilisticSparseCoding
    from sparsecode.datasets import make_bars
    from sparsecode.metrics import dictionary_recovery

    _, values, overlap = CASES[model]
    bars = make_bars(N_IMAGES, size, values=values, overlap=overlap, noise=NOISE, random_state=seed)
    learner = ProbabilisticSparseCoding(2 * size, model=model, random_state=seed, n_jobs=n_jobs, **parameters)
    began = time.perf_counter()
    learner.fit(bars.data)
    seconds = time.perf_counter() - began
    signed = model in ("binary", "discrete", "maximal")
    found = dictionary_recovery(bars.components, learner.components_, threshold=0.98, signed=signed)
    return {
        "found": round(2 * size * found),
        "probability": float(np.sum(learner.prior_) / np.mean(bars.states != 0)),
        "noise": float(np.sqrt(learner.noise_variance_) / np.std(bars.data - bars.clean)),
        "seconds": round(seconds, 2),
        "n_iter": learner.n_iter_,
    }


def main(argv=None) -> int:
    """Measure, and write the file of the gallery."""
    parser = argparse.ArgumentParser(prog="benchmarks/bars_test.py", description=__doc__.splitlines()[0])
    parser.add_argument("--only", default=None, help="comma-separated models; the others keep what they have")
    parser.add_argument("--seeds", type=int, default=10, help="random data sets and starts")
    parser.add_argument("--jobs", type=int, default=None, help="threads")
    arguments = parser.parse_args(argv)
    warnings.simplefilter("ignore")
    known = json.loads(OUTPUT.read_text()) if OUTPUT.exists() else {}
    for model in arguments.only.split(",") if arguments.only else CASES:
        for size in CASES[model][0]:
            fits = [one_fit(model, size, seed, arguments.jobs) for seed in range(arguments.seeds)]
            known.setdefault(model, {})[str(2 * size)] = fits
            all_found = sum(fit["found"] == 2 * size for fit in fits)
            worst = [max(abs(fit[name] - 1.0) for fit in fits) for name in ("probability", "noise")]
            print(
                f"{model}, {2 * size} bars: all found in {all_found} of {len(fits)}; probability within {worst[0]:.1%}, noise within "
                f"{worst[1]:.1%}; {np.median([fit['seconds'] for fit in fits]):.1f} s",
                file=sys.stderr,
                flush=True,
            )
            OUTPUT.write_text(json.dumps(known) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
