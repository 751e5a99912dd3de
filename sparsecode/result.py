"""What every solver returns: the answer, how it ended, and the number that proves how good it is."""

from __future__ import annotations

import enum
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._array import array_namespace
from ._warnings import warn

__all__ = ["PosteriorResult", "SolveResult", "Status", "announce"]


class Status(enum.Enum):
    """How a solve ended. The text of each member says what to do about it.

    Examples
    --------
    >>> from sparsecode import Status
    >>> Status.CONVERGED.is_success
    True
    >>> print(Status.MAX_ITER.value)
    the iteration limit was reached; raise max_iter, or loosen tol
    """

    CONVERGED = "the certificate meets the tolerance, or all was done that was asked for without one"
    MAX_ITER = "the iteration limit was reached; raise max_iter, or loosen tol"
    STALLED = (
        "no further progress is possible at this precision; use float64, loosen tol, "
        "or remove linearly dependent columns"
    )
    DIVERGED = "the iterates grew without bound; lower the step, or scale the design and the target"
    INTERRUPTED = "the callback asked to stop; the best iterate so far is returned"

    @property
    def is_success(self) -> bool:
        """Whether the result can be used as it is."""
        return self is Status.CONVERGED


@dataclass(frozen=True, repr=False)
class SolveResult:
    """A solution with its certificate.

    Attributes
    ----------
    coef : array of shape (n_features,) or (n_features, n_targets)
        The coefficients, in the namespace, on the device and in the precision of the input.
    intercept : float or array of shape (n_targets,)
        The constant added to the fitted values; 0.0 where none was fitted.
    support : array of int64, or of bool of shape (n_features, n_targets)
        For one target the sorted indices of the non-zero coefficients; for many, their mask.
    status : Status
        How the solve ended; with many targets the worst of them.
    n_iter : int
        Iterations done.
    objective : float or array of shape (n_targets,)
        Value of the minimised function at `coef`, in float64.
    certificate : float or array of shape (n_targets,)
        A number that proves the quality of `coef`, recomputed from it in float64: see
        `certificate_name`. Smaller is better.
    certificate_name : str
        What the certificate measures, for example ``"relative duality gap"``.
    tol : float
        The tolerance that the certificate was held against; infinite where it was held against none.
    history : dict of str to list
        What the solve recorded on its way: at least ``"iteration"``, ``"certificate"``,
        ``"objective"`` and ``"seconds"`` for iterative solvers.
    reason : str
        Why it ended without a certificate and what to do, where the solver knows more than `status` says; else empty.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import omp
    >>> result = omp(np.eye(3), np.array([0.0, 2.0, 1.0]), n_nonzero=1)
    >>> result.support, result.status.name
    (array([1]), 'CONVERGED')
    """

    coef: Any
    intercept: Any
    status: Status
    n_iter: int
    objective: Any
    certificate: Any
    certificate_name: str
    tol: float
    history: dict = field(default_factory=dict)
    reason: str = ""

    @property
    def support(self):
        """Where the coefficients are not zero."""
        nonzero = self.coef != 0
        return array_namespace(nonzero).nonzero(nonzero)[0] if nonzero.ndim == 1 else nonzero

    @property
    def n_missed(self) -> int:
        """How many targets ended above the tolerance (or with a certificate that is not a number)."""
        return int(np.sum(~(np.atleast_1d(self.certificate) <= self.tol)))

    def __repr__(self):
        worst = float(np.max(np.atleast_1d(self.certificate))) if np.size(self.certificate) else 0.0
        tol = "no tolerance" if self.tol == np.inf else f"tol={self.tol:.1e}"
        return (
            f"SolveResult({self.status.name}, {self.certificate_name}={worst:.2e} ({tol}), "
            f"n_iter={self.n_iter}, coef.shape={tuple(self.coef.shape)})"
        )


@dataclass(frozen=True, repr=False)
class PosteriorResult(SolveResult):
    """A posterior distribution of the coefficients with its certificate; `coef` is its mean.

    It has the attributes of `SolveResult`, and those below.

    Attributes
    ----------
    variance : array of the shape of `coef`
        Marginal posterior variances of the coefficients; of complex ones ``E |x - mean|^2``.
    noise_variance : float, or array of shape (n_targets,) where each target has its own
        Variance of the noise, as given or as learned.
    log_evidence : float or None
        Logarithm of the density of the data with the coefficients integrated out; None where the method does not know it.
    inclusion : array of the shape of `coef`, or None
        Posterior probability that a coefficient is not zero, for priors that let it be; `support` is where it exceeds 1/2.
    parameters : dict
        What was learned beside: prior variances, rates, means ... by name.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import sbl
    >>> result = sbl(np.eye(3), np.array([0.0, 8.0, 1.0]), noise_variance=1.0)
    >>> result.coef.round(3), result.variance.round(3)
    (array([0.   , 7.875, 0.   ]), array([0.   , 0.984, 0.   ]))
    """

    variance: Any = None
    noise_variance: Any = None
    log_evidence: float | None = None
    inclusion: Any = None
    parameters: dict = field(default_factory=dict)

    @property
    def support(self):
        """Where the coefficients are not zero, more likely than not."""
        chosen = self.coef != 0 if self.inclusion is None else self.inclusion > 0.5
        return array_namespace(chosen).nonzero(chosen)[0] if chosen.ndim == 1 else chosen


def announce(result: SolveResult, missed: str | None = None) -> SolveResult:
    """Hand the result on, with one `ConvergenceWarning` if it is not certified, or if `missed` says which request was not met."""
    if missed is None:
        if result.status.is_success or result.status is Status.INTERRUPTED:
            return result
        missed = _shortfall(result)
    warn(f"{missed}: {result.reason or result.status.value}.", ConvergenceWarning)
    return result


def _shortfall(result):
    """The certificate against its tolerance, in words."""
    certificate = np.atleast_1d(np.asarray(result.certificate, dtype=float))
    signals = f" for {result.n_missed} of {certificate.size} targets" if certificate.size > 1 else ""
    return (
        f"{result.certificate_name} {np.max(certificate):.3e} after {result.n_iter} iterations, "
        f"tolerance {result.tol:.1e}{signals}"
    )
