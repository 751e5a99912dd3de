"""The noise variance: as given, or learned beside the prior variances, with what keeps learning from collapse.

    expectation-maximisation   s <- (sum |y - A mean|^2 / L + s m) / M
    MacKay                     s <- sum |y - A mean|^2 / L / (M - m)

for L targets of M samples and ``m = sum_n (1 - variance_n / g_n)`` coefficients that the data determine. The second is far the
faster where m is well below M; the first never lowers the evidence.

MacKay, "Bayesian interpolation", 1992.
"""

from __future__ import annotations

from typing import NamedTuple

from ..noise_level import LEARNED_FLOOR

__all__ = ["STARTS", "Noise", "least_learned"]

FLOOR_PAID = 1e-10  # of the mean square of the target: the least that is learned where coefficients pay, so that they cannot take the place of noise
_PAID = 1.0  # nats from which they do
STARTS = (
    0.1,
    1e-2,
    1e-3,
    1e-4,
)  # where learning starts from; lower ones see columns that the noise of higher ones hides
_FACTOR = 10.0  # the largest change of a round
_CAREFUL = 40  # rounds after which only steps are made that never lower the evidence


class Noise(NamedTuple):
    """A noise variance in units of the mean square of the target, and whether it is learned."""

    value: float
    learned: bool = False
    held: bool = False

    def after(self, sq_residual, effective, setting, rounds=0, cautious=False):
        """The noise after a round; the same where it is not learned."""
        if not self.learned:
            return self
        mean_sq = sq_residual / setting.n_targets
        if cautious or rounds > _CAREFUL or effective > 0.9 * setting.counted:
            value = (mean_sq + self.value * effective) / setting.counted
        else:
            value = mean_sq / (setting.counted - effective)
        value = min(max(value, self.value / _FACTOR), self.value * _FACTOR)
        return self._replace(value=max(value, least_learned(setting)))


def least_learned(setting):
    """The least noise variance that is learned."""
    return (LEARNED_FLOOR if setting.charge < _PAID else FLOOR_PAID) * setting.unit
