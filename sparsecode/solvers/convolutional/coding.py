"""Convolutional sparse coding as a function.

minimise over z   1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1
"""

from __future__ import annotations

import numpy as np

from ..._array import (
    array_namespace,
    as_float,
    asarray_like,
    attainable,
    is_array_api_obj,
    is_complex,
    is_numpy,
    sq_norm,
    to_numpy,
)
from ..._parallel import map_blocks
from ..._validation import as_count, as_number, check_range, refuse_lazy
from ...designs import ConvolutionDesign
from ...losses import Squared
from ...penalties import L1
from ...result import SolveResult, Status, announce
from ..problem import make_problem
from ..proximal.forward_backward import accelerated_steps, drive_proximal
from .coder import DescentCoder, FourierCoder, Layout

__all__ = ["convolutional_lasso", "largest_correlation", "loudest_window", "make_coder"]

CERTIFICATE = "relative duality gap"
_ROUNDING = 100.0  # machine epsilons of the norms: correlations below may be none


def convolutional_lasso(
    atoms,
    y,
    alpha=0.1,
    *,
    relative=True,
    solver="auto",
    positive=False,
    max_iter=1000,
    tol=1e-6,
    n_jobs=None,
):
    """Minimise ``1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1`` over codes z that say where atoms occur in a signal.

    The convolution is full and linear, on any number of axes: an atom of length P lies wholly within a signal of length T, so
    its code has length T - P + 1. A signal of several channels has its channels on the first axis, and so have its atoms, which
    are as long there as the signal.

    Parameters
    ----------
    atoms : array of shape ``(n_atoms, *atom_shape)``
        The atoms d_k, real.
    y : array of shape ``(*signal_shape)`` or ``(n_signals, *signal_shape)``
        One signal, with as many axes as an atom has, or many, with one more. No axis is shorter than that of the atoms.
    alpha : float, default=0.1
        Strength of the penalty, above zero.
    relative : bool, default=True
        Whether `alpha` is a share of the strength from which on all codes are zero, the largest correlation of a shifted atom
        with a signal. Otherwise it is in the units of that correlation.
    solver : {"auto", "lgcd", "fista"}, default="auto"
        "lgcd": locally greedy coordinate descent, for NumPy arrays in which atoms move along one or two axes. "fista":
        accelerated proximal gradient through Fourier transforms, in any array namespace that has them. "auto": the first that
        suits.
    positive : bool, default=False
        Whether codes must not be negative.
    max_iter : int, default=1000
        Iterations of FISTA; descent may move every coefficient so often on average.
    tol : float, default=1e-6
        Duality gap relative to ``||y||^2 / 2``, which every signal must reach. In single precision at least 1e-6 is used.
    n_jobs : int, optional
        Threads over signals; by default as many as there are cores.

    Returns
    -------
    SolveResult
        `coef` holds the codes, ``(n_atoms, *places)`` or ``(n_signals, n_atoms, *places)``; `objective` and `certificate`, the relative
        duality gap, have one entry a signal, recomputed in float64 from the codes.

    Raises
    ------
    ValueError
        If shapes disagree, data are complex or not finite, or the solver does not suit.

    Warns
    -----
    ConvergenceWarning
        Once, if a certificate misses the tolerance.

    See Also
    --------
    sparsecode.ConvolutionalDictionaryLearning : The atoms learned, too.
    sparsecode.designs.ConvolutionDesign : The same convolutions as a design for any penalty.

    References
    ----------
    Moreau, Oudre and Vayatis, "DICOD: distributed convolutional coordinate descent for convolutional sparse coding", 2018,
    arXiv 1705.10087.
    Beck and Teboulle, "A fast iterative shrinkage-thresholding algorithm for linear inverse problems", 2009.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.solvers.convolutional import convolutional_lasso
    >>> signal = np.array([0.0, 3.0, 4.0, 0.0, 0.0, -0.6, -0.8])
    >>> result = convolutional_lasso(np.array([[0.6, 0.8]]), signal, alpha=0.5, relative=False)
    >>> result.coef.round(6)
    array([[ 0. ,  4.5,  0. ,  0. ,  0. , -0.5]])
    """
    atoms, y, single = _checked(atoms, y)
    alpha, tol = as_number(alpha, "alpha", strict=True), as_number(tol, "tol")
    max_iter = as_count(max_iter, "max_iter")
    if relative:
        design = ConvolutionDesign(atoms, tuple(y.shape[1:]))
        alpha = alpha * largest_correlation(design, y, bool(positive)) or 1.0
    options = {"positive": bool(positive), "tol": tol, "max_iter": max_iter}
    if is_numpy(y):
        result = _each(atoms, y, alpha, solver, n_jobs, **options)
    else:
        result = _together(atoms, y, alpha, solver, **options)
    if single:
        parts = {name: float(getattr(result, name)[0]) for name in ("objective", "certificate")}
        result = SolveResult(**{**vars(result), "coef": result.coef[0, ...], **parts})
    return announce(result)


def make_coder(solver, atoms, layout, alpha, **options):
    """The coder of that name for atoms (n_atoms, *atom_shape), or an error that says why it does not suit."""
    if solver not in ("auto", "lgcd", "fista"):
        raise ValueError(f"solver must be 'auto', 'lgcd' or 'fista'; got {solver!r}.")
    if solver == "lgcd" and not layout.is_plane:
        raise ValueError(
            f"solver='lgcd' moves atoms along one or two axes, but atoms of shape {layout.atom_shape} move along {len(layout.moving)} "
            f"of signals of shape {layout.signal_shape}; use solver='fista'."
        )
    kind = DescentCoder if solver != "fista" and layout.is_plane else FourierCoder
    if not layout.is_plane:
        return kind(atoms, layout.signal_shape, alpha, **options)
    planes = layout.planes(atoms, layout.atom_shape)
    signal_shape = layout.planes(np.empty((1, *layout.signal_shape), dtype=bool), layout.signal_shape).shape[1:]
    return kind(planes, signal_shape, alpha, **options)


def largest_correlation(design, signals, positive=False):
    """The largest correlation of a shifted atom with a signal: the strength from which on all codes are zero.

    What may be nothing but the rounding of the transforms counts as zero.
    """
    largest = 0.0
    xp = array_namespace(signals)
    loudest = float(xp.max(sq_norm(xp.reshape(design.atoms, (design.atoms.shape[0], -1)).T))) ** 0.5
    for i in range(signals.shape[0]):
        signal = xp.reshape(signals[i, ...], (-1,))
        correlation = design.rmatvec(signal)
        found = float(xp.max(correlation if positive else xp.abs(correlation)))
        if found > _ROUNDING * float(xp.finfo(signal.dtype).eps) * loudest * float(sq_norm(signal)) ** 0.5:
            largest = max(largest, found)
    return largest


def loudest_window(atom_shape, signals):
    """The largest norm of a window of a signal: the largest correlation that an atom of that shape and norm one can have."""
    window = ConvolutionDesign(np.ones((1, *atom_shape), dtype=signals.dtype), signals.shape[1:])
    return max(float(np.max(window.rmatvec(np.ravel(signal) ** 2))) for signal in signals) ** 0.5


def _each(atoms, signals, alpha, solver, n_jobs, *, tol, **options):
    """NumPy signals, one by one, shared out among threads."""
    layout = Layout(atoms.shape[1:], signals.shape[1:])
    coder = make_coder(solver, atoms, layout, alpha, tol=tol, **options)
    planes = layout.planes(signals, layout.signal_shape) if layout.is_plane else signals
    done = map_blocks(lambda start, stop: coder.code(planes[start]), len(planes), 1, n_jobs)
    codes = np.zeros((len(done), int(np.prod((len(atoms), *layout.places)))), dtype=signals.dtype)
    for row, coded in zip(codes, done, strict=True):
        row[coded.indices] = coded.values
    certificate = np.array([coded.gap for coded in done])
    tol = attainable(tol, signals)
    return SolveResult(
        coef=codes.reshape(len(done), len(atoms), *layout.places),
        intercept=0.0,
        status=_status(certificate, tol),
        n_iter=max(coded.n_iter for coded in done),
        objective=np.array([coded.objective for coded in done]),
        certificate=certificate,
        certificate_name=CERTIFICATE,
        tol=tol,
    )


def _together(atoms, signals, alpha, solver, *, positive, max_iter, tol):
    """Signals of any namespace, all at once."""
    if solver not in ("auto", "fista"):
        raise ValueError(
            f"solver={solver!r} needs NumPy arrays; use solver='fista' for {type(signals).__module__} ones."
        )
    xp = array_namespace(signals)
    design = ConvolutionDesign(atoms, tuple(signals.shape[1:]))
    target = xp.reshape(signals, (signals.shape[0], -1)).T
    problem = make_problem(design, target, Squared(), L1(alpha / target.shape[0], positive))
    result = drive_proximal(problem, accelerated_steps(problem, problem.start()), max_iter, tol, None)
    fields = {
        "coef": xp.reshape(result.coef.T, (signals.shape[0], *design.code_shape)),
        "objective": np.atleast_1d(result.objective) * target.shape[0],
        "certificate": np.atleast_1d(result.certificate),
    }
    return SolveResult(**{**vars(result), **fields})


def _status(certificate, tol):
    return Status.CONVERGED if np.all(certificate <= tol) else Status.MAX_ITER


def _checked(atoms, y):
    """Atoms and signals (n_signals, *signal_shape) in their common precision; and whether there was one signal alone."""
    refuse_lazy(atoms, "atoms")
    refuse_lazy(y, "y")
    y = y if is_array_api_obj(y) else np.asarray(y)
    atoms = atoms if is_array_api_obj(atoms) else asarray_like(np.asarray(atoms), y)
    xp = array_namespace(atoms, y)
    if atoms.ndim < 2 or y.ndim not in (atoms.ndim - 1, atoms.ndim):
        raise ValueError(
            f"atoms has shape {tuple(atoms.shape)} and y {tuple(y.shape)}: atoms are (n_atoms, *atom_shape), and y is one signal with "
            "as many axes as an atom, or many signals with one axis more."
        )
    if getattr(y.dtype, "kind", "f") not in "biuf" or is_complex(y):
        raise ValueError(f"y has dtype {y.dtype}; convolutional coding takes real numbers.")
    single = y.ndim == atoms.ndim - 1
    y = y[None, ...] if single else y
    if 0 in y.shape:
        raise ValueError(f"y is empty: shape {tuple(y.shape)}.")
    design = ConvolutionDesign(atoms, tuple(y.shape[1:]))  # which checks the atoms, and that they fit
    y = as_float(y)
    if not bool(xp.all(xp.isfinite(y))):
        raise ValueError("y contains NaN or infinity; remove or impute those entries before coding.")
    rows = xp.reshape(y, (y.shape[0], -1))
    with np.errstate(over="ignore", under="ignore"):
        check_range(to_numpy(sq_norm(rows.T)).astype(np.float64), rows, "y", "row")
    dtype = xp.result_type(design.atoms.dtype, y.dtype)
    return xp.astype(design.atoms, dtype, copy=False), xp.astype(y, dtype, copy=False), single
