"""What solvers and estimators warn of alike: a penalty of strength zero, and what may help an uncertified answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .._warnings import warn
from ..result import OUT_OF_ITERATIONS, SolveResult, Status, announce

__all__ = ["announce_solve", "scaling_advice", "warn_without_penalty"]

_CHOOSERS = {  # of the strength, under the squared loss; SparseGLMCV is for all others
    "L1": "LassoCV",
    "L1Ridge": "ElasticNetCV",
    "GroupL1": "GroupLassoCV",
    "SparseGroupL1": "GroupLassoCV",
    "RowL2": "MultiTaskLassoCV",
    **dict.fromkeys(("MCP", "SCAD", "CEL0", "Lq", "LogSum", "CappedL1", "L0"), "NonconvexRegressorCV"),
}
_SPREAD = 10.0  # of the columns' norms, from which on scaling them is worth its while


def announce_solve(problem, result) -> SolveResult:
    """Hand the result on; if the iterations ran out, its warning says whether scaling the features would help."""
    advice = scaling_advice(problem.design) if result.status is Status.MAX_ITER and not result.reason else ""
    if not advice:
        return announce(result)
    announce(replace(result, reason=f"{OUT_OF_ITERATIONS}. {advice}"))
    return result


def scaling_advice(design) -> str:
    """A sentence, without its full stop, on the norms of the columns; nothing for designs that have no columns to look at."""
    if design.is_matrix_free:
        return ""
    norms = np.sqrt(np.asarray(design.column_sq_norms(), dtype=np.float64))
    norms = norms[norms > 0]
    if norms.size < 2:
        return ""
    spread = float(norms.max() / norms.min())
    if spread > _SPREAD:
        return f"The norms of the columns differ by a factor of {spread:.1e}: scaling the features would help"
    return f"The norms of the columns are within a factor of {spread:.1f}: scaling the features would not help"


def warn_without_penalty(loss, penalty, target):
    """Warn where the penalty has strength zero; the warning says what to use instead."""
    if getattr(penalty, "alpha", None) != 0:
        return
    chooser = _CHOOSERS.get(type(penalty).__name__, "SparseGLMCV")
    chooser = chooser if target.ndim == 1 or chooser == "MultiTaskLassoCV" else ""  # the others take one target
    instead = {
        "Squared": "sklearn.linear_model.LinearRegression" + (f", or {chooser} to choose alpha" if chooser else ""),
        "SquareRoot": "sklearn.linear_model.LinearRegression: the fit is least squares",
        "Absolute": "sklearn.linear_model.QuantileRegressor(alpha=0)",
        "Quantile": "sklearn.linear_model.QuantileRegressor(alpha=0)",
        "Huber": "sklearn.linear_model.HuberRegressor(alpha=0)",
        "Logistic": "sklearn.linear_model.LogisticRegression(C=np.inf)",
        "Multinomial": "sklearn.linear_model.LogisticRegression(C=np.inf)",
        "Poisson": "sklearn.linear_model.PoissonRegressor(alpha=0)",
    }.get(type(getattr(loss, "loss", loss)).__name__, "a solver without a penalty")
    warn(
        f"alpha=0 leaves the fit without a penalty, so that nothing is sparse; use {instead}, or an alpha above 0.",
        RuntimeWarning,
    )
