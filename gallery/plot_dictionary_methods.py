"""
Four ways to learn a dictionary
===============================

The online method improves the atoms after every batch and forgets the signals; MOD and K-SVD code the whole data set before
each improvement, and never let the objective rise. On planted atoms we see how many passes each needs, what a bound on
the coherence costs, how a run that was cut goes on, and how workers that share nothing learn one dictionary.
"""

# %%
# Passes over the data
# --------------------
# 1500 signals, three of 50 atoms in each, noise at 20 dB: the problem on which K-SVD was first shown.

from functools import reduce
from pathlib import Path
from tempfile import TemporaryDirectory

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import DictionaryLearning, add_statistics, local_statistics, update_dictionary
from sparsecode.datasets import make_dictionary_problem
from sparsecode.metrics import dictionary_recovery, mutual_coherence

problem = make_dictionary_problem(1500, 20, 50, 3, snr_db=20, random_state=0)
X, truth = problem.data, problem.dictionary
common = {"coder": "omp", "n_nonzero_coefs": 3, "max_iter": 30, "tol": None, "random_state": 0}


def watched(method):
    """The learner after thirty passes, and the share of atoms found after each."""
    shares = []
    learner = DictionaryLearning(
        50,
        method=method,
        callback=lambda progress: shares.append(dictionary_recovery(truth, progress.components)),
        **common,
    )
    return learner.fit(X), shares


figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained")
for method in ("online", "mod", "ksvd", "aksvd"):
    learner, shares = watched(method)
    axes[0].plot(learner.history_["epoch"], learner.history_["objective"], label=method)
    axes[1].plot(learner.history_["epoch"], shares, label=method)
    print(f"{method}: objective {learner.objective_:.4f}, share of atoms found {shares[-1]:.2f}")
axes[0].set(xlabel="passes", ylabel="mean objective", yscale="log")
axes[1].set(xlabel="passes", ylabel="share of atoms found", ylim=(0, 1.05))
axes[1].legend()

# %%
# Atoms that keep their distance
# ------------------------------
# `max_coherence` bounds the cosine of any two atoms, by projections of their Gram matrix and rotations towards the signals.

for bound in (None, 0.6, 0.45):
    learner = DictionaryLearning(50, method="ksvd", max_coherence=bound, **common).fit(X)
    print(f"bound {bound}: coherence {mutual_coherence(learner.components_.T):.3f}, objective {learner.objective_:.4f}")

# %%
# A run that is cut
# -----------------
# With a `checkpoint` the last complete pass is on disk. The second fit goes on from there, with the same bits as a run
# that was never cut.

with TemporaryDirectory() as folder:
    path = Path(folder) / "atoms.npz"
    settings = common | {"max_iter": 10}
    DictionaryLearning(50, checkpoint=path, **settings, callback=lambda progress: progress.epoch == 4).fit(X)
    went_on = DictionaryLearning(50, checkpoint=path, **settings).fit(X)
whole = DictionaryLearning(50, **settings).fit(X)
print("equal to the last bit:", np.array_equal(went_on.components_, whole.components_))

# %%
# Workers that share nothing
# --------------------------
# What signals say about the atoms fits into one small `Statistics`, and those of parts add up: any engine can map the first function
# over its partitions and reduce with the second.

atoms = X[:50] / np.linalg.norm(X[:50], axis=1, keepdims=True)
for _ in range(30):
    parts = [local_statistics(part, atoms, n_nonzero_coefs=3) for part in np.array_split(X, 4)]
    atoms = update_dictionary(atoms, reduce(add_statistics, parts), n_sweeps=3, replace_dead=True)
print(f"share of atoms found {dictionary_recovery(truth, atoms):.2f}")
