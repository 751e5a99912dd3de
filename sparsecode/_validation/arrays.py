"""Designs, targets and starting points from arrays of any kind, and what their numbers must be."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from .._array import (
    array_namespace,
    as_float,
    asarray_like,
    is_array_api_obj,
    is_complex,
    is_numpy,
    sq_norm,
    to_numpy,
)
from .._parallel import single_threaded_blas
from ..designs import CenteredDesign, DenseDesign, Design, GramDesign, KroneckerDesign, OperatorDesign, SparseDesign

__all__ = [
    "as_design",
    "as_start",
    "as_target",
    "check_columns",
    "check_products",
    "check_range",
    "is_double",
    "refuse_lazy",
]

_LEAST_SQUARES = {
    True: 1e-280,
    False: 1e-74,
}  # double, single: products of squared norms below, or above the inverse, lose their digits


def refuse_lazy(value, name):
    """Dask collections are never silently materialised, and what lies under a mask is never silently used."""
    if type(value) is np.ndarray:
        return
    if isinstance(value, np.ma.MaskedArray) and np.ma.is_masked(value):
        raise ValueError(
            f"{name} is a masked array with {np.ma.count_masked(value)} masked entries; drop their samples, or fill them in with "
            f"{name}.filled(value), before fitting."
        )
    if type(value).__module__.split(".")[0] == "dask":
        raise ValueError(
            f"{name} is a dask collection ({type(value).__name__}), which this function would have to load into memory "
            f"whole; pass {name}.compute() if it fits, or feed its blocks to an estimator with partial_fit."
        )


def as_design(A, name="A", *, check_finite=True) -> Design:
    """A design from an array, a SciPy sparse matrix or array, a LinearOperator, or a Design as it is.

    A caller that multiplies with a dense `A` anyway may postpone the check for NaN and infinity to `check_products`.
    """
    if isinstance(A, Design):
        return A
    refuse_lazy(A, name)
    if isinstance(A, np.ma.MaskedArray):
        A = np.ma.getdata(A)
    if sp.issparse(A):
        _check_shape(A.shape, name)
        matrix = A.tocsc() if A.dtype.kind in "fc" and A.dtype.itemsize >= 4 else A.tocsc().astype(np.float64)
        _check_finite(matrix.data, name)
        if not matrix.has_canonical_format:
            matrix = matrix.copy()
            matrix.sum_duplicates()
        return SparseDesign(matrix)
    if isinstance(A, LinearOperator):
        return OperatorDesign(_checked_operator(A, name))
    if not _holds_numbers(A):
        A = _from_python(A, name)
    _check_shape(A.shape, name)
    A = as_float(A)
    if check_finite:
        _check_finite(A, name)
    return DenseDesign(A)


def check_products(correlation, design, name="A"):
    """The postponed check of `as_design`: NaN or infinity anywhere in a column shows in its product with any vector."""
    if isinstance(design, CenteredDesign):
        design = design.base
    if not isinstance(design, (DenseDesign, OperatorDesign)):
        return
    correlation = to_numpy(correlation)
    if (correlation.ndim == 1 and np.isfinite(np.vdot(correlation, correlation))) or np.isfinite(correlation).all():
        return
    if isinstance(design, DenseDesign):
        _check_finite(design.array, name)
    else:
        raise ValueError(
            f"{name} contains NaN or infinity, or its products overflow: {name}^H y is not finite, although y is; "
            "clean or scale what the operator stands for."
        )


def check_columns(design, name="A"):
    """Refuse columns so short or long that their squares leave the range of their precision; an operator's are not known."""
    base = design.base if isinstance(design, CenteredDesign) else design
    if isinstance(base, DenseDesign):
        sq_norms = base.column_sq_norms()
        check_products(sq_norms, base, name)
        check_range(sq_norms, base.array.T, name, "column")
    elif isinstance(base, GramDesign):
        check_range(base.column_sq_norms(), base.matrix.T, name, "column")
    elif isinstance(base, SparseDesign):
        check_range(base.column_sq_norms(), _StoredColumns(base.matrix), name, "column")
    elif isinstance(base, KroneckerDesign):
        _check_factors(base, name)


def _check_factors(design, name):
    """The same for the columns of each factor, and for their products."""
    sizes = np.zeros(2)
    for i, factor in enumerate(design.factors):
        with np.errstate(over="ignore", under="ignore"):
            sq_norms = to_numpy(sq_norm(factor)).astype(np.float64)
        check_range(sq_norms, factor.T, f"factor {i} of {name}", "column")
        longer = sq_norms[sq_norms > 0]
        sizes += np.log10([longer.min(), longer.max()]) if longer.size else 0.0
    least = np.log10(_LEAST_SQUARES[is_double(design.dtype)])
    if sizes[0] < least or sizes[1] > -least:
        raise ValueError(
            f"the columns of {name} have norms from 1e{sizes[0] / 2:.0f} to 1e{sizes[1] / 2:.0f}, which leaves the range of {design.dtype} "
            "in which products of squares keep their digits; scale the factors, the coefficients scale along."
        )


class _StoredColumns:
    """Columns of a CSC matrix as their stored values."""

    def __init__(self, matrix):
        self.matrix, self.dtype = matrix, matrix.dtype

    def __getitem__(self, key):
        first, last = self.matrix.indptr[key[0] : key[0] + 2]
        return self.matrix.data[first:last]


def check_range(sq_norms, data, name, what, first=0):
    """Refuse vectors so short or long that their squares leave the range of their precision: they would pass for zeros.

    Parameters
    ----------
    sq_norms : ndarray of shape (n_vectors,), or () for a single one
        Squared norms in float64.
    data : array of shape (n_vectors, size), or (size,)
        The vectors, one a row.
    name : str
        The argument they came in.
    what : {"row", "column", "target"}
        What the caller calls one of them.
    first : int, default=0
        The number of the first one.
    """
    least = _LEAST_SQUARES[is_double(data.dtype)]
    if sq_norms.ndim == 0:
        if least <= sq_norms <= 1.0 / least:
            return
        sq_norms, data = sq_norms[None], data[None, ...]
    inside = (sq_norms >= least) & (sq_norms <= 1.0 / least)
    if inside.all():
        return
    for i in np.flatnonzero(~inside):
        largest = float(np.max(np.abs(to_numpy(data[int(i), ...])), initial=0.0))
        if largest > 0.0:
            raise ValueError(
                f"{name} has a {what} ({first + i}) with entries of size {largest:.1e}: its norm leaves the range of {data.dtype} in which "
                f"products of squares keep their digits, {least**0.5:.0e} to {least**-0.5:.0e}; divide it by about that size, the "
                "coefficients scale along."
            )


def as_target(y, design: Design, name="y"):
    """The target as a floating array (n_samples,) or (n_samples, n_targets) that matches the design."""
    refuse_lazy(y, name)
    if isinstance(y, np.ma.MaskedArray):
        y = np.ma.getdata(y)
    if sp.issparse(y):
        raise ValueError(f"{name} is sparse; pass a dense array ({name}.toarray()), residuals fill it anyway.")
    if not _holds_numbers(y):
        y = _from_python(y, name)
    _check_same_namespace(y, design, name)
    rows = design.shape[1] if isinstance(design, GramDesign) else design.shape[0]
    if y.ndim not in (1, 2) or y.shape[0] != rows or 0 in y.shape:
        wanted = (
            "A.conj().T @ y, one row for each feature"
            if isinstance(design, GramDesign)
            else "one row for each row of the design"
        )
        raise ValueError(
            f"{name} has shape {tuple(y.shape)}, but the design has shape {design.shape}: {name} must have shape "
            f"({rows},) or ({rows}, n_targets), {wanted}."
        )
    y = as_float(y)
    _check_finite(y, name)
    return _common_dtype(y, design)


def _common_dtype(y, design):
    """Single precision only if both are; complex if the target is (a complex design makes its own products complex)."""
    if y.dtype == design.dtype:
        return y
    xp = array_namespace(y)
    double = any(is_double(d) for d in (y.dtype, design.dtype))
    complex_ = is_complex(y) or "complex" in str(design.dtype)
    wanted = {
        (False, False): xp.float32,
        (False, True): xp.float64,
        (True, False): xp.complex64,
        (True, True): xp.complex128,
    }[complex_, double]
    return y if y.dtype == wanted else xp.astype(y, wanted)


def is_double(dtype):
    """Whether numbers of this dtype, in any namespace, are of double precision."""
    if isinstance(dtype, np.dtype):  # whose name is slow to make
        return dtype.char in "dD"
    name = str(dtype)
    return "complex128" in name or "float64" in name


def as_start(init, like, name="init"):
    """Starting coefficients in the dtype, namespace and shape of `like`."""
    if not _holds_numbers(init):
        init = _from_python(init, name)
    if tuple(init.shape) != tuple(like.shape):
        raise ValueError(f"{name} has shape {tuple(init.shape)}; the coefficients have shape {tuple(like.shape)}.")
    init = as_float(init)
    _check_finite(init, name)
    if is_complex(init) and not is_complex(like):
        raise ValueError(f"{name} is complex, but the problem is real; pass {name}.real.")
    return asarray_like(init, like, dtype=like.dtype)


def _holds_numbers(value):
    known = type(value) is np.ndarray or is_array_api_obj(value)
    return known and getattr(value.dtype, "kind", "f") in "biufc"


def _from_python(value, name):
    try:
        array = np.asarray(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array of numbers: {error}.") from error
    if array.dtype.kind not in "biufc":
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name} has dtype {array.dtype}; it must hold numbers.") from error
    return array


def _check_shape(shape, name):
    if len(shape) != 2:
        raise ValueError(
            f"{name} has shape {tuple(shape)}; it must be two-dimensional, (n_samples, n_features). Reshape your data."
        )
    if 0 in shape:
        raise ValueError(f"{name} is empty: shape {tuple(shape)}; a minimum of 1 sample and 1 feature is required.")


def _check_finite(array, name):
    xp = array_namespace(array)
    if is_numpy(array) and array.dtype.kind == "f" and _sums_are_finite(array):
        return
    if not bool(xp.all(xp.isfinite(array))):
        raise ValueError(f"{name} contains NaN or infinity; remove or impute those entries before fitting.")


def _sums_are_finite(array):
    """Finite sums prove finite entries, at the cost of one pass without a mask; by BLAS where it needs no copy.

    On one thread: the pass is bound by memory, and a second BLAS thread would go on spinning on a core that is needed next.
    """
    if array.ndim == 1:
        return bool(np.isfinite(np.vdot(array, array)))
    with np.errstate(invalid="ignore", over="ignore"):
        if array.ndim != 2 or not array.flags.forc:
            return bool(np.isfinite(np.sum(array)))
        with single_threaded_blas():
            return bool(np.all(np.isfinite(np.ones(array.shape[0], dtype=array.dtype) @ array)))


def _check_same_namespace(y, design, name):
    mine, theirs = array_namespace(y), design.xp
    if mine is not theirs and mine.__name__ != _namespace_name(theirs):
        raise ValueError(
            f"{name} is a {type(y).__module__.split('.')[0]} array, but the design lives in "
            f"{_namespace_name(theirs).replace('array_api_compat.', '')}; convert one so that both are of the same kind."
        )


def _namespace_name(xp):
    """Name of a namespace, with NumPy's own counted as array_api_compat's."""
    return "array_api_compat.numpy" if xp is np else xp.__name__


def _checked_operator(operator, name):
    """An operator with a working adjoint: solvers need both products."""
    _check_shape(operator.shape, name)
    probe = np.zeros(operator.shape[0], dtype=operator.dtype or np.float64)
    try:
        operator.rmatvec(probe)
    except (NotImplementedError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(
            f"{name} is a LinearOperator without rmatvec; solvers need the adjoint product: pass rmatvec=... to LinearOperator."
        ) from error
    return operator
