"""What every part of the tour reports, and how it times itself."""

from __future__ import annotations

import sys
import time
from statistics import median
from typing import NamedTuple

__all__ = ["Progress", "Row", "timed", "timed_twice"]


class Row(NamedTuple):
    """One line of the table; None where a column does not apply."""

    task: str
    method: str
    certificate: str  # what the certificate measures
    value: float  # recomputed from the answer
    bound: float  # what was asked for
    first: float  # seconds of the first call in this process, compilation or loading of kernels included
    later: float | None = None  # seconds of later calls
    before: float | None = None  # PSNR in decibels
    after: float | None = None
    support: str | None = None
    error: float | None = None

    @property
    def is_met(self) -> bool:
        """Whether the certificate meets its bound (one that is not a number does not)."""
        return self.value <= self.bound


class Progress:
    """What is going on, on one line of a terminal; silent where standard error is not one."""

    def __init__(self, n_stages, stream=None):
        self.stream = sys.stderr if stream is None else stream
        self.n_stages, self.stage, self.title = n_stages, 0, ""
        self.is_shown = self.stream.isatty()

    def begin(self, title):
        """Announce the next stage."""
        self.stage, self.title = self.stage + 1, title
        self._show(title)

    def advance(self, done, total):
        """Say how far the stage has come."""
        self._show(f"{self.title}: {done / total:4.0%}")

    def close(self):
        """Wipe the line."""
        self._write("\r\033[K")

    def _show(self, text):
        self._write(f"\r\033[K[{self.stage}/{self.n_stages}] {text} ")

    def _write(self, text):
        if self.is_shown:
            self.stream.write(text)
            self.stream.flush()


def timed(call):
    """The answer of a call, and its seconds."""
    began = time.perf_counter()
    answer = call()
    return answer, time.perf_counter() - began


def timed_twice(call, n_repeats=1):
    """The answer of a call, the seconds of the first one, and the median of `n_repeats` later ones."""
    answer, first = timed(call)
    return answer, first, median(timed(call)[1] for _ in range(n_repeats))
