"""The one file that knows array namespaces: NumPy, CuPy, torch, array-api-strict.

Everything here takes and returns arrays of one namespace `xp`; vectors may carry targets in a second
axis, so reductions run over axis 0 and give one number a target.
"""

from __future__ import annotations

import array_api_compat
import numpy as np
from array_api_compat import (
    device,
    is_array_api_obj,
    is_cupy_array,
    is_numpy_namespace,
    is_torch_array,
    is_torch_namespace,
)

__all__ = [
    "any_nonzero",
    "array_namespace",
    "as_double",
    "as_float",
    "asarray_like",
    "attainable",
    "clip",
    "conj",
    "dagger",
    "detached",
    "device",
    "divisor",
    "hard_threshold_mask",
    "inner",
    "is_array_api_obj",
    "is_complex",
    "is_numpy",
    "is_single",
    "largest",
    "norm",
    "plain",
    "quotient",
    "real_dtype",
    "real_like",
    "real_part",
    "sq_norm",
    "to_numpy",
    "total",
    "zeros",
]


def array_namespace(*arrays):
    """The namespace that the arrays share."""
    for array in arrays:
        if type(array) not in _PLAIN:
            return array_api_compat.array_namespace(*arrays)
    return _NUMPY  # at once: small problems ask hundreds of times


_NUMPY = array_api_compat.array_namespace(np.empty(0))
_PLAIN = {np.ndarray, np.float64, np.float32}  # a reduction over one target leaves a number


def clip(array, low, high):
    """The numbers, none of them below `low` or above `high`."""
    if type(array) is np.ndarray:  # at once: what NumPy's namespace adds costs more than the numbers of a small problem
        return np.clip(array, low, high)
    return array_namespace(array).clip(array, low, high)


def divisor(values):
    """Sizes that can be divided by: one where there is none."""
    if type(values) is np.float64:  # at once: the size of one target
        return values if values > 0 else np.float64(1.0)
    xp = array_namespace(values)
    return xp.where(values > 0, values, xp.ones_like(values))


def quotient(above, below):
    """``above / below`` for a number and sizes, infinite where a size is zero."""
    if type(below) is np.float64:
        return above / below if below > 0 else np.float64(np.inf)
    xp = array_namespace(below)
    return xp.where(below > 0, above / divisor(below), xp.full_like(below, np.inf))


def is_numpy(array) -> bool:
    """Whether the array lives in NumPy (and may go to the compiled kernels)."""
    return type(array) is np.ndarray or is_numpy_namespace(array_namespace(array))


def is_single(array) -> bool:
    """Whether the array holds numbers of single precision."""
    xp = array_namespace(array)
    return real_dtype(xp, array.dtype) == xp.float32


def attainable(tol, data, least=1e-6):
    """The tolerance, but no less than `least` where the data are of single precision."""
    return max(tol, least) if is_single(data) else tol


def is_complex(array) -> bool:
    """Whether the array's dtype is complex."""
    if type(array) is np.ndarray:
        return array.dtype.kind == "c"
    return array_namespace(array).isdtype(array.dtype, "complex floating")


def real_dtype(xp, dtype):
    """The real dtype of the same precision."""
    if dtype == xp.complex128:
        return xp.float64
    if dtype == xp.complex64:
        return xp.float32
    return dtype


def as_float(array):
    """Integers and booleans become float64; floating dtypes stay as they are (float16 becomes float32). Tensors come `detached`."""
    if type(array) is np.ndarray and array.dtype.char in "fdFD":
        return array
    array = detached(array)
    xp = array_namespace(array)
    if array.dtype in (xp.float32, xp.float64, xp.complex64, xp.complex128):
        return array
    if not xp.isdtype(array.dtype, ("integral", "bool")) and "16" in str(array.dtype):
        return xp.astype(array, xp.float32)
    if "complex" in str(array.dtype):
        return xp.astype(array, xp.complex128)
    return xp.astype(array, xp.float64)


def detached(array):
    """The array without a graph: torch would keep what is made of a tensor that asks for gradients, whole iterations of it."""
    return array.detach() if is_torch_array(array) and array.requires_grad else array


def as_double(array):
    """The same values in float64 or complex128."""
    xp = array_namespace(array)
    target = xp.complex128 if is_complex(array) else xp.float64
    return array if array.dtype == target else xp.astype(array, target)


def asarray_like(values, like, dtype=None):
    """`values` as an array in the namespace and on the device of `like`."""
    if type(like) is np.ndarray:
        return np.asarray(values, dtype=dtype)
    xp = array_namespace(like)
    if isinstance(values, np.ndarray) and not is_numpy_namespace(xp):
        values = np.ascontiguousarray(values)
        values = values if values.flags.writeable else values.copy()  # PyTorch warns of memory it may not write
        values = values if is_torch_namespace(xp) else values.tolist() if "strict" in xp.__name__ else values
    return xp.asarray(values, dtype=dtype, device=device(like))


def real_like(values, like):
    """Real numbers beside `like`: in its namespace, on its device, of its precision."""
    return asarray_like(np.asarray(values), like, dtype=real_dtype(array_namespace(like), like.dtype))


def zeros(shape, like):
    """Zeros in the namespace, the dtype and on the device of `like`."""
    if type(like) is np.ndarray:
        return np.zeros(shape, dtype=like.dtype)
    return array_namespace(like).zeros(shape, dtype=like.dtype, device=device(like))


def to_numpy(array):
    """A NumPy view or copy, whatever the namespace and the device."""
    if isinstance(array, np.ndarray | np.generic | complex | float | int):
        return np.asarray(array)
    if is_torch_array(array):
        return array.detach().cpu().numpy()
    if is_cupy_array(array):
        return array.get()
    try:
        return np.from_dlpack(array)
    except Exception:  # a namespace without DLPack for this dtype
        return np.asarray(array)


def conj(array):
    """Complex conjugate; a real array is returned as it is."""
    return array_namespace(array).conj(array) if is_complex(array) else array


def real_part(array):
    """Real part; a real array is returned as it is."""
    return array_namespace(array).real(array) if is_complex(array) else array


def dagger(matrix):
    """Conjugate transpose of a matrix."""
    return conj(matrix).T


def inner(left, right):
    """Real inner product over axis 0: ``Re(left^H right)``, one number a target."""
    if type(left) is type(right) is np.ndarray and left.ndim == 1:  # at once
        return np.vdot(left, right).real
    xp = array_namespace(left, right)
    if left.ndim == 1 and is_numpy_namespace(xp):
        return np.vdot(left, right).real  # no temporary
    product = conj(left) * right
    return xp.sum(xp.real(product) if is_complex(product) else product, axis=0)


def sq_norm(array):
    """Squared Euclidean norm over axis 0, accumulated in float64."""
    if type(array) is np.ndarray and array.ndim == 1 and array.dtype == np.float64:  # at once
        return np.vdot(array, array)
    xp = array_namespace(array)
    if is_complex(array):
        return sq_norm(xp.real(array)) + sq_norm(xp.imag(array))
    if is_numpy_namespace(xp) and array.dtype == np.float64:
        return np.vdot(array, array) if array.ndim == 1 else np.einsum("it,it->t", array, array)
    array = as_double(array)  # before it is squared: single precision ends at 1e38
    return xp.sum(array * array, axis=0)


def total(array):
    """Sum over axis 0, accumulated in float64."""
    if type(array) is np.ndarray:
        return array.sum(axis=0, dtype=np.float64)
    xp = array_namespace(array)
    return xp.sum(array, axis=0, dtype=xp.float64)


def largest(array):
    """Largest entry over axis 0."""
    return array.max(axis=0) if type(array) is np.ndarray else array_namespace(array).max(array, axis=0)


def any_nonzero(array) -> bool:
    """Whether an entry is not zero, or is not a number."""
    return bool(array.any() if type(array) is np.ndarray else array_namespace(array).any(array != 0))


def norm(array):
    """Euclidean norm over axis 0, accumulated in float64."""
    value = sq_norm(array)
    return array_namespace(value).sqrt(value) if is_array_api_obj(value) else value**0.5


def plain(value):
    """A number of one target as a float, those of many as a NumPy array."""
    return float(value) if np.ndim(value) == 0 else np.asarray(value)


def hard_threshold_mask(magnitude, count: int):
    """Mask of the `count` largest entries along axis 0; ties go to the lowest index."""
    xp = array_namespace(magnitude)
    size = magnitude.shape[0]
    if count >= size:
        return xp.ones_like(magnitude, dtype=xp.bool)
    if count <= 0:
        return xp.zeros_like(magnitude, dtype=xp.bool)
    if is_numpy_namespace(xp):
        threshold = np.partition(magnitude, size - count, axis=0)[size - count]
    elif is_torch_namespace(xp):
        threshold = xp.topk(magnitude, count, dim=0).values[-1, ...]
    else:
        threshold = xp.sort(magnitude, axis=0)[size - count, ...]
    above = magnitude > threshold
    tied = magnitude == threshold
    room = count - xp.count_nonzero(above, axis=0)
    if bool(xp.all(xp.count_nonzero(tied, axis=0) == room)):  # as a rule
        return above | tied
    return above | (tied & (xp.cumulative_sum(xp.astype(tied, xp.int64), axis=0) <= room))
