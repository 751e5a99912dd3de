"""All parts in order, the table, the picture, and the verdict."""

from __future__ import annotations

import sys
import time

from .._parallel import single_threaded_blas
from ..datasets import load_mri
from . import mri, photograph, planted
from .report import picture, table
from .rows import Progress

__all__ = ["run"]

_N_STAGES = 9
_NOTES = """\
photograph  427 x 640 in colour, noise of 25/255; atoms learned from noisy 8 x 8 patches, coded to the noise level
MRI slice   256 x 256 from a quarter of its Fourier samples, by a matrix-free complex operator; before: zero-filled
planted     30 signs among 1600 from 400 samples at 30 dB; found: true + false ones (l1 shrinks: larger errors)"""


def run(output, *, stream=None) -> int:
    """Run the tour, write the table to `stream` and the picture to `output`; 0 if every certificate was met, else 1."""
    stream = sys.stdout if stream is None else stream
    began = time.perf_counter()
    image, head = photograph.load_photograph(), load_mri()  # what is not installed shows before the work begins
    progress = Progress(_N_STAGES)
    try:
        # vectors are short here: threads of the BLAS would only wait for each other; the coders bring their own
        with single_threaded_blas():
            seen = photograph.denoise(image, progress), mri.recover(head, progress), planted.recover(progress)
            progress.begin("picture")
            picture(*seen, output)
    finally:
        progress.close()
    rows = [*seen[0].rows, seen[1].row, *seen[2].rows]
    stream.write(
        f"{table(rows)}\n\n{_NOTES}\n\nThe picture is in {output} ({time.perf_counter() - began:.1f} s in all).\n"
    )
    missed = [row for row in rows if not row.is_met]
    for row in missed:
        stream.write(f"Missed: {row.task}, {row.method}: {row.certificate} {row.value:.1e}, asked {row.bound:.1e}.\n")
    return 1 if missed else 0
