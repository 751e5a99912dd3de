"""Sphinx extension: turn the percent scripts of benchmarks/notebooks into notebooks before the sources are read.

They are executed by myst-nb like any other notebook of the site, on small sizes unless SPARSECODE_BENCH_SIZE=full is set.
"""

from __future__ import annotations

from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parents[2]


def convert(app, config):
    """Write docs/notebooks/NAME.ipynb for every benchmarks/notebooks/NAME.py, and forget those that are gone."""
    target = Path(app.srcdir) / "notebooks"
    target.mkdir(exist_ok=True)
    written = set()
    for script in sorted((ROOT / "benchmarks" / "notebooks").glob("*.py")):
        notebook = jupytext.read(script, fmt="py:percent")
        notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
        path = target / f"{script.stem}.ipynb"
        jupytext.write(notebook, path)
        written.add(path)
    for path in target.glob("*.ipynb"):
        if path not in written:
            path.unlink()


def setup(app):
    """Register with Sphinx."""
    app.connect("config-inited", convert, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
