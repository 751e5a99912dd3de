"""The atoms of a dictionary side by side: patches as tiles of a mosaic, spectra and kernels in time as curves."""

from __future__ import annotations

import math

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .._array import is_array_api_obj, to_numpy
from .._validation import as_count
from ..metrics import atom_usage
from ._style import BLUE, axes_or_new

__all__ = ["DictionaryDisplay"]

_FEW = 12  # curves that still read well below one another
_HEIGHT = 0.45  # of a curve's peak, where rows lie one apart
_GAP = 0.06  # between curves side by side, over their length


class DictionaryDisplay:
    """Atoms drawn side by side, each scaled to its own contrast: patches as tiles, atoms of one axis as curves.

    Create it with `from_estimator` or `from_components`; the constructor takes what they compute.

    Parameters
    ----------
    components : array of shape (n_components, n_features)
        Atoms in rows.
    atom_shape : tuple of int
        Shape of an atom: (height, width), (height, width, 3) for colour, or (length,) for a spectrum or a kernel in time.
    usage : array of shape (n_components,), optional
        How much each atom is used.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What the atoms were drawn on.
    figure_ : matplotlib Figure
        Its figure.
    image_ : matplotlib AxesImage or None
        The mosaic of tiles.
    lines_ : list of matplotlib Line2D
        The curves.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.plotting import DictionaryDisplay
    >>> atoms = np.random.default_rng(0).standard_normal((20, 64))
    >>> display = DictionaryDisplay.from_components(atoms)
    >>> display.image_.get_array().shape  # 4 rows and 5 columns of 8 x 8 tiles and the lines between them
    (37, 46)
    >>> len(DictionaryDisplay.from_components(atoms, atom_shape=(64,)).lines_)
    20
    """

    def __init__(self, components, *, atom_shape, usage=None):
        self.components = components
        self.atom_shape = atom_shape
        self.usage = usage

    @classmethod
    def from_estimator(
        cls,
        estimator,
        X=None,
        *,
        atom_shape=None,
        order=None,
        n_atoms=None,
        n_columns=None,
        positions=None,
        cmap="gray",
        ax=None,
    ):
        """Draw the `components_` of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            With `components_` (n_components, n_features), such as `DictionaryLearning`; kernels of a convolutional dictionary may
            have their own axes, (n_components, height, width).
        X : array of shape (n_samples, n_features), optional
            Signals whose codes, ``estimator.transform(X)``, say how much each atom is used: what ``order="usage"`` needs.
        atom_shape, order, n_atoms, n_columns, positions, cmap, ax
            As for `from_components`.

        Returns
        -------
        DictionaryDisplay
            With the atoms drawn.

        Raises
        ------
        NotFittedError
            If the estimator is not fitted yet.
        ValueError
            If it has no `components_` even so: `from_components` draws any atoms.

        Examples
        --------
        >>> from sklearn.decomposition import PCA
        >>> from sparsecode.datasets import load_patches
        >>> from sparsecode.plotting import DictionaryDisplay
        >>> pca = PCA(16).fit(load_patches(n_patches=500, random_state=0))
        >>> display = DictionaryDisplay.from_estimator(pca)
        """
        if not hasattr(estimator, "components_"):
            check_is_fitted(estimator)
            atoms = "estimator.dictionary_.T" if hasattr(estimator, "dictionary_") else "atoms"
            raise ValueError(
                f"{type(estimator).__name__} has no components_ to draw; pass atoms, one a row, to the other constructor: "
                f"DictionaryDisplay.from_components({atoms})."
            )
        moves = hasattr(estimator, "code_shape_")  # kernels, which have a code at each place
        if atom_shape is None and moves:
            atom_shape = estimator.components_.shape[1:]
        usage = None
        if X is not None:
            usage = atom_usage(estimator.transform(X))
            if moves:
                usage = usage.reshape(estimator.code_shape_[0], -1).sum(axis=1)
            elif getattr(estimator, "split_sign", False):  # columns for positive parts, then those for negative ones
                usage = usage.reshape(2, -1).sum(axis=0)
        return cls.from_components(
            estimator.components_,
            atom_shape=atom_shape,
            usage=usage,
            order=order,
            n_atoms=n_atoms,
            n_columns=n_columns,
            positions=positions,
            cmap=cmap,
            ax=ax,
        )

    @classmethod
    def from_components(
        cls,
        components,
        *,
        atom_shape=None,
        usage=None,
        order=None,
        n_atoms=None,
        n_columns=None,
        positions=None,
        cmap="gray",
        ax=None,
    ):
        """Draw an array of atoms.

        Parameters
        ----------
        components : array of shape (n_components, n_features), or (n_components, height, width[, 3])
            Atoms in rows, or kernels with axes of their own.
        atom_shape : tuple of int, optional
            Shape of an atom: (height, width), (height, width, 3) for colour, or (length,) for curves; by default the axes that
            kernels have, else the square that n_features allows.
        usage : array of shape (n_components,), optional
            How much each atom is used, in any unit; `sparsecode.metrics.atom_usage` counts it in codes.
        order : {"roughness", "usage"} or array of int, optional
            Which atoms are drawn, and in which order: as they come by default, from the smoothest to the roughest (by the energy
            of the differences between neighbours), or from the most used to the least.
        n_atoms : int, optional
            Draw only the first so many of that order; all by default.
        n_columns : int, optional
            Atoms in a row; by default the mosaic is about square, and up to twelve curves lie below one another.
        positions : array of shape (length,), optional
            Where the entries of a curve lie on its axis, for example wavelengths or seconds; 0, 1, ... by default.
        cmap : str, default="gray"
            Colour map, for tiles without colours of their own.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        DictionaryDisplay
            With the atoms drawn.

        Raises
        ------
        ValueError
            If the shape does not fit the atoms, or an order by usage lacks the usage.
        """
        components = to_numpy(components) if is_array_api_obj(components) else np.asarray(components)
        if np.iscomplexobj(components):
            raise ValueError(
                "components are complex, which one picture cannot show; pass their .real, .imag or modulus."
            )
        components = np.asarray(components, dtype=float)
        if components.ndim < 2 or components.size == 0:
            raise ValueError(f"components has shape {components.shape}; it must be (n_components, n_features).")
        own_axes = components.shape[1:] if components.ndim > 2 else None
        components = components.reshape(components.shape[0], -1)
        atom_shape = _atom_shape(components.shape[1], own_axes if atom_shape is None else atom_shape)
        if usage is not None:
            usage = np.asarray(usage, dtype=float)
            if not np.all(np.isfinite(usage)):
                raise ValueError("usage has entries that are not finite.")
            if usage.shape != components.shape[:1]:
                raise ValueError(
                    f"usage has shape {usage.shape}; it must be ({components.shape[0]},), one number an atom."
                )
        return cls(components, atom_shape=atom_shape, usage=usage).plot(
            order=order, n_atoms=n_atoms, n_columns=n_columns, positions=positions, cmap=cmap, ax=ax
        )

    def plot(self, *, order=None, n_atoms=None, n_columns=None, positions=None, cmap="gray", ax=None):
        """Draw the atoms.

        Parameters
        ----------
        order, n_atoms, n_columns, positions, cmap, ax
            As for `from_components`.

        Returns
        -------
        DictionaryDisplay
            The display itself.
        """
        atoms = self.components.reshape(-1, *self.atom_shape)
        chosen = np.arange(len(atoms)) if order is None else np.asarray(self._ranked(order, atoms))
        if n_atoms is not None:
            chosen = chosen[: as_count(n_atoms, "n_atoms")]
        if n_columns is not None:
            n_columns = as_count(n_columns, "n_columns")
        if len(self.atom_shape) == 1:
            return self._plot_curves(atoms[chosen], chosen, n_columns, positions, ax)
        if positions is not None:
            raise ValueError("positions are those of curves; leave it None for tiles, or pass atom_shape=(length,).")
        tiles = atoms[chosen]
        if n_columns is None:
            n_columns = math.ceil(math.sqrt(len(tiles) * self.atom_shape[0] / self.atom_shape[1]))
        self.ax_ = axes_or_new(ax, figsize=(5, 5))
        self.figure_, self.lines_ = self.ax_.figure, []
        self.image_ = self.ax_.imshow(_mosaic(tiles, n_columns), cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        self.ax_.set_axis_off()
        return self

    def _ranked(self, order, atoms):
        if not isinstance(order, str):
            order = np.asarray(order)
            if order.ndim != 1 or order.dtype.kind not in "iu" or np.any((order < 0) | (order >= len(atoms))):
                raise ValueError(f"order must hold indices of atoms, from 0 to {len(atoms) - 1}; got {order!r}.")
            return order
        if order == "roughness":
            return np.argsort(_roughness(atoms), kind="stable")
        if order != "usage":
            raise ValueError(f"order must be 'roughness', 'usage', an array of indices, or None; got {order!r}.")
        if self.usage is None:
            raise ValueError("order='usage' needs to know how much atoms are used: pass X to from_estimator, or usage.")
        return np.argsort(-self.usage, kind="stable")

    def _plot_curves(self, atoms, chosen, n_columns, positions, ax):
        """Curves in rows one apart, the first on top; only one column of them keeps its axes."""
        length = self.atom_shape[0]
        if n_columns is None:
            n_columns = 1 if len(atoms) <= _FEW else math.ceil(math.sqrt(len(atoms) / 2))
        positions = np.arange(length) if positions is None else np.asarray(positions, dtype=float)
        if positions.shape != (length,):
            raise ValueError(
                f"positions has shape {positions.shape}; it must be ({length},), one number for each entry."
            )
        row, column = np.divmod(np.arange(len(atoms)), n_columns)
        span = (1.0 + _GAP) * (np.ptp(positions) or 1.0)
        peak = np.max(np.abs(atoms), axis=1, keepdims=True)
        heights = _HEIGHT * atoms / np.where(peak > 0, peak, 1.0) - row[:, None]
        self.ax_ = axes_or_new(ax, figsize=(5, 5))
        self.figure_, self.image_ = self.ax_.figure, None
        places = positions + span * column[:, None]
        self.ax_.hlines(-row, places.min(axis=1), places.max(axis=1), color="0.85", linewidth=0.8, zorder=1)
        self.lines_ = self.ax_.plot(places.T, heights.T, color=BLUE, linewidth=1.0)
        if n_columns == 1:
            self.ax_.set(yticks=-row, yticklabels=chosen, ylabel="atom")
        else:
            self.ax_.set_axis_off()
        return self


def _atom_shape(n_features, atom_shape):
    if atom_shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(
                f"atoms of length {n_features} are not square; pass atom_shape=(height, width), or ({n_features},) for curves."
            )
        return side, side
    atom_shape = tuple(atom_shape)
    if (
        len(atom_shape) not in (1, 2, 3)
        or math.prod(atom_shape) != n_features
        or (len(atom_shape) == 3 and atom_shape[2] != 3)
    ):
        raise ValueError(
            f"atom_shape is {atom_shape}, but the atoms have length {n_features}; "
            "give (height, width), (height, width, 3) for colour, or (length,) for curves, whose product is that length."
        )
    return atom_shape


def _roughness(atoms):
    """Energy of the differences between neighbours over the energy of the atom; colours are no neighbours."""
    axes = tuple(range(1, atoms.ndim))
    steps = sum(np.sum(np.diff(atoms, axis=axis) ** 2, axis=axes) for axis in axes[:2])
    energy = np.sum(atoms**2, axis=axes)
    return steps / np.where(energy > 0, energy, 1.0)


def _mosaic(tiles, n_columns):
    """Tiles on a white ground, one pixel apart; zero is mid-grey in every tile."""
    height, width = tiles.shape[1:3]
    n_rows = math.ceil(len(tiles) / n_columns)
    canvas = np.ones((n_rows * (height + 1) + 1, n_columns * (width + 1) + 1, *tiles.shape[3:]))
    peak = np.abs(tiles).max(axis=tuple(range(1, tiles.ndim)), keepdims=True)
    shades = 0.5 + 0.5 * tiles / np.where(peak > 0, peak, 1.0)
    for position, tile in enumerate(shades):
        row, column = divmod(position, n_columns)
        top, left = row * (height + 1) + 1, column * (width + 1) + 1
        canvas[top : top + height, left : left + width] = tile
    return canvas
