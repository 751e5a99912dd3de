"""Success rates of the thresholding solvers on noiseless gaussian problems, against rates measured with other code."""

import warnings

import numpy as np
import pytest

from sparsecode import htp, iht, null_space_tuning

N_FEATURES, TRIALS = 400, 30

SOLVERS = {
    "htp": lambda A, y, k: htp(A, y, k, max_iter=100),
    "niht": lambda A, y, k: iht(A, y, k, max_iter=500),
    "iht": lambda A, y, k: iht(A, y, k, step="fixed", max_iter=500),
    "nst": lambda A, y, k: null_space_tuning(A, y, k, max_iter=200),
    "adaptive": lambda A, y, k: null_space_tuning(A, y, max_iter=200),
}

RATES = {  # m / N, k / m: gaussian and sign coefficients
    "htp": {(0.25, 0.2): (1.00, 0.80), (0.25, 0.3): (0.76, 0.00), (0.5, 0.3): (1.00, 0.26), (0.5, 0.4): (0.78, 0.00)},
    "niht": {(0.25, 0.2): (1.00, 0.68), (0.25, 0.3): (0.48, 0.04), (0.5, 0.3): (0.98, 0.32), (0.5, 0.4): (0.46, 0.00)},
    "iht": {(0.25, 0.1): (0.32, 0.10), (0.25, 0.2): (0.32, 0.00), (0.5, 0.1): (0.92, 0.40), (0.5, 0.2): (0.74, 0.04)},
    "nst": {(0.25, 0.1): (0.94, 0.68), (0.25, 0.2): (0.74, 0.06), (0.5, 0.3): (1.00, 0.56), (0.5, 0.4): (0.74, 0.02)},
    "adaptive": {
        (0.25, 0.2): (1.00, 0.82),
        (0.25, 0.3): (0.90, 0.0),
        (0.5, 0.4): (1.00, 0.00),
        (0.5, 0.5): (0.48, 0.0),
    },
}


def trial(delta, rho, number):
    """The problem of a cell: unit columns, gaussian coefficients on a random support."""
    rng = np.random.default_rng([20240, int(100 * delta), int(100 * rho), number])
    n_samples = round(delta * N_FEATURES)
    sparsity = round(rho * n_samples)
    A = rng.standard_normal((n_samples, N_FEATURES))
    A /= np.linalg.norm(A, axis=0)
    support = rng.choice(N_FEATURES, sparsity, replace=False)
    values = rng.standard_normal(sparsity)
    return A, support, values


def rate(solve, delta, rho, signs):
    """Share of the trials in which the coefficients come back to 1e-3."""
    successes = 0
    for number in range(TRIALS):
        A, support, values = trial(delta, rho, number)
        coef = np.zeros(N_FEATURES)
        coef[support] = np.sign(values) if signs else values
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            found = solve(A, A @ coef, len(support)).coef
        successes += np.linalg.norm(found - coef) <= 1e-3 * np.linalg.norm(coef)
    return successes / TRIALS


@pytest.mark.parametrize("signs", [False, True], ids=["gaussian", "signs"])
@pytest.mark.parametrize(
    ("name", "cell"),
    [pytest.param(name, cell, id=f"{name}-{cell[0]}-{cell[1]}") for name in RATES for cell in RATES[name]],
)
def test_success_rates_are_those_measured_before(name, cell, signs):
    assert rate(SOLVERS[name], *cell, signs) == pytest.approx(RATES[name][cell][signs], abs=0.15)
