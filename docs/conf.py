"""How the site is built: offline, every example executed, every warning an error (``make docs``)."""

from __future__ import annotations

import os
import sys
from importlib.util import find_spec
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE / "_ext"), str(HERE.parent)]
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("PYTHONPATH", str(HERE.parent))  # for the kernels that run the notebooks

import sparsecode

project = "sparsecode"
author = "The sparsecode developers"
copyright = f"2026, {author}"
version = release = sparsecode.__version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "numpydoc",
    "sphinx_gallery.gen_gallery",
    "myst_nb",
    "benchmark_notebooks",
]
exclude_patterns = ["_build", "_templates", "_ext"]
templates_path = ["_templates"]
default_role = "code"  # single backquotes in docstrings name parameters and attributes

# API pages
autosummary_generate = True
autodoc_typehints = "none"
autodoc_member_order = "bysource"
numpydoc_show_class_members = False
numpydoc_xref_param_type = False

# Gallery: only what is named plot_* is run; an example that fails fails the build
sphinx_gallery_conf = {
    "examples_dirs": ["../gallery"],
    "gallery_dirs": ["gallery"],
    "filename_pattern": r"plot_"
    if find_spec("torch")
    else r"plot_(?!compound_network)",  # which needs torch: shown, not run
    "within_subsection_order": "ExampleTitleSortKey",
    "backreferences_dir": "generated/backreferences",
    "doc_module": ("sparsecode",),
    "notebook_extensions": set(),
    "download_all_examples": False,
    "show_memory": False,
    "show_signature": False,
    "plot_gallery": "True",
    "abort_on_example_error": False,
    "only_warn_on_example_error": False,
    "min_reported_time": 0,
    "parallel": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1,
}

# Benchmark notebooks: always run, on a small size; an error fails the build
nb_execution_mode = "force"
nb_execution_timeout = 600
nb_execution_raise_on_error = True
nb_execution_show_tb = True
nb_merge_streams = True
myst_heading_anchors = 3
myst_enable_extensions = ["dollarmath", "amsmath"]

doctest_global_setup = "import numpy as np"
trim_doctest_flags = True

html_theme = "pydata_sphinx_theme"
html_title = "sparsecode"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_show_sourcelink = False
html_copy_source = False
html_theme_options = {
    "show_toc_level": 2,
    "navigation_with_keys": False,
    "navbar_align": "left",
    "header_links_before_dropdown": 7,
    "footer_start": ["copyright"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "pygments_light_style": "tango",
    "pygments_dark_style": "monokai",
}
html_sidebars = {
    "index": [],
    "install": [],
    "quickstart": [],
    "which_solver": [],
    "concepts": [],
    "contributing": [],
    "changelog": [],
}
