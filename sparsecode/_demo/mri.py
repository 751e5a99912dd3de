"""An MRI slice from a quarter of its Fourier samples, through a matrix-free complex operator.

    minimise over coef   1 / (2 n) ||samples - F W coef||^2 + alpha ||coef||_1

F samples the Fourier transform at random, densely near frequency zero; W is a periodic Daubechies wavelet basis.
Lustig, Donoho and Pauly, "Sparse MRI: the application of compressed sensing for rapid MR imaging", 2007.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .. import L1, fista
from ..designs.transforms import compose, fourier_operator, wavelet_operator
from ..metrics import psnr
from .rows import Row, timed

__all__ = ["MriPictures", "recover", "variable_density_mask"]

_ALPHA = 1e-4  # of the strength at which everything is zero: the samples are exact, so the misfit must nearly vanish
_TOL = 3e-6


class MriPictures(NamedTuple):
    """What the picture shows."""

    mask: np.ndarray
    zero_filled: np.ndarray
    recovered: np.ndarray
    row: Row


def recover(image, progress) -> MriPictures:
    """Sample the slice, fill the rest with zeros, then recover it by FISTA."""
    mask = variable_density_mask(image.shape, 0.25, np.random.default_rng(0))
    fourier, wavelet = fourier_operator(image.shape, mask), wavelet_operator(image.shape)
    operator = compose(fourier, wavelet)
    samples = fourier.matvec(image.ravel().astype(complex))
    share = samples.size / image.size
    zero_filled = (share * fourier.rmatvec(samples)).real.reshape(image.shape)
    strongest = np.abs(operator.rmatvec(samples)).max() / samples.size

    def solve():
        return fista(operator, samples, penalty=L1(_ALPHA * strongest), tol=_TOL, max_iter=1_000)

    progress.begin("MRI slice: FISTA through Fourier samples of wavelets")
    result, seconds = timed(solve)
    recovered = wavelet.matvec(result.coef).real.reshape(image.shape)
    row = Row(
        task="MRI slice",
        method="FISTA, wavelets",
        certificate=result.certificate_name,
        value=result.certificate,
        bound=result.tol,
        first=seconds,
        before=psnr(image, zero_filled, data_range=1.0),
        after=psnr(image, recovered, data_range=1.0),
    )
    return MriPictures(mask, zero_filled, recovered, row)


def variable_density_mask(shape, share, rng, *, centre=0.1, power=2.0):
    """Random frequencies, all of them near zero and ever fewer outwards; `share` of all on average."""
    across, down = np.meshgrid(*(2.0 * np.fft.fftfreq(length) for length in shape), indexing="ij")
    radius = np.hypot(across, down)
    falloff = (1.0 - radius / radius.max()) ** power
    core = radius <= centre
    lowest, highest = 0.0, 1e3
    for _ in range(60):  # bisection on the height of the density
        height = 0.5 * (lowest + highest)
        chance = np.where(core, 1.0, np.minimum(height * falloff, 1.0))
        lowest, highest = (height, highest) if chance.mean() < share else (lowest, height)
    return rng.random(shape) < chance
