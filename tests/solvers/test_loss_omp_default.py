"""The strength that loss-based OMP takes by default: it keeps columns of noise out, one case in twenty apart, and no others."""

import numpy as np
import pytest
from scipy.stats import beta

from sparsecode import LossOMP, loss_omp

KINDS = {
    "square_root": {},
    "absolute": {"loss": "absolute"},
    "scale_free": {"penalty": "l0", "scale_free": True},
}


def columns(rng, n_samples, n_features, norms):
    """Random columns: Gaussian ones, of norm one, or of very different norms."""
    A = rng.standard_normal((n_samples, n_features))
    if norms == "unit":
        return A / np.linalg.norm(A, axis=0)
    return A * np.exp(rng.standard_normal(n_features)) if norms == "mixed" else A


def chance(cosine, n_samples, complex_=False):
    """Of a random column to have at least that cosine with a given vector."""
    first, second = (1.0, n_samples - 1.0) if complex_ else (0.5, (n_samples - 1) / 2)
    return beta(first, second).sf(np.minimum(cosine, 1.0) ** 2)


def expected_exceedances(A, alpha):
    """How many columns of noise reach a price of `alpha`, on average."""
    sizes = np.linalg.norm(A, axis=0) / np.sqrt(len(A))
    return np.sum(chance(alpha / sizes, len(A), np.iscomplexobj(A)))


@pytest.mark.parametrize(("n_samples", "n_features"), [(20, 40), (20, 500), (60, 100), (400, 50)])
@pytest.mark.parametrize("norms", ["gaussian", "unit", "mixed"])
@pytest.mark.parametrize("complex_", [False, True])
def test_the_default_lets_a_column_of_noise_in_one_time_in_twenty(n_samples, n_features, norms, complex_):
    rng = np.random.default_rng(0)
    A = columns(rng, n_samples, n_features, norms)
    A = A * np.exp(2j * np.pi * rng.random(A.shape)) if complex_ else A
    y = rng.standard_normal(n_samples)
    alpha = loss_omp(A, y, n_nonzero=1).history["alpha"]
    rtol = 1e-8 if norms == "unit" else 0.02
    np.testing.assert_allclose(expected_exceedances(A, alpha), 0.05, rtol=rtol)
    if not complex_:
        np.testing.assert_allclose(loss_omp(A, y, n_nonzero=1, loss="absolute").history["alpha"], alpha, rtol=1e-12)
    angle = 1.0 - loss_omp(A, y, n_nonzero=1, **KINDS["scale_free"]).history["alpha"]
    np.testing.assert_allclose(n_features * chance(np.sqrt(1.0 - angle**2), n_samples, complex_), 0.05, rtol=1e-8)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("norms", ["gaussian", "unit", "mixed"])
def test_noise_alone_selects_a_column_in_few_draws(kind, norms):
    selected = []
    for seed in range(200):
        rng = np.random.default_rng(seed)
        A = columns(rng, 25, 60, norms)
        selected.append(loss_omp(A, rng.standard_normal(25), n_nonzero=1, **KINDS[kind]).support.size)
    assert 1 <= np.sum(selected) <= 20


@pytest.mark.parametrize(
    ("n_samples", "n_features", "sparsity", "loss", "least"),
    [
        (30, 100, 2, "square_root", 16),
        (60, 100, 2, "square_root", 17),
        (60, 100, 2, "absolute", 17),
        (100, 100, 5, "square_root", 17),
        (100, 100, 5, "absolute", 15),
        (200, 400, 10, "square_root", 17),
    ],
)
def test_planted_columns_and_no_others_are_found_with_few_samples_and_with_many(
    n_samples, n_features, sparsity, loss, least
):
    exact = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((n_samples, n_features))
        support = np.sort(rng.choice(n_features, sparsity, replace=False))
        y = A[:, support] @ rng.uniform(1.0, 2.0, sparsity) + 0.1 * rng.standard_normal(n_samples)
        exact += loss_omp(A, y, loss=loss).support.tolist() == support.tolist()
    assert exact >= least


def test_gross_errors_bring_no_wrong_columns_into_absolute_deviations():
    exact = 0
    for seed in range(20):
        rng = np.random.default_rng(seed)
        A = rng.standard_normal((100, 100))
        y = 3 * A[:, 7] - 2 * A[:, 50] + 0.1 * rng.standard_normal(100)
        y[:6] += 100
        exact += loss_omp(A, y, loss="absolute").support.tolist() == [7, 50]
    assert exact >= 17


@pytest.mark.parametrize("loss", ["square_root", "absolute", "squared"])
@pytest.mark.parametrize("penalty", ["l1", "l0"])
def test_a_sample_of_weight_two_counts_twice(loss, penalty):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((30, 12)) * np.exp(rng.standard_normal(12)), rng.standard_normal(30)
    weights = rng.integers(0, 4, 30)
    how = {"loss": loss, "penalty": penalty}
    for weighted, repeated in (
        (
            loss_omp(A, y, sample_weight=weights, **how).history["alpha"],
            loss_omp(np.repeat(A, weights, axis=0), np.repeat(y, weights), **how).history["alpha"],
        ),
        (
            LossOMP(**how).fit(A, y, sample_weight=weights).alpha_,
            LossOMP(**how).fit(np.repeat(A, weights, axis=0), np.repeat(y, weights)).alpha_,
        ),
    ):
        np.testing.assert_allclose(weighted, repeated, rtol=1e-10)


@pytest.mark.parametrize("loss", ["square_root", "absolute"])
def test_an_intercept_takes_a_dimension(loss):
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((15, 40)), rng.standard_normal(15)
    centred = A - A.mean(axis=0)
    centred /= np.linalg.norm(centred, axis=0) / np.sqrt(15)
    alpha = LossOMP(loss).fit(centred + 3.0, y).alpha_
    np.testing.assert_allclose(40 * chance(alpha, 14), 0.05, rtol=1e-8)


WEIGHED = KINDS | {
    "root_l0": {"penalty": "l0"},
    "squared": {"loss": "squared"},
    "squared_l0": {"loss": "squared", "penalty": "l0"},
}


@pytest.mark.parametrize("kind", WEIGHED)
@pytest.mark.parametrize("norms", ["unit", "mixed"])
def test_weights_keep_the_level_of_the_default(kind, norms):
    rng = np.random.default_rng(0)
    A = columns(rng, 60, 100, norms)
    y, weights = rng.standard_normal(60), np.where(np.arange(100) < 20, 0.5, np.exp(0.3 * rng.standard_normal(100)))
    how = WEIGHED[kind] | {"n_nonzero": 1}
    alpha = loss_omp(A, y, penalty_weights=weights, **how).history["alpha"]
    sizes, noise = np.linalg.norm(A, axis=0) / np.sqrt(60), 0.1 * np.linalg.norm(y) / np.sqrt(60)
    cosines = {
        "scale_free": np.sqrt(1.0 - np.maximum(1.0 - alpha * weights**2, 0.0) ** 2),
        "root_l0": np.sqrt(1.0 - np.maximum(1.0 - alpha * weights**2 / noise, 0.0) ** 2),
        "squared": alpha * weights / (sizes * noise),
        "squared_l0": np.sqrt(2.0 * alpha) * weights / noise,
    }.get(kind, alpha * weights / sizes)
    np.testing.assert_allclose(np.sum(chance(cosines, 60)), 0.05, rtol=0.02)
    power = 2 if how.get("penalty") == "l0" else 1
    halved = loss_omp(A, y, penalty_weights=0.5 * weights, **how)
    np.testing.assert_allclose(halved.history["alpha"], alpha * 2.0**power, rtol=1e-10)


@pytest.mark.parametrize("kind", KINDS)
def test_noise_alone_selects_as_rarely_where_columns_are_cheap(kind):
    selected, weights = [], np.where(np.arange(60) < 10, 0.4, 1.0)
    for seed in range(200):
        rng = np.random.default_rng(seed)
        A, y = rng.standard_normal((25, 60)), rng.standard_normal(25)
        selected.append(loss_omp(A, y, n_nonzero=1, penalty_weights=weights, **KINDS[kind]).support.size)
    assert 1 <= np.sum(selected) <= 20


def test_columns_that_cannot_be_selected_do_not_count():
    rng = np.random.default_rng(0)
    A, y = rng.standard_normal((40, 30)), rng.standard_normal(40)
    weights = np.where(np.arange(30) < 10, 1.0, np.inf)
    weights[10:12] = 0.0
    wide = np.column_stack([A, np.zeros(40)])
    given = loss_omp(wide, y, penalty_weights=np.append(weights, 1.0)).history["alpha"]
    np.testing.assert_allclose(given, loss_omp(A[:, :10], y).history["alpha"], rtol=1e-12)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 5), (2, 3), (3, 1)])
def test_the_smallest_problems_have_a_default(kind, shape):
    rng = np.random.default_rng(0)
    result = loss_omp(rng.standard_normal(shape), rng.standard_normal(shape[0]), **KINDS[kind])
    assert np.isfinite(result.history["alpha"])
    assert np.all(np.isfinite(result.coef))
