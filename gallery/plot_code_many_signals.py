"""
Code more signals than fit into memory
======================================

Coding a million patches is a stream: signals come in, a few numbers for each go out. The batch functions below
:class:`~sparsecode.SparseCoder` give the codes chunk by chunk, so memory holds one chunk of codes at a time.
"""

# %%
# A fixed dictionary
# ------------------
# Products of cosines, four times as many as a patch has pixels: the atoms that image coders know.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode.datasets import load_patches
from sparsecode.decomposition import overcomplete_dct
from sparsecode.plotting import DictionaryDisplay
from sparsecode.solvers.greedy import SparseCodes, batch_omp, codes_to_csr, iter_batch_omp

atoms = overcomplete_dct(64, 256, two_dimensional=True)
DictionaryDisplay.from_components(atoms)
plt.show()

# %%
# Codes as a stream
# -----------------
# Each chunk is a :class:`~sparsecode.solvers.greedy.SparseCodes`: the atoms of each signal in the order in which they
# were chosen, their values, and the squared residual. Here every patch gets as many atoms as it needs for an error of 3 %
# of the range from black to white, but at most 32: leaves and roof tiles are as good as noise to cosines.

patches = load_patches(n_patches=40_000, random_state=0)
limit = 0.03 * np.sqrt(64)

n_atoms_used, done = [], 0
for codes in iter_batch_omp(atoms, patches, n_nonzero=32, atol=limit, chunk=8192):
    n_atoms_used.append(codes.counts)
    done += codes.counts.size
    reached = codes.sq_residuals <= limit**2
    print(f"{done:6} patches, {codes.counts.mean():.2f} atoms on average, {reached.mean():.1%} within the limit")

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
ax.hist(np.concatenate(n_atoms_used), bins=np.arange(34) - 0.5, rwidth=0.8)
ax.set(xlabel="atoms of a patch", ylabel="patches", title="Sky is simple, leaves are not")

# %%
# Codes as a matrix
# -----------------
# :func:`~sparsecode.solvers.greedy.codes_to_csr` gathers chunks into one sparse matrix, row after row. The OLS rule looks
# at what an atom adds after the fit, and leaves a slightly smaller error with the same number.

for selection in ("omp", "ols"):
    few: SparseCodes = batch_omp(atoms, patches[:10_000], n_nonzero=5, selection=selection)
    matrix = codes_to_csr(few, n_atoms=256)
    error = np.linalg.norm(patches[:10_000] - matrix @ atoms) / np.linalg.norm(patches[:10_000])
    print(f"{selection}: {matrix.shape[0]} x {matrix.shape[1]} with {matrix.nnz} entries, relative error {error:.4f}")
