"""What a transport solver returns: potentials, a plan, and the numbers that prove both."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from ..result import Status

__all__ = ["TransportResult"]


@dataclass(frozen=True, repr=False)
class TransportResult:
    """A plan of entropic transport with its certificates.

        min_{P >= 0, P 1 = a, P^T 1 = b}  <C, P> + reg * sum_ij P_ij (log P_ij - 1)

    Everything is in float64 and recomputed from the potentials. The certificates are those of a plan P^ that has the marginals
    exactly: P(f, g), scaled down to them and filled up by an outer product.

    Attributes
    ----------
    f : array of shape (n,)
        Potential of the sources, -inf where they have no mass; ``<a, f> = <b, g>``.
    g : array of shape (m,)
        Potential of the targets, -inf where they have no mass.
    plan : csr_array, array or LazyPlan of shape (n, m)
        ``P_ij = exp((f_i + g_j - C_ij) / reg)``, or P^ where a feasible one was asked for. No row and no column of compressed rows
        lacks more than a hundredth of `tol` of its sum: their marginal error is at most ``marginal_error + 0.02 * tol``.
    value : float
        Objective of P^: above the optimal value by `gap` at most.
    dual_value : float
        Dual objective at (f, g), a lower bound on the optimal value.
    gap : float
        ``value - dual_value``, computed without cancellation.
    marginal_error : float
        ``(|P 1 - a|_1 + |P^T 1 - b|_1) / sum(a)``: the certificate that `tol` is held against.
    upper_bound : float
        ``<C, P^>``, which no cheaper plan without entropy can exceed: above the value of the linear program.
    lower_bound : float
        Dual value of the linear program at the hard c-transforms of the potentials: below its value.
    status : Status
        How the solve ended.
    n_iter : int
        Sweeps and Newton steps together.
    stages : dict of str to int
        The same for each stage, by name.
    reg : float
        The regularisation of the plan.
    tol : float
        The tolerance that the marginal error was held against.
    history : dict of str to list
        ``"stage"``, ``"reg"``, ``"marginal_error"`` and ``"seconds"`` of every iteration; what Newton steps note of themselves
        begins with ``"newton"``.
    reason : str
        Why it ended without a certificate and what to do, where the solver knows more than `status` says; else empty.

    See Also
    --------
    solve : Makes it.
    sparsecode.transport.to_pot : The same as POT's plan and log.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.transport import solve
    >>> result = solve(None, None, np.array([[0.0, 1.0], [1.0, 0.0]]), reg=0.1)
    >>> result.plan.toarray().round(3), result.status.name
    (array([[0.5, 0. ],
           [0. , 0.5]]), 'CONVERGED')
    """

    f: Any
    g: Any
    plan: Any
    value: float
    dual_value: float
    gap: float
    marginal_error: float
    upper_bound: float
    lower_bound: float
    status: Status
    n_iter: int
    stages: dict
    reg: float
    tol: float
    history: dict = field(default_factory=dict)
    reason: str = ""

    certificate_name = "marginal error"

    @property
    def certificate(self) -> float:
        """The marginal error: what every result of the package calls its certificate."""
        return self.marginal_error

    def __repr__(self):
        return (
            f"TransportResult({self.status.name}, marginal error={self.marginal_error:.2e} (tol={self.tol:.1e}), "
            f"gap={self.gap:.2e}, n_iter={self.n_iter}, plan.shape={tuple(self.plan.shape)})"
        )
