"""The check of the built documentation finds links that lead nowhere, and no others."""

from __future__ import annotations

import runpy
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[1] / "docs" / "check_links.py"
broken_links = runpy.run_path(str(SCRIPT))["broken_links"]


@pytest.fixture
def site(tmp_path):
    (tmp_path / "site" / "guides").mkdir(parents=True)
    (tmp_path / "outside.html").write_text("")
    page = '<h1 id="top">A page</h1><a name="old name"></a><a href="../index.html">back</a>'
    (tmp_path / "site" / "guides" / "a page.html").write_text(page)
    (tmp_path / "site" / "picture.png").write_bytes(b"")
    return tmp_path / "site"


def found(site, body):
    (site / "index.html").write_text(f'<h1 id="here">Index</h1>{body}')
    return list(broken_links(site))


@pytest.mark.parametrize(
    "link",
    [
        "#here",
        "#",
        "index.html#here",
        "guides/a%20page.html",
        "guides/a%20page.html#top",
        "guides/../guides/a%20page.html#old%20name",
        "picture.png?v=3",
        "https://example.org/no/such/page#nor-anchor",
        "mailto:someone@example.org",
        "data:image/png;base64,AAAA",
    ],
)
def test_a_link_that_leads_somewhere_is_right(site, link):
    assert found(site, f'<a href="{link}">there</a><img src="{link}">') == []


@pytest.mark.parametrize(
    ("link", "reason"),
    [
        ("#nowhere", "no such anchor"),
        ("#Here", "no such anchor"),
        ("guides/a%20page.html#here", "no such anchor"),
        ("guides/b.html", "no such file"),
        ("guides", "no such file"),
        ("../outside.html", "outside the site"),
        ("/index.html", "neither an address nor a path from this page"),
        ("//example.org", "neither an address nor a path from this page"),
        ("file:///index.html", "neither an address nor a path from this page"),
        ("https://", "no whole address"),
        ("https://example", "no whole address"),
        ("https://example.org/two words", "no whole address"),
    ],
)
@pytest.mark.parametrize("tag", ['<a href="{}">there</a>', '<img src="{}">', '<link href="{}">'])
def test_a_link_that_leads_nowhere_is_named(site, link, reason, tag):
    assert found(site, tag.format(link)) == [f"index.html: {link}: {reason}"]


def test_a_page_in_a_folder_is_checked_too(site):
    assert found(site, "") == []
    (site / "guides" / "b.html").write_text('<a href="../guide/a.html">there</a>')
    assert found(site, "") == [f"{Path('guides', 'b.html')}: ../guide/a.html: no such file"]


def test_the_script_fails_on_a_broken_link_and_where_nothing_is_built(site):
    def run(folder):
        return subprocess.run([sys.executable, SCRIPT, folder], capture_output=True, text=True)

    assert found(site, "") == []
    assert run(site).returncode == 0
    found(site, '<a href="nowhere.html">there</a>')
    assert (run(site).returncode, run(site).stdout) == (1, "index.html: nowhere.html: no such file\n")
    assert "has no index.html" in run(site / "guides").stderr
