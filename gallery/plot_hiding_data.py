"""
Hiding data helps
=================

How many atoms are there? Who takes too many, to be safe, gives the codes room to fit the noise in their signals, and the
dictionary that does that best is not the true one. So let the codes see nine tenths of each signal only, and judge the
atoms by the tenth that they have not seen.

Chidambaram, Wu, Cheng and Ge, "Hiding data helps: on the benefits of masking for sparse coding", 2023 (arXiv 2302.12715).
"""

# %%
# Too many atoms
# --------------
# 40 true atoms, three of them in each of 600 signals, and noise of a quarter of its energy. The distance is that of each true atom
# from the nearest one that was learned, a mean over three problems.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import MaskedDictionaryLearning
from sparsecode.datasets import load_patches, make_dictionary_problem
from sparsecode.metrics import psnr
from sparsecode.solvers.dictionary import masked_omp

problems = [make_dictionary_problem(600, 32, 40, 3, snr_db=6, random_state=seed) for seed in range(3)]


def distance(size, share, problem):
    learner = MaskedDictionaryLearning(size, n_nonzero_coefs=3, hidden_share=share, batch_size=128, random_state=0)
    atoms = learner.fit(problem.data).components_
    return np.mean(2 - 2 * np.max(np.abs(problem.dictionary @ atoms.T), axis=1))


sizes = [40, 80, 160, 240]
distances = {
    name: [np.mean([distance(size, share, problem) for problem in problems]) for size in sizes]
    for name, share in {"all entries seen": 0.0, "a tenth hidden": 0.1}.items()
}
figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in distances.items():
    ax.plot(sizes, values, marker="o", label=name)
ax.axvline(40, color="0.7", linestyle=":")
ax.set(xlabel="atoms learned (40 are true)", ylabel="distance to the true atoms", ylim=(0, None))
ax.legend()
plt.show()

# %%
# With far more atoms than the truth has, hiding helps. At the right number it *hurts*: nothing can be overfitted there, and with
# less to go by some atoms are not found. The more signals there are for each atom, the less there is to win.

assert distances["a tenth hidden"][-1] < distances["all entries seen"][-1]

# %%
# Missing entries
# ---------------
# The same learner takes signals of which entries are missing: they are neither seen nor asked for. Here two fifths of the
# pixels of a photograph are gone, in every patch that it learns from.

photograph = load_patches("china.jpg", patch_size=(128, 128), n_patches=1, random_state=3, remove_mean=False)
photograph = photograph.reshape(128, 128)
holes = np.random.default_rng(0).random(photograph.shape) < 0.4
damaged = np.where(holes, np.nan, photograph)
patches = np.lib.stride_tricks.sliding_window_view(damaged, (8, 8)).reshape(-1, 64)
means = np.nanmean(patches, axis=1, keepdims=True)
learner = MaskedDictionaryLearning(128, n_nonzero_coefs=4, max_iter=8, random_state=0).fit((patches - means)[::3])
filled = learner.inverse_transform(learner.transform(patches - means)) + means

# %%
# Overlapping patches are averaged, and what was never lost is kept.

total, count = np.zeros(photograph.shape), np.zeros(photograph.shape)
for number, (row, column) in enumerate(np.ndindex(121, 121)):
    total[row : row + 8, column : column + 8] += filled[number].reshape(8, 8)
    count[row : row + 8, column : column + 8] += 1
restored = np.where(holes, total / count, photograph)
flat = np.where(holes, np.nanmean(damaged), photograph)
figure, axes = plt.subplots(1, 3, figsize=(11, 4), layout="constrained")
for ax, (name, picture) in zip(
    axes, {"damaged": damaged, "restored": restored, "photograph": photograph}.items(), strict=True
):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
    ax.set_title(name)
    ax.set_axis_off()
print(f"holes filled with the mean: {psnr(photograph, flat, data_range=1):.1f} dB")
print(f"with learned atoms: {psnr(photograph, restored, data_range=1):.1f} dB")
plt.show()

# %%
# Codes of incomplete signals can be had for any dictionary:

codes = masked_omp(learner.components_, (patches - means)[:3], n_nonzero=4)
print(codes.indices)
