"""
An MRI slice from a quarter of its Fourier samples
==================================================

A scanner measures the Fourier transform of the slice, one sample after another, so fewer samples mean a shorter scan.
Here three quarters of them are thrown away, and the slice is recovered because it is sparse in wavelets::

    minimise over coef   ||y - F W coef||^2 / (2 n_samples)  +  sum_j weights_j alpha |coef_j|

`F` samples the Fourier transform, `W` synthesises an image from wavelet coefficients. Neither is ever a matrix: the
design is a complex :class:`scipy.sparse.linalg.LinearOperator` of shape 16 384 × 65 536, which would fill 17 GB.

Lustig, Donoho and Pauly, "Sparse MRI: the application of compressed sensing for rapid MR imaging", 2007.
"""

# %%
# Which samples
# -------------
# Low frequencies carry most of the energy, so the random sample is dense in the middle and thin at the rim.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import L1, fista
from sparsecode.datasets import load_mri
from sparsecode.designs.transforms import compose, fourier_operator, wavelet_operator
from sparsecode.metrics import psnr

image = load_mri()
rng = np.random.default_rng(0)
radius = np.hypot(*np.meshgrid(np.fft.fftfreq(256), np.fft.fftfreq(256)))
chance = (1.0 - radius / radius.max()) ** 4
scores = rng.random(chance.shape) ** (1.0 / np.maximum(chance, 1e-12))
mask = scores >= np.sort(scores.ravel())[-image.size // 4]

sampling = fourier_operator(image.shape, mask)
wavelets = wavelet_operator(image.shape)
design = compose(sampling, wavelets)
y = sampling @ image.ravel()
print(f"{mask.mean():.0%} of the samples, design of shape {design.shape}, {design.dtype}")

# %%
# Two ways back
# -------------
# Putting zeros where nothing was measured is what one product with the adjoint does. The l1 problem is solved by FISTA,
# which needs nothing but products; the coarsest approximation, which is not sparse, gets a small weight.

zero_filled = np.real(sampling.rmatvec(y)).reshape(image.shape) * mask.mean()

weights = np.ones(image.shape)
weights[:8, :8] = 0.01
alpha = 1e-4 * np.max(np.abs(design.rmatvec(y))) / y.size
result = fista(design, y, penalty=L1(alpha), penalty_weights=weights.ravel(), tol=1e-4)
recovered = np.real(wavelets @ result.coef).reshape(image.shape)
print(result)
print(f"PSNR zero-filled {psnr(image, zero_filled):.1f} dB, recovered {psnr(image, recovered):.1f} dB")

# %%
# What it looks like
# ------------------

figure, axes = plt.subplots(2, 2, figsize=(9, 9), layout="constrained")
panels = {
    "the slice": image,
    "measured frequencies": np.fft.fftshift(mask),
    f"zero-filled, {psnr(image, zero_filled):.1f} dB": zero_filled,
    f"recovered, {psnr(image, recovered):.1f} dB": recovered,
}
for ax, (title, picture) in zip(axes.flat, panels.items(), strict=True):
    ax.imshow(picture, cmap="gray", vmin=0, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()

# %%
# How good is the answer to the l1 problem itself? The duality gap says it without knowing the slice:

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.semilogy(result.history["iteration"], result.history["certificate"], marker=".")
ax.axhline(result.tol, color="grey", linestyle="--", label="tolerance")
ax.set(xlabel="iteration", ylabel="relative duality gap", title="Certified all the way")
ax.legend()
