"""The package as a whole: what importing it costs, which names are public, and that each is documented."""

from __future__ import annotations

import importlib
import pydoc
import re
import subprocess
import sys
from pathlib import Path

import pytest

import sparsecode

ROOT = Path(__file__).resolve().parents[1]
HEAVY = ("numba", "cvxpy", "ot", "matplotlib.pyplot", "torch", "dask", "cupy")
ROOMS = (
    "datasets",
    "metrics",
    "plotting",
    "designs",
    "designs.transforms",
    "losses",
    "penalties",
    "solvers.proximal",
    "solvers.thresholding",
    "solvers.greedy",
    "solvers.coordinate",
    "linear_model",
    "decomposition",
    "inverse",
)


def _public_names():
    """Every public name, with the module that shows it."""
    homes = {name: sparsecode for name in sparsecode.__all__ if name not in sparsecode._MODULES}
    for room in ROOMS:
        module = importlib.import_module(f"sparsecode.{room}")
        homes.update(dict.fromkeys(module.__all__, module))
    return dict(sorted(homes.items()))


PUBLIC = _public_names()


def _modules_loaded_by(code):
    """Modules that a fresh interpreter holds after running `code`, beyond those it starts with."""
    program = f"import sys; before = set(sys.modules)\n{code}\nprint(*sorted(set(sys.modules) - before))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.split()


def test_importing_the_package_loads_nothing_but_the_standard_library():
    roots = {name.split(".")[0] for name in _modules_loaded_by("import sparsecode")}
    assert roots - set(sys.stdlib_module_names) == {"sparsecode"}


def test_naming_every_public_name_loads_no_compiler_and_no_optional_package():
    loaded = set(_modules_loaded_by("import sparsecode\nfor name in sparsecode.__all__: getattr(sparsecode, name)"))
    assert loaded.isdisjoint(HEAVY)


def test_naming_an_estimator_loads_no_other_family():
    rooms = ("greedy", "thresholding", "bayesian", "message_passing", "dictionary")
    loaded = _modules_loaded_by("import sparsecode\nsparsecode.LADLassoCV")
    assert "sparsecode.linear_model._lad_lasso" in loaded
    assert not [name for name in loaded if name.startswith(tuple(f"sparsecode.solvers.{room}" for room in rooms))]


def test_a_solve_loads_the_methods_up_to_its_own():
    loaded = _modules_loaded_by("import numpy, sparsecode\nsparsecode.lasso(numpy.eye(3), numpy.ones(3), alpha=0.1)")
    assert "sparsecode.solvers.coordinate.working_set" in loaded
    assert "sparsecode.solvers.proximal.primal_dual" not in loaded
    assert "sparsecode.solvers.coordinate.prox_newton" not in loaded


def test_a_small_solve_does_not_load_the_compiler():
    loaded = _modules_loaded_by(
        "import numpy, sparsecode\nsparsecode.fista(numpy.eye(3), numpy.ones(3), penalty=sparsecode.L1(0.1))"
    )
    assert "numba" not in loaded


@pytest.mark.parametrize("name", ["LassoCV", "ElasticNetCV", "LADLassoCV", "HuberLassoCV", "NonconvexRegressorCV"])
def test_choosing_a_strength_on_small_data_does_not_load_the_compiler(name):
    """Its import would cost more than the fits."""
    loaded = _modules_loaded_by(
        "import numpy, sparsecode\nrng = numpy.random.default_rng(0)\nX = rng.standard_normal((50, 80))\n"
        f"sparsecode.{name}().fit(X, X[:, :3].sum(axis=1) + 0.5 * rng.standard_normal(50))"
    )
    assert "numba" not in loaded


def test_an_unknown_name_raises_attribute_error():
    with pytest.raises(AttributeError, match="no_such_name"):
        sparsecode.no_such_name  # noqa: B018


def test_dir_lists_every_public_name():
    assert set(sparsecode.__all__) <= set(dir(sparsecode))


def test_every_module_that_all_names_can_be_imported():
    for module in sparsecode._MODULES:
        assert getattr(sparsecode, module).__name__ == f"sparsecode.{module}"


@pytest.mark.parametrize("name", PUBLIC)
def test_every_public_name_has_a_docstring_with_an_example(name):
    documented = getattr(PUBLIC[name], name).__doc__
    assert documented
    assert ">>>" in documented, f"{name} shows no example"


def test_help_shows_types_by_their_names():
    things = [getattr(home, name) for name, home in PUBLIC.items()]
    for room in ("solvers.probabilistic", "solvers.convolutional", "transport"):
        module = importlib.import_module(f"sparsecode.{room}")
        things += [getattr(module, name) for name in module.__all__]
    shown = [thing.__name__ for thing in things if "ForwardRef" in pydoc.render_doc(thing)]
    assert not shown, f"annotations that are strings, of {', '.join(shown)}: drop the __future__ import of their files"


def _words(*paths):
    """Every identifier in the given text files, a dotted name counting as its parts."""
    return set(re.findall(r"\w+", "\n".join(path.read_text(encoding="utf-8") for path in paths)))


@pytest.mark.parametrize(
    ("place", "paths"),
    [
        ("the API reference", [ROOT / "docs" / "api.rst"]),
        ("CHANGELOG.md", [ROOT / "CHANGELOG.md"]),
        ("an example of the gallery", sorted((ROOT / "gallery").glob("plot_*.py"))),
    ],
    ids=["api", "changelog", "gallery"],
)
def test_every_public_name_is_in(place, paths):
    words = _words(*paths)
    missing = [name for name in PUBLIC if name not in words]
    assert not missing, f"not in {place}: {', '.join(missing)}"


def test_the_version_is_the_one_that_is_cited():
    cited = re.search(r"^version: (\S+)$", (ROOT / "CITATION.cff").read_text(encoding="utf-8"), re.MULTILINE)
    assert cited.group(1) == sparsecode.__version__
