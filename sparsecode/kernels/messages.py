"""What message passing does to samples and coefficients between its products, in one pass over either.

Samples, with Gaussian noise of variance s:

    vp' = step S + (1 - step) vp,  p = z - vp' score,  score' = (y - p) / (s + vp'),  information' = 1 / (s + vp')    both damped

Coefficients, with a prior of normal distributions of weights w, means c and variances u, seen through noise of variance v:

    anchor' = step x + (1 - step) anchor,  r = anchor' + v pull,  x' = E[x | r],  vx' = Var[x | r]
    chance_k ~ w_k N(r; c_k, u_k + v),  m_k = (u_k r + v c_k) / (u_k + v),  Var_k = u_k v / (u_k + v)

Arrays have two axes, the second for targets, of which each has its step; variances that all share have one row.
"""

from __future__ import annotations

import numpy as np

from ._compile import kernel

__all__ = ["gaussian_samples", "mixture_coefficients", "slab_coefficients", "soft_coefficients"]


@kernel
def gaussian_samples(
    target, image, noise, step, score, information, variance, new_score, new_information, spread, mean
):
    """Fill in score, information and p, and turn S, in `spread`, into the variance; return what the channel learns from.

    That is, (2, n_targets), the means of ``|y - z|^2`` for the image z, and of ``E[|y - z|^2 | y]``.
    """
    n_samples, n_targets = target.shape
    last = spread.shape[0] - 1
    found = np.zeros((2, n_targets))
    for t in range(n_targets):
        length, keep, s = step[t], 1.0 - step[t], noise[t]
        for v in range(last + 1):
            spread[v, t] = length * spread[v, t] + keep * variance[v, t]
            new_information[v, t] = length / (spread[v, t] + s) + keep * information[v, t]
        misfit = moment = 0.0
        for i in range(n_samples):
            around = spread[min(i, last), t]
            middle = image[i, t] - around * score[i, t]
            pull = (target[i, t] - middle) / (around + s)
            mean[i, t] = middle
            new_score[i, t] = length * pull + keep * score[i, t]
            rest = target[i, t] - image[i, t]
            misfit += rest * rest
            moment += s * (s * pull * pull + around / (around + s))
        found[0, t], found[1, t] = misfit / n_samples, moment / n_samples
    return found


@kernel
def slab_coefficients(components, step, anchor, mean, pull, variance, new_anchor, pseudo, new_mean, new_variance):
    """`mixture_coefficients` of two components, of which the first is an atom at zero."""
    weights, centers, slabs = components
    n_features, n_targets = mean.shape
    last = variance.shape[0] - 1
    found = np.zeros((2, 3, n_targets))
    for t in range(n_targets):
        length, keep, c, u = step[t], 1.0 - step[t], centers[1, t], slabs[1, t]
        odds = np.log(weights[0, t]) - np.log(weights[1, t])
        v = share = shrink = held = 0.0
        rate = first = second = 0.0
        for n in range(n_features):
            if n <= last:
                v = float(variance[n, t])
                share, shrink = u / (u + v), v / (u + v)
                held = odds - 0.5 * np.log(shrink)
            start = length * mean[n, t] + keep * anchor[n, t]
            r = start + v * pull[n, t]
            new_anchor[n, t], pseudo[n, t] = start, r
            m = share * r + shrink * c
            # of the squares of r and r - c, which may be no numbers, the difference in units of their variances
            against = held - 0.5 * ((r / v) * (share * r) + c * (2.0 * r - c) / (u + v))
            chance = 1.0 / (1.0 + np.exp(against))
            apart, own = m - c, shrink * u
            new_mean[n, t] = chance * m
            new_variance[n, t] = chance * own + chance * (1.0 - chance) * m * m
            rate += chance
            first += chance * apart
            second += chance * (apart * apart + own)
        found[0, 0, t] = 1.0 - rate / n_features
        found[1, 0, t], found[1, 1, t], found[1, 2, t] = rate / n_features, first / n_features, second / n_features
    return found


@kernel
def mixture_coefficients(components, step, anchor, mean, pull, variance, new_anchor, pseudo, new_mean, new_variance):
    """Fill in anchor, r, mean and variance for the given v; return what the prior learns from.

    `components` are weights, means and variances (n_components, n_targets). What is returned, (n_components, 3, n_targets), are the
    means of the chances, and of the chances times ``m - c`` and ``(m - c)^2 + Var``.
    """
    weights, centers, slabs = components
    n_features, n_targets = mean.shape
    count, last = weights.shape[0], variance.shape[0] - 1
    found, work = np.zeros((count, 3, n_targets)), np.empty((count, 6))
    for t in range(n_targets):
        length, keep, v = step[t], 1.0 - step[t], 0.0
        for n in range(n_features):
            if n <= last:
                v = float(variance[n, t])
                for k in range(count):
                    total = v + slabs[k, t]
                    work[k, 0] = 1.0 / np.sqrt(total)
                    work[k, 1] = v / total
                    work[k, 2] = np.log(weights[k, t] * work[k, 0]) if weights[k, t] > 0.0 else -np.inf
            start = length * mean[n, t] + keep * anchor[n, t]
            r = start + v * pull[n, t]
            new_anchor[n, t], pseudo[n, t] = start, r
            least, top, total = np.inf, -np.inf, 0.0
            for k in range(count):
                work[k, 3] = abs(r - centers[k, t]) * work[k, 0]
                if weights[k, t] > 0.0 and not work[k, 3] >= least:
                    least = work[k, 3]
            for k in range(count):
                # squares may be no numbers, their differences have a sign
                far = 0.5 * (work[k, 3] - least) * (work[k, 3] + least)
                work[k, 4] = work[k, 2] - far if weights[k, t] > 0.0 else -np.inf
                if not work[k, 4] <= top:
                    top = work[k, 4]
            for k in range(count):
                work[k, 4] = 1.0 if work[k, 4] == top else np.exp(work[k, 4] - top)
                total += work[k, 4]
            center = spread = 0.0
            inverse = 1.0 / total
            for k in range(count):
                work[k, 4] *= inverse
                work[k, 5] = r + work[k, 1] * (centers[k, t] - r)
                center += work[k, 4] * work[k, 5]
            for k in range(count):
                chance, apart, own = work[k, 4], work[k, 5] - centers[k, t], slabs[k, t] * work[k, 1]
                spread += chance * own + chance * (work[k, 5] - center) * (work[k, 5] - center)
                found[k, 0, t] += chance
                found[k, 1, t] += chance * apart
                found[k, 2, t] += chance * (apart * apart + own)
            new_mean[n, t], new_variance[n, t] = center, spread
    return found / n_features


@kernel
def soft_coefficients(scale, step, anchor, mean, pull, variance, new_anchor, pseudo, new_mean, new_variance):
    """The same for the most likely coefficients of a Laplace prior, whose scale is not learned from them."""
    n_features, n_targets = mean.shape
    last = variance.shape[0] - 1
    for t in range(n_targets):
        length, keep = step[t], 1.0 - step[t]
        for n in range(n_features):
            v = variance[min(n, last), t]
            start = length * mean[n, t] + keep * anchor[n, t]
            r = start + v * pull[n, t]
            new_anchor[n, t], pseudo[n, t] = start, r
            over = abs(r) - v / scale[t]
            if over <= 0.0:
                new_mean[n, t] = new_variance[n, t] = 0.0
            else:
                new_mean[n, t], new_variance[n, t] = (over if r > 0.0 else -over), v
