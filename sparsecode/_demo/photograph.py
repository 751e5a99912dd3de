"""A noisy photograph, denoised by sparse codes over a dictionary learned from its own noisy patches.

    for each patch   min ||code||_0   subject to   ||patch - code @ atoms|| <= noise level

and the estimates of all patches that cover a pixel are averaged.
Elad and Aharon, "Image denoising via sparse and redundant representations over learned dictionaries", 2006.
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import numpy as np
from sklearn.datasets import load_sample_image

from .. import DictionaryLearning, SparseCoder
from ..decomposition import overcomplete_dct
from ..metrics import psnr
from .rows import Row, timed

__all__ = ["PhotographPictures", "denoise"]

_NOISE = 25.0 / 255.0
_SIDE = 8  # of a patch, in pixels
_STRIDE = 2
_N_ATOMS = 256
_N_TRAINING = 10_000
_MAX_EPOCHS = 20
_SLACK = 1.05  # the noise in a patch scatters about its expectation
_STRIP = 16  # rows of patches coded at a time: memory stays small


class PhotographPictures(NamedTuple):
    """What the picture shows, and a row for learning and for each dictionary."""

    noisy: np.ndarray
    denoised: np.ndarray
    components: np.ndarray
    atom_shape: tuple
    rows: list


def denoise(image, progress) -> PhotographPictures:
    """Learn from the noisy photograph, denoise it, and compare with a fixed cosine dictionary."""
    rng = np.random.default_rng(0)
    noisy = image + _NOISE * rng.standard_normal(image.shape)
    progress.begin("photograph: learning atoms")
    learner, seconds = timed(lambda: _learn(noisy, rng, progress))
    rows = [
        Row(
            task="photograph",
            method=f"learn {_N_ATOMS} atoms",
            certificate="movement of the atoms",
            value=learner.certificate_,
            bound=learner.tol,
            first=seconds,
        )
    ]
    dictionaries = {"code, learned atoms": learner.components_, "code, cosine atoms": _cosines(image.shape[2])}
    estimates = []
    for method, components in dictionaries.items():
        progress.begin(f"photograph: {method}")
        code = partial(_denoise, noisy, components.astype(np.float32), progress)
        (estimate, worst), first = timed(code)
        later = None if estimates else timed(code)[1]  # the second dictionary finds the kernels compiled
        estimates.append(estimate)
        rows.append(
            Row(
                task="photograph",
                method=method,
                certificate="residual / noise level",
                value=worst,
                bound=1.0,
                first=first,
                later=later,
                before=psnr(image, noisy, data_range=1.0),
                after=psnr(image, estimate, data_range=1.0),
            )
        )
    return PhotographPictures(noisy, estimates[0], learner.components_, (_SIDE, _SIDE, image.shape[2]), rows)


def load_photograph():
    """The photograph that scikit-learn ships, (427, 640, 3), in [0, 1]."""
    try:
        return load_sample_image("china.jpg") / 255.0
    except ImportError as error:
        raise ModuleNotFoundError(
            "reading the photograph needs Pillow, which is not installed: pip install 'sparsecode[plot]'."
        ) from error


def _learn(noisy, rng, progress):
    """Atoms learned by the Lasso from some patches without their mean colour."""
    patches = _centred(_patches(noisy, *_places(noisy.shape)))[0]
    chosen = patches[np.sort(rng.choice(len(patches), _N_TRAINING, replace=False))]
    learner = DictionaryLearning(
        _N_ATOMS,
        alpha=2.0 * _NOISE,  # an atom must explain twice what it would explain of the noise
        max_iter=_MAX_EPOCHS,
        tol=0.05,
        random_state=0,
        callback=lambda state: progress.advance(state.epoch, _MAX_EPOCHS),
    )
    return learner.fit(chosen)


def _denoise(noisy, components, progress):
    """The average of the denoised patches over every pixel, and the largest residual over the noise level."""
    rows, columns = _places(noisy.shape)
    level = _noise_level(components.shape[1], noisy.shape[2])
    coder = SparseCoder(components, algorithm="omp", atol=level, sparse_output=True)
    total, count = np.zeros(noisy.shape), np.zeros((*noisy.shape[:2], 1))
    worst = 0.0
    for start in range(0, rows.size, _STRIP):
        strip = rows[start : start + _STRIP]
        patches, means = _centred(_patches(noisy, strip, columns))
        result = coder.fit(patches).encode(patches)
        worst = max(worst, float(np.max(result.certificate)) / level)
        estimate = (result.coef @ components).reshape(len(patches), -1, noisy.shape[2]) + means
        estimate = estimate.reshape(strip.size, columns.size, _SIDE, _SIDE, -1)
        for down in range(_SIDE):
            for right in range(_SIDE):
                pixels = np.ix_(strip + down, columns + right)
                total[pixels] += estimate[:, :, down, right]
                count[pixels] += 1.0
        progress.advance(start + strip.size, rows.size)
    return total / count, worst


def _places(shape):
    """Rows and columns of the patches' corners; the last ones touch the border."""
    return tuple(np.unique(np.append(np.arange(0, length - _SIDE, _STRIDE), length - _SIDE)) for length in shape[:2])


def _patches(image, rows, columns):
    """Patches (n_patches, n_pixels, n_channels) in single precision."""
    windows = np.lib.stride_tricks.sliding_window_view(image, (_SIDE, _SIDE), axis=(0, 1))[np.ix_(rows, columns)]
    channels = image.shape[2]
    return np.moveaxis(windows, 2, -1).reshape(-1, _SIDE * _SIDE, channels).astype(np.float32)


def _centred(patches):
    """Patches without their mean colour, flattened, and the means."""
    means = patches.mean(axis=1, keepdims=True)
    return (patches - means).reshape(len(patches), -1), means


def _noise_level(n_values, n_channels):
    """Expected norm of the noise in a centred patch, a little enlarged."""
    return _SLACK * _NOISE * float(np.sqrt(n_values - n_channels))


def _cosines(n_channels):
    """The same number of cosine atoms for each combination of the channels: grey, and two differences."""
    spatial = overcomplete_dct(_SIDE * _SIDE, _N_ATOMS, two_dimensional=True)[1:]
    mixes = np.array([[1.0, 1.0, 1.0], [1.0, 0.0, -1.0], [1.0, -2.0, 1.0]])
    mixes /= np.linalg.norm(mixes, axis=1, keepdims=True)
    return np.concatenate([np.einsum("ap,c->apc", spatial, mix).reshape(len(spatial), -1) for mix in mixes])
