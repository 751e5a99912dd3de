"""Threads over blocks of independent work, around kernels that release the GIL.

The blocks never depend on the number of threads, and BLAS runs single-threaded inside them, so the
answer has the same bits whatever the thread count.
"""

from __future__ import annotations

import numbers
import os
import threading
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import numpy as np
import threadpoolctl

__all__ = ["blas_for_products", "blas_for_system", "map_blocks", "n_threads", "single_threaded_blas", "worker_pool"]

_LARGE_SYSTEM = 1000  # unknowns: below, threads gain less than they cost
_LARGE_MATRIX = 1 << 22  # entries: the same for products with a vector
_POOL: ContextVar[ThreadPoolExecutor | None] = ContextVar("pool", default=None)  # worker threads see None: no deadlock


def n_threads(n_jobs: Any = None) -> int:
    """Threads to use: `n_jobs` (-1 for all cores); None means all cores that OMP_NUM_THREADS allows."""
    try:
        available = len(os.sched_getaffinity(0))
    except AttributeError:  # not Linux
        available = os.cpu_count() or 1
    if n_jobs is None:
        allowed = os.environ.get("OMP_NUM_THREADS", "").split(",")[0]
        return max(1, min(available, int(allowed))) if allowed.isdigit() else available
    if isinstance(n_jobs, bool) or not isinstance(n_jobs, numbers.Integral):
        raise ValueError(f"n_jobs must be a positive number of threads, or -1 for all cores; got {n_jobs!r}.")
    if n_jobs == 0:
        raise ValueError("n_jobs must be a positive number of threads, or -1 for all cores; got 0.")
    return max(1, available + 1 + int(n_jobs)) if n_jobs < 0 else int(n_jobs)


@lru_cache(maxsize=1)
def _controller():
    import scipy.linalg  # noqa: F401  SciPy brings a BLAS of its own

    return threadpoolctl.ThreadpoolController()  # looks at every loaded library: do it once


class _Limit:
    """The limit itself, of the whole process: the first to hold it sets it, the last to let go lifts it."""

    def __init__(self):
        self._lock, self._held = (
            threading.RLock(),
            0,
        )  # re-entrant: a collected `_SingleThread` may let go at any moment
        self._before: Any = ()

    def hold(self, holder):
        with self._lock:
            if not self._held:
                libraries = [library for library in _controller().lib_controllers if library.user_api == "blas"]
                counts = [(library, library.num_threads) for library in libraries]
                self._before = [(library, count) for library, count in counts if count != 1]
                for library, _ in self._before:
                    library.set_num_threads(1)
            self._held += 1
            holder.holds = True

    def let_go(self, holder):
        with self._lock:
            if not holder.holds:
                return
            holder.holds = False
            self._held -= 1
            if not self._held:
                for library, count in self._before:
                    library.set_num_threads(count)


_LIMIT = _Limit()


class _SingleThread:
    """One holder of the limit, who lets go once: on leaving, or, if Ctrl-C kept it from that, when it is collected."""

    holds = False

    def __enter__(self):
        _LIMIT.hold(self)

    def __exit__(self, *_):
        _LIMIT.let_go(self)

    def __del__(self):
        if self.holds:
            _LIMIT.let_go(self)


def single_threaded_blas():
    """Context in which BLAS uses one thread, for products whose bits must not depend on the machine.

    It may be entered from many threads at once, and again inside.
    """
    return _SingleThread()


def blas_for_system(size):
    """Context for factoring a system of that many unknowns: small ones on one thread.

    NumPy and SciPy each bring a BLAS with threads of its own, which go on spinning for a while after a product: one that is
    waiting for work keeps the other from its core, and a factorisation of a millisecond takes fifteen.
    """
    return single_threaded_blas() if size < _LARGE_SYSTEM else nullcontext()


def blas_for_products(shape):
    """Context for many products of a matrix of that shape with vectors: a small one on one thread.

    Threads that have slept are woken on the core of the caller, who then waits for them there: a product of a third of a
    millisecond takes four, until the system has moved them.
    """
    return single_threaded_blas() if shape[0] * shape[1] < _LARGE_MATRIX else nullcontext()


@contextmanager
def worker_pool(n_jobs: int | None = None):
    """Keep the threads of `map_blocks` alive between its calls from this thread: starting them costs up to a millisecond."""
    if n_threads(n_jobs) <= 1 or _POOL.get() is not None:
        yield
        return
    with ThreadPoolExecutor(n_threads(n_jobs) - 1) as pool:  # the caller works too
        token = _POOL.set(pool)
        try:
            yield
        finally:
            _POOL.reset(token)


def map_blocks(function, n_items: int, block: int, n_jobs: int | None = None) -> list:
    """``[function(start, stop), ...]`` over consecutive blocks of `block` items, in order.

    After an error or Ctrl-C nobody begins another block; it is raised once those that had begun are done.
    """
    bounds = [(start, min(start + block, n_items)) for start in range(0, n_items, block)]
    n_helpers = min(n_threads(n_jobs), len(bounds)) - 1
    kept = _POOL.get()
    with (
        single_threaded_blas(),
        ThreadPoolExecutor(n_helpers) if kept is None and n_helpers > 0 else nullcontext(kept) as pool,
    ):
        return _shared_out(pool, n_helpers, function, bounds)


def _shared_out(pool, n_helpers, function, bounds):
    """The caller works too: blocks may be short, and each handed over alone would cost as much as it saves."""
    results: list[Any] = [None] * len(bounds)
    waiting = deque(enumerate(bounds))  # needs no lock, which Ctrl-C could leave locked
    helpers: list[Future] = []
    warned_of = np.geterr()  # which a thread does not inherit

    def help_out():
        with np.errstate(**warned_of):
            work()

    def work():
        try:
            while waiting:
                try:
                    place, bound = waiting.popleft()
                except IndexError:  # another thread was faster
                    return
                results[place] = function(*bound)
        finally:
            waiting.clear()

    try:
        for _ in range(n_helpers):
            helpers.append(pool.submit(help_out))
        work()
    finally:
        waiting.clear()
        helpers = [helper for helper in helpers if not helper.cancel()]
        wait(helpers)
    for helper in helpers:
        helper.result()  # raises what a block raised
    return results
