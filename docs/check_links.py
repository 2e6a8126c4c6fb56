"""Follows every link of the built documentation, and fails on one that leads nowhere: `check_links.py build/docs`.

A link inside the site must lead to a file of it, and to an anchor of that page where it names one. One that leads
outside is not followed, so that the check needs no network; it must be a whole address.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from urllib.parse import unquote, urlsplit

from bs4 import BeautifulSoup, Tag


def broken_links(site: Path) -> Iterator[str]:
    """A line for each link that leads nowhere."""
    site = site.resolve()
    for page in sorted(site.rglob("*.html")):
        for link in dict.fromkeys(_links(page)):  # each once
            reason = _reason(site, page, link)
            if reason:
                yield f"{page.relative_to(site)}: {link}: {reason}"


def _links(page: Path) -> Iterator[str]:
    for tag in _tags(page):
        yield from (tag[name] for name in ("href", "src") if tag.has_attr(name))


def _reason(site: Path, page: Path, link: str) -> str:
    """Why the link leads nowhere; empty if it leads somewhere."""
    parts = urlsplit(link)
    if parts.scheme in ("http", "https"):
        return "" if parts.hostname and "." in parts.hostname and " " not in link else "no whole address"
    if parts.scheme in ("data", "mailto"):
        return ""
    if parts.scheme or parts.netloc or parts.path.startswith("/"):
        return "neither an address nor a path from this page"
    target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
    if not target.is_file():
        return "no such file"
    if not target.is_relative_to(site):
        return "outside the site"
    if parts.fragment and target.suffix == ".html" and unquote(parts.fragment) not in _anchors(target):
        return "no such anchor"
    return ""


@cache
def _anchors(page: Path) -> set[str]:
    return {tag[name] for tag in _tags(page) for name in ("id", "name") if tag.has_attr(name)}


@cache
def _tags(page: Path) -> list[Tag]:
    return BeautifulSoup(page.read_text(encoding="utf-8"), "html.parser").select("[href], [src], [id], [name]")


if __name__ == "__main__":
    (folder,) = map(Path, sys.argv[1:])
    if not (folder / "index.html").is_file():
        sys.exit(f"{folder}: expected a built site, but it has no index.html; write sphinx docs {folder} first")
    broken = list(broken_links(folder))
    print(*broken, sep="\n", end="\n" if broken else "")
    sys.exit(f"{len(broken)} links lead nowhere" if broken else 0)
