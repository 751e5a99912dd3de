"""Activations of a small trained network on real data that ships inside scikit-learn: nothing is downloaded."""

from __future__ import annotations

import warnings

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import Bunch

from .._validation import as_count
from ._images import load_patches, whiten_image
from ._random import as_generator, one_of

__all__ = ["load_activations"]


def load_activations(source="digits", n_samples=None, *, n_units=128, dtype=np.float64, random_state=None):
    """Activations inside a network that was trained on real data: what a learned coder is meant to take apart.

    The network has two hidden layers of rectified units. `data` is what enters the second one: dense, of both signs and of falling
    variance, as in the larger networks of which one would like to know how they work.

    Parameters
    ----------
    source : {"digits", "patches"}, default="digits"
        The handwritten digits of scikit-learn, which the network learns to name, or patches of 8 x 8 pixels of a whitened
        photograph that it brings along, which the network learns to clear of noise.
    n_samples : int, optional
        How many samples; by default 1797 digits (all) or 10 000 patches.
    n_units : int, default=128
        Units of a hidden layer, the columns of `data`.
    dtype : {float32, float64}, default=float64
        Precision.
    random_state : int, sequence of int, Generator, RandomState or None
        What to draw the samples and the network's start from.

    Returns
    -------
    Bunch
        `data` (n_samples, n_units), with mean zero and a mean squared norm of `n_units`; `inputs` (n_samples, 64): the pixels;
        `outputs` (n_samples, n_units): what the second layer makes of the data, rectified, as a transcoder's target; and
        `target` (n_samples,): the digits' names, None for patches.

    Raises
    ------
    ValueError
        If there are not so many digits, or the source has another name.
    ModuleNotFoundError
        For patches if Pillow is not installed, which reads the photograph.

    Examples
    --------
    >>> from sparsecode.datasets import load_activations
    >>> digits = load_activations("digits", n_units=32, random_state=0)
    >>> digits.data.shape, digits.target.shape
    ((1797, 32), (1797,))
    """
    n_units = as_count(n_units, "n_units")
    rng = as_generator(random_state)
    inputs, target, weights = _DIGITS_OR_PATCHES[one_of(source, tuple(_DIGITS_OR_PATCHES), "source")](
        n_samples, n_units, rng
    )
    activations = np.maximum(inputs @ weights[0] + weights[1], 0.0) @ weights[2] + weights[3]
    outputs = np.maximum(activations, 0.0)
    activations = activations - activations.mean(axis=0)
    activations *= np.sqrt(n_units * len(activations)) / np.linalg.norm(activations)
    return Bunch(
        data=activations.astype(dtype), inputs=inputs.astype(dtype), outputs=outputs.astype(dtype), target=target
    )


def _digits(n_samples, n_units, rng):
    from sklearn.datasets import load_digits
    from sklearn.neural_network import MLPClassifier  # loads much of scikit-learn

    pixels, names = load_digits(return_X_y=True)
    n_samples = len(pixels) if n_samples is None else as_count(n_samples, "n_samples")
    if n_samples > len(pixels):
        raise ValueError(f"n_samples is {n_samples}, but there are only {len(pixels)} digits.")
    pixels = pixels / 16.0
    weights = _trained(MLPClassifier, n_units, 20, pixels, names, rng)
    chosen = np.arange(n_samples) if n_samples == len(pixels) else rng.permutation(len(pixels))[:n_samples]
    return pixels[chosen], names[chosen], weights


def _patches(n_samples, n_units, rng):
    from sklearn.neural_network import MLPRegressor

    n_samples = 10_000 if n_samples is None else as_count(n_samples, "n_samples")
    patches = load_patches(whiten_image(), (8, 8), n_samples, random_state=rng)
    noisy = patches + 0.5 * np.std(patches) * rng.standard_normal(patches.shape)
    return patches, None, _trained(MLPRegressor, n_units, 10, noisy, patches, rng)


_DIGITS_OR_PATCHES = {"digits": _digits, "patches": _patches}


def _trained(network, n_units, max_iter, inputs, wanted, rng):
    """Weights and intercepts of the first two layers after a few epochs; that more would fit better is no news."""
    network = network(hidden_layer_sizes=(n_units, n_units), max_iter=max_iter, random_state=int(rng.integers(2**31)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        network.fit(inputs, wanted)
    (first, second), (shift, offset) = network.coefs_[:2], network.intercepts_[:2]
    return first, shift, second, offset
