"""What an iteration of lp-norm maximisation costs, against the two matrix products that it cannot do without.

As in the job "iteration", the solver stops in its own callback, where the bare products run as often as it has iterated: the
product of the signals with the filters, and that of its adjoint with the signals, both into arrays that stand ready. Powers, the
singular value decomposition, the objective and the certificate are part of ours.
"""

from __future__ import annotations

import numpy as np

from ..measure import Ask, row_of_ratios
from . import Job
from .iteration import Alternate

__all__ = ["JOB", "planted_signals"]

RATE = 0.1


def planted_signals(n_features, n_signals, rate=RATE, noise=0.0, seed=0):
    """Bernoulli-Gaussian codes over an orthogonal dictionary (which comes second), with white noise."""
    rng = np.random.default_rng(seed)
    atoms = np.linalg.qr(rng.standard_normal((n_features, n_features)))[0]
    codes = rng.standard_normal((n_signals, n_features)) * (rng.random((n_signals, n_features)) < rate)
    X = codes @ atoms
    return (X + noise * rng.standard_normal(X.shape) if noise else X), atoms


def rows(setting):
    from sparsecode.solvers.dictionary import lp_dictionary

    n_features, n_signals = setting.size((100, 40_000), (20, 2_000))
    X, truth = planted_signals(n_features, n_signals)
    filters, gradient = truth.T.copy(), np.empty((n_features, n_features))
    products = np.empty((n_signals, n_features))

    def bare():
        np.matmul(X, filters, out=products)
        np.matmul(products.T, X, out=gradient)

    bare()
    for p in (3, 4, 5):
        watch = Alternate(bare, setting.pairs)
        for seed in range(setting.pairs):
            lp_dictionary(
                X,
                p,
                orthogonal=True,
                random_state=seed,
                max_iter=500,
                tol=0.0,
                callback=lambda at, watch=watch: watch(at) or at.iteration >= 499,
                n_jobs=setting.threads,
            )
            watch._resumed = None
            if len(watch.ours) >= watch.wanted:
                break
        row = row_of_ratios(
            watch.ours,
            watch.theirs,
            job=JOB.name,
            problem=f"lp dictionary, p={p}, one iteration, {n_signals:,} signals of {n_features}",
            peer="two gemm",
            ask=Ask(1.3, at_least=False),
            cost=True,
        )
        row.threads, row.certificate, row.certificate_name = setting.threads, watch.certificate, "where it was stopped"
        yield row


JOB = Job("complete-dictionary", rows)
