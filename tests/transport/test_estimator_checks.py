"""scikit-learn's checks of maps between two samples, with the sample that they know of in both places."""

import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import ClassTransport, NeuralSparseMap, SparseMongeMap


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


@parametrize_with_checks(
    [
        *(MapOntoItself(penalty) for penalty in ("l1", "elastic", "stvs", "k_support")),
        NetworkOntoItself(n_steps=2, hidden=(4, 2)),
        ClassesOntoThemselves(0.5),
    ]
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_all_checks_pass_where_the_second_sample_is_the_first(estimator, check):
    check(estimator)
