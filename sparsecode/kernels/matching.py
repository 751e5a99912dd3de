"""Proximal matching of noisy points against many signals at once: pulls of ``1 - exp(-||f - x||^2 / gamma^2)``.

    pull_j = 2 / gamma^2 sum_i w_ji (f_j - x_i) k_ji,    share_j = sum_i w_ji k_ji,    k_ji = exp(-||f_j - x_i||^2 / gamma^2)

where w_ji is how likely y_j came from x_i among the signals x, ``c_i exp(-||y_j - x_i||^2 / (2 sigma^2))`` over its sum, and c_i how many
signals x_i stands for. Pairs with k below exp(-_CUT) do not count, and are not looked at where the first coordinate tells, by which
signals are sorted; shares are of k less that, so that they do not jump. The sums of likelihoods, which only weigh the points among
themselves, are scaled up from some of the signals.
"""

from __future__ import annotations

import math

import numpy as np

from ._compile import kernel

__all__ = ["matched_pulls"]

_CUT = 8.0  # k of less than exp of minus this does not count
_WEIGHED = 1024  # signals from which the sum of likelihoods is estimated


@kernel
def matched_pulls(images, noisy, sources, signals, counts, sigma, gamma, pulls, shares):
    """Fill `pulls` (B, d) and `shares` (B,) for `images` f and `noisy` y of `sources`, all (B, d), against `signals` (n, d), sorted by their first column, that stand for `counts` (n,)."""
    count, d = images.shape
    n = signals.shape[0]
    weighed = min(n, _WEIGHED)
    likelihood, bandwidth = 0.5 / (sigma * sigma), 1.0 / (gamma * gamma)
    most = _CUT * gamma * gamma
    reach, floor = math.sqrt(most), math.exp(-_CUT)
    first = signals[:, 0].copy()
    distances, pull = np.empty(weighed), np.empty(d)
    chosen = np.empty(weighed, dtype=np.int64)
    every, seen = 0.0, 0.0
    for i in range(n):
        every += counts[i]
    for i in range(weighed):
        chosen[i] = (2 * i + 1) * n // (2 * weighed)
        seen += counts[chosen[i]]
    for j in range(count):
        own = 0.0
        for k in range(d):
            own += (noisy[j, k] - sources[j, k]) ** 2
        nearest = own
        for i in range(weighed):
            distance = 0.0
            for k in range(d):
                distance += (noisy[j, k] - signals[chosen[i], k]) ** 2
            distances[i] = distance
            nearest = min(nearest, distance)
        total = 0.0
        for i in range(weighed):
            total += counts[chosen[i]] * math.exp(-likelihood * (distances[i] - nearest))
        total = total * (every / seen) + math.exp(-likelihood * (own - nearest))
        pull[:] = 0.0
        share = 0.0
        begin, end = np.searchsorted(first, images[j, 0] - reach), np.searchsorted(first, images[j, 0] + reach)
        for i in range(begin, end):
            distance = 0.0
            for k in range(d):
                distance += (images[j, k] - signals[i, k]) ** 2
                if distance > most:
                    break
            if distance > most:
                continue
            far = 0.0
            for k in range(d):
                far += (noisy[j, k] - signals[i, k]) ** 2
            likely, near = counts[i] * math.exp(-likelihood * (far - nearest)), math.exp(-bandwidth * distance)
            weight = likely * near
            share += likely * (near - floor)
            for k in range(d):
                pull[k] += weight * (images[j, k] - signals[i, k])
        total = max(total, share)
        shares[j] = share / total
        for k in range(d):
            pulls[j, k] = 2.0 * bandwidth * pull[k] / total
