"""Smooth concave penalties on small data, by Newton steps and sweeps that are not compiled."""

from __future__ import annotations

import numpy as np
import pytest

from sparsecode import MCP, SCAD, regularization_path, solve
from sparsecode.solvers.coordinate import pieces


@pytest.mark.parametrize("penalty", [MCP(0.3), MCP(0.3, positive=True), SCAD(0.3)], ids=repr)
@pytest.mark.parametrize("weighted", [False, True])
def test_no_coordinate_alone_lowers_the_objective(penalty, weighted):
    rng = np.random.default_rng(0)
    A = rng.standard_normal((60, 90)) + 0.5 * rng.standard_normal((60, 1))
    y = A[:, :4] @ [3.0, -2.0, 1.0, 1.0] + 0.5 * rng.standard_normal(60)
    weights = rng.uniform(0.5, 2.0, 90) if weighted else np.ones(90)
    result = solve(A, y, penalty=penalty, penalty_weights=weights if weighted else None, tol=1e-9)
    assert result.certificate <= 1e-9

    def objective(coef):
        return 0.5 * np.mean((y - A @ coef) ** 2) + float(penalty.value(coef, weights))

    best = objective(result.coef)
    for j in range(90):
        for value in [0.0, *(result.coef[j] + np.linspace(-1.0, 1.0, 41))]:
            coef = result.coef.copy()
            coef[j] = value
            if not (penalty.positive and value < 0):
                assert objective(coef) >= best * (1 - 1e-9)


@pytest.mark.parametrize("penalty", [MCP(1.0), SCAD(1.0)], ids=repr)
def test_the_minima_are_as_low_as_those_of_compiled_sweeps(penalty, monkeypatch):
    rng = np.random.default_rng(1)
    A = rng.standard_normal((80, 120))
    y = A[:, :5] @ np.ones(5) + 0.5 * rng.standard_normal(80)
    here = regularization_path(A, y, penalty=penalty, n_alphas=30)
    monkeypatch.setattr(pieces, "_SIDE", 0)
    there = regularization_path(A, y, penalty=penalty, n_alphas=30)
    lower = [a.objective - b.objective for a, b in zip(here.results, there.results, strict=True)]
    assert here.certificates.max() <= 1e-6
    assert np.mean(lower) <= 1e-4 * here.results[0].objective
