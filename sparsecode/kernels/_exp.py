"""Exponential, logarithm, sums and maxima that kernels inline: written so that the compiler makes vector instructions of a loop over them."""

from __future__ import annotations

import numpy as np
from numba import types
from numba.extending import intrinsic

from ._compile import kernel

__all__ = ["CUT", "exp_cut", "larger", "log_positive", "plus"]

CUT = -700.0  # below, `exp` gives 0: its values near the end of the range are slow to make and slow to multiply
_PER_LOG2 = 1.4426950408889634
_LOG2_HIGH = 6.93147180369123816490e-01  # of 33 bits, so that its multiples are exact; the rest:
_LOG2_LOW = 1.90821492927058770002e-10
_ROUND = 6755399441055744.0  # 1.5 * 2**52: added, it leaves the nearest integer in the low bits


@intrinsic
def _times_plus(context, x, y, z):
    """``x * y + z``, in one instruction where the processor has it."""

    def code(context, builder, signature, arguments):
        x, y, z = arguments
        return builder.fadd(builder.fmul(x, y, flags=["contract"]), z, flags=["contract"])

    return types.float64(types.float64, types.float64, types.float64), code


@intrinsic
def plus(context, x, y):
    """``x + y`` of float64 in a sum whose terms may be added in any order, as vector instructions do."""

    def code(context, builder, signature, arguments):
        return builder.fadd(*arguments, flags=["reassoc", "nsz", "contract"])

    return types.float64(types.float64, types.float64), code


@intrinsic
def larger(context, x, y):
    """The larger of two float64 that are not NaN, likewise."""

    def code(context, builder, signature, arguments):
        x, y = arguments
        flags = ["nnan", "nsz"]
        return builder.select(builder.fcmp_ordered(">", x, y, flags=flags), x, y, flags=flags)

    return types.float64(types.float64, types.float64), code


@kernel(inline=True)
def exp_cut(x):
    """``exp(x)`` to three units in the last place; 0 below `CUT`, and the value at 700 above it. NaN passes for -CUT: check before."""
    y = min(max(x, CUT), -CUT)
    shifted = _times_plus(y, _PER_LOG2, _ROUND)
    whole = shifted - _ROUND
    r = _times_plus(whole, -_LOG2_LOW, _times_plus(whole, -_LOG2_HIGH, y))
    p = 2.08767569878681e-09
    p = _times_plus(p, r, 2.505210838544172e-08)
    p = _times_plus(p, r, 2.7557319223985893e-07)
    p = _times_plus(p, r, 2.7557319223985893e-06)
    p = _times_plus(p, r, 2.48015873015873e-05)
    p = _times_plus(p, r, 1.984126984126984e-04)
    p = _times_plus(p, r, 1.388888888888889e-03)
    p = _times_plus(p, r, 8.333333333333333e-03)
    p = _times_plus(p, r, 4.1666666666666664e-02)
    p = _times_plus(p, r, 1.6666666666666666e-01)
    p = _times_plus(p, r, 0.5)
    p = _times_plus(_times_plus(p, r, 1.0), r, 1.0)
    power = np.float64(shifted).view(np.int64) << 52  # 2**whole, added to the exponent's bits
    value = np.int64(np.float64(p).view(np.int64) + power).view(np.float64)
    return value if x > CUT else 0.0


@kernel(inline=True)
def log_positive(x):
    """``log(x)`` to two units in the last place for normal positive x; any number for others."""
    bits = np.float64(x).view(np.int64)
    power = np.float64((bits >> 52) - 1023)
    m = np.int64((bits & 0xFFFFFFFFFFFFF) | 0x3FF0000000000000).view(np.float64)  # in [1, 2)
    large = m > 1.4142135623730951
    m = 0.5 * m if large else m
    power = power + 1.0 if large else power
    s = (m - 1.0) / (m + 1.0)  # log m = 2 artanh s, |s| < 0.172
    z = s * s
    p = 0.10526315789473684
    p = p * z + 0.11764705882352941
    p = p * z + 0.13333333333333333
    p = p * z + 0.15384615384615385
    p = p * z + 0.18181818181818182
    p = p * z + 0.2222222222222222
    p = p * z + 0.2857142857142857
    p = p * z + 0.4
    p = p * z + 0.6666666666666666
    return power * _LOG2_HIGH + (power * _LOG2_LOW + (2.0 * s + s * z * p))
