"""Orthogonal least squares of image patches, against SPAMS."""

from __future__ import annotations

from ..measure import compare
from . import Job
from ._ols import ols_contest

__all__ = ["JOB"]


def rows(setting):
    yield compare(ols_contest(setting, setting.size(20_000, 300), 256, 5, ask=1.5), setting, JOB.name)
    for n_atoms in setting.size((256, 512), (128,)):
        yield compare(ols_contest(setting, setting.size(20_000, 300), n_atoms, 6, ask=1.5), setting, JOB.name)


def first_call(setting):
    ours = ols_contest(setting, 2_000, 256, 5, ask=1.5).ours
    return lambda: ours(0)


JOB = Job("ols", rows, first_call)
