"""How two ways to the same answer are compared: interleaved runs, an equal certificate, the median of the ratios.

A `Contest` holds one seeded problem, our way, the peers' ways, and how the answer of *either* is certified from the
answer alone. `compare` runs them in turn (ours, peer, ours, peer, ...), each on idle cores, so that a slow minute of the
machine hits all, drops every round in which an answer misses its certificate, and makes one `Row` of the table.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, NamedTuple

import numpy as np

__all__ = [
    "NOTHING",
    "Ask",
    "Certificate",
    "Contest",
    "Row",
    "Setting",
    "compare",
    "not_measured",
    "progress",
    "race",
    "row_of_ratios",
]


_REST = 0.05  # seconds before each run: threads of the BLAS spin for 25 ms after the last product of the run before


class Setting(NamedTuple):
    """What the command line asked of every job."""

    pairs: int = 20
    threads: int = 1
    smoke: bool = False
    trials: int | None = None  # of jobs that count successes; None for the number of their own

    def size(self, full, small):
        """`full`, or `small` in a smoke run."""
        return small if self.smoke else full


class Ask(NamedTuple):
    """What a figure is held against; without a bound it is only reported."""

    bound: float | None = None
    at_least: bool = True
    unit: str = "x"

    def met(self, value):
        """Whether `value` does what was asked; None where nothing was."""
        if self.bound is None:
            return None
        return bool(value >= self.bound if self.at_least else value <= self.bound)

    def __str__(self):
        if self.bound is None:
            return ""
        unit = "×" if self.unit == "x" else f" {self.unit}"
        return f"{'≥' if self.at_least else '≤'} {self.bound:g}{unit}"


NOTHING = Ask()


class Certificate(NamedTuple):
    """What was recomputed from an answer: its proof, and the quantity that all contestants make small."""

    value: float
    objective: float


@dataclass
class Contest:
    """One problem, and who solves it.

    Attributes
    ----------
    problem : str
        The problem in words, for the table.
    ours : callable
        ``ours(round)`` solves it; `round` is the seed of a randomised contestant.
    peers : dict of str to callable
        The same for the named peers.
    certify : callable
        ``certify(answer) -> Certificate``, from the answer alone.
    tol : float
        An answer whose certificate is above it does not count.
    slack : float
        Nor does ours if its objective is above that of the peer by more than this share of it.
    ask : Ask
        What the speedup is held against.
    n_items : int
        Signals solved in one call, for the seconds an item.
    certificate_name : str
        What the certificate is.
    note : str
        What a reader of the figure must know.
    """

    problem: str
    ours: Callable[[int], Any]
    peers: dict[str, Callable[[int], Any]]
    certify: Callable[[Any], Certificate]
    tol: float
    slack: float = 1e-6
    ask: Ask = NOTHING
    n_items: int = 1
    certificate_name: str = "certificate"
    note: str = ""


@dataclass
class Row:
    """One figure of the table: the median over the pairs, its quartiles, and what it was held against."""

    job: str
    problem: str
    peer: str
    value: float | None
    low: float | None = None
    high: float | None = None
    unit: str = "x"
    ask: str = ""
    met: bool | None = None
    threads: int = 1
    ours: float | None = None
    theirs: float | None = None
    pairs: int = 0
    rejected: int = 0
    certificate_name: str = ""
    certificate: float | None = None
    peer_certificate: float | None = None
    tol: float | None = None
    objective: float | None = None
    peer_objective: float | None = None
    note: str = ""
    others: dict[str, float] = field(default_factory=dict)

    def as_dict(self):
        """The row for a JSON file."""
        return asdict(self)


@dataclass
class Race:
    """Seconds and certificates of every contestant, one entry a round."""

    seconds: dict[str, list[float]]
    certificates: dict[str, list[Certificate]]

    def kept(self, peer, tol, slack):
        """Rounds in which ours and this peer's answer both meet the certificate, and ours is not the worse one."""
        rounds = zip(self.certificates["ours"], self.certificates[peer], strict=True)
        return np.array([_admissible(ours, theirs, tol, slack) for ours, theirs in rounds], dtype=bool)


def _admissible(ours, theirs, tol, slack):
    if not (ours.value <= tol and theirs.value <= tol):
        return False
    return bool(ours.objective <= theirs.objective + slack * abs(theirs.objective))


def race(contest, rounds, clock=time.perf_counter):
    """Run the contestants in turn, `rounds` times over; certificates are made outside the timed part."""
    runners = {"ours": contest.ours, **contest.peers}
    seconds: dict[str, list[float]] = {name: [] for name in runners}
    certificates: dict[str, list[Certificate]] = {name: [] for name in runners}
    known: dict[str, tuple] = {}
    for count in range(rounds):
        for name, run in runners.items():
            time.sleep(_REST)
            began = clock()
            answer = run(count)
            seconds[name].append(clock() - began)
            certificate = _certificate_of(contest, known.get(name), answer)
            known[name] = (answer, certificate)
            certificates[name].append(certificate)
    return Race(seconds, certificates)


def _certificate_of(contest, known, answer):
    """The certificate of an answer; that of the round before where the answer is the same, bit for bit."""
    if known is not None and _identical(known[0], answer):
        return known[1]
    return contest.certify(answer)


def _identical(left, right):
    if type(left) is not type(right):
        return False
    if hasattr(left, "indptr"):
        return all(np.array_equal(getattr(left, part), getattr(right, part)) for part in ("indptr", "indices", "data"))
    return isinstance(left, np.ndarray) and np.array_equal(left, right)


def compare(contest, setting, job="", clock=time.perf_counter) -> Row:
    """The row of a contest: our speedup over the fastest peer."""
    for run in (contest.ours, *contest.peers.values()):
        run(0)  # compiles, and touches the memory: first calls are measured elsewhere
    result = race(contest, setting.pairs, clock)
    peer = min(contest.peers, key=lambda name: np.median(result.seconds[name]))
    kept = result.kept(peer, contest.tol, contest.slack)
    row = row_of_ratios(
        result.seconds["ours"], result.seconds[peer], kept, job=job, problem=contest.problem, peer=peer, ask=contest.ask
    )
    ours, theirs = (_worst(result.certificates[name]) for name in ("ours", peer))
    row.threads, row.note, row.tol = setting.threads, contest.note, contest.tol
    row.certificate_name = contest.certificate_name
    row.certificate, row.peer_certificate = ours.value, theirs.value
    row.objective, row.peer_objective = ours.objective, theirs.objective
    row.ours, row.theirs = (value if value is None else value / contest.n_items for value in (row.ours, row.theirs))
    row.others = {
        name: float(np.median(result.seconds[name])) / contest.n_items for name in contest.peers if name != peer
    }
    return row


def _worst(certificates):
    return Certificate(*(float(np.max(part)) for part in zip(*certificates, strict=True)))


def row_of_ratios(ours, theirs, kept=None, *, job, problem, peer, ask, cost=False) -> Row:
    """Median and quartiles of ``theirs / ours`` (`cost`: of ``ours / theirs``) over the rounds that are kept."""
    ours, theirs = np.asarray(ours, dtype=float), np.asarray(theirs, dtype=float)
    kept = np.ones(ours.size, dtype=bool) if kept is None else kept
    row = Row(job, problem, peer, None, unit=ask.unit, ask=str(ask), pairs=int(kept.sum()), rejected=int((~kept).sum()))
    if not kept.any():
        row.met = None if ask.bound is None else False
        return row
    ratio = (ours / theirs if cost else theirs / ours)[kept]
    row.low, row.value, row.high = (float(value) for value in np.percentile(ratio, [25, 50, 75]))
    row.ours, row.theirs = float(np.median(ours[kept])), float(np.median(theirs[kept]))
    row.met = ask.met(row.value)
    return row


def not_measured(job, problem, peer, ask, why) -> Row:
    """The row of a figure that was asked for and cannot be had on this machine."""
    return Row(job, problem, peer, None, unit=ask.unit, ask=str(ask), note=f"not measured: {why}")


def progress(text):
    """A line for whoever watches; the table is what stays."""
    print(text, file=sys.stderr, flush=True)
