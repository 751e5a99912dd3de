"""
Twenty images teach a prior
===========================

A code that is the product of a texture and a Gaussian number: `compound_gaussian` finds both by turns, a ridge regression and steps in the textures.
What the textures are like is a matter of the prior, and the usual one says that most are zero. `CompoundGaussianNetwork` keeps the ridge
regression, which knows the measurements, and learns the prior: a small convolutional network moves the textures instead. As the physics is not
to be learned, twenty images are enough.

Needs torch: ``pip install 'sparsecode[torch]'``.

Lyons, Raj and Cheney, "Deep regularized compound Gaussian network for solving linear inverse problems", 2024.
"""

# %%
# Digits from a third of the numbers
# ----------------------------------
# Images of 64 pixels are seen through 20 random sums each. The atoms of the network are the columns of that matrix, and the codes are the pixels.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sparsecode import CompoundGaussianNetwork, compound_gaussian, lasso

rng = np.random.default_rng(0)
images = load_digits().data[rng.permutation(1797)[:120]].astype(np.float32) / 16
matrix = (rng.standard_normal((20, 64)) / np.sqrt(20)).astype(np.float32)
teaching, unseen = images[:20], images[20:]
measured = unseen @ matrix.T

# %%
# Two priors and a start
# ----------------------
# The back-projection is where layers begin. LASSO and compound Gaussians, at the best of some strengths, make few pixels large; digits have
# many.

ALPHAS = (0.003, 0.01, 0.03)


def error(found):
    """Mean absolute error of pixels."""
    return float(np.abs(found - unseen).mean())


def best(solve):
    """Images at the strength of the least error, which a user would not know."""
    tried = [np.array([solve(y, alpha).coef for y in measured]) for alpha in ALPHAS]
    return min(tried, key=error)


found = {"back-projection": np.clip(measured @ matrix / np.sum(matrix**2, axis=0), 0, 1)}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    found["LASSO"] = best(lambda y, alpha: lasso(matrix, y, alpha))
    found["compound Gaussian"] = best(lambda y, alpha: compound_gaussian(matrix, y, alpha, max_iter=30))

# %%
# Layers with the same prior
# --------------------------
# With ``regulariser="prox"`` two numbers a step are learned, and with `learn_prior` a variance for each pixel: no network, no torch.

settings = {"n_texture_steps": 2, "random_state": 0}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    few = CompoundGaussianNetwork(matrix.T, regulariser="prox", learn_prior=True, learning_rate=0.05, **settings)
    found["layers, prox"] = few.fit(teaching @ matrix.T, teaching).transform(measured)

# %%
# Layers with a network
# ---------------------
# A convolutional network for each step, smaller than the default, and not trained to the end: the error of unseen images hardly falls any more.

model = CompoundGaussianNetwork(matrix.T, image_shape=(8, 8), n_channels=16, max_iter=80, **settings)
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    found["layers, network"] = model.fit(teaching @ matrix.T, teaching).transform(measured)

for name, pictures in found.items():
    print(f"{name:18s} {error(pictures):.3f}")

# %%

figure, axes = plt.subplots(len(found) + 1, 8, figsize=(7, 6), layout="constrained")
for row, (name, pictures) in zip(axes, {"truth": unseen, **found}.items(), strict=True):
    row[0].set_ylabel(name, rotation=0, ha="right", va="center")
    for ax, picture in zip(row, pictures, strict=False):
        ax.imshow(picture.reshape(8, 8), cmap="gray", vmin=0, vmax=1)
        ax.set(xticks=[], yticks=[])

# %%
# The loss of the twenty images goes on falling; nothing is proved of any answer, and images of another kind would be drawn as digits.

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
ax.plot(model.history_["step"], model.history_["loss"])
ax.set(xlabel="step", ylabel="error, of images of zeros")

assert error(found["layers, network"]) < 0.65 * error(found["LASSO"])
assert error(found["layers, network"]) < 0.65 * error(found["compound Gaussian"])
assert error(found["layers, prox"]) < 0.9 * error(found["LASSO"])
