"""How Newton steps on a plan are held back, and what happens where none helps."""

import numpy as np
import pytest

from sparsecode.transport import _newton
from sparsecode.transport._costs import ArrayCost
from sparsecode.transport._problem import Problem, Record
from tests.transport import naive
from tests.transport.test_newton import after_a_sweep


class Scripted:
    """Rows whose trial steps reach these dual objectives, the last of them for ever, and a system that notes its shifts."""

    def __init__(self, duals):
        self.rows, self.state, _ = after_a_sweep()
        self.problem, self.duals, self.shifts, self.restored = self.rows.problem, list(duals), [], 0

    def sweep(self, f, g):
        dual = self.duals.pop(0) if len(self.duals) > 1 else self.duals[0]
        return self.state._replace(f=f, g=g, dual_before=self.state.dual + dual)

    def restore(self, system):
        self.restored += 1

    def direction(self, shift):
        self.shifts.append(shift)
        return self.problem.a - self.state.row_sums, np.zeros(self.problem.b.size)

    def curvature(self, x, y):
        return 1e-3 * float(x @ x)


def test_a_line_search_shifts_the_system_until_a_step_gains():
    script, steps = Scripted([-1.0] * 18 + [1.0]), _newton.LineSearch()
    trial, length = steps.step(script, script)
    assert trial is not None and length == 1.0 and script.restored == 2
    np.testing.assert_allclose(np.array(script.shifts) / script.state.error, [1e-3, 1e-2, 1e-1])
    assert steps.mu == pytest.approx(0.1 / 4)
    script = Scripted([-1.0])
    assert steps.step(script, script) == (None, 0.0)
    assert len(script.shifts) == 7


def test_a_trust_region_refuses_steps_that_lose():
    script, steps = Scripted([-1.0]), _newton.TrustRegion()
    assert steps.step(script, script) == (None, 0.0)
    ratios = np.divide(script.shifts[1:], script.shifts[:-1])
    np.testing.assert_allclose(ratios, np.full(6, 4.0))
    script, steps = Scripted([-1.0, 1.0, -1.0, -1.0, 1.0]), _newton.TrustRegion()
    assert steps.step(script, script)[1] == 0.5
    assert steps.mu == 0.5  # it gained more than the model foretold


def test_sweeps_help_where_no_step_does(monkeypatch):
    class Helpless:
        def step(self, rows, system):
            return None, 0.0

    monkeypatch.setitem(_newton.GLOBALIZATIONS, "line_search", Helpless)
    a, b, cost = naive.problem(30, 20)
    record = Record()
    problem = Problem(a, b, ArrayCost(cost), 0.04)
    outcome = _newton.newton_path(problem, np.zeros(30), np.zeros(20), tol=1e-12, max_iter=1000, record=record)
    assert outcome.stalled and record.stages["sinkhorn"] > 20
    assert outcome.error == pytest.approx(min(record.history["marginal_error"]))
    assert outcome.error < 0.1 * record.history["marginal_error"][2]
