"""What is trained of unrolled layers: a list of arrays for the optimiser, and the layers that they stand for.

Steps and thresholds are trained by their logarithms, so that they stay positive and a rate means the same at any scale; matrices in units of
the root mean square of their first entries. Thresholds are tied to the steps by the problem that the layers unroll (``theta = gamma
alpha``, or ``sqrt(2 gamma alpha)`` for l0), or trained for themselves.
"""

from __future__ import annotations

import numpy as np

from ._layers import Layers, analytic_filters

__all__ = ["MATRICES", "Parameters"]

MATRICES = ("tied", "analytic", "coupled", "free")
_STIFFNESS = 0.2  # by how much slower matrices move than steps
_LEAST = 1e-300  # of what a logarithm is taken


class Parameters:
    """The trained arrays by name, and how layers are made of them.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        The dictionary, in the precision of the matrices that are trained.
    n_layers : int
        How many layers.
    rule : {"soft", "hard", "count"}
        What a layer does to its gradient step.
    weights : {"tied", "analytic", "coupled", "free"}
        Filters that are the dictionary, that are computed from it, that are trained, or trained with mixing matrices.
    shared : bool
        Whether all layers have the same trained matrices.
    trains_levels : bool
        Whether thresholds are trained for themselves.
    accelerated : bool
        Whether layers extrapolate.
    alpha : float
        Strength of the penalty.
    counts : int64 array of shape (n_layers,)
        Of each layer, as in `Layers`.
    """

    def __init__(self, atoms, *, n_layers, rule, weights, shared, trains_levels, accelerated, alpha, counts):
        self.atoms, self.rule, self.weights, self.alpha, self.counts = atoms, rule, weights, alpha, counts
        self.accelerated, self.n_layers = accelerated, n_layers
        self.filters = analytic_filters(atoms).astype(atoms.dtype) if weights == "analytic" else atoms
        stretch = _largest_stretch(atoms, self.filters)
        step = 1.0 / max(stretch, _LEAST) if stretch > 0 else 1.0
        self.arrays = {}
        self._units = {}
        if weights != "free":
            self.arrays["log_steps"] = np.full(n_layers, np.log(step))
        if rule == "soft" and trains_levels:
            self.arrays["log_levels"] = np.full(n_layers, np.log(max(step * alpha, _LEAST)))
        if accelerated:
            self.arrays["momenta"] = _fista_momenta(n_layers)
        copies = 1 if shared else n_layers
        if weights == "coupled":
            self._add_matrices("filters", atoms, copies)
        elif weights == "free":
            self._add_matrices("filters", step * atoms, copies)
            self._add_matrices("mixing", np.eye(atoms.shape[0]) - step * (atoms @ atoms.T), copies)

    def _add_matrices(self, name, matrix, copies):
        size = float(np.sqrt(np.mean(np.square(matrix, dtype=np.float64)))) or 1.0
        self._units[name] = _STIFFNESS * size
        self.arrays[name] = np.repeat((matrix / self._units[name])[None], copies, axis=0).astype(self.atoms.dtype)

    @property
    def trains_matrices(self):
        """Whether there are matrices among them."""
        return bool(self._units)

    def matrices(self, name):
        """The trained matrices of that name, (1 or n_layers, n_atoms, ...)."""
        return self.arrays[name] * self.atoms.dtype.type(self._units[name])

    def layers(self):
        """The layers as they are now."""
        steps = np.exp(self.arrays["log_steps"]) if "log_steps" in self.arrays else np.ones(self.n_layers)
        if "log_levels" in self.arrays:
            levels = np.exp(self.arrays["log_levels"])
        elif self.rule == "soft":
            levels = steps * self.alpha
        else:
            levels = np.sqrt(2.0 * steps * self.alpha) if self.rule == "hard" else np.zeros(self.n_layers)
        momenta = self.arrays["momenta"].copy() if self.accelerated else np.zeros(self.n_layers)
        filters = tuple(self.matrices("filters")) if "filters" in self._units else (self.filters,)
        mixing = tuple(self.matrices("mixing")) if "mixing" in self._units else ()
        return Layers(self.atoms, filters, mixing, steps, levels, momenta, self.rule, self.counts, self.accelerated)

    def gradients(self, slopes, layers):
        """From derivatives in what the (first) layers compute with to those in the arrays, in their order."""
        depth = layers.depth
        found = []
        for name, array in self.arrays.items():
            gradient = np.zeros_like(array)
            if name == "log_steps":
                by_step = slopes.steps
                if "log_levels" not in self.arrays and self.rule == "soft":
                    by_step = by_step + self.alpha * slopes.levels
                gradient[:depth] = layers.steps * by_step
            elif name == "log_levels":
                gradient[:depth] = layers.levels * slopes.levels
            elif name == "momenta":
                gradient[:depth] = slopes.momenta
            else:
                for k, part in enumerate(getattr(slopes, name)):
                    gradient[k] = self._units[name] * part
            found.append(gradient)
        return found

    def begin_layer(self, k):
        """Let layer k start from what the one before has learned; momenta have a course of their own.

        Layers of hard thresholds start from the plain iteration: no derivative would bring a long step back, and trained with codes they end in
        better minima.
        """
        if self.rule != "soft" or k == 0:
            return
        for name, array in self.arrays.items():
            if array.shape[0] == self.n_layers and name != "momenta":
                array[k] = array[k - 1]

    def copies(self):
        """The arrays, to be put back."""
        return {name: array.copy() for name, array in self.arrays.items()}

    def put_back(self, copies):
        """Become what `copies` told, in the same memory."""
        for name, array in self.arrays.items():
            array[...] = copies[name]


def _largest_stretch(atoms, filters):
    """Largest singular value of ``D W'``: for W = D the Lipschitz constant of the gradient."""
    rows = np.asarray(atoms, dtype=np.float64)
    if filters is atoms:
        return float(np.linalg.norm(rows, 2) ** 2)
    return float(np.linalg.norm(rows @ np.asarray(filters, dtype=np.float64).T, 2))


def _fista_momenta(n_layers):
    """Those of FISTA; the first two are zero."""
    momenta, t = np.zeros(n_layers), 1.0
    for k in range(1, n_layers):
        after = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * t * t))
        momenta[k], t = (t - 1.0) / after, after
    return momenta
