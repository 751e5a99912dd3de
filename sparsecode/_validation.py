"""The one file that turns what a user passes into designs, targets and weights, or into an error that names
the argument, says what it got, and what to do.
"""

from __future__ import annotations

import numbers

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ._array import (
    array_namespace,
    as_float,
    asarray_like,
    is_array_api_obj,
    is_complex,
    is_numpy,
    real_dtype,
    sq_norm,
    to_numpy,
)
from ._parallel import single_threaded_blas
from ._warnings import warn
from .designs import CenteredDesign, DenseDesign, Design, GramDesign, KroneckerDesign, OperatorDesign, SparseDesign

__all__ = [
    "as_count",
    "as_design",
    "as_flag",
    "as_number",
    "as_penalty_weights",
    "as_sample_weight",
    "as_start",
    "as_target",
    "check_columns",
    "check_products",
    "check_range",
    "refuse_lazy",
    "total_weight",
    "weighted",
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
    if not isinstance(design, (DenseDesign, OperatorDesign)) or np.isfinite(to_numpy(correlation)).all():
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
    least = np.log10(_LEAST_SQUARES[_is_double(design.dtype)])
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
    sq_norms : ndarray of shape (n_vectors,)
        Squared norms in float64.
    data : array of shape (n_vectors, size)
        The vectors, one a row.
    name : str
        The argument they came in.
    what : {"row", "column", "target"}
        What the caller calls one of them.
    first : int, default=0
        The number of the first one.
    """
    least = _LEAST_SQUARES[_is_double(data.dtype)]
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
    double = any(_is_double(d) for d in (y.dtype, design.dtype))
    complex_ = is_complex(y) or "complex" in str(design.dtype)
    wanted = {
        (False, False): xp.float32,
        (False, True): xp.float64,
        (True, False): xp.complex64,
        (True, True): xp.complex128,
    }[complex_, double]
    return y if y.dtype == wanted else xp.astype(y, wanted)


def _is_double(dtype):
    if isinstance(dtype, np.dtype):  # whose name is slow to make
        return dtype.char in "dD"
    name = str(dtype)
    return "complex128" in name or "float64" in name


def as_penalty_weights(weights, design: Design, name="penalty_weights", of="feature"):
    """Weights (n_features,) from 0 (free) to inf (excluded), as an array beside the design; None if all are one. Errors call a column `of`."""
    if weights is None:
        return None
    refuse_lazy(weights, name)
    values = np.asarray(weights, dtype=np.float64)
    if values.shape != (design.shape[1],):
        raise ValueError(
            f"{name} has shape {values.shape}; it needs one weight for each of the {design.shape[1]} {of}s."
        )
    if not np.all(values >= 0):
        worst = int(np.flatnonzero(~(values >= 0))[0])
        raise ValueError(
            f"{name}[{worst}] is {values[worst]}; weights run from 0 (unpenalised) to inf (excluded), never negative or NaN."
        )
    if np.all(np.isinf(values)):
        raise ValueError(f"{name} are infinite for every {of}, which leaves none to fit; give some a finite weight.")
    if np.all(values == 1.0):
        return None
    vector = design.vector(np.zeros(1))
    xp = array_namespace(vector)
    single = not _is_double(design.dtype)
    limits = np.finfo(np.float32 if single else np.float64)  # rounded beyond, a weight would turn into 0 or inf
    charged = (values > 0) & np.isfinite(values)
    values = np.where(charged, np.clip(values, limits.tiny, limits.max), values)
    return asarray_like(values, vector, dtype=xp.float32 if single else xp.float64)


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


def as_sample_weight(weights, n_samples, name="sample_weight"):
    """Weights (n_samples,) of mean one in float64; None if all are equal."""
    if weights is None:
        return None
    refuse_lazy(weights, name)
    values = np.asarray(weights, dtype=np.float64)
    if values.ndim == 0:
        values = np.full(n_samples, float(values))
    if values.shape != (n_samples,):
        raise ValueError(f"{name} has shape {values.shape}; it needs one weight for each of the {n_samples} samples.")
    if not np.all((values >= 0) & np.isfinite(values)):
        worst = int(np.flatnonzero(~((values >= 0) & np.isfinite(values)))[0])
        raise ValueError(f"{name}[{worst}] is {values[worst]}; weights must be finite and not negative.")
    total = values.sum()
    if total == 0:
        raise ValueError(f"{name} is zero everywhere; at least one sample needs a positive weight.")
    if np.all(values == values[0]):
        return None
    return values * (n_samples / total)


def total_weight(weights, n_samples):
    """How many samples there are when each counts as often as its weight says."""
    if weights is None:
        return n_samples
    return float(np.sum(np.broadcast_to(np.asarray(weights, dtype=np.float64), n_samples)))


def weighted(design: Design, target, sample_weight):
    """The least-squares problem with rows multiplied by the square root of their weight (mean one)."""
    if sample_weight is None:
        return design, target
    if isinstance(design, GramDesign):
        raise ValueError("sample_weight cannot be applied to a GramDesign; weight the rows before forming it.")
    if isinstance(design, DenseDesign) and not design.is_numpy:  # by a copy
        xp = design.xp
        root = asarray_like(np.sqrt(sample_weight), design.array, dtype=real_dtype(xp, design.dtype))
        on_target = xp.astype(root, real_dtype(xp, target.dtype), copy=False)
        weighted_rows = as_design(root[:, None] * design.array, check_finite=False)
        return weighted_rows, target * (on_target if target.ndim == 1 else on_target[:, None])
    root = np.sqrt(sample_weight).astype(np.real(np.zeros(1, dtype=design.dtype)).dtype)
    return CenteredDesign(design, scale=root), target * (root if target.ndim == 1 else root[:, None])


def as_count(value, name, *, minimum=1, maximum=None, maximum_name=None):
    """An integer of at least `minimum`; above `maximum` it is clipped, with a warning."""
    if type(value) is not int and (isinstance(value, bool) or not isinstance(value, numbers.Integral)):
        raise ValueError(f"{name} must be an integer of at least {minimum}; got {value!r}.")
    value = int(value)
    if value < minimum:
        raise ValueError(f"{name} must be an integer of at least {minimum}; got {value}.")
    if maximum is not None and value > maximum:
        warn(f"{name}={value} is more than {maximum_name or 'possible'}; {maximum} is used.", RuntimeWarning)
        return maximum
    return value


def as_number(value, name, *, minimum=0.0, strict=False, maximum=np.inf):
    """A finite real number within bounds, or an array that is one; `strict` excludes the minimum itself."""
    if is_array_api_obj(value) and value.ndim == 0:
        value = to_numpy(value)[()]
    is_number = type(value) is float or (isinstance(value, numbers.Real) and not isinstance(value, bool))
    if not is_number or not np.isfinite(value):
        raise ValueError(f"{name} must be a finite number; got {value!r}.")
    value = float(value)
    if value < minimum or (strict and value == minimum) or value > maximum:
        bound = f"{'greater than' if strict else 'at least'} {minimum:g}"
        bound += "" if maximum == np.inf else f" and at most {maximum:g}"
        raise ValueError(f"{name} must be {bound}; got {value:g}.")
    return value


def as_flag(value, name) -> bool:
    """True or False, and not what merely counts as one of them."""
    if not isinstance(value, (bool, np.bool_)):
        raise ValueError(f"{name} must be True or False; got {value!r}.")
    return bool(value)


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
    with np.errstate(invalid="ignore", over="ignore"):
        if array.ndim == 1:
            return bool(np.isfinite(np.vdot(array, array)))
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
