"""Differences on a grid, and the projection whose dual is total variation denoising.

    minimise over p   ||pull - D^T p||**2 / 2     subject to   |p| <= radius at every place (or the norm of a pixel's pair)

D takes differences to the next row and the next column. What is left, ``pull - D^T p``, is the denoised `pull`.

Beck and Teboulle, "Fast gradient-based algorithms for constrained total variation image denoising and deblurring", 2009.
"""

from __future__ import annotations

from .._array import array_namespace

__all__ = ["differences", "divergence", "project", "sizes"]

_CURVATURE = 8.0  # ||D||**2 is less
_CHECK_EVERY = 10


def differences(image):
    """Differences to the next row and to the next column, (2, n_rows, n_columns, ...), zero at the far edges."""
    xp = array_namespace(image)
    rows = xp.concat([image[1:, ...] - image[:-1, ...], xp.zeros_like(image[:1, ...])], axis=0)
    columns = xp.concat([image[:, 1:, ...] - image[:, :-1, ...], xp.zeros_like(image[:, :1, ...])], axis=1)
    return xp.stack([rows, columns])


def divergence(flow):
    """The adjoint of `differences`, for flows that vanish at the far edges."""
    xp = array_namespace(flow)
    rows, columns = flow[0, ...], flow[1, ...]
    down = xp.concat([xp.zeros_like(rows[:1, ...]), rows[:-1, ...]], axis=0) - rows
    right = xp.concat([xp.zeros_like(columns[:, :1, ...]), columns[:, :-1, ...]], axis=1) - columns
    return down + right


def sizes(flow, isotropic):
    """Moduli of the differences one by one, or norms of each pixel's pair (given to both)."""
    xp = array_namespace(flow)
    if not isotropic:
        return xp.abs(flow)
    norm = xp.sqrt(flow[0, ...] ** 2 + flow[1, ...] ** 2)
    return xp.stack([norm, norm])


def project(pull, radius, isotropic, tol, max_iter, fixed=None):
    """What is left of `pull`, and the flow. Stops when the duality gap is at most `tol` times ``||pull||**2 / 2``.

    Accelerated projected gradient with restart. `fixed` is a mask of flows that stay as they are given, and those values.
    """
    xp = array_namespace(pull)
    flow = xp.zeros_like(differences(pull))
    if fixed is not None:
        flow = xp.where(fixed[0], fixed[1], flow)
    ahead, momentum = flow, 1.0
    scale = 0.5 * float(xp.sum(pull * pull))
    for iteration in range(max_iter):
        slope = differences(pull - divergence(ahead))
        new = ahead + slope / _CURVATURE
        over = sizes(new, isotropic)
        new = new * (radius / xp.where(over > radius, over, xp.full_like(over, radius) if radius else 1.0 + over))
        if fixed is not None:
            new = xp.where(fixed[0], fixed[1], new)
        change = new - flow
        if float(xp.sum((new - ahead) * change)) < 0:
            momentum = 1.0
        following = 0.5 * (1.0 + (1.0 + 4.0 * momentum**2) ** 0.5)
        ahead, flow = new + (momentum - 1.0) / following * change, new
        momentum = following
        if iteration % _CHECK_EVERY == 0:
            slope = differences(pull - divergence(flow))
            open_ = xp.zeros_like(slope) if fixed is None else xp.where(fixed[0], slope, xp.zeros_like(slope))
            slope = slope - open_
            size = sizes(slope, isotropic)
            charged = 0.5 * size if isotropic else size
            if float(xp.sum(radius * charged - flow * slope)) <= tol * scale:
                break
    return pull - divergence(flow), flow
