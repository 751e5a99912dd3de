"""What ``python -m sparsecode info`` prints: versions, threads, array backends, the kernels' cache."""

from __future__ import annotations

import os
import platform
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version

from . import __version__
from ._parallel import n_threads

__all__ = ["describe"]

_NEEDED = ("numpy", "scipy", "scikit-learn", "numba", "array-api-compat", "joblib", "threadpoolctl")
_OPTIONAL = {
    "matplotlib": "plot",
    "pillow": "plot",
    "torch": "torch",
    "cupy-cuda12x": "gpu",
    "dask": "dask",
    "cvxpy": "cvx",
    "pot": "transport",
}
_SETTINGS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "SPARSECODE_CACHE_DIR",
    "NUMBA_CACHE_DIR",
    "SCIPY_ARRAY_API",
)


def describe() -> str:
    """All of it as one aligned text; nothing optional needs to be installed."""
    sections = {
        "versions": [("sparsecode", __version__), ("python", _python()), *((name, _version(name)) for name in _NEEDED)],
        "optional": [(name, _version(name, extra)) for name, extra in _OPTIONAL.items()],
        "threads": [("sparsecode", str(n_threads())), ("cores", str(os.cpu_count())), *_blas()],
        "array backends": _backends(),
        "kernels": [("cache", _cache())],
        "environment": [(name, os.environ[name]) for name in _SETTINGS if name in os.environ],
    }
    width = max(len(name) for rows in sections.values() for name, _ in rows)
    lines = []
    for title, rows in sections.items():
        if rows:
            lines += ["", title, *(f"  {name.ljust(width)}  {value}" for name, value in rows)]
    return "\n".join(lines[1:])


def _python():
    return f"{platform.python_version()} ({platform.python_implementation()}, {platform.platform()})"


def _version(name, extra=None):
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed" if extra is None else f"not installed: pip install 'sparsecode[{extra}]'"


def _blas():
    """The BLAS and OpenMP libraries that NumPy and SciPy have loaded."""
    import scipy.linalg  # noqa: F401  SciPy brings a BLAS of its own
    import threadpoolctl

    for pool in threadpoolctl.threadpool_info():
        kind = pool["user_api"].upper().replace("OPENMP", "OpenMP")
        details = [pool.get("internal_api"), pool.get("version"), pool.get("architecture")]
        yield kind, f"{pool['num_threads']} ({', '.join(str(detail) for detail in details if detail)})"


def _backends():
    """Array namespaces that designs and targets may come from, and the devices that they see."""
    rows = [("numpy", "cpu")]
    for name, devices in (("torch", _torch_devices), ("cupy", _cupy_devices)):
        try:
            rows.append((name, devices(import_module(name))))
        except ImportError:
            rows.append((name, "not installed"))
        except (OSError, RuntimeError) as error:  # installed, but its drivers or libraries are not
            rows.append((name, f"does not load: {error}"))
    return rows


def _torch_devices(torch):
    cuda = (
        [torch.cuda.get_device_name(index) for index in range(torch.cuda.device_count())]
        if torch.cuda.is_available()
        else []
    )
    return ", ".join(["cpu", *(f"cuda ({name})" for name in cuda)])


def _cupy_devices(cupy):
    count = cupy.cuda.runtime.getDeviceCount()
    return ", ".join(f"cuda:{index}" for index in range(count)) or "no device"


def _cache():
    try:
        from .kernels._compile import cache_folder
    except ImportError as error:
        return f"numba does not load: {error}"
    folder = cache_folder()
    return "none can be written: kernels are compiled anew in every process" if folder is None else str(folder)
