"""Convolutional dictionary learning: code all signals, improve the atoms from the statistics of the codes, and again.

    minimise over atoms ||d_k|| <= 1 and codes z
        sum over signals y of   1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1

Codes start where they ended, and atoms improve from statistics that are exact for these codes, so the objective never rises, except
where an atom of no use is replaced.

Grosse, Raina, Kwong and Ng, "Shift-invariance sparse coding for audio classification", 2007 (arXiv 1206.5241).
"""

from __future__ import annotations

import time
from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks
from ...result import Status
from .atoms import ConvolutionalStatistics, add_statistics, include, stationarity, update_atoms
from .coding import make_coder

__all__ = ["ConvolutionalProgress", "LearnedAtoms", "centred_windows", "learn_atoms"]

_SAME = 0.99  # cosine, at the best shift, from which two atoms are one
_BLOCKS = 16  # of signals, each with statistics of its own
_DRAWN = 32  # windows looked at for each atom that starts


class ConvolutionalProgress(NamedTuple):
    """What the callback of `ConvolutionalDictionaryLearning` is given after each iteration: it may return True to stop.

    Attributes
    ----------
    iteration : int
        Iterations done.
    components : ndarray of shape ``(n_components, *atom_shape)``
        The atoms over which the signals were coded.
    objective : float
        Mean objective of a signal.
    certificate : float
        How far projected gradient steps would move the atoms.
    seconds : float
        Since the fit began.
    """

    iteration: int
    components: Any
    objective: float
    certificate: float
    seconds: float


class LearnedAtoms(NamedTuple):
    """How learning ended."""

    atoms: Any
    status: Status
    n_iter: int
    statistics: ConvolutionalStatistics
    certificate: float
    history: dict


def learn_atoms(
    signals, atoms, alpha, layout, *, solver, coding, max_iter, tol, n_sweeps, replace_dead, n_jobs, callback, task
) -> LearnedAtoms:
    """Alternate until a projected gradient step moves the atoms by at most `tol`.

    Parameters
    ----------
    signals : array of shape (n_signals, n_channels, height, width)
        The signals, as `layout` arranges them.
    atoms : float64 array of shape ``(n_atoms, *atom_shape)``
        Where to start; norms at most one.
    alpha : float
        Strength of the penalty.
    layout : Layout
        How signals and atoms are arranged.
    solver, coding : str, dict
        Which coder, and its options.
    max_iter, tol, n_sweeps, replace_dead, n_jobs, callback, task
        As in `ConvolutionalDictionaryLearning`; `task` tells scikit-learn's callbacks.
    """
    began = time.perf_counter()
    history: dict[str, list] = {
        name: [] for name in ("iteration", "objective", "certificate", "seconds", "replaced", "code_certificate")
    }
    codes: list = [None] * len(signals)
    n_replaced, status, iteration = 0, Status.MAX_ITER, 0
    while status is Status.MAX_ITER and iteration < max_iter:
        iteration += 1
        part = task.part(f"iteration {iteration}")
        coder = make_coder(solver, atoms, layout, alpha, **coding)
        codes, statistics = _coded(coder, signals, codes, n_jobs)
        certificate = stationarity(coder.atoms, statistics)
        objective, seconds = statistics.objective / statistics.n_signals, time.perf_counter() - began
        progress = ConvolutionalProgress(iteration, atoms, objective, certificate, seconds)
        row = (iteration, objective, certificate, seconds, n_replaced, statistics.certificate)
        for name, value in zip(history, row, strict=True):
            history[name].append(value)
        watched = replace_dead and iteration <= max_iter // 2  # what nothing uses by then is left in peace
        useless = _useless(coder, statistics) if watched else np.empty(0, dtype=np.int64)
        told = atoms.astype(signals.dtype)
        stopped = part.end(lambda told=told: {"components_": told})
        if tol is not None and certificate <= tol and useless.size == 0:
            status = Status.CONVERGED
        elif stopped or (callback is not None and callback(progress._replace(components=atoms.copy()))):
            status = Status.INTERRUPTED
        elif iteration < max_iter:
            planes = update_atoms(coder.atoms, statistics, n_sweeps=n_sweeps)
            if useless.size:
                fresh = _worst_windows(coder, signals, codes, useless.size)
                useless = useless[: len(fresh)]
                planes[useless] = fresh
                codes = [_without(code, useless, coder.code_shape) for code in codes]
                n_replaced += useless.size
            atoms = layout.back(planes, layout.atom_shape)
    return LearnedAtoms(atoms, status, iteration, statistics, certificate, history)


def _coded(coder, signals, starts, n_jobs):
    """Codes of all signals, and the sum of their statistics in the order of the signals."""

    def block(start, stop):
        codes, total = [], ConvolutionalStatistics.empty(coder.atoms.shape)
        for i in range(start, stop):
            coded = coder.code(signals[i], starts[i])
            codes.append((coded.indices, coded.values))
            grid = _grid(codes[-1], coder.code_shape)
            signal = signals[i].astype(np.float64, copy=False)
            total = include(total, signal, grid, coded.objective, coded.gap)
        return codes, total

    done = map_blocks(block, len(signals), -(-len(signals) // _BLOCKS), n_jobs)
    total = ConvolutionalStatistics.empty(coder.atoms.shape)
    for _, part in done:
        total = add_statistics(total, part)
    return [code for codes, _ in done for code in codes], total


def _grid(code, shape):
    """Codes (n_atoms, height, width) from their places and values."""
    grid = np.zeros((shape[0], int(np.prod(shape[1:]))))
    grid.reshape(-1)[code[0]] = code[1]
    return grid.reshape(shape[0], *shape[-2:])


def _without(code, atoms, shape):
    """Codes without those of some atoms."""
    indices, values = code
    kept = ~np.isin(indices // int(np.prod(shape[1:])), atoms)
    return indices[kept], values[kept]


def _useless(coder, statistics):
    """Atoms that nothing uses, or that equal another at some shift."""
    sizes = np.sqrt(np.sum(coder.atoms**2, axis=(1, 2, 3)))
    dead = (statistics.usage == 0) | (sizes == 0)
    spectrum_shape = [2 * length - 1 for length in coder.atoms.shape[2:]]
    spectrum = np.fft.rfftn(coder.atoms, s=spectrum_shape, axes=(2, 3))
    for k in range(len(sizes)):
        like = np.fft.irfftn(np.sum(spectrum[k].conj() * spectrum[:k], axis=1), s=spectrum_shape, axes=(1, 2))
        largest = np.max(np.abs(like), axis=(1, 2), initial=0.0)
        for j in np.flatnonzero(largest > _SAME * sizes[k] * sizes[:k]):
            if not dead[j] and not dead[k]:
                dead[j if statistics.usage[j] < statistics.usage[k] else k] = True
    return np.flatnonzero(dead)


def _worst_windows(coder, signals, codes, count):
    """The windows of greatest energy that the codes leave over, one a signal, scaled to norm one."""
    from ...kernels.convolutional import reconstruct

    found = []
    for signal, code in zip(signals, codes, strict=True):
        residual = np.array(signal, dtype=np.float64)
        reconstruct(-coder.atoms, _grid(code, coder.code_shape), residual)
        energy = _window_energies(residual, coder.atoms.shape[2:])
        corner = np.unravel_index(int(np.argmax(energy)), energy.shape)
        found.append((float(energy[corner]), _window(residual, corner, coder.atoms.shape[2:])))
    chosen: list = []
    for energy, window in sorted(found, key=lambda pair: -pair[0]):
        if len(chosen) == count or not energy > 0:
            break
        unit = window / np.linalg.norm(window)
        if all(abs(float(np.vdot(unit, other))) <= _SAME for other in chosen):
            chosen.append(unit)
    return np.array(chosen).reshape(len(chosen), *coder.atoms.shape[1:])


def _window_energies(signal, lengths):
    """Energy of every window (height', width') of a signal (n_channels, height, width)."""
    energy = np.sum(signal**2, axis=0)
    for axis, length in enumerate(lengths):
        windows = np.lib.stride_tricks.sliding_window_view(energy, length, axis=axis)
        energy = np.sum(windows, axis=-1)
    return energy


def _window(signal, corner, lengths):
    rows, columns = (slice(c, c + length) for c, length in zip(corner, lengths, strict=True))
    return signal[:, rows, columns]


def centred_windows(signals, n_atoms, lengths, random):
    """Random windows of norm one, the likelier the more energy they hold, each moved so that its energy lies around its middle.

    Directions at random take the place of those that the signals lack.
    """
    drawn = []
    for _ in range(_DRAWN * n_atoms):
        signal = np.asarray(signals[random.randint(len(signals))], dtype=np.float64)
        room = [1 + s - length for s, length in zip(signal.shape[1:], lengths, strict=True)]
        corner = [random.randint(places) for places in room]
        window = _window(signal, corner, lengths)
        for axis, places in enumerate(room):
            profile = np.sum(window**2, axis=tuple(i for i in range(3) if i != axis + 1))
            if np.sum(profile) > 0:
                off = float(np.sum(profile * np.arange(profile.size)) / np.sum(profile)) - (profile.size - 1) / 2
                corner[axis] = int(np.clip(corner[axis] + round(off), 0, places - 1))
        drawn.append(_window(signal, corner, lengths))
    energy = np.array([np.sum(window**2) for window in drawn])
    order = np.argsort(-energy * random.random_sample(energy.size), kind="stable")
    chosen: list = []
    for i in order:
        if len(chosen) == n_atoms or not energy[i] > 0:
            break
        unit = drawn[i] / np.sqrt(energy[i])
        if all(abs(float(np.vdot(unit, other))) <= _SAME for other in chosen):
            chosen.append(unit)
    while len(chosen) < n_atoms:
        noise = random.standard_normal((signals.shape[1], *lengths))
        chosen.append(noise / np.linalg.norm(noise))
    return np.array(chosen)
