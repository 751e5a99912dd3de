"""To and from POT (the package ``ot``), whose plans belong to the same regularisation and whose potentials carry other names.

    POT:   P = diag(u) exp(-M / reg) diag(v)          here:   f = reg log u,  g = reg log v,  the same M and the same reg

POT minimises ``<M, P> + reg sum P log P``, which differs by a constant. Its usual cost is ``|x - y|^2``; where a cost is half of
it, half the reg gives the same plan.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .._validation import as_number
from ._home import on_host
from ._plan import as_dense

__all__ = ["from_pot", "to_pot"]

_LOGARITHMS = (("log_u", "log_v"), ("logu", "logv"))


def to_pot(result) -> tuple[np.ndarray, dict[str, Any]]:
    """Plan and log of a result as POT's ``ot.sinkhorn(..., log=True)`` returns them.

    Parameters
    ----------
    result : TransportResult
        What `solve` returned.

    Returns
    -------
    plan : ndarray of shape (n, m)
        The plan, dense.
    log : dict
        ``"u"`` and ``"v"`` (which may overflow where reg is small), their logarithms ``"log_u"`` and ``"log_v"``, ``"warmstart"``
        for POT's argument of that name, ``"err"`` and ``"niter"``.

    See Also
    --------
    from_pot : The way back.

    Notes
    -----
    Others write the same plan, with the same C, in other words:

    ==================================  ==========================================  ==========================================
    whose                               the plan                                    from f, g and reg here
    ==================================  ==========================================  ==========================================
    POT                                 ``u_i exp(-C_ij / reg) v_j``                ``u = exp(f / reg)``, ``v = exp(g / reg)``
    OTT-JAX (divergence from ``a b'``)  ``a_i b_j exp((f_i + g_j - C_ij) / eps)``   ``f - reg log a``, ``g - reg log b``, ``eps = reg``
    Sinkhorn-Newton-Sparse, the paper   ``exp(eta (x_i + y_j - C_ij) - 1)``         ``x_i + y_j = f_i + g_j + reg``, ``eta = 1 / reg``
    ==================================  ==========================================  ==========================================

    Least values, for masses of total one: POT's ``<C, P> + reg sum P log P`` is `value` plus reg; OTT-JAX's
    ``<C, P> + eps KL(P | a b')`` is that minus ``reg (sum a log a + sum b log b)``.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import solve, to_pot
    >>> plan, log = to_pot(solve(None, None, np.zeros((2, 2)), reg=1.0))
    >>> plan, bool(np.allclose(np.outer(log["u"], log["v"]), plan))
    (array([[0.25, 0.25],
           [0.25, 0.25]]), True)
    """
    log_u, log_v = on_host(result.f) / result.reg, on_host(result.g) / result.reg
    with np.errstate(over="ignore", under="ignore"):
        log = {"u": np.exp(log_u), "v": np.exp(log_v), "log_u": log_u, "log_v": log_v, "warmstart": (log_u, log_v)}
    return as_dense(result.plan), {**log, "err": result.history["marginal_error"], "niter": result.n_iter}


def from_pot(log, reg) -> tuple[np.ndarray, np.ndarray]:
    """Potentials (f, g) from the log of a POT solver of entropic transport, for ``solve(..., initial=...)``.

    Parameters
    ----------
    log : dict
        What ``ot.sinkhorn(..., log=True)`` returned beside the plan, with any of its methods.
    reg : float
        The regularisation that POT was given.

    Returns
    -------
    f : ndarray of shape (n,)
        Potential of the sources: ``reg * log(u)``, or the one that the log holds.
    g : ndarray of shape (m,)
        Potential of the targets, likewise.

    Raises
    ------
    ValueError
        If the log holds no scalings, as that of ``ot.emd``, whose u and v are potentials already.

    See Also
    --------
    to_pot : The other way.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import from_pot
    >>> from_pot({"u": np.ones(2), "v": np.exp([0.0, 1.0])}, reg=0.5)
    (array([0., 0.]), array([0. , 0.5]))
    """
    reg = as_number(reg, "reg", strict=True)
    if not isinstance(log, dict):
        raise ValueError(
            f"log must be the dict that ot.sinkhorn(..., log=True) returns beside the plan; got {type(log).__name__}."
        )
    for left, right in _LOGARITHMS:
        if left in log and right in log:
            return reg * np.asarray(log[left], dtype=np.float64), reg * np.asarray(log[right], dtype=np.float64)
    if "alpha" in log and "beta" in log:
        return np.asarray(log["alpha"], dtype=np.float64), np.asarray(log["beta"], dtype=np.float64)
    if "u" not in log or "v" not in log:
        raise ValueError(
            f"log holds no scalings 'u' and 'v' (it holds {', '.join(map(str, log))}); pass log=True to ot.sinkhorn."
        )
    u, v = (np.asarray(log[name], dtype=np.float64) for name in ("u", "v"))
    if "result_code" in log or min(u.min(), v.min()) < 0.0:
        raise ValueError(
            "log holds the potentials of ot.emd, not scalings, which are positive; they need no conversion: "
            "initial=(log['u'], log['v'])."
        )
    with np.errstate(divide="ignore"):
        return reg * np.log(u), reg * np.log(v)
