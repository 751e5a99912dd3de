"""Whatever is public stands in the registry, so that the laws cover it."""

import inspect

from sklearn.base import BaseEstimator

import sparsecode
from sparsecode.penalties._registry import SCALAR_PROX
from tests.contracts import registry

NO_SOLVERS = {"add_statistics", "alpha_max", "state_evolution", "update_dictionary"}  # functions that solve nothing


def public(room):
    """Public names whose home is a room of the package, with what they stand for."""
    for name in sparsecode._PUBLIC:
        value = getattr(sparsecode, name)
        if value.__module__.startswith(f"sparsecode.{room}"):
            yield name, value


def test_every_public_solver_is_registered():
    names = {name for name, value in public("solvers") if inspect.isfunction(value)} - NO_SOLVERS
    used = {name for case in registry.SOLVERS for name in case.solve.__code__.co_names}
    assert names <= used
    assert {"fista", "ista", "iht", "omp", "lasso"} <= names


def test_every_public_estimator_is_registered():
    classes = {
        value
        for room in ("linear_model", "decomposition", "unrolled", "inverse", "transport")
        for _, value in public(room)
        if inspect.isclass(value) and issubclass(value, BaseEstimator)
    }
    assert classes == {type(case.estimator) for case in registry.ESTIMATORS}
    assert len(classes) >= 7


def test_every_public_penalty_and_loss_is_registered():
    penalties = {value for _, value in public("penalties") if inspect.isclass(value)}
    assert penalties == {type(penalty) for penalty in registry.PENALTIES}
    assert {value for _, value in public("losses") if inspect.isclass(value)} == {
        type(case.loss) for case in registry.LOSSES
    }
    separable = {type(penalty) for penalty in registry.PENALTIES if penalty.is_separable}
    assert separable <= set(SCALAR_PROX)


def test_every_case_has_a_name_of_its_own():
    for cases in (registry.SOLVERS, registry.ESTIMATORS):
        names = [case.name for case in cases]
        assert len(set(names)) == len(names)
