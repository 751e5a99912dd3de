"""Single precision with hardly any noise: the answer is as good as the data, and its certificate says so."""

import numpy as np
import pytest

from sparsecode import Status, gamp, vamp


def exact_problem(seed, noise=0.0):
    rng = np.random.default_rng(seed)
    A = rng.standard_normal((60, 100)).astype(np.float32)
    x = np.zeros(100, dtype=np.float32)
    x[:5] = rng.standard_normal(5)
    return A, A @ x + np.float32(noise) * rng.standard_normal(60).astype(np.float32), x


@pytest.mark.parametrize("noise", [0.0, 1e-4])
@pytest.mark.parametrize("variances", ["vector", "uniform", "vamp"])
@pytest.mark.parametrize("seed", range(3))
def test_exact_data_are_certified(seed, variances, noise):
    A, y, x = exact_problem(seed, noise)
    found = vamp(A, y) if variances == "vamp" else gamp(A, y, variances=variances)
    assert found.status is Status.CONVERGED
    assert found.n_iter < 40
    assert np.linalg.norm(found.coef - x) < (1e-6 + 2 * noise) * np.linalg.norm(x)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_scores_that_still_move_are_no_rounding():
    A, y, _ = exact_problem(0)
    early = gamp(A, y, max_iter=10)
    assert early.status is Status.MAX_ITER
    assert early.certificate > 0.01


@pytest.mark.parametrize("exponent", [-14, 14])
def test_the_largest_sizes_that_are_admitted_are_solved(exponent):
    A, y, x = exact_problem(0, 1e-3)
    size = np.float32(10.0**exponent)
    for solve in (gamp, vamp):
        found = solve(A, size * y)
        assert found.status is Status.CONVERGED
        np.testing.assert_allclose(found.coef / size, x, atol=2e-3)
        with pytest.raises(ValueError, match="range of float32"):
            solve(A, size**1.3 * y)
