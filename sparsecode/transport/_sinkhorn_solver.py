"""Sinkhorn's sweeps alone, with an option of their own."""

from __future__ import annotations

from functools import partial

from .._validation import as_count
from ._result import TransportResult
from ._solve import by_sweeps, solved

__all__ = ["sinkhorn"]


def sinkhorn(
    a,
    b,
    cost,
    reg,
    *,
    extrapolation=10,
    tol=1e-9,
    max_iter=10_000,
    initial=None,
    plan="csr",
    n_jobs=None,
    callback=None,
) -> TransportResult:
    """Entropic transport by Sinkhorn's sweeps, extrapolated.

        min_{P >= 0, P 1 = a, P^T 1 = b}  <C, P> + reg * sum_ij P_ij (log P_ij - 1)

    A sweep gives first the rows, then the columns of the plan their masses. The first sweeps run in the log domain; where the
    cost is an array, or small, those after them are products with a stored kernel, which is made anew when the potentials have moved
    far. Anderson's mixing of the last sweeps saves most of them.

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
    extrapolation : int, default=10
        Sweeps that are mixed; 0 for plain ones.
    tol : float, default=1e-9
        Marginal error at which to stop, relative to the total mass.
    max_iter : int, default=10_000
        Sweeps at most.
    initial : TransportResult or tuple of two arrays, optional
        Potentials (f, g) to start from.
    plan : {"csr", "dense", "lazy", "feasible"}, default="csr"
        Form of the plan: compressed rows without its negligible entries, an array, an operator, or the array of exactly these
        marginals that the gap belongs to.
    n_jobs : int, optional
        Threads; all cores by default. The answer does not depend on them.
    callback : callable, optional
        Called after each sweep; a true answer stops.

    Returns
    -------
    TransportResult
        Potentials, plan, and certificates recomputed from them.

    See Also
    --------
    solve : Sweeps while they suffice; errors and warnings are described there.
    sinkhorn_newton_sparse : For a small reg.

    References
    ----------
    Sinkhorn and Knopp, "Concerning nonnegative matrices and doubly stochastic matrices", 1967.
    Cuturi, "Sinkhorn distances: lightspeed computation of optimal transport", 2013 (arXiv 1306.0895).
    Schmitzer, "Stabilized sparse scaling algorithms for entropy regularized transport problems", 2019 (arXiv 1610.06519).
    Anderson, "Iterative procedures for nonlinear integral equations", 1965.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import sinkhorn
    >>> cost = np.abs(np.linspace(0, 1, 50)[:, None] - np.linspace(0, 1, 40))
    >>> mixed, plain = (sinkhorn(None, None, cost, 0.01, extrapolation=depth) for depth in (10, 0))
    >>> mixed.n_iter < plain.n_iter / 3
    True
    """
    depth = as_count(extrapolation, "extrapolation", minimum=0)
    options = {
        "tol": tol,
        "max_iter": max_iter,
        "initial": initial,
        "plan": plan,
        "n_jobs": n_jobs,
        "callback": callback,
    }
    return solved(a, b, cost, reg, partial(by_sweeps, depth=depth), **options)
