"""Orthogonal matching pursuit of image patches, against scikit-learn's `orthogonal_mp_gram`; single against double precision."""

from __future__ import annotations

import warnings

import numpy as np

from ..measure import Ask, Contest, compare
from . import Job
from ._patches import china_patches, drawn_dictionary, greedy_certificate

__all__ = ["JOB", "contest"]

TOL = 1e-8  # support optimality


def contest(setting, n_signals=20_000, n_atoms=256, n_nonzero=5):
    """Codes of `n_signals` patches of 8 x 8; the peer is given its Gram matrix, and joblib's processes beyond one thread."""
    from sklearn.decomposition import sparse_encode
    from sklearn.linear_model import orthogonal_mp_gram

    patches, dictionary = china_patches(n_signals), drawn_dictionary(n_atoms)
    gram = dictionary @ dictionary.T

    def ours(_):
        from sparsecode import SparseCoder

        coder = SparseCoder(dictionary, algorithm="omp", n_nonzero_coefs=n_nonzero, n_jobs=setting.threads)
        return coder.fit(patches[:1]).transform(patches)

    def scikit_learn(_):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", RuntimeWarning)  # patches that are constant end early
            if setting.threads == 1:
                return orthogonal_mp_gram(gram, dictionary @ patches.T, n_nonzero_coefs=n_nonzero, copy_Xy=False).T
            return sparse_encode(
                patches,
                dictionary,
                gram=gram,
                algorithm="omp",
                n_nonzero_coefs=n_nonzero,
                n_jobs=setting.threads,
                check_input=False,
            )

    return Contest(
        problem=f"OMP: {n_signals:,} patches, {n_atoms} atoms, {n_nonzero} each",
        ours=ours,
        peers={"scikit-learn": scikit_learn},
        certify=greedy_certificate(patches, dictionary, n_nonzero),
        tol=TOL,
        slack=1e-4,  # ties are broken by rounding
        ask=Ask(30.0),
        n_items=n_signals,
        certificate_name="support optimality",
    )


def single_contest(setting, n_signals, n_atoms, n_nonzero=6):
    """The same codes in single precision, against our own double precision."""
    from sparsecode import SparseCoder

    patches, dictionary = china_patches(n_signals), drawn_dictionary(n_atoms)

    def coder(dtype):
        atoms, signals = dictionary.astype(dtype), patches.astype(dtype)

        def code(_):
            model = SparseCoder(atoms, algorithm="omp", n_nonzero_coefs=n_nonzero, n_jobs=setting.threads)
            return model.fit(signals[:1]).transform(signals)

        return code

    return Contest(
        problem=f"OMP in single precision: {n_signals:,} patches, {n_atoms} atoms, {n_nonzero} each",
        ours=coder(np.float32),
        peers={"our double precision": coder(np.float64)},
        certify=greedy_certificate(patches, dictionary, n_nonzero),
        tol=1e-4,
        slack=1e-4,
        ask=Ask(1.5),
        n_items=n_signals,
        certificate_name="support optimality",
    )


def rows(setting):
    yield compare(contest(setting, n_signals=setting.size(20_000, 300)), setting, JOB.name)
    for n_atoms in setting.size((256, 512, 1024), (128,)):
        few = contest(setting, setting.size(5_000, 300), n_atoms, n_nonzero=6)  # the peer takes seconds for them
        yield compare(few, setting, JOB.name)
    for n_atoms in setting.size((256, 512, 1024), (128,)):
        yield compare(single_contest(setting, setting.size(20_000, 300), n_atoms), setting, JOB.name)


def first_call(setting):
    ours = contest(setting, n_signals=2_000).ours
    return lambda: ours(0)


JOB = Job("omp", rows, first_call)
