"""Peers whose parameters changed their names between the versions that we support."""

import inspect

from sklearn.linear_model import LogisticRegression

__all__ = ["sparse_logistic"]


def sparse_logistic(l1_ratio=1.0, **options):
    """scikit-learn's logistic regression with an l1 norm: its first versions want the penalty named beside the ratio."""
    if inspect.signature(LogisticRegression).parameters["penalty"].default == "l2":
        options |= {"penalty": "l1"} if l1_ratio == 1.0 else {"penalty": "elasticnet", "l1_ratio": l1_ratio}
    else:
        options["l1_ratio"] = l1_ratio
    return LogisticRegression(**options)
