"""PlugAndPlay: least squares under the penalty of a denoiser, by the library's own proximal gradient."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..linear_model._penalised import FIT_CONSTRAINTS, PenalisedRegressor, without
from ..penalties import L1
from ..result import Status
from ..solvers.parts import checked
from ..solvers.solve import solve_problem

__all__ = ["PlugAndPlay"]

_UNBOUNDED = (
    "the objective fell without bound: the penalty of the denoiser is not bounded below, and at this alpha the data do not "
    "hold it; lower alpha, or train the denoiser on signals as large as these"
)


class PlugAndPlay(PenalisedRegressor):
    """Minimise ``||y - X @ coef - intercept||^2 / (2 n_samples) + alpha * R(coef)``, R the penalty whose prox a denoiser is.

    Coefficients are a signal, samples are measurements of it: blurred, incomplete, projected. What signals look like is known to a
    `LearnedProximalNetwork`, which denoises by the prox of a penalty that it learned; R is this penalty, so that every iteration is a
    gradient step and one denoising, and yet an objective is minimised, with a certificate. Any penalty of the library serves as well.

    Parameters
    ----------
    denoiser : LearnedProximalNetwork or penalty, default=None
        A fitted network, or a penalty, of which `alpha` becomes the strength (one that has none, a constraint, is taken as it is); by
        default the l1 norm, and the answer is that of `Lasso`. A network is not trained here, and `clone` keeps it as it is.
        Trained on signals of length d, it is applied to consecutive blocks of d coefficients, whose number must be whole: R is their
        sum. For an image in patches that means patches that do not overlap, one after another; a mean over overlapping ones is no
        prox, and not offered.
    alpha : float, default=1.0
        Strength of R. With a network, ``(noise of y / denoiser.noise_)^2 / n_samples`` gives the mode of the posterior. With 0
        there is no penalty, and a warning says what to use.
    fit_intercept : bool, default=True
        Whether to fit a constant; X is centred implicitly, so a sparse X stays sparse.
    max_iter : int, default=10000
        Iterations: one product with X, one with its transpose, one prox each.
    tol : float, default=1e-6
        For the certificate.
    warm_start : bool, default=False
        Whether `fit` starts from the coefficients of the last fit rather than at zero.

    Attributes
    ----------
    coef_ : array of shape (n_features,) or (n_targets, n_features)
        The coefficients: the signal.
    intercept_ : float or array of shape (n_targets,)
        The constant.
    sparse_coef_ : csr_array of shape (n_targets, n_features)
        The coefficients, compressed.
    support_ : array of int64, or of bool of shape (n_targets, n_features)
        Indices of the non-zero coefficients for one target, their mask for many.
    n_iter_ : int
        Iterations done.
    dual_gap_ : float or array of shape (n_targets,)
        The duality gap, in the units of the objective; NaN where the certificate is no gap.
    certificate_ : float or array of shape (n_targets,)
        With a network the relative prox residual: how far an iteration moves the coefficients, over its step and the largest correlation
        at zero. It is zero exactly at fixed points, where ``X^T (y - X @ coef) / n_samples`` is alpha times a subgradient of R. For
        penalties of the library what they allow: the relative duality gap of convex ones, the relative stationarity of others.
    status_ : Status
        CONVERGED if the certificate meets `tol`; DIVERGED if the objective fell without bound (see the notes).
    result_ : SolveResult
        The solver's whole answer, with the objective on its way.
    n_features_in_ : int
        Columns of X.
    feature_names_in_ : array of str of shape (n_features,)
        Names of the columns, if X has any.

    See Also
    --------
    ista : The solver under penalties that are not convex; `fista` is that of convex ones.
    LearnedProximalNetwork : Learns the penalty.
    Lasso, NonconvexRegressor : Much faster under penalties that are sums over coefficients.

    Notes
    -----
    Steps s are at most 1 / L, L the curvature of the misfit met on the way, and at most ``1 / alpha``, to which the prox of a learned penalty
    is known; ``R(x) + ||x||^2 / 2`` is convex. An iteration that moves the coefficients by d therefore lowers the objective by at least
    ``(1/s - L/2 - alpha/2) ||d||^2``, which is never negative: **the objective never rises**, though R need not be convex. Where it is
    bounded below, and not both bounds of the step are met at once, the squares of the moves have a finite sum: **the residual goes to zero**,
    and iterates that stay bounded converge to a stationary point, which one depends on where they start.

    Training does not make R bounded below: where the network, far out, stretches what it is given, R falls like a square. Data that see every
    direction well enough hold it; where they do not, the start decides, and iterates that run off end as DIVERGED, with the best
    coefficients met before. Until then `max_iter` may stop them; a certificate that grows tells.

    Where X misses some coefficients (pixels that are hidden), only R moves these, by a share ``alpha / L`` of their way each time: a small
    `alpha` takes many iterations. As the residual there is small by the same share from the start, `tol` must be well below it to mean
    anything. First fits at larger strengths, down to that of the noise, with `warm_start`, get there sooner.

    References
    ----------
    Fang, Buchanan and Sulam, "What's in a prior? Learned proximal networks for inverse problems", 2024 (arXiv 2310.14344).
    Venkatakrishnan, Bouman and Wohlberg, "Plug-and-play priors for model based reconstruction", 2013.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import LearnedProximalNetwork, PlugAndPlay
    >>> rng = np.random.default_rng(0)
    >>> network = LearnedProximalNetwork(1.0, n_steps=200, random_state=0).fit(rng.laplace(size=(20_000, 1)))
    >>> X, signal = rng.standard_normal((60, 40)), rng.laplace(size=40)
    >>> y = X @ signal + 0.5 * rng.standard_normal(60)
    >>> model = PlugAndPlay(network, alpha=0.25 / 60, fit_intercept=False).fit(X, y)
    >>> model.status_.name, bool(np.mean((model.coef_ - signal) ** 2) < 0.1)
    ('CONVERGED', True)
    """

    _complex_data = True
    _parameter_constraints = {
        "denoiser": "no_validation",
        **without(FIT_CONSTRAINTS, "penalty_weights", "positive", "solver", "debias", "n_jobs"),
    }

    def __init__(self, denoiser=None, alpha=1.0, *, fit_intercept=True, max_iter=10_000, tol=1e-6, warm_start=False):
        self.denoiser = denoiser
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def _penalty(self, alpha):
        if self.denoiser is None:
            return L1(alpha)
        if callable(getattr(self.denoiser, "penalty", None)):
            return self.denoiser.penalty(alpha)
        if isinstance(self.denoiser, type) or not all(hasattr(self.denoiser, part) for part in ("prox", "value")):
            raise ValueError(
                f"denoiser must be a fitted LearnedProximalNetwork or a penalty such as MCP(1.0); got {self.denoiser!r}. A "
                "denoiser that is no prox minimises nothing."
            )
        penalty = checked(self.denoiser, "penalty")
        return penalty._replace(alpha=alpha) if hasattr(penalty, "alpha") else penalty

    def _solved(self, problem, init, callback):
        """Momentum, which may raise the objective, is for convex penalties."""
        solver = "fista" if problem.penalty.is_convex else "ista"
        with np.errstate(over="ignore", invalid="ignore"):  # what runs off is told by the status
            result = solve_problem(problem, problem.start(init), solver, callback=callback, **self._options())
        return replace(result, reason=_UNBOUNDED) if result.status is Status.DIVERGED else result

    def __sklearn_clone__(self):
        twin = super().__sklearn_clone__()
        twin.denoiser = self.denoiser  # of a network sklearn would keep the parameters alone
        return twin
