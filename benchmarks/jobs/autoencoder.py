"""Training a TopK autoencoder: time for the same batches, against a loop on plain torch, dense or with a sparse decoder.

    minimise over W, b_e, D, b with ||d_j|| = 1    mean over x of 1/2 ||x - z D - b||^2,     z = the k largest of (x W^T + b_e)+

All start at the same parameters, see the same batches in the same order, clip gradients to the same norm and step with Adam at the same rate, so
that they go the same way but for rounding: the objective of their last parameters is held against each other. With ``sparse decoder`` torch
gathers the k atoms of each signal (`embedding_bag`) instead of multiplying by a matrix of codes.
"""

from __future__ import annotations

import numpy as np

from ..measure import Ask, Certificate, Contest, compare, not_measured
from . import Job

__all__ = ["JOB", "Problem"]

_RATE = 1e-3
_CLIP = 10.0  # over the number of features


class Problem:
    """Signals from a planted dictionary in batches, and where training starts."""

    def __init__(self, n_features, n_latents, k, batch, n_batches, seed=0):
        rng = np.random.default_rng(seed)
        truth = rng.standard_normal((n_latents, n_features), dtype=np.float32)
        truth /= np.linalg.norm(truth, axis=1, keepdims=True)
        n_signals = batch * n_batches
        support = rng.integers(n_latents, size=(n_signals, k))
        weights = rng.uniform(0.5, 1.5, (n_signals, k)).astype(np.float32)
        signals = np.zeros((n_signals, n_features), dtype=np.float32)
        for i in range(k):
            signals += weights[:, i, None] * truth[support[:, i]]
        signals -= signals.mean(axis=0)
        self.signals = signals / np.sqrt(np.mean(signals**2))
        atoms = rng.standard_normal((n_latents, n_features), dtype=np.float32)
        self.atoms = atoms / np.linalg.norm(atoms, axis=1, keepdims=True)
        self.k, self.batch, self.n_batches = k, batch, n_batches

    def batches(self):
        """One after another."""
        return np.array_split(self.signals, self.n_batches)

    def certify(self, parameters):
        """How far the atoms are from norm one, and the mean objective of the first batch, in double precision."""
        encoder, bias, atoms, offset = (np.asarray(part, dtype=np.float64) for part in parameters)
        X = self.signals[: self.batch].astype(np.float64)
        codes = np.maximum(X @ encoder.T + bias, 0.0)
        codes[codes < np.partition(codes, -self.k, axis=1)[:, -self.k, None]] = 0.0
        residual = codes @ atoms + offset - X
        return Certificate(
            float(np.max(np.abs(np.linalg.norm(atoms, axis=1) - 1.0))),
            0.5 * float(np.mean(np.sum(residual**2, axis=1))),
        )


def _ours(problem, threads):
    from sparsecode.solvers.autoencoder.activations import TopK
    from sparsecode.solvers.autoencoder.parameters import initial_parameters
    from sparsecode.solvers.autoencoder.training import AutoencoderLearner

    def run(_):
        start = initial_parameters(problem.atoms.copy(), problem.atoms.shape[1])
        learner = AutoencoderLearner(start, TopK(problem.k), np.random.RandomState(0))
        for batch in problem.batches():
            learner.step(batch, batch, _RATE, threads)
        return learner.parameters[:4]

    return run


def _torch(problem, threads, sparse):
    import torch
    from torch.nn import functional

    def run(_):
        torch.set_num_threads(threads)
        n_latents, n_features = problem.atoms.shape
        encoder, atoms = (torch.tensor(problem.atoms.copy(), requires_grad=True) for _ in range(2))
        bias, offset = torch.zeros(n_latents, requires_grad=True), torch.zeros(n_features, requires_grad=True)
        parts = [encoder, bias, atoms, offset]
        adam = torch.optim.Adam(parts, lr=_RATE)
        for batch in problem.batches():
            x = torch.from_numpy(batch)
            pre = torch.relu(x @ encoder.T + bias)
            values, places = pre.topk(problem.k, dim=1, sorted=False)
            if sparse:
                made = functional.embedding_bag(places, atoms, per_sample_weights=values, mode="sum")
            else:
                made = torch.zeros_like(pre).scatter_(1, places, values) @ atoms
            loss = 0.5 * torch.sum((made + offset - x) ** 2) / x.shape[0]
            adam.zero_grad()
            loss.backward()
            with torch.no_grad():
                atoms.grad -= torch.sum(atoms.grad * atoms, dim=1, keepdim=True) * atoms
            torch.nn.utils.clip_grad_norm_(parts, _CLIP * n_features)
            adam.step()
            with torch.no_grad():
                atoms.div_(torch.linalg.norm(atoms, dim=1, keepdim=True))
        return [part.detach().numpy() for part in parts]

    return run


def rows(setting):
    n_features, n_latents, k, batch, n_batches = setting.size((256, 4096, 32, 4096, 4), (16, 64, 4, 64, 3))
    name = f"TopK autoencoder, d={n_features}, {n_latents:,} latents, k={k}, {n_batches} batches of {batch:,}, float32"
    try:
        import torch  # noqa: F401
    except ImportError:
        yield not_measured(JOB.name, name, "torch", "torch is not installed", Ask(1.3))
        return
    problem = Problem(n_features, n_latents, k, batch, n_batches)
    contest = Contest(
        problem=name,
        ours=_ours(problem, setting.threads),
        peers={
            "torch": _torch(problem, setting.threads, sparse=False),
            "torch, sparse decoder": _torch(problem, setting.threads, sparse=True),
        },
        certify=problem.certify,
        tol=1e-5,
        slack=1e-3,
        ask=Ask(1.3),
        n_items=batch * n_batches,
        certificate_name="deviation of the atoms' norms from one",
        note="against the faster of two loops on torch; the same batches, rate and clipping",
    )
    yield compare(contest, setting, JOB.name)


def first_call(setting):
    problem = Problem(64, 256, 8, 256, 1)
    ours = _ours(problem, setting.threads)
    return lambda: ours(0)


JOB = Job("autoencoder", rows, first_call)
