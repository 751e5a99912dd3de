"""A transport plan between its marginals, or as lines between points."""

from __future__ import annotations

import numpy as np
from scipy.sparse import coo_array

from .._array import to_numpy
from .._validation import as_number
from ._style import BLUE, GREY, ORANGE, axes_or_new, strip

__all__ = ["TransportPlanDisplay"]


class TransportPlanDisplay:
    """Entries of a transport plan with its marginals, or the same as lines between points of the plane.

    Create it with `from_result` or `from_plan`; the constructor takes what these compute.

    Parameters
    ----------
    plan : coo_array of shape (n, m)
        Entries of the plan.
    X : ndarray of shape (n, 2) or None
        Source points.
    Y : ndarray of shape (m, 2) or None
        Target points.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    shown_ : int
        How many entries were drawn.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.plotting import TransportPlanDisplay
    >>> from sparsecode.transport import solve
    >>> x = np.linspace(0, 1, 30)
    >>> display = TransportPlanDisplay.from_result(solve(None, None, (x[:, None] - x**2) ** 2, reg=1e-3))
    >>> display.ax_.get_xlabel()
    'target'
    """

    def __init__(self, plan, *, X=None, Y=None):
        self.plan = plan
        self.X = X
        self.Y = Y

    @classmethod
    def from_result(cls, result, X=None, Y=None, *, kind="matrix", least=0.01, ax=None):
        """Draw the plan of a result.

        Parameters
        ----------
        result : TransportResult
            What `sparsecode.transport.solve` returned.
        X : array of shape (n, 2), optional
            Source points, for ``kind="points"``.
        Y : array of shape (m, 2), optional
            Target points, for ``kind="points"``.
        kind : {"matrix", "points"}, default="matrix"
            What is drawn: see `plot`.
        least : float, default=0.01
            Entries below this share of the largest are left out.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        TransportPlanDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If points are missing, not in the plane, or not as many as the plan has rows and columns, or the result has no plan.
        """
        if not hasattr(result, "plan"):
            raise ValueError(
                f"result must be a TransportResult; got {type(result).__name__}: from_plan draws any plan."
            )
        return cls.from_plan(result.plan, X, Y, kind=kind, least=least, ax=ax)

    @classmethod
    def from_plan(cls, plan, X=None, Y=None, *, kind="matrix", least=0.01, ax=None):
        """Draw any plan.

        Parameters
        ----------
        plan : array, sparse array or LazyPlan of shape (n, m)
            What goes from where to where.
        X : array of shape (n, 2), optional
            Source points, for ``kind="points"``.
        Y : array of shape (m, 2), optional
            Target points, for ``kind="points"``.
        kind : {"matrix", "points"}, default="matrix"
            What is drawn: see `plot`.
        least : float, default=0.01
            Entries below this share of the largest are left out.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        TransportPlanDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the plan is no matrix, or has negative entries or NaN; if points are missing or do not fit.
        """
        plan = plan if hasattr(plan, "tocoo") else plan.toarray() if hasattr(plan, "toarray") else to_numpy(plan)
        if plan.ndim != 2 or 0 in plan.shape:
            raise ValueError(
                f"plan has shape {plan.shape}; a plan has a row for each source and a column for each target."
            )
        plan = coo_array(plan)
        if not np.all(plan.data >= 0.0):
            raise ValueError("plan has entries that are negative or NaN; masses are neither.")
        points = (_points(X, "X", plan.shape[0]), _points(Y, "Y", plan.shape[1]))
        return cls(plan, X=points[0], Y=points[1]).plot(kind=kind, least=least, ax=ax)

    def plot(self, *, kind="matrix", least=0.01, ax=None):
        """Draw the plan.

        Parameters
        ----------
        kind : {"matrix", "points"}, default="matrix"
            "matrix": a mark for every entry, the masses of sources at the right and of targets above. "points": a line for every
            entry, from source to target, as dark as the entry is large.
        least : float, default=0.01
            Entries below this share of the largest are left out.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        TransportPlanDisplay
            The display itself.
        """
        if kind not in ("matrix", "points"):
            raise ValueError(f"kind must be 'matrix' or 'points'; got {kind!r}.")
        least = as_number(least, "least", maximum=1.0)
        if kind == "points" and (self.X is None or self.Y is None):
            raise ValueError("the points are not known; pass X= and Y= to from_result.")
        self.ax_ = strip(axes_or_new(ax, figsize=(5, 5)))
        self.figure_ = self.ax_.figure
        plan = self.plan
        top = plan.data.max(initial=0.0)
        drawn = (plan.data >= least * top) & (plan.data > 0)
        self.shown_ = int(drawn.sum())
        rows, columns = (index[drawn] for index in plan.coords)
        shades = plan.data[drawn] / top if top > 0 else plan.data[drawn]
        self._draw_lines(rows, columns, shades) if kind == "points" else self._draw_matrix(rows, columns, shades)
        return self

    def _draw_matrix(self, rows, columns, shades):
        n, m = self.plan.shape
        size = np.clip((220.0 / max(n, m)) ** 2, 1.0, 120.0)
        self.ax_.scatter(
            columns, rows, s=size, c=BLUE, alpha=np.sqrt(shades) if shades.size else None, marker="s", linewidths=0
        )
        self.ax_.set(xlabel="target", ylabel="source", xlim=(-0.5, m - 0.5), ylim=(n - 0.5, -0.5))
        above = self.ax_.inset_axes((0.0, 1.02, 1.0, 0.15), sharex=self.ax_)
        right = self.ax_.inset_axes((1.02, 0.0, 0.15, 1.0), sharey=self.ax_)
        above.stairs(self.plan.sum(axis=0), np.arange(m + 1) - 0.5, fill=True, color=ORANGE)
        right.stairs(self.plan.sum(axis=1), np.arange(n + 1) - 0.5, orientation="horizontal", fill=True, color=ORANGE)
        for marginal in (above, right):
            marginal.set_axis_off()

    def _draw_lines(self, rows, columns, shades):
        from matplotlib.collections import LineCollection

        lines = np.stack([self.X[rows], self.Y[columns]], axis=1)
        self.ax_.add_collection(
            LineCollection(lines, colors=GREY, alpha=shades if shades.size else None, linewidths=1.2)
        )
        self.ax_.plot(*self.X.T, "o", ms=5, color=BLUE, label="sources")
        self.ax_.plot(*self.Y.T, "s", ms=5, color=ORANGE, label="targets")
        self.ax_.set_aspect("equal")
        self.ax_.legend(frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0), handletextpad=0.3)


def _points(points, name, size):
    if points is None:
        return None
    points = np.asarray(to_numpy(points), dtype=np.float64)
    if points.shape != (size, 2):
        raise ValueError(
            f"{name} has shape {points.shape}; the plan needs {size} points of the plane, shape ({size}, 2)."
        )
    if not np.all(np.isfinite(points)):
        raise ValueError(f"{name} contains NaN or infinity; leave those points out of the plan.")
    return points
