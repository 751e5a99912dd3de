"""
Iterations as layers: trained with codes, and without
=====================================================

A few iterations of ISTA or of iterative hard thresholding, each with a step of its own, are a network whose steps can be learned from signals. What
they learn depends on what they are asked for. `fit(X)` asks for small values of the problem's own objective; `fit(X, codes)` for
codes that are near the true ones. For the l1 norm these are two things, for l0 they are nearly one.

Nagahisa, Hayakawa and Iiguni, "Comparison between supervised and unsupervised learning in deep unfolded sparse signal recovery", 2025
(arXiv 2509.01331).
"""

# %%
# Planted codes
# -------------
# Signals of 30 features, of about five of 60 atoms each and some noise. The plain iterations take the step that is sure to descend.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.exceptions import ConvergenceWarning

from sparsecode import SparseCoder, UnrolledFISTA, UnrolledIHT, UnrolledISTA

rng = np.random.default_rng(0)
atoms = rng.standard_normal((60, 30)) / np.sqrt(30)


def planted(n):
    codes = (rng.random((n, 60)) < 0.08) * rng.standard_normal((n, 60))
    return codes @ atoms + 0.03 * rng.standard_normal((n, 30)), codes


X, C = planted(3000)
X_test, C_test = planted(1000)
N_LAYERS = 20
ALPHA = {"ISTA": 0.1, "IHT": 0.02}


def after(name, n_iter):
    """Codes of the test signals after so many plain iterations."""
    step, codes = 1.0 / np.linalg.norm(atoms, 2) ** 2, np.zeros_like(C_test)
    for _ in range(n_iter):
        moved = codes - step * (codes @ atoms - X_test) @ atoms.T
        if name == "ISTA":
            codes = np.sign(moved) * np.maximum(np.abs(moved) - step * ALPHA[name], 0.0)
        else:
            codes = np.where(np.abs(moved) > np.sqrt(2.0 * step * ALPHA[name]), moved, 0.0)
    return codes


def judged(name, codes):
    """Error of the codes in decibels, and the mean objective."""
    size = np.sum(np.abs(codes)) if name == "ISTA" else np.count_nonzero(codes)
    objective = (0.5 * np.sum((X_test - codes @ atoms) ** 2) + ALPHA[name] * size) / len(X_test)
    return 10.0 * np.log10(np.sum((codes - C_test) ** 2) / np.sum(C_test**2)), objective


# %%
# Both ways, for both problems
# ----------------------------
# Layers are trained one after another, each starting from the one before, then all together until signals held out say that it is
# enough. Where the plain iterations converge is the minimum for the l1 norm, which `SparseCoder` finds; for l0 it is one of many local ones.

found = {}
for name, kind in (("ISTA", UnrolledISTA), ("IHT", UnrolledIHT)):
    settings = {"n_layers": N_LAYERS, "alpha": ALPHA[name], "steps_per_layer": 60, "max_iter": 500, "random_state": 0}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a little more could be had from more steps
        models = {
            "supervised": kind(atoms, **settings).fit(X, C),
            "unsupervised": kind(atoms, **settings).fit(X),
        }
    found[name] = {
        f"{name}, {N_LAYERS} iterations": judged(name, after(name, N_LAYERS)),
        "supervised": judged(name, models["supervised"].transform(X_test)),
        "unsupervised": judged(name, models["unsupervised"].transform(X_test)),
    }
    if name == "ISTA":
        solved = SparseCoder(atoms, algorithm="lasso", alpha=ALPHA[name]).transform(X_test)
        learned = models
    else:
        solved = after(name, 1000)
    found[name][f"{name}, converged"] = judged(name, solved)
    for way, (error, objective) in found[name].items():
        print(f"{way:22s} {error:7.2f} dB   objective {objective:.4f}")

# %%
# Four findings
# -------------
# With codes, ISTA's layers come nearer to the truth than the minimum does, but do not minimise the objective (1). Without
# codes they reach ISTA's own solution in layers that would not take ISTA far (2). For l0, layers trained either way end in better minima than the
# iterations do when left alone until nothing moves (3), and are much like each other (4).

figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
for ax, (name, values) in zip(axes, found.items(), strict=True):
    for (way, (error, objective)), marker in zip(values.items(), "vs^*", strict=True):
        ax.plot(objective, error, marker, markersize=10, label=way)
    ax.set(title=f"Layers of {name}", xlabel="objective", ylabel="error of the codes (dB)")
    ax.legend()

# %%
# The learned steps
# -----------------
# Two over the Lipschitz constant is where a fixed step would run away. Learned ones go far beyond, in turns.

figure, ax = plt.subplots(figsize=(6, 3), layout="constrained")
for way, model in learned.items():
    ax.plot(np.arange(N_LAYERS) + 1, model.steps_ * np.linalg.norm(atoms, 2) ** 2, "o-", label=way)
ax.axhline(2.0, color="0.6", linestyle="--")
ax.set(xlabel="layer", ylabel="step × Lipschitz constant", yscale="log")
ax.legend()

# %%
# From there on
# -------------
# `to_solver` hands the learned steps to the plain solver: its first iterations are the layers, and it goes on to its certificate.

solver = learned["unsupervised"].to_solver()
result = solver(X_test[:100].T, tol=1e-6)
print(result)

# %%
# `UnrolledFISTA` learns the momenta too, and goes on as FISTA.

with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    faster = UnrolledFISTA(
        atoms, n_layers=8, alpha=ALPHA["ISTA"], steps_per_layer=40, max_iter=200, random_state=0
    ).fit(X)
print("momenta", faster.momenta_.round(2))
print(faster.to_solver()(X_test[:100].T, tol=1e-6))

assert found["ISTA"]["supervised"][0] < found["ISTA"]["ISTA, converged"][0]
assert found["ISTA"]["supervised"][1] > found["ISTA"]["unsupervised"][1]
assert found["IHT"]["supervised"][1] < found["IHT"]["IHT, converged"][1]
assert found["IHT"]["unsupervised"][1] < found["IHT"]["IHT, converged"][1]
assert abs(found["IHT"]["supervised"][0] - found["IHT"]["unsupervised"][0]) < 1.0
assert result.status.is_success
