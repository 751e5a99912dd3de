"""Convolutional networks in place of the prox of textures: the one place where torch is imported, when one of them runs."""

from __future__ import annotations

import numpy as np

__all__ = ["ResidualNetworks"]


class ResidualNetworks:
    """One convolutional network a texture step; kernels of width 3, rectifiers between, zero at the start.

    Weights are NumPy arrays; torch differentiates.

    Parameters
    ----------
    image_shape : tuple of int
        Shape (n,) or (height, width) of a code.
    depth, width : int
        Convolutions, and channels between them.
    random : RandomState
        Draws the first weights.
    dtype : dtype
        Of the weights.
    """

    def __init__(self, image_shape, depth, width, random, dtype):
        _torch()
        self.image_shape, self.depth, self.width, self.dtype = image_shape, depth, width, np.dtype(dtype)
        self._random = random

    def start(self, shape):
        """Arrays by name, for `shape` steps; the last convolution of each is zero."""
        arrays, window = {}, (3,) * len(self.image_shape)
        channels = [1, *[self.width] * (self.depth - 1), 1]
        for at in np.ndindex(shape):
            for layer in range(self.depth):
                size = (channels[layer + 1], channels[layer], *window)
                bound = np.sqrt(2.0 / (channels[layer] * 3 ** len(window))) * (layer < self.depth - 1)
                arrays[_name("kernel", at, layer)] = (bound * self._random.standard_normal(size)).astype(self.dtype)
                arrays[_name("bias", at, layer)] = np.zeros(size[0], dtype=self.dtype)
        del self._random
        return arrays

    def run(self, arrays, at, codes, kept):
        """What the network of a step adds to codes (n, n_atoms); if `kept`, a function from slopes to slopes by codes and arrays."""
        torch = _torch()
        names = [_name(kind, at, layer) for layer in range(self.depth) for kind in ("kernel", "bias")]
        with torch.set_grad_enabled(kept):
            parts = [torch.tensor(arrays[name], requires_grad=kept) for name in names]
            start = torch.tensor(codes.astype(self.dtype), requires_grad=kept)
            convolve = (torch.nn.functional.conv1d, torch.nn.functional.conv2d)[len(self.image_shape) - 1]
            now = start.reshape(-1, 1, *self.image_shape)
            for layer in range(self.depth):
                now = convolve(now, parts[2 * layer], parts[2 * layer + 1], padding=1)
                now = torch.relu(now) if layer < self.depth - 1 else now
            now = now.reshape(codes.shape)

        def differentiate(slopes):
            seed = torch.tensor(slopes.astype(self.dtype))
            of_codes, *of_parts = torch.autograd.grad(now, [start, *parts], seed)
            return of_codes.numpy(), dict(zip(names, (part.numpy() for part in of_parts), strict=True))

        return now.detach().numpy(), differentiate if kept else None


def _name(kind, at, layer):
    return f"{kind}_{at[0]}_{at[1]}_{layer}"


def _torch():
    try:
        import torch
    except ImportError as error:
        raise ImportError(
            "regulariser='network' of CompoundGaussianNetwork needs torch: pip install 'sparsecode[torch]'."
        ) from error
    return torch
