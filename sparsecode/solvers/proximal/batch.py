"""Codes of many signals over one dictionary under any penalty, on its Gram matrix.

    minimise over c   1/2 ||x - c D||^2 + sum_j w_j penalty(c_j)        for each signal x alone

This is the scaling of signal processing: no division by the number of features. A separable penalty with a scalar prox is
minimised by compiled coordinate moves, or by the dynamics of locally competitive neurons, whose fixed points are the same:
no coefficient alone can lower the objective. Any other penalty goes through proximal gradient steps on blocks of signals,
accelerated where it is convex and plain, so that the objective never rises, where it is not; it has no weights. Each code comes with the certificate that
its penalty allows, recomputed in float64 from the code itself.

A penalty that says `follows_norms` is charged on the coefficients of unit-norm atoms, ``||a_j|| c_j``: CEL0 is exact for the norms that
the atoms have now, whatever an update of the dictionary made of them.

Rozell, Johnson, Baraniuk and Olshausen, "Sparse coding via thresholding and local competition in neural circuits", 2008.
"""

from __future__ import annotations

import copy
from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks, single_threaded_blas
from ..._validation import check_range
from ...designs import GramDesign
from ...losses import Squared
from ...penalties._registry import SCALAR_PROX
from ..certificates import certificate_of
from ..coordinate.batch import BLOCK, correlations, gram_of, joined
from ..gram_problem import GramProblem
from ..parts import as_parts, plain_fields
from ..problem import Point
from .forward_backward import accelerated_steps, drive_proximal, plain_steps

__all__ = ["PenalisedCodes", "as_code_penalty", "code_signals"]

_MOST_MOVES, _MOST_EULER = 1_000, 5_000  # of one signal
_MOST_STEPS = 10_000  # proximal gradient steps of a block
_STRICTER = 0.1  # a coefficient's objection, over a certificate made of all
_LEAST_PRICE = (
    0.1  # weights below do not make it stricter still: a dual point that small prices object to is scaled down
)


class PenalisedCodes(NamedTuple):
    """Codes of P signals over K atoms, in compressed rows.

    Attributes
    ----------
    indptr : int64 array of shape (P + 1,)
        Entries ``indptr[i]:indptr[i + 1]`` belong to signal i.
    indices : int32 array of shape (n_entries,)
        The atoms, ascending within a signal.
    values : array of shape (n_entries,)
        Their coefficients, in the precision of the signals.
    certificates : float64 array of shape (P,)
        Relative duality gap where the penalty is convex, else relative stationarity (for l0 and lq, prox residual).
    objectives : float64 array of shape (P,)
        ``1/2 ||x - c D||^2 + penalty(c)``.
    """

    indptr: Any
    indices: Any
    values: Any
    certificates: Any
    objectives: Any


def as_code_penalty(penalty, dynamics, n_atoms, weights=None):
    """A penalty that can code signals one by one by these dynamics, with weights or without, or an error that says why it cannot."""
    penalty = plain_fields(as_parts(None, penalty)[1])
    name = type(penalty).__name__
    if getattr(penalty, "is_joint", False) or getattr(penalty, "joint", False):
        raise ValueError(f"penalty {name} joins the codes of all signals; pass one that charges each code by itself.")
    if not hasattr(penalty, "prox"):
        raise ValueError(
            f"penalty {name} lacks prox, of which codes are made; pass one of the library, such as MCP(0.1)."
        )
    if dynamics == "lca" and not _is_compiled(penalty):
        raise ValueError(
            f"dynamics='lca' thresholds each neuron by itself, by a scalar prox, which {name} lacks; use dynamics='prox'."
        )
    if weights is not None and not getattr(penalty, "is_separable", False):
        raise ValueError(
            f"penalty_weights have no meaning for {name}, which does not charge each coefficient by itself; leave them None."
        )
    if hasattr(penalty, "check"):
        penalty.check(n_atoms)
    return penalty


def code_signals(atoms, signals, penalty, *, weights=None, dynamics="prox", tol=1e-6, n_jobs=None) -> PenalisedCodes:
    """Code each signal x by a (local) minimiser c of ``1/2 ||x - c @ atoms||^2 + sum_j weights_j penalty(c_j)``.

    Parameters
    ----------
    atoms : ndarray of shape (n_atoms, n_features)
        The dictionary, one atom a row; atoms need not have unit norm, those of norm zero are never used by a separable penalty.
    signals : ndarray of shape (n_signals, n_features)
        What to code, one signal a row.
    penalty : penalty
        As `as_code_penalty` returns it.
    weights : array of shape (n_atoms,), optional
        From 0 (unpenalised) to inf (excluded), for a separable penalty; ones by default.
    dynamics : {"prox", "lca"}, default="prox"
        How codes are found.
    tol : float, default=1e-6
        What each certificate should reach.
    n_jobs : int, optional
        Threads; the bits are the same for any number.

    Returns
    -------
    PenalisedCodes
        Compressed rows with the certificate and the objective of each signal.
    """
    rows = np.ascontiguousarray(atoms, dtype=np.float64)
    sq_norms = np.einsum("ij,ij->i", rows, rows)
    check_range(sq_norms, atoms, "atoms", "row")
    norms = np.ones(len(rows))
    if getattr(penalty, "follows_norms", False):
        norms = np.where(sq_norms > 0, np.sqrt(sq_norms), 1.0)
        rows = rows / norms[:, None]
    if weights is not None:
        rows = np.where(np.isinf(weights)[:, None], 0.0, rows)  # nothing moves a coefficient of an atom of zeros
        weights = np.where(np.isinf(weights), 1.0, weights)
    coder = _Coder(rows, penalty, weights, dynamics, tol)
    dtype = np.float32 if signals.dtype == np.float32 else np.float64

    def block(start, stop):
        corr, sq_sizes = correlations(rows, signals[start:stop], start)
        problem = coder.problem(corr, sq_sizes)
        indptr, indices, values = coder.codes(problem, corr)
        values = (values / norms[indices]).astype(dtype)
        code = np.zeros(problem.shape)
        code[indices, np.repeat(np.arange(stop - start), np.diff(indptr))] = values * norms[indices]
        certificate = certificate_of(problem)(problem, code)
        return PenalisedCodes(indptr, indices, values, certificate.value, certificate.objective)

    return joined(map_blocks(block, signals.shape[0], BLOCK, n_jobs))


class _Coder:
    """What the blocks share: the Gram matrix and its norm, the penalty, and how codes over them are found."""

    def __init__(self, rows, penalty, weights, dynamics, tol):
        self.penalty, self.weights, self.dynamics, self.tol = penalty, weights, dynamics, tol
        self.gram = gram_of(rows)
        self._strictness = _STRICTER
        if weights is not None:
            self._strictness *= np.clip(np.min(weights[weights > 0], initial=1.0), _LEAST_PRICE, 1.0)
        self._design = GramDesign(self.gram, 1)
        self._rate = 1.0
        with single_threaded_blas():
            self._design.spectral_sq_norm()  # kept there, for all blocks
            if dynamics == "lca":
                sizes = np.sqrt(np.diagonal(self.gram))
                inverse = np.divide(1.0, sizes, out=np.zeros_like(sizes), where=sizes > 0)
                largest = GramDesign(self.gram * np.outer(inverse, inverse), 1).spectral_sq_norm()
                self._rate = 1.0 / max(largest, 1.0)
        if _is_compiled(penalty):
            from ...kernels.penalised import silent_ranges

            curvatures = np.diagonal(self.gram)
            weights = np.ones(len(rows)) if weights is None else weights
            self._steps = np.divide(weights, curvatures, out=np.zeros(len(rows)), where=curvatures > 0)
            self._ranges = np.empty((2, len(rows)))
            silent_ranges(self.gram, self._steps, penalty, self._ranges)

    def problem(self, corr, sq_sizes):
        """The block's codes as one problem with many targets, (n_atoms, n_signals)."""
        design = copy.copy(self._design)
        design.target_sq_norm = sq_sizes
        problem = GramProblem(design, np.ascontiguousarray(corr.T), Squared(), self.penalty, self.weights)
        problem._at_zero = Point(0.5 * sq_sizes, problem.target, (sq_sizes, sq_sizes))
        return problem

    def codes(self, problem, corr):
        """Compressed rows of the codes of a block, corr (n_signals, n_atoms)."""
        if not _is_compiled(self.penalty):
            return self._by_gradients(problem)
        from ...kernels.penalised import competition_codes, descent_codes

        indptr = np.empty(corr.shape[0] + 1, dtype=np.int64)
        indices, values = np.empty(corr.size, dtype=np.int32), np.empty(corr.size)
        shared, target = (self.gram, corr, self._steps, self.penalty, self._ranges), self._strictness * self.tol
        out = indptr, indices, values
        if self.dynamics == "lca":
            filled = competition_codes(*shared, self._rate, target, _MOST_EULER, _MOST_MOVES, *out)
        else:
            filled = descent_codes(*shared, target, _MOST_MOVES, *out)
        return indptr, indices[:filled].copy(), values[:filled]

    def _by_gradients(self, problem):
        """Proximal gradient steps from the correlations, as long as fits each signal best."""
        images = problem.design.normal(problem.target)
        along, bend = (np.sum(problem.target * part, axis=0) for part in (problem.target, images))
        start = problem.target * np.divide(along, bend, out=np.zeros_like(bend), where=bend > 0)
        steps = accelerated_steps if self.penalty.is_convex else plain_steps
        code = drive_proximal(problem, steps(problem, start), _MOST_STEPS, self.tol, None).coef.T
        where, indices = np.nonzero(code)
        counts = np.bincount(where, minlength=code.shape[0])
        return np.concatenate([[0], np.cumsum(counts)]), indices.astype(np.int32), code[where, indices]


def _is_compiled(penalty):
    return type(penalty) in SCALAR_PROX
