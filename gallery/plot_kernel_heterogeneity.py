"""
Broad and narrow filters share the work
=======================================

Edges in photographs are sharply oriented, textures are not. A bank of filters that all have the same orientation bandwidth describes one of
them badly; a heterogeneous bank, as many filters with bandwidths from narrow to broad, codes the same picture with fewer coefficients. Here
both code photographs by convolution, and then filters are learned: they become heterogeneous by themselves.
"""

# %%
# Two banks of the same size
# --------------------------
# Log-Gabor filters, even and odd: 24 orientations of one bandwidth, or 8 orientations of three.

import matplotlib.pyplot as plt
import numpy as np
from scipy.ndimage import gaussian_filter

from sparsecode import ConvolutionalDictionaryLearning
from sparsecode.datasets import whiten_image
from sparsecode.decomposition import log_gabor_bank, orientation_bandwidth
from sparsecode.designs import ConvolutionDesign
from sparsecode.metrics import psnr
from sparsecode.plotting import DictionaryDisplay
from sparsecode.solvers.convolutional import convolutional_lasso

banks = {
    "homogeneous": log_gabor_bank(24, [np.pi / 12], 2, 12),
    "heterogeneous": log_gabor_bank(8, np.linspace(np.pi / 24, np.pi / 6, 3), 2, 12),
}
figure, axes = plt.subplots(1, 2, figsize=(9, 5), layout="constrained")
for axis, (name, bank) in zip(axes, banks.items(), strict=True):
    DictionaryDisplay.from_components(bank.reshape(len(bank), -1), n_columns=8, ax=axis)
    widths = np.degrees(orientation_bandwidth(bank))
    axis.set_title(f"{name}, {widths.min():.0f} to {widths.max():.0f} degrees")

# %%
# Photographs without their second-order statistics
# -------------------------------------------------
# Whitened, and divided by the local contrast, as the retina does.


def normalised(image):
    """Whitened, local mean removed, local contrast divided out."""
    pixels = whiten_image(image)
    pixels = pixels - gaussian_filter(pixels, 8)
    contrast = np.sqrt(gaussian_filter(pixels**2, 8))
    return pixels / np.maximum(contrast, 0.2 * contrast.mean())


photographs = np.array(
    [
        normalised(name)[row : row + 80, column : column + 80]
        for name, row, column in (("china.jpg", 150, 60), ("china.jpg", 60, 420), ("flower.jpg", 120, 250))
    ]
)

# %%
# The same strengths, both banks
# ------------------------------
# Each code is certified by its duality gap. Fewer coefficients for the same quality is the better code.

strengths = (0.1, 0.2, 0.35)
figure, axis = plt.subplots(figsize=(6, 4), layout="constrained")
curves = {}
for name, bank in banks.items():
    design = ConvolutionDesign(bank, photographs.shape[1:])
    used, quality = [], []
    for alpha in strengths:
        coded = convolutional_lasso(bank, photographs, alpha, tol=1e-3)
        shown = design.matvec(coded.coef.reshape(3, -1).T).T.reshape(photographs.shape)
        used.append(np.count_nonzero(coded.coef) / photographs.size)
        quality.append(psnr(photographs, shown))
        print(f"{name:14s} strength {alpha}: {used[-1]:.4f} coefficients a pixel, PSNR {quality[-1]:.2f} dB")
    axis.plot(used, quality, marker="o", label=name)
    curves[name] = np.array(used[::-1]), np.array(quality[::-1])
axis.set(xlabel="coefficients a pixel", ylabel="PSNR in dB")
axis.legend()

used, quality = curves["heterogeneous"]
needed = np.interp(quality[:2], *curves["homogeneous"][::-1])  # by the homogeneous bank, for the same quality
print("fewer coefficients at the same PSNR:", [f"{100 * share:.0f} %" for share in 1 - used[:2] / needed])
assert np.all(used[:2] < needed)

# %%
# Learned filters
# ---------------
# Learning starts from the homogeneous bank. What comes out is spread over bandwidths, without having been asked to.

learner = ConvolutionalDictionaryLearning(
    48, dict_init=banks["homogeneous"], alpha=0.2, max_iter=10, tol=None, code_tol=1e-2
).fit(photographs)
figure, axes = plt.subplots(1, 2, figsize=(9, 5), layout="constrained")
DictionaryDisplay.from_components(learner.components_.reshape(48, -1), n_columns=8, ax=axes[0])
for name, atoms in {**banks, "learned": learner.components_}.items():
    widths = np.degrees(orientation_bandwidth(atoms))
    axes[1].hist(widths, bins=np.linspace(0, 90, 31), alpha=0.6, label=name)
    print(f"{name:14s} bandwidths {np.median(widths):.0f} degrees, standard deviation {np.std(widths):.0f}")
axes[1].set(xlabel="orientation bandwidth in degrees", ylabel="filters")
axes[1].legend()
