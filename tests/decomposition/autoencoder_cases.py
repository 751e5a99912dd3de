"""Signals and quick settings that the tests of sparse autoencoders share."""

import numpy as np

SHAPE = {"n_signals": 1500, "n_features": 12, "n_atoms": 20, "k": 2}
QUICK = {
    "n_components": 20,
    "n_nonzero_coefs": 2,
    "max_iter": 3,
    "batch_size": 200,
    "random_state": 0,
    "dead_latents": None,
}


def planted(n_signals, n_features, n_atoms, k, signed=False, seed=0):
    """Signals of k atoms each, and the atoms."""
    random = np.random.RandomState(seed)
    atoms = random.standard_normal((n_atoms, n_features))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = np.zeros((n_signals, n_atoms))
    for row in codes:
        row[random.choice(n_atoms, k, replace=False)] = random.uniform(1, 2, k) * (
            random.choice([-1, 1], k) if signed else 1
        )
    return codes @ atoms, atoms


def pre_activations(model, X):
    return X @ model.encoder_.T + model.encoder_intercept_
