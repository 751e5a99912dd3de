"""Products of the atoms of a signal's candidate causes, for the posteriors of causes that add up."""

from __future__ import annotations

from ._compile import kernel

__all__ = ["local_gram"]


@kernel
def local_gram(signal, candidates, gram, atoms, observed, local):
    """Products of the atoms of the candidates over what is observed."""
    for i in range(candidates.shape[1]):
        for j in range(i + 1):
            first, second = candidates[signal, i], candidates[signal, j]
            if observed.shape[0] == 0:
                total = gram[first, second]
            else:
                total = 0.0
                for d in range(atoms.shape[1]):
                    if observed[signal, d]:
                        total += atoms[first, d] * atoms[second, d]
            local[i, j] = local[j, i] = total
