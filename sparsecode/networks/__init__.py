"""Parts that trained models share: networks with their gradients written out, and the steps that train them."""

from .adam import Adam, clipped, copied
from .convex import ConvexNetwork
from .harm import harm

__all__ = ["Adam", "ConvexNetwork", "clipped", "copied", "harm"]
