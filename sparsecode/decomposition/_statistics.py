"""Sufficient statistics of signals in whatever they are kept: what workers of a distributed fit return."""

from __future__ import annotations

import numpy as np

from .._parallel import worker_pool
from .._tables import check_array
from .._validation import refuse_lazy
from ..solvers.dictionary.signals import dense_rows, row_blocks
from ..solvers.dictionary.statistics import Statistics, add_statistics, update_dictionary
from ..solvers.dictionary.statistics import local_statistics as block_statistics
from ._learning_setup import as_coder
from ._transform import as_dictionary

__all__ = ["Statistics", "add_statistics", "local_statistics", "update_dictionary"]

_BLOCK = 1 << 13  # signals coded at a time


def local_statistics(
    X, dictionary, coder="omp", *, alpha=None, n_nonzero_coefs=None, positive_code=False, n_jobs=None
) -> Statistics:
    """Code signals over a dictionary and summarise the codes: what `update_dictionary` needs of them.

    For codes Z of X these are ``Z^T Z`` and ``Z^T X``, with counts and objectives. They add up (`add_statistics`), so a data set may
    be coded in parts, anywhere and in any order, and the dictionary improved from the sum::

        parts = [local_statistics(part, dictionary) for part in data]        # on any number of machines
        dictionary = update_dictionary(dictionary, functools.reduce(add_statistics, parts))

    Parameters
    ----------
    X : array or CSR matrix of shape (n_samples, n_features)
        Signals, one a row; a memory-map is read, and a sparse matrix made dense, block by block.
    dictionary : array of shape (n_components, n_features)
        The atoms, one a row.
    coder : {"omp", "ols", "lasso", "elastic_net", "threshold"} or SparseCoder, default="omp"
        How signals are coded. A `SparseCoder` brings its own settings; its dictionary is not used.
    alpha : float, optional
        Strength of the penalty ("lasso", "elastic_net", "threshold"), in the units of X; the same for all parts of a data set.
    n_nonzero_coefs : int, optional
        Entries of a code ("omp", "ols", "threshold"); for "omp" and "ols" a tenth of the width of X by default.
    positive_code : bool, default=False
        Whether codes must not be negative.
    n_jobs : int, optional
        Threads; -1 for all cores, by default as many as OMP_NUM_THREADS allows. The statistics have the same bits for any number.

    Returns
    -------
    Statistics
        Products of codes and signals, usage of the atoms, objective, and the signals represented worst.

    Raises
    ------
    ValueError
        If shapes disagree, data are not finite, or a parameter is given that the coder does not use.

    See Also
    --------
    update_dictionary : The atoms that the statistics ask for.
    DictionaryLearning : The loop around these functions.

    References
    ----------
    Mairal, Bach, Ponce and Sapiro, "Online learning for matrix factorization and sparse coding", 2010 (arXiv 0908.0050).

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import add_statistics, local_statistics, update_dictionary
    >>> X, atoms = np.array([[2.0, 0.2], [0.0, 1.0]]), np.eye(2)
    >>> parts = [local_statistics(part, atoms, n_nonzero_coefs=1) for part in (X[:1], X[1:])]
    >>> update_dictionary(atoms, add_statistics(*parts)).round(3)
    array([[0.995, 0.1  ],
           [0.   , 1.   ]])
    """
    atoms = as_dictionary(dictionary).astype(np.float64)
    refuse_lazy(X, "X")
    X = check_array(X, accept_sparse="csr", dtype="numeric", input_name="X")
    if X.shape[1] != atoms.shape[1]:
        raise ValueError(
            f"X has {X.shape[1]} features, but the atoms of dictionary have {atoms.shape[1]}: signals and atoms are rows "
            "of the same length."
        )
    chosen = as_coder(
        coder,
        X.shape[1],
        atoms.shape[0],
        alpha=alpha,
        n_nonzero_coefs=n_nonzero_coefs,
        positive_code=positive_code,
        owner="local_statistics",
    )
    total = Statistics.empty(*atoms.shape)
    with worker_pool(n_jobs):
        for part in row_blocks(X, _BLOCK):
            total = add_statistics(total, block_statistics(dense_rows(X, part), atoms, chosen, n_jobs))
    return total
