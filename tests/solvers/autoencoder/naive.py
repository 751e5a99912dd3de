"""Sparse autoencoders word for word from their definitions: dense codes, one signal after another, plain NumPy, no gradients."""

import numpy as np


def problem(seed=0, n_signals=12, n_features=6, n_latents=10, n_targets=None, scale=0.3):
    """Parameters whose atoms have norm one, in double precision, and signals with targets."""
    from sparsecode.solvers.autoencoder.parameters import Parameters

    random = np.random.RandomState(seed)
    n_targets = n_targets or n_features
    atoms = random.standard_normal((n_latents, n_targets))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    parameters = Parameters(
        random.standard_normal((n_latents, n_features)) / np.sqrt(n_features),
        scale * random.standard_normal(n_latents),
        atoms,
        scale * random.standard_normal(n_targets),
        np.zeros(n_latents),
    )
    X = random.standard_normal((n_signals, n_features))
    return parameters, X, X if n_targets == n_features else random.standard_normal((n_signals, n_targets))


def pre_activation(parameters, x):
    """``W x + b_e``."""
    return parameters.encoder @ x + parameters.encoder_bias


def largest(pre, count, signed=False):
    """The projection of one vector on ``{||z||_0 <= count}``, of numbers that are not negative unless signed."""
    size = np.abs(pre) if signed else np.maximum(pre, 0.0)
    order = sorted(range(pre.size), key=lambda j: (-size[j], j))[:count]
    code = np.zeros_like(pre)
    for j in order:
        if size[j] > 0:
            code[j] = pre[j]
    return code


def topk_codes(parameters, X, count, signed=False):
    """Codes (n, m)."""
    return np.array([largest(pre_activation(parameters, x), count, signed) for x in X])


def flat_loss(parameters, Z, target):
    """Mean over signals of half the squared misfit."""
    return np.mean(
        [
            0.5 * np.sum((z @ parameters.decoder + parameters.decoder_bias - t) ** 2)
            for z, t in zip(Z, target, strict=True)
        ]
    )


def matryoshka_loss(parameters, Z, target, sizes):
    """The mean over prefixes of latents."""
    return np.mean([flat_loss(parameters, Z * (np.arange(Z.shape[1]) < size), target) for size in sizes])


def budgets_loss(parameters, Z, target, budgets):
    """The mean over budgets, of the largest entries of each code."""
    return np.mean([flat_loss(parameters, np.array([largest(z, k, True) for z in Z]), target) for k in budgets])


def pursuit(x, atoms, n_steps, positive=True):
    """The code of one signal after so many steps, each the one that lowers the squared residual most; unit atoms."""
    code = np.zeros(atoms.shape[0])
    norms = [float(x @ x)]
    for _ in range(n_steps):
        residual = x - code @ atoms
        change = atoms @ residual
        if positive:
            change = np.maximum(change, -code)
        after = np.array([np.sum((residual - c * a) ** 2) for c, a in zip(change, atoms, strict=True)])
        j = int(np.argmin(after))
        if norms[-1] - after[j] <= 1e-24 * norms[0]:
            break
        code[j] += change[j]
        norms.append(after[j])
    return code, norms


def pursuit_loss(parameters, X, n_steps, positive=True):
    """Mean over signals of half the squared residual of the pursuit; atoms divided by their norm first."""
    atoms = parameters.decoder / np.linalg.norm(parameters.decoder, axis=1, keepdims=True)
    left = [pursuit(x - parameters.decoder_bias, atoms, n_steps, positive)[1][-1] for x in X]
    return 0.5 * np.mean(left)


def overlap(atoms, signed=False):
    """Mean over atoms of the squared cosine with the nearest other one."""
    unit = [a / np.linalg.norm(a) for a in atoms]
    total = 0.0
    for i, a in enumerate(unit):
        cosines = [a @ b for j, b in enumerate(unit) if j != i]
        nearest = max(abs(c) for c in cosines) if signed else max(0.0, *cosines)
        total += nearest**2
    return total / len(unit)


def auxiliary_loss(parameters, X, error, latents, count, signed=False):
    """``p/2 ||e - e'||^2 / ||e - mean e||^2``, where e' is the sum over the `count` largest of these latents, without bias."""
    left = 0.0
    for x, e in zip(X, error, strict=True):
        code = largest(pre_activation(parameters, x)[latents], count, signed)
        left += np.sum((e - code @ parameters.decoder[latents]) ** 2)
    return 0.5 * error.shape[1] * left / np.sum((error - error.mean(axis=0)) ** 2)


def slopes(loss, parameters, step=1e-6):
    """Central differences of ``loss(parameters)`` in every number of every part; dense."""
    made = []
    for k, part in enumerate(parameters):
        slope = np.zeros_like(part)
        for place in np.ndindex(part.shape):
            values = []
            for sign in (1, -1):
                moved = part.copy()
                moved[place] += sign * step
                values.append(loss(parameters._replace(**{parameters._fields[k]: moved})))
            slope[place] = (values[0] - values[1]) / (2 * step)
        made.append(slope)
    return type(parameters)(*made)


def along_sphere(gradient, atoms):
    """Without the part along each unit atom."""
    return gradient - np.sum(gradient * atoms, axis=1, keepdims=True) * atoms
