"""How fast solvers prove their answers: certificates against time."""

from __future__ import annotations

import numpy as np

from ._style import GREY, SERIES, axes_or_new, logarithmic, strip

__all__ = ["ConvergenceDisplay"]

_COLOURS = (*SERIES, "#F0E442")
_LEAST = 1e-17  # below what float64 tells, on an axis that has no zero


class ConvergenceDisplay:
    """Best certificate so far against seconds or iterations, one line a solver, on logarithmic axes.

    Create it with `from_comparison` or `from_results`; the constructor takes what they compute.

    Parameters
    ----------
    histories : dict of str to dict
        For each solver the lists "seconds", "iteration" and "certificate".
    certificate_name : str
        What the certificates measure.
    tol : float or None
        The tolerance, drawn as a line.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : list of matplotlib Line2D
        One for each solver.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import L1, fista, ista
    >>> from sparsecode.plotting import ConvergenceDisplay
    >>> rng = np.random.default_rng(0)
    >>> A, y = rng.standard_normal((20, 40)), rng.standard_normal(20)
    >>> results = {solver.__name__: solver(A, y, penalty=L1(0.2)) for solver in (fista, ista)}
    >>> display = ConvergenceDisplay.from_results(results)
    >>> display.ax_.get_ylabel()
    'relative duality gap'
    """

    def __init__(self, histories, *, certificate_name="certificate", tol=None):
        self.histories = histories
        self.certificate_name = certificate_name
        self.tol = tol

    @classmethod
    def from_comparison(cls, comparison, *, x="seconds", ax=None):
        """Draw what `sparsecode.compare` found.

        Parameters
        ----------
        comparison : Comparison
            What `compare` returned.
        x : {"seconds", "iteration"}, default="seconds"
            What runs across.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ConvergenceDisplay
            With the picture drawn.
        """
        histories = {name: result.history for name, result in comparison.results.items()}
        display = cls(histories, certificate_name=comparison.certificate_name, tol=comparison.tol)
        return display.plot(x=x, ax=ax)

    @classmethod
    def from_results(cls, results, *, x="seconds", ax=None):
        """Draw the histories of results of one problem.

        Parameters
        ----------
        results : dict of str to SolveResult
            Results of iterative solvers, by the names to show.
        x : {"seconds", "iteration"}, default="seconds"
            What runs across.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ConvergenceDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the results carry different certificates, one has no history, or they have no names.
        """
        if not isinstance(results, dict):
            raise ValueError(
                f"results must be a dictionary of SolveResult by name, as {{'fista': result}}; got a {type(results).__name__}."
            )
        if not results:
            raise ValueError("results is empty; give at least one result by name, as {'fista': result}.")
        names = {result.certificate_name for result in results.values()}
        if len(names) != 1:
            carried = "; ".join(f"{name}: {result.certificate_name}" for name, result in results.items())
            raise ValueError(
                f"certificates of different kinds cannot share an axis ({carried}); draw the results of each kind in a picture of "
                "their own."
            )
        for name, result in results.items():
            if not result.history.get("certificate"):
                raise ValueError(f"the result {name!r} has no history of certificates.")
        histories = {name: result.history for name, result in results.items()}
        tol = max(result.tol for result in results.values())
        return cls(histories, certificate_name=names.pop(), tol=tol).plot(x=x, ax=ax)

    def plot(self, *, x="seconds", ax=None):
        """Draw the lines.

        Parameters
        ----------
        x : {"seconds", "iteration"}, default="seconds"
            What runs across.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        ConvergenceDisplay
            The display itself.
        """
        if x not in ("seconds", "iteration"):
            raise ValueError(f"x must be 'seconds' or 'iteration'; got {x!r}.")
        self.ax_ = strip(axes_or_new(ax, figsize=(6, 4)))
        self.figure_ = self.ax_.figure
        self.lines_ = []
        for position, (name, history) in enumerate(self.histories.items()):
            where = np.asarray(history[x], dtype=float)
            best = np.maximum(np.minimum.accumulate(np.asarray(history["certificate"], dtype=float)), _LEAST)
            colour = _COLOURS[position % len(_COLOURS)]
            marker = "o" if where.size < 30 else ""
            (line,) = self.ax_.plot(where, best, color=colour, marker=marker, ms=3.5, lw=1.8, label=name)
            self.ax_.plot(where[-1], best[-1], "o", color=colour, ms=6)
            self.lines_.append(line)
        if self.tol:
            self.ax_.axhline(self.tol, color=GREY, lw=1.0, ls="--", zorder=0)
        self.ax_.set_yscale("log")
        if x == "seconds":
            logarithmic(self.ax_)
        else:
            self.ax_.set_xscale("symlog", linthresh=1)  # the first certificate is that of iteration zero
            self.ax_.set_xlim(0, max(1, self.ax_.get_xlim()[1]))
        self.ax_.set(xlabel=x, ylabel=self.certificate_name)
        self.ax_.legend(frameon=False)
        return self
