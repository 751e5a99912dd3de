"""What a learned coder gives for how many active latents: error, and features found where they are known."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..metrics import dictionary_recovery, sparsity, variance_unexplained
from ._style import GREY, SERIES, axes_or_new, logarithmic, strip

__all__ = ["ParetoDisplay"]


class Budgets(NamedTuple):
    """One curve: what several coders of a kind give, by the number of active latents."""

    sparsity: Any  # (n_coders,) mean entries of a code, ascending
    error: Any  # (n_coders,) fraction of variance unexplained
    recovery: Any  # (n_coders,) share of the planted features found; None where they are not known


class ParetoDisplay:
    """Sparsity against error, and against the planted features that were found, one curve for each kind of coder.

    The two panels need not agree: a coder can lower the error by latents that mean "this and that together", and miss the
    features. Where features are known, judge by them. Create it with `from_estimators`; the constructor takes what that computes.

    Parameters
    ----------
    curves : dict of str to tuple
        For each name the mean numbers of active latents, the errors, and the shares of features found or None: arrays of one
        entry for each coder.

    Attributes
    ----------
    axes_ : list of matplotlib Axes
        What was drawn on: the panel of the error, then that of the features, if they are known.
    figure_ : matplotlib Figure
        Their figure.
    front_ : dict of str to bool array
        Which coders no other one beats in sparsity and error at once; these have filled marks.

    Examples
    --------
    >>> from sparsecode import DictionaryLearning
    >>> from sparsecode.datasets import make_planted_features
    >>> from sparsecode.plotting import ParetoDisplay
    >>> planted = make_planted_features(400, 12, 20, n_active=2, random_state=0)
    >>> learned = [
    ...     DictionaryLearning(20, method="ksvd", coder="omp", n_nonzero_coefs=k, max_iter=5, tol=None, random_state=0).fit(planted.data) for k in (1, 2, 4)
    ... ]
    >>> display = ParetoDisplay.from_estimators({"K-SVD": learned}, planted.data, dictionary_true=planted.dictionary)
    >>> len(display.axes_)
    2
    """

    def __init__(self, curves):
        self.curves = {
            name: Budgets(*(None if values is None else np.asarray(values) for values in curve))
            for name, curve in curves.items()
        }

    @classmethod
    def from_estimators(cls, estimators, X, *, dictionary_true=None, threshold=0.95, signed=False, ax=None):
        """Measure fitted coders on data and draw what they give.

        Parameters
        ----------
        estimators : dict of str to sequence of estimators
            For each name fitted transformers with `components_`, `transform` and `inverse_transform`, one for each budget, in any
            order.
        X : array of shape (n_samples, n_features)
            Signals, best others than those that were learned from.
        dictionary_true : array of shape (n_components_true, n_features), optional
            The planted features, which adds the second panel.
        threshold : float, default=0.95
            Cosine from which on a feature counts as found.
        signed : bool, default=False
            Whether a feature found with the opposite sign is another one.
        ax : matplotlib Axes or sequence of Axes, optional
            Where to draw: one for each panel; a new figure by default.

        Returns
        -------
        ParetoDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If there are no estimators, or not as many axes as panels.
        """
        curves = {}
        for name, fitted in estimators.items():
            measured = [_measured(coder, X, dictionary_true, threshold, signed) for coder in fitted]
            if measured:
                order = np.argsort([point[0] for point in measured], kind="stable")
                found, error, recovery = (np.array(values)[order] for values in zip(*measured, strict=True))
                curves[name] = (found, error, None if dictionary_true is None else recovery)
        return cls(curves).plot(ax=ax)

    def plot(self, *, ax=None):
        """Draw the curves.

        Parameters
        ----------
        ax : matplotlib Axes or sequence of Axes, optional
            Where to draw: one for each panel; a new figure by default.

        Returns
        -------
        ParetoDisplay
            The display itself.
        """
        if not self.curves:
            raise ValueError("estimators is empty: there is no curve to draw.")
        known = any(curve.recovery is not None for curve in self.curves.values())
        self.axes_ = _panels(ax, 2 if known else 1)
        self.figure_ = self.axes_[0].figure
        self.front_ = self._front()
        for position, (name, curve) in enumerate(self.curves.items()):
            front, colour = self.front_[name], SERIES[position % len(SERIES)]
            self._curve(self.axes_[0], curve.sparsity, curve.error, front, colour, name)
            if curve.recovery is not None:
                self._curve(self.axes_[1], curve.sparsity, curve.recovery, front, colour, name)
        for axes in self.axes_:
            logarithmic(strip(axes))
            axes.set_xlabel("active latents of a signal")
        self.axes_[0].set_ylabel("fraction of variance unexplained")
        self.axes_[0].set_ylim(bottom=0)
        if known:
            self.axes_[1].set_ylabel("share of planted features found")
            self.axes_[1].set_ylim(-0.03, 1.03)
            self.axes_[1].axhline(1, color=GREY, lw=0.8, zorder=0)
        self.axes_[0].legend(frameon=False)
        return self

    @staticmethod
    def _curve(axes, across, upwards, front, colour, name):
        axes.plot(across, upwards, color=colour, lw=1.6, label=name)
        axes.plot(across[~front], upwards[~front], "o", ms=5, color=colour, mfc="white", mew=1.2)
        axes.plot(across[front], upwards[front], "o", ms=5, color=colour)

    def _front(self):
        """Which points of which curve are not beaten, in sparsity and error, by a point of any."""
        used, error = (np.concatenate([curve[i] for curve in self.curves.values()]) for i in (0, 1))
        beaten = [
            np.any((used <= u) & (error <= e) & ((used < u) | (error < e))) for u, e in zip(used, error, strict=True)
        ]
        ends = np.cumsum([curve.sparsity.size for curve in self.curves.values()])[:-1]
        return dict(zip(self.curves, np.split(~np.array(beaten), ends), strict=True))


def _measured(coder, X, dictionary_true, threshold, signed):
    """Mean number of active latents, error, and share of the features found (None where they are not known)."""
    codes = coder.transform(X)
    found = None
    if dictionary_true is not None:
        found = dictionary_recovery(dictionary_true, coder.components_, threshold=threshold, signed=signed)
    return sparsity(codes), variance_unexplained(X, coder.inverse_transform(codes)), found


def _panels(ax, count):
    if ax is None:
        first = axes_or_new(None, figsize=(4.6 * count, 3.8))
        if count == 1:
            return [first]
        figure = first.figure
        first.remove()
        return list(figure.subplots(1, count))
    given = list(np.ravel(ax))
    if len(given) != count:
        raise ValueError(f"ax holds {len(given)} axes, but there are {count} panels.")
    return given
