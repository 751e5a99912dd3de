"""Inverse transport: the sparse ground cost under which an observed coupling is the cheapest.

    minimise over theta   reg KL(coupling | P(theta)) + alpha sum_k weights_k |theta_k|

where ``P(theta)`` is the entropic plan, between the marginals of the coupling, of the cost ``C = sum_k theta_k C_k``. The misfit is
``<C, coupling> + reg sum coupling (log coupling - 1) - min_P { <C, P> + reg sum P (log P - 1) }``, convex, with the gradient
``<C_k, coupling - P(theta)>``. The dual problem is the coupling of largest entropy whose moments ``<C_k, .>`` are within
``alpha weights_k`` of the observed ones; a mixture of the coupling and the plan is feasible for it, and its entropy is the lower bound.

Andrade, Peyré and Poon, "Sparsistency for inverse optimal transport", 2024 (arXiv 2310.05461).
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np
from scipy.special import xlogy

from .._validation import as_count, as_number, as_start
from ..result import SolveResult, announce
from ..solvers.certificates import Certificate, relative
from ..solvers.driver import State, drive
from ..solvers.path import RegularizationPath
from ._home import home_of, on_host, sent_home
from ._plan import as_dense
from ._warm import WarmPlan

__all__ = ["Bilinear", "InverseProblem", "Mixture", "inverse_path", "inverse_transport", "solve_inverse"]

_NAME = "relative duality gap"
_LOOSE, _FLOOR = 1e-4, 1e-11  # marginal errors of inner solves: the first, the smallest
_SHARE = 0.1  # of the outer gap, that an inner error may be
_ROUNDING = 1e-13  # a gap that float64 cannot tell from none, in units of reg log(n m)


class Bilinear(NamedTuple):
    """Costs ``-X theta Y'``: as many as X has columns times those of Y, none of them stored."""

    X: np.ndarray  # (n, p), centred
    Y: np.ndarray  # (m, q), centred

    @property
    def shape(self):
        return self.X.shape[1], self.Y.shape[1]

    def cost(self, theta):
        return -(self.X @ theta) @ self.Y.T

    def moments(self, plan):
        return -self.X.T @ (plan @ self.Y)

    def squares(self, rows, columns):
        return np.outer(rows @ self.X**2, columns @ self.Y**2)


class Mixture(NamedTuple):
    """Costs that were given, one matrix for each coefficient."""

    costs: np.ndarray  # (K, n, m)

    @property
    def shape(self):
        return self.costs.shape[:1]

    def cost(self, theta):
        return np.tensordot(theta, self.costs, axes=1)

    def moments(self, plan):
        return np.tensordot(self.costs, plan, axes=2)

    def squares(self, rows, columns):
        """Without the parts of the source alone and of the target alone, which move no plan."""
        made = np.empty(self.shape)
        for k, cost in enumerate(self.costs):
            centred = cost - (cost @ columns)[:, None]
            centred -= rows @ centred
            made[k] = rows @ centred**2 @ columns
        return made


class Evaluation(NamedTuple):
    """What one inner solve tells of one theta."""

    theta: np.ndarray
    loss: float  # an upper bound, which is tight when the inner solve is
    gradient: np.ndarray
    plan: np.ndarray  # with the exact marginals


class InverseProblem:
    """An observed coupling, a family of costs, and potentials that are passed from one inner solve to the next."""

    def __init__(self, coupling, family, reg, weights):
        rows, columns = coupling.sum(axis=1), coupling.sum(axis=0)
        self.coupling, self.family, self.reg, self.weights = coupling, family, reg, weights
        self.observed = family.moments(coupling)
        self.entropy = reg * float(np.sum(xlogy(coupling, coupling)))
        self.independent = np.outer(rows, columns)
        self.metric = _metric(family, rows, columns)
        self.at_zero = self.entropy - reg * float(np.sum(xlogy(self.independent, self.independent)))
        self.inner = _LOOSE
        self._inner_plan = WarmPlan(rows, columns, reg)
        self._known: list[Evaluation] = []

    def alpha_max(self):
        """The smallest strength at which theta is zero."""
        slopes = np.abs(self.observed - self.family.moments(self.independent))
        with np.errstate(divide="ignore"):
            return float(np.max(np.where(slopes > 0, slopes / self.weights, 0.0), initial=0.0))

    def at(self, theta) -> Evaluation:
        """Loss, gradient and plan; of the last two thetas they are remembered."""
        for known in self._known:
            if known.theta is theta:
                return known
        cost = self.family.cost(theta)
        plan, dual_value = self._inner_plan.of(cost, max(self.inner, 1e-15 * np.max(np.abs(cost)) / self.reg))
        loss = float(np.sum(theta * self.observed)) + self.entropy - self.reg * self.coupling.sum() - dual_value
        made = Evaluation(theta, loss, self.observed - self.family.moments(plan), plan)
        self._known = [made, *self._known[:1]]
        return made

    def norm(self, theta):
        used = theta != 0
        return float(np.sum(self.weights[used] * np.abs(theta[used])))

    def blur(self):
        """How far inner solves may be from their optimum: the square of their error, and rounding."""
        return self.reg * (10.0 * self.inner**2 + 1e-14)

    def certify(self, theta, alpha) -> Certificate:
        """The duality gap over the misfit at zero; later inner solves are asked for a tenth of it."""
        made = self.at(theta)
        objective = made.loss + alpha * self.norm(theta)
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(made.gradient == 0, np.inf, alpha * self.weights / np.abs(made.gradient))
        share = min(1.0, float(np.min(room)))
        mixture = (1.0 - share) * self.coupling + share * made.plan
        bound = self.entropy - self.reg * float(np.sum(xlogy(mixture, mixture)))
        gap = max(objective - bound, 0.0)
        if gap <= _ROUNDING * self.reg * (1.0 + np.log(self.coupling.size)):
            gap = 0.0
        value = relative(gap, max(self.at_zero, 0.0))
        if value > 0:
            self.inner = float(np.clip(_SHARE * value, _FLOOR, _LOOSE))
        return Certificate(value, np.asarray(objective), _NAME, theta)


def inverse_transport(
    coupling,
    costs,
    alpha,
    *,
    reg=1.0,
    penalty_weights=None,
    init=None,
    max_iter=5000,
    tol=1e-6,
    callback=None,
) -> SolveResult:
    """Find the sparse combination of costs that explains an observed coupling.

    The problem is ``minimise over theta: reg KL(coupling | P(theta)) + alpha sum_k penalty_weights_k |theta_k|``, where
    ``P(theta)`` is the entropic plan with the marginals of the coupling for the cost ``sum_k theta_k C_k``. It is convex, and
    solved by FISTA with backtracking and restarts around warm-started inner solves.

    Parameters
    ----------
    coupling : array, sparse array or LazyPlan of shape (n, m), or None
        What was observed: masses of the pairs, not negative; they are scaled to sum to one. None for n pairs of equal mass,
        the i-th source with the i-th target.
    costs : array of shape (n_costs, n, m), or pair of arrays of shape (n, p) and (m, q)
        The matrices to combine, or points ``(X, Y)`` for the costs ``-X theta Y'``, of which no matrix is stored. A list or a tuple
        of two is always taken for points: two matrices are combined as ``np.stack([C1, C2])``.
    alpha : float
        Strength of the penalty, greater than 0, in units of the costs: at `alpha_max` theta becomes zero.
    reg : float, default=1.0
        Strength of the entropy in the plans. Only ``theta / reg`` matters, so it is the unit of theta.
    penalty_weights : array of the shape of theta, optional
        Weights of the coefficients, greater than 0; inf excludes one.
    init : array of the shape of theta, optional
        Where to start; by default at zero.
    max_iter : int, default=5000
        Iterations, each of two inner solves.
    tol : float, default=1e-6
        Tolerance of the duality gap, relative to the misfit of theta = 0.
    callback : callable, optional
        Called with a `Progress` after each iteration; return True to stop.

    Returns
    -------
    SolveResult
        With theta in `coef`, of shape (n_costs,) or (p, q): in double precision, in the namespace of the costs.

    Raises
    ------
    ValueError
        If masses are negative or zero altogether, shapes disagree, data are not finite, or a parameter is out of range.

    Warns
    -----
    ConvergenceWarning
        If the duality gap misses the tolerance.

    Notes
    -----
    Parts of a cost that depend on the source alone, or on the target alone, move no plan: points are centred, and
    ``sum_k q_k (x_k - y_k)^2`` is the same as the diagonal ``theta = 2 diag(q)``. Units do not matter to the method: costs s times
    as large, at a strength s times as large, take the same steps. They matter to the penalty, which favours large features.

    References
    ----------
    Andrade, Peyré and Poon, "Sparsistency for inverse optimal transport", 2024 (arXiv 2310.05461).

    Examples
    --------
    Which coordinates are matched? The pairs differ little in the first, arbitrarily in the second.

    >>> import numpy as np
    >>> from sparsecode.transport import inverse_transport
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((100, 2))
    >>> Y = np.c_[X[:, 0] + rng.standard_normal(100), rng.standard_normal(100)]
    >>> result = inverse_transport(None, (X, Y), 0.3)
    >>> result.coef.round(2)
    array([[0.36, 0.  ],
           [0.  , 0.  ]])
    """
    given = enumerate(costs) if isinstance(costs, (tuple, list)) else [(None, costs)]
    named = {"costs" if k is None else f"costs[{k}]": part for k, part in given}
    home = home_of(**named, coupling=coupling)
    problem = pose_inverse(coupling, costs, reg, penalty_weights)
    alpha = as_number(alpha, "alpha", strict=True)
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol"), "callback": callback}
    start = np.zeros(problem.family.shape)
    if init is not None:
        start = np.where(np.isinf(problem.weights), 0.0, as_start(on_host(init), start))
    result = announce(solve_inverse(problem, alpha, start, **options))
    return replace(result, coef=sent_home(result.coef, home))


def solve_inverse(problem, alpha, start, *, max_iter, tol, callback=None) -> SolveResult:
    """The same for a problem that is posed, without a warning."""
    return drive(
        _steps(problem, alpha, start),
        lambda theta: problem.certify(theta, alpha),
        max_iter=max_iter,
        tol=tol,
        callback=callback,
    )


def inverse_path(problem, alphas, **options) -> RegularizationPath:
    """Solutions for descending strengths, each solve starting where the last one ended."""
    results, theta = [], np.zeros(problem.family.shape)
    for alpha in alphas:
        results.append(solve_inverse(problem, float(alpha), theta, **options))
        theta = results[-1].coef
    return RegularizationPath(np.asarray(alphas), results)


def _steps(problem, alpha, start):
    """FISTA: yield one theta after another; the step is found by trying, the momentum dropped when it leads uphill.

    Lengths are measured in the metric of the problem, in which no unit of a feature or of a cost is left.
    """
    theta = ahead = start
    metric, momentum, curvature = problem.metric, 1.0, 1.0 / problem.reg
    yield State(theta)
    while True:
        here = problem.at(ahead)
        while True:
            step = 1.0 / (curvature * metric)
            forward = ahead - step * here.gradient
            forward = np.sign(forward) * np.maximum(np.abs(forward) - alpha * step * problem.weights, 0.0) + 0.0
            move = forward - ahead
            length = 0.5 * curvature * np.sum(metric * move**2)
            bound = here.loss + np.sum(here.gradient * move) + length
            if problem.at(forward).loss <= bound + problem.blur() or curvature > 1e300:
                break
            curvature *= 2.0
        if length > 10.0 * problem.blur():  # else the test says nothing of the curvature
            curvature *= 0.9
        if np.sum(metric * (ahead - forward) * (forward - theta)) > 0:
            momentum = 1.0
        following = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * momentum**2))
        ahead = forward if momentum == 1.0 else forward + (momentum - 1.0) / following * (forward - theta)
        theta, momentum = forward, following
        yield State(theta)


def _metric(family, rows, columns):
    """Second moments of the costs under independence: reg times the curvature of each coefficient at zero; one for constant costs."""
    with np.errstate(over="ignore", under="ignore"):
        squares = family.squares(rows, columns)
    return np.where((squares > 0) & np.isfinite(squares), squares, 1.0)


def pose_inverse(coupling, costs, reg, penalty_weights) -> InverseProblem:
    """The problem, from what a user passes."""
    family: Any = _as_points(costs) if isinstance(costs, (tuple, list)) and len(costs) == 2 else _as_mixture(costs)
    n, m = (family.X.shape[0], family.Y.shape[0]) if isinstance(family, Bilinear) else family.costs.shape[1:]
    coupling = _as_coupling(coupling, n, m)
    rows, columns = coupling.sum(axis=1), coupling.sum(axis=0)
    used = np.ix_(rows > 0, columns > 0)
    if isinstance(family, Bilinear):
        family = Bilinear((family.X - rows @ family.X)[rows > 0], (family.Y - columns @ family.Y)[columns > 0])
    elif not (rows.all() and columns.all()):
        family = Mixture(family.costs[(slice(None), *used)])
    return InverseProblem(
        coupling[used], family, as_number(reg, "reg", strict=True), _as_weights(penalty_weights, family)
    )


def _finite(values, name, ndim):
    try:
        values = np.asarray(on_host(values), dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name} cannot be read as an array of real numbers: {error}.") from error
    if values.ndim != ndim or 0 in values.shape:
        raise ValueError(f"{name} has shape {values.shape}; it must have {ndim} axes, none of them empty.")
    if not np.all(np.isfinite(values)):
        raise ValueError(f"{name} contains NaN or infinity; remove or impute those entries before fitting.")
    return values


def _as_points(costs):
    return Bilinear(_finite(costs[0], "costs[0]", 2), _finite(costs[1], "costs[1]", 2))


def _as_mixture(costs):
    return Mixture(_finite(costs, "costs", 3))


def _as_coupling(coupling, n, m):
    """Masses that sum to one."""
    if coupling is None:
        if n != m:
            raise ValueError(
                f"coupling is None, which pairs sources with targets, but there are {n} of one and {m} of the other."
            )
        return np.eye(n) / n
    coupling = _finite(as_dense(coupling) if hasattr(coupling, "toarray") else coupling, "coupling", 2)
    if coupling.shape != (n, m):
        raise ValueError(
            f"coupling has shape {coupling.shape}, but the costs are between {n} sources and {m} targets; a pair of arrays as costs is "
            "taken for points, so that two matrices are passed as np.stack([C1, C2])."
        )
    if np.min(coupling) < 0 or not np.sum(coupling) > 0:
        raise ValueError(
            f"coupling must hold masses that are not negative, and some positive; its smallest is {np.min(coupling):g}."
        )
    return coupling / np.sum(coupling)


def _as_weights(weights, family):
    if weights is None:
        return np.ones(family.shape)
    weights = np.asarray(on_host(weights), dtype=np.float64)
    if weights.shape != family.shape:
        raise ValueError(f"penalty_weights has shape {weights.shape}; theta has shape {family.shape}.")
    if not np.all(weights > 0) or np.all(np.isinf(weights)):
        raise ValueError(
            "penalty_weights must be greater than 0 (inf excludes a coefficient), and not all of them infinite."
        )
    return weights
