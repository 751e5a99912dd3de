"""
Neighbours from sparse codes
============================

An embedding is dense: to find what is near, a query is compared with everything in all its features. A sparse code has few entries of many,
so an inverted index looks only at what shares one with the query. Cutting an embedding down to its first principal components
makes it as cheap, but forgets who was near whom; codes that are trained to keep that do better.

Wen and others, "Beyond Matryoshka: revisiting sparse coding for adaptive representation", 2025 (arXiv 2503.01776).
"""

# %%
# Embeddings and their neighbours
# -------------------------------
# 1400 handwritten digits to search in and 397 to search with. The truth is who is near by all 64 features.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors

from sparsecode import ContrastiveSparseRepresentation, InvertedIndex
from sparsecode.metrics import neighbour_recall

digits = load_digits()
order = np.random.default_rng(0).permutation(len(digits.data))
corpus, queries = digits.data[order[:1400]] / 16, digits.data[order[1400:]] / 16
names, names_of_queries = digits.target[order[:1400]], digits.target[order[1400:]]


def dense_neighbours(corpus, queries):
    return NearestNeighbors(n_neighbors=10, metric="cosine").fit(corpus).kneighbors(queries)[1]


center = corpus.mean(axis=0)
true = dense_neighbours(corpus - center, queries - center)

# %%
# As many numbers, other neighbours
# ---------------------------------
# k principal components against codes of k entries: of the ten true neighbours, how many are among the ten found? With ``contrast=0``
# the codes are those of a plain autoencoder.

budgets = [4, 8, 16]


def sparse_neighbours(k, **options):
    model = ContrastiveSparseRepresentation(n_nonzero_coefs=k, sparse_output=True, random_state=0, **options)
    model.fit(corpus)
    index = InvertedIndex(model.transform(corpus))
    return index.query(model.transform(queries))[1]


recall = {"principal components": [], "autoencoder": [], "contrastive": []}
for k in budgets:
    pca = PCA(k, svd_solver="full").fit(corpus)
    truncated = dense_neighbours(pca.transform(corpus), pca.transform(queries))
    recall["principal components"].append(neighbour_recall(true, truncated))
    recall["autoencoder"].append(neighbour_recall(true, sparse_neighbours(k, contrast=0.0, max_iter=30)))
    recall["contrastive"].append(neighbour_recall(true, sparse_neighbours(k)))

figure, ax = plt.subplots(figsize=(6, 4), layout="constrained")
for name, values in recall.items():
    ax.plot(budgets, values, "o-", label=name)
ax.set(xlabel="active numbers of a signal", ylabel="recall of 10 neighbours", xticks=budgets, ylim=(0, 1))
ax.legend()
plt.show()

for k, *values in zip(budgets, *recall.values(), strict=True):
    print(f"{k:2d} active: " + ", ".join(f"{name} {value:.3f}" for name, value in zip(recall, values, strict=True)))
assert np.all(np.array(recall["contrastive"]) > recall["principal components"])

# %%
# Labels as positives
# -------------------
# Where it is known what should be near, say so: digits of a kind. Four active latents then do for a search by kind.

for positives, y in (("neighbours", None), ("labels", names)):
    model = ContrastiveSparseRepresentation(
        n_nonzero_coefs=4, positives=positives, max_iter=20, sparse_output=True, random_state=0
    )
    index = InvertedIndex(model.fit(corpus, y).transform(corpus))
    scores, found = index.query(model.transform(queries))
    print(
        f"positives={positives!r}: {np.mean(names[found] == names_of_queries[:, None]):.3f} of the neighbours of the kind, {index}"
    )
