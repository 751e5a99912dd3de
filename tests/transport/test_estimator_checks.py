"""scikit-learn's checks of maps between two samples, with the sample that they know of in both places."""

from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode import SparseMongeMap


class MapOntoItself(SparseMongeMap):
    """The checks pass labels where the second sample belongs; here it is the first one."""

    def fit(self, X, y=None):
        """Map X onto X."""
        return super().fit(X, X)

    def score(self, X, y=None):
        """How far X is from where it is taken."""
        return super().score(X, X)

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.target_tags.required = False
        return tags


@parametrize_with_checks([MapOntoItself(penalty) for penalty in ("l1", "elastic", "stvs", "k_support")])
def test_all_checks_pass_where_the_second_sample_is_the_first(estimator, check):
    check(estimator)
