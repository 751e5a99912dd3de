# ---
# jupyter:
#   jupytext:
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Greedy sparse coding: the same codes, sooner
#
# Each patch $x$ of a photograph is written with a few atoms of a dictionary $D$ (one atom a row):
#
# $$\min_c \; \|x - c D\|^2 \quad \text{subject to} \quad \|c\|_0 \le k .$$
#
# Two greedy rules choose the atoms one at a time. **OMP** takes the atom most correlated with the residual;
# **OLS** takes the atom whose addition lowers the residual most, which costs more and never chooses worse in that step. After
# every choice the coefficients are the least-squares fit on the atoms chosen so far.
#
# This page measures three things: how long we take relative to scikit-learn (OMP) and SPAMS (OLS), that all of them
# return codes of the same quality, and how the cost grows with each size of the problem. On one thread,
# on the machine that built this page; sizes are small unless `SPARSECODE_BENCH_SIZE=full` is set.

# %%
import os
import warnings

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before anything loads a BLAS
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import sys
from pathlib import Path

sys.path[:0] = [
    str(folder) for folder in [Path.cwd(), *Path.cwd().parents] if (folder / "benchmarks/measure.py").exists()
][:1]

import matplotlib.pyplot as plt
import numpy as np
from threadpoolctl import threadpool_limits

from benchmarks.figures import COLOURS, MARKERS, draw_costs, draw_ratios, installed, is_full, least_seconds
from benchmarks.jobs import omp as omp_job
from benchmarks.jobs._ols import ols_contest
from benchmarks.jobs._patches import china_patches, drawn_dictionary
from benchmarks.measure import Setting, race
from sparsecode import SparseCoder

threadpool_limits(1)  # also where a BLAS was loaded before this cell
FULL = is_full()
PAIRS = 20 if FULL else 6
N_SIGNALS = 20_000 if FULL else 4_000
setting = Setting(pairs=PAIRS, threads=1)

# %% [markdown]
# ## Signals and atoms
#
# Patches of 8 × 8 from scikit-learn's `china.jpg`, without their means. The atoms are other patches of the same picture,
# scaled to unit norm: no learning is involved, so the comparison needs no library's dictionary.

# %%
dictionary = drawn_dictionary(256)
figure, axes = plt.subplots(1, 2, figsize=(8, 3.4), layout="constrained")
for ax, rows, title in zip(axes, (china_patches(64), dictionary[:64]), ("64 signals", "64 of 256 atoms"), strict=True):
    scale = np.abs(rows).max(axis=1, keepdims=True)
    tiles = np.pad(
        (rows / np.where(scale > 0, scale, 1)).reshape(8, 8, 8, 8), ((0, 0), (0, 0), (0, 1), (0, 1)), constant_values=1
    )
    ax.imshow(tiles.transpose(0, 2, 1, 3).reshape(72, 72), cmap="gray", vmin=-1, vmax=1)
    ax.set_title(title)
    ax.set_axis_off()

# %% [markdown]
# ## Ratio to each peer
#
# Every contestant is given its best documented way: scikit-learn gets its Gram matrix beforehand, SPAMS gets Fortran
# arrays. Runs are interleaved (ours, peer, ours, peer, …), and one ratio is taken in each pair, so that a slow spell of the
# machine touches both. First calls, which compile, are not in these figures.

# %%
contests = {"OMP": omp_job.contest(setting, n_signals=N_SIGNALS)}
if installed("spams"):
    contests["OLS"] = ols_contest(setting, N_SIGNALS, 256, 5, ask=1.5)
    contests["OLS, 1024 atoms"] = ols_contest(setting, N_SIGNALS, 1024, 6, ask=1.5)

ratios, certificates = {}, {}
for label, contest in contests.items():
    for run in (contest.ours, *contest.peers.values()):
        run(0)
    result = race(contest, PAIRS)
    for peer in contest.peers:
        kept = result.kept(peer, contest.tol, contest.slack)
        ratios[f"{label}\nagainst {peer}"] = (peer, np.divide(result.seconds[peer], result.seconds["ours"])[kept])
    certificates[label] = {name: made[-1] for name, made in result.certificates.items()}

figure, ax = plt.subplots(figsize=(8, 0.9 + 0.8 * len(ratios)), layout="constrained")
draw_ratios(ax, ratios)
# %% [markdown]
# ## The same quality, checked by us
#
# A greedy code is good if nothing is left to gain on its support: the certificate is the largest correlation of a used
# atom with the residual, $\max_{j \in \operatorname{supp} c} |d_j^\top r| / (\|d_j\| \|x\|)$, recomputed in float64 from
# the returned codes alone. A pair in which either side misses $10^{-8}$, or in which our residual is the larger one, does not count.

# %%
width = max(map(len, certificates))
print(f"{'':{width}}  {'':12}  {'certificate':>12}  {'mean ||x - cD||^2':>18}")
for label, made in certificates.items():
    for name, (value, energy) in made.items():
        print(f"{label:{width}}  {name:12}  {value:12.1e}  {energy:18.10f}")

# %% [markdown]
# What the two rules buy, at each sparsity level: OLS leaves a little less residual than OMP with as many atoms.

# %%
levels = np.arange(1, 11)
patches = china_patches(N_SIGNALS)
total = np.sum(patches**2)
figure, ax = plt.subplots(figsize=(6, 3.6), layout="constrained")
for rule, style in (("omp", "--"), ("ols", "-")):
    left = []
    for level in levels:
        codes = SparseCoder(dictionary, algorithm=rule, n_nonzero_coefs=int(level)).fit(patches[:1]).transform(patches)
        left.append(np.sum((patches - codes @ dictionary) ** 2) / total)
    ax.semilogy(levels, left, style, marker=MARKERS["ours"], color=COLOURS["ours"], label=rule.upper())
ax.set_xlabel("atoms a patch, $k$")
ax.set_ylabel("energy left in the residual")
ax.legend(frameon=False)
ax.spines[["top", "right"]].set_visible(False)
# %% [markdown]
# ## Cost against size
#
# Least time of a few calls, on log axes; the exponent in the legend is the slope of the line fitted through the points. With the Gram matrix
# formed once, a step of OMP costs one row of it a chosen atom, so we expect about $O(n\,K\,(d + k^2))$ for $n$
# signals, $K$ atoms, $d$ pixels and $k$ atoms each: exponents of one in $n$ and at most one in $K$, and between one and two in $k$. Exponents
# below those say that fixed costs still count at these sizes.

# %%
atoms_of = {count: drawn_dictionary(count) for count in (128, 256, 512, 1024)}


def cost(n_signals, n_atoms, n_nonzero, rule):
    """Seconds of ours, and of SPAMS where it has the rule."""
    signals, atoms = china_patches(n_signals), atoms_of[n_atoms]
    coder = SparseCoder(atoms, algorithm=rule, n_nonzero_coefs=n_nonzero, sparse_output=True, n_jobs=1).fit(signals[:1])
    found = {"ours": least_seconds(lambda: coder.transform(signals))}
    if rule == "ols" and installed("spams"):
        import spams

        X, D = np.asfortranarray(signals.T), np.asfortranarray(atoms.T)
        found["SPAMS"] = least_seconds(lambda: spams.omp(X, D, L=n_nonzero, eps=0.0, numThreads=1))
    if rule == "omp":
        from sklearn.linear_model import orthogonal_mp_gram

        part = signals[: max(100, n_signals // 20)]  # it takes long: a part of the signals, scaled up
        seconds = least_seconds(
            lambda: orthogonal_mp_gram(atoms @ atoms.T, atoms @ part.T, n_nonzero_coefs=n_nonzero), 1
        )
        found["scikit-learn"] = seconds * n_signals / part.shape[0]
    return found


n = N_SIGNALS
sweeps = {
    "signals": [((size, 256, 5), size) for size in (n // 4, n // 2, n, 2 * n)],
    "atoms": [((n, size, 5), size) for size in atoms_of],
    "atoms a code": [((n, 256, size), size) for size in (2, 4, 8, 16)],
}

figure, axes = plt.subplots(2, 3, figsize=(11, 6.4), layout="constrained")
with warnings.catch_warnings():
    warnings.simplefilter("ignore", RuntimeWarning)  # scikit-learn, on patches that are constant
    for row, rule in zip(axes, ("omp", "ols"), strict=True):
        for ax, (size_name, points) in zip(row, sweeps.items(), strict=True):
            measured = [cost(*arguments, rule) for arguments, _ in points]
            curves = {name: [each[name] for each in measured] for name in measured[0]}
            draw_costs(ax, [size for _, size in points], curves, size_name)
            ax.set_title(rule.upper(), loc="left", fontsize=10)

# %% [markdown]
# ## Reading
#
# * The ratios above compare *finished, certified* codes through the public estimator, validation included.
# * The cost of every method is linear in the number of signals; what differs is the constant, and how it grows with the
#   dictionary and with the number of atoms a code.
# * `make bench` repeats the first figure at 20 000 signals, on one thread and on all, and writes the table in the README.
