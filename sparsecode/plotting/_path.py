"""Coefficients along a path of strengths."""

from __future__ import annotations

import copy

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._array import to_numpy
from ..solvers.path import RegularizationPath, path_of
from ._style import GREY, SERIES, axes_or_new, logarithmic, strip

__all__ = ["PathDisplay"]


class PathDisplay:
    """Each coefficient as a line over the strength of the penalty, which falls from left to right.

    Create it with `from_path` or `from_estimator`; the constructor takes what they compute.

    Parameters
    ----------
    alphas : array of shape (n_alphas,)
        Strengths.
    coefs : array of shape (n_features, n_alphas)
        Coefficients; complex ones are drawn by modulus.
    alpha : float or None
        A chosen strength, marked by a line.
    feature_names : sequence of str or None
        Names of the features.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    lines_ : dict of int to matplotlib Line2D
        The line of each feature that is ever selected.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import MCP, regularization_path
    >>> from sparsecode.plotting import PathDisplay
    >>> rng = np.random.default_rng(0)
    >>> A = rng.standard_normal((40, 20))
    >>> path = regularization_path(A, 2 * A[:, 3] - A[:, 7], penalty=MCP(1.0), n_alphas=20, eps=0.05)
    >>> display = PathDisplay.from_path(path)
    >>> sorted(display.lines_)
    [3, 7]
    """

    def __init__(self, alphas, coefs, *, alpha=None, feature_names=None):
        self.alphas = alphas
        self.coefs = coefs
        self.alpha = alpha
        self.feature_names = feature_names

    @classmethod
    def from_path(cls, path, *, alpha=None, feature_names=None, highlight=None, ax=None):
        """Draw a path.

        Parameters
        ----------
        path : RegularizationPath
            What `regularization_path` or `lasso_path` returned. Rows of joint targets are drawn by their norms.
        alpha : float, optional
            A strength to mark.
        feature_names : sequence of str, optional
            Names for the legend.
        highlight : array of int, or of bool of shape (n_features,), optional
            Features to colour and name; by default the seven largest at `alpha`, or at the end of the path.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        PathDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If `path` is no path over strengths, or `highlight` or `feature_names` do not fit its features.
        """
        if not isinstance(path, RegularizationPath):
            raise ValueError(
                f"path is a {type(path).__name__}; from_path takes what regularization_path or lasso_path returned. The example "
                "plot_greedy_paths of the gallery draws history['path'] of a greedy solver."
            )
        coefs = to_numpy(path.coefs)
        coefs = np.linalg.norm(coefs, axis=1) if coefs.ndim == 3 else coefs
        display = cls(np.asarray(path.alphas), coefs, alpha=alpha, feature_names=feature_names)
        return display.plot(highlight=highlight, ax=ax)

    @classmethod
    def from_estimator(cls, estimator, X, y, *, sample_weight=None, n_alphas=100, eps=1e-3, highlight=None, ax=None):
        """Solve the path of a fitted estimator on some data and draw it, with the strength of the estimator marked.

        Parameters
        ----------
        estimator : estimator
            A fitted one of a loss and a penalty with a strength, such as `Lasso` or `LassoCV`; those that chose from strengths
            `alphas_` are drawn over these.
        X : array, sparse matrix or LinearOperator of shape (n_samples, n_features)
            The design.
        y : array of shape (n_samples,)
            The target.
        sample_weight : array of shape (n_samples,), optional
            Relative weights of the samples.
        n_alphas : int, default=100
            How many strengths, where the estimator has no `alphas_`.
        eps : float, default=1e-3
            Smallest strength over the largest, likewise.
        highlight : array of int, or of bool of shape (n_features,), optional
            Features to colour and name; by default the seven largest at the strength of the estimator.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        PathDisplay
            With the picture drawn.

        Raises
        ------
        ValueError
            If the estimator has no strength to make a path of.
        """
        check_is_fitted(estimator)
        if not hasattr(estimator, "_posed"):
            raise ValueError(
                f"{type(estimator).__name__} has no strength alpha to make a path of; the example plot_greedy_paths of the "
                "gallery draws the steps of a greedy solver."
            )
        twin = copy.copy(estimator)  # validation sets attributes
        design, target = getattr(twin, "_data", twin._validated)(X, y)
        penalty, alphas = _chosen(twin, design)
        posed = twin._posed(design, target, penalty, twin._weights_of(y, sample_weight))
        path = path_of(posed.problem, alphas, n_alphas, eps, estimator.solver, **twin._options())
        names = getattr(estimator, "feature_names_in_", None)
        return cls.from_path(path, alpha=penalty.alpha, feature_names=names, highlight=highlight, ax=ax)

    def plot(self, *, highlight=None, ax=None):
        """Draw the lines.

        Parameters
        ----------
        highlight : array of int, or of bool of shape (n_features,), optional
            Features to colour and name.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        PathDisplay
            The display itself.
        """
        coefs = np.abs(self.coefs) if np.iscomplexobj(self.coefs) else self.coefs
        used = np.flatnonzero(np.any(coefs != 0, axis=1))
        chosen = self._largest(coefs, used) if highlight is None else _features(highlight, coefs.shape[0])
        if self.feature_names is not None and len(self.feature_names) != coefs.shape[0]:
            raise ValueError(f"feature_names has {len(self.feature_names)} names for {coefs.shape[0]} features.")
        self.ax_ = strip(axes_or_new(ax, figsize=(6.5, 4)))
        self.figure_ = self.ax_.figure
        self.lines_ = {}
        dot = "" if np.ptp(self.alphas) > 0 else "o"  # a line from a point to itself is not seen
        for feature in np.setdiff1d(used, chosen):
            (line,) = self.ax_.plot(self.alphas, coefs[feature], marker=dot, color=GREY, lw=0.8, alpha=0.6)
            self.lines_[int(feature)] = line
        for position, feature in enumerate(chosen):
            colour = SERIES[position % len(SERIES)]
            style = ("-", "--", ":")[position // len(SERIES) % 3]
            (line,) = self.ax_.plot(self.alphas, coefs[feature], style, marker=dot, color=colour, lw=1.8)
            line.set_label(self._name(feature))
            self.lines_[int(feature)] = line
        if self.alpha is not None:
            self.ax_.axvline(self.alpha, color=GREY, lw=1.0, ls="--", zorder=0)
        self.ax_.axhline(0, color=GREY, lw=0.8, zorder=0)
        if np.ptp(self.alphas) > 0:
            self.ax_.set_xlim(np.max(self.alphas), np.min(self.alphas))
        logarithmic(self.ax_)
        self.ax_.set(xlabel="alpha", ylabel="modulus" if np.iscomplexobj(self.coefs) else "coefficient")
        if len(chosen):
            self.ax_.legend(frameon=False, loc="upper left", bbox_to_anchor=(1.0, 1.0))
        return self

    def _largest(self, coefs, used):
        """The features of largest modulus at the marked strength, or at the last one."""
        at = -1 if self.alpha is None else np.argmin(np.abs(np.log(self.alphas / self.alpha)))
        size = np.abs(coefs[used, at])
        order = np.argsort(-size, kind="stable")[: len(SERIES)]
        return np.sort(used[order[size[order] > 0]])

    def _name(self, feature):
        return str(feature) if self.feature_names is None else str(self.feature_names[feature])


def _features(highlight, n_features):
    """The features to colour, as indices."""
    chosen = np.atleast_1d(highlight)
    if chosen.dtype == bool and chosen.shape == (n_features,):
        return np.flatnonzero(chosen)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise ValueError(f"highlight must hold indices of features, or a mask of all {n_features}; got {highlight!r}.")
    if chosen.size and not 0 <= chosen.min() <= chosen.max() < n_features:
        raise ValueError(f"highlight must hold features from 0 to {n_features - 1}; got {highlight!r}.")
    return chosen.astype(np.int64)


def _chosen(estimator, design):
    """The penalty of a fitted estimator at its strength, and the strengths that it chose from."""
    alphas = getattr(estimator, "alphas_", None)
    if alphas is None:
        penalty = estimator._fit_penalty(design)
        if not getattr(penalty, "alpha", 0):
            raise ValueError(f"{type(estimator).__name__} has no strength above 0 to make a path of.")
        return penalty, None
    candidates = estimator._candidates()
    index = next(
        i for i, (_, said) in enumerate(candidates) if all(getattr(estimator, k) == v for k, v in said.items())
    )
    grid = alphas if np.ndim(alphas) == 1 else alphas[index]
    return candidates[index][0]._replace(alpha=estimator.alpha_), grid
