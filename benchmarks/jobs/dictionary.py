"""Online dictionary learning: the time in which we reach the objective of a peer.

    minimise over atoms ||d_j|| <= 1   mean over signals x of   min_c 1/2 ||x - c D||^2 + ||c||_1

All start from the same atoms, others in each round. A peer runs for a given number of passes; we run for the fewest whole passes
that reach its objective in rounds set apart for choosing them. The objective of any dictionary is recomputed by coding
all signals to a relative duality gap of 1e-8. Rounds in which ours stays above the peer's do not count.
"""

from __future__ import annotations

import warnings

import numpy as np

from sparsecode.designs import DenseDesign
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.problem import Problem

from ..measure import NOTHING, Ask, Certificate, Contest, compare, progress
from . import Job
from ._patches import china_patches

__all__ = ["ALPHA", "JOB", "initial_atoms", "objective_of", "our_learner", "standard_patches"]

ALPHA = 1.0
TOL = 1e-6  # relative gap of the codes behind an objective
_BATCH = 512  # SPAMS's batch; the time to its objective is least about here
_CHOOSING = (1000, 1001, 1002)  # seeds of the rounds in which the number of passes is chosen
_BLOCK = 5_000


def standard_patches(n_patches):
    """Patches without their means, scaled to unit variance over all pixels."""
    patches = china_patches(n_patches)
    return patches / patches.std()


def initial_atoms(patches, n_atoms, seed):
    """Distinct random patches that are not flat, scaled to unit norm."""
    rng = np.random.default_rng(seed)
    norms = np.linalg.norm(patches, axis=1)
    chosen = rng.choice(np.flatnonzero(norms > 0.1), n_atoms, replace=False)
    return patches[chosen] / norms[chosen, None]


def objective_of(patches, threads):
    """``certify(atoms)``: the worst gap of the codes over these atoms, and the mean objective; none for atoms beyond the ball."""

    def certify(atoms):
        from sparsecode import SparseCoder

        atoms = np.ascontiguousarray(atoms, dtype=np.float64)
        if np.max(np.linalg.norm(atoms, axis=1)) > 1.0 + 1e-6:
            return Certificate(np.inf, np.inf)
        coder = SparseCoder(atoms, algorithm="lasso", alpha=ALPHA, gap_tol=1e-8, n_jobs=threads).fit(patches[:1])
        design, penalty = DenseDesign(np.ascontiguousarray(atoms.T)), L1(ALPHA / patches.shape[1])
        worst = total = 0.0
        for start in range(0, patches.shape[0], _BLOCK):
            block = patches[start : start + _BLOCK]
            made = relative_gap(Problem(design, block.T, Squared(), penalty), coder.transform(block).T)
            worst = max(worst, float(np.max(made.value)))
            total += float(np.sum(made.objective)) * patches.shape[1]
        return Certificate(worst, total / patches.shape[0])

    return certify


def our_learner(patches, n_atoms, passes, threads):
    """Ours with everything else at its default."""

    def run(seed):
        from sparsecode import DictionaryLearning

        learner = DictionaryLearning(
            n_atoms,
            alpha=ALPHA,
            max_iter=passes,
            tol=None,
            dict_init=initial_atoms(patches, n_atoms, seed),
            random_state=seed,
            n_jobs=threads,
        )
        return learner.fit(patches).components_

    return run


def _spams(patches, n_atoms, passes, threads):
    import spams

    signals = np.asfortranarray(patches.T)
    steps = max(1, passes * patches.shape[0] // _BATCH)

    def run(seed):
        start = np.asfortranarray(initial_atoms(patches, n_atoms, seed).T)
        found = spams.trainDL(
            signals, D=start, lambda1=ALPHA, mode=2, batchsize=_BATCH, iter=steps, numThreads=threads, verbose=False
        )
        return found.T

    return run


def _scikit_learn(patches, n_atoms, passes, _):
    """Its processes cost more than they bring on batches of this size, so threads are left to its BLAS."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    def run(seed):
        learner = MiniBatchDictionaryLearning(
            n_atoms,
            alpha=ALPHA,
            max_iter=passes,
            fit_algorithm="cd",
            tol=0.0,
            max_no_improvement=None,
            dict_init=initial_atoms(patches, n_atoms, seed),
            random_state=seed,
        )
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # its coder does not always converge
            return learner.fit(patches).components_

    return run


def _fewest_passes(patches, n_atoms, peer, certify, threads, most=30):
    """Whole passes of ours that reach the peer's objective in every round set apart for this."""
    goals = [certify(peer(seed)).objective for seed in _CHOOSING]
    for passes in range(1, most + 1):
        ours = our_learner(patches, n_atoms, passes, threads)
        if all(certify(ours(seed)).objective <= goal for seed, goal in zip(_CHOOSING, goals, strict=True)):
            return passes
    return most


def rows(setting):
    n_patches, n_atoms = setting.size((20_000, 128), (1_000, 70))
    patches = standard_patches(n_patches)
    certify = objective_of(patches, setting.threads)
    fewer = setting._replace(pairs=max(2, setting.pairs // 4))
    trials = (
        ("SPAMS", _spams, 5, Ask(2.0 if setting.threads == 1 else 1.0), setting),
        ("scikit-learn", _scikit_learn, 1, NOTHING, fewer),
    )
    for name, make, passes, ask, how in trials:
        peer = make(patches, n_atoms, passes, setting.threads)
        own = _fewest_passes(patches, n_atoms, peer, certify, setting.threads)
        progress(f"  {own} of our passes for {passes} of {name}")
        contest = Contest(
            problem=f"online dictionary, {n_patches:,} patches, {n_atoms} atoms: time to the objective of {name}",
            ours=our_learner(patches, n_atoms, own, setting.threads),
            peers={name: peer},
            certify=certify,
            tol=TOL,
            slack=0.0,
            ask=ask,
            certificate_name="gap of the codes",
        )
        row = compare(contest, how, JOB.name)
        row.note = f"{own} passes of ours for {passes} of {name}; worst objective {row.objective:.4f} against {row.peer_objective:.4f}"
        yield row


def first_call(setting):
    patches = standard_patches(2_000)
    ours = our_learner(patches, 128, 1, setting.threads)
    return lambda: ours(0)


JOB = Job("dictionary", rows, first_call)
