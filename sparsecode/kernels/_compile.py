"""How kernels are compiled and where the machine code is kept.

A kernel's cache folder is named by a hash of its own file and of every file whose code it may inline (the scalar
proxes of penalties, the scalar slopes of losses, this folder's private modules), so an edited helper never gives stale machine code. The folder lies below
SPARSECODE_CACHE_DIR, else NUMBA_CACHE_DIR, else the user's cache folder, else the temporary folder: the first that can
be written, so a read-only installation still compiles once.
"""

from __future__ import annotations

import hashlib
import os
import sys
import tempfile
import threading
import uuid
from contextlib import suppress
from functools import cache, lru_cache, partial
from pathlib import Path

import numba
from numba.extending import overload

from ..losses._registry import SCALAR_LOSS
from ..penalties._registry import SCALAR_PROX

__all__ = ["cache_folder", "kernel", "prox", "slopes"]

_ROOT = Path(__file__).resolve().parent
_LOCK = threading.Lock()


def _candidates():
    for name in ("SPARSECODE_CACHE_DIR", "NUMBA_CACHE_DIR"):
        if os.environ.get(name):
            yield Path(os.environ[name])
    if sys.platform == "win32":
        yield Path(os.environ.get("LOCALAPPDATA", Path.home() / "AppData" / "Local")) / "sparsecode"
    elif sys.platform == "darwin":
        yield Path.home() / "Library" / "Caches" / "sparsecode"
    else:
        yield Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "sparsecode"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    yield Path(tempfile.gettempdir()) / f"sparsecode-{user}"


@lru_cache(maxsize=1)
def cache_folder() -> Path | None:
    """The first cache folder that can be written, or None if there is none."""
    for folder in _candidates():
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=folder):
                return folder
        except (OSError, RuntimeError):
            continue
    return None


@cache
def _fingerprint(source: str) -> str:
    shared = [file for folder in ("penalties", "losses") for file in (_ROOT.parent / folder).glob("*.py")]
    shared += _ROOT.glob("_*.py")
    digest = hashlib.sha256(numba.__version__.encode())
    for path in [Path(source), *sorted(shared)]:
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def kernel(function=None, *, borrows=False, inline=False, merge=False):
    """Compile a hot loop: cached on disk, free of the GIL, with C's arithmetic for division by zero.

    `borrows` promises that it makes no array and no view: Numba then counts no references, which between threads is a fight
    over one cache line and costs more than a short loop. `inline` merges a small kernel into those that call it, `merge` its
    machine code: what sums by `plus` and is called by another kernel needs it. A callee of its own has one machine code in the
    process that compiles it and another one in the cache, which may add in another order.
    """
    if function is None:
        return partial(kernel, borrows=borrows, inline=inline, merge=merge)
    folder = cache_folder()
    options = {"nogil": True, "error_model": "numpy", "cache": folder is not None}
    if borrows:
        options["_nrt"] = False
    if inline:
        options["inline"] = "always"
    if merge:
        options["forceinline"] = True
    if folder is None:
        return numba.njit(**options)(function)
    with _LOCK:  # numba reads its folder from a global while it decorates; the user's own setting is put back
        before = numba.config.CACHE_DIR
        numba.config.CACHE_DIR = str(folder / _fingerprint(function.__code__.co_filename))
        try:
            return _named_apart(numba.njit(**options)(function))
        finally:
            numba.config.CACHE_DIR = before


def _named_apart(dispatcher):
    """The kernel, whose files in the cache bear names that no other process chooses.

    Numba numbers them: two processes that compile it for different types at once take the same number, and the types of the one
    may then be served the machine code of the other for ever.
    """
    with suppress(AttributeError):  # a Numba whose caches are made otherwise
        file = dispatcher._cache._cache_file
        name = file._data_name
        file._data_name = lambda _: name(uuid.uuid4().int)
    return dispatcher


def prox(penalty, value, step):
    """The scalar prox of a penalty; kernels call it, and its class decides at compile time what runs."""
    return SCALAR_PROX[type(penalty)](penalty, value, step)


@overload(prox)
def _prox(penalty, value, step):
    function = SCALAR_PROX.get(getattr(penalty, "instance_class", None))
    if function is None:
        return None

    # the registered function is compiled as the body of this overload
    return function


def slopes(loss, target, fitted):
    """First and second derivative of a smooth loss for one sample of weight one; kernels call it, its class decides what runs."""
    return SCALAR_LOSS[type(loss)](loss, target, fitted)


@overload(slopes)
def _slopes(loss, target, fitted):
    return SCALAR_LOSS.get(getattr(loss, "instance_class", None))  # compiled as the body of this overload
