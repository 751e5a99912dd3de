"""What the displays share: axes to draw on, and colours that colour-blind readers can tell apart (Okabe and Ito)."""

from __future__ import annotations

__all__ = ["BLUE", "GREY", "ORANGE", "RED", "axes_or_new", "strip"]

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#8A8A8A"


def axes_or_new(ax, **figure_options):
    """The axes given, or those of a new figure; an error that names the extra if matplotlib is missing."""
    if ax is not None:
        return ax
    try:
        import matplotlib.pyplot as plt
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(
            "drawing needs matplotlib, which is not installed: pip install 'sparsecode[plot]'."
        ) from error
    _, ax = plt.subplots(layout="constrained", **figure_options)
    return ax


def strip(ax):
    """Leave only the left and bottom spine."""
    ax.spines[["top", "right"]].set_visible(False)
    return ax
