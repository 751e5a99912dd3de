"""Total variation denoising of a sequence, compiled. The loop itself stands beside its penalty, for short sequences."""

from __future__ import annotations

from ..penalties._chain import denoise
from ._compile import kernel

__all__ = ["compiled_denoise"]

compiled_denoise = kernel(denoise)
