"""Every example on the pages of the site and in the README runs, and shows what it says."""

from __future__ import annotations

import doctest
import re
from pathlib import Path

import pytest

from sparsecode.solvers.methods import methods

ROOT = Path(__file__).resolve().parents[1]
FLAGS = doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS
PAGES = sorted(path for path in (ROOT / "docs").glob("*.md") if ">>>" in path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page):
    text = page.read_text(encoding="utf-8")
    text = re.sub(r"^```.*$", "", text, flags=re.MULTILINE)  # a fence is no output
    test = doctest.DocTestParser().get_doctest(text, {}, page.name, str(page), 0)
    report = []
    outcome = doctest.DocTestRunner(optionflags=FLAGS).run(test, out=report.append)
    assert outcome.attempted > 0
    assert outcome.failed == 0, "".join(report)


def test_the_example_of_the_readme_prints_what_its_comment_says(capsys):
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL).group(1)
    exec(compile(code, "README.md", "exec"), {})
    first, second = capsys.readouterr().out.splitlines()
    assert first.startswith("[  7  77 177] CONVERGED")
    assert float(first.split()[-1]) < 1e-12
    assert second.startswith("[  7  77 177]")


def test_the_readme_holds_one_place_for_the_benchmark_table():
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert text.count("<!-- benchmark table: begin -->") == 1
    assert text.index("<!-- benchmark table: begin -->") < text.index("<!-- benchmark table: end -->")


def test_the_page_on_solvers_lists_all_methods_in_the_order_in_which_they_are_tried():
    text = (ROOT / "docs" / "solver_choice.md").read_text(encoding="utf-8")
    rows = re.findall(r'^\| (\d+) \| `"(\w+)"` \|', text, re.MULTILINE)
    assert rows == [(str(place), method.name) for place, method in enumerate(methods(), 1)]
