"""Patches come from where they should; the slice is the one that matplotlib ships."""

import gzip
import sys
from importlib.resources import files

import numpy as np
import pytest

from sparsecode.datasets import load_mri, load_patches, whiten_image

IMAGE = np.arange(30.0).reshape(5, 6)


def test_all_patches_are_the_windows_in_order():
    patches = load_patches(IMAGE, (2, 3), None, remove_mean=False)
    expected = [IMAGE[row : row + 2, column : column + 3].ravel() for row in range(4) for column in range(4)]
    np.testing.assert_array_equal(patches, expected)


def test_colour_patches_keep_their_channels_last():
    image = np.random.default_rng(0).random((5, 6, 3))
    patches = load_patches(image, (2, 3), None, gray=False, remove_mean=False)
    expected = [image[row : row + 2, column : column + 3].ravel() for row in range(4) for column in range(4)]
    np.testing.assert_array_equal(patches, expected)


def test_random_patches_lie_at_distinct_places():
    patches = load_patches(IMAGE, (2, 3), 16, remove_mean=False, random_state=0)
    assert len(np.unique(patches[:, 0])) == 16
    assert not np.array_equal(patches, np.sort(patches, axis=0))


@pytest.mark.parametrize("size", [1e-200, 3.0, 1e200])
def test_whitening_does_not_mind_the_range(size):
    image = np.random.default_rng(0).random((8, 8))
    np.testing.assert_allclose(whiten_image(size * image), whiten_image(image), atol=1e-9)
    assert np.std(whiten_image(size * image)) == pytest.approx(1.0)


def test_pixels_that_are_not_finite_and_sizes_of_patches_that_are_no_pair_are_named():
    image = np.random.default_rng(0).random((8, 8))
    for size in ((2, 2, 3), 3):
        with pytest.raises(ValueError, match="patch_size"):
            load_patches(image, size, 3)
    image[0, 0] = np.nan
    for read in (whiten_image, load_patches):
        with pytest.raises(ValueError, match="image has pixels that are not finite"):
            read(image)


def test_mean_removal_leaves_patches_of_mean_zero():
    raw, centred = (load_patches(n_patches=50, remove_mean=remove, random_state=0) for remove in (False, True))
    np.testing.assert_allclose(centred, raw - raw.mean(axis=1, keepdims=True), atol=1e-15)


def test_the_photograph_is_scaled_to_the_unit_interval():
    patches = load_patches(n_patches=5000, remove_mean=False, random_state=0)
    assert 0.0 <= patches.min() < 0.1
    assert 0.9 < patches.max() <= 1.0


def test_gray_is_a_weighted_mean_of_the_channels():
    image = np.zeros((2, 2, 3), dtype=np.uint8)
    image[..., 1] = 255
    np.testing.assert_allclose(load_patches(image, (1, 1), None, remove_mean=False), 0.587)


def test_precision_and_seed_are_honoured():
    first, second = (load_patches(n_patches=20, dtype=np.float32, random_state=3) for _ in range(2))
    assert first.dtype == np.float32
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        ((IMAGE, (6, 2)), "patch_size"),
        ((IMAGE, (2, 3), 17), "n_patches"),
        ((IMAGE[0], (2, 2)), "image"),
        ((np.ones((4, 4, 2)), (2, 2)), "image"),
    ],
)
def test_arguments_that_do_not_fit_are_named(arguments, named):
    with pytest.raises(ValueError, match=named):
        load_patches(*arguments)


def test_mri_is_the_file_that_matplotlib_ships():
    packed = (files("matplotlib") / "mpl-data" / "sample_data" / "s1045.ima.gz").read_bytes()
    values = np.frombuffer(gzip.decompress(packed), dtype="<u2").reshape(256, 256)
    np.testing.assert_allclose(load_mri(), values / values.max())


def test_mri_without_matplotlib_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"sparsecode\[plot\]"):
        load_mri()


# whitening


def test_whitening_is_a_filter_of_the_mirrored_image():
    image = np.random.default_rng(0).random((10, 14))
    mirrored = np.block([[image, image[:, ::-1]], [image[::-1], image[::-1, ::-1]]])
    rows, columns = np.fft.fftfreq(20)[:, None], np.fft.fftfreq(28)
    frequency = np.sqrt(rows**2 + columns**2)
    spectrum = np.fft.fft2(mirrored - mirrored.mean()) * frequency * np.exp(-((frequency / 0.3) ** 4))
    expected = np.fft.ifft2(spectrum).real[:10, :14]
    np.testing.assert_allclose(whiten_image(image, cutoff=0.3), expected / expected.std(), atol=1e-10)


@pytest.mark.parametrize("name", ["china.jpg", "flower.jpg"])
def test_a_whitened_photograph_has_mean_zero_variance_one_and_a_flatter_spectrum(name):
    white = whiten_image(name)
    assert white.mean() == pytest.approx(0.0, abs=1e-10)
    assert white.var() == pytest.approx(1.0)

    def fall(image):
        """Mean amplitude at low over that at middle frequencies."""
        amplitude = np.abs(np.fft.fft2(image * np.outer(*map(np.hanning, image.shape))))
        frequency = np.hypot(np.fft.fftfreq(image.shape[0])[:, None], np.fft.fftfreq(image.shape[1]))
        low, middle = ((frequency > start) & (frequency < 2 * start) for start in (0.03, 0.15))
        return amplitude[low].mean() / amplitude[middle].mean()

    gray = load_patches(name, white.shape, None).reshape(white.shape)
    assert fall(gray) > 4
    assert 0.5 < fall(white) < 2


def test_whitening_ignores_brightness_and_contrast_and_a_constant_image_is_zero():
    image = np.random.default_rng(0).random((16, 12))
    np.testing.assert_allclose(whiten_image(image), whiten_image(3 * image + 7), atol=1e-10)
    assert not whiten_image(np.full((5, 6), 0.7)).any()
    with pytest.raises(ValueError, match="cutoff"):
        whiten_image(image, cutoff=0.0)
