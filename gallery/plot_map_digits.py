"""
One digit into another, few pixels at a time
============================================

Handwritten threes are carried onto handwritten eights, image to image: each image is a point with 64 features, its pixels. The entropic
map goes to a mean of eights and repaints the whole image. :class:`~sparsecode.SparseMongeMap` changes the pixels that tell an eight
from a three, and leaves the hand of the writer.
"""

# %%
# Threes and eights
# -----------------

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neighbors import KNeighborsClassifier

from sparsecode import SparseMongeMap
from sparsecode.plotting import DisplacementDisplay

images, labels = load_digits(return_X_y=True)
images = images / 16.0
train, test = images[:1200], images[1200:]
threes, eights = train[labels[:1200] == 3], train[labels[:1200] == 8]
new_threes = test[labels[1200:] == 3]
judge = KNeighborsClassifier(5).fit(train, labels[:1200])

# %%
# Three maps
# ----------
# All three turn nearly every new three into what a nearest-neighbour classifier takes for an eight.
# The score, minus a distance between the moved images and the eights, is best for the entropic map: it does not ask how much was repainted.

models = {
    "entropic": SparseMongeMap("l1", 0.0),
    "l1": SparseMongeMap("l1", 0.3),
    "vanishing shrinkage": SparseMongeMap("stvs", 0.3),
}
moved = {}
for name, model in models.items():
    moved[name] = model.fit(threes, eights).transform(new_threes)
    changed = np.count_nonzero(np.abs(moved[name] - new_threes) > 1e-9, axis=1).mean()
    found = np.mean(judge.predict(moved[name]) == 8)
    print(
        f"{name}: {changed:.0f} of 64 pixels change, {found:.0%} read as eights, score {model.score(threes, eights):.3f}"
    )

figure, axes = plt.subplots(4, 8, figsize=(8, 4.4), layout="constrained")
for row, (name, made) in zip(axes, {"threes": new_threes, **moved}.items(), strict=True):
    for panel, image in zip(row, made, strict=False):
        panel.imshow(image.reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        panel.set(xticks=[], yticks=[])
    row[0].set_ylabel(name, fontsize="small")

# %%
# Which pixels
# ------------
# The strokes that close the loops of an eight, on the left.

DisplacementDisplay.from_estimator(
    models["l1"], new_threes, n_features=12, feature_names=[f"row {i}, column {j}" for i in range(8) for j in range(8)]
)
figure, panel = plt.subplots(figsize=(3.4, 3), layout="constrained")
mean = models["l1"].displacement(new_threes).mean(axis=0).reshape(8, 8)
drawn = panel.imshow(mean, cmap="RdBu_r", vmin=-abs(mean).max(), vmax=abs(mean).max())
panel.set(xticks=[], yticks=[], title="mean displacement, l1")
figure.colorbar(drawn)
plt.show()
