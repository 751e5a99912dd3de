"""Laws of weights on the penalty of each atom: rescaled atoms, convex programs, exhaustive moves, atoms left out and left free."""

from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
from sklearn.linear_model import Lasso

from sparsecode import L0, L1, MCP, SLOPE, DictionaryLearning, Lq, SparseCoder, Status
from tests.decomposition.penalty_cases import PRICES, each, problem

MIXED = np.array([0.0, np.inf, 0.3, 2.0, 1.0, 0.0, *np.linspace(0.5, 1.5, 18)])
CHARGED = np.where(MIXED == 0, 0.7, MIXED)
WAYS = {
    "lasso": {"algorithm": "lasso", "alpha": 0.3},
    "elastic_net": {"algorithm": "elastic_net", "alpha": 0.4, "l1_ratio": 0.7},
    "penalty": {"algorithm": "penalty", "penalty": L1(0.3), "gap_tol": 1e-8},
    "lca": {"algorithm": "penalty", "penalty": L1(0.3), "dynamics": "lca", "gap_tol": 1e-8},
}
every_way = pytest.mark.parametrize("way", WAYS)


class Own(NamedTuple):
    """An l1 norm that compiled code knows nothing of."""

    alpha: float

    is_convex = is_separable = is_homogeneous = True
    supports_complex = False

    def value(self, coef, weights=None):
        return L1(self.alpha).value(coef, weights)

    def prox(self, coef, step):
        return L1(self.alpha).prox(coef, step)

    def subdiff_distance(self, grad, coef, weights=None):
        return L1(self.alpha).subdiff_distance(grad, coef, weights)

    def dual_limit(self, correlation, weights=None):
        return L1(self.alpha).dual_limit(correlation, weights)

    def conjugate(self, dual, weights=None):
        return L1(self.alpha).conjugate(dual, weights)


def data(n_signals=12):
    """24 atoms of different lengths, 16 features."""
    return problem(n_atoms=24, n_features=16, n_signals=n_signals, norms=(0.5, 2.0))


def least(atoms, signal, weights, l1, ridge, positive):
    """The convex program, by an interior-point method."""
    kept = np.isfinite(weights)
    code = cp.Variable(np.count_nonzero(kept))
    price = l1 * weights[kept] @ cp.abs(code) + 0.5 * ridge * weights[kept] @ cp.square(code)
    limits = [code >= 0] if positive else []
    return cp.Problem(cp.Minimize(0.5 * cp.sum_squares(signal - code @ atoms[kept]) + price), limits).solve(
        cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11
    )


@every_way
@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weights", [MIXED, CHARGED], ids=["with free atoms", "all charged"])
def test_codes_reach_the_minimum_of_the_weighted_program(way, positive, weights):
    atoms, signals = data(4)
    settings = dict(WAYS[way])
    if "penalty" in settings:
        settings["penalty"] = L1(0.3, positive)
    found = SparseCoder(atoms, **settings, penalty_weights=weights, positive_code=positive).encode(signals)
    assert found.status is Status.CONVERGED
    l1, ridge = (0.28, 0.12) if way == "elastic_net" else (0.3, 0.0)
    finite = np.where(np.isinf(weights), 0.0, weights)
    for signal, code, objective in zip(signals, found.coef, found.objective, strict=True):
        assert code[1] == 0.0
        value = 0.5 * np.sum((signal - code @ atoms) ** 2) + finite @ (l1 * np.abs(code) + 0.5 * ridge * code**2)
        assert objective == pytest.approx(value, rel=1e-10)
        assert value == pytest.approx(least(atoms, signal, weights, l1, ridge, positive), rel=1e-6)


def test_weights_are_scales_of_the_atoms():
    atoms, signals = data()
    weights = np.where(np.isinf(CHARGED), 5.0, CHARGED)
    codes = SparseCoder(atoms, algorithm="lasso", alpha=0.3, penalty_weights=weights).transform(signals)
    scaled = SparseCoder(atoms / weights[:, None], algorithm="lasso", alpha=0.3).transform(signals)
    np.testing.assert_allclose(codes * weights, scaled, atol=1e-10)
    peer = Lasso(0.3 / 16, fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = [peer.fit((atoms / weights[:, None]).T, signal).coef_ / weights for signal in signals]
    np.testing.assert_allclose(codes, expected, atol=1e-5)


@every_way
def test_an_excluded_atom_is_as_good_as_not_there(way):
    atoms, signals = data()
    codes = SparseCoder(atoms, **WAYS[way], penalty_weights=CHARGED).transform(signals)
    without = SparseCoder(np.delete(atoms, 1, 0), **WAYS[way], penalty_weights=np.delete(CHARGED, 1)).transform(signals)
    np.testing.assert_allclose(np.delete(codes, 1, 1), without, atol=1e-6)


@every_way
def test_free_atoms_leave_nothing_of_themselves_in_the_residual(way):
    atoms, signals = data()
    codes = SparseCoder(atoms, **WAYS[way], penalty_weights=MIXED).transform(signals)
    left = (signals - codes @ atoms) @ atoms[MIXED == 0].T
    np.testing.assert_allclose(left, 0.0, atol=1e-6)
    assert np.all(codes[:, MIXED == 0] != 0)


@each([MCP(0.4, gamma=1.7), L0(0.2), Lq(0.3), Lq(0.3, q=2 / 3, positive=True)])
@pytest.mark.parametrize("dynamics", ["prox", "lca"])
def test_no_coefficient_alone_can_lower_the_weighted_objective(penalty, dynamics):
    atoms, signals = data(4)
    found = SparseCoder(atoms, algorithm="penalty", penalty=penalty, dynamics=dynamics, penalty_weights=MIXED).encode(
        signals
    )
    assert found.status is Status.CONVERGED
    finite = np.where(np.isinf(MIXED), 0.0, MIXED)
    for signal, code in zip(signals, found.coef, strict=True):
        assert code[1] == 0.0
        reached = 0.5 * np.sum((signal - code @ atoms) ** 2) + float(penalty.value(code, finite))
        for j in np.flatnonzero(np.isfinite(MIXED)):
            trials = np.repeat(code[None], 201, axis=0)
            trials[:, j] = np.linspace(-3, 3, 201)  # zero is one of them
            if getattr(penalty, "positive", False):
                trials[:, j] = np.maximum(trials[:, j], 0.0)
            values = 0.5 * np.sum((signal - trials @ atoms) ** 2, axis=1) + penalty.value(trials.T, finite[:, None])
            assert reached <= values.min() + 1e-7


def test_weights_reach_a_penalty_of_ones_own_through_gradient_steps():
    atoms, signals = data(4)
    own, lasso = (
        SparseCoder(atoms, **settings, penalty_weights=MIXED).encode(signals)
        for settings in ({"algorithm": "penalty", "penalty": Own(0.3), "gap_tol": 1e-9}, WAYS["lasso"])
    )
    assert own.status is Status.CONVERGED
    np.testing.assert_allclose(own.objective, lasso.objective, rtol=1e-7)


@every_way
def test_equal_weights_are_a_strength_and_ones_are_none(way):
    atoms, signals = data()
    settings = dict(WAYS[way])
    plain = SparseCoder(atoms, **settings).transform(signals)
    np.testing.assert_array_equal(SparseCoder(atoms, **settings, penalty_weights=np.ones(24)).transform(signals), plain)
    twice = SparseCoder(atoms, **settings, penalty_weights=np.full(24, 2.0)).transform(signals)
    stronger = {"penalty": L1(0.6)} if "penalty" in settings else {"alpha": 2 * settings["alpha"]}
    np.testing.assert_allclose(twice, SparseCoder(atoms, **(settings | stronger)).transform(signals), atol=1e-6)


@every_way
def test_single_precision_stays_and_keeps_its_certificate(way):
    atoms, signals = (part.astype(np.float32) for part in data())
    found = SparseCoder(atoms, **WAYS[way], penalty_weights=MIXED).encode(signals)
    assert found.coef.dtype == np.float32
    assert found.status is Status.CONVERGED


@pytest.mark.parametrize("method", ["online", "mod"])
def test_dictionaries_are_learned_with_a_free_atom(method):
    """A mean that every signal has costs nothing on an atom of its own."""
    rng = np.random.default_rng(0)
    atoms, codes = data()[0], np.where(rng.random((300, 24)) < 0.1, rng.standard_normal((300, 24)), 0.0)
    X = codes @ atoms + rng.uniform(5, 6, (300, 1))
    coder = SparseCoder(algorithm="lasso", alpha=0.1, penalty_weights=[0.0] + [1.0] * 11)
    start = np.vstack([np.full(16, 0.25), rng.standard_normal((11, 16))])
    model = DictionaryLearning(12, method=method, coder=coder, dict_init=start, max_iter=5, tol=None).fit(X)
    assert np.all(model.transform(X)[:, 0] > 10)
    assert abs(np.mean(model.components_[0])) / np.linalg.norm(model.components_[0]) > 0.24


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"n_nonzero_coefs": 2, "penalty_weights": MIXED}, "(?s)penalty_weights=.* has no meaning for algorithm='omp'"),
        ({**WAYS["lasso"], "penalty_weights": MIXED[:5]}, r"penalty_weights has shape \(5,\).*each of the 24 atoms"),
        ({**WAYS["lasso"], "penalty_weights": -MIXED}, r"penalty_weights\[1\] is -inf"),
        ({**WAYS["lasso"], "penalty_weights": np.full(24, np.inf)}, "infinite for every atom"),
        ({"algorithm": "penalty", "penalty": SLOPE(0.3, PRICES), "penalty_weights": MIXED}, "no meaning for SLOPE"),
    ],
)
def test_bad_weights_get_an_error_that_names_them(settings, message):
    atoms, signals = data()
    with pytest.raises(ValueError, match=message):
        SparseCoder(atoms, **settings).transform(signals)


def test_methods_that_change_codes_along_with_atoms_refuse_weights():
    coder = SparseCoder(**WAYS["lasso"], penalty_weights=[0.5, 1.0])
    with pytest.raises(ValueError, match="use method='mod' or 'online'"):
        DictionaryLearning(2, method="ksvd", coder=coder).fit(data()[1])
