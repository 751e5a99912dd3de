"""Blocks do not depend on threads; threads do not change bits; the BLAS inside is single-threaded."""

import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext

import numpy as np
import pytest
import threadpoolctl

from sparsecode._parallel import _LIMIT, _controller, map_blocks, n_threads, single_threaded_blas, worker_pool


@pytest.mark.parametrize("n_jobs", [1, 2, 5, -1, None])
@pytest.mark.parametrize("n_items", [0, 1, 7, 8, 9])
def test_blocks_cover_the_items_in_order_whatever_the_threads(n_jobs, n_items):
    blocks = map_blocks(lambda start, stop: (start, stop), n_items, 4, n_jobs)
    assert blocks == [(start, min(start + 4, n_items)) for start in range(0, n_items, 4)]


def test_threads_do_not_change_a_bit():
    A = np.random.default_rng(0).standard_normal((300, 257))

    def work(start, stop):
        return A[start:stop] @ A.T

    one, four = (np.concatenate(map_blocks(work, 300, 64, n_jobs)) for n_jobs in (1, 4))
    np.testing.assert_array_equal(one, four)


def test_blas_is_single_threaded_inside_and_as_before_outside():
    def threads():
        pools = [pool for pool in threadpoolctl.threadpool_info() if pool["user_api"] == "blas"]
        # an OpenMP build counts for each thread alone; NumPy's and SciPy's are none, but a peer's may be loaded
        return [pool["num_threads"] for pool in pools if pool.get("threading_layer") != "openmp"]

    _controller.cache_clear()  # other tests may have loaded a further BLAS since it looked, one that is not ours
    with threadpoolctl.threadpool_limits(2, user_api="blas"):
        before = threads()
        assert max(before) == 2
        for inside in map_blocks(lambda start, stop: threads(), 3, 1, 2):
            assert set(inside) == {1}
        assert threads() == before
        with single_threaded_blas():
            assert set(threads()) == {1}
        assert threads() == before


def test_blocks_run_at_the_same_time_on_their_threads():
    barrier = threading.Barrier(3, timeout=10)
    map_blocks(lambda start, stop: barrier.wait(), 3, 1, n_jobs=3)  # would time out one after another


@pytest.mark.parametrize("state", ["ignore", "raise"])
def test_what_numpy_says_of_numbers_out_of_range_is_as_the_caller_has_it_in_every_thread(state):
    """The barrier has each thread work on one block."""
    meet = threading.Barrier(2, timeout=60)

    def seen(start, stop):
        meet.wait()
        return np.geterr()["over"]

    with np.errstate(over=state):
        assert map_blocks(seen, 2, 1, n_jobs=2) == [state, state]


def test_an_error_in_a_block_reaches_the_caller():
    def fail(start, stop):
        raise KeyError(start)

    for n_jobs in (1, 3):
        with pytest.raises(KeyError):
            map_blocks(fail, 4, 1, n_jobs)
        with worker_pool(n_jobs), pytest.raises(KeyError):
            map_blocks(fail, 4, 1, n_jobs)


@pytest.mark.parametrize("kept", [False, True])
def test_after_an_error_no_other_block_begins(kept):
    for failing in (0, 1):  # in the caller or in a helper, whoever takes it
        begun = []
        together = threading.Barrier(2, timeout=10)

        def work(start, stop, failing=failing, begun=begun, together=together):
            begun.append(start)
            if start < 2:
                together.wait()
            if start == failing:
                raise KeyError(start)
            if start < 2:
                threading.Event().wait(0.2)  # until the other has failed

        with worker_pool(2) if kept else nullcontext(), pytest.raises(KeyError):
            map_blocks(work, 1000, 1, 2)
        assert len(begun) == 2
        assert _LIMIT._held == 0


@pytest.fixture
def interruptible():
    """Ctrl-C as Python answers it, also where the tests were started in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.parametrize("kept", [False, True])
@pytest.mark.parametrize("helper_fails", [False, True])
def test_ctrl_c_reaches_the_caller_and_no_other_block_begins(kept, helper_fails, interruptible):
    begun, of_helpers, together = [], [], threading.Barrier(3, timeout=10)

    def work(start, stop):
        begun.append(start)
        is_helper = threading.current_thread() is not threading.main_thread()
        if is_helper:
            of_helpers.append(start)
        together.wait()
        if is_helper and start == min(of_helpers):
            signal.raise_signal(signal.SIGINT)  # which Python hands to the main thread
        for _ in range(10 if is_helper else 1000):
            threading.Event().wait(0.01)
        if helper_fails:
            raise KeyError(start)

    with worker_pool(3) if kept else nullcontext(), pytest.raises(KeyboardInterrupt):
        map_blocks(work, 1000, 1, 3)
    assert len(begun) == 3
    assert _LIMIT._held == 0
    assert map_blocks(lambda start, stop: start, 5, 1, 3) == [0, 1, 2, 3, 4]


def test_ctrl_c_while_helpers_are_called_leaves_the_blocks_that_have_not_begun(monkeypatch):
    begun, calls = [], []
    submit = ThreadPoolExecutor.submit

    def interrupted(pool, work):
        calls.append(work)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return submit(pool, work)

    def work(start, stop):
        begun.append(start)
        threading.Event().wait(0.01)

    monkeypatch.setattr(ThreadPoolExecutor, "submit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        map_blocks(work, 500, 1, 3)
    assert len(begun) < 100


def test_a_kept_pool_does_every_block_once_and_in_order_nested_ones_too():
    done = []

    def inner(start, stop):
        done.append(start)
        return start, threading.get_ident()

    def outer(start, stop):
        return [place for place, _ in map_blocks(inner, 3, 1, 3)]

    with worker_pool(3):
        for _ in range(20):
            done.clear()
            assert map_blocks(outer, 4, 1, 3) == [[0, 1, 2]] * 4
            assert sorted(done) == sorted([0, 1, 2] * 4)


def test_the_threads_of_a_kept_pool_work_at_the_same_time_as_the_caller():
    barrier = threading.Barrier(3, timeout=10)
    with worker_pool(3):
        map_blocks(lambda start, stop: barrier.wait(), 3, 1, n_jobs=3)


def test_the_number_of_threads_follows_n_jobs_then_the_environment(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    cores = n_threads()
    assert n_threads(-1) == cores
    assert n_threads(3) == 3
    assert n_threads(-1000) == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert n_threads() == 1
    assert n_threads(-1) == cores
    monkeypatch.setenv("OMP_NUM_THREADS", "1,4")
    assert n_threads() == 1
    with pytest.raises(ValueError, match="n_jobs"):
        n_threads(0)


def test_the_last_of_many_threads_gives_blas_its_threads_back():
    def threads():
        return [library["num_threads"] for library in _controller().select(user_api="blas").info()]

    before = threads()
    first, second = single_threaded_blas(), single_threaded_blas()
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)  # as two threads would that overlap
    assert set(threads()) == {1}
    second.__exit__(None, None, None)
    assert threads() == before


def test_ctrl_c_on_leaving_gives_blas_its_threads_back():
    limit = single_threaded_blas()
    limit.__enter__()
    assert _LIMIT._held == 1
    del limit  # the interrupt came before __exit__ could do anything
    assert _LIMIT._held == 0
