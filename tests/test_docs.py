"""Every Python block of the README and the documentation runs, those of one page in one namespace."""

from __future__ import annotations

import functools
import re
import sys
import types
from pathlib import Path

import pytest
import torch

from structpred import testing
from structpred.testing import BATCH_LAWS, GRADIENT_LAWS, SPACE_LAWS

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.md"))  # `make docs` runs these


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_examples_of_a_page_run(page, monkeypatch, tmp_path):
    blocks = re.findall(r"^```python\n(.*?)^```", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    torch.manual_seed(0)
    monkeypatch.chdir(tmp_path)  # where what a page draws goes
    # A reader waits for the whole effort, this test need not: the laws of shipped spaces have tests of their own.
    for check, less in [
        (testing.check_space, {"max_examples": 3, "max_seconds": 0.05}),
        (testing.check_objective, {"max_seconds": 0.1, "draws": 5_000}),
        (testing.check_layer, {"max_seconds": 0.1, "draws": 5_000}),
    ]:
        monkeypatch.setattr(testing, check.__name__, functools.partial(check, **less))
    module = types.ModuleType(f"page_{page.stem.replace('-', '_')}")
    monkeypatch.setitem(sys.modules, module.__name__, module)  # so that what a page defines can be pickled
    for block in blocks:
        exec(compile(block, str(page), "exec"), module.__dict__)


@pytest.mark.parametrize("page", PAGES + NOTEBOOKS, ids=lambda page: page.name)
def test_the_links_of_a_page_lead_somewhere(page):
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8"))
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_of_laws_has_every_law_and_no_other():
    rows = re.findall(r"^\| `(\w+)` \|", (ROOT / "docs" / "laws.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(rows) == sorted(law.name for law in (*SPACE_LAWS, *BATCH_LAWS, *GRADIENT_LAWS))


def test_the_readme_counts_the_laws():
    said = re.search(
        r"against \[(\d+) laws\].*?against (\d+)", (ROOT / "README.md").read_text(encoding="utf-8"), re.DOTALL
    )
    assert (int(said[1]), int(said[2])) == (len(SPACE_LAWS), len(GRADIENT_LAWS))
