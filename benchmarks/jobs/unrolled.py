"""Training the steps of 30 unrolled layers without codes: the same steps of Adam on the same batches, against torch's autodiff.

    minimise over steps  the mean over signals x of  1/2 ||x - c D||^2 + alpha ||c||_1    for c behind 30 layers of ISTA

Both start from the steps of ISTA and work in single precision. The objective of the steps they end with is recomputed in double precision for all
signals by plain NumPy; a round in which ours stays above the peer's does not count.
"""

from __future__ import annotations

import importlib.util

import numpy as np

from ..measure import NOTHING, Ask, Certificate, Contest, compare
from . import Job

__all__ = ["JOB"]

_RATE, _BATCH = 0.05, 500


def _problem(setting, share):
    """Atoms, signals of five atoms in a hundred with some noise, and `share` of the strength at which the median code is zero."""
    n, n_steps = setting.size((10_000, 40), (600, 4))
    rng = np.random.default_rng(0)
    atoms = rng.standard_normal((256, 64))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    codes = (rng.random((n, 256)) < 0.05) * rng.standard_normal((n, 256))
    signals = codes @ atoms + 0.03 * rng.standard_normal((n, 64))
    alpha = share * float(np.median(np.max(np.abs(signals @ atoms.T), axis=1)))
    return atoms.astype(np.float32), signals.astype(np.float32), alpha, n_steps


def _ours(atoms, signals, alpha, depth, n_steps, threads):
    from sparsecode._parallel import worker_pool
    from sparsecode.networks import Adam, clipped
    from sparsecode.unrolled._parameters import Parameters
    from sparsecode.unrolled._passes import Passes

    def run(seed):
        parameters = Parameters(
            atoms,
            n_layers=depth,
            rule="soft",
            weights="tied",
            shared=False,
            trains_levels=False,
            accelerated=False,
            alpha=alpha,
            counts=np.zeros(depth, dtype=np.int64),
        )
        random, adam = np.random.RandomState(seed), Adam(parameters.arrays.values(), _RATE)
        passes = Passes(parameters.layers(), n_jobs=threads)
        with worker_pool(threads):
            for _ in range(n_steps):
                layers = parameters.layers()
                batch = signals[random.randint(len(signals), size=_BATCH)]
                _, slopes = passes.slopes(layers, batch, None, alpha)
                adam.step(clipped([part / _BATCH for part in parameters.gradients(slopes, layers)])[0])
        return parameters.layers().steps

    return run


def _torch(atoms, signals, alpha, depth, n_steps, threads):
    import torch

    def run(seed):
        torch.set_num_threads(threads)
        random, rows, everything = np.random.RandomState(seed), torch.from_numpy(atoms), torch.from_numpy(signals)
        start = -2.0 * float(np.log(np.linalg.norm(atoms.astype(float), 2)))
        logs = torch.full((depth,), start, dtype=torch.float32, requires_grad=True)
        optimiser = torch.optim.Adam([logs], lr=_RATE)
        for _ in range(n_steps):
            batch = everything[torch.from_numpy(random.randint(len(signals), size=_BATCH))]
            steps, correlations = torch.exp(logs), batch @ rows.T
            code = torch.zeros_like(correlations)
            for k in range(depth):
                gradient = (code @ rows - batch) @ rows.T if k else -correlations
                moved = code - steps[k] * gradient
                code = torch.sign(moved) * torch.relu(torch.abs(moved) - alpha * steps[k])
            residual = code @ rows - batch
            loss = (0.5 * (residual * residual).sum() + alpha * code.abs().sum()) / _BATCH
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_([logs], 1.0)
            optimiser.step()
        return np.exp(logs.detach().numpy().astype(float))

    return run


def _certifier(atoms, signals, alpha):
    """How far the mean objective is above that of the Lasso, and that objective."""
    from sparsecode.solvers.coordinate.batch import batch_lasso

    rows, targets = atoms.astype(float), signals.astype(float)
    least = float(np.mean(batch_lasso(rows, targets, alpha=alpha).objectives))

    def certify(steps):
        codes = np.zeros((len(targets), len(rows)))
        for step in steps:
            moved = codes - step * ((codes @ rows - targets) @ rows.T)
            codes = np.sign(moved) * np.maximum(np.abs(moved) - alpha * step, 0.0)
        value = float((0.5 * np.sum((targets - codes @ rows) ** 2) + alpha * np.sum(np.abs(codes))) / len(targets))
        return Certificate(value / least - 1.0, value)

    return certify


def rows(setting):
    if importlib.util.find_spec("torch") is None:
        return
    fewer = setting._replace(pairs=max(2, setting.pairs // 4))
    for share, ask in ((0.2, Ask(3.0)), (0.1, NOTHING)):
        atoms, signals, alpha, n_steps = _problem(setting, share)
        parts = (atoms, signals, alpha, 30, n_steps, setting.threads)
        contest = Contest(
            problem=f"30 unrolled layers, 64×256, {len(signals):,} signals, alpha {share:g} of its maximum, {n_steps} steps of {_BATCH}",
            ours=_ours(*parts),
            peers={"torch autodiff": _torch(*parts)},
            certify=_certifier(atoms, signals, alpha),
            tol=1.0,
            slack=1e-3,
            ask=ask,
            n_items=n_steps,
            certificate_name="objective over the Lasso's, less one",
        )
        yield compare(contest, fewer, JOB.name)


def first_call(setting):
    atoms, signals, alpha, _ = _problem(setting, 0.2)
    ours = _ours(atoms, signals[:500], alpha, 30, 1, setting.threads)
    return lambda: ours(0)


JOB = Job("unrolled", rows, first_call)
