"""The laws every estimator obeys: scikit-learn's own, and ours about failures, kinds of data and reproducibility."""

import copy
import pickle
import sys
import warnings
from contextlib import suppress

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.utils.estimator_checks import parametrize_with_checks

from sparsecode._array import is_torch_array
from sparsecode._parallel import _LIMIT
from tests._backends import FOREIGN, get, put
from tests.contracts.registry import ESTIMATORS, named
from tests.planted import planted


def that(condition):
    """Parametrize over the estimators that meet a condition."""
    return pytest.mark.parametrize("case", **named([case for case in ESTIMATORS if condition(case)]))


every_estimator = that(lambda case: True)
regressors = that(lambda case: case.predicts)
linear_regressors = that(lambda case: case.predicts and case.linear)


def expected_failures(estimator):
    """Only these: complex data is welcome where the documentation says so, one check forgets its own tag, and those that a case declares."""
    failures = {}
    for case in ESTIMATORS:
        if type(case.estimator) is not type(estimator):
            continue
        if case.complex:
            failures["check_complex_data"] = "complex data is supported, and documented"
        if not case.linear and not case.labels:
            failures["check_regressor_multioutput"] = "its targets are negative, whatever the tag positive_only says"
        failures |= case.failures
    return failures


@parametrize_with_checks(
    list({type(case.estimator): type(case.estimator)(**case.quick) for case in ESTIMATORS}.values()),
    expected_failed_checks=expected_failures,
)
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning", "ignore::RuntimeWarning")
def test_scikit_learns_checks_pass(estimator, check):
    check(estimator)


def fitted_state(estimator):
    """Everything that fit leaves behind."""
    return {name: value for name, value in vars(estimator).items() if name.endswith("_") and not name.startswith("_")}


def assert_same_state(left, right):
    assert left.keys() == right.keys()
    for name, value in left.items():
        if isinstance(value, np.ndarray):
            np.testing.assert_array_equal(value, right[name], err_msg=name)


# ---------------------------------------------------------------- failures lose nothing


class Interrupt:
    """Ctrl-C at the `when`-th call of a function of this package."""

    def __init__(self, when=None):
        self.when, self.count = when, 0

    def __call__(self, frame, event, argument):
        if frame.f_code.co_name in ("<genexpr>", "__del__"):  # Python swallows what is raised in these
            return
        if event == "call" and frame.f_globals.get("__name__", "").startswith("sparsecode."):
            self.count += 1
            if self.count == self.when:
                sys.setprofile(None)
                raise KeyboardInterrupt

    def __enter__(self):
        sys.setprofile(self)
        return self

    def __exit__(self, *_):
        sys.setprofile(None)


@every_estimator
def test_ctrl_c_at_any_moment_leaves_the_estimator_as_it_was(case):
    reference = clone(case.estimator).fit(*case.data())
    for start, data in ((clone(case.estimator), case.data()), (reference, case.data(seed=1))):
        before = copy.deepcopy(fitted_state(start))
        clone(case.estimator).fit(*data)  # kernels are compiled, caches are warm
        with Interrupt() as counter:
            copy.deepcopy(start).fit(*data)
        for moment in np.unique(np.linspace(1, counter.count, 12).astype(int)):
            model = copy.deepcopy(start)
            with suppress(KeyboardInterrupt), Interrupt(when=moment) as pressed:
                model.fit(*data)
                assert pressed.count < moment  # other threads took more of the work this time
                continue
            assert pressed.count == moment
            assert_same_state(fitted_state(model), before)
            assert _LIMIT._held == 0  # BLAS has its threads back


@every_estimator
def test_a_failed_refit_leaves_the_old_fit_usable(case):
    data = case.data()
    model = clone(case.estimator).fit(*data)
    before, outcome = copy.deepcopy(fitted_state(model)), case.outcome(model, data)
    X = data[0].copy()
    X[1, 1] = np.inf if case.missing else np.nan
    with pytest.raises(ValueError, match="infinity" if case.missing else "NaN"):
        model.fit(X, *data[1:])
    assert_same_state(fitted_state(model), before)
    np.testing.assert_array_equal(case.outcome(model, data), outcome)


@every_estimator
def test_an_unfitted_estimator_says_so(case):
    data = case.data()
    model = clone(case.estimator)
    if not case.stateless:
        with pytest.raises(NotFittedError, match=type(model).__name__):
            case.answer(model, data) if case.answer else (model.predict if case.predicts else model.transform)(data[0])


# ---------------------------------------------------------------- the same, however it is carried about


@every_estimator
def test_pickling_and_copying_a_fit_change_nothing(case):
    data = case.data()
    model = clone(case.estimator).fit(*data)
    outcome = case.outcome(model, data)
    for twin in (pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        np.testing.assert_array_equal(case.outcome(twin, data), outcome)
    assert clone(model).get_params().keys() == model.get_params().keys()
    assert fitted_state(clone(model)) == {}


@every_estimator
def test_the_same_fit_gives_the_same_bits(case):
    data = case.data()
    first, second = (case.outcome(clone(case.estimator).fit(*data), data) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@that(lambda case: "n_jobs" in case.estimator.get_params())
def test_the_number_of_threads_does_not_change_a_bit(case):
    data = case.data()
    outcomes = [case.outcome(clone(case.estimator).set_params(n_jobs=n_jobs).fit(*data), data) for n_jobs in (1, 2, 3)]
    np.testing.assert_array_equal(outcomes[0], outcomes[1])
    np.testing.assert_array_equal(outcomes[0], outcomes[2])


def _fit(case):
    data = case.data()
    return case.outcome(clone(case.estimator).fit(*data), data)


@every_estimator
def test_threads_of_a_pool_fit_to_the_same_bits(case):
    from joblib import Parallel, delayed

    alone = _fit(case)
    for outcome in Parallel(n_jobs=3, backend="threading")(delayed(_fit)(case) for _ in range(4)):
        np.testing.assert_array_equal(outcome, alone)


def test_other_processes_fit_to_the_same_answer():
    from joblib import Parallel, delayed

    alone = [_fit(case) for case in ESTIMATORS]
    outcomes = Parallel(n_jobs=2, backend="loky")(delayed(_fit)(case) for case in ESTIMATORS)
    for case, outcome, expected in zip(ESTIMATORS, outcomes, alone, strict=True):
        np.testing.assert_allclose(outcome, expected, rtol=1e-9, atol=1e-12, err_msg=case.name)


@every_estimator
def test_inputs_are_never_modified(case):
    data = case.data()
    before = copy.deepcopy(data)
    for values in data:
        values.setflags(write=False)
    clone(case.estimator).fit(*data)
    for now, then in zip(data, before, strict=True):
        np.testing.assert_array_equal(now, then)


@every_estimator
def test_single_precision_stays_single(case):
    data = tuple(values.astype(np.float32) for values in case.data())
    model = clone(case.estimator).fit(*data)
    outcome = case.outcome(model, data)
    assert outcome.dtype == np.float32
    if case.smooth:
        np.testing.assert_allclose(outcome, _fit(case), atol=1e-2)


# ---------------------------------------------------------------- regressors


def _scaled(case, factor):
    """The estimator with what is in the units of the target as for one `factor` times as large."""
    model = clone(case.estimator)
    return model.set_params(**case.scaled(model, factor))


@that(lambda case: case.predicts and case.scaled)
@pytest.mark.parametrize("factor", [1e-9, 1e9])
def test_scaling_the_target_scales_coefficients_and_intercept(case, factor):
    X, y = case.data()
    one, other = clone(case.estimator).fit(X, y), _scaled(case, factor).fit(X, factor * y)
    np.testing.assert_allclose(other.coef_ / factor, one.coef_, atol=1e-5)
    np.testing.assert_allclose(other.intercept_ / factor, one.intercept_, atol=1e-5)
    np.testing.assert_array_equal(other.support_, one.support_)


@linear_regressors
def test_moving_the_target_moves_only_the_intercept(case):
    X, y = case.data()
    one, other = clone(case.estimator).fit(X, y), clone(case.estimator).fit(X, y + 100.0)
    np.testing.assert_allclose(other.coef_, one.coef_, atol=1e-5)
    np.testing.assert_allclose(other.intercept_, one.intercept_ + 100.0, atol=1e-4)


@linear_regressors
def test_moving_the_columns_moves_only_the_intercept(case):
    X, y = case.data()
    shift = np.random.default_rng(0).standard_normal(X.shape[1])
    one, other = clone(case.estimator).fit(X, y), clone(case.estimator).fit(X + shift, y)
    np.testing.assert_allclose(other.coef_, one.coef_, atol=1e-5)
    np.testing.assert_allclose(other.predict(X + shift), one.predict(X), atol=1e-4)


@that(lambda case: case.predicts and not case.ordered)
def test_permuting_the_columns_permutes_the_coefficients(case):
    X, y = case.data()
    order = np.random.default_rng(0).permutation(X.shape[1])
    one, other = clone(case.estimator).fit(X, y), clone(case.estimator).fit(X[:, order], y)
    np.testing.assert_allclose(other.coef_, one.coef_[order], atol=1e-5)


@linear_regressors
@pytest.mark.parametrize("kind", ["csc", "csr", "operator"])
@pytest.mark.parametrize("fit_intercept", [True, False])
def test_every_kind_of_design_gives_the_same_fit(case, kind, fit_intercept):
    if kind == "operator" and case.entries:
        pytest.skip("of an operator it sees the norms of columns alone")
    X, y = case.data()
    X = X + 0.5  # so that centring matters
    convert = {"csc": sp.csc_array, "csr": sp.csr_matrix, "operator": aslinearoperator}[kind]
    model = clone(case.estimator).set_params(fit_intercept=fit_intercept)
    reference = clone(model).fit(X, y)
    other = clone(model).fit(convert(X), y)
    np.testing.assert_allclose(other.coef_, reference.coef_, atol=1e-5)
    np.testing.assert_allclose(other.intercept_, reference.intercept_, atol=1e-5)
    np.testing.assert_allclose(other.predict(convert(X)), reference.predict(X), atol=1e-4)


@every_estimator
def test_tables_of_pandas_give_numpys_fit_predictions_and_score(case):
    pd = pytest.importorskip("pandas")

    def table(values, index):
        if values.ndim == 1:
            return pd.Series(values, index=index)
        return pd.DataFrame(values, index=index, columns=columns[: values.shape[1]])

    data = case.data()
    rows, columns = [f"sample {i}" for i in range(len(data[0]))], [f"x{j}" for j in range(data[0].shape[1])]
    frame = pd.DataFrame(data[0], index=rows, columns=columns)
    tables = [frame, *(table(values, np.arange(len(values))[::-1]) for values in data[1:])]
    reference, model = clone(case.estimator).fit(*data), clone(case.estimator).fit(*tables)
    if not case.stateless:
        assert list(model.feature_names_in_) == columns
    np.testing.assert_allclose(case.outcome(model, tables), case.outcome(reference, data), atol=1e-5)
    if case.predicts:
        weights = np.arange(1.0, len(rows) + 1)
        np.testing.assert_allclose(model.predict(frame), reference.predict(data[0]), atol=1e-4)
        assert model.score(*tables) == pytest.approx(reference.score(*data), abs=1e-4)
        weighted = model.score(*tables, sample_weight=pd.Series(weights, index=rows))
        assert weighted == pytest.approx(reference.score(*data, sample_weight=weights), abs=1e-4)


@that(lambda case: case.namespaces and case.linear)
@pytest.mark.parametrize("name", FOREIGN)
@pytest.mark.parametrize("n_targets", [None, 2])
def test_every_namespace_gives_numpys_fit(case, name, n_targets):
    X, y, _ = planted(n_targets=n_targets)
    X = X + 0.5
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    reference = clone(case.estimator).fit(X, y, sample_weight=weights)
    model = clone(case.estimator).fit(put(X, name), put(y, name), sample_weight=weights)
    assert type(model.coef_) is type(put(X, name))
    np.testing.assert_allclose(get(model.coef_), reference.coef_, atol=1e-4)
    np.testing.assert_allclose(get(model.intercept_), reference.intercept_, atol=1e-4)
    np.testing.assert_allclose(get(model.predict(put(X, name))), reference.predict(X), atol=1e-3)


@every_estimator
def test_tensors_that_ask_for_gradients_are_fitted_without(case):
    """Or refused as plain tensors are; what the fit keeps has no graph."""
    data = [np.asarray(part) for part in case.data()]
    if any(part.dtype.kind != "f" for part in data):
        pytest.skip("labels are no tensors that could ask for gradients")
    model = clone(case.estimator)
    try:
        model.fit(*(put(part, "torch").requires_grad_() for part in data))
    except ValueError as error:
        assert "NumPy" in str(error)
    assert not any(value.requires_grad for value in vars(model).values() if is_torch_array(value))


@that(lambda case: case.predicts and case.alone and case.linear)
def test_many_targets_are_fitted_one_by_one(case):
    X, Y, _ = planted(n_targets=3)
    try:
        together = clone(case.estimator).fit(X, Y)
    except ValueError as error:
        assert "1d array" in str(error) or "one target" in str(error)  # it chooses its strength for one target
        return
    assert together.coef_.shape == (3, X.shape[1])
    assert together.predict(X).shape == Y.shape
    for target in range(3):
        alone = clone(case.estimator).fit(X, Y[:, target])
        np.testing.assert_allclose(together.coef_[target], alone.coef_, atol=1e-5)
        np.testing.assert_allclose(together.intercept_[target], alone.intercept_, atol=1e-5)


@that(lambda case: case.predicts and case.linear and case.euclidean)
def test_the_intercept_makes_the_weighted_residuals_sum_to_zero(case):
    X, y = case.data()
    weights = np.random.default_rng(0).uniform(0.5, 2, len(X))
    model = clone(case.estimator).fit(X + 1, y + 3, sample_weight=weights)
    residual = y + 3 - model.predict(X + 1)
    assert abs(weights @ residual) < 1e-8 * weights.sum()


@that(lambda case: case.predicts and case.repeats)
def test_a_sample_of_integer_weight_counts_that_often(case):
    X, y = case.data()
    weights = np.random.default_rng(0).integers(0, 4, len(X))
    repeated = clone(case.estimator).fit(np.repeat(X, weights, axis=0), np.repeat(y, weights))
    model = clone(case.estimator).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(model.coef_, repeated.coef_, atol=1e-5)
    np.testing.assert_allclose(model.intercept_, repeated.intercept_, atol=1e-5)


@that(lambda case: case.predicts and case.weights and case.linear and case.euclidean)
@pytest.mark.parametrize("convert", [np.asarray, sp.csc_array], ids=["dense", "csc"])
def test_penalty_weights_free_and_exclude_columns(case, convert):
    X, y = case.data()
    found = int(np.argmax(np.abs(clone(case.estimator).fit(X, y).coef_)))
    weights = np.ones(X.shape[1])
    weights[found] = np.inf
    excluded = clone(case.estimator).set_params(penalty_weights=weights).fit(convert(X), y)
    assert excluded.coef_[found] == 0
    weights[found] = 0.0
    free = clone(case.estimator).set_params(penalty_weights=weights).fit(convert(X), y)
    assert free.coef_[found] != 0
    residual = y - free.predict(convert(X))
    assert abs((X[:, found] - X[:, found].mean()) @ residual) < 1e-4 * np.linalg.norm(X[:, found]) * np.linalg.norm(y)


@linear_regressors
def test_attributes_tell_how_the_fit_ended(case):
    X, y = case.data()
    model = clone(case.estimator).fit(X, y)
    assert model.status_.is_success
    assert model.n_features_in_ == X.shape[1]
    assert np.all(np.asarray(model.certificate_) <= model.result_.tol)
    active = model.inclusion_ > 0.5 if hasattr(model, "inclusion_") else model.coef_
    np.testing.assert_array_equal(model.support_, np.flatnonzero(active))
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_, rtol=1e-10, atol=1e-10)


@that(lambda case: case.limit)
def test_an_uncertified_fit_warns_once_at_the_line_that_called_fit(case):
    model = clone(case.estimator).set_params(**case.limit)
    with pytest.warns(ConvergenceWarning) as caught:
        model.fit(*case.data())
    assert [warning.category for warning in caught].count(ConvergenceWarning) == 1
    assert caught[0].filename == __file__


@every_estimator
def test_a_converged_fit_is_silent(case):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        clone(case.estimator).fit(*case.data())


# ---------------------------------------------------------------- bad input


@every_estimator
def test_dask_collections_are_refused_with_what_to_do(case):
    da = pytest.importorskip("dask.array")
    X, *rest = case.data()
    with pytest.raises(ValueError, match=r"X is a dask collection.*compute\(\).*partial_fit"):
        clone(case.estimator).fit(da.from_array(X), *rest)


@regressors
def test_bad_data_gets_an_error_that_names_it(case):
    X, y = case.data()
    model = clone(case.estimator)
    with pytest.raises(ValueError, match=r"y.*(NaN|infinity)"):
        model.fit(X, np.where(np.arange(len(y)) == 3, np.nan, y))
    with pytest.raises(ValueError, match="inconsistent numbers of samples|y has shape"):
        model.fit(X, y[:-1])
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, y, sample_weight=-np.ones(len(y)))
    with pytest.raises(ValueError, match="sample_weight"):
        model.fit(X, y, sample_weight=np.ones(3))
    with pytest.raises(ValueError, match="requires y"):
        model.fit(X, None)
    with pytest.raises(ValueError, match="rmatvec"):
        model.fit(LinearOperator(X.shape, matvec=lambda coef: X @ coef, dtype=X.dtype), y)
    assert fitted_state(model) == {}


@regressors
def test_the_design_of_a_prediction_must_match_that_of_the_fit(case):
    X, y = case.data()
    model = clone(case.estimator).fit(X, y)
    for wrong in (X[:, :-1], sp.csr_array(X[:, :-1]), aslinearoperator(X[:, :-1])):
        with pytest.raises(ValueError, match=f"{X.shape[1] - 1} features.*expecting {X.shape[1]} features"):
            model.predict(wrong)


@that(lambda case: case.predicts and case.weights)
def test_bad_penalty_weights_get_an_error_that_names_them(case):
    X, y = case.data()
    for weights in (np.ones(3), -np.ones(X.shape[1])):
        with pytest.raises(ValueError, match="penalty_weights"):
            clone(case.estimator).set_params(penalty_weights=weights).fit(X, y)


@linear_regressors
def test_complex_data_is_fitted_or_refused(case):
    X, y, _ = planted(complex_=True)
    model = clone(case.estimator)
    if not case.complex:
        with pytest.raises(ValueError, match="Complex data not supported"):
            model.fit(X, y)
        return
    model.fit(X, y + 2j)
    assert model.coef_.dtype == np.complex128
    np.testing.assert_allclose(model.predict(X), X @ model.coef_ + model.intercept_)
    assert abs(np.mean(y + 2j - model.predict(X))) < 1e-8
