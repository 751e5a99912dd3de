"""The data of sparse Bayesian learning as its methods want them: in double precision, and of a size that they know.

The target is divided by its root mean square, so that noise variances are shares of the mean square of the data; a weighted sample
counts as often as its weight says.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from ..._array import array_namespace, as_double, is_complex, sq_norm, to_numpy

__all__ = ["Setting", "pose"]

_LEAST = 1e-13  # of the mean square of the target: noise below it cannot be told from rounding
_MOST = 1e30  # and beside noise above it the target is nothing


class Setting(NamedTuple):
    """A design and a target of mean square one, with what every method asks of them."""

    design: Any  # answers in double precision, with exact norms
    target: Any  # (n_samples, n_targets)
    size: float  # root mean square of the target as it was
    counted: float  # samples that the likelihood counts
    total: float  # sum of the weights of the samples
    charge: float  # what a coefficient must bring, in nats
    sq_norms: np.ndarray  # of the columns, (n_features,)
    correlation: np.ndarray  # A^H y, (n_features, n_targets)
    row_weight: Any = (
        None  # (n_samples,), of mean one, where rows come multiplied by its root and the design does not say so
    )

    @property
    def n_samples(self):
        """Rows of the design."""
        return self.design.shape[0]

    @property
    def unit(self):
        """A noise variance of the mean square of the target: more than one weight a row makes the noise of a row smaller."""
        return self.n_samples / self.total

    @property
    def n_targets(self):
        """Columns of the target."""
        return int(self.target.shape[1])

    @property
    def complex_data(self):
        """Whether densities have no halves."""
        return is_complex(self.target) or "complex" in str(self.design.dtype)

    @property
    def half(self):
        """Nats a target of each unit of a log determinant."""
        return 1.0 if self.complex_data else 0.5

    def columns(self, indices):
        """Columns of the design, in the dtype of the target (a namespace need not multiply real by complex matrices)."""
        picked = self.design.columns(indices)
        return (
            picked if picked.dtype == self.target.dtype else array_namespace(picked).astype(picked, self.target.dtype)
        )

    def given_noise(self, noise_variance):
        """A noise variance in the units of the weighted target of mean square one, within what double precision can tell."""
        return min(max(noise_variance / self.size**2, _LEAST), _MOST) * self.unit

    def reported_noise(self, noise_variance):
        """The way back."""
        return noise_variance / self.unit * self.size**2

    def reported_evidence(self, log_evidence, noise_variance):
        """The log density of the data as they were given, from that of the weighted target of mean square one."""
        constant = math.log(math.pi if self.complex_data else 2.0 * math.pi)
        change = (self.counted - self.n_samples) * constant - self.n_samples * math.log(noise_variance)
        change += self.counted * math.log(self.reported_noise(noise_variance))
        return log_evidence - self.half * self.n_targets * change


def pose(design, target, *, charge, counted=None, total=None, row_weight=None) -> Setting:
    """The setting of targets (n_samples, n_targets) that are not all zero."""
    design = design.in_double().with_exact_norms()
    target = as_double(target)
    xp = array_namespace(target)
    largest = float(xp.max(xp.abs(target)))
    target = target / largest
    share = math.sqrt(float(xp.sum(sq_norm(target))) / math.prod(target.shape))
    target = target / share
    total = float(design.shape[0]) if total is None else float(total)
    return Setting(
        design=design,
        target=target,
        size=largest * share,
        counted=total if counted is None else float(counted),
        total=total,
        charge=charge,
        sq_norms=np.asarray(design.column_sq_norms(), dtype=np.float64),
        correlation=to_numpy(design.rmatvec(target)),
        row_weight=row_weight,
    )
