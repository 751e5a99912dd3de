"""scikit-learn's checks of maps between two samples, with the sample that they know of in both places."""

import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator, parametrize_with_checks

from sparsecode import ClassTransport, NeuralSparseMap, SparseMongeMap
from tests.contracts.registry import ESTIMATORS


class _OntoItself:
    """The checks pass labels where the second sample belongs; here it is the first one."""

    def fit(self, X, y=None):
        """Map X onto X."""
        return super().fit(X, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


class _Scored(_OntoItself):
    def score(self, X, y=None):
        """How far X is from where it is taken."""
        return super().score(X, X)


class MapOntoItself(_Scored, SparseMongeMap):
    """A sparse Monge map of a sample onto itself."""


class NetworkOntoItself(_Scored, NeuralSparseMap):
    """A neural map of a sample onto itself."""


class ClassesOntoThemselves(_OntoItself, ClassTransport):
    """Class transport of a sample onto itself."""


WRAPPERS = [
    *(MapOntoItself(penalty, groups=1) for penalty in ("l1", "elastic", "stvs", "group", "k_support")),
    NetworkOntoItself(n_steps=2, hidden=(4, 2)),
    ClassesOntoThemselves(0.5),
]


@parametrize_with_checks(WRAPPERS)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_all_checks_pass_where_the_second_sample_is_the_first(estimator, check):
    check(estimator)


@pytest.mark.parametrize("original", [SparseMongeMap(), NeuralSparseMap(n_steps=2), ClassTransport(0.5)], ids=repr)
def test_the_checks_that_labels_prevent_are_among_them(original):
    """What the contracts declare to fail for these estimators is checked here."""
    failures = next(case.failures for case in ESTIMATORS if type(case.estimator) is type(original))
    wrapper = next(kind for kind in WRAPPERS if isinstance(kind, type(original)))
    assert set(failures) & checks_of(original) <= checks_of(wrapper)  # a version of scikit-learn need not have them all
    assert len(set(failures) & checks_of(original)) > 10


def checks_of(estimator):
    return {getattr(check, "func", check).__name__ for _, check in estimator_checks_generator(clone(estimator))}
