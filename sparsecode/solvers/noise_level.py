"""The noise variance as all Bayesian solvers are told it: a number, or how it is to be found."""

from __future__ import annotations

from numbers import Real

from .._validation import as_number

__all__ = ["LEARNED_FLOOR", "as_noise_variance", "check_counted"]

LEARNED_FLOOR = 1e-6  # of the mean square of the target: the least that is learned


def as_noise_variance(noise_variance, words=("learn",)):
    """A number greater than zero, or one of the words.

    "learn": with everything else, in every iteration. "estimate": once before, and then kept.
    """
    if isinstance(noise_variance, str) and noise_variance in words:
        return noise_variance
    if isinstance(noise_variance, Real):
        return as_number(noise_variance, "noise_variance", strict=True)
    known = " or ".join(map(repr, words))
    if hasattr(noise_variance, "score"):
        raise ValueError(
            f"noise_variance is that of Gaussian noise, a number greater than 0 or {known}; {type(noise_variance).__name__} is a channel, "
            "which gamp alone takes."
        )
    raise ValueError(f"noise_variance must be a number greater than 0, or {known}; got {noise_variance!r}.")


def check_counted(counted, total, n_samples):
    """Raise a ValueError if samples that count by their weights are less than one together."""
    if counted < 1 < n_samples:
        raise ValueError(
            f"sample_weight sums to {total:g}; weights say how often each sample counts, and noise cannot be told from less than "
            "one: scale them, to a mean of one for instance."
        )
