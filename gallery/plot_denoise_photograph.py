"""
Denoise a photograph with a dictionary learned from itself
==========================================================

Small patches of a photograph look alike, so a few learned atoms describe each of them. Noise looks like nothing in
particular, so no few atoms do. Learn atoms from the noisy photograph, describe every patch with as few of them as the
noise level asks for, and average the overlapping patches: what is left is mostly the photograph.

Elad and Aharon, "Image denoising via sparse and redundant representations over learned dictionaries", 2006.
"""

# %%
# A noisy photograph
# ------------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_sample_image
from sklearn.feature_extraction.image import reconstruct_from_patches_2d

from sparsecode import DictionaryLearning, SparseCoder
from sparsecode.datasets import load_patches
from sparsecode.metrics import psnr
from sparsecode.plotting import DictionaryDisplay

noise_level = 0.08
photograph = (load_sample_image("china.jpg") / 255.0).mean(axis=2)[100:292, 180:436]
noisy = photograph + noise_level * np.random.default_rng(0).standard_normal(photograph.shape)

# %%
# Learn the atoms
# ---------------
# The learner sees 8 × 8 patches of the noisy picture, without their mean. Each code minimises `1/2 ||x - c D||^2 +
# alpha ||c||_1`; `alpha` in units of the noise keeps the atoms from learning it.

patches = load_patches(noisy, n_patches=10_000, random_state=0)
learner = DictionaryLearning(n_components=100, alpha=4 * noise_level, max_iter=5, tol=None, random_state=0).fit(patches)
DictionaryDisplay.from_estimator(learner, order="roughness")
plt.show()

# %%
# Code every patch to the noise level
# -----------------------------------
# OMP adds atoms until the residual of a patch is as large as the noise in it, `1.15 sigma sqrt(64)`. There are
# forty-seven thousand overlapping patches; the codes come as a CSR matrix, and each carries a certificate.

everywhere = load_patches(noisy, n_patches=None, remove_mean=False)
means = everywhere.mean(axis=1, keepdims=True)
coder = SparseCoder(learner.components_, atol=1.15 * noise_level * 8, sparse_output=True)
codes = coder.fit_transform(everywhere - means)
print(f"{codes.shape[0]} patches, {codes.nnz / codes.shape[0]:.2f} atoms each")

denoised = reconstruct_from_patches_2d((codes @ learner.components_ + means).reshape(-1, 8, 8), noisy.shape)

# %%
# Before and after
# ----------------

pictures = {
    "photograph": photograph,
    f"noisy, {psnr(photograph, noisy, data_range=1):.1f} dB": noisy,
    f"denoised, {psnr(photograph, denoised, data_range=1):.1f} dB": denoised,
}
figure, axes = plt.subplots(1, 3, figsize=(13, 3.6), layout="constrained")
for ax, (title, picture) in zip(axes, pictures.items(), strict=True):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()
print(" | ".join(pictures))
