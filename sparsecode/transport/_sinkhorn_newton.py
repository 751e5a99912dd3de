"""Sinkhorn-Newton-Sparse as a user calls it."""

from __future__ import annotations

from functools import partial

from .._validation import as_count
from ._result import TransportResult
from ._solve import solved

__all__ = ["sinkhorn_newton_sparse"]


def sinkhorn_newton_sparse(
    a,
    b,
    cost,
    reg,
    *,
    sparsify="mass",
    globalization="line_search",
    tol=1e-9,
    max_iter=10_000,
    initial=None,
    plan="csr",
    n_jobs=None,
    callback=None,
) -> TransportResult:
    """Entropic optimal transport by Newton steps on the entries of the plan that matter.

        max_{f, g}  <a, f> + <b, g> - reg * sum_ij P_ij,      P_ij = exp((f_i + g_j - C_ij) / reg)

    It is the dual of ``min <C, P> + reg * sum_ij P_ij (log P_ij - 1)`` over the plans of marginals a and b. Where `reg` is
    small, sweeps of Sinkhorn's algorithm need thousands, Newton's method tens of steps. Each step solves

        1/reg [[(1 + s) diag(P 1), Ps], [Ps', (1 + s) diag(P' 1)]] (x, y) = (a - P 1, b - P' 1)

    by conjugate gradients on a Schur complement, where Ps keeps few entries of P and s is a small shift. Regularisations are
    halved from a twentieth of the extent of the cost down to `reg`, and the potentials carried over by extrapolation.

    Parameters
    ----------
    a : array of shape (n,), or None
        Masses of the sources, not negative; None for equal ones.
    b : array of shape (m,), or None
        Masses of the targets, of the same total; None for equal ones.
    cost : array of shape (n, m), PointCost or GridCost
        What a unit of mass pays from source i to target j.
    reg : float
        Strength of the entropy, positive, in the units of the cost.
    sparsify : {"mass", "topk"} or int, default="mass"
        "mass" drops entries below a hundredth of the marginal error over max(n, m): the rate stays quadratic, whatever the
        plan. "topk" keeps the 3 max(n, m) largest as the first paper does, a number that many for each row: a diffuse plan
        then needs many steps.
    globalization : {"line_search", "trust"}, default="line_search"
        "line_search": Armijo's rule. "trust": the best of four lengths, and a shift that follows how well the quadratic
        model foretold the gain.
    tol : float, default=1e-9
        Marginal error ``(|P 1 - a|_1 + |P^T 1 - b|_1) / sum(a)`` at which to stop.
    max_iter : int, default=10_000
        Sweeps and Newton steps at most, of all regularisations together.
    initial : TransportResult or tuple of two arrays, optional
        Potentials (f, g) to start from; the path begins where they are good.
    plan : {"csr", "dense", "lazy", "feasible"}, default="csr"
        Form of the plan: compressed rows without its negligible entries, an array, an operator, or the array of exactly these
        marginals that the gap belongs to.
    n_jobs : int, optional
        Threads; all cores by default. The answer does not depend on them.
    callback : callable, optional
        Called with ``stage, n_iter, reg, marginal_error, seconds`` as one named tuple after each iteration; a true answer stops.

    Returns
    -------
    TransportResult
        Potentials, plan, and certificates recomputed from them. ``stages`` counts "sinkhorn" and "newton" steps; ``history`` also
        has the length, the shift, the kept entries and the iterations of conjugate gradients of each Newton step, as
        "newton_length", "newton_shift", "newton_kept" and "newton_cg".

    Raises
    ------
    ValueError
        If masses are negative, not finite, or differ in total; if the cost is not finite; if shapes disagree, or an option is
        not known.

    Warns
    -----
    ConvergenceWarning
        If the marginal error is above the tolerance at the end.
    RuntimeWarning
        If the tolerance is below what float64 can reach at this reg; the reachable one is used.

    See Also
    --------
    solve : Chooses between this and sweeps.

    References
    ----------
    Tang, Shavlovsky, Rahmanian, Tardini, Thekumparampil, Xiao and Ying, "Accelerating Sinkhorn algorithm with sparse Newton
    iterations", 2024 (arXiv 2401.12253).

    Tang and Qiu, "Safe and sparse Newton method for entropic-regularized optimal transport", 2024.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import sinkhorn_newton_sparse
    >>> rng = np.random.default_rng(0)
    >>> result = sinkhorn_newton_sparse(None, None, rng.random((50, 50)), reg=1e-3)
    >>> result.status.name, result.n_iter < 60, result.gap < 1e-9
    ('CONVERGED', True, True)
    """
    from ._newton import GLOBALIZATIONS, newton_path  # loads compiled code

    if not isinstance(sparsify, str):
        sparsify = as_count(sparsify, "sparsify")
    elif sparsify not in ("mass", "topk"):
        raise ValueError(f"sparsify must be 'mass', 'topk' or a number of entries for each row; got {sparsify!r}.")
    if globalization not in GLOBALIZATIONS:
        names = ", ".join(map(repr, GLOBALIZATIONS))
        raise ValueError(f"globalization must be one of {names}; got {globalization!r}.")
    run = partial(newton_path, sparsify=sparsify, globalization=globalization)
    return solved(
        a, b, cost, reg, run, tol=tol, max_iter=max_iter, initial=initial, plan=plan, n_jobs=n_jobs, callback=callback
    )
