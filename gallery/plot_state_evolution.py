"""
Message passing and what predicts it
====================================

Approximate message passing sees every coefficient through Gaussian noise, and on a large random matrix the variance of that
noise follows a recursion of one number: state evolution. It tells the error of every iteration before a matrix is drawn. Where
the matrix is not of that kind the prediction fails, and the iteration with it; vector message passing goes on.
"""

import warnings

import matplotlib.pyplot as plt
import numpy as np

from sparsecode import BernoulliGaussian, LaplacePrior, gamp, state_evolution, vamp

rng = np.random.default_rng(0)
n_samples, n_features = 1000, 2000
truth = BernoulliGaussian(rate=0.1)
coef = np.zeros(n_features)
coef[rng.choice(n_features, n_features // 10, replace=False)] = rng.standard_normal(n_features // 10)
coef *= np.sqrt(0.1 * n_features) / np.linalg.norm(coef)  # a sample as large as its distribution says
A = rng.standard_normal((n_samples, n_features)) / np.sqrt(n_samples)
noise = 0.05**2
y = A @ coef + 0.05 * rng.standard_normal(n_samples)


def decibels(found, true=coef):
    """Mean squared error over the mean square of the truth."""
    return 10 * np.log10(np.sum((found - true) ** 2) / np.sum(true**2))


def last_iterate(solve, *data, **options):
    """Where a run stood when it was stopped; its result is the best iterate instead."""
    seen = []
    solve(*data, callback=lambda progress: seen.append(progress.coef), **options)
    return seen[-1]


# %%
# The prediction, a ``StateEvolution``, needs the ratio of samples to features, the noise and the prior. The points are one run
# each: an iteration more for every point. The LASSO is message passing too, with a Laplace prior of which the most likely
# coefficients are asked.
warnings.simplefilter("ignore")  # they are stopped before they are done
fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
priors = {
    "Bernoulli-Gaussian, as it is": truth,
    "too many, too small": BernoulliGaussian(0.3, 0.0, 0.3),
    "LASSO": LaplacePrior(0.05),
}
for name, prior in priors.items():
    predicted = state_evolution(prior, n_samples / n_features, noise, truth=truth, n_iter=20)
    (line,) = ax.plot(10 * np.log10(predicted.nmse), label=name)
    options = {"prior": prior, "noise_variance": noise, "variances": "uniform", "damping": 1.0, "tol": 0.0}
    points = [last_iterate(gamp, A, y, max_iter=n_iter, **options) for n_iter in range(1, 21)]
    ax.plot(range(1, 21), [decibels(point) for point in points], "o", color=line.get_color(), markersize=4)
ax.set(xlabel="iteration", ylabel="error (dB)", title="Lines: state evolution; points: one matrix")
ax.legend()

# %%
# The fixed point is an equation of one number as well, so that a whole phase diagram costs nothing: the error after forty
# iterations, by the number of samples for each coefficient.
ratios = np.linspace(0.12, 0.9, 27)
fig, ax = plt.subplots(figsize=(6.5, 3.5), layout="constrained")
for rate in (0.05, 0.1, 0.2):
    prior = BernoulliGaussian(rate)
    errors = [state_evolution(prior, ratio, 1e-4 * rate, n_iter=40).nmse[-1] for ratio in ratios]
    ax.plot(ratios, 10 * np.log10(errors), label=f"{rate:.0%} non-zero")
ax.set(xlabel="samples for each coefficient", ylabel="error (dB)", title="Where the fixed point is, at 40 dB")
ax.legend()

# %%
# Singular values that fall by a factor of a thousand are another world. GAMP diverges or stalls, whatever its damping; VAMP,
# which knows the singular values, finds the coefficients. Its posterior probabilities say which are not zero.
left, _, right = np.linalg.svd(rng.standard_normal((250, 500)), full_matrices=False)
values = 1000.0 ** -np.linspace(0, 1, 250)
ill = left * values @ right
sparse = rng.standard_normal(500) * (rng.random(500) < 0.1)
image = ill @ sparse
ill_noise = 1e-4 * np.mean(image**2)
seen = image + np.sqrt(ill_noise) * rng.standard_normal(250)

fig, ax = plt.subplots(figsize=(6.5, 4), layout="constrained")
runs = {"GAMP, not damped": (gamp, 1.0), "GAMP, steps of 0.2": (gamp, 0.2), "VAMP": (vamp, "adaptive")}
counts = (1, 2, 3, 5, 8, 12, 20, 30, 50, 80)
for name, (solve, damping) in runs.items():
    options = {"prior": truth, "noise_variance": ill_noise, "damping": damping, "tol": 0.0}
    errors = [decibels(last_iterate(solve, ill, seen, max_iter=n_iter, **options), sparse) for n_iter in counts]
    ax.plot(counts, np.minimum(errors, 10.0), "o-", label=name)
    print(f"{name:20s} error {errors[-1]:6.1f} dB after {counts[-1]} iterations")
ax.set(xscale="log", xlabel="iterations", ylabel="error (dB)", title="Condition number 1000")
ax.legend()

# %%
# Neither the prior nor the noise needs to be known: by default both are learned on the way.
learned = vamp(ill, seen)
prior = learned.parameters["prior"]
print(
    f"learned: rate {prior.rate:.3f}, variance {prior.variance:.2f}, noise {learned.noise_variance / ill_noise:.2f} of the true"
)
print(f"error {decibels(learned.coef, sparse):.1f} dB, {learned.status.name} after {learned.n_iter} iterations")
plt.show()
