"""The two figures that the notebooks share: ratios to peers, and cost against size with its fitted exponent."""

from __future__ import annotations

import importlib.util
import os
import time

import numpy as np

__all__ = [
    "COLOURS",
    "draw_costs",
    "draw_ratios",
    "draw_trajectories",
    "fitted_exponent",
    "installed",
    "is_full",
    "least_seconds",
]

# Okabe and Ito: told apart by colour-blind readers
COLOURS = {"ours": "#0072B2", "scikit-learn": "#E69F00", "SPAMS": "#D55E00", "celer": "#009E73", "skglm": "#CC79A7"}
MARKERS = {"ours": "o", "scikit-learn": "s", "SPAMS": "D", "celer": "^", "skglm": "v"}


def is_full():
    """Whether SPARSECODE_BENCH_SIZE asks for the full size; the default is a small one."""
    return os.environ.get("SPARSECODE_BENCH_SIZE", "small") == "full"


def installed(module):
    """Whether a peer can be imported."""
    return importlib.util.find_spec(module) is not None


def least_seconds(run, rounds=5):
    """The least time of a call that was made once before: for curves, where a slow spell of the machine would bend a line."""
    run()
    marks = [time.perf_counter()]
    for _ in range(rounds):
        run()
        marks.append(time.perf_counter())
    return float(np.min(np.diff(marks)))


def fitted_exponent(sizes, seconds):
    """Slope of the least-squares line through ``log seconds`` against ``log size``, and its intercept."""
    return np.polyfit(np.log(sizes), np.log(seconds), 1)


def draw_ratios(ax, ratios):
    """One line for each comparison: a dot a pair, the quartiles as a bar, the median as a number.

    `ratios` maps a label to (peer, ratios of its pairs).
    """
    rng = np.random.default_rng(0)
    for height, (peer, values) in enumerate(ratios.values()):
        low, middle, high = np.percentile(values, [25, 50, 75])
        ax.plot(
            values, height + 0.12 * rng.uniform(-1, 1, len(values)), "o", color=COLOURS[peer], alpha=0.35, ms=4, mew=0
        )
        ax.plot([low, high], [height, height], color=COLOURS[peer], lw=5, solid_capstyle="butt")
        ax.annotate(f"{middle:.3g}×", (middle, height), (0, 9), textcoords="offset points", ha="center", fontsize=9)
    ax.axvline(1.0, color="0.4", lw=1, ls="--")
    ax.set_yticks(range(len(ratios)), list(ratios))
    ax.set_ylim(-0.6, len(ratios) - 0.3)
    everything = np.concatenate([values for _, values in ratios.values()])
    steps = np.outer(10.0 ** np.arange(-3, 4), [1, 2, 5]).ravel()
    inside = (steps > everything.min() / 2.5) & (steps < everything.max() * 2.5)
    ax.set_xscale("log")
    ax.xaxis.set_minor_formatter("")
    ax.set_xticks(steps[inside], [f"{step:g}×" for step in steps[inside]])
    ax.set_xlabel("time of the peer / ours (dots: pairs; bars: quartiles)")
    _plain(ax)


def draw_costs(ax, sizes, seconds, size_name, unit="seconds"):
    """Measured cost against size on log axes, with the line fitted through it; `seconds` maps a name to its costs."""
    for name, costs in seconds.items():
        slope, offset = fitted_exponent(sizes, costs)
        ax.plot(sizes, costs, MARKERS[name], color=COLOURS[name], ms=6)
        line = np.exp(offset) * np.asarray(sizes, dtype=float) ** slope
        ax.plot(sizes, line, color=COLOURS[name], lw=1.2, label=f"{name}: size$^{{{slope:.2f}}}$")
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xlabel(size_name)
    ax.set_ylabel(unit)
    ax.set_xticks(sizes, [f"{size:,}" for size in sizes])
    ax.xaxis.minorticks_off()
    ax.legend(frameon=False, fontsize=9)
    _plain(ax)


def draw_trajectories(ax, found):
    """Gap against time on log axes; a run that another of the same solver beats in both is not drawn.

    `found` maps a name to the seconds and gaps of its runs.
    """
    for name, (seconds, gaps) in found.items():
        order = np.argsort(seconds, kind="stable")
        seconds, gaps = np.asarray(seconds)[order], np.asarray(gaps)[order]
        front = gaps < np.minimum.accumulate(np.concatenate([[np.inf], gaps[:-1]]))
        ax.plot(seconds[front], gaps[front], marker=MARKERS[name], color=COLOURS[name], ms=5, lw=1.2, label=name)
    ax.set_xscale("log")
    ax.set_yscale("log")
    everything = np.concatenate([seconds for seconds, _ in found.values()])
    ax.set_xlim(10.0 ** np.floor(np.log10(everything.min())), 10.0 ** np.ceil(np.log10(everything.max())))
    ax.xaxis.set_minor_formatter("")
    _plain(ax)


def _plain(ax):
    ax.spines[["top", "right"]].set_visible(False)
    ax.grid(axis="x", color="0.9", lw=0.6)
    ax.set_axisbelow(True)
