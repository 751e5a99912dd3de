"""Adam: gradient steps as long as a rate, whatever the size of the gradient.

    m <- b1 m + (1 - b1) g,     s <- b2 s + (1 - b2) g^2,     p <- p - rate m' / (sqrt(s') + floor)

where m' and s' are m and s divided by what is missing of the sum of their weights, ``1 - b^count``.

Kingma and Ba, "Adam: a method for stochastic optimization", 2015 (arXiv 1412.6980).
"""

from __future__ import annotations

from .._array import array_namespace, sq_norm

__all__ = ["Adam", "clipped", "copied"]


class Adam:
    """Adam's steps on a list of arrays, which are changed where they are, and its state, which can be kept and put back.

    Parameters
    ----------
    parameters : list of arrays
        What is trained: NumPy, CuPy or torch arrays (the latter without autograd), of any shapes.
    rate : float, default=1e-3
        Length of a step.
    betas : tuple of two float, default=(0.9, 0.999)
        Decay of the running means of the gradient and of its square.
    floor : float, default=1e-8
        Added to the root of the mean square: gradients below it are not taken for larger ones.

    Attributes
    ----------
    means, squares : list of arrays
        The running means, one for each of the parameters.
    count : int
        Steps so far.
    """

    def __init__(self, parameters, rate=1e-3, *, betas=(0.9, 0.999), floor=1e-8):
        self.parameters, self.rate, self.betas, self.floor = list(parameters), rate, betas, floor
        self.means, self.squares = ([copied(part) * 0.0 for part in self.parameters] for _ in range(2))
        self.count = 0

    def step(self, gradients, rate=None, floor=None):
        """One descent step; `rate` and `floor` (broadcast against each of the parameters) hold for this step alone."""
        rate, floor = self.rate if rate is None else rate, self.floor if floor is None else floor
        self.count += 1
        one, two = self.betas
        length, share = rate / (1.0 - one**self.count), (1.0 - two**self.count) ** -0.5
        for part, mean, square, gradient in zip(self.parameters, self.means, self.squares, gradients, strict=True):
            mean += (1.0 - one) * (gradient - mean)
            square += (1.0 - two) * (gradient * gradient - square)
            part -= length * mean / (share * square**0.5 + floor)

    def state(self):
        """Numbers (ready for JSON) and arrays by name, copies: all that a run needs to go on from here, as a checkpoint keeps it."""
        arrays = {f"{name}_{k}": copied(part) for name, parts in self._named() for k, part in enumerate(parts)}
        return {"count": self.count}, arrays

    def restore(self, numbers, arrays):
        """Become what `state` told, once more as copies: one state may be put back again and again."""
        for name, parts in self._named():
            for k, part in enumerate(parts):
                part[...] = arrays[f"{name}_{k}"]
        self.count = int(numbers["count"])

    def _named(self):
        return ("parameter", self.parameters), ("mean", self.means), ("square", self.squares)


def clipped(gradients, most=1.0):
    """Gradients of one loss, all shrunk by one factor where their common norm is above `most`; the norm is returned too."""
    size = float(sum(float(sq_norm(array_namespace(part).reshape(part, (-1,)))) for part in gradients) ** 0.5)
    return ([part * (most / size) for part in gradients] if size > most else list(gradients)), size


def copied(part):
    """The array once more, wherever it lives."""
    return array_namespace(part).asarray(part, copy=True)
