"""
Sparse phase retrieval: coefficients from magnitudes alone
==========================================================

A detector often measures only how large a value is, not its sign or complex phase: ``y = |A coef|``. If few coefficients
are not zero, :func:`~sparsecode.sparse_phase_retrieval` finds them from fewer measurements than there are coefficients, up to
one sign or phase that all of them share, which no magnitude can tell.
"""

# %%
# From 300 magnitudes to 1000 coefficients
# ----------------------------------------
# The largest coefficient of the answer is made positive; :func:`~sparsecode.metrics.align_phase` turns it to the truth, and
# :func:`~sparsecode.metrics.phase_distance` is the relative error that remains.

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import SparsePhaseRetrieval, sparse_phase_retrieval
from sparsecode.metrics import align_phase, phase_distance

N_FEATURES, N_NONZERO = 1000, 15


def problem(n_samples, seed, *, complex_=False, noise=0.0):
    """A Gaussian design, magnitudes and the coefficients behind them."""
    rng = np.random.default_rng(seed)

    def gaussian(*shape):
        values = rng.standard_normal(shape)
        return (values + 1j * rng.standard_normal(shape)) / np.sqrt(2) if complex_ else values

    A = gaussian(n_samples, N_FEATURES)
    coef = np.zeros(N_FEATURES, dtype=A.dtype)
    coef[rng.choice(N_FEATURES, N_NONZERO, replace=False)] = gaussian(N_NONZERO)
    y = np.abs(A @ coef)
    return A, np.abs(y + noise * np.sqrt(np.mean(y**2)) * rng.standard_normal(n_samples)), coef


A, y, truth = problem(400, seed=0)
result = sparse_phase_retrieval(A, y, N_NONZERO)
print(result)
print(f"relative error {phase_distance(truth, result.coef):.1e}")

figure, ax = plt.subplots(figsize=(9, 3), layout="constrained")
found = align_phase(truth, result.coef)
ax.stem(np.flatnonzero(truth), truth[truth != 0], linefmt="C0-", markerfmt="C0o", basefmt=" ", label="truth")
ax.plot(result.support, found[result.support], "C1x", ms=9, label="found")
ax.set(xlabel="coefficient", title="400 magnitudes, 1000 coefficients, 15 of them not zero")
ax.legend()

# %%
# Newton's steps square the error
# -------------------------------
# The objective along the way gives the relative residual ``|| |A coef| - y || / ||y||``. Newton's method squares it with each
# step; with the signs held (``method="htp"``) a real problem ends after finitely many steps, a complex one gains the same
# factor each time.

figure, axes = plt.subplots(1, 2, figsize=(10, 4), layout="constrained", sharey=True)
for ax, complex_ in zip(axes, (False, True), strict=True):
    A, y, truth = problem(600, seed=4, complex_=complex_)
    for method in ("newton", "htp"):
        history = sparse_phase_retrieval(A, y, N_NONZERO, method=method, tol=1e-13).history
        residual = np.sqrt(2 * len(y) * np.array(history["objective"])) / np.linalg.norm(y)
        ax.semilogy(history["iteration"], np.maximum(residual, 1e-17), "o-", ms=4, label=method)
        print("complex" if complex_ else "real   ", f"{method:7}", " ".join(f"{value:.0e}" for value in residual[:10]))
    ax.set(xlabel="iteration", title="complex" if complex_ else "real")
axes[0].set_ylabel("relative residual")
axes[0].legend()

# %%
# How many magnitudes are enough?
# -------------------------------
# Success is a relative error below 1e-3. What fails is the start: each one begins at another column, so a solve that may start
# again succeeds with fewer measurements.

sizes, seeds = [200, 250, 300, 350, 400, 500], range(12)
figure, ax = plt.subplots(figsize=(7, 4), layout="constrained")
print(f"{'':26}", *(f"{n_samples:5}" for n_samples in sizes))
for method in ("newton", "htp"):
    for n_restarts, line in ((10, "-"), (0, "--")):
        model = SparsePhaseRetrieval(N_NONZERO, method=method, n_restarts=n_restarts)
        rates = []
        for n_samples in sizes:
            problems = [problem(n_samples, seed) for seed in seeds]
            rates.append(np.mean([phase_distance(truth, model.fit(A, y).coef_) < 1e-3 for A, y, truth in problems]))
        label = f"{method}, {n_restarts} restarts"
        ax.plot(sizes, rates, line, marker="o", color="C0" if method == "newton" else "C1", label=label)
        print(f"{label:26}", *(f"{rate:5.2f}" for rate in rates))
ax.set(xlabel="measurements", ylabel="success rate", ylim=(-0.05, 1.05))
ax.legend()

# %%
# Complex measurements with noise
# -------------------------------
# The certificate proves a stationary point, with noise or without: with the phases of the answer held, no thresholded gradient
# step moves it. How good the fit is, the residual says: here it is the noise, one twentieth.

A, y, truth = problem(600, seed=1, complex_=True, noise=0.05)
result = sparse_phase_retrieval(A, y, N_NONZERO)
residual = np.linalg.norm(np.abs(A @ result.coef) - y) / np.linalg.norm(y)
print(result)
print(f"relative residual {residual:.3f}, relative error {phase_distance(truth, result.coef):.3f}")

figure, ax = plt.subplots(figsize=(4.5, 4.5), layout="constrained")
found = align_phase(truth, result.coef)
for j in result.support:
    ax.plot([0, found[j].real], [0, found[j].imag], "C1-", lw=1)
ax.plot(truth[truth != 0].real, truth[truth != 0].imag, "C0o", mfc="none", ms=9, label="truth")
ax.plot(found[result.support].real, found[result.support].imag, "C1x", label="found")
ax.set(xlabel="real part", ylabel="imaginary part", aspect="equal")
ax.legend()
