"""Which features a transport map moves, the most moved first."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp
from sklearn.utils.validation import check_is_fitted

from .._validation import as_count
from ..metrics._errors import as_values
from ._style import BLUE, GREY, axes_or_new, strip

__all__ = ["DisplacementDisplay"]


class DisplacementDisplay:
    """Features sorted by how far a map moves them: the mean displacement over the points, and how many of them it moves.

    Create it with `from_estimator` or `from_displacement`; the constructor takes what they compute.

    Parameters
    ----------
    mean : array of shape (n_features,)
        Mean displacement of each feature, in its units.
    share : array of shape (n_features,)
        Share of the points that move in it.
    feature_names : array of str of shape (n_features,) or None
        What the features are called; by number if None.

    Attributes
    ----------
    ranking_ : array of shape (n_features,)
        Features from the largest mean displacement to the smallest, by modulus: what moves to and fro counts for little.
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.

    See Also
    --------
    sparsecode.SparseMongeMap : Maps that move few features.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.plotting import DisplacementDisplay
    >>> moved = np.array([[0.0, 2.0, 0.0], [0.0, 1.0, -0.5]])
    >>> display = DisplacementDisplay.from_displacement(moved, feature_names=["a", "b", "c"])
    >>> display.ranking_, display.share
    (array([1, 2, 0]), array([0. , 1. , 0.5]))
    """

    def __init__(self, mean, share, *, feature_names=None):
        self.mean = mean
        self.share = share
        self.feature_names = feature_names

    @classmethod
    def from_estimator(cls, estimator, X, *, n_features=20, feature_names=None, ax=None):
        """Draw how a fitted map moves points.

        Parameters
        ----------
        estimator : SparseMongeMap
            A fitted map: anything with a method `displacement`.
        X : array or CSR matrix of shape (n_points, n_features)
            The points that are moved.
        n_features : int, default=20
            How many features are drawn at most.
        feature_names : array of str of shape (n_features,), optional
            What the features are called; those of the fit by default.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        DisplacementDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the estimator has no displacements, or names do not fit.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "displacement"):
            raise ValueError(
                f"{type(estimator).__name__} has no displacements; from_estimator takes fitted transport maps."
            )
        names = getattr(estimator, "feature_names_in_", None) if feature_names is None else feature_names
        moved = estimator.displacement(X)
        return cls.from_displacement(moved, n_features=n_features, feature_names=names, ax=ax)

    @classmethod
    def from_displacement(cls, displacement, *, n_features=20, feature_names=None, ax=None):
        """Draw given displacements.

        Parameters
        ----------
        displacement : array or sparse matrix of shape (n_points, n_features)
            How far each point moves, ``T(X) - X``.
        n_features : int, default=20
            How many features are drawn at most.
        feature_names : array of str of shape (n_features,), optional
            What the features are called; by number if None.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        DisplacementDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If displacements are not finite numbers in two axes, or names do not fit.
        """
        moved = displacement if sp.issparse(displacement) else as_values(displacement)
        if moved.ndim != 2 or 0 in moved.shape:
            raise ValueError(f"displacement has shape {moved.shape}; it must hold one point a row, and at least one.")
        if not np.all(np.isfinite(moved.data if sp.issparse(moved) else moved)):
            raise ValueError("displacement contains NaN or infinity.")
        if feature_names is not None:
            feature_names = np.asarray(feature_names, dtype=object)
            if feature_names.shape != (moved.shape[1],):
                raise ValueError(f"feature_names has shape {feature_names.shape}; there are {moved.shape[1]} features.")
        mean, share = (
            np.asarray(values.mean(axis=0), dtype=np.float64).reshape(-1)
            for values in (moved, (moved != 0).astype(np.float64))
        )
        return cls(mean, share, feature_names=feature_names).plot(n_features=n_features, ax=ax)

    def plot(self, *, n_features=20, ax=None):
        """Draw a bar for each of the most moved features; beside it stands the share of the points that move.

        Parameters
        ----------
        n_features : int, default=20
            How many features are drawn at most; those that nothing moves are not.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        DisplacementDisplay
            The display itself.
        """
        count = as_count(n_features, "n_features")
        self.ranking_ = np.argsort(-np.abs(self.mean), kind="stable")
        shown = self.ranking_[: min(count, np.count_nonzero(self.mean))]
        self.ax_ = strip(axes_or_new(ax, figsize=(6, 1.2 + 0.22 * max(shown.size, 4))))
        self.figure_ = self.ax_.figure
        at = np.arange(shown.size)
        self.ax_.barh(at, self.mean[shown], height=0.7, color=BLUE)
        for place, feature in zip(at, shown, strict=True):
            right = self.mean[feature] >= 0
            self.ax_.annotate(
                f"{self.share[feature]:.0%}",
                (self.mean[feature], place),
                xytext=(3 if right else -3, 0),
                textcoords="offset points",
                ha="left" if right else "right",
                va="center",
                fontsize="x-small",
                color=GREY,
            )
        names = shown if self.feature_names is None else self.feature_names[shown]
        self.ax_.set_yticks(at, [str(name) for name in names])
        self.ax_.set_ylim(max(shown.size, 1) - 0.4, -0.6)  # the most moved on top
        self.ax_.axvline(0, color=GREY, lw=0.8)
        self.ax_.margins(x=0.12)
        self.ax_.set(
            xlabel="mean displacement (share of points that move)",
            ylabel="feature",
            title=f"a point moves in {self.share.sum():.3g} of {self.share.size} features",
        )
        return self
