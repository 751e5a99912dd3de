"""Convolutional sparse coding in time against locally greedy coordinate descent whose loop is Python's.

    minimise over z   1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1

One peer is the published algorithm with its inner loop in Python and every step in NumPy, with segments, precomputed correlations
of the atoms, and updates within an atom's length; the other, where it is installed, is alphacsc's own. The tolerance of each on moves
is the largest power of ten at which the duality gap of the signals tried meets the contest's.

Moreau, Oudre and Vayatis, "DICOD: distributed convolutional coordinate descent for convolutional sparse coding", 2018
(arXiv 1705.10087).
"""

from __future__ import annotations

from importlib.util import find_spec

import numpy as np

from sparsecode.designs import ConvolutionDesign
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers.certificates import relative_gap
from sparsecode.solvers.problem import Problem

from ..measure import Ask, Certificate, Contest, compare, progress
from . import Job

__all__ = ["JOB", "greedy_in_numpy", "planted_signals"]

SHARE = 0.1  # of the strength at which all codes are zero
TOL = 1e-4  # relative duality gap


def planted_signals(n_signals, length, n_atoms=5, atom_length=64, rate=7e-3, noise=0.1, seed=0):
    """Atoms of norm one under a window, and signals in which each occurs at random places, with noise."""
    rng = np.random.default_rng(seed)
    atoms = np.hanning(atom_length) * rng.standard_normal((n_atoms, atom_length))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    shape = n_signals, n_atoms, length - atom_length + 1
    codes = np.where(rng.random(shape) < rate, rng.standard_normal(shape), 0.0)
    signals = noise * rng.standard_normal((n_signals, length)) / np.sqrt(atom_length)
    for signal, code in zip(signals, codes, strict=True):
        signal += sum(np.convolve(z, atom) for z, atom in zip(code, atoms, strict=True))
    return atoms, signals


def greedy_in_numpy(atoms, signal, alpha, tol):
    """Codes (n_atoms, places) of one signal, when no coefficient would move by more than `tol`."""
    n_atoms, length = atoms.shape
    n_places = signal.size - length + 1
    cross = np.array([[np.correlate(one, other, "full") for other in atoms] for one in atoms])
    sq_norms = np.sum(atoms**2, axis=1, keepdims=True)
    codes = np.zeros((n_atoms, n_places))
    left = np.array([np.correlate(signal, atom, "valid") for atom in atoms])
    moves = np.sign(left) * np.maximum(np.abs(left) - alpha, 0.0) / sq_norms
    n_segments = max(n_places // (2 * length), 1)
    ends = np.linspace(0, n_places, n_segments + 1).astype(int)
    active, segment = np.ones(n_segments, dtype=bool), 0
    while active.any():
        if active[segment]:
            first, last = ends[segment], ends[segment + 1]
            inside = np.abs(moves[:, first:last])
            atom, place = np.unravel_index(inside.argmax(), inside.shape)
            place += first
            move = moves[atom, place]
            if abs(move) <= tol:
                active[segment] = False
            else:
                low, high = max(0, place - length + 1), min(n_places, place + length)
                own = left[atom, place]
                left[:, low:high] -= move * cross[atom, :, low - place + length - 1 : high - place + length - 1]
                left[atom, place] = own
                codes[atom, place] += move
                window = left[:, low:high]
                best = np.sign(window) * np.maximum(np.abs(window) - alpha, 0.0) / sq_norms
                moves[:, low:high] = best - codes[:, low:high]
                active |= (ends[1:] > low) & (ends[:-1] < high)
        segment = (segment + 1) % n_segments
    return codes


def _gaps(atoms, signals, alpha):
    """``certify(codes)``: the worst gap of a signal, and the sum of the objectives."""
    design = ConvolutionDesign(atoms, signals.shape[1])
    penalty = L1(alpha / signals.shape[1])

    def certify(codes):
        made = [
            relative_gap(Problem(design, y, Squared(), penalty), z.ravel())
            for y, z in zip(signals, codes, strict=False)
        ]
        worst = max(float(part.value) for part in made)
        return Certificate(worst, sum(float(part.objective) for part in made) * signals.shape[1])

    return certify


def _alphacsc(atoms, signals, alpha, tol):
    """Codes by the package's locally greedy descent, one signal after the other in this process."""
    from alphacsc.update_z_multi import update_z_multi

    limits = {"tol": tol, "max_iter": 1e7}
    return update_z_multi(signals[:, None], atoms[:, None], alpha, solver="lgcd", solver_kwargs=limits, positive=False)[
        0
    ]


def _in_numpy(atoms, signals, alpha, tol):
    return np.array([greedy_in_numpy(atoms, y, alpha, tol) for y in signals])


def _peer(encode, atoms, signals, alpha, certify):
    """A peer at the largest tolerance on moves that meets the gap, chosen on a few of the signals."""
    for exponent in range(1, 9):
        tol = 10.0**-exponent
        if certify(encode(atoms, signals[:5], alpha, tol)).value <= 0.5 * TOL:
            progress(f"  moves of at most {tol:g} for {encode.__name__.strip('_')}")
            break
    return lambda _: encode(atoms, signals, alpha, tol)


def rows(setting):
    from sparsecode.solvers.convolutional import convolutional_lasso

    n_signals, length = setting.size((100, 10_000), (3, 1_000))
    atoms, signals = planted_signals(n_signals, length)
    largest = max(np.abs(np.correlate(y, atom, "valid")).max() for y in signals for atom in atoms)
    alpha, threads = SHARE * largest, setting.threads
    certify = _gaps(atoms, signals, alpha)

    def ours(_):
        return convolutional_lasso(atoms, signals, alpha, relative=False, tol=TOL, n_jobs=threads).coef

    peers = {"locally greedy descent in NumPy": _peer(_in_numpy, atoms, signals, alpha, certify)}
    if find_spec("alphacsc") is not None:
        peers["alphacsc"] = _peer(_alphacsc, atoms, signals, alpha, certify)
    contest = Contest(
        problem=f"convolutional codes, {n_signals} signals of {length:,}, 5 atoms of 64",
        ours=ours,
        peers=peers,
        certify=certify,
        tol=TOL,
        slack=TOL,
        ask=Ask(10.0),
        n_items=n_signals,
        certificate_name="relative duality gap",
        note="the peers run on one thread; their loops are Python's",
    )
    yield compare(contest, setting._replace(pairs=max(2, setting.pairs // 4)), JOB.name)


def first_call(setting):
    from sparsecode.solvers.convolutional import convolutional_lasso

    atoms, signals = planted_signals(1, 1_000)
    return lambda: convolutional_lasso(atoms, signals, SHARE)


JOB = Job("convolutional", rows, first_call)
