"""The steps of a greedy path, replayed from the order in which the columns entered.

With ``A_S = Q R`` for the columns S in that order, the fit on the first t of them is the leading block of everything:

    z_q = q_q^H r      r -= z_q q_q      coefficients after t steps = (R^-1)[:, :t] z[:t]

so one factorisation of every target gives all residuals and all coefficients on its way, and an information criterion may
pick the step. A Gram matrix takes Cholesky's factor in place of Q R.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, asarray_like, conj, is_numpy, to_numpy
from ..._validation import as_number
from ..._warnings import warn
from ...designs import GramDesign
from ..criteria import CRITERIA, information_criterion

__all__ = ["Criterion", "Steps", "best_steps", "coefficient_path", "make_criterion", "replay", "warn_at_the_most"]

_BLOCK_BYTES = 1 << 26  # columns of the targets that are replayed at a time


class Steps(NamedTuple):
    """The paths of P targets, at most k steps each."""

    inverse: Any  # (P, k, k) R^-1, upper triangular, double; the identity where a path is shorter
    projection: Any  # (P, k) z, double; zero likewise
    sq_residuals: np.ndarray  # (P, k + 1) after 0, 1, ... steps; the last one stays where a path is shorter


class Criterion(NamedTuple):
    """What decides how many steps are kept."""

    name: str
    ebic_gamma: float
    n_samples: float  # by their weights
    n_rows: int  # over which these weights have mean one in a squared residual
    n_features: int  # that may be selected

    @property
    def most(self):
        """Columns up to which its estimate of the noise is worth something."""
        return int(self.n_samples // 2)

    def values(self, sq_residuals, counts, floor, n_first):
        """The criterion (P, k + 1) after each step; inf where a step may not be chosen.

        Below `floor` all residuals are rounding; the first `n_first` columns of a target are always kept.
        """
        sizes = np.arange(sq_residuals.shape[1])
        rss = np.maximum(sq_residuals, floor[:, None]) * (self.n_samples / self.n_rows)
        values = information_criterion(
            self.name, rss, sizes, self.n_samples, max(self.n_features, sizes[-1]), ebic_gamma=self.ebic_gamma
        )
        return np.where((sizes > counts[:, None]) | (sizes < n_first[:, None]), np.inf, values)


def make_criterion(name, ebic_gamma, design, penalty_weights=None, n_samples=None) -> Criterion | None:
    """Validate what the user asked; None without a name.

    Models are counted over the columns that may be selected, samples by their weights, whose sum is `n_samples`.
    """
    if name is None:
        return None
    if name not in CRITERIA:
        raise ValueError(f"criterion must be 'aic', 'bic' or 'ebic'; got {name!r}.")
    usable = design.column_sq_norms() > 0
    if penalty_weights is not None:
        usable &= np.isfinite(penalty_weights)
    n_rows = design.shape[0]
    n_samples = n_rows if n_samples is None else n_samples
    return Criterion(name, as_number(ebic_gamma, "ebic_gamma"), n_samples, n_rows, int(np.count_nonzero(usable)))


def warn_at_the_most(criterion, asked, n_kept):
    """Warn where the criterion is least at the most columns that it looks at, which are fewer than `asked`.

    `n_kept` (P,) are the columns that each target keeps, beside the free ones.
    """
    if 0 < criterion.most < asked and np.any(n_kept >= criterion.most):
        other = "Name" if criterion.name == "ebic" else "Use criterion='ebic', or name"
        warn(
            f"criterion={criterion.name!r} is least at the last step of its path, with {criterion.most} columns, half as many as "
            f"samples: it found no end. {other} the most columns by n_nonzero.",
            RuntimeWarning,
        )


def replay(design, target, indices, target_sq):
    """Yield ``(slice, Steps)`` over blocks of targets.

    Parameters
    ----------
    design : Design
        Whatever its kind.
    target : array of shape (n_samples, P)
        The targets; for a Gram design their correlations.
    indices : array of shape (P, k)
        Columns in the order of their entry, -1 behind the last one.
    target_sq : ndarray of shape (P,)
        Squared norms of the targets.
    """
    n_targets, depth = indices.shape
    height = design.shape[1] if isinstance(design, GramDesign) else design.shape[0]
    block = max(1, _BLOCK_BYTES // (16 * height * max(1, depth)))
    for start in range(0, n_targets, block):
        part = slice(start, min(start + block, n_targets))
        if depth == 0:
            nothing = as_double(target[:1, part]).T[:, :0]
            yield part, Steps(nothing[:, :, None] * nothing[:, None, :], nothing, target_sq[part][:, None])
        elif isinstance(design, GramDesign):
            yield part, _by_cholesky(design.in_double(), as_double(target[:, part]), indices[part], target_sq[part])
        else:
            yield part, _by_columns(design.in_double(), as_double(target[:, part]), indices[part, :])


def _by_cholesky(design, correlations, indices, target_sq):
    used = indices >= 0
    safe = np.where(used, indices, 0)
    both = used[:, :, None] & used[:, None, :]
    gram = np.where(both, design.matrix[safe[:, :, None], safe[:, None, :]], np.eye(indices.shape[1]))
    factor = np.linalg.cholesky(gram)  # L = R^H
    wanted = np.where(used, np.take_along_axis(correlations.T, safe, axis=1), 0.0)
    projection = np.linalg.solve(factor, wanted[:, :, None])[:, :, 0]
    inverse = np.linalg.inv(np.conj(np.swapaxes(factor, 1, 2)))
    left = target_sq[:, None] - np.cumsum(np.abs(projection) ** 2, axis=1)
    return Steps(inverse, projection, np.maximum(np.concatenate([target_sq[:, None], left], axis=1), 0.0))


def _by_columns(design, target, indices):
    xp = array_namespace(target)
    chosen = to_numpy(indices)
    used = asarray_like(chosen >= 0, target)
    columns = xp.astype(_gathered(xp, design, chosen), target.dtype)  # (P, n_samples, k)
    width = min(columns.shape[1:])
    basis, factor = xp.linalg.qr(columns[:, :, :width])
    eye = xp.eye(chosen.shape[1], dtype=factor.dtype, device=factor.device)[None, :width, :width]
    inside = used[:, :width]
    factor = xp.where(inside[:, :, None] & inside[:, None, :], factor, eye + 0 * factor)
    inverse = xp.linalg.inv(factor)
    residual, projection, sq_residuals = target.T, [], [_sq_rows(xp, target.T)]
    for q in range(width):
        direction = xp.where(inside[:, q][:, None], basis[:, :, q], 0 * basis[:, :, q])
        share = xp.sum(conj(direction) * residual, axis=1)
        residual = residual - share[:, None] * direction
        projection.append(share)
        sq_residuals.append(_sq_rows(xp, residual))
    return Steps(inverse, xp.stack(projection, axis=1), to_numpy(xp.stack(sq_residuals, axis=1)))


def _gathered(xp, design, chosen):
    """The columns of every target as (P, n_samples, k); each is fetched once, however often it is used."""
    needed, where = np.unique(np.where(chosen < 0, chosen[0, 0], chosen), return_inverse=True)
    columns = as_double(design.columns(needed))
    flat = xp.take(columns, asarray_like(where.reshape(-1), columns), axis=1)
    return xp.permute_dims(xp.reshape(flat, (columns.shape[0], *chosen.shape)), (1, 0, 2))


def _sq_rows(xp, rows):
    return xp.sum(xp.abs(rows) ** 2, axis=1)


def best_steps(criterion, design, target, selected, target_sq, floor):
    """The codes cut where the criterion is least, how many steps each keeps, and the criterion after every step (P, k + 1)."""
    depth = int(np.max(selected.counts))
    indices = selected.indices[:, :depth]
    chosen = np.zeros(selected.counts.size, dtype=np.int64)
    values, criteria = [], np.full((chosen.size, depth + 1), np.inf)
    for part, steps in replay(design, target, indices, target_sq):
        width = steps.sq_residuals.shape[1]
        criteria[part, :width] = criterion.values(
            steps.sq_residuals, selected.counts[part], floor[part], selected.n_first[part]
        )
        best = np.argmin(criteria[part], axis=1)
        chosen[part] = np.where(np.isfinite(np.min(criteria[part], axis=1)), best, selected.n_first[part])
        xp = array_namespace(steps.projection)
        kept = asarray_like(np.arange(width - 1) < chosen[part][:, None], steps.projection)
        shares = xp.where(kept, steps.projection, 0 * steps.projection)
        values.append((steps.inverse @ shares[:, :, None])[:, :, 0])
    xp = array_namespace(values[0])
    values = xp.astype(xp.concat(values, axis=0), target.dtype)
    kept = asarray_like(np.arange(values.shape[1]) < chosen[:, None], values)
    indices = indices[:, : values.shape[1]]
    cut = selected._replace(
        indices=xp.where(kept, indices, 0 * indices - 1),
        values=xp.where(kept, values, 0 * values),
        counts=chosen,
    )
    return cut, criteria


def coefficient_path(design, target, indices, target_sq):
    """Coefficients after 0, 1, ... steps of the targets (n_samples, P), as an array (n_features, P, n_steps + 1) beside them.

    `indices` (P, n_steps) are the columns of every target in their order; all paths are of one length.
    """
    xp, parts = array_namespace(target), []
    for part, steps in replay(design, target, indices, target_sq):
        values = np.cumsum(to_numpy(steps.inverse) * to_numpy(steps.projection)[:, None, :], axis=2)
        n_targets, n_steps = values.shape[:2]
        path = np.zeros((n_targets, design.shape[1], n_steps + 1), dtype=values.dtype)
        path[np.arange(n_targets)[:, None], to_numpy(indices)[part, :n_steps], 1:] = values
        parts.append(path)
    path = np.moveaxis(np.concatenate(parts), 0, 1)
    if is_numpy(target):
        return path.astype(target.dtype, copy=False)
    return xp.astype(asarray_like(path, target), target.dtype)
