"""
Greedy pursuits that move whole supports
========================================

Orthogonal matching pursuit adds one column after another and never takes one back: a wrong column early stays for good.
Its relatives take several columns at once and cut at the end (:func:`~sparsecode.gomp`), take all that stand out of the
noise (:func:`~sparsecode.stomp`), or revise the whole support pass by pass (:func:`~sparsecode.cosamp`,
:func:`~sparsecode.subspace_pursuit`). Where many targets share one support, :func:`~sparsecode.somp` looks at all of
them before it takes a column.
"""

# %%
# Equal magnitudes: hard for one column at a time
# -----------------------------------------------
# Twenty entries of magnitude one out of 400, measured 100 times, without noise. No entry stands out, so OMP is soon
# wrong, and then stays wrong.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import (
    CoSaMP,
    GeneralizedOMP,
    OrthogonalMatchingPursuit,
    SimultaneousOMP,
    StagewiseOMP,
    SubspacePursuit,
    cosamp,
    gomp,
    omp,
    somp,
    stomp,
    subspace_pursuit,
)
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import support_precision, support_recall
from sparsecode.plotting import RecoveryDisplay

problem = make_sparse_recovery(100, 400, 20, coef="sign", random_state=0)
A, y, truth = problem.design, problem.target, problem.coef

solves = {
    "OMP": lambda: omp(A, y, n_nonzero=20),
    "gOMP": lambda: gomp(A, y, 20, n_select=2),
    "StOMP": lambda: stomp(A, y, threshold=2.5),
    "CoSaMP": lambda: cosamp(A, y, 20),
    "SP": lambda: subspace_pursuit(A, y, 20),
}
results = {name: solve() for name, solve in solves.items()}
print(f"{'':8}{'precision':>9} {'recall':>6} {'passes':>6} {'residual':>9}   {'status':10} {'certificate':>11}")
for name, result in results.items():
    residual = np.linalg.norm(y - A @ result.coef) / np.linalg.norm(y)
    print(
        f"{name:8}{support_precision(truth, result.coef):9.2f} {support_recall(truth, result.coef):6.2f}"
        f" {result.n_iter:6} {residual:9.1e}   {result.status.name:10} {result.certificate:11.1e}"
    )

# %%
# Every answer is certified: least squares on its support leaves nothing undone. That the *support* is right is another
# matter, and no certificate of a greedy method says so. Here the residual does: without noise it falls to rounding only
# where all columns were found.

figure, axes = plt.subplots(1, 2, figsize=(11, 4), layout="constrained")
for name, result in results.items():
    residuals = np.maximum(result.history["residual"], 1e-16)
    axes[0].semilogy(range(len(residuals)), residuals, marker="o", markersize=3, label=name)
axes[0].set(xlabel="pass", ylabel="relative residual norm")
axes[0].legend()
for name in ("gOMP", "StOMP", "CoSaMP", "SP"):
    axes[1].plot(results[name].history["n_nonzero"], marker="o", markersize=3, label=name)
axes[1].plot(range(21), color="tab:blue", label="OMP")
axes[1].axhline(20, color="gray", linestyle=":")
axes[1].set(xlabel="pass", ylabel="columns in the fit")
axes[1].legend()

figure, axes = plt.subplots(2, 1, figsize=(9, 5), layout="constrained", sharex=True, sharey=True)
for ax, name in zip(axes, ("OMP", "SP"), strict=True):
    RecoveryDisplay.from_result(results[name], truth, ax=ax)
    ax.set_ylabel(name)

# %%
# How often, over 30 problems: with magnitudes of one, and with normal ones, where large entries come first and OMP does
# well.

print(f"{'':14}" + "".join(f"{name:>8}" for name in solves))
for law in ("sign", "gaussian"):
    found = dict.fromkeys(solves, 0)
    for seed in range(30):
        problem = make_sparse_recovery(100, 400, 20, coef=law, random_state=seed)
        A, y, truth = problem.design, problem.target, problem.coef
        for name, solve in solves.items():
            found[name] += np.linalg.norm(solve().coef - truth) < 1e-3 * np.linalg.norm(truth)
    print(f"{law:14}" + "".join(f"{count / 30:8.2f}" for count in found.values()))

# %%
# One support for many targets
# ----------------------------
# Sensors that see the same few sources, at 3 dB signal-to-noise ratio: each column of the target has coefficients of its
# own on one common support. One by one, OMP misses it almost always. :func:`~sparsecode.somp` adds up what all targets
# say about a column, and so does any of the others with ``joint=True``.

counts = [1, 2, 4, 8, 16, 32]
trials = 40
rates = {"SOMP": [], "SP, joint": [], "OMP, one by one": []}
for n_targets in counts:
    hits = dict.fromkeys(rates, 0.0)
    for seed in range(trials):
        problem = make_sparse_recovery(
            40, 120, 5, n_targets=n_targets, joint_support=True, snr_db=3, random_state=[seed, n_targets]
        )
        A, Y, mask = problem.design, problem.target, problem.coef != 0
        hits["SOMP"] += np.all(somp(A, Y, n_nonzero=5).support == mask)
        hits["SP, joint"] += np.all(subspace_pursuit(A, Y, 5, joint=True).support == mask)
        hits["OMP, one by one"] += np.mean(np.all(omp(A, Y, n_nonzero=5).support == mask, axis=0))
    for name, rate in rates.items():
        rate.append(hits[name] / trials)

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name, rate in rates.items():
    ax.plot(counts, rate, marker="o", label=name)
ax.set(xlabel="targets", ylabel="share of supports found exactly", xscale="log", ylim=(-0.02, 1.02))
ax.set_xticks(counts, counts)
ax.legend()
for name, rate in rates.items():
    print(f"{name:16}" + "".join(f"{value:6.2f}" for value in rate))

# %%
# With scikit-learn's face
# ------------------------
# Each has an estimator, with an intercept, sample weights, and everything else that scikit-learn expects.

rng = np.random.default_rng(0)
X = rng.standard_normal((200, 100))
target = X[:, [3, 30, 60]] @ [2.0, -1.0, 1.5] + 4.0 + 0.3 * rng.standard_normal(200)
models = [
    OrthogonalMatchingPursuit(3),
    GeneralizedOMP(3),
    StagewiseOMP(threshold=3.5),
    CoSaMP(3),
    SubspacePursuit(3),
]
for model in models:
    model.fit(X, target)
    print(
        f"{type(model).__name__:26} {model.support_.tolist()}  intercept {model.intercept_:.2f}  R2 {model.score(X, target):.3f}"
    )
both = SimultaneousOMP(3).fit(X, np.column_stack([target, -target + 0.3 * rng.standard_normal(200)]))
print(f"{'SimultaneousOMP':26} {sorted(both.result_.history['selected'])}  for both targets")
