"""
Digits from 24 projections
==========================

An image of 64 pixels is measured by 24 random projections. Two images that differ by a direction that no projection sees look the same, so
what is found there is what the penalty likes. A sparse code of cosines is the general answer; a network that has seen digits knows more, and
its denoising is the prox of a penalty. "Plug and play" puts a denoiser where a solver has its prox, and hopes; where it is a prox, the solver
minimises an objective, step by step, to a certificate.

Fang, Buchanan and Sulam, "What's in a prior? Learned proximal networks for inverse problems", 2024.
"""

import matplotlib.pyplot as plt
import numpy as np
from scipy.fft import idct
from sklearn.datasets import load_digits

from sparsecode import Lasso, LearnedProximalNetwork, PlugAndPlay

# %%
# A penalty that knows digits
# ---------------------------
# 1500 digits teach the network to take noise off; others are measured.

digits = load_digits().data / 16.0
average = digits[:1500].mean(axis=0)
network = LearnedProximalNetwork(
    0.1, width=64, match=0.3, pretrain_steps=200, n_steps=100, batch_size=128, random_state=0
)
network.fit(digits[:1500] - average)

rng = np.random.default_rng(0)
truth = digits[1500:1512] - average
n_measured, level = 24, 0.02
projections = rng.standard_normal((n_measured, 64)) / 8
measured = projections @ truth.T + level * rng.standard_normal((n_measured, len(truth)))  # one digit a column

# %%
# The same least squares, three penalties
# ---------------------------------------
# The l1 norm of the cosine coefficients, at the strength that turns out best here; the quadratic one of a Gaussian with the mean and
# the covariance of the digits, which has a closed form; and the learned one, at the strength that the two noise levels give. To have
# seen digits is most of the gain, and a covariance holds much of it; the learned penalty has a little more.


def error(found):
    """Root mean square, over all pixels."""
    return np.sqrt(np.mean((found - truth) ** 2))


cosines = np.kron(*[idct(np.eye(8), axis=0, norm="ortho")] * 2)
fits = [Lasso(alpha, fit_intercept=False).fit(projections @ cosines, measured) for alpha in (1e-4, 3e-4, 1e-3, 3e-3)]
sparse = min((fit.coef_ @ cosines.T for fit in fits), key=error)

covariance = np.cov(digits[:1500].T)
seen = projections @ covariance @ projections.T + level**2 * np.eye(n_measured)
gaussian = (covariance @ projections.T @ np.linalg.solve(seen, measured)).T

alpha = (level / network.noise_) ** 2 / n_measured
options = {"fit_intercept": False, "tol": 1e-3, "max_iter": 1000}
learned = PlugAndPlay(network, alpha, **options).fit(projections, measured)

answers = {"truth": truth, "cosines, l1": sparse, "Gaussian": gaussian, "learned": learned.coef_}
figure, axes = plt.subplots(4, 12, figsize=(10, 3.8), layout="constrained")
for row, (name, found) in zip(axes, answers.items(), strict=True):
    for ax, image in zip(row, found, strict=True):
        ax.imshow((image + average).reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_xticks([])
        ax.set_yticks([])
    row[0].set_title(f"{name}: error {error(found):.3f}", loc="left", fontsize=9)
plt.show()

# %%
# What the iterations do
# ----------------------
# The penalty is not convex, and still the objective never rises, because steps are no longer than the prox allows; the residual, which is
# zero at stationary points only, goes to zero. What no projection sees is moved by the penalty alone, and a weak one takes many
# steps. Going down from larger strengths, each start being the last answer, is another way there, and may end elsewhere.

figure, axes = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
history = learned.result_.history
axes[0].plot(history["iteration"], history["objective"], label="from zero")
axes[1].semilogy(history["iteration"], history["certificate"], label="from zero")
falling, done = PlugAndPlay(network, warm_start=True, **options), 0
for factor in (10, 3, 1):
    falling.set_params(alpha=factor * alpha).fit(projections, measured)
    history = falling.result_.history
    axes[1].semilogy(np.add(done, history["iteration"]), history["certificate"], label=f"{factor} times the strength")
    done += falling.n_iter_
axes[0].set(xlabel="iteration", title="objective", yscale="log")
axes[1].axhline(options["tol"], color="gray", lw=0.8)
axes[1].set(xlabel="iteration", title=learned.result_.certificate_name)
axes[1].legend()
plt.show()
for name, model in {"from zero": learned, "falling strength": falling}.items():
    objective = np.sum(model.result_.objective)
    print(f"{name}: {model.status_.name}, error {error(model.coef_):.4f}, objective {objective:.5f}")
