"""
Compress a layer by what comes out of it
========================================

A weight matrix can be made smaller by a singular value decomposition: all its columns then share one subspace. A dictionary with
column-sparse codes gives every column a subspace of its own from a common store, at the same number of bits. Either should keep the
*outputs* of the layer for the inputs that it really sees, not the weight itself, so both are fitted on calibration inputs.

Shopkhoev, Makhov, Zaytsev, Konushin and Panov, "CoSpaDi: compressing LLMs via calibration-guided sparse dictionary
learning", 2025 (arXiv 2509.22075).
"""

# %%
# Columns near a few subspaces
# ----------------------------
# The function that the estimator calls takes the Gram matrix of the inputs, and returns a `KSparseWeight` with its `Storage`.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.neural_network import MLPClassifier

from sparsecode import KSparseCompression
from sparsecode.solvers.dictionary import k_sparse_compression, storage_of, truncated_svd

rng = np.random.default_rng(0)
m, n = 64, 256
inputs = rng.standard_normal((2000, m)) @ (rng.standard_normal((m, m)) * np.arange(1, m + 1.0) ** -0.7)
bases = rng.standard_normal((8, m, 6))
weight = np.column_stack([bases[j % 8] @ rng.standard_normal(6) for j in range(n)]) + 0.1 * rng.standard_normal((m, n))
gram, outputs = inputs.T @ inputs, inputs @ weight

rates, errors = [0.2, 0.35, 0.5, 0.65], {"singular values": [], "K/s = 2": [], "K/s = 4": []}
for rate in rates:
    for ratio in (2, 4):
        result = k_sparse_compression(weight, gram, rate=rate, ratio=ratio, tol=0.05, max_iter=100, random_state=0)
        errors[f"K/s = {ratio}"].append(result.output_error)
    left, right = truncated_svd(weight, gram, int((1 - rate) * m * n / (m + n)))
    errors["singular values"].append(np.linalg.norm(outputs - inputs @ left @ right) / np.linalg.norm(outputs))

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in errors.items():
    ax.plot(rates, values, marker="o", label=name)
ax.set(xlabel="share of the bits that is saved", ylabel="error of the outputs", ylim=(0, None))
ax.legend()
plt.show()

# %%
# What a factorisation takes, in bits of 16-bit numbers: positions of the codes cost one bit for each atom and column, or an index
# for each entry, whichever is less.

print(storage_of((m, n), n_atoms=40, n_nonzero=20))

# %%
# A network that reads digits
# ---------------------------
# The estimator holds the weight, `fit` is given calibration inputs, and `transform` computes the outputs of the compressed
# layer. Here it stands in for the first layer of a small network.

digits = load_digits()
X, y = digits.data / 16.0, digits.target
network = MLPClassifier((256,), max_iter=200, random_state=0, early_stopping=True).fit(X[:1000], y[:1000])


def accuracy(hidden):
    """Of the rest of the network, on images that neither training nor calibration saw."""
    scores = np.maximum(hidden + network.intercepts_[0], 0) @ network.coefs_[1] + network.intercepts_[1]
    return np.mean(np.argmax(scores, axis=1) == y[1000:])


print(f"as it was:       {accuracy(X[1000:] @ network.coefs_[0]):.3f}")
for rate in (0.5, 0.7, 0.8):
    layer = KSparseCompression(network.coefs_[0], rate=rate, tol=0.1, max_iter=100, random_state=0).fit(X[:1000])
    left, right = truncated_svd(network.coefs_[0], X[:1000].T @ X[:1000], layer.storage_.rank)
    print(
        f"{layer.storage_.rate:.0%} of bits saved: {accuracy(layer.transform(X[1000:])):.3f}, "
        f"singular values {accuracy(X[1000:] @ left @ right):.3f}"
    )
