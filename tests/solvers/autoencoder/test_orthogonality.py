"""The penalty on near neighbours against its definition."""

import numpy as np
import pytest

from sparsecode.solvers.autoencoder.orthogonality import Apart, nearest_overlaps
from sparsecode.solvers.autoencoder.parameters import Life, zeros_like
from tests.solvers.autoencoder import naive


@pytest.mark.parametrize("signed", [False, True])
def test_value_and_gradient_are_those_of_the_definition(signed):
    parameters, X, _ = naive.problem(n_latents=9)
    gradients, atoms = zeros_like(parameters), parameters.decoder
    value = Apart(0.5, signed=signed)(parameters, X, None, gradients, None)
    np.testing.assert_allclose(value, 0.25 * 6 * naive.overlap(atoms, signed), rtol=1e-12)
    expected = naive.slopes(lambda p: 0.25 * 6 * naive.overlap(p.decoder, signed), parameters)
    np.testing.assert_allclose(gradients.decoder, expected.decoder, atol=1e-8)
    assert not any(np.any(part) for part in gradients if part is not gradients.decoder)


def test_opposite_atoms_overlap_only_where_codes_have_signs():
    atoms = np.array([[1.0, 0.0], [-1.0, 0.0]])
    assert nearest_overlaps(atoms)[0] == 0.0
    assert nearest_overlaps(atoms, signed=True)[0] == 2.0


def test_chunks_are_redrawn_and_cover_all_latents():
    parameters, X, _ = naive.problem(1, n_latents=20)
    life = Life(20, np.random.RandomState(0))
    values, met = [], np.zeros(20, dtype=bool)
    for life.n_steps in range(40):
        gradients = zeros_like(parameters)
        values.append(Apart(1.0, chunk=7)(parameters, X, None, gradients, life))
        met |= gradients.decoder.any(axis=1)
    assert met.all() and np.std(values) > 0
    whole = Apart(1.0)(parameters, X, None, zeros_like(parameters), life)
    assert max(values) <= whole * (1 + 1e-12)  # a chunk lacks neighbours


def test_chunks_are_no_larger_than_asked_for(monkeypatch):
    parameters, X, _ = naive.problem(1, n_latents=20)
    sizes = []

    def noted(atoms, signed):
        sizes.append(len(atoms))
        return nearest_overlaps(atoms, signed)

    monkeypatch.setattr("sparsecode.solvers.autoencoder.orthogonality.nearest_overlaps", noted)
    for chunk in (7, 10, 19, 20, 50):
        sizes.clear()
        Apart(1.0, chunk=chunk)(parameters, X, None, zeros_like(parameters), Life(20, np.random.RandomState(0)))
        assert sum(sizes) == 20 and max(sizes) <= chunk and len(sizes) == -(-20 // chunk)
