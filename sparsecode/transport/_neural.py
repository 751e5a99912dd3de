"""Transport maps as gradients of convex networks, with a penalty on how many features they move.

    max over psi, min over phi     - E psi(y) - E [ <x, T(x)> - psi(T(x)) ] + alpha E tau(T(x) - x),     T = grad phi

Both are input-convex networks. For one step of psi, phi makes several; ``tau(z) = sum_k 1 - exp(-z_k^2 / (2 s^2))`` is a smooth count of
features that move by more than s. The strength is raised until no more than the wanted number of features moves, and then lowered by
random proposals, which are kept only if the number stays within its bound and the samples do not come to lie further apart; weights and
the optimiser's state are put back otherwise.

Chen, Xie and Zhang, "Displacement-sparse neural optimal transport", 2025 (arXiv 2502.01889). Makkuva, Taghvaei, Oh and Lee, "Optimal
transport mapping via input convex neural networks", 2020 (arXiv 1908.10962).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ..networks import Adam, ConvexNetwork

__all__ = ["Judgement", "NeuralTransport", "Settings", "adapted", "sliced_distance", "tau", "tau_slope"]

_RAISE, _COOL, _COLD = 1.5, 0.85, 0.15  # of the strength; of the temperature, and where it ends
_RAISES = 25  # at most
_LEVELS = 200  # of quantiles
_BETAS = 0.5, 0.9  # of Adam: short memories, as the problem of one network moves with the other


class Settings(NamedTuple):
    """How networks are trained."""

    penalty: str
    width: float  # s of the smooth count
    rate: float
    inner: int
    batch: int


class Judgement(NamedTuple):
    """What held-out samples say of a map."""

    n_displaced: float  # mean number of features that move by more than the cut
    sliced: float  # distance between the images and the targets


def tau(Z, penalty, width):
    """The penalty of displacements (B, d), one number a row."""
    if penalty == "l1":
        return np.sum(np.abs(Z), axis=1)
    return np.sum(-np.expm1(-0.5 * (Z / width) ** 2), axis=1)


def tau_slope(Z, penalty, width):
    """Its gradient."""
    if penalty == "l1":
        return np.sign(Z)
    return Z / width**2 * np.exp(-0.5 * (Z / width) ** 2)


def sliced_distance(X, Y, directions):
    """Sliced Wasserstein distance of order 2: root mean square over directions (d, K) of the distance of quantiles."""
    levels = (np.arange(_LEVELS) + 0.5) / _LEVELS
    one, other = (np.quantile(points @ directions, levels, axis=0) for points in (X, Y))
    return float(np.sqrt(np.mean((one - other) ** 2)))


class NeuralTransport:
    """Two networks, their optimisers, and the samples they learn from and are judged by."""

    def __init__(self, samples, held_out, settings, hidden, random):
        self.X, self.Y = (points.astype(np.float32) for points in samples)
        self.held_out = tuple(points.astype(np.float32) for points in held_out)
        self.settings, self.random = settings, random
        d = self.X.shape[1]
        self.source, self.target = (ConvexNetwork(d, hidden[0], hidden[1], random, np.float32) for _ in range(2))
        # the slopes of both linear terms: maps start as the translation between the means
        shift = self.Y.mean(axis=0) - self.X.mean(axis=0)
        self.source.parameters[-4][0], self.target.parameters[-4][0] = shift, -shift
        self.optimisers = tuple(
            Adam(network.parameters, settings.rate, betas=_BETAS) for network in (self.source, self.target)
        )
        directions = random.standard_normal((d, 128))
        self.directions = directions / np.linalg.norm(directions, axis=0)

    def saved(self):
        """Weights and optimisers, to be put back."""
        return [optimiser.state() for optimiser in self.optimisers]

    def restore(self, saved):
        for optimiser, state in zip(self.optimisers, saved, strict=True):
            optimiser.restore(*state)

    def train(self, n_steps, strength):
        """Steps of the target's network, each after several of the source's; False if numbers left their range."""
        _, width, _, inner, _ = self.settings
        phi, psi = self.source, self.target
        with np.errstate(over="ignore", invalid="ignore"):
            for _ in range(n_steps):
                for _ in range(inner):
                    x = self._batch(self.X)
                    trace = phi.trace(x)
                    u = phi.gradient_of(trace)
                    pull = psi.gradient(u) - x
                    if strength:
                        pull += strength * tau_slope(u - x, self.settings.penalty, width)
                    self._step(0, phi.of_gradients(trace, pull / x.shape[0]))
                y, u = self._batch(self.Y), phi.gradient(self._batch(self.X))
                gradients = psi.of_values(psi.trace(y), np.full(y.shape[0], 1.0 / y.shape[0], dtype=y.dtype))
                against = psi.of_values(psi.trace(u), np.full(u.shape[0], 1.0 / u.shape[0], dtype=u.dtype))
                self._step(1, [one - other for one, other in zip(gradients, against, strict=True)])
        return all(np.all(np.isfinite(part)) for part in (*phi.parameters, *psi.parameters))

    def _step(self, which, gradients):
        self.optimisers[which].step(gradients)
        (self.source, self.target)[which].project()

    def _batch(self, points):
        size = min(self.settings.batch, points.shape[0])
        return points[self.random.randint(points.shape[0], size=size)]

    def size(self):
        """Root mean square of the displacements of held-out sources."""
        X = self.held_out[0]
        return float(np.sqrt(np.mean((self.source.gradient(X) - X) ** 2)))

    def cost(self):
        """The estimate of half the mean squared displacement from the dual problem."""
        X, Y = self.held_out
        u, psi = self.source.gradient(X), self.target
        squares = 0.5 * (np.mean(np.sum(X * X, axis=1)) + np.mean(np.sum(Y * Y, axis=1)))
        return float(squares - np.mean(psi.value(Y)) - np.mean(np.sum(X * u, axis=1) - psi.value(u)))

    def judge(self, cut) -> Judgement:
        X, Y = self.held_out
        images = self.source.gradient(X)
        moved = float(np.mean(np.sum(np.abs(images - X) > cut, axis=1)))
        return Judgement(moved, sliced_distance(images, Y, self.directions))


def adapted(model, strength, wanted, cut, n_steps, history):
    """The strength that keeps the number of displaced features within `wanted` on held-out samples, as low as it is found.

    The model holds the weights that belong to it; `history` gains a line for each round. The second value is False where numbers left
    their range; whether the bound was reached, the model says.
    """

    def record(stage, judged, accepted):
        for key, value in zip(
            ("stage", "alpha", *judged._fields, "accepted"), (stage, strength, *judged, accepted), strict=True
        ):
            history[key].append(value)

    judged = model.judge(cut)
    for _ in range(_RAISES):
        if judged.n_displaced <= wanted:
            break
        before = model.saved()
        strength *= _RAISE
        if not model.train(n_steps, strength):
            model.restore(before)
            return strength / _RAISE, False
        judged = model.judge(cut)
        record("raise", judged, True)
    if judged.n_displaced > wanted:
        return strength, True
    temperature = 1.0
    while temperature >= _COLD:
        before, kept, standing = model.saved(), strength, judged
        reach = max(0.01, float(np.exp(-3.0 * (1.0 - temperature))))
        strength *= 1.0 - model.random.uniform(0.0, reach)
        well = model.train(n_steps, strength)
        judged = model.judge(cut) if well else standing
        accepted = well and judged.n_displaced <= wanted and judged.sliced <= standing.sliced
        record("lower", judged, accepted)
        if not accepted:
            model.restore(before)
            strength, judged = kept, standing
        temperature *= _COOL
    return strength, True
