"""Where a smooth loss leaves the derivatives of one sample for the compiled kernels to pick up."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

__all__ = ["SCALAR_LOSS", "scalar_loss"]

SCALAR_LOSS: dict[Any, Callable] = {}


def scalar_loss(loss_class):
    """Register ``slopes(loss, target, fitted) -> (gradient, curvature)``, plain arithmetic on one sample, for the kernels.

    The function is compiled when a kernel first meets the loss, so it may use only numbers, the loss's fields and the
    `math` module. It must return the first and the second derivative in `fitted` of what one sample of weight one adds
    to the loss; one coordinate-descent or Newton kernel then serves every loss that has one.

    Parameters
    ----------
    loss_class : type
        The loss's class, a `typing.NamedTuple`.

    Returns
    -------
    callable
        The decorator; it hands the function on as it is.

    Examples
    --------
    >>> import math
    >>> from typing import NamedTuple
    >>> from sparsecode.losses import scalar_loss
    >>> class LogCosh(NamedTuple):
    ...     scale: float
    >>> @scalar_loss(LogCosh)
    ... def log_cosh_slopes(loss, target, fitted):
    ...     slope = math.tanh((fitted - target) / loss.scale)
    ...     return slope, (1.0 - slope * slope) / loss.scale
    >>> log_cosh_slopes(LogCosh(2.0), 1.0, 1.0)
    (0.0, 0.5)
    """

    def register(function):
        SCALAR_LOSS[loss_class] = function
        return function

    return register
