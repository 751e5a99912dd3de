"""What an iteration of FISTA and of IHT costs on a large dense design, against the two products that it cannot do without.

The solver is stopped in its own callback, every time it makes a certificate; there the bare products run as often as the
solver has iterated since. So the two alternate within one solve, and the time of the certificate is part of ours.
"""

from __future__ import annotations

import time

import numpy as np

from ..measure import Ask, row_of_ratios
from . import Job

__all__ = ["JOB"]

_WARM_UP = 10  # iterations in which the step length is still found


class Alternate:
    """A solver's callback that times the iterations since its last call, then as many times the bare products."""

    def __init__(self, products, wanted):
        self.products, self.wanted = products, wanted
        self.ours, self.theirs = [], []
        self.certificate = np.inf
        self._resumed = self._iteration = None

    def __call__(self, progress):
        now = time.perf_counter()
        if self._resumed is not None and progress.iteration > _WARM_UP:
            done = progress.iteration - self._iteration
            self.ours.append((now - self._resumed) / done)
            began = time.perf_counter()
            for _ in range(done):
                self.products()
            self.theirs.append((time.perf_counter() - began) / done)
        self.certificate = float(np.max(progress.certificate))
        self._iteration = progress.iteration
        self._resumed = time.perf_counter()
        return len(self.ours) >= self.wanted

    def rest(self):
        """Between two solves nothing is timed."""
        self._resumed = None


def _problem(setting, seed=0):
    n_samples, n_features = setting.size((4000, 8000), (200, 400))
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((n_samples, n_features))
    coef = np.zeros(n_features)
    n_nonzero = n_samples // 4
    coef[rng.choice(n_features, n_nonzero, replace=False)] = rng.choice([-1.0, 1.0], n_nonzero)
    y = A @ coef
    return A, y + 0.1 * np.linalg.norm(y) / np.sqrt(n_samples) * rng.standard_normal(n_samples), n_nonzero


def rows(setting):
    from sparsecode import L1, fista, iht

    A, y, n_nonzero = _problem(setting)
    alpha = float(np.max(np.abs(A.T @ y))) / A.shape[0] / 100
    coef = np.ones(A.shape[1])

    def products():
        A.T @ (A @ coef)

    products()
    solves = {
        "FISTA": lambda watch: fista(A, y, penalty=L1(alpha), tol=0.0, callback=watch),
        "IHT": lambda watch: iht(A, y, n_nonzero, tol=0.0, callback=watch),
    }
    for name, solve in solves.items():
        watch = Alternate(products, setting.pairs)
        for _ in range(setting.pairs):
            solve(watch)
            watch.rest()
            if len(watch.ours) >= watch.wanted:
                break
        row = row_of_ratios(
            watch.ours,
            watch.theirs,
            job=JOB.name,
            problem=f"{name}, one iteration, dense {A.shape[0]}×{A.shape[1]}",
            peer="two gemv",
            ask=Ask(1.2, at_least=False),
            cost=True,
        )
        row.threads, row.certificate, row.certificate_name = setting.threads, watch.certificate, "where it was stopped"
        row.note = "the certificate of every tenth iteration is part of ours"
        yield row


JOB = Job("iteration", rows)
