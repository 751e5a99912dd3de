"""Targets that are zero: nothing is learned from them, in any unit."""

import numpy as np
import pytest

from sparsecode import GaussianPrior, PoissonChannel, Status, gamp, vamp
from tests._backends import NAMESPACES, get, put
from tests.planted import planted

SOLVERS = {
    "gamp": (gamp, {}),
    "gamp, uniform": (gamp, {"variances": "uniform"}),
    "gamp, mean removed": (gamp, {"remove_mean": True}),
    "gamp, weighted": (gamp, {"sample_weight": np.linspace(0.5, 1.5, 30)}),
    "vamp": (vamp, {}),
    "vamp, weighted": (vamp, {"sample_weight": np.linspace(0.5, 1.5, 30)}),
}
every_solver = pytest.mark.parametrize("solver, options", SOLVERS.values(), ids=SOLVERS)


def of_target(values, target):
    """What is known of one target of many."""
    return np.asarray(get(values))[..., target]


@every_solver
@pytest.mark.parametrize("name", NAMESPACES)
@pytest.mark.parametrize("complex_", [False, True])
def test_coefficients_are_zero_for_certain_and_the_noise_has_no_variance(solver, options, name, complex_):
    A, y, _ = planted(30, 40, 3, complex_=complex_)
    for design in (A, np.where(np.arange(40) == 5, 0.0, A)):  # a column of zeros has nothing to say
        found = solver(put(design, name), put(0 * y, name), **options)
        for part in (found.coef, found.variance, found.inclusion, found.noise_variance):
            assert np.all(get(part) == 0)
        assert found.status is Status.CONVERGED
        assert found.parameters["prior"].moments() == (0.0, 0.0)
        assert get(found.variance).dtype == np.float64


@every_solver
@pytest.mark.parametrize("complex_", [False, True])
def test_another_target_beside_keeps_its_answer(solver, options, complex_):
    A, y, _ = planted(30, 40, 3, complex_=complex_)
    options = {"tol": 1e-9, **options}
    found, alone = solver(A, np.stack([0 * y, y], axis=1), **options), solver(A, y, **options)
    for part in ("coef", "variance", "inclusion", "noise_variance"):
        assert np.all(of_target(getattr(found, part), 0) == 0)
        np.testing.assert_allclose(of_target(getattr(found, part), 1), getattr(alone, part), rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("solver", [gamp, vamp])
def test_what_is_given_stays(solver):
    A, y, _ = planted(30, 40, 3)
    found = solver(A, 0 * y, prior=GaussianPrior(2.0), noise_variance=0.5)
    assert found.noise_variance == 0.5
    assert found.parameters["prior"] == GaussianPrior(2.0)
    assert np.all(found.variance > 0)
    assert solver(A, 0 * y, noise_variance=0.5).noise_variance == 0.5


def test_counts_of_zero_are_no_silence():
    A, y, _ = planted(30, 40, 3)
    found = gamp(A, 0 * y, channel=PoissonChannel(), tol=1e6)
    assert np.all(found.variance > 0)
