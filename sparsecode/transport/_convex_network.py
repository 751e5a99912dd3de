"""Input-convex networks with the gradients that transport asks of them, written out.

    z_1 = s1(A_0 x + b_0),   z_l+1 = s(A_l x + b_l + W_l z_l),   g(x) = <a, x> + b + <w, z_L> + sum_k q_k x_k^2 / 2

with s1 a squared leaky rectifier, s the softplus, and W_l, w, q not negative, which makes g convex; with small w and q = 1 its gradient
starts near the identity. (With q fixed at 1, maps and their inverses could only stretch, so none but translations.) A map is ``x -> grad g(x)``. What a fit needs beside it is the gradient in the parameters of ``sum_i c_i g(x_i)`` and of
``sum_i <v_i, grad g(x_i)>`` for fixed v: the second is that of a directional derivative, by a forward pass with tangents and a reverse pass.

Makkuva, Taghvaei, Oh and Lee, "Optimal transport mapping via input convex neural networks", 2020 (arXiv 1908.10962).
"""

from __future__ import annotations

import numpy as np

__all__ = ["Adam", "ConvexNetwork"]

_LEAK = 0.2


def _first(h):
    """Squared leaky rectifier with its first two derivatives."""
    slope = np.where(h > 0, 1.0, _LEAK**2).astype(h.dtype)
    return slope * h * h, 2.0 * slope * h, 2.0 * slope


def _softplus(h):
    small = np.exp(-np.abs(h))
    share = 1.0 / (1.0 + small)
    s = np.where(h > 0, share, small * share)
    return np.maximum(h, 0.0) + np.log1p(small), s, share * share * small


class ConvexNetwork:
    """The parameters, in a list of arrays ``A_0, b_0, A_1, b_1, W_1, ..., a, b, w, q``, and the passes over points (B, d).

    Parameters
    ----------
    d : int
        Number of features.
    width, depth : int
        Units of a hidden layer, and hidden layers.
    random : RandomState
        What the parameters are drawn from.
    dtype : dtype, default=float64
        Precision of the parameters.
    """

    def __init__(self, d, width, depth, random, dtype=np.float64):
        self.depth = depth
        self.parameters = [random.standard_normal((width, d)) / np.sqrt(d), np.zeros(width)]
        for _ in range(depth - 1):
            self.parameters += [random.standard_normal((width, d)) / np.sqrt(d), np.zeros(width)]
            self.parameters += [np.abs(random.standard_normal((width, width))) / width]
        self.parameters += [np.zeros((1, d)), np.zeros(1), 0.1 * np.abs(random.standard_normal((1, width))) / width]
        self.parameters += [np.ones(d)]
        self.parameters = [part.astype(dtype) for part in self.parameters]

    def _layers(self):
        """Triples A, b, W of one layer after another; the first has no W."""
        first, rest = self.parameters[:2], self.parameters[2:-1]
        yield *first, None
        for l in range(0, len(rest), 3):
            yield rest[l], rest[l + 1], rest[l + 2]

    def project(self):
        """The nearest parameters with which the function is convex."""
        for part in (*self.parameters[4::3], self.parameters[-1]):
            np.maximum(part, 0.0, out=part)

    def trace(self, X):
        """The points, and for each layer its input and its output with two derivatives: what all other passes start from."""
        z, layers = None, []
        for l, (A, b, W) in enumerate(self._layers()):
            h = X @ A.T + b
            if W is not None:
                h += z @ W.T
            made = (h, np.ones_like(h), np.zeros_like(h)) if l == self.depth else (_softplus if l else _first)(h)
            layers.append((z, *made))
            z = made[0]
        return X, layers

    def value(self, X):
        """g, of shape (B,)."""
        return self.trace(X)[1][-1][1][:, 0] + 0.5 * (X * X) @ self.parameters[-1]

    def gradient(self, X):
        """``grad g``, of shape (B, d)."""
        return self.gradient_of(self.trace(X))

    def gradient_of(self, trace):
        """The same from a trace."""
        X, layers = trace
        pull, total = np.ones((X.shape[0], 1), dtype=X.dtype), X * self.parameters[-1]
        for (A, _, W), (_, _, slope, _) in zip(reversed(list(self._layers())), reversed(layers), strict=True):
            pull = slope * pull
            total += pull @ A
            pull = pull if W is None else pull @ W
        return total

    def of_values(self, trace, weights):
        """The gradient in the parameters of ``sum_i weights_i g(x_i)``."""
        X, layers = trace
        bar, made = weights[:, None], []
        for (_, _, W), (z, _, slope, _) in zip(reversed(list(self._layers())), reversed(layers), strict=True):
            bar = slope * bar
            made = [bar.T @ X, bar.sum(axis=0), *([] if W is None else [bar.T @ z]), *made]
            bar = bar if W is None else bar @ W
        return [*made, 0.5 * weights @ (X * X)]

    def of_gradients(self, trace, directions):
        """The gradient in the parameters of ``sum_i <directions_i, grad g(x_i)>``."""
        X, layers = trace
        zd, tangents = None, []
        for (A, _, W), (_, _, slope, _) in zip(self._layers(), layers, strict=True):
            hd = directions @ A.T
            if W is not None:
                hd += zd @ W.T
            tangents.append((zd, hd))
            zd = slope * hd
        bar_z, made = np.zeros((X.shape[0], 1), dtype=X.dtype), []
        bar_zd = bar_z + 1
        steps = zip(reversed(list(self._layers())), reversed(layers), reversed(tangents), strict=True)
        for (_, _, W), (z, _, slope, bend), (zd, hd) in steps:
            bar_hd = slope * bar_zd
            bar_h = bend * hd * bar_zd + slope * bar_z
            layer = [bar_h.T @ X + bar_hd.T @ directions, bar_h.sum(axis=0)]
            if W is not None:
                layer.append(bar_h.T @ z + bar_hd.T @ zd)
                bar_z, bar_zd = bar_h @ W, bar_hd @ W
            made = layer + made
        return [*made, np.sum(directions * X, axis=0)]


class Adam:
    """Adam's steps on a list of arrays, with a state that can be put back.

    Kingma and Ba, "Adam: a method for stochastic optimization", 2015 (arXiv 1412.6980).
    """

    def __init__(self, network, rate, betas=(0.5, 0.9)):
        self.network, self.rate, self.betas = network, rate, betas
        self.means = [np.zeros_like(part) for part in network.parameters]
        self.squares = [np.zeros_like(part) for part in network.parameters]
        self.count = 0

    def step(self, gradients):
        """One descent step, projected to where the network is convex."""
        self.count += 1
        one, two = self.betas
        for part, mean, square, gradient in zip(
            self.network.parameters, self.means, self.squares, gradients, strict=True
        ):
            mean += (1.0 - one) * (gradient - mean)
            square += (1.0 - two) * (gradient * gradient - square)
            size = np.sqrt(square / (1.0 - two**self.count)) + 1e-8
            part -= self.rate * mean / (1.0 - one**self.count) / size
        self.network.project()

    def saved(self):
        """Weights and the state of the optimiser, to be put back."""
        copies = [[part.copy() for part in parts] for parts in (self.network.parameters, self.means, self.squares)]
        return (*copies, self.count)

    def restore(self, saved):
        """What was saved, again as a copy: one state may be put back more than once."""
        parameters, means, squares, self.count = saved
        self.network.parameters, self.means, self.squares = (
            [part.copy() for part in parts] for parts in (parameters, means, squares)
        )
