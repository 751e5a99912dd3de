"""A loss or a penalty of one's own is refused by the name of what it lacks, wherever problems are made."""

from typing import NamedTuple

import numpy as np
import pytest

from sparsecode import (
    L1,
    Huber,
    SparseGLM,
    SparseGLMCV,
    Squared,
    alpha_max,
    fista,
    ista,
    losses,
    nonconvex_ag,
    penalties,
    regularization_path,
    solve,
)
from sparsecode.solvers.parts import checked

rng = np.random.default_rng(0)
A = rng.standard_normal((30, 10))
y = A[:, 3] - A[:, 7] + 0.1 * rng.standard_normal(30)

WAYS = {
    "solve": lambda penalty: solve(A, y, penalty=penalty),
    "fista": lambda penalty: fista(A, y, penalty=penalty),
    "ista": lambda penalty: ista(A, y, penalty=penalty),
    "nonconvex_ag": lambda penalty: nonconvex_ag(A, y, penalty=penalty),
    "regularization_path": lambda penalty: regularization_path(A, y, penalty=penalty),
    "alpha_max": lambda penalty: alpha_max(A, y, penalty=penalty),
    "SparseGLM": lambda penalty: SparseGLM(penalty=penalty).fit(A, y),
    "SparseGLMCV": lambda penalty: SparseGLMCV(penalty=penalty).fit(A, y),
}
everywhere = pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)


class OnlyProx(NamedTuple):
    """What a beginner writes."""

    alpha: float

    def prox(self, coef, step):
        return np.sign(coef) * np.maximum(np.abs(coef) - step * self.alpha, 0)


class Stationary(OnlyProx):
    """All that is asked where there is no duality gap."""

    is_convex = False
    is_separable = True
    supports_complex = False

    def value(self, coef, weights=None):
        return L1(self.alpha).value(coef, weights)

    def subdiff_distance(self, grad, coef, weights=None):
        return L1(self.alpha).subdiff_distance(grad, coef, weights)


class Convex(Stationary):
    """It promises a gap and cannot compute it."""

    is_convex = True


class Plain:
    """All methods, and no NamedTuple."""

    is_convex = is_separable = supports_complex = False

    def value(self, coef, weights=None):
        return 0.0

    def prox(self, coef, step):
        return coef

    def subdiff_distance(self, grad, coef, weights=None):
        return abs(grad)


@everywhere
@pytest.mark.parametrize(
    ("penalty", "message"),
    [
        (
            OnlyProx(0.1),
            "penalty OnlyProx lacks value, is_convex, is_separable, supports_complex, subdiff_distance;.*plot_write_a_penalty",
        ),
        (Convex(0.1), "penalty Convex lacks dual_limit, conjugate;"),
        (Plain(), "penalty Plain is no NamedTuple"),
        (L1, r"penalty is the class L1; pass an object of it, L1\(alpha=\.\.\.\)"),
    ],
    ids=["prox alone", "no gap", "no NamedTuple", "class"],
)
def test_a_penalty_that_lacks_something_is_refused_by_its_name(way, penalty, message):
    with pytest.raises(ValueError, match=message):
        way(penalty)


@pytest.mark.parametrize("solver", [solve, fista, regularization_path, alpha_max])
def test_a_name_is_no_penalty_and_no_loss_for_a_function(solver):
    with pytest.raises(ValueError, match=r"penalty is the string 'l1'; pass an object, for example L1\(alpha=0.1\)"):
        solver(A, y, penalty="l1")
    with pytest.raises(ValueError, match=r"loss is the string 'huber'; pass an object, for example Huber\(\)"):
        solver(A, y, loss="huber", penalty=L1(0.1))
    with pytest.raises(ValueError, match=r"loss is the class Huber; pass an object of it, Huber\("):
        solver(A, y, loss=Huber, penalty=L1(0.1))
    with pytest.raises(ValueError, match=r"loss OnlyProx lacks value, gradient.*plot_write_a_loss"):
        solver(A, y, loss=OnlyProx(0.1), penalty=L1(0.1))


def test_what_is_asked_is_enough():
    expected = fista(A, y, penalty=L1(0.1), tol=1e-10).coef
    np.testing.assert_allclose(fista(A, y, penalty=Stationary(0.1), tol=1e-8).coef, expected, atol=1e-6)


@pytest.mark.parametrize(("room", "what"), [(losses, "loss"), (penalties, "penalty")])
def test_the_parts_of_the_library_answer_all_that_is_asked(room, what):
    kinds = [kind for kind in map(room.__dict__.get, room.__all__) if isinstance(kind, type)]
    assert len(kinds) > 5
    for kind in kinds:
        filled = [
            Squared() if kind is losses.WithIntercept else 0.5
            for name in kind._fields
            if name not in kind._field_defaults
        ]
        assert checked(kind(*filled), what) is not None


@pytest.mark.parametrize("labels", [["a", "b"], np.array(["a", "b"]), np.array(["a", "b"], dtype=object)])
@pytest.mark.parametrize("loss", ["logistic", "multinomial"])
def test_labels_in_words_point_to_the_classifier(labels, loss):
    with pytest.raises(ValueError, match="y holds text.*use SparseLogisticRegression"):
        SparseGLM(loss, L1(0.1)).fit(np.eye(2), labels)
