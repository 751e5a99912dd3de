"""Small numerics that priors share."""

from __future__ import annotations

import numpy as np

from .._array import array_namespace, as_double, asarray_like, is_complex, real_dtype, to_numpy

__all__ = ["average", "between", "check_number", "halves", "is_zero", "parameter", "power", "product", "sigmoid"]


def parameter(value, like):
    """A parameter beside an array: a number stays one; one number a target becomes an array in the precision of `like`."""
    if type(value) is float:  # at once: small problems ask hundreds of times
        return value
    if np.ndim(value) == 0:
        number = np.asarray(value)[()]
        return complex(number) if np.iscomplexobj(number) else float(number)
    dtype = like.dtype if np.iscomplexobj(value) else real_dtype(array_namespace(like), like.dtype)
    return asarray_like(np.asarray(value), like, dtype=dtype)


def halves(array):
    """What stands before the squares in a Gaussian's log density: 1/2 for real numbers, 1 for circular complex ones."""
    return 1.0 if is_complex(array) else 0.5


def power(array):
    """``|x|^2``."""
    xp = array_namespace(array)
    return xp.real(array) ** 2 + xp.imag(array) ** 2 if is_complex(array) else array * array


def product(left, right):
    """``Re(conj(left) right)``."""
    if not is_complex(right):
        return left * right
    xp = array_namespace(left, right)
    return xp.real(left) * xp.real(right) + xp.imag(left) * xp.imag(right)


def between(chance, distance):
    """Variance of a choice between two numbers that far apart, where a chance of none beats a square that is no number."""
    weight = chance * (1.0 - chance)
    if is_complex(distance):
        return power(array_namespace(chance).sqrt(weight) * distance)
    return weight * distance * distance


def sigmoid(logit):
    """``1 / (1 + exp(-logit))``, which an overflow makes the zero that it is."""
    with np.errstate(over="ignore"):
        return 1.0 / (1.0 + array_namespace(logit).exp(-logit))


def is_zero(value):
    """Whether a parameter is zero, for every target."""
    return not (value if isinstance(value, (int, float, complex)) else np.any(value))


def average(values):
    """Mean over the coefficients in double precision, NumPy: one number, or one a target."""
    return np.mean(np.asarray(to_numpy(as_double(values))), axis=0)


def check_number(prior, name, value, *, least=None, strict=False, most=None):
    """Raise a ValueError that names the prior and its parameter if that is not finite or out of range."""
    numbers = np.asarray(value)
    bad = numbers.dtype.kind not in "iufc" or not np.all(np.isfinite(numbers))
    if not bad and least is not None:
        bad = np.iscomplexobj(numbers) or bool(np.any(numbers < least)) or (strict and bool(np.any(numbers == least)))
    if not bad and most is not None:
        bad = bool(np.any(numbers > most))
    if bad:
        bounds = "" if least is None else f" {'greater than' if strict else 'of at least'} {least:g}"
        bounds += "" if most is None else f" and at most {most:g}"
        raise ValueError(f"{type(prior).__name__} needs a finite {name}{bounds}; got {value!r}.")
