"""The loop around a solver: when it stops, what it keeps, what it sends back."""

import numpy as np
import pytest

from sparsecode import Status
from sparsecode.solvers.certificates import Certificate
from sparsecode.solvers.driver import State, drive


def certify_by(function):
    return lambda coef: Certificate(np.asarray(function(coef), dtype=float), np.float64(coef[0] ** 2), "distance")


distance = certify_by(lambda coef: abs(coef[0]))


def halving(start=1.0, **options):
    """Iterates 1, 1/2, 1/4 ..."""
    coef = np.array([start])
    while True:
        yield State(coef.copy(), **options)
        coef /= 2


def from_list(values, **options):
    for value in values:
        yield State(np.array([float(value)]), **options)


def test_it_stops_at_the_first_iterate_that_meets_the_tolerance():
    result = drive(halving(), distance, max_iter=100, tol=0.1)
    assert result.status is Status.CONVERGED
    assert result.n_iter == 4
    assert result.coef[0] == result.certificate == 1 / 16
    assert result.certificate_name == "distance"
    assert result.history["certificate"] == [1, 1 / 2, 1 / 4, 1 / 8, 1 / 16]
    assert result.history["iteration"] == [0, 1, 2, 3, 4]


def test_a_good_start_takes_no_iteration():
    assert drive(halving(), distance, max_iter=100, tol=1.0).n_iter == 0


def test_the_best_iterate_is_returned_when_the_iterations_run_out():
    result = drive(from_list([3, 1, 2, 5]), distance, max_iter=3, tol=0.1)
    assert result.status is Status.MAX_ITER
    assert result.n_iter == 3
    assert result.coef[0] == result.certificate == 1


def test_the_last_iterate_is_always_certified():
    result = drive(halving(certify=False), distance, max_iter=5, tol=0.0)
    assert result.history["iteration"] == [5]
    assert result.coef[0] == 1 / 32


def test_a_solver_that_can_do_no_more_has_stalled_unless_it_is_done():
    stuck = drive(iter_then_finish(0.5), distance, max_iter=100, tol=0.1)
    assert stuck.status is Status.STALLED
    assert stuck.n_iter == 1
    assert drive(iter_then_finish(0.05), distance, max_iter=100, tol=0.1).status is Status.CONVERGED


def iter_then_finish(value):
    yield State(np.array([1.0]))
    yield State(np.array([value]), certify=False, finished=True)
    raise RuntimeError("asked for more than the solver could do")


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_number_that_is_none_means_divergence_and_the_last_good_iterate_is_kept(bad):
    result = drive(from_list([3, 2, bad, 1]), distance, max_iter=10, tol=0.1)
    assert result.status is Status.DIVERGED
    assert result.coef[0] == 2
    assert result.certificate == 2


def test_an_infeasible_start_is_no_divergence():
    result = drive(from_list([np.inf, 2, 0]), distance, max_iter=10, tol=0.1)
    assert result.status is Status.CONVERGED


def test_every_target_must_meet_the_tolerance():
    both = certify_by(lambda coef: [abs(coef[0]), 2 * abs(coef[0])])
    result = drive(halving(), both, max_iter=100, tol=0.1)
    assert result.n_iter == 5
    np.testing.assert_array_equal(result.certificate, [1 / 32, 1 / 16])


def test_a_callback_stops_the_loop_and_sees_the_iterate_it_stops_at():
    seen = []

    def callback(progress):
        seen.append(progress)
        return progress.iteration == 2

    result = drive(halving(), distance, max_iter=100, tol=0.0, callback=callback)
    assert result.status is Status.INTERRUPTED
    assert [progress.iteration for progress in seen] == [0, 1, 2]
    assert seen[2].coef[0] == seen[2].certificate == 1 / 4
    assert seen[2].objective == 1 / 16
    assert seen[2].seconds >= seen[0].seconds >= 0


def test_the_certificate_is_sent_to_the_solver_that_made_the_iterate():
    received = []

    def solver():
        for count in range(100):
            received.append((yield State(np.array([1.0 / (1 + count)]), certify=count % 2 == 0)))

    drive(solver(), distance, max_iter=4, tol=0.0)
    assert [None if message is None else float(message.value) for message in received] == [1.0, None, 1 / 3, None]


def test_the_solver_is_closed_when_the_loop_ends():
    closed = []

    def solver():
        try:
            yield from halving()
        finally:
            closed.append(True)

    drive(solver(), distance, max_iter=2, tol=0.0)
    assert closed == [True]
