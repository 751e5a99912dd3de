"""
Beyond l1: sparser codes of photographs
=======================================

Cells of the primary visual cortex answer to edges at one place, of one orientation and one spatial frequency. Dictionaries
learned from photographs look like that too, whatever the penalty that keeps their codes sparse. How many atoms a code needs
depends very much on the penalty: the l1 norm charges every coefficient for its size and pays with error, penalties near l0 charge for
being there. Here each gets a dictionary of its own, and they are compared at the same number of active atoms.

Olshausen and Field, "Sparse coding with an overcomplete basis set: a strategy employed by V1?", 1997.
Rentzeperis, Calatroni, Perrinet and Prandi, "Beyond l1 sparse coding in V1", 2023 (arXiv 2301.10002).
"""

# %%
# Whitened photographs
# --------------------
# The eye flattens the spectrum of what it sees before the cortex gets it: neighbouring pixels then tell different things.
# `whiten_image` does the same, and patches that hold next to nothing are left out.

import json
import warnings
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
from scipy.optimize import OptimizeWarning, curve_fit

from sparsecode import CEL0, L1, DictionaryLearning, Lq, SparseCoder
from sparsecode.datasets import load_patches, whiten_image
from sparsecode.metrics import sparsity
from sparsecode.plotting import DictionaryDisplay

SIDE = 12
whitened = {name: whiten_image(name) for name in ("china.jpg", "flower.jpg")}
patches = np.concatenate([load_patches(image, (SIDE, SIDE), 4_000, random_state=0) for image in whitened.values()])
patches = patches[patches.var(axis=1) > 0.05]
patches = np.random.default_rng(0).permutation(patches)
train, test = patches[:-1_000], patches[-1_000:]

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
for ax, (name, image) in zip(axes, whitened.items(), strict=True):
    ax.imshow(image, cmap="gray", vmin=-3, vmax=3)
    ax.set(title=name, xticks=[], yticks=[])

# %%
# A dictionary for each penalty
# -----------------------------
# The strengths are chosen so that a code has some dozen active atoms under each. The l1 norm begins with patches, the others with what it found:
# near l0 an atom that serves changes little. `CEL0` follows the norms of the atoms as they change; every code comes with a certificate.

penalties = {"l1": L1(2.0), "l_1/2": Lq(1.1), "CEL0": CEL0(1.1)}
learners, start = {}, None
for name, penalty in penalties.items():
    coder = SparseCoder(algorithm="penalty", penalty=penalty)
    learner = DictionaryLearning(144, coder=coder, dict_init=start, max_iter=10, tol=None, random_state=0)
    learners[name] = learner.fit(train)
    start = learners["l1"].components_
    codes = learners[name].encode(test)
    missed = np.sum((test - codes.coef @ learners[name].components_) ** 2) / np.sum(test**2)
    print(
        f"{name:6} {sparsity(codes.coef):5.1f} active atoms, {missed:6.1%} of the energy missed, {codes.certificate_name} "
        f"{codes.certificate.max():.0e}"
    )

# %%
# Their atoms, the most used first:

figure, axes = plt.subplots(1, 3, figsize=(13, 4.6), layout="constrained")
for ax, (name, learner) in zip(axes, learners.items(), strict=True):
    DictionaryDisplay.from_estimator(learner, test, order="usage", ax=ax)
    ax.set_title(name)

# %%
# Sparsity against error
# ----------------------
# More atoms, five strengths for each penalty, every dictionary learned from patches alone, and the error on patches that were not learned
# from. The figures come from ``python benchmarks/beyond_l1.py``, which takes some minutes; the file beside this example holds them.


measured = json.loads(Path("beyond_l1.json").read_text())

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
for name, points in measured["points"].items():
    points = sorted(points, key=lambda point: point["sparsity"])
    ax.semilogy(
        [point["sparsity"] for point in points],
        [point["error"] for point in points],
        marker="o",
        markersize=4,
        label=name,
    )
ax.set(xlabel=f"active atoms of {measured['atoms']}", ylabel="share of the energy missed")
ax.legend()

for name, ratios in list(measured["matched"].items())[1:]:  # the first is the l1 norm itself
    known = {level: ratio for level, ratio in ratios.items() if ratio is not None}
    print(f"{name:6}", ", ".join(f"{ratio:.2f} of the error of l1 at {level} atoms" for level, ratio in known.items()))

# %%
# What the atoms look for
# -----------------------
# A Gabor function, a wave under a Gaussian envelope, is fitted to each atom. The spectrum of the atom says where to begin.

place_y, place_x = (axis.ravel().astype(float) for axis in np.mgrid[:SIDE, :SIDE])


def gabor(_, size, x, y, along, across, angle, frequency, phase):
    """A wave along `angle`, with an envelope of its own width along and across."""
    right, down = place_x - x, place_y - y
    forward, aside = np.cos(angle) * right + np.sin(angle) * down, np.cos(angle) * down - np.sin(angle) * right
    envelope = np.exp(-0.5 * ((forward / along) ** 2 + (aside / across) ** 2))
    return size * envelope * np.cos(2 * np.pi * frequency * forward + phase)


def fit_gabor(atom):
    """Angle and frequency of the best Gabor function, and the share of the atom's energy that it misses."""
    spectrum = np.fft.fft2(atom.reshape(SIDE, SIDE), (64, 64))[:, :33]
    row, column = np.unravel_index(np.argmax(np.abs(spectrum)), spectrum.shape)
    down, right = np.fft.fftfreq(64)[row], column / 64
    energy = atom**2 / np.sum(atom**2)
    x, y = energy @ place_x, energy @ place_y
    frequency, angle = np.hypot(right, down), np.arctan2(down, right)
    phase = np.angle(spectrum[row, column]) + 2 * np.pi * (right * x + down * y)
    start = (np.max(np.abs(atom)), x, y, SIDE / 6, SIDE / 6, angle, frequency, phase)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore", OptimizeWarning
            )  # an atom that is no Gabor function has no covariance either
            fitted = curve_fit(gabor, None, atom, start, maxfev=1_000)[0]
    except RuntimeError:  # no Gabor function at all
        return np.nan, np.nan, 1.0
    missed = np.sum((atom - gabor(None, *fitted)) ** 2) / np.sum(atom**2)
    return fitted[5] % np.pi, abs(fitted[6]), missed


figure, axes = plt.subplots(1, 3, figsize=(13, 4), layout="constrained", subplot_kw={"projection": "polar"})
for ax, (name, learner) in zip(axes, learners.items(), strict=True):
    angles, frequencies, missed = np.array([fit_gabor(atom) for atom in learner.components_]).T
    good = missed < 0.3
    ax.scatter(angles[good], frequencies[good], s=12, c=missed[good], cmap="viridis_r", vmin=0, vmax=0.3)
    ax.set(title=name, thetamin=0, thetamax=180, rlim=(0, 0.5))
    print(
        f"{name:6} {good.mean():.0%} of the atoms are Gabor functions up to 30 % of their energy; median frequency "
        f"{np.median(frequencies[good]):.2f} cycles per pixel, {np.mean(np.abs(np.sin(2 * angles[good])) < 0.5):.0%} within "
        "15 degrees of an axis"
    )

# %%
# Orientations of all kinds, and frequencies up to a third of a cycle per pixel: the atoms differ little between the penalties. The codes do: with
# as many active atoms those near l0 leave half as much unexplained, or less.
