"""Success rates over undersampling and sparsity, with the contour where recovery breaks down."""

from __future__ import annotations

import numpy as np

from ..metrics._phase_transition import l1_weak_threshold
from ._style import ORANGE, axes_or_new

__all__ = ["PhaseTransitionDisplay"]


class PhaseTransitionDisplay:
    """A phase diagram: success rate as shade, delta across, rho upwards.

    Create it with `from_result`.

    Parameters
    ----------
    result : PhaseTransitionResult
        What `sparsecode.metrics.phase_transition` returned.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    mesh_ : matplotlib QuadMesh
        The success rates.

    Examples
    --------
    >>> from sparsecode import iht
    >>> from sparsecode.metrics import phase_transition
    >>> from sparsecode.plotting import PhaseTransitionDisplay
    >>> grid = {"deltas": [0.3, 0.6], "rhos": [0.1, 0.4, 0.8]}
    >>> result = phase_transition(iht, **grid, n_features=50, n_trials=4, random_state=0)
    >>> display = PhaseTransitionDisplay.from_result(result)
    >>> display.mesh_.get_array().shape
    (3, 2)
    """

    def __init__(self, result):
        self.result = result

    @classmethod
    def from_result(cls, result, *, level=0.5, l1_reference=True, cmap="cividis", colorbar=True, ax=None):
        """Draw a phase diagram.

        Parameters
        ----------
        result : PhaseTransitionResult
            What `phase_transition` returned.
        level : float or None, default=0.5
            Success rate whose contour is drawn; None for no contour.
        l1_reference : bool, default=True
            Whether to draw the asymptotic threshold of l1 minimisation, which no choice of coefficients moves.
        cmap : str, default="cividis"
            Colour map of the success rate.
        colorbar : bool, default=True
            Whether to add a colour bar.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        PhaseTransitionDisplay
            With the diagram drawn.
        """
        return cls(result).plot(level=level, l1_reference=l1_reference, cmap=cmap, colorbar=colorbar, ax=ax)

    def plot(self, *, level=0.5, l1_reference=True, cmap="cividis", colorbar=True, ax=None):
        """Draw the diagram.

        Parameters
        ----------
        level, l1_reference, cmap, colorbar, ax
            As for `from_result`.

        Returns
        -------
        PhaseTransitionDisplay
            The display itself.
        """
        result = self.result
        self.ax_ = axes_or_new(ax, figsize=(5.5, 4.2))
        self.figure_ = self.ax_.figure
        self.mesh_ = self.ax_.pcolormesh(
            _edges(result.deltas), _edges(result.rhos), result.success_rates.T, cmap=cmap, vmin=0, vmax=1
        )
        if level is not None:
            crossing = result.contour(level)
            marker = "o" if np.isfinite(crossing).sum() < 8 else ""
            self.ax_.plot(result.deltas, crossing, color="white", lw=2.2, marker=marker, label=f"{level:.0%} success")
        if l1_reference:
            left, right = self.ax_.get_xlim()
            delta = np.linspace(max(left, 1e-3), min(right, 1.0), 100)
            self.ax_.plot(delta, l1_weak_threshold(delta), "--", color=ORANGE, lw=1.8, label="l1, large systems")
        self.ax_.set_xlim(_edges(result.deltas)[[0, -1]])
        self.ax_.set_ylim(_edges(result.rhos)[[0, -1]])
        self.ax_.set(xlabel="delta = samples / features", ylabel="rho = non-zeros / samples")
        if level is not None or l1_reference:
            self.ax_.legend(loc="upper left", facecolor="0.25", framealpha=0.7, labelcolor="white", edgecolor="none")
        if colorbar:
            self.figure_.colorbar(self.mesh_, ax=self.ax_, label="success rate")
        return self


def _edges(centres):
    """Borders of cells around sorted centres: halfway between neighbours."""
    if centres.size == 1:
        return centres[0] + np.array([-0.05, 0.05])
    middle = 0.5 * (centres[1:] + centres[:-1])
    return np.concatenate([[2 * centres[0] - middle[0]], middle, [2 * centres[-1] - middle[-1]]])
