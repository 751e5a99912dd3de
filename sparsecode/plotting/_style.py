"""What the displays share: axes to draw on, and colours that colour-blind readers can tell apart (Okabe and Ito)."""

from __future__ import annotations

import math

__all__ = ["BLUE", "GREY", "ORANGE", "RED", "SERIES", "axes_or_new", "logarithmic", "strip"]

BLUE, ORANGE, RED, GREY = "#0072B2", "#E69F00", "#D55E00", "#8A8A8A"
SERIES = (BLUE, ORANGE, "#009E73", RED, "#CC79A7", "#56B4E9", "#000000")


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


def logarithmic(ax):
    """A logarithmic x axis that spans something, and whose labels do not run into each other where it spans little."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.set_xscale("log")
    left, right = ax.get_xlim()
    if abs(math.log(right / left)) < math.log(2.0):
        middle = math.sqrt(left * right)
        ax.set_xlim(middle / 2.0, middle * 2.0)
    if abs(math.log10(right / left)) < 2.0:
        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        ax.xaxis.set_minor_formatter(NullFormatter())
