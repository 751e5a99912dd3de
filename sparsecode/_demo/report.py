"""The table and the picture of the tour."""

from __future__ import annotations

import numpy as np

from ..plotting import DictionaryDisplay, RecoveryDisplay

__all__ = ["picture", "table"]

_HEADINGS = (
    ("", "", "PSNR", "[dB]", "support", "relative", "", "", "", "seconds", ""),
    ("task", "method", "before", "after", "found", "error", "certificate", "value", "asked", "first", "later"),
)
_LEFT = {0, 1, 6}  # columns of words
_DETAIL = np.s_[60:340, 90:370]  # of the photograph: noise shows at full size only
_N_SHOWN = 100


def table(rows) -> str:
    """The rows, aligned, as one text."""
    cells = [_cells(row) for row in rows]
    lines = [*_HEADINGS, *cells]
    widths = [max(len(line[column]) for line in lines) for column in range(len(_HEADINGS[0]))]
    text = [_line(line, widths) for line in lines]
    text.insert(len(_HEADINGS), "-" * max(map(len, text)))
    task = None
    for position, row in enumerate(rows, start=len(_HEADINGS) + 1):  # a task is named once
        if row.task == task:
            text[position] = " " * widths[0] + text[position][widths[0] :]
        task = row.task
    return "\n".join(text)


def _cells(row):
    return (
        row.task,
        row.method,
        _number(row.before, ".2f"),
        _number(row.after, ".2f"),
        row.support or "-",
        _number(row.error, ".1e"),
        row.certificate,
        _number(row.value, ".1e"),
        f"{row.bound:.1e}" + ("" if row.is_met else " missed"),
        _number(row.first, ".3f"),
        _number(row.later, ".3f"),
    )


def _number(value, form):
    return "-" if value is None else format(value, form)


def _line(cells, widths):
    parts = [
        cell.ljust(width) if column in _LEFT else cell.rjust(width)
        for column, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return "  ".join(parts).rstrip()


def picture(photograph, mri, planted, path):
    """Draw all three parts on one sheet and save it."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(12, 11), layout="constrained", dpi=120)  # without pyplot: nothing can pop up
    rows = [["noisy", "denoised", "atoms"], ["mask", "zero-filled", "recovered"], ["vector"] * 3]
    axes = figure.subplot_mosaic(rows, height_ratios=[4.0, 4.0, 2.4])
    _draw_photograph(axes, photograph)
    _draw_mri(axes, mri)
    _draw_planted(axes["vector"], planted)
    figure.savefig(path)


def _draw_photograph(axes, photograph):
    row = photograph.rows[1]
    _image(axes["noisy"], photograph.noisy[_DETAIL], f"photograph with noise (detail): {row.before:.1f} dB")
    _image(axes["denoised"], photograph.denoised[_DETAIL], f"denoised over learned atoms: {row.after:.1f} dB")
    smoothest = DictionaryDisplay.from_components(
        photograph.components, atom_shape=photograph.atom_shape, order="roughness", n_atoms=_N_SHOWN, ax=axes["atoms"]
    )
    smoothest.ax_.set_title(f"the {_N_SHOWN} smoothest of {len(photograph.components)} atoms", fontsize="medium")


def _draw_mri(axes, mri):
    _image(axes["mask"], np.fft.fftshift(mri.mask), f"Fourier samples taken: {mri.mask.mean():.0%}")
    _image(axes["zero-filled"], mri.zero_filled, f"the others set to zero: {mri.row.before:.1f} dB")
    _image(axes["recovered"], mri.recovered, f"recovered, sparse in wavelets: {mri.row.after:.1f} dB")


def _draw_planted(ax, planted):
    RecoveryDisplay.from_result(planted.result, planted.problem.coef, ax=ax)
    n_samples, n_features = planted.problem.design.shape
    ax.set_xlabel(f"coefficient, planted among {n_features}, recovered by OMP from {n_samples} noisy samples")


def _image(ax, pixels, title):
    ax.imshow(np.clip(pixels, 0.0, 1.0), cmap="gray", vmin=0.0, vmax=1.0, interpolation="nearest")
    ax.set_title(title, fontsize="medium")
    ax.set_axis_off()
