"""
Bars: causes with a prior
=========================

An image of a few bars out of many, under noise: which bars are there at all, how often does each appear, and how strong is
the noise? Models of hidden causes learn all three at once, from the images alone. Two of them here: bars that add up where they
cross (binary sparse coding), and bars of which the brightest shows (maximal causes).
"""

# %%
# Images of bars
# --------------
# Ten bars, each in a fifth of the images, so two on average; brightness 10, noise of standard deviation 2.

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import ProbabilisticSparseCoding
from sparsecode.datasets import make_bars
from sparsecode.plotting import DictionaryDisplay

problems = {
    "binary": make_bars(500, 5, noise=2.0, random_state=0),
    "maximal": make_bars(500, 5, noise=2.0, overlap="max", random_state=0),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
for ax, (model, bars) in zip(axes, problems.items(), strict=True):
    DictionaryDisplay.from_components(bars.data[:24], n_columns=6, ax=ax)
    ax.set_title(f"images, {'sum' if model == 'binary' else 'maximum'} where bars cross")

# %%
# Learn them
# ----------
# The first eighty iterations are annealed: a high temperature blurs the likelihood, and falls to one. What is drawn is the free
# energy at the temperature, so it falls while the likelihood gains weight. Then few iterations are left to do.

learners = {
    model: ProbabilisticSparseCoding(10, model=model, random_state=0).fit(bars.data) for model, bars in problems.items()
}
figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained")
for ax, (model, learner) in zip(axes, learners.items(), strict=False):
    DictionaryDisplay.from_estimator(learner, n_columns=5, ax=ax)
    ax.set_title(f"learned components, {model}")
    axes[2].plot(learner.history_["iteration"], learner.history_["free_energy"], label=model)
    rate = np.mean(problems[model].states)
    print(
        f"{model}: probability {learner.prior_[0]:.3f} (drawn {rate:.3f}), noise {np.sqrt(learner.noise_variance_):.2f} (2), "
        f"{learner.status_.name} after {learner.n_iter_} iterations"
    )
axes[2].set(xlabel="iteration", ylabel="free energy of an image (nats)", title="at the temperature of the iteration")
axes[2].legend()

# %%
# Fill in what is missing
# -----------------------
# Half of the pixels are taken away (NaN). The posterior knows the bars, so a few pixels tell the rest.

bars = problems["maximal"]
gaps = np.random.default_rng(1).random(bars.data.shape) < 0.5
seen = np.where(gaps, np.nan, bars.data)
filled = learners["maximal"].reconstruct(seen)
figure, axes = plt.subplots(1, 3, figsize=(12, 4), layout="constrained")
for ax, images, title in zip(axes, (seen, filled, bars.clean), ("seen", "filled in", "without noise"), strict=True):
    DictionaryDisplay.from_components(np.nan_to_num(images[:16]), n_columns=4, ax=ax)
    ax.set_title(title)
error = np.sqrt(np.mean((filled - bars.clean)[gaps] ** 2))
print(f"root mean square error of the missing pixels {error:.2f}; noise 2, bars 10")

# %%
# How often it succeeds
# ---------------------
# Ten data sets of 500 images for each row, as measured by ``python benchmarks/bars_test.py``: how many of ten fits find every
# bar, and the largest error of probability and noise. Annealing does not escape from every local maximum: a cause that hardly any
# image needs begins anew, sums of two signed bars are parted, and the best of four starts is kept.

rows = []
for model, sizes in json.loads(Path("bars_test.json").read_text()).items():
    for n_bars, fits in sizes.items():
        complete = sum(fit["found"] == int(n_bars) for fit in fits)
        worst = [max(abs(fit[name] - 1) for fit in fits) for name in ("probability", "noise")]
        rows.append((f"{model}, {n_bars} bars", f"{complete} of {len(fits)}", *(f"{error:.1%}" for error in worst)))
figure, ax = plt.subplots(figsize=(8, 0.3 * len(rows) + 0.6), layout="constrained")
ax.set_axis_off()
ax.table(rows, colLabels=["", "all bars found", "probability within", "noise within"], loc="center", cellLoc="center")
