"""K-SVD on the classic planted problem: atoms recovered, and the time of 30 iterations.

    20 features, 50 atoms, 1500 signals of 3 atoms each, noise at 20 dB; 30 iterations from random signals; an atom counts as
    recovered at an absolute cosine of 0.99 with one of its own

The peer is what the package `ksvd` does: scikit-learn's OMP on the Gram matrix, then the approximate update of one atom after
another in NumPy. The package itself runs too where it is installed; its update leaves out the signals with negative codes.
"""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec

import numpy as np

from ..measure import NOTHING, Ask, Certificate, Contest, Row, compare
from . import Job

__all__ = ["JOB", "recovered", "textbook_ksvd"]

SHAPE = {"n_samples": 1500, "n_features": 20, "n_components": 50, "n_nonzero": 3, "snr_db": 20}
N_ITER = 30
METHODS = ("ksvd", "aksvd", "mod")


@cache
def problem_of(seed):
    """Signals, true atoms and the first atoms of one of the problems."""
    from sparsecode.datasets import make_dictionary_problem

    problem = make_dictionary_problem(**SHAPE, random_state=seed)
    chosen = np.random.default_rng(seed).choice(SHAPE["n_samples"], SHAPE["n_components"], replace=False)
    start = problem.data[chosen]
    return problem.data, problem.dictionary, start / np.linalg.norm(start, axis=1, keepdims=True)


def textbook_ksvd(signals, start, n_iter=N_ITER):
    """Approximate K-SVD with scikit-learn's OMP and NumPy, a loop over atoms."""
    from sklearn.linear_model import orthogonal_mp_gram

    atoms = start.copy()
    for _ in range(n_iter):
        codes = orthogonal_mp_gram(atoms @ atoms.T, atoms @ signals.T, n_nonzero_coefs=SHAPE["n_nonzero"]).T
        for j in range(atoms.shape[0]):
            users = np.flatnonzero(codes[:, j])
            if users.size == 0:
                continue
            atoms[j] = 0.0
            code = codes[users, j]
            errors = signals[users] - codes[users] @ atoms
            atom = errors.T @ code
            atoms[j] = atom / np.linalg.norm(atom)
            codes[users, j] = errors @ atoms[j]
    return atoms


def _package(signals, seed):
    from ksvd import ApproximateKSVD

    np.random.seed(seed)  # noqa: NPY002  its start is drawn from the global generator
    learner = ApproximateKSVD(SHAPE["n_components"], max_iter=N_ITER, transform_n_nonzero_coefs=SHAPE["n_nonzero"])
    return learner.fit(signals).components_


def ours(signals, start, method, threads):
    """The atoms after the same number of passes."""
    from sparsecode import DictionaryLearning

    learner = DictionaryLearning(
        SHAPE["n_components"],
        method=method,
        coder="omp",
        n_nonzero_coefs=SHAPE["n_nonzero"],
        max_iter=N_ITER,
        tol=None,
        dict_init=start,
        n_jobs=threads,
    )
    return learner.fit(signals).components_


def recovered(solve, n_seeds):
    """Mean share of atoms recovered over the problems; ``solve(signals, start, seed)``."""
    from sparsecode.metrics import dictionary_recovery

    shares = []
    for seed in range(n_seeds):
        signals, truth, start = problem_of(seed)
        shares.append(dictionary_recovery(truth, solve(signals, start, seed)))
    return float(np.mean(shares))


def rows(setting):
    n_seeds = setting.size(10, 1)
    for method in METHODS:
        share = recovered(lambda X, start, seed, method=method: ours(X, start, method, setting.threads), n_seeds)
        ask = Ask(0.88, unit="") if method == "ksvd" else NOTHING
        yield Row(
            job=JOB.name,
            problem=f"{method}, 20 x 50, 1500 signals of 3 atoms at 20 dB, {N_ITER} passes: atoms recovered",
            peer="the planted atoms",
            value=share,
            unit="",
            ask=str(ask),
            met=ask.met(share),
            threads=setting.threads,
            pairs=n_seeds,
        )
    peers = {"scikit-learn and NumPy": lambda seed: textbook_ksvd(*problem_of(seed)[::2])}
    if find_spec("ksvd") is not None:
        peers = {"ksvd": lambda seed: _package(problem_of(seed)[0], seed)}
    ((name, peer),) = peers.items()
    share = recovered(lambda X, start, seed: peer(seed), n_seeds)
    for method in METHODS[:2]:
        contest = Contest(
            problem=f"{method}, 20 x 50, 1500 signals: {N_ITER} passes",
            ours=lambda seed, method=method: ours(*problem_of(seed)[::2], method, setting.threads),
            peers={name: peer},
            certify=lambda atoms: Certificate(0.0, 0.0),
            tol=0.0,
            ask=Ask(20.0),
            certificate_name="none: the rows above say how good the atoms are",
            note=f"{share:.3f} of the atoms recovered by {name}",
        )
        yield compare(contest, setting._replace(pairs=max(2, setting.pairs // 4)), JOB.name)


def first_call(setting):
    signals, _, start = problem_of(0)
    return lambda: ours(signals, start, "ksvd", setting.threads)


JOB = Job("ksvd", rows, first_call)
