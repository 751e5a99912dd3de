"""
Four ways to find a sparse vector, and how each proves its answer
=================================================================

A vector with 12 non-zero entries out of 400 is measured 120 times, with a little noise. Greedy pursuit and hard
thresholding are told how many entries to look for; the l1 methods are told a strength instead. Every one of them
returns a :class:`~sparsecode.SolveResult` with a certificate.
"""

# %%
# A planted problem
# -----------------

import time

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import L1, L0Ball, alpha_max, fista, iht, ista, lasso, omp
from sparsecode.datasets import make_sparse_recovery
from sparsecode.metrics import nmse, support_f1, support_precision, support_recall
from sparsecode.plotting import RecoveryDisplay

problem = make_sparse_recovery(120, 400, 12, coef="gaussian", snr_db=40, random_state=0)
A, y, truth = problem.design, problem.target, problem.coef
alpha = 0.02 * alpha_max(A, y)

solves = {
    "OMP": lambda: omp(A, y, n_nonzero=12),
    "OLS": lambda: omp(A, y, n_nonzero=12, selection="ols"),
    "IHT": lambda: iht(A, y, n_nonzero=12),
    "ISTA, l0": lambda: ista(A, y, penalty=L0Ball(12)),
    "ISTA": lambda: ista(A, y, penalty=L1(alpha)),
    "FISTA": lambda: fista(A, y, penalty=L1(alpha)),
    "Lasso": lambda: lasso(A, y, alpha),
}

# %%
# What each finds
# ---------------
# OMP, OLS, IHT and projected gradient on the l0 ball fit what they select by least squares, so their error is that of
# the noise. The l1 methods shrink what they find and may keep a small false entry; all three minimise the same convex
# objective, which they agree on to the certificate.

results = {}
print(f"{'':8} {'precision':>9} {'recall':>6} {'F1':>5} {'error dB':>8}   {'status':10} certificate")
for name, solve in solves.items():
    result = results[name] = solve()
    scores = [score(truth, result.coef) for score in (support_precision, support_recall, support_f1)]
    print(
        f"{name:8} {scores[0]:9.2f} {scores[1]:6.2f} {scores[2]:5.2f} {nmse(truth, result.coef, db=True):8.1f}"
        f"   {result.status.name:10} {result.certificate_name} {result.certificate:.1e}"
    )

figure, axes = plt.subplots(2, 2, figsize=(11, 6), layout="constrained", sharey=True)
for ax, name in zip(axes.flat, ("OMP", "IHT", "FISTA", "Lasso"), strict=True):
    RecoveryDisplay.from_result(results[name], truth, ax=ax)
    ax.set_ylabel(name)

# %%
# What is left of the target
# --------------------------
# The residual of a good answer looks like the noise that was added.

display = RecoveryDisplay.from_result(results["OMP"], truth, design=A, target=y, kind="residual")
print(f"residual {np.linalg.norm(y - A @ results['OMP'].coef):.4f}, noise {np.linalg.norm(problem.noise):.4f}")

# %%
# Proof along the way
# -------------------
# The history of an iterative solver holds its certificates. Acceleration is what separates ISTA from FISTA: the same
# step, with momentum.

figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
for name in ("ISTA", "FISTA"):
    history = results[name].history
    ax.semilogy(history["iteration"], history["certificate"], label=name)
ax.set(xlabel="iteration", ylabel="relative duality gap", xscale="symlog", xlim=(0, None))
ax.legend()

# %%
# Thousands of targets take one call; each has its own certificate.

many = make_sparse_recovery(120, 400, 12, n_targets=2000, snr_db=40, random_state=1)
omp(many.design, many.target, n_nonzero=12)  # the first call on a machine compiles the kernel
began = time.perf_counter()
batch = omp(many.design, many.target, n_nonzero=12)
seconds = time.perf_counter() - began
f1 = support_f1(many.coef, batch.coef)
print(f"{seconds / 2000 * 1e6:.0f} microseconds a target, mean F1 {f1.mean():.3f}")
print(f"worst certificate {batch.certificate.max():.1e}")
