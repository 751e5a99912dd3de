"""GAMP and VAMP written from their definitions, sample by sample and with inverses: what the library's are held against."""

import itertools

import numpy as np


def naive_gamp(A, y, prior, noise, n_iter, step=1.0, uniform=False):
    """Means and variances after so many iterations with Gaussian noise."""
    n_samples, n_features = A.shape
    squares = np.abs(A) ** 2
    if uniform:
        squares = np.full(A.shape, squares.mean())
    center, spread = (float(np.real(moment)) for moment in prior.moments())
    x, vx = np.full(n_features, center, dtype=A.dtype), np.full(n_features, spread)
    anchor, s, vs = x, np.zeros(n_samples, dtype=A.dtype), np.zeros(n_samples)
    vp = squares @ vx
    for iteration in range(n_iter):
        b = 1.0 if iteration == 0 else step
        vp = b * (squares @ vx) + (1 - b) * vp
        p = A @ x - vp * s
        s = b * (y - p) / (noise + vp) + (1 - b) * s
        vs = b / (noise + vp) + (1 - b) * vs
        anchor = b * x + (1 - b) * anchor
        vr = 1 / (squares.T @ vs)
        x, vx = prior.denoise(anchor + vr * (A.conj().T @ s), vr)
        vx = np.broadcast_to(vx, (n_features,))
    return x, vx


def naive_vamp(A, y, prior, noise, n_iter):
    """Means and mean variance after so many undamped iterations, by an inverse in each."""
    n_features = A.shape[1]
    center, spread = prior.moments()
    r1, g1 = np.full(n_features, center, dtype=A.dtype), 1e-3 / float(spread)
    for _ in range(n_iter):
        x1, v1 = prior.denoise(r1, 1 / g1)
        g2 = 1 / np.mean(v1) - g1
        r2 = (x1 / np.mean(v1) - g1 * r1) / g2
        covariance = np.linalg.inv(A.conj().T @ A / noise + g2 * np.eye(n_features))
        x2 = covariance @ (A.conj().T @ y / noise + g2 * r2)
        e2 = n_features / np.real(np.trace(covariance))
        g1 = e2 - g2
        r1 = (e2 * x2 - g2 * r2) / g1
    return prior.denoise(r1, 1 / g1)


def enumerated(A, y, prior, noise):
    """Exact posterior means, variances and inclusion probabilities of a Bernoulli-Gaussian prior of mean zero, support by support."""
    n_samples, n_features = A.shape
    logs, means, seconds, supports = [], [], [], []
    for bits in itertools.product([0, 1], repeat=n_features):
        support = np.flatnonzero(bits)
        columns = A[:, support]
        C = noise * np.eye(n_samples) + prior.variance * columns @ columns.T
        k = len(support)
        log = k * np.log(prior.rate) + (n_features - k) * np.log(1 - prior.rate)
        logs.append(log - 0.5 * (np.linalg.slogdet(C)[1] + y @ np.linalg.solve(C, y)))
        mean, second = np.zeros(n_features), np.zeros(n_features)
        inner = np.linalg.solve(C, columns)
        mean[support] = prior.variance * inner.T @ y
        second[support] = mean[support] ** 2 + prior.variance - prior.variance**2 * np.sum(columns * inner, axis=0)
        means.append(mean)
        seconds.append(second)
        supports.append(bits)
    share = np.exp(np.array(logs) - max(logs))
    share /= share.sum()
    mean = share @ np.array(means)
    return mean, share @ np.array(seconds) - mean**2, share @ np.array(supports)


def nmse(found, truth):
    """Mean squared error over the truth's mean square, in decibels."""
    return 10 * np.log10(np.sum(np.abs(found - truth) ** 2) / np.sum(np.abs(truth) ** 2))


def sparse_problem(kind="iid", shape=(100, 200), snr=30, rate=0.1, n_targets=None, seed=0):
    """A matrix of a family, sparse coefficients and their noisy image: ``A, y, coef, noise_variance``."""
    rng = np.random.default_rng(seed)
    n_samples, n_features = shape
    gaussian = rng.standard_normal(shape)
    if kind == "iid":
        A = gaussian / np.sqrt(n_samples)
    elif kind == "mean":
        A = gaussian / np.sqrt(n_features) + 0.1
    elif kind == "correlated":
        A = gaussian.copy()
        for j in range(1, n_features):
            A[:, j] = 0.9 * A[:, j - 1] + np.sqrt(0.19) * gaussian[:, j]
        A /= np.sqrt(n_samples)
    else:  # the condition number
        left, _, right = np.linalg.svd(gaussian, full_matrices=False)
        values = float(kind) ** -np.linspace(0, 1, n_samples)
        A = left * (values * np.sqrt(n_features / np.sum(values**2))) @ right
    size = (n_features, n_targets or 1)
    coef = rng.standard_normal(size) * (rng.random(size) < rate)
    image = A @ coef
    noise = float(np.mean(image**2)) * 10 ** (-snr / 10)
    y = image + np.sqrt(noise) * rng.standard_normal(image.shape)
    return (A, y, coef, noise) if n_targets else (A, y[:, 0], coef[:, 0], noise)


def degenerate():
    """Designs and targets, by what is odd about them."""
    rng = np.random.default_rng(0)
    A = rng.standard_normal((20, 30))
    return {
        "one sample": (A[:1], np.ones(1)),
        "collinear": (np.tile(A[:, :1], 30), A[:, 0]),
        "zero matrix": (0 * A, np.ones(20)),
        "exact": (A, A[:, 2]),
        "tiny": (1e-9 * A, 1e-9 * A[:, 2]),
        "huge": (1e9 * A, 1e9 * A[:, 2]),
        "pure noise": (A, rng.standard_normal(20)),
    }
