"""Input-convex networks with the gradients that those who train them ask for, written out.

    z_1 = s1(A_0 x + b_0),   z_l+1 = s(A_l x + b_l + W_l z_l),   g(x) = <a, x> + b + <w, z_L> + sum_k q_k x_k^2 / 2

with s1 a squared leaky rectifier, s the softplus (of a sharpness t: ``log(1 + exp(t h)) / t``), and W_l, w, q not negative, which makes g convex; with small w and q = 1 its gradient
starts near the identity. (With q fixed at 1, maps and their inverses could only stretch, so none but translations.) A map is
``x -> grad g(x)``. What a fit needs beside it is the gradient in the parameters of ``sum_i c_i g(x_i)`` and of
``sum_i <v_i, grad g(x_i)>`` for fixed v: the second is that of a directional derivative, by a forward pass with tangents and a reverse pass.

Makkuva, Taghvaei, Oh and Lee, "Optimal transport mapping via input convex neural networks", 2020 (arXiv 1908.10962).
"""

from __future__ import annotations

import numpy as np

__all__ = ["ConvexNetwork"]


def _squared(h, leak):
    """Squared leaky rectifier with its first two derivatives."""
    slope = np.where(h > 0, h.dtype.type(1.0), h.dtype.type(leak**2))
    return slope * h * h, 2.0 * slope * h, 2.0 * slope


def _softplus(h, sharpness):
    """Softplus with its first two derivatives."""
    small = np.exp(-sharpness * np.abs(h))
    share = 1.0 / (1.0 + small)
    s = np.where(h > 0, share, small * share)
    return np.maximum(h, 0.0) + np.log1p(small) / sharpness, s, sharpness * (share * share * small)


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
    leak : float, default=0.2
        Slope of the rectifier below zero, whose square the first layer is; with 0 the gradient can be flat.
    sharpness : float, default=1.0
        Of the softplus.
    """

    def __init__(self, d, width, depth, random, dtype=np.float64, *, leak=0.2, sharpness=1.0):
        self.depth, self.leak, self.sharpness = depth, leak, sharpness
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

    def bounded(self):
        """For each of the parameters, whether it must not be negative."""
        last = len(self.parameters) - 1
        return [k == last or (k >= 4 and k % 3 == 1) for k in range(last + 1)]

    def project(self):
        """The nearest parameters with which the function is convex."""
        for part, is_bounded in zip(self.parameters, self.bounded(), strict=True):
            if is_bounded:
                np.maximum(part, 0.0, out=part)

    def cast(self, dtype):
        """A copy in another precision."""
        twin = object.__new__(type(self))
        twin.__dict__.update(self.__dict__)
        twin.parameters = [part.astype(dtype) for part in self.parameters]
        return twin

    def trace(self, X):
        """The points, and for each layer its input and its output with two derivatives: what all other passes start from."""
        z, layers = None, []
        for l, (A, b, W) in enumerate(self._layers()):
            h = X @ A.T + b
            if W is not None:
                h += z @ W.T
            if l == self.depth:
                made = h, np.ones_like(h), np.zeros_like(h)
            else:
                made = _softplus(h, self.sharpness) if l else _squared(h, self.leak)
            layers.append((z, *made))
            z = made[0]
        return X, layers

    def value(self, X):
        """g, of shape (B,)."""
        return self.value_of(self.trace(X))

    def value_of(self, trace):
        """The same from a trace."""
        X, layers = trace
        return layers[-1][1][:, 0] + 0.5 * (X * X) @ self.parameters[-1]

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

    def hessian_of(self, trace):
        """The Hessian of g at the points of a trace, of shape (B, d, d): ``sum_l T_l^T diag(dg/dz_l s''(h_l)) T_l`` with ``T_l = dh_l/dx``."""
        X, layers = trace
        d = X.shape[1]
        pull, pulls = np.ones((X.shape[0], 1), dtype=X.dtype), []
        for (_, _, W), (_, _, slope, bend) in zip(reversed(list(self._layers())), reversed(layers), strict=True):
            pulls.append(pull * bend)
            pull = slope * pull if W is None else (slope * pull) @ W
        total = np.zeros((X.shape[0], d, d), dtype=X.dtype) + np.diag(self.parameters[-1])
        behind = None
        for (A, _, W), (_, _, slope, _), weight in zip(self._layers(), layers, reversed(pulls), strict=True):
            tangents = np.broadcast_to(A, (X.shape[0], *A.shape)) if W is None else A + W @ behind
            total += np.swapaxes(tangents, 1, 2) @ (weight[:, :, None] * tangents)
            behind = slope[:, :, None] * tangents
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
