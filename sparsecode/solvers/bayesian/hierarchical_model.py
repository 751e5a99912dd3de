"""Variational Bayes with a prior of three layers: support, precisions, coefficients.

    s ~ p(s) over units,    rho_n | s ~ Gamma(a, b) where active, Gamma(a', b') where not,    x_n | rho_n ~ N(0, 1 / rho_n)
    y = A x + e,    e ~ N(0, I / kappa),    kappa ~ Gamma(c, d)

The posterior is approximated by ``q(x) q(rho) q(s) q(kappa)``; a sweep improves one factor after another, so that the evidence bound

    log p(y) >= E log p(y, x, rho, s, kappa) - E log q

never falls. Here q(x) is a full Gaussian, or one of independent coefficients, whose mean needs no inverse larger than the support.

Liu, Liu, Lian, Lau and Zhao, "Robust recovery of structured sparse signals with uncertain sensing matrix: a Turbo-VBI approach", 2020.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from scipy.special import digamma, gammaln

from ..._array import array_namespace, as_double, asarray_like, dagger, is_complex, is_single, sq_norm, to_numpy
from ..belief import Belief, check_size
from ..certificates import Certificate
from .gaussian import posterior
from .sbl import solve_sbl
from .updates import mackay

__all__ = ["Factors", "HierarchicalModel"]

ACTIVE = (1.0, 1.0)  # shape of Gamma, and rate in units of the energy of an active coefficient
INACTIVE = (1.0, 1e-5)
NOISE = 1e-6  # shape of the noise precision, and rate in units of the mean square of the target
_FIRST_NOISE = 0.1
_TELLABLE = 1e-12  # of the mean square: of a given noise below, double precision knows nothing
_FIRST_ROUNDS = 15
_MOST_EXACT = 2000  # samples or features: beyond, the start of independent coefficients inverts no such matrix
_PRICE, _PASSES, _FIRST_GAIN = 3.0, 100, 1e-2  # nats a coefficient, rounds, nats
_MOST = 1e6  # of the energy of an active coefficient: the rounds may diverge
_LEAST = 1e-12  # of the largest prior variance: none starts below
_DOUBT, _BELIEF = 0.25, 0.3  # of the most nats: how far a start speaks against a coefficient, and for or against a unit
_MOST_LIKELY = 0.5  # rate of a start: above, the prior would outdo those nats
_NAME = "relative change under one more iteration"


class Factors(NamedTuple):
    """One setting of the factors of q; what belongs to features is in NumPy and float64."""

    mean: Any  # (n_features, n_targets), in the namespace of the data
    variance: np.ndarray  # (n_features,)
    precision: np.ndarray  # E rho, (n_features,)
    inclusion: np.ndarray  # q(s = 1), (n_features,)
    noise: float  # 1 / E kappa
    bound: float = -math.inf


class HierarchicalModel:
    """The validated problem in double precision, and one sweep over the factors of q."""

    def __init__(self, design, target, support, groups, subspace_steps, noise_variance, total, lost=0, row_weight=None):
        self.like = target
        self.design = design.in_double().with_exact_norms()
        self.target = as_double(target if target.ndim == 2 else target[:, None])
        self.support, self.groups, self.subspace_steps = support, groups, subspace_steps
        self.sq_norms = np.asarray(self.design.column_sq_norms(), dtype=np.float64)
        self.n_samples, self.n_targets = self.target.shape
        self.total, self.row_weight = (
            total,
            row_weight,
        )  # sum of the weights, and those that the rows carry, of mean one
        self.counted, self.unit = total - lost, self.n_samples / total  # as in `KroneckerModel`
        self.mean_square = float(np.mean(to_numpy(sq_norm(self.target)))) / self.n_samples
        least = _TELLABLE * self.mean_square
        self.noise_variance = None if noise_variance is None else max(noise_variance, least) * self.unit
        self.half = 1.0 if is_complex(self.target) or is_complex(self.design.vector(np.zeros(1))) else 0.5
        active = max(support.rate, 1.0 / self.groups.sizes.size)  # of the units, one at least
        size = active * float(np.sum(self.sq_norms)) / self.n_samples
        self.energy = self.mean_square / size if size > 0 else 0.0  # of an active coefficient
        if self.energy > 0:
            check_size(0.5 * math.log10(self.energy), self.like)
        self.seen = self.sq_norms > 0
        self._columns = self._gram = self._correlation = None

    @property
    def is_void(self):
        """Whether nothing can be explained, or nothing is to be."""
        return not self.energy > 0

    # ------------------------------------------------------------ start

    def start(self):
        """The first setting: precisions of a rough sparse solution, without which all would stay active."""
        noise = _FIRST_NOISE * self.mean_square * self.unit if self.noise_variance is None else self.noise_variance
        rough = self.subspace_steps is None or min(self.design.shape) <= _MOST_EXACT
        prior = self._rough_variances(noise) if rough else self._learned_variances()
        prior = np.maximum(prior, _LEAST * np.max(prior))
        return Factors(0 * self.design.rmatvec(self.target), prior, 1.0 / prior, self._implied_support(prior), noise)

    def _implied_support(self, prior):
        """Inclusion by those precisions: a sweep renews precisions first, and a support of the rate alone would make all of them active.

        It is a cautious guess: what the rough solution missed must be able to come back, and what it made up to go.
        """
        (_, active), (_, inactive) = ACTIVE, INACTIVE
        most = math.log(active / inactive)  # nats that a precision near zero brings
        evidence = most - (active - inactive) * self.energy / prior
        of_units = self.groups.sum(np.clip(evidence, -_DOUBT * most, most) * self.seen)
        support = self.support._replace(rate=min(self.support.rate, _MOST_LIKELY))
        return self.groups.spread(support.marginals(np.clip(of_units, -_BELIEF * most, _BELIEF * most))[0])

    def _rough_variances(self, noise):
        """Prior variances after some rounds of sparse Bayesian learning."""
        prior = np.where(self.seen, self.energy * self.support.rate, 0.0)
        for _ in range(_FIRST_ROUNDS):
            now = self._posterior(prior, noise)
            quality_sq = np.mean(np.abs(to_numpy(now.quality)) ** 2, axis=1)
            prior = np.minimum(mackay(prior, quality_sq, to_numpy(now.sparsity)), _MOST * self.energy)
        return prior if np.max(prior) > 0 else self.energy * self.seen

    def _learned_variances(self):
        """Prior variances learned one at a time: no inverse is larger than the support. What a pursuit misses would never return."""
        options = {
            "method": "fast",
            "joint": True,
            "correlation": None,
            "prune": _PRICE,
            "init": None,
            "callback": None,
        }
        options |= {"counted": self.counted, "total": self.total, "row_weight": self.row_weight}
        noise = "learn" if self.noise_variance is None else self.noise_variance / self.unit
        found = solve_sbl(self.design, self.target, noise_variance=noise, max_iter=_PASSES, tol=_FIRST_GAIN, **options)
        prior = found.parameters["prior_variance"]
        return prior if np.max(prior) > 0 else self.energy * self.seen

    def _posterior(self, prior, noise):
        """The exact Gaussian posterior of all coefficients."""
        if self._columns is None:
            self._columns = self._chosen(np.arange(self.design.shape[1]))
            if self._columns.shape[1] < self._columns.shape[0]:
                self._gram = dagger(self._columns) @ self._columns
                self._correlation = dagger(self._columns) @ self.target
        prior = asarray_like(prior, self.target, dtype=array_namespace(self.target).float64)
        return posterior(self._columns, self.target, prior, noise, self._gram, self._correlation)

    def _chosen(self, indices):
        """Columns, complex where the target is: the density of the data then is that of a complex Gaussian."""
        columns = self.design.columns(indices)
        xp = array_namespace(columns)
        return xp.astype(columns, xp.result_type(columns.dtype, self.target.dtype), copy=False)

    # ------------------------------------------------------------ sweep

    def sweep(self, state) -> Factors:
        """One round over coefficients, precisions, support and noise."""
        if self.subspace_steps is None:
            mean, variance, entropy, spread = self._joint_coefficients(state)
        else:
            mean, variance, entropy, spread = self._independent_coefficients(state)
        size = np.sum(np.abs(to_numpy(mean)) ** 2, axis=1) + self.n_targets * variance
        weight = state.inclusion
        shape = weight * ACTIVE[0] + (1 - weight) * INACTIVE[0] + self.half * self.n_targets * self.seen
        rate = self.energy * (weight * ACTIVE[1] + (1 - weight) * INACTIVE[1]) + self.half * size * self.seen
        precision, log_precision = shape / rate, digamma(shape) - np.log(rate)
        active, inactive = (
            a * math.log(b * self.energy) - gammaln(a) + (a - 1) * log_precision - b * self.energy * precision
            for a, b in (ACTIVE, INACTIVE)
        )
        evidence = (active - inactive) * self.seen
        of_units = self.groups.sum(evidence)
        probability, log_total = self.support.marginals(of_units)
        residual = self.target - self.design.matvec(mean)
        misfit = float(np.sum(to_numpy(sq_norm(residual)))) + self.n_targets * spread
        noise, of_noise = self._noise(misfit, state.noise)
        half = self.half * self.n_targets
        bound = (
            entropy
            + of_noise
            + half * np.sum(log_precision[self.seen])
            - self.half * np.sum((size * precision)[self.seen])
        )
        bound += np.sum(inactive[self.seen]) + log_total
        bound += np.sum((shape - np.log(rate) + gammaln(shape) + (1 - shape) * digamma(shape))[self.seen])
        return Factors(mean, variance, precision, self.groups.spread(probability), noise, float(bound))

    def _joint_coefficients(self, state):
        """q(x) a Gaussian: mean, variances, entropy (without what is constant) and ``tr(A V A^H)``."""
        prior = np.where(self.seen, 1.0 / state.precision, 0.0)
        now = self._posterior(prior, state.noise)
        variance = to_numpy(now.variance)
        residual = self.target - self.design.matvec(now.mean)
        quadratic = float(np.real(np.sum(np.conj(to_numpy(self.target)) * to_numpy(residual)))) / state.noise
        log_det = -now.log_evidence - self.half * quadratic  # of C, for all targets, with its constant
        log_det -= self.half * self.n_targets * self.n_samples * math.log(math.pi / self.half)
        log_det += (
            self.half
            * self.n_targets
            * (np.sum(np.log(state.precision[self.seen])) - self.n_samples * math.log(state.noise))
        )
        entropy = self.half * self.n_targets * np.sum(self.seen) - log_det
        spread = state.noise * float(np.sum((1.0 - variance * state.precision)[self.seen]))
        return now.mean, np.where(self.seen, variance, 1.0 / state.precision), entropy, max(spread, 0.0)

    def _independent_coefficients(self, state):
        """The same for independent coefficients: the mean is only brought nearer to its optimum."""
        variance = 1.0 / (state.precision + self.sq_norms / state.noise)
        mean = self._lower_start(state)
        mean = self._descended(mean, state, variance)
        entropy = self.half * self.n_targets * np.sum((1.0 + np.log(variance))[self.seen])
        return mean, variance, entropy, float(np.sum(self.sq_norms * variance))

    def _lower_start(self, state):
        """The old mean, or least squares on what is likely active, whichever is better."""
        likely = np.argsort(-state.inclusion, kind="stable")[: max(1, int(min(self.counted, self.n_samples) / 2))]
        likely = np.sort(likely[(state.inclusion[likely] > 0.5) & self.seen[likely]])
        if likely.size == 0:
            return state.mean
        xp = array_namespace(self.target)
        prior = asarray_like(1.0 / state.precision[likely], self.target, dtype=xp.float64)
        part = posterior(self._chosen(likely), self.target, prior, state.noise).mean
        where = np.full(self.sq_norms.size, likely.size)
        where[likely] = np.arange(likely.size)
        new = xp.take(xp.concat([part, 0 * part[:1, :]], axis=0), asarray_like(where, part), axis=0)
        return new if self.energy_of(new, state) < self.energy_of(state.mean, state) else state.mean

    def energy_of(self, mean, state):
        """The quadratic that the mean minimises: ``sum rho |x|^2 + |y - A x|^2 / s``."""
        residual = self.target - self.design.matvec(mean)
        held = np.sum(state.precision[:, None] * np.abs(to_numpy(mean)) ** 2)
        return float(held + np.sum(to_numpy(sq_norm(residual))) / state.noise)

    def _gap(self, state):
        """The duality gap of that quadratic at the mean, relative to its value."""
        xp = array_namespace(self.target)
        residual = self.target - self.design.matvec(state.mean)
        precision = asarray_like(state.precision[:, None], self.target, dtype=xp.float64)
        slope = to_numpy(precision * state.mean - self.design.rmatvec(residual) / state.noise)
        value = self.energy_of(state.mean, state)
        return float(np.sum(np.abs(slope) ** 2 / state.precision[:, None])) / value if value > 0 else 0.0

    def _descended(self, mean, state, inverse_diagonal):
        """Conjugate gradients on that quadratic, preconditioned by its diagonal, all targets together."""
        xp = array_namespace(self.target)
        precision = asarray_like(state.precision[:, None], self.target, dtype=xp.float64)
        scale = asarray_like(inverse_diagonal[:, None], self.target, dtype=xp.float64)

        def product(values):
            return precision * values + self.design.rmatvec(self.design.matvec(values)) / state.noise

        left = self.design.rmatvec(self.target) / state.noise - product(mean)
        direction = scaled = scale * left
        size = _inner(left, scaled)
        for _ in range(self.subspace_steps):
            if not size > 0:
                break
            along = product(direction)
            curvature = _inner(direction, along)
            if not curvature > 0:
                break
            mean = mean + (size / curvature) * direction
            left = left - (size / curvature) * along
            scaled = scale * left
            before, size = size, _inner(left, scaled)
            direction = scaled + (size / before) * direction
        return mean

    def _noise(self, misfit, noise):
        """The next noise variance, and what noise brings to the bound."""
        count = self.half * self.counted * self.n_targets
        fixed = -count * math.log(math.pi / self.half / self.unit)
        if self.noise_variance is not None:
            return noise, fixed - count * math.log(noise) - self.half * misfit / noise
        least = NOISE * self.mean_square * self.unit
        shape, rate = NOISE + count, least + self.half * misfit
        log_precision = digamma(shape) - math.log(rate)
        bound = fixed + (count + NOISE - 1) * log_precision - (least + self.half * misfit) * shape / rate
        bound += NOISE * math.log(least) - gammaln(NOISE)
        bound += shape - math.log(rate) + gammaln(shape) + (1 - shape) * digamma(shape)
        return rate / shape, float(bound)

    # ------------------------------------------------------------ what is reported

    def belief(self, state):
        """The posterior in the user's precision."""
        xp = array_namespace(self.like)
        mean = xp.astype(state.mean, self.like.dtype, copy=False)
        real = xp.float32 if str(self.like.dtype).endswith(("float32", "complex64")) else xp.float64
        variance, inclusion = (
            asarray_like(np.repeat(values[:, None], self.n_targets, axis=1), mean, dtype=real)
            for values in (state.variance, state.inclusion * self.seen)  # a chain or a group may say what no data do
        )
        if self.like.ndim == 1:
            mean, variance, inclusion = mean[:, 0], variance[:, 0], inclusion[:, 0]
        learned = {"precision": state.precision, "inclusion": state.inclusion}
        return Belief(mean, variance, state.noise / self.unit, state.bound, inclusion, learned)

    def zeros(self):
        """The belief where there is nothing to explain, or to explain it with."""
        learned = self.mean_square * self.n_samples / self.counted
        noise = learned if self.noise_variance is None else self.noise_variance
        nothing = np.zeros(self.sq_norms.size)
        mean = 0 * self.design.rmatvec(self.target)
        return self.belief(Factors(mean, nothing, nothing, nothing, noise, 0.0))

    def certify(self, belief):
        """What one more sweep changes, computed from the belief alone; of probabilities the largest change itself."""
        if self.is_void:
            return Certificate(np.float64(0.0), np.float64(0.0), _NAME)
        mean = as_double(belief.mean if belief.mean.ndim == 2 else belief.mean[:, None])
        precision, inclusion = (belief.parameters[name] for name in ("precision", "inclusion"))
        before = Factors(mean, to_numpy(belief.variance), precision, inclusion, belief.noise_variance * self.unit)
        after = self.sweep(before)
        size = math.sqrt(float(np.sum(to_numpy(sq_norm(after.mean)))))
        change = math.sqrt(float(np.sum(to_numpy(sq_norm(after.mean - mean)))))
        changes = [
            change / size if size > 0 else 0.0,
            float(np.max(np.abs(after.inclusion - before.inclusion))),
            abs(math.log(after.noise / before.noise)),
        ]
        if self.subspace_steps is not None:  # slow conjugate gradients change little
            rounded = is_single(self.like)  # then the gap would be that of the rounding
            changes.append(self._gap(before._replace(mean=after.mean) if rounded else before))
        return Certificate(np.float64(max(changes)), np.float64(-belief.log_evidence), _NAME)


def _inner(left, right):
    """``Re <left, right>`` over all entries."""
    return float(np.real(np.sum(np.conj(to_numpy(left)) * to_numpy(right))))
