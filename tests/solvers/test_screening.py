"""Selection from columns rounded to eight bits is the selection from all their digits."""

import warnings

import numpy as np
import pytest

from sparsecode import omp
from sparsecode.designs import DenseDesign
from sparsecode.solvers.greedy import residual_pursuit, screening
from sparsecode.solvers.greedy.screening import RoundedColumns
from tests.planted import planted

ORDERS = pytest.mark.parametrize("order", ["C", "F"])


@pytest.fixture
def everywhere(monkeypatch):
    """Rounded columns wherever they are possible; gives the number of columns that were correlated exactly, step by step."""
    monkeypatch.setattr(screening, "_WORK", 0)
    monkeypatch.setattr(screening, "_STEPS", 0)
    seen = []
    plain = RoundedColumns.correlate

    def counted(self, residual, closed):
        among, product = plain(self, residual, closed)
        seen.append(product.size)
        return among, product

    monkeypatch.setattr(RoundedColumns, "correlate", counted)
    return seen


def without(monkeypatch, *args, **options):
    """The same call on the columns themselves."""
    with monkeypatch.context() as patch:
        patch.setattr(residual_pursuit, "pays", lambda *_: False)
        return omp(*args, **options)


@ORDERS
@pytest.mark.parametrize("shape", [(30, 50), (64, 64), (101, 700), (7, 129), (200, 2)])
@pytest.mark.parametrize("dtype", [np.float64, np.float32])
def test_rounded_correlations_stay_within_their_bounds(order, shape, dtype):
    rng = np.random.default_rng(0)
    A = np.asarray(rng.standard_normal(shape) * rng.uniform(1e-3, 1e3, shape[1]), dtype=dtype, order=order)
    A[:, shape[1] // 2] = 0.0
    design = DenseDesign(A)
    norms = np.where(design.column_sq_norms() > 0, design.column_sq_norms(), 1.0)
    columns = RoundedColumns(design, 1.0 / norms, False)
    residual = rng.standard_normal(shape[0])
    among, product = columns.correlate(residual, np.zeros(shape[1], dtype=bool))
    exact = A.T.astype(float) @ residual
    score = np.abs(exact) / np.sqrt(norms)
    among = np.arange(shape[1]) if among is None else among
    assert np.argmax(score) in among
    accuracy = 1e-12 if dtype == np.float64 else 1e-5
    np.testing.assert_allclose(product, exact[among], atol=accuracy * np.max(np.abs(exact[among])))
    low, high = columns.scores.reshape(2, -1)[:, : shape[1]].astype(float)
    factor = np.max(np.abs(A), axis=0) / 127.0 / np.sqrt(norms)
    true = score / np.linalg.norm(residual) / np.max(factor)  # in the units of the kernel
    assert np.all(true <= high)
    assert np.all(true >= low)
    assert np.all(high - low <= 0.1 / np.max(factor))


@ORDERS
@pytest.mark.parametrize("positive", [False, True])
def test_the_pursuit_selects_what_the_columns_themselves_would(order, positive, everywhere, monkeypatch):
    for seed in range(6):
        A, y, _ = planted(60, 900, 8, noise=0.3, seed=seed)
        A = np.asarray(A * np.random.default_rng(seed).uniform(0.01, 100.0, 900), order=order)
        weights = np.random.default_rng(seed).uniform(0.5, 2.0, 900)
        weights[:2] = 0.0, np.inf
        for options in ({}, {"penalty_weights": weights}):
            everywhere.clear()
            result = omp(A, y, n_nonzero=20, positive=positive, **options)
            expected = without(monkeypatch, A, y, n_nonzero=20, positive=positive, **options)
            assert result.history["selected"] == expected.history["selected"]
            np.testing.assert_allclose(result.coef, expected.coef, rtol=1e-9)
            assert len(everywhere) >= 15
            assert np.median(everywhere) < 100  # most columns were never read again


def test_single_precision_selects_the_same(everywhere, monkeypatch):
    A, y, _ = planted(60, 900, 8, noise=0.3, dtype=np.float32)
    expected = without(monkeypatch, A, y, n_nonzero=20)
    assert omp(A, y, n_nonzero=20).history["selected"] == expected.history["selected"]
    assert everywhere


@pytest.mark.parametrize("spoil", ["spike", "duplicates", "tiny", "huge"])
def test_columns_that_round_badly_are_no_danger(spoil, everywhere, monkeypatch):
    A, y, _ = planted(60, 300, 8, noise=0.3)
    if spoil == "spike":
        A[np.arange(300) % 60, np.arange(300)] += 1e4  # everything else rounds to zero
    elif spoil == "duplicates":
        A[:, 150:] = A[:, :150]
    else:
        A *= 1e-100 if spoil == "tiny" else 1e100
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result, expected = omp(A, y, n_nonzero=20), without(monkeypatch, A, y, n_nonzero=20)
    assert result.history["selected"] == expected.history["selected"]


@ORDERS
@pytest.mark.parametrize("spread", [6, 23, 60])
def test_norms_over_any_number_of_decades_select_the_columns_that_unit_norms_would(
    order, spread, everywhere, monkeypatch
):
    A, y, _ = planted(60, 900, 8, noise=0.3)
    scaled = np.asarray(A * 10.0 ** np.random.default_rng(7).uniform(-spread, spread, 900), order=order)
    expected = without(monkeypatch, A, y, n_nonzero=20).history["selected"]
    assert omp(scaled, y, n_nonzero=20).history["selected"] == expected
    assert np.median(everywhere) < 100


@pytest.mark.parametrize("spread", [20, 60])
def test_weights_over_any_number_of_decades_decide_as_without_rounding(spread, everywhere, monkeypatch):
    A, y, _ = planted(60, 900, 8, noise=0.3)
    weights = 10.0 ** np.random.default_rng(7).uniform(-spread, spread, 900)
    options = {"n_nonzero": 20, "penalty_weights": weights}
    expected = without(monkeypatch, A, y, **options).history["selected"]
    assert omp(A, y, **options).history["selected"] == expected


def test_a_dependent_column_gives_way_to_the_exact_next_best(everywhere, monkeypatch):
    A, y, _ = planted(60, 300, 4, noise=0.3)
    A[:, 7] = A[:, 3] + 1e-7 * A[:, 8]
    y = y + 100.0 * A[:, 3] + 1e-3 * A[:, 8]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        result, expected = omp(A, y, n_nonzero=30), without(monkeypatch, A, y, n_nonzero=30)
    assert result.history["selected"] == expected.history["selected"]


def test_threads_and_read_only_memory_change_no_bit(everywhere):
    A, y, _ = planted(60, 6000, 8, noise=0.3)
    one = omp(A, y, n_nonzero=20, n_jobs=1)
    A.setflags(write=False)
    np.testing.assert_array_equal(omp(A, y, n_nonzero=20, n_jobs=2).coef, one.coef)


def test_small_jobs_many_targets_and_other_designs_are_left_alone():
    A, Y, _ = planted(60, 900, 8, n_targets=2)
    from sparsecode.solvers.greedy.rules import make_settings

    def asks(design, n_targets, **options):
        request = {"n_nonzero": 50, "tol": None, "atol": None, "selection": "omp", "positive": False, **options}
        return screening.pays(design, make_settings(**request, shape=design.shape, dtype=np.float64), n_targets)

    big = DenseDesign(np.lib.stride_tricks.as_strided(np.zeros(1), (1000, 10_000), (0, 0)))
    big.array = np.empty((1000, 10_000))
    assert asks(big, 1)
    assert not asks(big, 2)
    assert not asks(big, 1, selection="ols")
    assert not asks(big, 1, n_nonzero=10)
    assert not asks(DenseDesign(A), 1)
    strided = DenseDesign(np.empty((1000, 20_000))[:, ::2])
    assert not asks(strided, 1)
