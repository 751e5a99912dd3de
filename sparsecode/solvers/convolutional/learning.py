"""Convolutional dictionary learning: code all signals, improve the atoms from the statistics of the codes, and again.

    minimise over atoms ||d_k|| <= 1 and codes z
        sum over signals y of   1/2 ||y - sum_k d_k * z_k||^2 + alpha sum_k ||z_k||_1

Codes start where they ended, and atoms improve from statistics that are exact for these codes, so the objective never rises, except
where an atom of no use is replaced.

Grosse, Raina, Kwong and Ng, "Shift-invariance sparse coding for audio classification", 2007 (arXiv 1206.5241).
"""

import time
from typing import Any, NamedTuple

import numpy as np

from ..._parallel import map_blocks
from ...result import Status
from .atoms import ConvolutionalStatistics, add_statistics, include, stationarity, update_atoms
from .coding import make_coder

__all__ = [
    "WATCHED",
    "ConvolutionalProgress",
    "LearnedAtoms",
    "Stream",
    "centred_windows",
    "learn_atoms",
    "learn_batch",
]

_SAME = 0.99  # cosine, at the best shift, from which two atoms are one
WATCHED = 25  # iterations; atoms that are of no use by then are left in peace
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


class Stream(NamedTuple):
    """What learning from batches goes on from: atoms in double precision, sums over all batches so far, and how many signals there were."""

    atoms: Any
    statistics: ConvolutionalStatistics
    n_signals: int


_HISTORY = ("iteration", "objective", "certificate", "seconds", "replaced", "code_certificate")


def learn_atoms(
    signals,
    atoms,
    alpha,
    layout,
    *,
    solver,
    coding,
    max_iter,
    tol,
    n_sweeps,
    replace_dead,
    n_jobs,
    callback,
    task,
    checkpoint=None,
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
    max_iter, tol, n_sweeps, replace_dead, n_jobs, callback, task, checkpoint
        As in `ConvolutionalDictionaryLearning`; `task` tells scikit-learn's callbacks, `checkpoint` holds what `saved` and `save` say.
    """
    run = _Run(signals, atoms, layout, lambda atoms: make_coder(solver, atoms, layout, alpha, **coding))
    if checkpoint is not None and checkpoint.saved is not None:
        run.restore(*checkpoint.saved)
        checkpoint.within(run.iteration, max_iter, "iterations")
    began = time.perf_counter() - (run.history["seconds"][-1] if run.iteration else 0.0)
    stopped = False
    while True:
        if run.iteration:
            watched = replace_dead and run.iteration <= WATCHED
            useless = _useless(run.coder, run.statistics) if watched else np.empty(0, dtype=np.int64)
            status = Status.INTERRUPTED if stopped else Status.MAX_ITER
            if tol is not None and run.certificate <= tol and useless.size == 0:
                status = Status.CONVERGED
            if stopped or status is Status.CONVERGED or run.iteration >= max_iter:
                return LearnedAtoms(run.atoms, status, run.iteration, run.statistics, run.certificate, run.history)
            run.improve(useless, n_sweeps)
        part = task.part(f"iteration {run.iteration + 1}")
        run.code(began, n_jobs)
        if checkpoint is not None:
            numbers, arrays = run.state()
            checkpoint.save({**numbers, "alpha": alpha}, arrays)
        told = run.atoms.astype(signals.dtype)
        stopped = part.end(lambda told=told: {"components_": told})
        stopped = (callback is not None and bool(callback(run.progress()))) or stopped


def learn_batch(signals, stream, coder, layout, *, forgetting, n_sweeps, replace_dead, n_jobs):
    """One more batch: its codes over the atoms as they are, the sums of all batches, better atoms for these.

    Parameters
    ----------
    signals : array of shape (n_signals, n_channels, height, width)
        The batch, as `layout` arranges it.
    stream : Stream
        Where to go on from.
    coder : coder
        Over the atoms of `stream`.
    layout : Layout
        How signals and atoms are arranged.
    forgetting, n_sweeps, replace_dead, n_jobs
        As in `ConvolutionalDictionaryLearning`.

    Returns
    -------
    Stream, ConvolutionalStatistics, float
        Where to go on from next; the statistics of this batch alone, and how far projected gradient steps on the sums would have moved the
        atoms that it was coded over.
    """
    codes, batch = _coded(coder, signals, [None] * len(signals), n_jobs)
    n_signals = stream.n_signals + len(signals)
    total = add_statistics(stream.statistics, batch, (1.0 - len(signals) / n_signals) ** forgetting)
    planes = update_atoms(coder.atoms, total, n_sweeps=n_sweeps)
    useless = _useless(coder, total) if replace_dead else np.empty(0, dtype=np.int64)
    if useless.size:
        fresh = _worst_windows(coder, signals, codes, useless.size)
        useless = useless[: len(fresh)]
        planes[useless] = fresh
        for sums in (total.code_corr, np.swapaxes(total.code_corr, 0, 1), total.code_signal, total.usage):
            sums[useless] = 0.0  # they spoke of the atoms that were there
    move = stationarity(coder.atoms, total)
    return Stream(layout.back(planes, layout.atom_shape), total, n_signals), batch, move


class _Run:
    """Atoms, the codes of all signals over them, and what these say: all that the next iteration needs."""

    def __init__(self, signals, atoms, layout, coder_for):
        self.signals, self.atoms, self._layout, self._coder_for = signals, atoms, layout, coder_for
        self.codes: list = [None] * len(signals)
        self.statistics: Any = None
        self.coder: Any = None
        self.certificate = np.inf
        self.iteration = self.n_replaced = 0
        self.history: dict[str, list] = {name: [] for name in _HISTORY}

    def code(self, began, n_jobs):
        """Code all signals over the atoms, from the codes they had."""
        self.coder = self._coder_for(self.atoms)
        self.codes, self.statistics = _coded(self.coder, self.signals, self.codes, n_jobs)
        self.certificate = stationarity(self.coder.atoms, self.statistics)
        self.iteration += 1
        objective, seconds = self.statistics.objective / self.statistics.n_signals, time.perf_counter() - began
        row = (self.iteration, objective, self.certificate, seconds, self.n_replaced, self.statistics.certificate)
        for name, value in zip(_HISTORY, row, strict=True):
            self.history[name].append(value)

    def improve(self, useless, n_sweeps):
        """Better atoms for these codes, and new ones in place of those that are of no use."""
        planes = update_atoms(self.coder.atoms, self.statistics, n_sweeps=n_sweeps)
        if useless.size:
            fresh = _worst_windows(self.coder, self.signals, self.codes, useless.size)
            useless = useless[: len(fresh)]
            planes[useless] = fresh
            self.codes = [_without(code, useless, self.coder.code_shape) for code in self.codes]
            self.n_replaced += useless.size
        self.atoms = self._layout.back(planes, self._layout.atom_shape)

    def progress(self):
        """What the callback is given."""
        iteration, objective, certificate, seconds = (self.history[name][-1] for name in _HISTORY[:4])
        return ConvolutionalProgress(iteration, self.atoms.copy(), objective, certificate, seconds)

    def state(self):
        """Numbers and arrays from which `restore` makes the run what it is now."""
        numbers = {"n_replaced": self.n_replaced, "history": self.history}
        arrays = {
            "atoms": self.atoms,
            "codes_ends": np.cumsum([indices.size for indices, _ in self.codes]),
            "codes_indices": np.concatenate([indices for indices, _ in self.codes]),
            "codes_values": np.concatenate([values for _, values in self.codes]),
        }
        for name, value in self.statistics._asdict().items():
            (arrays if isinstance(value, np.ndarray) else numbers)[f"statistics_{name}"] = value
        return numbers, arrays

    def restore(self, numbers, arrays):
        """Become the run of that state."""
        self.atoms, self.n_replaced, self.history = arrays["atoms"], numbers["n_replaced"], numbers["history"]
        ends = arrays["codes_ends"][:-1]
        parts = (np.split(arrays[name], ends) for name in ("codes_indices", "codes_values"))
        self.codes = list(zip(*parts, strict=True))
        known = {**numbers, **arrays}
        fields = ConvolutionalStatistics._fields
        self.statistics = ConvolutionalStatistics(**{name: known[f"statistics_{name}"] for name in fields})
        self.iteration, self.certificate = self.history["iteration"][-1], self.history["certificate"][-1]
        self.coder = self._coder_for(self.atoms)


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
