"""Plans and potentials pass to POT and back."""

import numpy as np
import pytest

from sparsecode import Status
from sparsecode.transport import from_pot, solve, to_pot
from tests.transport import naive

ot = pytest.importorskip("ot")


@pytest.mark.parametrize("reg", [1e-1, 2e-2])
def test_the_same_reg_gives_pots_plan(reg):
    a, b, cost = naive.problem()
    plan, log = to_pot(solve(a, b, cost, reg, tol=1e-12))
    theirs, their_log = ot.sinkhorn(a, b, cost, reg, stopThr=1e-14, numItermax=100_000, log=True)
    np.testing.assert_allclose(plan, theirs, atol=1e-11)
    np.testing.assert_allclose(np.outer(log["u"], log["v"]), np.outer(their_log["u"], their_log["v"]), rtol=1e-8)


def test_half_the_cost_takes_half_the_reg():
    a, b, cost = naive.problem()
    plan, _ = to_pot(solve(a, b, 0.5 * cost, 0.05, tol=1e-12))
    np.testing.assert_allclose(plan, ot.sinkhorn(a, b, cost, 0.1, stopThr=1e-14), atol=1e-11)


def test_potentials_and_values_of_other_conventions():
    """Those of the table in the notes of `to_pot`."""
    a, b, cost = naive.problem()
    reg = 0.05
    result = solve(a, b, cost, reg, tol=1e-13, plan="dense")
    x = result.f + 0.3 * reg  # any split of the constant
    y = result.g + 0.7 * reg
    np.testing.assert_allclose(np.exp((x[:, None] + y - cost) / reg - 1.0), result.plan, rtol=1e-10)
    f, g = result.f - reg * np.log(a), result.g - reg * np.log(b)
    np.testing.assert_allclose(np.outer(a, b) * np.exp((f[:, None] + g - cost) / reg), result.plan, rtol=1e-10)
    _, log = to_pot(result)
    np.testing.assert_allclose(log["u"][:, None] * np.exp(-cost / reg) * log["v"], result.plan, rtol=1e-10)
    plan = ot.sinkhorn(a, b, cost, reg, stopThr=1e-14)
    spent = np.sum(plan * cost)
    pots = result.value + reg
    assert pots == pytest.approx(spent + reg * np.sum(plan * np.log(plan)), abs=1e-10)
    divergence = np.sum(plan * np.log(plan / np.outer(a, b)))
    assert pots - reg * (a @ np.log(a) + b @ np.log(b)) == pytest.approx(spent + reg * divergence, abs=1e-10)


@pytest.mark.parametrize(
    "method", ["sinkhorn", "sinkhorn_log", "sinkhorn_stabilized", "sinkhorn_epsilon_scaling", "greenkhorn"]
)
def test_a_start_from_pots_log_is_at_the_answer(method):
    a, b, cost = naive.problem()
    _, log = ot.sinkhorn(a, b, cost, 0.05, method=method, stopThr=1e-14, numItermax=10_000, log=True)
    assert solve(a, b, cost, 0.05).n_iter > 2
    assert solve(a, b, cost, 0.05, initial=from_pot(log, 0.05)).n_iter == 1


def test_pot_starts_where_we_stopped():
    a, b, cost = naive.problem()
    _, log = to_pot(solve(a, b, cost, 0.05, tol=1e-13))
    _, theirs = ot.sinkhorn(a, b, cost, 0.05, warmstart=log["warmstart"], log=True, stopThr=1e-12)
    assert theirs["niter"] == 0


def test_the_bounds_hold_the_value_of_an_exact_solver():
    a, b, cost = naive.problem(40, 50)
    result = solve(a, b, cost, 2e-3)
    value = ot.emd2(a, b, cost)
    assert result.lower_bound - 1e-12 <= value <= result.upper_bound + 1e-12
    assert result.upper_bound - result.lower_bound < 0.1 * value


def test_a_log_without_scalings_is_named():
    with pytest.raises(ValueError, match="log holds no scalings"):
        from_pot({"err": []}, 0.1)
    a, b, cost = naive.problem()
    _, log = ot.emd(a, b, cost, log=True)
    with pytest.raises(ValueError, match=r"potentials of ot.emd, .* initial=\(log\['u'\], log\['v'\]\)"):
        from_pot(log, 0.1)
    assert solve(a, b, cost, 0.01, initial=(log["u"], log["v"])).status is Status.CONVERGED
    with pytest.raises(ValueError, match="log must be the dict that .* got OTResult"):
        from_pot(ot.solve(cost, a, b, reg=0.1), 0.1)
