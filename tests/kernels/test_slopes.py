"""One coordinate-descent kernel serves every smooth loss, from the cache on disk."""

import os
import subprocess
import sys
from pathlib import Path

import sparsecode

KERNEL = '''
from sparsecode.kernels._compile import kernel, prox, slopes


@kernel
def sweeps(columns, target, loss, penalty, bound, coef, fitted, n_sweeps):
    """Cyclic descent under the loss's greatest curvature: columns (n_features, n_samples)."""
    n_samples = target.shape[0]
    for sweep in range(n_sweeps):
        for j in range(coef.shape[0]):
            pull, size = 0.0, 0.0
            for i in range(n_samples):
                pull += columns[j, i] * slopes(loss, target[i], fitted[i])[0] / n_samples
                size += columns[j, i] ** 2 / n_samples
            new = prox(penalty, coef[j] - pull / (bound * size), 1.0 / (bound * size))
            for i in range(n_samples):
                fitted[i] += (new - coef[j]) * columns[j, i]
            coef[j] = new
'''

USE = """
import numpy as np
from sparsecode import L1, Huber, Logistic, Poisson, Squared, fista
from descent import sweeps

rng = np.random.default_rng(0)
A = rng.standard_normal((50, 8))
y = A[:, 0] + 0.3 * rng.standard_normal(50)
for loss, target, bound in (
    (Squared(), y, 1.0),
    (Huber(0.5), y, 1.0),
    (Logistic(), np.where(y > 0, 1.0, -1.0), 0.25),
    (Poisson(), np.floor(np.exp(y)), 5.0),
):
    coef, fitted = np.zeros(8), np.zeros(50)
    sweeps(np.ascontiguousarray(A.T), target, loss, L1(0.05), bound, coef, fitted, 3000)
    print(np.max(np.abs(coef - fista(A, target, loss, L1(0.05), tol=1e-12).coef)) < 1e-5)
print(sum(sweeps.stats.cache_hits.values()), sum(sweeps.stats.cache_misses.values()))
"""


def test_one_kernel_serves_every_smooth_loss_from_the_cache_on_disk(tmp_path):
    (tmp_path / "descent.py").write_text(KERNEL)
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(Path(sparsecode.__file__).parents[1]), str(tmp_path)]),
        "SPARSECODE_CACHE_DIR": str(tmp_path / "cache"),
    }
    first, second = (
        subprocess.run(
            [sys.executable, "-c", USE], env=environment, capture_output=True, text=True, check=True
        ).stdout.split()
        for _ in range(2)
    )
    assert first == ["True"] * 4 + ["0", "4"]
    assert second == ["True"] * 4 + ["4", "0"]
