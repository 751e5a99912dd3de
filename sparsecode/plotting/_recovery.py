"""A recovered coefficient vector beside the truth: hits, misses and false finds, or the residual that is left."""

from __future__ import annotations

import numpy as np

from .._array import to_numpy
from .._validation import as_design, as_target
from ..metrics._errors import as_values
from ._style import BLUE, GREY, ORANGE, RED, axes_or_new, strip

__all__ = ["RecoveryDisplay"]


class RecoveryDisplay:
    """True and recovered coefficients of one target, or its residual.

    Create it with `from_result`; the constructor takes what that computes.

    Parameters
    ----------
    coef : array of shape (n_features,)
        Recovered coefficients; complex ones are drawn by modulus.
    coef_true : array of shape (n_features,) or None
        The truth, where it is known.
    residual : array of shape (n_samples,) or None
        Target minus fitted values, where they are known.
    target_norm : float or None
        Norm of the target, which the residual is compared with.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.

    Examples
    --------
    >>> from sparsecode import iht
    >>> from sparsecode.datasets import make_sparse_recovery
    >>> from sparsecode.plotting import RecoveryDisplay
    >>> problem = make_sparse_recovery(60, 120, 5, random_state=0)
    >>> result = iht(problem.design, problem.target, 5)
    >>> display = RecoveryDisplay.from_result(result, problem.coef)
    >>> display.ax_.get_xlabel()
    'coefficient'
    """

    def __init__(self, coef, *, coef_true=None, residual=None, target_norm=None):
        self.coef = coef
        self.coef_true = coef_true
        self.residual = residual
        self.target_norm = target_norm

    @classmethod
    def from_result(cls, result, coef_true=None, *, design=None, target=None, index=0, kind="coef", ax=None):
        """Draw what a solver returned.

        Parameters
        ----------
        result : SolveResult or array of shape (n_features,) or (n_features, n_targets)
            The result, or its coefficients.
        coef_true : array of the same shape, optional
            The truth: with it hits, misses and false finds are told apart.
        design : array, sparse matrix or LinearOperator of shape (n_samples, n_features), optional
            With `target`, gives the residual.
        target : array of shape (n_samples,) or (n_samples, n_targets), optional
            With `design`, gives the residual.
        index : int, default=0
            Which target is drawn, where there are many.
        kind : {"coef", "residual"}, default="coef"
            What is drawn.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        RecoveryDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If shapes disagree, or a residual is asked for without `design` and `target`.
        """
        coef = as_values(getattr(result, "coef", result))
        residual = target_norm = None
        if design is not None and target is not None:
            design = as_design(design, "design")
            target = as_target(target, design, "target")
            fitted = to_numpy(design.matvec(design.vector(coef)) if not np.iscomplexobj(coef) else design.matvec(coef))
            target = _one(to_numpy(target), index)
            residual = target - _one(fitted, index) - _one(np.atleast_1d(getattr(result, "intercept", 0.0)), index)
            target_norm = float(np.linalg.norm(target))
        if coef_true is not None:
            coef_true = as_values(coef_true)
            if coef_true.shape != coef.shape:
                raise ValueError(f"coef_true has shape {coef_true.shape}; the coefficients have shape {coef.shape}.")
            coef_true = _one(coef_true, index)
        display = cls(_one(coef, index), coef_true=coef_true, residual=residual, target_norm=target_norm)
        return display.plot(kind=kind, ax=ax)

    def plot(self, *, kind="coef", ax=None):
        """Draw the coefficients or the residual.

        Parameters
        ----------
        kind : {"coef", "residual"}, default="coef"
            What is drawn.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        RecoveryDisplay
            The display itself.
        """
        if kind not in ("coef", "residual"):
            raise ValueError(f"kind must be 'coef' or 'residual'; got {kind!r}.")
        if kind == "residual" and self.residual is None:
            raise ValueError("the residual is not known; pass design= and target= to from_result.")
        self.ax_ = strip(axes_or_new(ax, figsize=(7, 3)))
        self.figure_ = self.ax_.figure
        self._draw_coefs() if kind == "coef" else self._draw_residual()
        return self

    def _draw_coefs(self):
        coef, true = _drawable(self.coef), self.coef_true
        if true is None:
            self._stems(np.flatnonzero(coef), coef, BLUE, "o", "recovered")
        else:
            true = _drawable(true)
            planted, found = true != 0, coef != 0
            where = np.flatnonzero(planted)
            self.ax_.plot(where, true[where], "o", ms=9, mfc="none", mec=GREY, mew=1.3, label="planted", zorder=3)
            self._stems(np.flatnonzero(planted & found), coef, BLUE, "o", "found")
            self._stems(np.flatnonzero(planted & ~found), true, ORANGE, "", "missed")
            self._stems(np.flatnonzero(~planted & found), coef, RED, "x", "false")
        self.ax_.axhline(0, color=GREY, lw=0.8, zorder=0)
        self.ax_.set(xlabel="coefficient", ylabel="modulus" if np.iscomplexobj(self.coef) else "value")
        self.ax_.set_xlim(-0.02 * coef.size - 0.5, 1.02 * coef.size - 0.5)
        self.ax_.margins(y=0.12)
        self.ax_.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), handletextpad=0.3)

    def _stems(self, where, values, colour, marker, name):
        if where.size == 0:
            return
        self.ax_.vlines(
            where, 0, values[where], color=colour, lw=1.6, label=None if marker else f"{name} ({where.size})"
        )
        if marker:
            self.ax_.plot(where, values[where], marker, color=colour, ms=5, label=f"{name} ({where.size})", zorder=4)

    def _draw_residual(self):
        residual = _drawable(self.residual)
        share = np.linalg.norm(self.residual) / self.target_norm if self.target_norm else 0.0
        self.ax_.vlines(np.arange(residual.size), 0, residual, color=BLUE, lw=1.0)
        self.ax_.axhline(0, color=GREY, lw=0.8, zorder=0)
        self.ax_.set(xlabel="sample", ylabel="residual")
        self.ax_.set_title(f"residual norm {share:.1e} of the target's", loc="left", fontsize="medium")


def _one(values, index):
    """The chosen target of an array that may hold many."""
    return values if values.ndim == 1 else values[:, index]


def _drawable(values):
    return np.abs(values) if np.iscomplexobj(values) else values
