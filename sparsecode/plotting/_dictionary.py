"""The atoms of a dictionary as tiles of one mosaic."""

from __future__ import annotations

import math

import numpy as np

from .._array import is_array_api_obj, to_numpy
from ._style import axes_or_new

__all__ = ["DictionaryDisplay"]


class DictionaryDisplay:
    """Atoms drawn as tiles, each scaled to its own contrast.

    Create it with `from_estimator` or `from_components`; the constructor takes what they compute.

    Parameters
    ----------
    components : array of shape (n_components, n_features)
        Atoms in rows.
    atom_shape : tuple of int
        Shape of a tile: (height, width), or (height, width, 3) for colour.

    Attributes
    ----------
    ax_ : matplotlib Axes
        What the mosaic was drawn on.
    figure_ : matplotlib Figure
        Its figure.
    image_ : matplotlib AxesImage
        The mosaic.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode.plotting import DictionaryDisplay
    >>> atoms = np.random.default_rng(0).standard_normal((20, 64))
    >>> display = DictionaryDisplay.from_components(atoms)
    >>> display.image_.get_array().shape  # 4 rows and 5 columns of 8 x 8 tiles and the lines between them
    (37, 46)
    """

    def __init__(self, components, *, atom_shape):
        self.components = components
        self.atom_shape = atom_shape

    @classmethod
    def from_estimator(
        cls, estimator, *, atom_shape=None, order=None, n_atoms=None, n_columns=None, cmap="gray", ax=None
    ):
        """Draw the `components_` of a fitted estimator.

        Parameters
        ----------
        estimator : fitted estimator
            With `components_` (n_components, n_features), such as `DictionaryLearning`.
        atom_shape, order, n_atoms, n_columns, cmap, ax
            As for `from_components`.

        Returns
        -------
        DictionaryDisplay
            With the mosaic drawn.

        Raises
        ------
        NotFittedError
            If the estimator has no `components_` yet.

        Examples
        --------
        >>> from sklearn.decomposition import PCA
        >>> from sparsecode.datasets import load_patches
        >>> from sparsecode.plotting import DictionaryDisplay
        >>> pca = PCA(16).fit(load_patches(n_patches=500, random_state=0))
        >>> display = DictionaryDisplay.from_estimator(pca)
        """
        from sklearn.utils.validation import check_is_fitted

        check_is_fitted(estimator, "components_")
        return cls.from_components(
            estimator.components_,
            atom_shape=atom_shape,
            order=order,
            n_atoms=n_atoms,
            n_columns=n_columns,
            cmap=cmap,
            ax=ax,
        )

    @classmethod
    def from_components(
        cls, components, *, atom_shape=None, order=None, n_atoms=None, n_columns=None, cmap="gray", ax=None
    ):
        """Draw an array of atoms.

        Parameters
        ----------
        components : array of shape (n_components, n_features)
            Atoms in rows.
        atom_shape : tuple of int, optional
            Shape of a tile; by default the square that n_features allows.
        order : {"roughness"} or array of int, optional
            Which atoms are drawn, and in which order: as they come by default, or from the smoothest to the roughest
            (by the energy of the differences between neighbouring pixels).
        n_atoms : int, optional
            Draw only the first so many of that order; all by default.
        n_columns : int, optional
            Tiles in a row; by default the mosaic is about square.
        cmap : str, default="gray"
            Colour map, for tiles without colours of their own.
        ax : matplotlib Axes, optional
            Where to draw; a new figure by default.

        Returns
        -------
        DictionaryDisplay
            With the mosaic drawn.

        Raises
        ------
        ValueError
            If the tiles' shape does not fit the atoms.
        """
        components = np.asarray(to_numpy(components) if is_array_api_obj(components) else components, dtype=float)
        if components.ndim != 2 or components.size == 0:
            raise ValueError(f"components has shape {components.shape}; it must be (n_components, n_features).")
        atom_shape = _tile_shape(components.shape[1], atom_shape)
        return cls(components, atom_shape=atom_shape).plot(
            order=order, n_atoms=n_atoms, n_columns=n_columns, cmap=cmap, ax=ax
        )

    def plot(self, *, order=None, n_atoms=None, n_columns=None, cmap="gray", ax=None):
        """Draw the mosaic.

        Parameters
        ----------
        order, n_atoms, n_columns, cmap, ax
            As for `from_components`.

        Returns
        -------
        DictionaryDisplay
            The display itself.
        """
        tiles = self.components.reshape(-1, *self.atom_shape)
        if isinstance(order, str):
            if order != "roughness":
                raise ValueError(f"order must be 'roughness', an array of indices, or None; got {order!r}.")
            order = np.argsort(_roughness(tiles), kind="stable")
        tiles = (tiles if order is None else tiles[np.asarray(order)])[:n_atoms]
        if n_columns is None:
            n_columns = math.ceil(math.sqrt(len(tiles) * self.atom_shape[0] / self.atom_shape[1]))
        self.ax_ = axes_or_new(ax, figsize=(5, 5))
        self.figure_ = self.ax_.figure
        self.image_ = self.ax_.imshow(_mosaic(tiles, n_columns), cmap=cmap, vmin=0, vmax=1, interpolation="nearest")
        self.ax_.set_axis_off()
        return self


def _tile_shape(n_features, atom_shape):
    if atom_shape is None:
        side = math.isqrt(n_features)
        if side * side != n_features:
            raise ValueError(f"atoms of length {n_features} are not square; pass atom_shape=(height, width).")
        return side, side
    atom_shape = tuple(atom_shape)
    if (
        len(atom_shape) not in (2, 3)
        or math.prod(atom_shape) != n_features
        or (len(atom_shape) == 3 and atom_shape[2] != 3)
    ):
        raise ValueError(
            f"atom_shape is {atom_shape}, but the atoms have length {n_features}; "
            "give (height, width), or (height, width, 3) for colour, whose product is that length."
        )
    return atom_shape


def _roughness(tiles):
    """Energy of the differences between neighbours over the energy of the tile."""
    steps = sum(np.sum(np.diff(tiles, axis=axis) ** 2, axis=tuple(range(1, tiles.ndim))) for axis in (1, 2))
    energy = np.sum(tiles**2, axis=tuple(range(1, tiles.ndim)))
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
