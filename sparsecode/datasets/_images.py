"""Real images that ship inside scikit-learn and matplotlib: nothing is downloaded."""

from __future__ import annotations

import numpy as np
from scipy.fft import dctn, idctn

from .._validation import as_count, as_number
from ._random import as_generator

__all__ = ["load_mri", "load_patches", "whiten_image"]

_GREY = np.array([0.299, 0.587, 0.114])  # luma of red, green and blue (ITU-R BT.601)


def load_patches(
    image="china.jpg",
    patch_size=(8, 8),
    n_patches=10_000,
    *,
    gray=True,
    remove_mean=True,
    dtype=np.float64,
    random_state=None,
):
    """Patches of a photograph, flattened, drawn at distinct places.

    Parameters
    ----------
    image : {"china.jpg", "flower.jpg"} or array of shape (height, width) or (height, width, 3), default="china.jpg"
        A photograph that scikit-learn brings along, or an image of your own (8-bit images are scaled to [0, 1]).
    patch_size : tuple of int, default=(8, 8)
        Height and width of a patch.
    n_patches : int or None, default=10_000
        How many; None for every position, in order.
    gray : bool, default=True
        Whether colours are reduced to luma; else a patch holds its channels last.
    remove_mean : bool, default=True
        Whether each patch is centred: its mean brightness is rarely what a dictionary should spend atoms on.
    dtype : dtype, default=float64
        Precision.
    random_state : int, sequence of int, Generator, RandomState or None
        What to draw the places from.

    Returns
    -------
    array of shape (n_patches, n_pixels)
        One patch a row, from an image scaled to [0, 1].

    Raises
    ------
    ValueError
        If a patch is larger than the image, or more patches are asked for than there are places.

    Examples
    --------
    >>> from sparsecode.datasets import load_patches
    >>> load_patches(n_patches=100, random_state=0).shape
    (100, 64)
    """
    pixels = _as_image(image, gray)
    if np.shape(patch_size) != (2,):
        raise ValueError(f"patch_size is {patch_size!r}; it must be (height, width).")
    height, width = (as_count(length, "patch_size") for length in patch_size)
    if height > pixels.shape[0] or width > pixels.shape[1]:
        raise ValueError(f"patch_size is ({height}, {width}), but the image has only {pixels.shape[:2]} pixels.")
    windows = np.lib.stride_tricks.sliding_window_view(pixels, (height, width), axis=(0, 1))
    rows, columns = windows.shape[:2]
    if n_patches is None:
        places = np.arange(rows * columns)
    else:
        n_patches = as_count(n_patches, "n_patches")
        if n_patches > rows * columns:
            raise ValueError(
                f"n_patches is {n_patches}, but the image has only {rows * columns} places; pass None for all."
            )
        places = as_generator(random_state).choice(rows * columns, n_patches, replace=False)
    patches = windows[places // columns, places % columns]  # (n_patches[, channels], height, width)
    if patches.ndim == 4:
        patches = np.moveaxis(patches, 1, -1)
    patches = patches.reshape(places.size, -1).astype(dtype)
    return patches - patches.mean(axis=1, keepdims=True) if remove_mean else patches


def whiten_image(image="china.jpg", *, cutoff=0.4):
    """A photograph whose spectrum is about flat up to a cutoff: what a model of early vision is given.

    Amplitudes of natural images fall as one over the frequency f; the filter ``f exp(-(f / cutoff)^4)`` undoes that and drops the
    corners of the spectrum, which hold little but noise. The image counts as mirrored at its edges, so that no edge is
    invented there.

    Parameters
    ----------
    image : {"china.jpg", "flower.jpg"} or array of shape (height, width) or (height, width, 3), default="china.jpg"
        A photograph that scikit-learn brings along, or an image of your own; colours are reduced to luma.
    cutoff : float, default=0.4
        In cycles per pixel: the frequency where the exponential has fallen to ``1 / e``.

    Returns
    -------
    array of shape (height, width)
        Mean zero and variance one, float64; zeros for a constant image. `load_patches` takes it.

    Raises
    ------
    ValueError
        If the image has another shape, or the cutoff is not positive.

    References
    ----------
    Olshausen and Field, "Sparse coding with an overcomplete basis set: a strategy employed by V1?", 1997.

    Examples
    --------
    >>> from sparsecode.datasets import load_patches, whiten_image
    >>> whitened = whiten_image("flower.jpg")
    >>> load_patches(whitened, (12, 12), 500, random_state=0).shape
    (500, 144)
    """
    cutoff = as_number(cutoff, "cutoff", strict=True)
    pixels = _as_image(image, True)
    largest = np.max(np.abs(pixels), initial=0.0)
    pixels = pixels / (largest or 1.0)  # squares stay in range
    height, width = pixels.shape
    frequency = np.hypot(np.arange(height)[:, None] / (2 * height), np.arange(width) / (2 * width))
    white = idctn(dctn(pixels) * frequency * np.exp(-((frequency / cutoff) ** 4)))
    size = np.std(white)
    return white / size if size > 1e-12 else np.zeros_like(white)


def load_mri():
    """A 256 x 256 magnetic resonance image of a head, from matplotlib's sample data.

    Returns
    -------
    array of shape (256, 256)
        Intensities scaled to [0, 1], float64 (the file holds 16-bit integers).

    Raises
    ------
    ModuleNotFoundError
        If matplotlib is not installed: it is what brings the image.

    Examples
    --------
    >>> from sparsecode.datasets import load_mri
    >>> image = load_mri()
    >>> image.shape, float(image.max())
    ((256, 256), 1.0)
    """
    try:
        from matplotlib import cbook
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "load_mri reads an image that matplotlib brings, which is not installed: pip install 'sparsecode[plot]'."
        ) from error
    with cbook.get_sample_data("s1045.ima.gz") as file:  # unzips by itself
        values = np.frombuffer(file.read(), dtype="<u2")
    image = values.reshape(256, 256).astype(np.float64)
    return image / image.max()


def _as_image(image, gray):
    """Pixels (height, width) or (height, width, channels) as floats in [0, 1]."""
    if isinstance(image, str):
        from sklearn.datasets import load_sample_image  # loads much of scikit-learn

        try:
            image = load_sample_image(image)
        except ImportError as error:
            raise ModuleNotFoundError(
                "reading a photograph needs Pillow, which is not installed: pip install 'sparsecode[plot]'."
            ) from error
    pixels = np.asarray(image)
    if pixels.ndim not in (2, 3):
        raise ValueError(f"image has shape {pixels.shape}; it must be (height, width) or (height, width, 3).")
    pixels = pixels / 255.0 if pixels.dtype == np.uint8 else pixels.astype(np.float64)
    if not np.all(np.isfinite(pixels)):
        raise ValueError("image has pixels that are not finite; replace them, say by the mean of the others.")
    if pixels.ndim == 3 and gray:
        if pixels.shape[2] != 3:
            raise ValueError(f"image has {pixels.shape[2]} channels; gray=True needs red, green and blue.")
        return pixels @ _GREY
    return pixels
