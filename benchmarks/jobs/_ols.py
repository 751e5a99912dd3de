"""The contest of the two OLS jobs. SPAMS calls it `omp`: its rule picks the atom that lowers the residual most."""

from __future__ import annotations

import numpy as np

from ..measure import Ask, Contest
from ._patches import china_patches, drawn_dictionary, greedy_certificate

__all__ = ["ols_contest"]

TOL = 1e-8  # support optimality


def ols_contest(setting, n_signals, n_atoms, n_nonzero, ask):
    """Sparse codes of patches of 8 x 8, as a sparse matrix from both; SPAMS gets the Fortran arrays it wants."""
    import spams

    patches, dictionary = china_patches(n_signals), drawn_dictionary(n_atoms)
    signals, atoms = np.asfortranarray(patches.T), np.asfortranarray(dictionary.T)

    def ours(_):
        from sparsecode import SparseCoder

        coder = SparseCoder(
            dictionary, algorithm="ols", n_nonzero_coefs=n_nonzero, sparse_output=True, n_jobs=setting.threads
        )
        return coder.fit(patches[:1]).transform(patches)

    def spams_omp(_):
        return spams.omp(signals, atoms, L=n_nonzero, eps=0.0, numThreads=setting.threads).T

    return Contest(
        problem=f"OLS: {n_signals:,} patches, {n_atoms} atoms, {n_nonzero} each",
        ours=ours,
        peers={"SPAMS": spams_omp},
        certify=greedy_certificate(patches, dictionary, n_nonzero),
        tol=TOL,
        slack=1e-4,  # ties are broken by rounding
        ask=Ask(ask),
        n_items=n_signals,
        certificate_name="support optimality",
    )
