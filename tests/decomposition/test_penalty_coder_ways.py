"""Other ways to codes under a penalty: neurons that compete, gradient steps, the elastic net; what all share, and dictionaries under them."""

import json
from pathlib import Path
from typing import NamedTuple

import cvxpy as cp
import numpy as np
import pytest
from sklearn.linear_model import ElasticNet
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import (
    CEL0,
    L0,
    L1,
    MCP,
    SLOPE,
    DictionaryLearning,
    GroupL1,
    KSupport,
    L0Ball,
    L1Ridge,
    Lq,
    RowL2,
    SparseCoder,
    fista,
)
from sparsecode.datasets import load_patches, make_dictionary_problem, whiten_image
from sparsecode.metrics import dictionary_recovery, sparsity
from sparsecode.penalties._radial import radial
from tests.decomposition.penalty_cases import (
    CONCAVE,
    JOINED,
    PRICES,
    as_regression,
    coder,
    each,
    naive_minimisers,
    naive_objective,
    problem,
)


@parametrize_with_checks(
    [
        SparseCoder(algorithm="elastic_net", alpha=0.1),
        SparseCoder(algorithm="penalty", penalty=MCP(0.1)),
        SparseCoder(algorithm="penalty", penalty=L0(0.1), dynamics="lca", sparse_output=True),
    ]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


# the elastic net


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("l1_ratio", [0.05, 0.5, 1.0])
def test_elastic_net_codes_are_those_of_scikit_learn(l1_ratio, positive):
    atoms, signals = problem(norms=(0.5, 2.0))
    options = {"alpha": 0.8, "l1_ratio": l1_ratio, "positive_code": positive}
    result = SparseCoder(atoms, algorithm="elastic_net", gap_tol=1e-12, **options).encode(signals)
    peer = ElasticNet(
        0.8 / 16, l1_ratio=l1_ratio, positive=positive, fit_intercept=False, tol=1e-13, max_iter=200_000
    ).fit(atoms.T, signals.T)
    np.testing.assert_allclose(result.coef, peer.coef_, atol=1e-6)
    assert result.certificate_name == "relative duality gap"
    assert np.all(result.certificate <= 1e-12)


def test_elastic_net_gaps_and_objectives_are_recomputed_from_the_codes():
    atoms, signals = problem(n_signals=5)
    for goal in (1e-2, 1e-8):
        result = SparseCoder(atoms, algorithm="elastic_net", alpha=0.6, l1_ratio=0.3, gap_tol=goal).encode(signals)
        for x, c, objective, gap in zip(signals, result.coef, result.objective, result.certificate, strict=True):
            assert objective == pytest.approx(naive_objective(atoms, x, c, L1Ridge(0.6, l1_ratio=0.3)), rel=1e-10)
            code = cp.Variable(len(atoms))
            cost = 0.5 * cp.sum_squares(x - code @ atoms) + 0.18 * cp.norm1(code) + 0.21 * cp.sum_squares(code)
            best = cp.Problem(cp.Minimize(cost)).solve(cp.CLARABEL)
            assert objective - best <= gap * 0.5 * x @ x + 1e-7
            assert gap <= goal


def test_an_elastic_net_without_a_ridge_is_the_lasso():
    atoms, signals = problem()
    np.testing.assert_array_equal(
        SparseCoder(atoms, algorithm="elastic_net", alpha=0.4, l1_ratio=1.0).transform(signals),
        SparseCoder(atoms, algorithm="lasso", alpha=0.4).transform(signals),
    )


def test_elastic_net_codes_may_use_more_atoms_than_there_are_features():
    atoms, signals = problem(n_atoms=60, n_features=8, n_signals=300)
    result = SparseCoder(atoms, algorithm="elastic_net", alpha=0.5, l1_ratio=0.02).encode(signals)
    assert np.count_nonzero(result.coef, axis=1).max() > 8
    assert result.status.name == "CONVERGED"


# neurons that compete


def naive_competition(atoms, signal, penalty, rate, n_steps):
    code = potential = np.zeros(len(atoms))
    inhibition = atoms @ atoms.T - np.eye(len(atoms))
    for _ in range(n_steps):
        potential = potential + rate * (atoms @ signal - potential - inhibition @ code)
        code = penalty.prox(potential, 1.0)
    return code


@each([L1(0.4), MCP(0.4, gamma=1.7), L0(0.3), Lq(0.3)])
def test_competition_takes_the_euler_steps_of_its_equation(penalty):
    from sparsecode.kernels.penalised import competition_codes, silent_ranges

    atoms, signals = problem(n_signals=3)
    gram, corr, ranges = atoms @ atoms.T, signals @ atoms.T, np.empty((2, 40))
    steps = 1.0 / np.diagonal(gram)
    silent_ranges(gram, steps, penalty, ranges)
    for n_steps in (1, 7, 100):
        indptr, indices, values = np.empty(4, np.int64), np.empty(120, np.int32), np.empty(120)
        filled = competition_codes(gram, corr, steps, penalty, ranges, 0.05, 0.0, n_steps, 0, indptr, indices, values)
        codes = np.zeros((3, 40))
        codes[np.repeat(np.arange(3), np.diff(indptr)), indices[:filled]] = values[:filled]
        for signal, code in zip(signals, codes, strict=True):
            np.testing.assert_allclose(code, naive_competition(atoms, signal, penalty, 0.05, n_steps), atol=1e-9)


@pytest.mark.parametrize("norms", [None, (0.5, 1.0)])
def test_competition_with_a_soft_threshold_settles_at_the_lasso(norms):
    atoms, signals = problem(norms=norms)
    result = coder(atoms, L1(0.4), dynamics="lca", gap_tol=1e-8).encode(signals)
    lasso = SparseCoder(atoms, algorithm="lasso", alpha=0.4).encode(signals)
    np.testing.assert_allclose(result.objective, lasso.objective, rtol=1e-6)
    assert np.all(result.certificate <= 1e-8)


@each(CONCAVE)
@pytest.mark.parametrize("norms", [None, (0.5, 1.0)])
def test_competition_settles_where_no_coefficient_alone_can_lower_the_objective(penalty, norms):
    atoms, signals = problem(norms=norms)
    result = coder(atoms, penalty, dynamics="lca").encode(signals)
    assert result.status.name == "CONVERGED"
    codes = result.coef
    if isinstance(penalty, CEL0):
        sizes = np.linalg.norm(atoms, axis=1)
        atoms, codes = atoms / sizes[:, None], codes * sizes
    for signal, code in zip(signals, codes, strict=True):
        best, curvature = naive_minimisers(atoms, signal, code, penalty)
        assert np.max(curvature * np.abs(best - code)) <= 1e-6 * np.max(np.abs(atoms @ signal))


# penalties that no kernel knows


@each(JOINED)
def test_penalties_of_whole_codes_reach_the_minimum(penalty):
    atoms, signals = problem(n_atoms=16, n_features=10, n_signals=2)
    result = coder(atoms, penalty, gap_tol=1e-7).encode(signals)
    assert result.certificate_name == "relative duality gap"
    assert np.all(result.certificate <= 1e-7)
    for x, c, objective in zip(signals, result.coef, result.objective, strict=True):
        assert objective == pytest.approx(naive_objective(atoms, x, c, penalty), rel=1e-10)
        peer = fista(*as_regression(atoms, x), penalty=penalty, tol=1e-8)
        assert objective == pytest.approx(peer.objective, rel=1e-6)
        np.testing.assert_allclose(c, peer.coef, atol=1e-2)


def test_slope_codes_are_those_of_a_conic_solver():
    atoms, signals = problem(n_atoms=16, n_features=10, n_signals=2)
    result = coder(atoms, SLOPE(0.3, PRICES), gap_tol=1e-9).encode(signals)
    for x, objective in zip(signals, result.objective, strict=True):
        code = cp.Variable(16)
        drops = -np.diff(PRICES, append=0.0)
        charge = sum(drop * cp.sum_largest(cp.abs(code), k + 1) for k, drop in enumerate(drops))
        best = cp.Problem(cp.Minimize(0.5 * cp.sum_squares(x - code @ atoms) + 0.3 * charge)).solve(cp.CLARABEL)
        assert objective == pytest.approx(best, rel=1e-6)


def test_the_l0_ball_keeps_its_count_and_is_stationary():
    atoms, signals = problem()
    result = coder(atoms, L0Ball(4)).encode(signals)
    assert np.all(np.count_nonzero(result.coef, axis=1) <= 4)
    assert result.status.name == "CONVERGED"
    for x, c in zip(signals, result.coef, strict=True):
        support = np.flatnonzero(c)
        np.testing.assert_allclose(atoms[support] @ (x - c @ atoms), 0.0, atol=1e-5)
        assert 0.5 * np.sum((x - c @ atoms) ** 2) < 0.5 * x @ x


@radial
class Interpreted(NamedTuple):
    """MCP without a scalar prox."""

    alpha: float
    gamma: float = 3.0
    positive: bool = False

    def cost(self, size):
        return MCP(*self).cost(size)

    def slope(self, size):
        return MCP(*self).slope(size)

    def shrink(self, size, step):
        return MCP(*self).shrink(size, step)


def test_a_penalty_of_the_users_own_needs_no_compiler():
    atoms, signals = problem(n_signals=20)
    result = coder(atoms, Interpreted(0.4)).encode(signals)
    assert result.status.name == "CONVERGED"
    assert result.certificate_name == "relative stationarity"
    compiled = coder(atoms, MCP(0.4)).encode(signals)
    assert np.mean(result.objective) == pytest.approx(np.mean(compiled.objective), rel=0.05)
    with pytest.raises(ValueError, match=r"lca.*Interpreted lacks"):
        coder(atoms, Interpreted(0.4), dynamics="lca").transform(signals)


# formats, threads, scale


@each([L1Ridge(0.3), MCP(0.4), Lq(0.3), GroupL1(0.3, groups=4)])
@pytest.mark.parametrize("dynamics", ["prox", "lca"])
def test_bits_do_not_depend_on_the_number_of_threads(penalty, dynamics):
    if dynamics == "lca" and isinstance(penalty, GroupL1):
        return
    atoms, signals = problem(n_signals=300)
    one, two = (coder(atoms, penalty, dynamics=dynamics, n_jobs=n_jobs).encode(signals) for n_jobs in (1, 2))
    np.testing.assert_array_equal(one.coef, two.coef)
    np.testing.assert_array_equal(one.certificate, two.certificate)
    if not isinstance(penalty, GroupL1):  # whose blocks stop together
        np.testing.assert_array_equal(
            one.coef[37:101], coder(atoms, penalty, dynamics=dynamics).transform(signals[37:101])
        )
    np.testing.assert_array_equal(
        coder(atoms, penalty, dynamics=dynamics, sparse_output=True).transform(signals).toarray(), one.coef
    )


@each([*CONCAVE, JOINED[0]])
def test_zero_signals_get_zero_codes(penalty):
    atoms, _ = problem()
    result = coder(atoms, penalty).encode(np.zeros((3, 16)))
    assert not result.coef.any()
    assert not result.certificate.any()
    assert result.status.name == "CONVERGED"


@pytest.mark.parametrize("scale", [1e-6, 1e6])
def test_scaling_signals_and_strength_scales_the_codes(scale):
    atoms, signals = problem()
    for penalty, power in ((L1(0.3), 1), (MCP(0.3), 1), (L0(0.2), 2), (CEL0(0.2), 2), (Lq(0.3), 1.5)):
        scaled = penalty._replace(alpha=penalty.alpha * scale**power)
        np.testing.assert_allclose(
            coder(atoms, scaled).transform(scale * signals),
            scale * coder(atoms, penalty).transform(signals),
            rtol=1e-6,
            atol=1e-9 * scale,
        )


@each([L1(0.3, positive=True), MCP(0.3, positive=True), Lq(0.3, positive=True), L0(0.2, positive=True)])
def test_positive_penalties_give_positive_codes(penalty):
    atoms, signals = problem()
    codes = coder(atoms, penalty, positive_code=True).transform(signals)
    assert codes.min() >= 0
    assert codes.max() > 0


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({}, "penalty is missing"),
        ({"penalty": "mcp"}, "penalty is the string"),
        ({"penalty": L1}, "penalty is the class L1"),
        ({"penalty": 0.3}, "penalty float lacks"),
        ({"penalty": RowL2(0.3)}, "RowL2 joins the codes"),
        ({"penalty": L0Ball(3, joint=True)}, "L0Ball joins the codes"),
        ({"penalty": KSupport(0.3, 3), "dynamics": "lca"}, "lca.*KSupport"),
        ({"penalty": MCP(0.3, gamma=-1.0)}, "MCP.gamma"),
        ({"penalty": L1(-0.3)}, "penalty.alpha"),
        ({"penalty": L1(0.3), "alpha": 0.3}, "alpha"),
        ({"penalty": L1(0.3), "positive_code": True}, "positive=True too"),
        ({"penalty": KSupport(0.3, 3), "positive_code": True}, "pass one"),
        ({"penalty": L1(0.3), "dynamics": "spikes"}, "dynamics"),
        ({"penalty": L1(0.3), "algorithm": "lasso", "alpha": 0.3}, "penalty"),
        ({"algorithm": "elastic_net"}, "alpha"),
        ({"algorithm": "elastic_net", "alpha": 0.3, "l1_ratio": 0.0}, "l1_ratio"),
        ({"algorithm": "elastic_net", "alpha": 0.3, "l1_ratio": 1.5}, "l1_ratio"),
        ({"algorithm": "lasso", "alpha": 0.3, "l1_ratio": 0.5}, "l1_ratio"),
        ({"algorithm": "lasso", "alpha": 0.3, "dynamics": "lca"}, "dynamics"),
    ],
)
def test_what_cannot_be_honoured_is_refused_by_name(options, word):
    atoms, signals = problem()
    with pytest.raises(ValueError, match=word):
        SparseCoder(atoms, **{"algorithm": "penalty", **options}).fit(signals)


# dictionaries


@pytest.mark.parametrize("method", ["online", "mod"])
@each([L0(0.1), Lq(0.2), CEL0(0.1), MCP(0.4, gamma=2.0)])
def test_dictionaries_are_learned_under_any_penalty(penalty, method):
    planted = make_dictionary_problem(1500, 16, 20, 2, snr_db=30, random_state=0)
    by_penalty = SparseCoder(algorithm="penalty", penalty=penalty)
    learner = DictionaryLearning(20, method=method, coder=by_penalty, max_iter=15, tol=None, random_state=0)
    learner.fit(planted.data)
    assert dictionary_recovery(planted.dictionary, learner.components_) >= 0.9
    result = learner.encode(planted.data)
    assert result.status.name == "CONVERGED"
    assert 1.0 <= sparsity(result.coef) <= 2.0


def test_an_elastic_net_learns():
    planted = make_dictionary_problem(1500, 16, 20, 2, snr_db=30, random_state=0)
    learner = DictionaryLearning(20, coder="elastic_net", alpha=0.3, max_iter=15, tol=None, random_state=0)
    learner.fit(planted.data)
    assert dictionary_recovery(planted.dictionary, learner.components_, threshold=0.97) >= 0.9
    codes = learner.transform(planted.data[:20])
    peer = ElasticNet(0.3 / 16, l1_ratio=0.5, fit_intercept=False, tol=1e-12, max_iter=100_000)
    peer.fit(learner.components_.T, planted.data[:20].T)
    np.testing.assert_allclose(codes, peer.coef_, atol=1e-5)
    with pytest.raises(ValueError, match="needs alpha"):  # its ridge has no natural unit
        DictionaryLearning(20, coder="elastic_net").fit(planted.data)


def test_near_l0_codes_of_a_whitened_photograph_are_sparser_at_half_the_error():
    patches = load_patches(whiten_image(), (10, 10), 2000, random_state=0)
    train, test, start = patches[:1500], patches[1500:], None
    active, missed = [], []
    for penalty in (L1(1.5), L0(0.8)):
        by_penalty = SparseCoder(algorithm="penalty", penalty=penalty)
        learner = DictionaryLearning(100, coder=by_penalty, dict_init=start, max_iter=4, tol=None, random_state=0)
        start = learner.fit(train).components_
        codes = learner.transform(test)
        active.append(sparsity(codes))
        missed.append(np.sum((test - codes @ start) ** 2) / np.sum(test**2))
    assert active[1] < active[0]
    assert missed[1] <= 0.5 * missed[0]


def test_the_measured_errors_near_l0_are_at_most_half_of_those_of_l1():
    matched = json.loads((Path(__file__).parents[2] / "gallery" / "beyond_l1.json").read_text())["matched"]
    for name in ("l_2/3", "l_1/2", "CEL0", "l0"):
        ratios = [ratio for ratio in matched[name].values() if ratio is not None]
        assert len(ratios) >= 3
        assert max(ratios) <= 0.5
