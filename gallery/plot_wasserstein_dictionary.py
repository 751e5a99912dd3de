"""
Joint images as mixtures of products, in Wasserstein distance
=============================================================

Each image is a distribution on a grid, and a mixture of a few blobs that are products of a distribution along the rows and one along the
columns. In every image the blobs have moved a little. Least squares and Kullback-Leibler divergence compare pixel by pixel and spread
their atoms over all places where a blob may be; transport sees that a blob has only moved.
"""

# %%
# Images of three blobs
# ---------------------

import matplotlib.pyplot as plt
import numpy as np
import ot
from scipy.optimize import linear_sum_assignment
from sklearn.decomposition import NMF

from sparsecode import WassersteinDictionary
from sparsecode.transport import GridCost

rng = np.random.default_rng(0)
side, n_images = 14, 24
places = np.array([[3.0, 3.0], [3.0, 10.0], [10.0, 6.5]])


def blob(centre, width=0.8):
    """A product of two bumps."""
    bumps = [np.exp(-0.5 * ((np.arange(side) - c) / width) ** 2) for c in centre]
    image = np.outer(*bumps)
    return image.ravel() / image.sum()


shares = rng.dirichlet([0.5] * 3, n_images)
moves = rng.uniform(-1.5, 1.5, (n_images, 3, 2))
X = np.array(
    [
        sum(s * blob(c + m) for s, c, m in zip(*row, strict=True))
        for row in zip(shares, [places] * n_images, moves, strict=True)
    ]
)

# %%
# Three dictionaries
# ------------------
# Non-negative factorisations in least squares and in Kullback-Leibler divergence, and the one in Wasserstein distance, whose atoms are
# products of distributions by construction.

model = WassersteinDictionary(3, shape=(side, side), reg=0.01, random_state=0, tol=5e-3).fit(X)
print(f"{model.status_.name} after {model.n_iter_} sweeps, {model.excess_ / n_images:.4f} above the least distance")
found = {"transport": (model.components_, model.codes_)}
for name, options in (
    ("least squares", {}),
    ("Kullback-Leibler", {"beta_loss": "kullback-leibler", "solver": "mu"}),
):
    nmf = NMF(3, init="nndsvda", max_iter=500, random_state=0, **options).fit(X)
    sizes = nmf.components_.sum(axis=1)
    codes = nmf.transform(X) * sizes
    found[name] = nmf.components_ / sizes[:, None], codes / codes.sum(axis=1, keepdims=True)

# %%
# How far the atoms are from the blobs in their mean places, and the codes from the true shares?

grid = GridCost((side, side))
cost = grid.rows(slice(None)) / grid.extent()[1]
truth = np.array([blob(centre) for centre in places])
errors = {}
for name, (atoms, codes) in found.items():
    distances = np.array([[ot.emd2(t, a / a.sum(), cost) for a in atoms] for t in truth])
    rows, order = linear_sum_assignment(distances)
    found[name] = atoms[order], codes[:, order]
    errors[name] = np.abs(codes[:, order] - shares).mean()
    print(f"{name:17s} atoms {distances[rows, order].mean():.4f}, codes {errors[name]:.3f}")
assert errors["transport"] < 0.8 * min(errors["least squares"], errors["Kullback-Leibler"])

figure, axes = plt.subplots(4, 3, figsize=(6, 8), layout="constrained")
for row, (name, atoms) in zip(axes, {"true blobs": truth, **{n: f[0] for n, f in found.items()}}.items(), strict=True):
    for panel, atom in zip(row, atoms, strict=True):
        panel.imshow(atom.reshape(side, side), cmap="magma")
        panel.set(xticks=[], yticks=[])
    row[0].set_ylabel(name)

# %%
# Some images
# -----------

figure, axes = plt.subplots(2, 6, figsize=(9, 3.2), layout="constrained")
for j, (above, below) in enumerate(axes.T):
    above.imshow(X[j].reshape(side, side), cmap="magma")
    below.imshow((model.codes_[j] @ model.components_).reshape(side, side), cmap="magma")
    for panel in (above, below):
        panel.set(xticks=[], yticks=[])
axes[0, 0].set_ylabel("image")
axes[1, 0].set_ylabel("model")
