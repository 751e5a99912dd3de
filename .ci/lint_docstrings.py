"""numpydoc's rules over every public name of sparsecode, and over the public methods it defines itself.

    python .ci/lint_docstrings.py

Prints one line for each finding and exits 1 if there is one.
"""

from __future__ import annotations

import enum
import importlib
import inspect
import sys

from numpydoc.validate import validate

import sparsecode

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
    "solvers.probabilistic",
    "solvers.convolutional",
    "linear_model",
    "decomposition",
    "transport",
)

# numpydoc codes that are not asked for, and why.
NOT_ASKED = {
    "GL01": "summaries start on the line of the quotes",
    "ES01": "a summary may say it all",
    "SA01": "See Also only where there is something to see",
    "SA04": "its entries speak for themselves",
    "SA03": "likewise",
    "SS05": "a noun in the plural is no verb in the third person",
    "RT02": "one returned value may carry its type alone",
    "PR04": "a twin may refer to the function that documents its parameters",
    "PR09": "descriptions may end in a formula or a literal",
}
NOT_ASKED_OF_METHODS = {
    "EX01": "the class shows the example",
    "PR01": "protocol methods share the parameters that their class documents",
    "RT01": "likewise",
    "YD01": "likewise",
}


def public_objects():
    """Dotted name and object of everything public."""
    modules = [sparsecode, *(importlib.import_module(f"sparsecode.{room}") for room in ROOMS)]
    seen = set()
    for module in modules:
        for name in module.__all__:
            thing = getattr(module, name)
            if not inspect.ismodule(thing) and id(thing) not in seen:
                seen.add(id(thing))
                yield f"{module.__name__}.{name}", thing


def public_methods(name, thing):
    """Methods written in this package, not those inherited from scikit-learn or generated for a NamedTuple."""
    for attribute, value in vars(thing).items():
        function = value.fget if isinstance(value, property) else inspect.unwrap(getattr(value, "__func__", value))
        if attribute.startswith("_") or not inspect.isfunction(function):
            continue
        if function.__module__.startswith("sparsecode") and function.__doc__:
            yield f"{name}.{attribute}"


def findings():
    """Lines ``name: code message`` for every rule that is broken."""
    for name, thing in public_objects():
        has_attributes = inspect.isclass(thing) and "Attributes\n" in thing.__doc__
        is_enum = inspect.isclass(thing) and issubclass(thing, enum.Enum)
        made_by_us = {"PR01": "made by us, read by users"} if has_attributes or is_enum else {}
        yields = {"RT01": "it yields"} if "Yields\n" in thing.__doc__ else {}
        yield from _of(name, {**NOT_ASKED, **made_by_us, **yields})
        if inspect.isclass(thing):
            for method in public_methods(name, thing):
                yield from _of(method, {**NOT_ASKED, **NOT_ASKED_OF_METHODS})


def _of(name, excused):
    report = validate(name)
    for code, message in report["errors"]:
        if code not in excused:
            yield f"{report['file']}:{report['file_line']}: {name}: {code} {message}"


def main():
    """Print the findings."""
    found = sorted(findings())
    for line in found:
        print(line)
    print(f"numpydoc: {len(found)} findings")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
