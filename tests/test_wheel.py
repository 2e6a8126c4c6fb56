"""The wheel holds the library alone, whole and typed; the source archive holds what a checkout does."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-d", folder]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    return folder


def test_the_wheel_holds_the_library_alone_and_all_of_it(built):
    (wheel,) = built.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    library = {
        str(path.relative_to(ROOT)) for path in (ROOT / "structpred").rglob("*") if path.suffix in {".py", ".typed"}
    }
    assert "structpred/py.typed" in library
    assert {name for name in names if ".dist-info/" not in name} == library
    assert {name.split("/")[0] for name in names - library} == {f"{wheel.name.split('-py3')[0]}.dist-info"}


def test_the_source_archive_holds_what_a_checkout_does(built):
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        inside = {name.split("/", 1)[1] for name in opened.getnames()}
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not in a git checkout")
    hidden = {name for name in listed.stdout.split() if name.startswith(".")}
    assert set(listed.stdout.split()) - inside - hidden == set()
