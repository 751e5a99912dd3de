"""Public names of a package that load on first use (PEP 562): nobody waits for what they did not ask for."""

from __future__ import annotations

import importlib
import sys

__all__ = ["on_first_use"]


def on_first_use(package, homes, modules=()):
    """``__getattr__`` and ``__dir__`` of a package: `homes` says which of its modules each name is in, `modules` are names too."""
    known = vars(sys.modules[package])

    def load(name):
        if name in homes:
            value = getattr(importlib.import_module(f".{homes[name]}", package), name)
            known[name] = value
            return value
        if name in modules:
            return importlib.import_module(f".{name}", package)
        raise AttributeError(f"module {package!r} has no attribute {name!r}")

    def names():
        return sorted({*known, *homes, *modules})

    return load, names
