"""
Judge learned coders by planted features
========================================

A learned coder is asked for features, and trained on a reconstruction. The two are not the same: codes with more entries always
reconstruct better, and a latent that means "this and that together" saves an entry wherever both are on. So plant features, and count
those that come back.
"""

# %%
# Planted features
# ----------------
# 48 features in 32 dimensions, three of them in a signal on average. The first eight are parents, each with four children that exclude one
# another and never come without their parent.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import SparseAutoencoder
from sparsecode.datasets import load_activations, make_planted_features
from sparsecode.metrics import absorption, match_atoms, mean_max_cosine, variance_unexplained
from sparsecode.plotting import ParetoDisplay

planted = make_planted_features(9000, 32, 48, n_active=3, n_parents=8, n_children=4, dtype=np.float32, random_state=0)
train, test, code_test = planted.data[:8000], planted.data[8000:], planted.code[8000:]

# %%
# Two kinds of coder at four budgets: one product and the k largest entries, and k steps of matching pursuit.

common = {"max_iter": 30, "batch_size": 256, "learning_rate": 1e-2, "random_state": 0}
kinds = {"TopK": {}, "matching pursuit": {"structure": "matching_pursuit", "orthogonality": 0.0}}
budgets = [2, 4, 8, 16]
coders = {
    name: [SparseAutoencoder(48, n_nonzero_coefs=k, **kind, **common).fit(train) for k in budgets]
    for name, kind in kinds.items()
}
display = ParetoDisplay.from_estimators(coders, test, dictionary_true=planted.dictionary, signed=True)
plt.show()

# %%
# The error on the left falls and falls. The features on the right come and go: with too few entries latents stand for whole
# combinations, with too many the code can afford any basis that reconstructs. And the pursuit, whose error is lower at every budget, finds
# fewer features than TopK finds at its best. Nothing on the left tells where that is.

errors = {name: curve.error for name, curve in display.curves.items()}
found = {name: curve.recovery for name, curve in display.curves.items()}
assert np.all(errors["matching pursuit"] < errors["TopK"])
assert np.max(found["matching pursuit"]) < np.max(found["TopK"])
assert np.argmax(found["TopK"]) < len(budgets) - 1

# %%
# What a child takes from its parent
# ----------------------------------
# A latent that means "parent and child" lets the latent of the parent be silent: one entry saved, and the parent's latent no longer
# means the parent. `match_atoms` says which latent stands for which feature, `absorption` how often that happens.

for name, kind in coders.items():
    for k, coder in zip(budgets, kind, strict=True):
        codes = coder.transform(test)
        matches, cosines = match_atoms(planted.dictionary, coder.components_, signed=True)
        print(
            f"{name:>16} {k:2d}: unexplained {variance_unexplained(test, coder.inverse_transform(codes)):.3f}, "
            f"mean cosine {np.mean(cosines):.2f}, parents silent beside a child {absorption(code_test, codes, planted.parents, matches):.2f}"
        )

# %%
# Where nothing is planted
# ------------------------
# Real data have no list of their features. What remains is to plant some that are like them, and to ask which latents two different
# starts agree on. Here for activations of a small network that was trained to clear patches of a photograph of noise.

activations = load_activations("patches", 4000, n_units=64, dtype=np.float32, random_state=0).data
common["max_iter"] = 15
runs = [
    [
        SparseAutoencoder(128, n_nonzero_coefs=k, **{**common, "random_state": seed}).fit(activations[:3500])
        for k in (4, 8, 16)
    ]
    for seed in (0, 1)
]
ParetoDisplay.from_estimators({"activations": runs[0]}, activations[3500:])
plt.show()
for k, one, other in zip((4, 8, 16), *runs, strict=True):
    print(
        f"{k:2d} entries: {mean_max_cosine(one.components_, other.components_, signed=True):.2f} mean cosine with another start"
    )
