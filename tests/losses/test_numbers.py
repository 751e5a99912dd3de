"""Numbers that losses are made of, to full relative accuracy."""

from decimal import Decimal, localcontext

import numpy as np
import pytest

from sparsecode.losses._numbers import exp_remainder
from tests._backends import FOREIGN, get, put


def exact(value):
    with localcontext() as context:
        context.prec = 340
        x = Decimal(float(value))
        return float(x.exp() - 1 - x)


@pytest.mark.parametrize("size", [0.0, 1e-150, 1e-12, 1e-8, 1e-4, 0.01, 0.00999, 0.0101, 0.3, 2.0, 30.0])
@pytest.mark.parametrize("other", [0.0, -0.3, 5.0])
def test_what_the_tangent_of_the_exponential_misses(size, other):
    """Alone and beside numbers of another size, which asks for more terms."""
    values = np.append(size * np.linspace(-1, 1, 41), other)
    rtol = 5e-14 if max(size, abs(other)) >= 0.01 else 1e-15  # of what is summed nothing is lost
    np.testing.assert_allclose(exp_remainder(values), [exact(value) for value in values], rtol=rtol, atol=0.0)


def test_what_is_not_finite_or_not_there_is_met():
    with np.errstate(invalid="ignore"):
        found = exp_remainder(np.array([np.nan, -np.inf, 0.1]))
    assert np.isnan(found[0]) and found[1] == np.inf
    assert found[2] == pytest.approx(exact(0.1), rel=5e-14)
    assert exp_remainder(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("kind", FOREIGN)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_every_namespace_and_precision(kind, dtype):
    values = np.linspace(-0.4, 0.4, 30).astype(dtype)
    found = get(exp_remainder(put(values, kind)))
    assert found.dtype == values.dtype
    np.testing.assert_allclose(found, [exact(value) for value in values], rtol=200 * np.finfo(dtype).eps)
