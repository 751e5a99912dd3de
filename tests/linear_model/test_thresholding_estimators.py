"""Estimators of the thresholding solvers: every parameter of the function is theirs, and reaches the solver."""

import inspect

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning

from sparsecode import (
    HardThresholdingPursuit,
    IterativeHardThresholding,
    NullSpaceTuning,
    SparsePhaseRetrieval,
    htp,
    iht,
    null_space_tuning,
    sparse_phase_retrieval,
)

PAIRS = [
    (IterativeHardThresholding, iht),
    (HardThresholdingPursuit, htp),
    (NullSpaceTuning, null_space_tuning),
    (SparsePhaseRetrieval, sparse_phase_retrieval),
]
SHORT = {"max_iter": 1, "tol": 0.0}
ITERATIVE = IterativeHardThresholding(5, **SHORT)
OF_A_CALL = {"A", "y", "sample_weight", "init", "callback"}
OTHERS = {  # than the defaults, each of which changes the fit below
    "n_nonzero_coefs": 3,
    "step": "fixed",
    "n_gradient_steps": 1,
    "growth": 2,
    "positive": True,
    "block_size": 2,
    "joint": True,
    "penalty_weights": np.repeat([1.0, np.inf], [10, 20]),
    "fit_intercept": False,
    "max_iter": 1,
    "tol": 0.3,
    "atol": 12.0,
}


@pytest.mark.parametrize("estimator, function", PAIRS, ids=lambda kind: kind.__name__)
def test_an_estimator_has_the_parameters_of_its_function_and_their_defaults(estimator, function):
    wanted = {
        name: parameter.default
        for name, parameter in inspect.signature(function).parameters.items()
        if name not in OF_A_CALL
    }
    wanted["n_nonzero_coefs"] = None
    del wanted["n_nonzero"]
    given = estimator().get_params()
    given.pop("fit_intercept", None)
    assert given == wanted


@pytest.mark.filterwarnings("ignore:.*")
@pytest.mark.parametrize(
    "estimator, name", [(kind, name) for kind, _ in PAIRS[:3] for name in kind().get_params()], ids=str
)
def test_every_parameter_of_an_estimator_changes_its_fit(estimator, name):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((25, 30)) * (1.0 + rng.random(30))
    Y = X[:, ::4] @ rng.standard_normal((8, 2)) + 2.0 + rng.standard_normal((25, 2))
    adaptive = estimator is NullSpaceTuning and name in ("growth", "atol", "tol", "n_nonzero_coefs", "max_iter")
    options = {"tol": 0.05} if adaptive else {"n_nonzero_coefs": 6}
    plain = estimator(**options).fit(X, Y)
    other = estimator(**{**options, name: OTHERS[name]}).fit(X, Y)
    assert not np.array_equal(plain.coef_, other.coef_) or plain.result_.tol != other.result_.tol  # htp is exact


@pytest.mark.parametrize("run", [lambda X, y: iht(X, y, 5, **SHORT), lambda X, y: ITERATIVE.fit(X, y)])
def test_iterations_that_run_out_tell_of_the_norms_of_the_columns(run):
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 30)), rng.standard_normal(40)
    for scales, word in ((np.ones(30), "would not help"), (np.geomspace(1e-2, 1e2, 30), "would help")):
        with pytest.warns(ConvergenceWarning, match=f"iteration limit was reached.*{word}") as caught:
            run(X * scales, y)
        assert len(caught) == 1
