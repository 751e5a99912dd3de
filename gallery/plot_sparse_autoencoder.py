"""
Sparse autoencoders and their activations
=========================================

An encoder with one matrix product and one prox step gives the code of a signal at once, where dictionary learning solves a problem for
each. Which prox makes the difference: the activation of a sparse autoencoder is a penalty, and its codes have what the
penalty asks for.
"""

# %%
# Features of two directions
# --------------------------
# Signals of three out of 48 planted features each. In the first set features only add; in the second they come with either sign,
# as "more" and "less" of something. TopK keeps the largest positive pre-activations, the projection on
# ``{||z||_0 <= k, z >= 0}``, and needs two latents for a feature of two directions. AbsTopK keeps the largest in modulus, the
# projection on ``{||z||_0 <= k}``, and needs one.

import tempfile
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import L1, L0Ball, SparseAutoencoder
from sparsecode.datasets import load_activations, make_planted_features
from sparsecode.metrics import variance_unexplained
from sparsecode.plotting import ParetoDisplay

for signed in (False, True):
    planted = make_planted_features(4000, 32, 48, n_active=3, signed=signed, random_state=0)
    X = planted.data.astype(np.float32)
    curves = {
        f"{name}, {size} latents": [
            SparseAutoencoder(
                size, activation=name, n_nonzero_coefs=k, batch_size=200, max_iter=20, random_state=0
            ).fit(X)
            for k in (2, 3, 5)
        ]
        for name, size in (("topk", 48), ("topk", 96), ("abstopk", 48))
    }
    display = ParetoDisplay.from_estimators(curves, X, dictionary_true=planted.dictionary)
    display.figure_.suptitle("features of either sign" if signed else "features that only add")
    plt.show()

# %%
# A name is a shorthand for a prox: any separable penalty of the library does, and so does the l0 ball.

by_name = SparseAutoencoder(96, activation="abstopk", n_nonzero_coefs=3, max_iter=2, random_state=0).fit(X)
by_prox = SparseAutoencoder(96, activation=L0Ball(3), max_iter=2, random_state=0).fit(X)
by_penalty = SparseAutoencoder(96, activation=L1(0.3), max_iter=2, random_state=0).fit(X)
print(np.array_equal(by_name.components_, by_prox.components_), np.count_nonzero(by_penalty.transform(X)) / len(X))

# %%
# Activations of a network
# ------------------------
# What enters the second layer of a small network that was trained to tell digits apart. A fixed number of entries for every signal is
# easy to ask for; "batchtopk" and "jumprelu" have the number on average and give signals that need more their share, and
# "feature_choice" gives every latent its share, so that none is dead, for which a small data set pays in error. The l1 price of "relu"
# also shrinks what it keeps, which shows in the error too.

X = load_activations("digits", random_state=0).data.astype(np.float32)
train, test = X[::2], X[1::2]
given = {"n_components": 256, "batch_size": 128, "max_iter": 40, "random_state": 0}
curves = {
    name: [SparseAutoencoder(activation=name, n_nonzero_coefs=k, **given).fit(train) for k in (4, 8, 16)]
    for name in ("topk", "batchtopk", "jumprelu", "feature_choice")
}
size = np.sqrt(np.mean((train - train.mean(axis=0)) ** 2))
curves["relu"] = [
    SparseAutoencoder(activation="relu", alpha=price * size, **given).fit(train) for price in (3.0, 2.0, 1.2)
]
ParetoDisplay.from_estimators(curves, test)
plt.show()
for name, models in curves.items():
    dead = np.mean(models[1].density_ < 1e-3)
    print(f"{name:15s} {dead:.0%} of the latents are silent, relative gradient norm {models[1].certificate_:.1e}")

# %%
# What one product gives away
# ---------------------------
# `encode` proves for each code how far it is from the best one on its own support; orthogonal matching pursuit on the same
# atoms shows what a search would find.

from sparsecode import SparseCoder

model = curves["topk"][1]
result = model.encode(test)
search = SparseCoder(model.components_, n_nonzero_coefs=8)
pursued = search.transform(test - model.intercept_) @ model.components_ + model.intercept_
error = variance_unexplained(test, model.inverse_transform(result.coef))
print(f"{result.certificate_name}: median {np.median(result.certificate):.3f}")
print(f"unexplained: {error:.3f} by the encoder, {variance_unexplained(test, pursued):.3f} by pursuit")

# %%
# Signals that do not fit into memory
# -----------------------------------
# A memory-map is read batch by batch, and a stream needs no file at all. With a checkpoint, a run that was cut goes on with the same
# bits as if it never had been.

with tempfile.TemporaryDirectory() as folder:
    np.save(Path(folder) / "activations.npy", train)
    mapped = np.load(Path(folder) / "activations.npy", mmap_mode="r")
    file = Path(folder) / "run.npz"
    given |= {"n_nonzero_coefs": 8, "max_iter": 10}
    SparseAutoencoder(checkpoint=file, callback=lambda progress: progress.epoch == 4, **given).fit(mapped)
    resumed = SparseAutoencoder(checkpoint=file, **given).fit(mapped)
whole = SparseAutoencoder(**given).fit(train)
print(np.array_equal(whole.components_, resumed.components_))
