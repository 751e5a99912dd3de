"""Several methods on one problem: how long each takes to a certificate, and what it proves there."""

from __future__ import annotations

import time
import warnings
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from ._array import asarray_like, to_numpy
from ._validation import as_count, as_number
from .plotting import ConvergenceDisplay
from .result import SolveResult, Status
from .solvers.certificates import certificate_of
from .solvers.methods import choose
from .solvers.solve import pose, solve_problem

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, repr=False)
class Comparison:
    """What `compare` found: a table, a picture, and the results themselves.

    Attributes
    ----------
    results : dict of str to SolveResult
        What each solver returned. The seconds of its history count from the call on, setting up included.
    seconds : dict of str to float
        Time of each whole call, the median of its repetitions.
    methods : dict of str to str
        The method that each one came to: what "auto" chose, or the name of a callable.
    certificate_name : str
        What the certificates measure.
    tol : float
        The tolerance that they are held against.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, compare
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((30, 50))
    >>> comparison = compare(A, A[:, 3] - A[:, 7], penalty=L1(0.1), solvers=("fista", "ista"))
    >>> comparison.table["status"]
    ['CONVERGED', 'CONVERGED']
    >>> bool(max(comparison.table["certificate"]) <= comparison.tol)
    True
    """

    results: dict
    seconds: dict
    methods: dict
    certificate_name: str
    tol: float

    @property
    def records(self):
        """One dictionary for each solver."""
        return [
            {
                "solver": name,
                "method": self.methods[name],
                "status": result.status.name,
                "certificate": float(np.max(result.certificate)),
                "objective": float(np.sum(result.objective)),
                "seconds": self.seconds[name],
                "n_iter": result.n_iter,
                "n_nonzero": int(np.count_nonzero(to_numpy(result.coef))),
            }
            for name, result in self.results.items()
        ]

    @property
    def table(self):
        """The same column by column: a dictionary of lists."""
        records = self.records
        return {name: [record[name] for record in records] for name in records[0]}

    @property
    def frame(self):
        """The same as a pandas DataFrame, one row a solver."""
        try:
            import pandas
        except ModuleNotFoundError as error:
            raise ModuleNotFoundError("frame needs pandas, which is not installed; use table or records.") from error
        return pandas.DataFrame(self.records).set_index("solver")

    def plot(self, *, x="seconds", ax=None):
        """Draw certificates against time.

        Parameters
        ----------
        x : {"seconds", "iteration"}, default="seconds"
            What runs across.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ConvergenceDisplay
            With the picture drawn.
        """
        return ConvergenceDisplay.from_comparison(self, x=x, ax=ax)

    def __repr__(self):
        width = max(len("solver"), *map(len, self.results))
        kind = max(len("method"), *map(len, self.methods.values()))
        head = f"{'solver':{width}}  {'method':{kind}}  {'status':11}  certificate  seconds   n_iter  objective"
        lines = [f"Comparison by {self.certificate_name}, tol={self.tol:.1e}", head]
        lines += [
            f"{row['solver']:{width}}  {row['method']:{kind}}  {row['status']:11}  {row['certificate']:11.2e}  "
            f"{row['seconds']:7.2g}  {row['n_iter']:7d}  {row['objective']:.8g}"
            for row in self.records
        ]
        return "\n".join(lines)


def compare(
    A,
    y,
    loss=None,
    penalty=None,
    *,
    solvers=("auto", "fista"),
    penalty_weights=None,
    sample_weight=None,
    max_iter=10_000,
    tol=1e-6,
    n_repeats=1,
    warm_up=True,
) -> Comparison:
    """Solve ``min loss(y, A @ coef) + sum_j penalty_weights_j penalty(coef_j)`` by several solvers, timed and certified alike.

    Parameters
    ----------
    A : array, sparse matrix, LinearOperator or Design of shape (n_samples, n_features)
        The design.
    y : array of shape (n_samples,), or (n_samples, n_targets) where loss or penalty joins the targets
        The target.
    loss : loss, default=Squared()
        Any loss of the library.
    penalty : penalty
        Any penalty of the library, or one of your own.
    solvers : sequence or dict, default=("auto", "fista")
        Names of methods, as for `solve`, or callables ``f(A, y)`` that return a `SolveResult` or coefficients; as a dictionary,
        with names of your own.
    penalty_weights : array of shape (n_features,), optional
        Each from 0 (unpenalised) to inf (excluded). A callable has to know of them by itself.
    sample_weight : array of shape (n_samples,), optional
        Relative weights of the samples. A callable has to know of them by itself.
    max_iter : int, default=10_000
        Iterations, for methods given by name.
    tol : float, default=1e-6
        Tolerance that all answers are held against, and that methods given by name stop at.
    n_repeats : int, default=1
        Timed runs of each solver, in turns; the one of median time counts.
    warm_up : bool, default=True
        Whether each solver is run once before, so that compilation does not count.

    Returns
    -------
    Comparison
        With `table`, `records`, `frame` (pandas), `plot` and `results`.

    Raises
    ------
    ValueError
        If a method cannot solve the problem, no solver is named, or data are not valid.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, compare, lasso
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((30, 50))
    >>> solvers = {"auto": "auto", "loose": lambda A, y: lasso(A, y, 0.1, tol=1e-3)}
    >>> comparison = compare(A, A[:, 3] - A[:, 7], penalty=L1(0.1), solvers=solvers)
    >>> comparison.methods["auto"], len(comparison.results)
    ('working_set', 2)
    """
    if penalty is None:
        raise ValueError("penalty is missing; pass one, for example L1(alpha=0.1).")
    options = {"max_iter": as_count(max_iter, "max_iter"), "tol": as_number(tol, "tol")}
    n_repeats = as_count(n_repeats, "n_repeats")

    def posed():
        return pose(A, y, loss, penalty, penalty_weights=penalty_weights, sample_weight=sample_weight)

    problem = posed()
    if problem.target.ndim == 2 and not problem.is_joint:
        raise ValueError(
            f"y has shape {tuple(problem.target.shape)}; compare takes one target, pass its columns one by one."
        )
    runs: dict[str, Any] = {}
    methods = {}
    for name, solver in _named(solvers).items():
        if callable(solver):
            methods[name] = _name_of(solver)
            runs[name] = _Foreign(name, solver, problem, A, y, options["tol"])
        else:
            methods[name] = choose(problem, solver).name
            runs[name] = _Own(solver, posed, options)
    found: dict[str, list] = {name: [] for name in runs}
    for turn in range(n_repeats + bool(warm_up)):
        for name, run in runs.items():
            outcome = _timed(run)
            if turn or not warm_up:
                found[name].append(outcome)
    results, seconds = {}, {}
    for name, outcomes in found.items():
        outcomes.sort(key=lambda outcome: outcome[0])
        took, result = outcomes[len(outcomes) // 2]
        result = runs[name].certified(result)
        seconds[name], results[name] = took, _from_the_call_on(result, took)
    kind = certificate_of(problem)(problem, problem.start()).name
    return Comparison(results, seconds, methods, kind, float(options["tol"]))


def _name_of(solver):
    """What a callable is called."""
    name = getattr(solver, "__name__", type(solver).__name__)
    return "callable" if name == "<lambda>" else name


def _named(solvers):
    """Solvers by name; callables by their own, told apart where two share it."""
    if isinstance(solvers, str) or callable(solvers):
        solvers = (solvers,)
    if not isinstance(solvers, dict):
        named: dict[str, Any] = {}
        for solver in solvers:
            name = base = solver if isinstance(solver, str) else _name_of(solver)
            if isinstance(solver, str) and solver in named:
                raise ValueError(f"solvers names {solver!r} twice.")
            count = 1
            while name in named:
                count += 1
                name = f"{base} ({count})"
            named[name] = solver
        solvers = named
    if not solvers:
        raise ValueError("solvers is empty; name at least one, for example 'auto'.")
    for name, solver in solvers.items():
        if not isinstance(solver, str) and not callable(solver):
            raise ValueError(
                f"solvers must be names of methods or callables f(A, y) that return coefficients; {name!r} is {solver!r}."
            )
    return solvers


class _Own:
    """A method of the library, from the raw data on, so that no run profits from what another one has computed."""

    def __init__(self, solver, posed, options):
        self.solver, self.posed, self.options = solver, posed, options

    def __call__(self):
        problem = self.posed()
        return solve_problem(problem, problem.start(), self.solver, **self.options)

    def certified(self, result):
        """Its certificate was recomputed in float64 by the same code as everybody's."""
        return result


class _Foreign:
    """A callable, whose answer is certified here whatever it says of itself."""

    def __init__(self, name, solver, problem, A, y, tol):
        self.name, self.solver, self.problem, self.A, self.y, self.tol = name, solver, problem, A, y, tol

    def __call__(self):
        return self.solver(self.A, self.y)

    def certified(self, result):
        """The answer as a `SolveResult` with the certificate of the problem."""
        problem = self.problem
        given = result if isinstance(result, SolveResult) else None
        coef = result if given is None else given.coef
        coef = asarray_like(coef, problem.target, dtype=problem.target.dtype)
        if tuple(coef.shape) != tuple(problem.shape):
            raise ValueError(
                f"solver {self.name!r} returned coefficients of shape {tuple(coef.shape)}; expected {tuple(problem.shape)}."
            )
        proof = certificate_of(problem)(problem, coef)
        worst = float(np.max(proof.value))
        status = Status.CONVERGED if worst <= self.tol else Status.MAX_ITER if np.isfinite(worst) else Status.DIVERGED
        if given is not None and not status.is_success and not given.status.is_success:
            status = given.status
        history = given.history if given is not None and given.certificate_name == proof.name else {}
        if not history.get("seconds"):
            history = {
                "iteration": [0],
                "certificate": [worst],
                "objective": [float(np.sum(proof.objective))],
                "seconds": [0.0],
            }
        return SolveResult(
            coef=coef,
            intercept=problem.intercept(coef),
            status=status,
            n_iter=0 if given is None else given.n_iter,
            objective=proof.objective,
            certificate=proof.value,
            certificate_name=proof.name,
            tol=self.tol,
            history=history,
        )


def _timed(run):
    """Seconds and what was returned; what was not certified is said by the table."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        began = time.perf_counter()
        result = run()
        return time.perf_counter() - began, result


def _from_the_call_on(result, took):
    """The result with a history whose last entry stands at the time that the whole call took."""
    seconds = result.history["seconds"]
    late = max(took - seconds[-1], 0.0)
    return replace(result, history={**result.history, "seconds": [late + second for second in seconds]})
