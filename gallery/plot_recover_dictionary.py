"""
Find planted atoms again
========================

When signals really are sparse combinations of unknown atoms, dictionary learning should find those atoms: up to their
order and sign, which nothing can tell. The distance here matches learned and true atoms one to one, at the least
total cost, before it compares them.
"""

# %%
# Signals from unknown atoms
# --------------------------

import matplotlib.pyplot as plt

from sparsecode import DictionaryLearning
from sparsecode.datasets import make_dictionary_problem
from sparsecode.metrics import atom_usage, dead_fraction, dictionary_distance, dictionary_recovery, mean_max_cosine

problem = make_dictionary_problem(4000, 20, 30, 3, snr_db=30, random_state=0)

# %%
# Feed them in pieces
# -------------------
# `partial_fit` learns from one batch after another, as from a stream that never fits into memory; what it has seen is
# kept in two small matrices.

learner = DictionaryLearning(n_components=30, alpha=0.3, random_state=0)
seen, distances, recovered = [], [], []
for sweep in range(10):
    for start in range(0, 4000, 500):
        learner.partial_fit(problem.data[start : start + 500])
    seen.append(4000 * (sweep + 1))
    distances.append(dictionary_distance(problem.dictionary, learner.components_))
    recovered.append(dictionary_recovery(problem.dictionary, learner.components_))
print(f"distance {distances[-1]:.3f}, share of atoms found {recovered[-1]:.2f}")

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
axes[0].plot(seen, distances, marker=".")
axes[0].set(xlabel="signals seen", ylabel="distance to the true dictionary", ylim=(0, None))
axes[1].plot(seen, recovered, marker=".")
axes[1].set(xlabel="signals seen", ylabel="share of atoms found", ylim=(0, 1.05))

# %%
# Not matched one to one, but each true atom with the nearest one found, and how evenly the codes use what was found:

codes = learner.transform(problem.data)
print(f"mean cosine with the nearest atom {mean_max_cosine(problem.dictionary, learner.components_):.4f}")
print(
    f"each atom in {atom_usage(codes).min():.1%} to {atom_usage(codes).max():.1%} of the codes, {dead_fraction(codes):.0%} in none"
)
