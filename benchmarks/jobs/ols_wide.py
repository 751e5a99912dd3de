"""Orthogonal least squares with a dictionary sixteen times overcomplete, against SPAMS."""

from __future__ import annotations

from ..measure import compare
from . import Job
from ._ols import ols_contest

__all__ = ["JOB"]


def rows(setting):
    yield compare(
        ols_contest(setting, setting.size(20_000, 200), setting.size(1024, 256), 6, ask=1.5), setting, JOB.name
    )


JOB = Job("ols-wide", rows)
