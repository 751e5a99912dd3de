"""A posterior of coefficients: intervals over the truth, or how relevant each coefficient is."""

from __future__ import annotations

import numpy as np
from scipy.stats import norm
from sklearn.utils.validation import check_is_fitted

from .._array import to_numpy
from .._validation import as_count, as_number
from ..metrics._errors import as_values
from ..result import PosteriorResult
from ._style import BLUE, GREY, ORANGE, RED, axes_or_new, strip

__all__ = ["UncertaintyDisplay"]


class UncertaintyDisplay:
    """Posterior means with intervals, or relevance against index, of the coefficients of one target.

    Create it with `from_result` or `from_estimator`; the constructor takes what they compute.

    Parameters
    ----------
    coef : array of shape (n_features,)
        Posterior means; complex ones are drawn by modulus.
    variance : array of shape (n_features,)
        Posterior variances; of complex coefficients ``E |x - mean|^2``.
    coef_true : array of shape (n_features,) or None
        The truth, where it is known.
    relevance : array of shape (n_features,) or None
        Inclusion probabilities, or prior variances.
    relevance_name : str
        Which of them.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    half_width_ : array of shape (n_features,)
        Half the length of the intervals; only after they were drawn.
    covered_ : array of shape (n_features,), of bool, or None
        Which intervals hold the truth, if that is known; likewise.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import sbl
    >>> from sparsecode.plotting import UncertaintyDisplay
    >>> rng = np.random.default_rng(0)
    >>> A, coef = rng.standard_normal((40, 60)), np.zeros(60)
    >>> coef[[4, 11]] = 3.0, -2.0
    >>> result = sbl(A, A @ coef + 0.1 * rng.standard_normal(40))
    >>> display = UncertaintyDisplay.from_result(result, coef)
    >>> bool(display.covered_.all())
    True
    """

    def __init__(self, coef, variance, *, coef_true=None, relevance=None, relevance_name=""):
        self.coef = coef
        self.variance = variance
        self.coef_true = coef_true
        self.relevance = relevance
        self.relevance_name = relevance_name

    @classmethod
    def from_result(cls, result, coef_true=None, *, index=0, kind="intervals", level=0.95, ax=None):
        """Draw what a Bayesian solver returned.

        Parameters
        ----------
        result : PosteriorResult
            What it returned.
        coef_true : array of the shape of the coefficients, optional
            The truth: with it, intervals that hold it and those that miss it are told apart.
        index : int, default=0
            Which target is drawn, where there are many.
        kind : {"intervals", "relevance"}, default="intervals"
            What is drawn: see `plot`.
        level : float, default=0.95
            Posterior probability of an interval.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        UncertaintyDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the result has no posterior, shapes disagree, or relevance is asked for where it is not known.
        """
        if not isinstance(result, PosteriorResult):
            raise ValueError(
                f"result is a {type(result).__name__}, which has no posterior variances; from_result takes what Bayesian solvers return."
            )
        coef = as_values(result.coef)
        known = {"inclusion probability": result.inclusion, "prior variance": result.parameters.get("prior_variance")}
        return cls._drawn(coef, as_values(result.variance), known, coef_true, index, kind, level, ax)

    @classmethod
    def from_estimator(cls, estimator, coef_true=None, *, index=0, kind="intervals", level=0.95, ax=None):
        """Draw the posterior of a fitted Bayesian regressor.

        Parameters
        ----------
        estimator : estimator
            A fitted one with `coef_` and `variance_`, such as `SparseBayesianRegressor`.
        coef_true : array of the shape of `coef_`, optional
            The truth: with it, intervals that hold it and those that miss it are told apart.
        index : int, default=0
            Which target is drawn, where there are many.
        kind : {"intervals", "relevance"}, default="intervals"
            What is drawn: see `plot`.
        level : float, default=0.95
            Posterior probability of an interval.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        UncertaintyDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the estimator has no posterior, shapes disagree, or relevance is asked for where it is not known.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "variance_"):
            raise ValueError(
                f"{type(estimator).__name__} has no posterior variances; from_estimator takes fitted Bayesian regressors."
            )
        names = {"inclusion probability": "inclusion_", "prior variance": "prior_variance_"}
        known = {name: _columns(getattr(estimator, attribute, None)) for name, attribute in names.items()}
        true = None if coef_true is None else _columns(coef_true)
        coef, variance = _columns(estimator.coef_), _columns(estimator.variance_)
        return cls._drawn(coef, variance, known, true, index, kind, level, ax)

    @classmethod
    def _drawn(cls, coef, variance, known, coef_true, index, kind, level, ax):
        n_targets = 1 if coef.ndim == 1 else coef.shape[1]
        index = as_count(index, "index", minimum=0)
        if index >= n_targets:
            raise ValueError(
                f"index is {index}, but there {'is one target' if n_targets == 1 else f'are {n_targets} targets'}."
            )
        if coef_true is not None:
            coef_true = as_values(coef_true)
            if coef_true.shape != coef.shape:
                raise ValueError(f"coef_true does not have the shape of the coefficients, {coef.shape} in columns.")
            if not np.all(np.isfinite(coef_true)):
                raise ValueError("coef_true contains NaN or infinity; leave it out where the truth is not known.")
            coef_true = _one(coef_true, index)
        name = next((name for name, values in known.items() if values is not None), "")
        relevance = _one(to_numpy(known[name]), index) if name else None
        display = cls(
            _one(coef, index), _one(variance, index), coef_true=coef_true, relevance=relevance, relevance_name=name
        )
        return display.plot(kind=kind, level=level, ax=ax)

    def plot(self, *, kind="intervals", level=0.95, ax=None):
        """Draw intervals or relevance.

        Parameters
        ----------
        kind : {"intervals", "relevance"}, default="intervals"
            "intervals": posterior means with intervals of the given probability, of all coefficients in use and of those that should
            be. "relevance": the inclusion probability of every coefficient where the model has one, else its prior variance.
        level : float, default=0.95
            Posterior probability of an interval.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        UncertaintyDisplay
            The display itself.
        """
        if kind not in ("intervals", "relevance"):
            raise ValueError(f"kind must be 'intervals' or 'relevance'; got {kind!r}.")
        if kind == "relevance" and self.relevance is None:
            raise ValueError(
                "relevance is not known: the model has neither inclusion probabilities nor prior variances."
            )
        level = as_number(level, "level", minimum=-np.inf)
        if not 0.0 < level < 1.0:
            raise ValueError(
                f"level must be greater than 0 and below 1, the probability of an interval; got {level:g}."
            )
        self.ax_ = strip(axes_or_new(ax, figsize=(7, 3)))
        self.figure_ = self.ax_.figure
        self._draw_intervals(level) if kind == "intervals" else self._draw_relevance()
        size = self.coef.size
        self.ax_.set_xlim(-0.02 * size - 0.5, 1.02 * size - 0.5)
        if self.ax_.get_legend_handles_labels()[0]:
            self.ax_.legend(frameon=False, ncols=4, loc="lower center", bbox_to_anchor=(0.5, 1.0), handletextpad=0.3)
        return self

    def _draw_intervals(self, level):
        coef, true, share = self.coef, self.coef_true, f"{100 * level:g} %"
        self.half_width_, self.covered_ = self._half_widths(level), None
        shown = (coef != 0) | (self.half_width_ > 0)
        groups = [(shown, BLUE, f"posterior, {share}")]
        if true is not None:
            self.covered_ = np.abs(coef - true) <= self.half_width_
            shown = shown | (true != 0)
            groups = [
                (shown & self.covered_, BLUE, f"{share} holds the truth"),
                (shown & ~self.covered_, RED, f"{share} misses it"),
            ]
            where = np.flatnonzero(true)
            self.ax_.plot(
                where, _drawable(true)[where], "o", ms=9, mfc="none", mec=GREY, mew=1.3, label="planted", zorder=3
            )
        for mask, colour, label in groups:
            at = np.flatnonzero(mask)
            if at.size:
                label = f"{label} ({at.size})"
                style = {"fmt": ".", "color": colour, "ms": 6, "lw": 1.4, "capsize": 2, "label": label}
                self.ax_.errorbar(at, _drawable(coef)[at], yerr=self.half_width_[at], **style)
        self.ax_.axhline(0, color=GREY, lw=0.8, zorder=0)
        self.ax_.set(xlabel="coefficient", ylabel="modulus" if np.iscomplexobj(coef) else "value")
        self.ax_.margins(y=0.12)

    def _half_widths(self, level):
        """Of the interval of a real normal variable, or the radius of the disc of a circular complex one."""
        if np.iscomplexobj(self.coef):
            return np.sqrt(-np.log1p(-level) * self.variance)
        return norm.ppf(0.5 + 0.5 * level) * np.sqrt(self.variance)

    def _draw_relevance(self):
        relevance, planted = self.relevance, np.zeros(self.relevance.size, dtype=bool)
        groups = [(~planted, BLUE, "")]
        if self.coef_true is not None:
            planted = self.coef_true != 0
            groups = [(~planted, BLUE, "others"), (planted, ORANGE, "planted")]
        is_probability = self.relevance_name == "inclusion probability"
        drawn = relevance >= 0 if is_probability else relevance > 0
        for mask, colour, name in groups:
            at = np.flatnonzero(mask & drawn)
            label = f"{name} ({at.size})" if name and at.size else None
            self.ax_.plot(at, relevance[at], "o", ms=4, color=colour, label=label)
        if is_probability:
            self.ax_.axhline(0.5, color=GREY, lw=0.8, ls="--", zorder=0)
            self.ax_.set_ylim(-0.03, 1.03)
        elif drawn.any():
            self.ax_.set_yscale("log")
        lost = np.flatnonzero(planted & ~drawn)  # zero has no place on a logarithmic axis
        if lost.size:
            at_the_foot = {"transform": self.ax_.get_xaxis_transform(), "clip_on": False}
            label = f"planted, not in use ({lost.size})"
            self.ax_.plot(lost, np.zeros(lost.size), "v", ms=5, color=RED, label=label, **at_the_foot)
        self.ax_.set(xlabel="coefficient", ylabel=self.relevance_name)


def _columns(values):
    """One target a column, from attributes of an estimator; None stays None."""
    if values is None:
        return None
    values = as_values(values)
    return values if values.ndim == 1 else values.T


def _one(values, index):
    """The chosen target of an array that may hold many; what targets share is the same for all."""
    return values if values.ndim == 1 else values[:, index]


def _drawable(values):
    return np.abs(values) if np.iscomplexobj(values) else values
