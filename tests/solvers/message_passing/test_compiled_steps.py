"""The compiled passes of GAMP give what the passes over whole arrays give."""

import subprocess
import sys

import numpy as np
import pytest

from sparsecode import BernoulliGaussian, GaussianMixture, GaussianPrior, LaplacePrior, gamp
from sparsecode.solvers.message_passing import compiled_steps
from sparsecode.solvers.message_passing.damping import Damper
from sparsecode.solvers.message_passing.learning import leaves

PRIORS = {
    "slab": BernoulliGaussian(0.2),
    "slab off zero": BernoulliGaussian(0.2, 0.7, 0.8),
    "no zeros": BernoulliGaussian(1.0, 0.1, 0.5),
    "normal": GaussianPrior(0.7, 0.2),
    "mixture": GaussianMixture((0.7, 0.1, 0.2), (0.0, -1.0, 1.5), (0.0, 0.3, 0.6)),
    "weight of nothing": GaussianMixture((0.8, 0.0, 0.2), (0.0, 5.0, 0.5), (0.0, 1.0, 0.6)),
    "laplace": LaplacePrior(0.3),
}


def problem(dtype="float64", n_targets=2):
    rng = np.random.default_rng(0)
    A = (rng.standard_normal((40, 60)) / np.sqrt(40)).astype(dtype)
    x = np.where(rng.random((60, n_targets)) < 0.2, rng.normal(0.7, 1.0, (60, n_targets)), 0.0)
    return A, (A @ x + 0.05 * rng.standard_normal((40, n_targets))).astype(dtype)


def on_both_roads(monkeypatch, *args, **kwargs):
    """The compiled answer and the other."""
    results = []
    for least, compiled in ((0, True), (np.inf, False)):
        taken = []
        advance = compiled_steps.CompiledSteps.advance
        with monkeypatch.context() as patch:
            patch.setattr(compiled_steps, "_INTERPRETED", least)
            patch.setattr(
                compiled_steps.CompiledSteps, "advance", lambda *a, seen=taken, run=advance: seen.append(1) or run(*a)
            )
            results.append(gamp(*args, **kwargs))
        assert bool(taken) == compiled
    return results


@pytest.mark.parametrize("variances", ["vector", "uniform"])
@pytest.mark.parametrize("damping", [1.0, 0.6])
@pytest.mark.parametrize("name", PRIORS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_ten_iterations_give_the_same_messages(name, damping, variances, monkeypatch):
    A, y = problem()
    told = {"prior": PRIORS[name], "noise_variance": 0.0025, "damping": damping, "variances": variances}
    one, other = on_both_roads(monkeypatch, A, y, **told, max_iter=10)
    for left, right in zip(one.parameters["messages"], other.parameters["messages"], strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-8, atol=1e-10 * np.max(np.abs(right)))
    np.testing.assert_allclose(one.certificate, other.certificate, rtol=1e-6)


@pytest.mark.parametrize("name", ["slab", "slab off zero", "normal", "mixture"])
@pytest.mark.parametrize("n_targets", [1, 3])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_is_learned_is_the_same(name, n_targets, monkeypatch):
    A, y = problem(n_targets=n_targets)
    one, other = on_both_roads(monkeypatch, A, y, prior=PRIORS[name], learn=True, max_iter=25)
    np.testing.assert_allclose(one.noise_variance, other.noise_variance, rtol=1e-6)
    for left, right in zip(leaves(one.parameters["prior"]), leaves(other.parameters["prior"]), strict=True):
        np.testing.assert_allclose(left, right, rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-6, atol=1e-8)


def test_a_diverging_target_starts_again_on_both_roads(monkeypatch):
    A, y = problem()
    A, restarts = A + 1.0, []
    restart = Damper.restart
    monkeypatch.setattr(Damper, "restart", lambda self, which: restarts.append(1) or restart(self, which))
    one, other = on_both_roads(monkeypatch, A, A @ np.eye(60)[:, :2] + y, prior=PRIORS["slab"], noise_variance=0.0025)
    assert restarts
    assert one.status is other.status
    assert one.n_iter == other.n_iter
    np.testing.assert_allclose(one.coef, other.coef, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", PRIORS)
def test_single_precision_stays_single(name, monkeypatch):
    A, y = problem("float32", 1)
    one, other = on_both_roads(monkeypatch, A, y[:, 0], prior=PRIORS[name], noise_variance=0.0025)
    assert one.coef.dtype == one.variance.dtype == np.float32
    np.testing.assert_allclose(one.coef, other.coef, atol=2e-4)


@pytest.mark.parametrize("given", ["complex", "weights", "mean", "mode"])
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_what_has_no_pass_takes_the_other_road(given, monkeypatch):
    A, y = problem()
    told = {"prior": LaplacePrior(0.3, "mmse") if given == "mode" else PRIORS["slab"], "noise_variance": 0.0025}
    if given == "weights":
        told["sample_weight"] = np.linspace(0.5, 1.5, 40)
    monkeypatch.setattr(compiled_steps, "_INTERPRETED", 0)
    monkeypatch.setattr(
        compiled_steps.CompiledSteps, "advance", lambda *args: pytest.fail("a pass that does not exist")
    )
    gamp(A * (1j if given == "complex" else 1.0), y, remove_mean=given == "mean", max_iter=3, **told)


def test_small_problems_do_not_import_a_compiler():
    code = (
        "import sys, numpy as np, sparsecode; r = np.random.default_rng(0); A = r.standard_normal((50, 80));"
        "sparsecode.gamp(A, A[:, 3]); assert 'numba' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
