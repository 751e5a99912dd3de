"""Regularisers of elastic costs written from their definitions, for rows of differences of any leading shape."""

from __future__ import annotations

import numpy as np

D = 6
LABELS = (2, 0, 1, 0, 2, 2)

CASES = [
    {"penalty": "l1", "options": {}},
    {"penalty": "elastic", "options": {"ridge": 0.7}},
    {"penalty": "stvs", "options": {}},
    {"penalty": "stvs", "options": {"scale": 0.5}},
    {"penalty": "stvs", "options": {"scale": 1.8}},
    {"penalty": "group", "options": {"groups": 2}},
    {"penalty": "group", "options": {"groups": LABELS, "group_weights": (1.0, 0.5, 2.0)}},
    {"penalty": "k_support", "options": {"k": 1}},
    {"penalty": "k_support", "options": {"k": 3}},
    {"penalty": "k_support", "options": {"k": 3, "gamma": 2.5}},
    {"penalty": "k_support", "options": {"k": D}},
]


def named(cases):
    """Values and names for a parametrization."""
    names = [f"{case['penalty']}-{i}" for i, case in enumerate(cases)]
    return {"argvalues": cases, "ids": names}


def _options(case):
    return {"gamma": 0.4, "scale": 1.0, "ridge": 1.0, "k": 1, **case["options"]}


def tau(case, z):
    """The regulariser of each row."""
    options = _options(case)
    gamma = options["gamma"]
    if case["penalty"] == "l1":
        return gamma * np.abs(z).sum(-1)
    if case["penalty"] == "elastic":
        return gamma * np.abs(z).sum(-1) + options["ridge"] / 2 * (z**2).sum(-1)
    if case["penalty"] == "stvs":
        s = np.arcsinh(np.abs(z) / (2 * gamma))
        return options["scale"] * gamma**2 * (s + 0.5 - np.exp(-2 * s) / 2).sum(-1)
    if case["penalty"] == "group":
        return gamma * sum(weight * np.sqrt((z[..., members] ** 2).sum(-1)) for members, weight in _groups(case, z))
    return gamma / 2 * _sq_k_support(z, options["k"])


def slope(case, z):
    """Its gradient, zero at kinks."""
    options = _options(case)
    gamma = options["gamma"]
    if case["penalty"] == "l1":
        return gamma * np.sign(z)
    if case["penalty"] == "elastic":
        return gamma * np.sign(z) + options["ridge"] * z
    if case["penalty"] == "stvs":
        return options["scale"] * np.sign(z) * (np.sqrt(z**2 / 4 + gamma**2) - np.abs(z) / 2)
    if case["penalty"] == "group":
        out = np.zeros_like(z)
        for members, weight in _groups(case, z):
            norm = np.sqrt((z[..., members] ** 2).sum(-1, keepdims=True))
            out[..., members] = gamma * weight * z[..., members] / np.where(norm > 0, norm, 1.0)
        return out
    return gamma * _k_support_slope(z, options["k"])


def cost(case, z):
    """``|z|^2 / 2 + tau(z)``."""
    return (z**2).sum(-1) / 2 + tau(case, z)


def _groups(case, z):
    groups, weights = case["options"]["groups"], case["options"].get("group_weights")
    labels = np.arange(z.shape[-1]) // groups if isinstance(groups, int) else np.asarray(groups)
    for place, label in enumerate(np.unique(labels)):
        members = np.flatnonzero(labels == label)
        yield members, np.sqrt(members.size) if weights is None else weights[place]


def _split(sizes, k):
    """Sorted sizes, largest first, and how many of them count in full (Argyriou, Foygel and Srebro, 2012)."""
    ordered = np.sort(sizes)[::-1]
    for r in range(k):
        head, tail = ordered[: k - r - 1], ordered[k - r - 1 :]
        mean = tail.sum() / (r + 1)
        if (not head.size or head[-1] > mean) and mean >= tail[0]:
            return head, tail, r
    raise AssertionError("the norm has a split for every vector")


def _sq_k_support(z, k):
    out = np.empty(z.shape[:-1])
    for where in np.ndindex(out.shape):
        head, tail, r = _split(np.abs(z[where]), k)
        out[where] = np.sum(head**2) + tail.sum() ** 2 / (r + 1)
    return out


def _k_support_slope(z, k):
    """Half the gradient of the squared norm: the entry itself in the head, the mean of the tail with its sign there."""
    out = np.empty_like(z)
    for where in np.ndindex(z.shape[:-1]):
        row = z[where]
        head, tail, r = _split(np.abs(row), k)
        least = head[-1] if head.size else np.inf
        out[where] = np.where(np.abs(row) >= least, row, np.sign(row) * tail.sum() / (r + 1))
    return out
