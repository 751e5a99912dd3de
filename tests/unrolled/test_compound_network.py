"""Compound-Gaussian layers: the solver's moves, dense algebra, finite differences, and what few training images are worth."""

import importlib.util
import pickle
import sys
import warnings

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import ConvergenceWarning

from sparsecode import CompoundGaussianNetwork, Status
from sparsecode._validation import as_design
from sparsecode.losses import Squared
from sparsecode.penalties import L1
from sparsecode.solvers.bayesian.compound import _Textures
from sparsecode.solvers.problem import make_problem
from sparsecode.unrolled._compound_layers import CompoundLayers
from sparsecode.unrolled._compound_residual import ResidualNetworks
from tests._backends import namespace

TEXTURES = ["half-normal", "exponential"]
FORMS = pytest.mark.parametrize("n_atoms,n_features", [(12, 7), (7, 12)], ids=["by signal", "by atom"])
RNG = np.random.default_rng(3)
ATOMS = RNG.standard_normal((30, 20))
CODES = (RNG.random((60, 30)) < 0.1) * RNG.standard_normal((60, 30))
X = CODES @ ATOMS
PROX = {
    "regulariser": "prox",
    "n_layers": 2,
    "learning_rate": 0.05,
    "tol": 5e-3,
    "n_iter_no_change": 5,
    "random_state": 0,
}
SMALL = {"n_layers": 2, "n_texture_steps": 1, "n_conv_layers": 3, "n_channels": 4, "random_state": 0}
quiet = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def setting(n_atoms, n_features, n_signals=3, seed=0):
    """Atoms of spectral norm one, signals and codes."""
    rng = np.random.default_rng(seed)
    atoms = rng.standard_normal((n_atoms, n_features))
    atoms /= np.linalg.norm(atoms, 2)
    return atoms, rng.standard_normal((n_signals, n_features)), rng.standard_normal((n_signals, n_atoms))


def networks(n_atoms, image_shape=None):
    namespace("torch")
    return ResidualNetworks(image_shape or (n_atoms,), 3, 4, np.random.RandomState(0), np.float64)


# ---------------------------------------------------------------- layers


@FORMS
@pytest.mark.parametrize("regulariser", [*TEXTURES, "network"])
def test_a_layer_is_an_iteration_of_the_solver(n_atoms, n_features, regulariser):
    """Its ridge regression and its texture steps, before either is trained; a residual of zero is a prior without strength."""
    atoms, signals, _ = setting(n_atoms, n_features, 1)
    texture = regulariser if regulariser in TEXTURES else "half-normal"
    alpha, y = 0.01, signals[0]
    model = _Textures(make_problem(as_design(atoms.T), y, Squared(), L1(alpha)).in_double(), y, alpha, texture, 4)
    found_by = networks(n_atoms) if regulariser == "network" else None
    layers = CompoundLayers(atoms, n_features * model.strength, (1, 4), texture, found_by)
    z = np.random.default_rng(1).uniform(0.5, 1.0, size=n_atoms)
    layers.start = lambda rows: z[None, :]
    coef = model.ridge(atoms.T, z).mean[:, 0]
    np.testing.assert_allclose(z * layers.gaussian(z[None], signals)[0], coef, rtol=1e-9, atol=1e-12)
    strength = model.strength
    if regulariser == "network":
        model.strength = 0.0
    textures = model.improved(atoms.T, z, coef / z, 1.0)
    model.strength = strength
    tape = []
    after, u = layers.run(signals, tape)
    if regulariser == "network":
        assert all(np.all(step.factor == 1.0) for step in tape[0][2])  # none was so long that it was shrunk
    np.testing.assert_allclose(after[0], textures, rtol=1e-9, atol=1e-12)
    used = np.flatnonzero(textures)
    coef = model.ridge(atoms.T[:, used], textures[used]).mean[:, 0]
    np.testing.assert_allclose((after * u)[0, used], coef, rtol=1e-8, atol=1e-11)
    assert np.abs(after[0] - z).max() > 1e-3


@FORMS
def test_the_ridge_regression_is_that_of_dense_algebra(n_atoms, n_features):
    atoms, signals, right = setting(n_atoms, n_features)
    layers = CompoundLayers(atoms, 0.03, (1, 1), "half-normal", trains_ridge=True)
    layers.arrays["log_ridge"][:] = np.linspace(-4, 0, n_atoms)
    z = np.abs(right)
    z[:, 2] = 0.0
    for k in range(len(z)):
        design = atoms.T * z[k]
        matrix = np.diag(np.exp(np.linspace(-4, 0, n_atoms))) + design.T @ design
        np.testing.assert_allclose(
            layers.gaussian(z, signals)[k], np.linalg.solve(matrix, design.T @ signals[k]), rtol=1e-9, atol=1e-12
        )
        np.testing.assert_allclose(layers._solve(z, right)[k], np.linalg.solve(matrix, right[k]), rtol=1e-9)


@FORMS
@pytest.mark.parametrize("supervised", [True, False], ids=["codes", "objective"])
@pytest.mark.parametrize("regulariser", [*TEXTURES, "network", "picture"])
def test_derivatives_are_those_of_finite_differences(n_atoms, n_features, regulariser, supervised):
    atoms, signals, codes = setting(n_atoms, n_features)
    shape = {"network": (n_atoms,), "picture": (n_atoms // 3, 3) if n_atoms % 3 == 0 else (1, n_atoms)}.get(regulariser)
    texture = regulariser if regulariser in TEXTURES else "half-normal"
    ridge = 5.0 if regulariser == "network" else 0.05  # there steps are so long that they are shrunk
    layers = CompoundLayers(atoms, ridge, (2, 2), texture, networks(n_atoms, shape) if shape else None, supervised)
    rng = np.random.default_rng(1)
    for array in layers.arrays.values():
        array += 0.1 * rng.standard_normal(array.shape)
    truth = codes if supervised else None
    if regulariser == "network":
        layers.run(signals, tape := [])
        assert np.all(tape[0][2][0].factor < 1.0)
    value, slopes = layers.loss(signals, truth, slopes=True)
    assert value == pytest.approx(layers.loss(signals, truth), rel=1e-12)
    for name, array in layers.arrays.items():
        for at in list(np.ndindex(array.shape))[:4]:
            here, ends = array[at], []
            for move in (1e-6, -1e-6):
                array[at] = here + move
                ends.append(layers.loss(signals, truth))
            array[at] = here
            assert slopes[name][at] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-4, abs=1e-7), (name, at)
    assert all(np.any(slope != 0) for slope in slopes.values())


def test_long_steps_of_networks_are_shrunk_to_norm_one():
    atoms, signals, _ = setting(12, 7)
    layers = CompoundLayers(atoms, 1e-6, (1, 1), "half-normal", networks(12))
    z = np.full((3, 12), 50.0)
    step = layers.step(z, np.ones_like(z), 1e3 * signals, (0, 0))
    np.testing.assert_allclose(np.linalg.norm(z - step.after, axis=1), 1.0, rtol=1e-9)


# ---------------------------------------------------------------- training


def test_the_objective_is_minimised_without_codes():
    model = CompoundGaussianNetwork(ATOMS, **PROX).fit(X)
    before = CompoundGaussianNetwork(ATOMS, **{**PROX, "learning_rate": 1e-12}).fit(X)
    assert model.loss_ == "objective"
    assert model.training_loss_ < 0.8 * before.training_loss_
    assert -model.score(X) == pytest.approx(model.training_loss_, rel=1e-9)
    # F from its definition, in the units of the layers
    unit = model.scale_ * np.linalg.norm(ATOMS, 2)
    z, u = model._layers.run(X / unit)
    misfit = 0.5 * np.sum((X - model.transform(X) @ ATOMS) ** 2)
    prior = 1e-3 * 0.5 * (np.sum(u**2) + np.sum(z**2))
    assert model.training_loss_ == pytest.approx((misfit / unit**2 + prior) / (0.5 * np.sum(X**2) / unit**2), rel=1e-6)


def test_the_certificate_is_the_gradient_over_that_before_training():
    steep, certificates = [], []
    for more in ({}, {"learning_rate": 1e-12}):
        model = CompoundGaussianNetwork(ATOMS, **{**PROX, **more}).fit(X)
        rows = X / (model.scale_ * np.linalg.norm(ATOMS, 2))
        steep.append(np.sqrt(sum(np.sum(part**2) for part in model._layers.loss(rows, slopes=True)[1].values())))
        certificates.append(model.certificate_)
        assert min(model.history_["loss"]) >= model.training_loss_
    np.testing.assert_allclose(certificates, [steep[0] / steep[1], 1.0], rtol=1e-6)


@pytest.mark.parametrize("texture", TEXTURES)
def test_codes_that_are_known_are_learned(texture):
    model = CompoundGaussianNetwork(ATOMS, texture=texture, **PROX).fit(X[:30], CODES[:30])
    before = CompoundGaussianNetwork(ATOMS, texture=texture, **{**PROX, "learning_rate": 1e-12}).fit(X[:30], CODES[:30])
    assert model.loss_ == "codes"
    errors = [np.abs(one.transform(X[30:]) - CODES[30:]).mean() for one in (model, before)]
    assert errors[0] < 0.6 * errors[1]
    assert model.score(X[30:], CODES[30:]) == pytest.approx(-errors[0] / np.abs(CODES[30:]).mean(), rel=1e-9)
    assert model.steps_.shape == model.strengths_.shape == (2, 4)


@quiet
def test_a_learned_prior_helps_where_entries_differ():
    codes = np.random.default_rng(0).standard_normal((120, 30)) * np.where(np.arange(30) < 10, 1.0, 0.05)
    plain, learned = (
        CompoundGaussianNetwork(ATOMS, learn_prior=learns, **PROX).fit(codes[:60] @ ATOMS, codes[:60])
        for learns in (False, True)
    )
    assert learned.score(codes[60:] @ ATOMS, codes[60:]) > 0.7 * plain.score(codes[60:] @ ATOMS, codes[60:])
    assert np.median(learned.ridge_[:10]) < np.median(learned.ridge_[10:])


@pytest.fixture(scope="module")
def pictures():
    images = load_digits().data[np.random.default_rng(0).permutation(1797)[:100]] / 16.0
    matrix = np.random.default_rng(1).standard_normal((20, 64)) / np.sqrt(20)
    return images.astype(np.float32), matrix.astype(np.float32)


@quiet
def test_twenty_images_teach_what_images_are(pictures):
    namespace("torch")
    images, matrix = pictures
    rows, unseen = images @ matrix.T, images[20:]
    settings = {"image_shape": (8, 8), "n_texture_steps": 1, "n_conv_layers": 4, "n_channels": 12, "random_state": 0}
    model = CompoundGaussianNetwork(matrix.T, max_iter=80, learning_rate=3e-3, **settings).fit(rows[:20], images[:20])
    before = CompoundGaussianNetwork(matrix.T, max_iter=1, learning_rate=1e-12, **settings).fit(rows[:20], images[:20])
    back = np.clip(rows[20:] @ matrix / np.sum(matrix**2, axis=0), 0, 1)
    found, untrained = model.transform(rows[20:]), before.transform(rows[20:])
    assert found.dtype == np.float32
    assert np.abs(found - unseen).mean() < 0.75 * np.abs(untrained - unseen).mean()
    assert np.abs(found - unseen).mean() < 0.75 * np.abs(back - unseen).mean()


# ---------------------------------------------------------------- as an estimator


@quiet
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_networks_are_carried_about_and_drawn_from_the_seed(dtype):
    torch = namespace("torch")
    rows, codes = X.astype(dtype), CODES.astype(dtype)
    states = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    model = CompoundGaussianNetwork(ATOMS, max_iter=3, **SMALL).fit(rows, codes)
    assert torch.equal(torch.get_rng_state(), states[0])
    np.testing.assert_array_equal(np.random.get_state()[1], states[1])  # noqa: NPY002
    found = model.transform(rows)
    assert found.dtype == dtype and all(weight.dtype == dtype for weight in model.weights_.values())
    for twin in (pickle.loads(pickle.dumps(model)), clone(model).fit(rows, codes)):
        np.testing.assert_array_equal(twin.transform(rows), found)
    other = clone(model).set_params(random_state=1).fit(rows, codes)
    assert np.any(other.transform(rows) != found)
    assert not any(isinstance(value, torch.Tensor) for value in vars(model).values())
    np.testing.assert_allclose(model.inverse_transform(found), found @ ATOMS, rtol=1e-4, atol=1e-4)


def test_a_missing_torch_is_named_with_its_extra(monkeypatch):
    model = CompoundGaussianNetwork(ATOMS, **SMALL)
    if importlib.util.find_spec("torch"):
        monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(ImportError, match=r"needs torch: pip install 'sparsecode\[torch\]'"):
        model.fit(X, CODES)
    assert not hasattr(model, "components_")
    CompoundGaussianNetwork(ATOMS, **PROX).fit(X, CODES)  # the other one does without


def test_bad_input_is_named():
    model = CompoundGaussianNetwork(ATOMS, **PROX)
    with pytest.raises(ValueError, match=r"y has shape \(60, 29\); codes.*\(60, 30\)"):
        model.fit(X, CODES[:, :29])
    with pytest.raises(ValueError, match="y contains NaN"):
        model.fit(X, np.where(CODES == 0, np.nan, CODES))
    with pytest.raises(ValueError, match="X contains NaN"):
        model.fit(np.where(X > 2, np.nan, X))
    for wrong in ((5, 7), (30,), (-5, -6)):
        with pytest.raises(ValueError, match=r"image_shape is .*n_components=30"):
            clone(model).set_params(image_shape=wrong).fit(X)
    with pytest.raises(ValueError, match="learn_prior=True needs codes"):
        clone(model).set_params(learn_prior=True).fit(X)
    with pytest.raises(ValueError, match="features"):
        model.fit(X[:, :9])
    with pytest.raises(ValueError, match=r"X has 4 columns.*have 30"):
        model.fit(X, CODES).inverse_transform(np.ones((2, 4)))


@pytest.mark.parametrize("more,status", [({"max_iter": 2}, "MAX_ITER"), ({"learning_rate": 1e30}, "DIVERGED")])
def test_training_that_did_not_end_says_so_once(more, status):
    with pytest.warns(ConvergenceWarning) as caught:
        model = CompoundGaussianNetwork(ATOMS, **{**PROX, **more}).fit(X, CODES)
    assert len(caught) == 1
    assert model.status_ is Status[status]
    assert np.all(np.isfinite(model.transform(X))) and np.isfinite(model.training_loss_)


def test_labels_are_no_codes_and_signals_of_zeros_have_codes_of_zeros():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        model = CompoundGaussianNetwork(ATOMS, **PROX).fit(X, np.arange(60))
    assert model.loss_ == "objective" and model.status_ is Status.CONVERGED
    assert not np.any(model.transform(np.zeros((2, 20))))


@quiet
def test_the_scale_is_the_typical_largest_entry_of_a_code_of_one_atom():
    rows = X * np.linspace(1.0, 9.0, len(X))[:, None] ** 2  # a mean or a maximum would be far above
    entries = np.max(np.abs(rows @ ATOMS.T) / np.sum(ATOMS**2, axis=1), axis=1)
    model = CompoundGaussianNetwork(ATOMS, regulariser="prox", max_iter=1).fit(rows)
    assert model.scale_ == pytest.approx(np.median(entries[entries > 0]))


def test_textures_begin_with_what_an_atom_alone_would_have_up_to_one():
    atoms, rows = ATOMS / np.linalg.norm(ATOMS, 2), X[:5]
    layers = CompoundLayers(atoms, 0.1, (1, 1), "half-normal")
    alone = np.abs(rows @ atoms.T) / np.sum(atoms**2, axis=1)
    assert alone.max() > 1.0 > alone.min()
    np.testing.assert_allclose(layers.start(rows), np.minimum(alone, 1.0))
