"""Supports as binary chains: exact marginals by forward and backward messages.

    p(s) = p(s_1) prod_n p(s_n | s_n-1),    p(1 | 0) = p01,  p(0 | 1) = p10,    p(s_1 = 1) = p01 / (p01 + p10)

Messages are products of 2 x 2 matrices, all prefixes of which are formed together by doubling: ``log2(n)`` vectorised rounds.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.special import expit, logit

__all__ = ["Chain", "Independent"]

_MOST = 300.0  # nats: beyond, likelihoods underflow, and nothing is left to decide
_FAINT = 1e-200  # what underflows altogether could not be followed by anything


class Independent(NamedTuple):
    """Each is active with probability `rate`, whatever the others are."""

    rate: float

    def marginals(self, evidence):
        """Posterior probabilities for log likelihood ratios (n,), and ``log sum_s p(s) exp(s . evidence)``."""
        both = np.logaddexp(np.log1p(-self.rate), np.log(self.rate) + evidence)
        return expit(logit(self.rate) + evidence), float(np.sum(both))


class Chain(NamedTuple):
    """A stationary Markov chain: active with probability `rate`, in runs of mean length `cluster_length`."""

    rate: float
    cluster_length: float

    @property
    def start(self):
        """Probability of going from inactive to active."""
        return self.rate / ((1.0 - self.rate) * self.cluster_length)

    def marginals(self, evidence):
        """Posterior probabilities for log likelihood ratios (n,), and ``log sum_s p(s) exp(s . evidence)``."""
        beyond = np.sum(np.maximum(evidence - _MOST, 0.0))  # those units are active: of the sum, it is a factor
        evidence = np.clip(evidence, -_MOST, _MOST)
        top = np.maximum(evidence, 0.0)
        likelihood = np.stack([np.exp(-top), np.exp(evidence - top)], axis=1)  # (n, 2)
        leave = 1.0 / self.cluster_length
        transition = np.array([[1.0 - self.start, self.start], [leave, 1.0 - leave]])
        steps = transition * likelihood[:, None, :]  # (n, 2, 2), from row to column
        first = np.array([1.0 - self.rate, self.rate]) * likelihood[0]
        steps[0] = first  # whatever came before
        forward, scale = _prefixes(steps)
        forward = forward[:, 0, :]
        last = np.broadcast_to(np.eye(2), (1, 2, 2))
        backward, _ = _prefixes(
            np.concatenate([last, steps[:0:-1].transpose(0, 2, 1)])
        )  # of the transposes, from the end
        backward = np.sum(backward[::-1].transpose(0, 2, 1), axis=2)
        joint = forward * backward
        log_total = np.log(np.sum(forward[-1])) + scale[-1] + np.sum(top) + beyond
        return joint[:, 1] / np.sum(joint, axis=1), float(log_total)


def _prefixes(steps):
    """Products of the first 1, 2, ... n matrices, each divided by a number whose logarithm comes with it."""
    products = np.maximum(steps / np.sum(steps, axis=(1, 2), keepdims=True), _FAINT)
    scale = np.log(np.sum(steps, axis=(1, 2)))
    reach = 1
    while reach < len(products):
        joined = products[:-reach] @ products[reach:]
        size = np.sum(joined, axis=(1, 2))
        scale = np.concatenate([scale[:reach], scale[:-reach] + scale[reach:] + np.log(size)])
        products = np.concatenate([products[:reach], np.maximum(joined / size[:, None, None], _FAINT)])
        reach *= 2
    return products, scale
