"""Planted problems keep what they promise: design, support, values, noise."""

import numpy as np
import pytest

from sparsecode.datasets import make_dictionary_problem, make_sparse_recovery

ENSEMBLES = ("gaussian", "sign", "partial_dct", "partial_fourier", "correlated", "ill_conditioned", "nonzero_mean")
LAWS = ("gaussian", "sign", "uniform", "decaying", "positive")


def norms(design):
    return np.linalg.norm(design, axis=0)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
@pytest.mark.parametrize("n_targets", [None, 3])
def test_target_is_design_times_coef_plus_noise(ensemble, n_targets):
    problem = make_sparse_recovery(30, 60, 5, n_targets=n_targets, ensemble=ensemble, snr_db=10, random_state=0)
    np.testing.assert_allclose(problem.design @ problem.coef + problem.noise, problem.target, atol=1e-12)
    assert problem.target.shape == ((30,) if n_targets is None else (30, n_targets))


@pytest.mark.parametrize("law", LAWS)
def test_support_lists_the_nonzero_coefficients_in_order(law):
    problem = make_sparse_recovery(30, 60, 7, n_targets=4, coef=law, random_state=1)
    for target in range(4):
        np.testing.assert_array_equal(np.flatnonzero(problem.coef[:, target]), problem.support[:, target])


def test_without_noise_the_noise_is_zero():
    assert not make_sparse_recovery(20, 40, 3, random_state=0).noise.any()


def test_zero_nonzeros_plant_nothing():
    problem = make_sparse_recovery(20, 40, 0, random_state=0)
    assert not problem.target.any()
    assert problem.support.size == 0


@pytest.mark.parametrize("ensemble", ["gaussian", "sign", "partial_fourier", "correlated", "nonzero_mean"])
def test_columns_have_norm_one(ensemble):
    np.testing.assert_allclose(norms(make_sparse_recovery(30, 80, 3, ensemble=ensemble, random_state=0).design), 1.0)


@pytest.mark.parametrize("ensemble", ["partial_dct", "ill_conditioned"])
def test_columns_have_mean_square_one(ensemble):
    design = make_sparse_recovery(30, 80, 3, ensemble=ensemble, random_state=0).design
    assert np.mean(norms(design) ** 2) == pytest.approx(1.0)


def test_gaussian_entries_are_normal():
    design = make_sparse_recovery(400, 200, 3, random_state=0).design * np.sqrt(400)
    assert np.mean(design**4) == pytest.approx(3.0, abs=0.1)  # kurtosis of a normal variable
    assert np.mean(design) == pytest.approx(0.0, abs=0.02)


def test_sign_entries_have_one_magnitude():
    design = make_sparse_recovery(25, 50, 3, ensemble="sign", random_state=0).design
    np.testing.assert_allclose(np.abs(design), 0.2)
    assert abs(np.mean(np.sign(design))) < 0.1


@pytest.mark.parametrize("ensemble", ["partial_dct", "partial_fourier"])
def test_rows_of_a_transform_are_orthogonal_and_equal_in_norm(ensemble):
    design = make_sparse_recovery(30, 80, 3, ensemble=ensemble, random_state=0).design
    np.testing.assert_allclose(design @ design.conj().T, np.eye(30) * 80 / 30, atol=1e-12)


@pytest.mark.parametrize("ensemble", ["partial_dct", "partial_fourier"])
def test_operator_and_matrix_plant_the_same_problem(ensemble):
    options = {"ensemble": ensemble, "n_targets": 2, "snr_db": 20, "random_state": 5}
    matrix = make_sparse_recovery(30, 80, 3, **options)
    operator = make_sparse_recovery(30, 80, 3, as_operator=True, **options)
    np.testing.assert_allclose(operator.design @ np.eye(80), matrix.design, atol=1e-12)
    np.testing.assert_allclose(operator.target, matrix.target, atol=1e-12)


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.95])
def test_neighbouring_columns_have_the_correlation_asked_for(correlation):
    design = make_sparse_recovery(3000, 20, 3, ensemble="correlated", correlation=correlation, random_state=0).design
    gram = design.T @ design
    for lag in (1, 2, 5):
        assert np.mean(np.diag(gram, lag)) == pytest.approx(correlation**lag, abs=0.03)


def test_condition_number_is_the_one_asked_for():
    design = make_sparse_recovery(30, 80, 3, ensemble="ill_conditioned", condition_number=1e5, random_state=0).design
    values = np.linalg.svd(design, compute_uv=False)
    np.testing.assert_allclose(values[:-1] / values[1:], 1e5 ** (1 / 29), rtol=1e-6)


def test_nonzero_mean_aligns_the_columns():
    design = make_sparse_recovery(3000, 30, 3, ensemble="nonzero_mean", mean=2.0, random_state=0).design
    cosines = (design.T @ design)[np.triu_indices(30, 1)]
    assert np.mean(cosines) == pytest.approx(4.0 / 5.0, abs=0.02)  # mean^2 / (1 + mean^2)


@pytest.mark.parametrize("ensemble", ["gaussian", "partial_fourier"])
@pytest.mark.parametrize("snr_db", [0.0, 17.0])
def test_noise_has_the_strength_asked_for_in_every_target(ensemble, snr_db):
    problem = make_sparse_recovery(2000, 2001, 10, n_targets=5, ensemble=ensemble, snr_db=snr_db, random_state=0)
    clean = problem.target - problem.noise
    measured = 10 * np.log10(np.sum(np.abs(clean) ** 2, axis=0) / np.sum(np.abs(problem.noise) ** 2, axis=0))
    np.testing.assert_allclose(measured, snr_db, atol=0.5)  # standard error 4.3 sqrt(2 / 2000) = 0.14


def test_targets_share_their_support_only_if_asked():
    shared = make_sparse_recovery(30, 60, 5, n_targets=4, joint_support=True, random_state=0).support
    assert np.all(shared == shared[:, :1])
    own = make_sparse_recovery(30, 60, 5, n_targets=4, random_state=0).support
    assert np.any(own != own[:, :1])


def test_every_feature_is_planted_equally_often():
    support = make_sparse_recovery(5, 10, 3, n_targets=4000, random_state=0).support
    np.testing.assert_allclose(np.bincount(support.ravel()) / 4000, 0.3, atol=0.03)


def test_coefficient_laws():
    def values(law, **options):
        problem = make_sparse_recovery(5, 4000, 2000, coef=law, random_state=0, **options)
        return problem.coef[problem.support]

    assert np.std(values("gaussian")) == pytest.approx(1.0, abs=0.06)
    np.testing.assert_array_equal(np.unique(values("sign")), [-1.0, 1.0])
    assert np.mean(np.abs(values("uniform"))) == pytest.approx(0.5, abs=0.03)
    assert np.abs(values("uniform")).max() <= 1.0
    assert values("positive").min() > 0
    decaying = np.sort(np.abs(values("decaying", decay=0.99)))[::-1]
    np.testing.assert_allclose(decaying[1:] / decaying[:-1], 0.99)


def test_complex_signs_have_modulus_one_and_every_phase():
    problem = make_sparse_recovery(50, 400, 300, ensemble="partial_fourier", coef="sign", random_state=0)
    values = problem.coef[problem.support]
    np.testing.assert_allclose(np.abs(values), 1.0)
    assert abs(np.mean(values)) < 0.15


def test_sign_and_gaussian_laws_share_design_support_and_signs():
    gaussian, sign = (make_sparse_recovery(30, 60, 5, coef=law, random_state=[7, 8]) for law in ("gaussian", "sign"))
    np.testing.assert_array_equal(gaussian.design, sign.design)
    np.testing.assert_array_equal(np.sign(gaussian.coef), sign.coef)


def test_draws_follow_the_documented_order():
    rng = np.random.default_rng([20240, 25, 10, 3])
    design = rng.standard_normal((25, 100))
    support = rng.choice(100, 6, replace=False)
    values = rng.standard_normal(6)
    problem = make_sparse_recovery(25, 100, 6, random_state=[20240, 25, 10, 3])
    np.testing.assert_allclose(problem.design, design / np.linalg.norm(design, axis=0))
    np.testing.assert_array_equal(problem.coef[support], values)


@pytest.mark.parametrize("ensemble", ENSEMBLES)
def test_single_precision_stays_single(ensemble):
    problem = make_sparse_recovery(20, 40, 3, ensemble=ensemble, snr_db=10, dtype=np.float32, random_state=0)
    expected = np.complex64 if ensemble == "partial_fourier" else np.float32
    assert {problem[name].dtype for name in ("design", "target", "coef", "noise")} == {np.dtype(expected)}


@pytest.mark.parametrize(
    "make", [np.random.default_rng, np.random.RandomState, int], ids=["Generator", "RandomState", "int"]
)
def test_same_random_state_same_bits(make):
    first, second = (make_sparse_recovery(20, 40, 3, snr_db=10, random_state=make(4)) for _ in range(2))
    np.testing.assert_array_equal(first.target, second.target)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"ensemble": "bernoulli"}, "ensemble"),
        ({"coef": "cauchy"}, "coef"),
        ({"n_nonzero": 41}, "n_nonzero"),
        ({"n_nonzero": -1}, "n_nonzero"),
        ({"n_samples": 50, "ensemble": "partial_dct"}, "n_samples"),
        ({"as_operator": True}, "as_operator"),
        ({"correlation": 1.0, "ensemble": "correlated"}, "correlation"),
        ({"condition_number": 0.5, "ensemble": "ill_conditioned"}, "condition_number"),
        ({"decay": 0.0}, "decay"),
        ({"dtype": np.int64}, "dtype"),
        ({"snr_db": np.nan}, "snr_db"),
        ({"random_state": "seed"}, "random_state"),
    ],
)
def test_arguments_out_of_range_are_named(change, named):
    with pytest.raises(ValueError, match=named):
        make_sparse_recovery(**({"n_samples": 20, "n_features": 40, "n_nonzero": 3} | change))


def test_dictionary_problem_plants_sparse_rows_over_unit_atoms():
    problem = make_dictionary_problem(50, 12, 20, 3, snr_db=20, random_state=0)
    np.testing.assert_allclose(problem.code @ problem.dictionary + problem.noise, problem.data, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(problem.dictionary, axis=1), 1.0)
    np.testing.assert_array_equal(np.count_nonzero(problem.code, axis=1), 3)


def test_dictionary_problem_uses_all_atoms_equally_often():
    problem = make_dictionary_problem(6000, 4, 10, 2, random_state=0)
    np.testing.assert_allclose(np.mean(problem.code != 0, axis=0), 0.2, atol=0.03)


def test_dictionary_noise_has_the_strength_asked_for_in_every_signal():
    problem = make_dictionary_problem(20, 3000, 40, 3, snr_db=12, random_state=0)
    clean = problem.code @ problem.dictionary
    measured = 10 * np.log10(np.sum(clean**2, axis=1) / np.sum(problem.noise**2, axis=1))
    np.testing.assert_allclose(measured, 12.0, atol=0.5)


def test_dictionary_problem_refuses_more_atoms_than_there_are():
    with pytest.raises(ValueError, match="n_nonzero"):
        make_dictionary_problem(5, 4, 3, 4)
