"""Total variation of an image: coefficients that are constant in regions with short borders.

    value(w) = alpha sum_pixels ||(difference to the next row, difference to the next column)||

Norms are Euclidean (isotropic) or l1 (anisotropic). The prox is computed by accelerated projected gradient on the dual and
stops at a duality gap of its own, since no finite method is known.

Rudin, Osher and Fatemi, "Nonlinear total variation based noise removal algorithms", 1992.
Beck and Teboulle, "Fast gradient-based algorithms for constrained total variation image denoising and deblurring", 2009.
"""

import math
from typing import NamedTuple

import numpy as np

from .._array import array_namespace, as_double, asarray_like, to_numpy
from ._checks import require
from ._plane import differences, project, sizes

__all__ = ["TotalVariation2D"]

_ROUNDS = 50  # strengths tried
_CLOSE, _COARSE = 1e-4, 1e-4  # the distance of their bounds that is enough, the prox's share of it
_FLAT = 1e-5  # smaller differences, relative to the largest modulus, are the prox's own error


class TotalVariation2D(NamedTuple):
    """``alpha`` times the total variation of the coefficients as an image, row by row; each target by itself.

    Parameters
    ----------
    alpha : float
        Strength, in the units of the loss's gradient. Not negative.
    shape : tuple of int
        Rows and columns of the image; their product is the number of features.
    isotropic : bool, default=True
        Whether a pixel's two differences are charged by their Euclidean norm, or each by itself.
    tol : float, default=1e-14
        Relative duality gap of the prox: the error of its answer is at most ``2 sqrt(tol)`` times the norm of what it is given.
    max_iter : int, default=10_000
        Iterations of the prox at most.

    Examples
    --------
    >>> import numpy as np
    >>> from sparsecode import TotalVariation2D
    >>> image = np.array([[4.0, 4.0, 0.0], [4.0, 4.0, 0.0]])
    >>> TotalVariation2D(1.0, (2, 3)).prox(image.reshape(-1), 1.0).round(4).reshape(2, 3)
    array([[3.5, 3.5, 1. ],
           [3.5, 3.5, 1. ]])
    """

    alpha: float
    shape: tuple
    isotropic: bool = True
    tol: float = 1e-14
    max_iter: int = 10_000

    @property
    def is_convex(self):
        """Whether a duality gap certifies the answer."""
        return True

    @property
    def is_separable(self):
        """Whether it is a sum over coefficients: neighbours are tied."""
        return False

    @property
    def is_homogeneous(self):
        """Whether doubling the coefficients doubles it, so that its conjugate is zero in the dual ball."""
        return True

    @property
    def supports_complex(self):
        """Whether coefficients may be complex."""
        return False

    def check(self, n_features):
        """Raise a ValueError if the image does not hold the coefficients."""
        require(
            len(self.shape) == 2 and self.shape[0] * self.shape[1] == n_features,
            f"TotalVariation2D.shape is {self.shape!r}; rows times columns must be the {n_features} features.",
        )

    def free(self, n_features):
        """Directions that are not charged, as columns: constants."""
        return np.ones((n_features, 1))

    def _image(self, coef):
        return array_namespace(coef).reshape(as_double(coef), (*self.shape, *coef.shape[1:]))

    def _size(self, image):
        """Total variation, one number a target."""
        size = sizes(differences(image), self.isotropic)
        if self.isotropic:
            size = size[:1, ...]
        return array_namespace(image).sum(size, axis=(0, 1, 2))

    def _by_target(self, function, *arrays):
        """Results of a function of one target's images, as coefficients."""
        xp, images = array_namespace(*arrays), [self._image(array) for array in arrays]
        if images[0].ndim == 2:
            return xp.reshape(function(*images), (-1,))
        targets = range(images[0].shape[2])
        return xp.stack([xp.reshape(function(*(image[:, :, t] for image in images)), (-1,)) for t in targets], axis=1)

    def value(self, coef, weights=None):
        """The penalty in float64, one number a target."""
        return self.alpha * self._size(self._image(coef))

    def degrees_of_freedom(self, coef):
        """Levels that the regions of one target have: what a fit may choose."""
        from scipy.sparse import coo_array
        from scipy.sparse.csgraph import connected_components

        image = to_numpy(self._image(coef))
        pixels = np.arange(image.size).reshape(self.shape)
        flat = _FLAT * float(np.max(np.abs(image), initial=0.0))
        pairs = []
        for axis in (0, 1):
            near, far = (part.ravel() for part in (np.delete(pixels, -1, axis), np.delete(pixels, 0, axis)))
            tied = np.abs(np.diff(image, axis=axis)).ravel() <= flat
            pairs.append((near[tied], far[tied]))
        near, far = (np.concatenate(part) for part in zip(*pairs, strict=True))
        graph = coo_array((np.ones(near.size), (near, far)), shape=(image.size, image.size))
        return int(connected_components(graph, directed=False)[0])

    def prox(self, coef, step):
        """Denoising, to a duality gap of `tol`."""

        def denoise(image):
            xp = array_namespace(image)
            mean = xp.mean(image)
            left = project(image - mean, float(step) * self.alpha, self.isotropic, self.tol, self.max_iter)[0]
            flat = xp.sum(left**2) <= self.tol * xp.sum((image - mean) ** 2)  # nothing but the error that is allowed
            return mean + xp.where(flat, xp.zeros_like(left), left)

        return array_namespace(coef).astype(self._by_target(denoise, coef), coef.dtype, copy=False)

    def subdiff_distance(self, grad, coef, weights=None):
        """Distance of ``-grad`` to the subdifferential; differences below 1e-5 of the largest modulus count as zero."""

        def distance(pull, image):
            xp = array_namespace(image)
            jump = differences(image)
            size = sizes(jump, self.isotropic)
            known = size > _FLAT * xp.maximum(xp.max(size), xp.max(xp.abs(image)))
            flow = self.alpha * jump / xp.where(known, size, xp.ones_like(size))
            fixed = (known, flow)
            return xp.abs(project(-pull, self.alpha, self.isotropic, self.tol, self.max_iter, fixed)[0])

        return self._by_target(distance, grad, coef)

    def dual_limit(self, correlation, weights=None):
        """An s with ``s * correlation`` in the dual ball, for correlations of sum zero; the largest up to what the projection leaves.

        The projection on the dual ball gives a flow of nearly this divergence; what it misses is added, as the gradient of the
        solution of a Poisson equation, so that the bound holds exactly.
        """
        image = to_numpy(self._image(correlation)).reshape(*self.shape, -1)
        limits = np.empty(image.shape[2])
        for t in range(len(limits)):
            left, flow = project(image[:, :, t], self.alpha, self.isotropic, self.tol, self.max_iter)
            top = float(np.max(sizes(flow + differences(_poisson(left)), self.isotropic)))
            limits[t] = self.alpha / top if top > 0 else math.inf
        return asarray_like(limits.reshape(correlation.shape[1:]), as_double(correlation))

    @property
    def critical_error(self):
        """How far above the least strength `critical_strength` may be, relative: projections take long to say more."""
        return _CLOSE

    def critical_strength(self, correlation):
        """The least `alpha` whose dual ball holds correlations of sum zero, from above, one number a target.

        What denoising at one strength leaves proves a greater one, ``<correlation, u> / TV(u)``; its flow, with the rest added as in
        `dual_limit`, bounds it from above.
        """
        image = to_numpy(self._image(correlation)).reshape(*self.shape, -1)
        strengths = [self._least_flow(image[:, :, t]) for t in range(image.shape[2])]
        return np.asarray(strengths).reshape(correlation.shape[1:])

    def _least_flow(self, pull):
        """The same for one image."""
        flow, left = np.zeros_like(differences(pull)), pull
        lower, upper = 0.0, math.inf
        for _ in range(_ROUNDS):
            upper = min(upper, float(np.max(sizes(flow + differences(_poisson(left)), self.isotropic))))
            size = float(self._size(left))
            bound = float(np.sum(pull * left)) / size if size > 0 else 0.0
            if upper <= (1.0 + _CLOSE) * max(lower, bound) or bound <= lower:
                break
            lower = bound
            tol = max(self.tol, _COARSE * (upper / lower - 1.0) ** 2)
            left, flow = project(pull, lower, self.isotropic, tol, self.max_iter)
        return upper

    def conjugate(self, correlation, weights=None):
        """Convex conjugate inside its domain: zero."""
        return 0.0


def _poisson(source):
    """An image u with ``D^T D u = source``, for a source of sum zero: diagonal in the cosine transform."""
    from scipy.fft import dctn, idctn

    eigenvalues = [2.0 - 2.0 * np.cos(np.pi * np.arange(count) / count) for count in source.shape]
    total = eigenvalues[0][:, None] + eigenvalues[1][None, :]
    total[0, 0] = 1.0
    spectrum = dctn(source, norm="ortho") / total
    spectrum[0, 0] = 0.0
    return idctn(spectrum, norm="ortho")
