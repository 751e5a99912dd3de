"""
A penalty learned from photographs
==================================

What is the prox of a penalty that knows photographs? A network whose output is the gradient of a convex function is always the prox of
*some* penalty. Trained to take noise off small patches, it becomes the prox of their penalty, and that penalty can stand where one of the
library's own stands, in `ista`, at any strength. Such "plug and play" with a denoiser usually comes with hope; here each step lowers an
objective, and a certificate says how far it is from a fixed point.

Fang, Buchanan and Sulam, "What's in a prior? Learned proximal networks for inverse problems", 2024.
"""

# %%
# A prox of one number
# --------------------
# For numbers that are Laplace distributed the best penalty is known: the modulus, whose prox is the soft threshold. The network is not told;
# trained on the squared error it would find the posterior mean (dotted) instead. At the kink some of the smoothing is left.

import matplotlib.pyplot as plt
import numpy as np
from scipy.sparse import identity
from sklearn.datasets import load_sample_image

from sparsecode import LearnedProximalNetwork, ista
from sparsecode.datasets import load_patches
from sparsecode.metrics import psnr

rng = np.random.default_rng(0)
numbers = rng.laplace(size=(1_000_000, 1)).astype(np.float32)
settings = {"width": 64, "match": 0.025, "n_steps": 100, "batch_size": 64, "refine_steps": 80}
scalar = LearnedProximalNetwork(1.0, **settings, random_state=0).fit(numbers)

y = np.linspace(-3, 3, 121)[:, None]
grid = np.linspace(-15, 15, 3001)
posterior = np.exp(-0.5 * (grid - y) ** 2 - np.abs(grid))
figure, axes = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
axes[0].plot(y, np.sign(y) * np.maximum(np.abs(y) - 1, 0), "k--", label="soft threshold")
axes[0].plot(y, posterior @ grid / posterior.sum(axis=1), "k:", label="posterior mean")
axes[0].plot(y, scalar.transform(y), label="learned")
axes[0].set(xlabel="y", title="prox")
axes[0].legend()
x = scalar.transform(y)
axes[1].plot(x, np.abs(x), "k--", label="modulus")
axes[1].plot(x, scalar.value(x) - scalar.value(x).min(), label="learned")
axes[1].set(xlabel="x", title="penalty")
axes[1].legend()
plt.show()

# %%
# A prox of patches
# -----------------
# Patches of one half of a photograph teach; the other half gets the noise. Their brightness stays in: it is what neighbours
# in a patch share.

photograph = (load_sample_image("china.jpg") / 255.0).mean(axis=2)
size, noise = 4, 0.1
patches = load_patches(photograph[:, :300], n_patches=3000, patch_size=(size, size), remove_mean=False, random_state=0)
center = patches.mean()
prior = LearnedProximalNetwork(noise, width=64, match=0.3, n_steps=100, batch_size=128, random_state=0)
prior.fit(patches.reshape(len(patches), -1) - center)

# %%
# One network, every lower noise level
# ------------------------------------
# A denoiser trained at one noise level knows that level alone. A penalty has a strength: at `(level / trained level)^2`, over the number of
# pixels, the solver finds the mode of the posterior at the level that is there. Each patch is a block of the coefficients, and the design
# looks at every pixel.

scene = photograph[208:304, 304:448]


def tiles(image):
    """Patches side by side, one after another."""
    return image.reshape(96 // size, size, 144 // size, size).swapaxes(1, 2).reshape(-1) - center


def picture(values):
    """The way back."""
    return (values + center).reshape(96 // size, 144 // size, size, size).swapaxes(1, 2).reshape(scene.shape)


pixels = identity(scene.size, format="csc")
figure, axes = plt.subplots(2, 2, figsize=(8, 5.5), layout="constrained")
for column, level in zip(axes.T, (noise, 0.6 * noise), strict=True):
    noisy = tiles(scene) + level * rng.standard_normal(scene.size)
    penalty = prior.penalty((level / noise) ** 2 / scene.size)
    result = ista(pixels, noisy, penalty=penalty)
    alone = picture(prior.penalty().prox(noisy, 1.0))  # as if the noise were that of the training
    print(
        f"noise {level:.2f}: {psnr(scene, picture(noisy), data_range=1):.1f} dB, solved {psnr(scene, picture(result.coef), data_range=1):.1f} dB "
        f"(denoiser alone {psnr(scene, alone, data_range=1):.1f} dB), {result.certificate_name} {result.certificate:.0e}"
    )
    for ax, (title, values) in zip(column, {"noisy": noisy, "solved": result.coef}.items(), strict=True):
        ax.imshow(picture(values), cmap="gray", vmin=0, vmax=1)
        ax.set_title(f"{title}, {psnr(scene, picture(values), data_range=1):.1f} dB")
        ax.set_axis_off()
plt.show()
