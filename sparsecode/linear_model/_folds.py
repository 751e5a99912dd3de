"""Folds of a cross-validation: training sets are weights on all samples, so no matrix is ever copied."""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import check_cv

__all__ = ["draw_folds", "training_weight"]


def draw_folds(cv, target, weight, *, classifier=False):
    """``[(train, test), ...]`` as scikit-learn draws them; every fold trains on something, and something is held out.

    Parameters
    ----------
    cv : int, splitter, iterable or None
        What the user passed.
    target : ndarray of shape (n_samples,)
        Splitters may look at it.
    weight : ndarray of shape (n_samples,)
        Weights of the samples.
    classifier : bool, default=False
        Whether a mere number of folds keeps the shares of the labels in `target`.
    """
    folds = list(check_cv(cv, target, classifier=classifier).split(np.zeros((weight.size, 1)), target))
    if not folds:
        raise ValueError(
            "cv has no folds; pass a number of folds, a splitter, or an iterable of (train, test) indices."
        )
    for number, (train, _) in enumerate(folds):
        if not weight[train].any():
            raise ValueError(
                f"cv has no training sample of positive weight in fold {number}; use other or fewer folds."
            )
    if not any(weight[test].any() for _, test in folds):
        raise ValueError("cv holds out no sample of positive weight; use other folds.")
    return folds


def training_weight(train, weight):
    """Weights of all samples in a fold: zero outside its training set; a bootstrap sample counts as often as it was drawn."""
    inside = np.zeros(weight.size)
    np.add.at(inside, train, weight[train])
    return inside
