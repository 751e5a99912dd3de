"""What a result says about itself."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import SolveResult, Status
from sparsecode.result import announce
from tests._backends import NAMESPACES, get, put


def result(coef, certificate=0.0, status=Status.CONVERGED):
    return SolveResult(coef, 0.0, status, 3, 1.0, certificate, "relative duality gap", 1e-6)


@pytest.mark.parametrize("name", NAMESPACES)
@pytest.mark.parametrize("dtype", ["float32", "complex128"])
def test_the_support_of_one_target_is_its_sorted_indices(name, dtype):
    support = result(put(np.array([0.0, 2.0, 0.0, -1.0, 0.0]).astype(dtype), name)).support
    assert "int64" in str(support.dtype)
    np.testing.assert_array_equal(get(support), [1, 3])
    assert get(result(put(np.zeros(4).astype(dtype), name)).support).shape == (0,)


@pytest.mark.parametrize("name", NAMESPACES)
def test_the_support_of_many_targets_is_a_mask(name):
    coef = np.array([[0.0, 2.0], [1.0, 0.0], [0.0, 0.0]])
    support = result(put(coef, name)).support
    assert "bool" in str(support.dtype)
    np.testing.assert_array_equal(get(support), coef != 0)


def test_targets_without_a_number_for_certificate_count_as_missed():
    assert result(np.zeros(3), certificate=np.array([1e-7, 1e-5, np.nan])).n_missed == 2
    assert result(np.zeros(3), certificate=1e-7).n_missed == 0


def test_every_status_says_what_to_do():
    for status in Status:
        assert len(status.value) > 20
        assert status.is_success == (status is Status.CONVERGED)
    for status in (Status.MAX_ITER, Status.STALLED, Status.DIVERGED):
        assert ";" in status.value  # what happened; the remedy


def test_the_repr_shows_status_certificate_and_tolerance():
    text = repr(result(np.zeros((3, 2)), certificate=np.array([1e-7, 2e-3]), status=Status.MAX_ITER))
    assert "MAX_ITER" in text
    assert "2.00e-03" in text
    assert "tol=1.0e-06" in text
    assert "(3, 2)" in text
    assert "(no tolerance)" in repr(replace(result(np.zeros(3)), tol=np.inf))


@pytest.mark.parametrize("status", [Status.CONVERGED, Status.INTERRUPTED])
def test_announcing_what_was_wanted_is_silent(status, recwarn):
    assert announce(result(np.zeros(3), status=status)).status is status
    assert not recwarn


@pytest.mark.parametrize("status", [Status.MAX_ITER, Status.STALLED, Status.DIVERGED])
def test_announcing_an_uncertified_result_warns_at_the_users_line(status):
    with pytest.warns(ConvergenceWarning, match="2 of 3 targets") as caught:
        announce(result(np.zeros(3), certificate=np.array([1.0, 0.0, 2.0]), status=status))
    assert caught[0].filename == __file__
    assert status.value in str(caught[0].message)


def test_running_out_of_iterations_advises_nothing_of_columns():
    assert "column" not in Status.MAX_ITER.value  # dictionaries, factors and plans have none to scale
