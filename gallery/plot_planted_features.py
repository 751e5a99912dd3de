"""
Which features a sparse autoencoder finds
=========================================

A feature that never comes without another one is hard to tell from their sum. An autoencoder that is judged by its error alone learns the sum:
one entry says what would take two. With planted features this can be seen, and what helps can be measured: atoms that are
kept apart, an encoder that looks again at what is left, first latents that must do without the others.
"""

# %%
# Parents and children
# --------------------
# 128 features in 64 dimensions: 25 parents with four children each, and three on their own. At most one child of a parent is on, and none
# without its parent. Every model gets 128 latents and codes of six entries, twice as many as features are on.

import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import SparseAutoencoder
from sparsecode.datasets import make_planted_features
from sparsecode.metrics import absorption, match_atoms, variance_unexplained

planted = make_planted_features(
    12_000, 64, 128, n_active=3, n_parents=25, n_children=4, random_state=0, dtype=np.float32
)
train, test, code = planted.data[:10_000], planted.data[10_000:], planted.code[10_000:]
given = {"n_nonzero_coefs": 6, "max_iter": 30, "batch_size": 256, "learning_rate": 0.01, "random_state": 0}
kinds = {
    "TopK": {},
    "orthogonal": {"structure": "orthogonal"},
    "matching pursuit": {"structure": "matching_pursuit"},
    "the same, atoms not kept apart": {"structure": "matching_pursuit", "orthogonality": 0.0},
}
models = {name: SparseAutoencoder(128, **given, **kind).fit(train) for name, kind in kinds.items()}

# %%
# Rows are planted features, columns the latents they are matched with. A streak above the diagonal: latents of children that have the direction of
# their parent as well, so that they are sums. The error does not tell: matching pursuit that may learn sums has the lowest one, and
# finds less than half of what it finds where atoms are kept apart.

figure, axes = plt.subplots(1, 4, figsize=(14, 4), layout="constrained")
for ax, (name, model) in zip(axes, models.items(), strict=True):
    matches, cosines = match_atoms(planted.dictionary, model.components_, signed=True)
    image = ax.imshow(planted.dictionary @ model.components_[matches].T, vmin=-1, vmax=1, cmap="RdBu_r")
    codes = model.transform(test)
    error = variance_unexplained(test, model.inverse_transform(codes))
    silent = absorption(code, codes, planted.parents, matches)
    ax.set(xlabel="matched latent", title=f"{name}\n{np.sum(cosines > 0.95)} of 128 found, error {error:.3f}")
    print(f"{name:32s} parent silent while its child is on: {silent:.0%}")
axes[0].set_ylabel("planted feature (parents first)")
figure.colorbar(image, ax=axes[-1], label="cosine")
plt.show()

# %%
# General latents first
# ---------------------
# A Matryoshka autoencoder reconstructs from its first latents alone as well, so these do without the others; one with a hierarchy of budgets
# reconstructs from its largest entries alone, so a code may be cut after training to what there is room for.

nested = {"flat": models["TopK"]}
nested |= {name: SparseAutoencoder(128, structure=name, **given).fit(train) for name in ("matryoshka", "hierarchical")}
figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, model in nested.items():
    codes = model.transform(test)
    ranks = np.argsort(np.argsort(-codes, axis=1), axis=1)
    first = [
        variance_unexplained(test, model.inverse_transform(codes * (np.arange(128) < m))) for m in range(8, 129, 8)
    ]
    largest = [variance_unexplained(test, model.inverse_transform(codes * (ranks < k))) for k in range(1, 7)]
    axes[0].plot(range(8, 129, 8), first, marker="o", label=name)
    axes[1].plot(range(1, 7), largest, marker="o", label=name)
axes[0].set(xlabel="latents, from the first", ylabel="unexplained")
axes[1].set(xlabel="entries of a code, from the largest", ylabel="unexplained")
axes[0].legend()
plt.show()

# %%
# From one layer to another
# -------------------------
# A transcoder reconstructs something else than its input, such as what a layer makes of it: here the planted features as another
# dictionary shows them. Its latents say which input direction leads to which output direction.

outputs = planted.code @ np.random.default_rng(1).standard_normal((128, 10)).astype(np.float32)
transcoder = SparseAutoencoder(128, structure="transcoder", **given).fit(train, outputs[:10_000])
made = transcoder.inverse_transform(transcoder.transform(test))
print(f"unexplained of the outputs: {variance_unexplained(outputs[10_000:], made):.3f}")

# %%
# Measured on more features
# -------------------------
# 256 features in 64 dimensions, as measured by ``python benchmarks/autoencoder_quality.py``: how many of them each kind finds. The signed features
# come with either sign; codes without signs need two latents for what AbsTopK finds with one.

measured = json.loads(Path("autoencoder_quality.json").read_text())
figure, axes = plt.subplots(1, 2, figsize=(11, 3.6), layout="constrained")
for ax, (name, fits) in zip(axes, measured.items(), strict=True):
    found = [np.mean([fit["found"] for fit in each]) for each in fits.values()]
    bars = ax.barh(list(fits), found, color="#0072B2")
    ax.bar_label(bars, [f"{count:.0f}" for count in found], padding=3)
    ax.set(xlim=(0, 285), xlabel="features found, of 256", title=name)
    ax.invert_yaxis()
plt.show()
