"""A loss and a penalty as parameters of an estimator: named, or given, with their fields within reach of `set_params`."""

from __future__ import annotations

import numpy as np
from sklearn.base import BaseEstimator

from .. import losses, penalties
from ..solvers.parts import checked

__all__ = ["PairModel", "as_loss", "as_penalty"]

_STRENGTH = 0.1
_LOSSES = {
    "squared": losses.Squared,
    "square_root": losses.SquareRoot,
    "absolute": losses.Absolute,
    "quantile": losses.Quantile,
    "huber": losses.Huber,
    "logistic": losses.Logistic,
    "multinomial": losses.Multinomial,
    "poisson": losses.Poisson,
}
_PENALTIES = {
    "l1": penalties.L1,
    "mcp": penalties.MCP,
    "scad": penalties.SCAD,
    "cel0": penalties.CEL0,
    "lq": penalties.Lq,
    "log_sum": penalties.LogSum,
    "capped_l1": penalties.CappedL1,
    "l0": penalties.L0,
    "row_l2": penalties.RowL2,
}


def as_loss(loss):
    """A loss from what the user passed."""
    if loss is None:
        return losses.Squared()
    if isinstance(loss, losses.WithIntercept):
        raise ValueError("loss is a WithIntercept; pass the loss inside it, and say fit_intercept=True.")
    return _named(loss, _LOSSES, "loss")() if isinstance(loss, str) else checked(loss, "loss")


def as_penalty(penalty):
    """A penalty from what the user passed; one that is only named has strength 0.1."""
    if penalty is None:
        return penalties.L1(_STRENGTH)
    if isinstance(penalty, str):
        return _named(penalty, _PENALTIES, "penalty")(_STRENGTH)
    return checked(penalty, "penalty")


def _named(name, known, what):
    if name not in known:
        every = ", ".join(repr(each) for each in known)
        raise ValueError(f"{what} must be one of {every}, or an object; got {name!r}.")
    return known[name]


def _fields(part, resolve):
    """Fields by name; none of what is no loss or penalty, of which `fit` will complain."""
    try:
        return resolve(part)._asdict()
    except ValueError:
        return {}


def _holds_text(y):
    """Whether these are labels in words."""
    y = y if hasattr(y, "dtype") else np.asarray(y)
    kind = getattr(y.dtype, "kind", "f")  # other namespaces have no text
    return kind in "US" or (kind == "O" and any(isinstance(value, str) for value in np.ravel(y)))


class PairModel(BaseEstimator):
    """Parameters `loss` and `penalty`, and their fields as ``loss__delta``, ``penalty__alpha`` and so on."""

    def _loss(self):
        return as_loss(self.loss)

    def _penalty(self, alpha):
        penalty = as_penalty(self.penalty)
        if not hasattr(penalty, "alpha"):
            raise ValueError(f"penalty {type(penalty).__name__} has no strength alpha to choose; use SparseGLM.")
        return penalty._replace(alpha=alpha)

    def _joins_targets(self):
        return any(getattr(part, "is_joint", False) for part in (self._loss(), as_penalty(self.penalty)))

    def _fit_penalty(self, design):
        return as_penalty(self.penalty)

    def _validated(self, X, y):
        loss = self._loss()
        if isinstance(loss, (losses.Logistic, losses.Multinomial)) and _holds_text(y):
            raise ValueError(
                f"y holds text, but {type(loss).__name__} takes numbers; use SparseLogisticRegression, which takes any labels."
            )
        return super()._validated(X, y)

    def get_params(self, deep=True):
        """Parameters of the estimator, and with `deep` the fields of its loss and its penalty.

        Parameters
        ----------
        deep : bool, default=True
            Whether to name the fields too.

        Returns
        -------
        dict
            The value of each parameter.
        """
        params = super().get_params(deep=False)
        if deep:
            for name, resolve in (("loss", as_loss), ("penalty", as_penalty)):
                params |= {f"{name}__{field}": value for field, value in _fields(params[name], resolve).items()}
        return params

    def set_params(self, **params):
        """Set parameters, or fields of the loss and the penalty: ``set_params(penalty__alpha=0.1)``.

        Parameters
        ----------
        **params : dict
            Values by name; a whole loss or penalty is set before its fields.

        Returns
        -------
        self
            The estimator.
        """
        fields = {name: value for name, value in params.items() if name.startswith(("loss__", "penalty__"))}
        super().set_params(**{name: value for name, value in params.items() if name not in fields})
        for name, value in fields.items():
            what, field = name.split("__", 1)
            part = (as_loss if what == "loss" else as_penalty)(getattr(self, what))
            if field not in part._fields:
                raise ValueError(
                    f"Invalid parameter {name!r}: {type(part).__name__} has the fields {', '.join(part._fields) or 'none'}."
                )
            setattr(self, what, part._replace(**{field: value}))
        return self
