"""Downloads: made when asked for and needed, and told in words when they fail; no network is used."""

import errno
import shutil
from collections.abc import Callable
from http.client import IncompleteRead
from pathlib import Path
from urllib.error import URLError

import attrs
import pytest
import torchvision
from small_sets import FORMS, OTHER_BYTES, PICKLES, Form, Trust, all_forms, assert_same, truncated

import structpred as sp
from tasks.knn.data import load

all_that_can_be_fetched = pytest.mark.parametrize(
    "form", [FORMS[name] for name in ("mnist", "fashion", "pickles")], ids=["mnist", "fashion", "pickles"]
)


def replace_downloads(monkeypatch: pytest.MonkeyPatch, fetch: Callable[..., None]) -> None:
    for module in (torchvision.datasets.mnist, torchvision.datasets.cifar):
        monkeypatch.setattr(module, "download_and_extract_archive", fetch)


@attrs.frozen
class FarAway:
    """Where downloads come from."""

    root: Path
    asked: list[str] = attrs.field(factory=list)
    """The archives fetched so far."""

    def fetch(self, url: str, download_root: str, filename: str, md5: str) -> None:
        self.asked.append(filename)
        if filename == "cifar-10-python.tar.gz":
            shutil.copytree(self.root / PICKLES.folder, Path(download_root, PICKLES.folder), dirs_exist_ok=True)
        else:
            name, folder = filename.removesuffix(".gz"), Path(*Path(download_root).parts[-2:])
            shutil.copy(self.root / folder / name, download_root)


@pytest.fixture
def far_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FarAway:
    far = FarAway(tmp_path / "far")
    replace_downloads(monkeypatch, far.fetch)
    return far


@all_that_can_be_fetched
def test_a_set_that_is_not_there_is_fetched_whole_and_read(
    form: Form, tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    written = form.fill(far_away.root)
    trust(far_away.root)
    root = tmp_path / "new" / "root"
    assert_same(load(form.dataset, root, download=True), written)
    archives = [f"{path.name}.gz" for path in form.files(far_away.root)]
    assert sorted(far_away.asked) == (["cifar-10-python.tar.gz"] if form is PICKLES else archives)
    far_away.asked.clear()
    for download in (False, True):
        assert_same(load(form.dataset, root, download), written)
    assert far_away.asked == []


@all_that_can_be_fetched
def test_a_download_that_was_cut_short_is_made_again(
    form: Form, tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    written = form.fill(far_away.root)
    trust(far_away.root)
    form.fill(tmp_path)
    first, second, *_ = form.files(tmp_path)
    truncated(first)
    second.unlink()
    assert_same(load(form.dataset, tmp_path, download=True), written)


@pytest.mark.parametrize("damage", OTHER_BYTES)
@all_forms
def test_what_is_damaged_is_not_deleted_by_a_download_but_refused_as_without(
    form: Form, damage: Callable[[Path], str], tmp_path: Path, trust: Trust, far_away: FarAway
) -> None:
    form.fill(tmp_path)
    trust(tmp_path)
    damaged = form.files(tmp_path)[-1]
    damage(damaged)
    content = damaged.read_bytes()
    refusals = []
    for download in (False, True):
        with pytest.raises(sp.ArgumentError, match=r"^data_dir: .* with the MD5 .* add --download$") as refused:
            load(form.dataset, tmp_path, download)
        refusals.append(str(refused.value))
    assert refusals[0] == refusals[1]
    assert far_away.asked == []
    assert damaged.read_bytes() == content


FAILURES = [
    URLError("no route to host"),
    IncompleteRead(b"half"),
    RuntimeError("Error downloading:\nTried one mirror, got:\nnothing\n"),
    OSError(errno.ENOSPC, "No space left on device"),
    EOFError("Compressed file ended before the end-of-stream marker was reached"),
]


@pytest.mark.parametrize("failure", FAILURES, ids=lambda failure: type(failure).__name__)
@all_that_can_be_fetched
def test_a_download_that_fails_is_told_with_its_reason_and_what_to_do(
    form: Form, failure: Exception, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise failure

    replace_downloads(monkeypatch, fail)
    with pytest.raises(sp.ArgumentError) as refused:
        load(form.dataset, tmp_path, download=True)
    told = str(refused.value)
    assert told.startswith(f"download: expected to fetch {form.dataset.value} into {str(tmp_path)!r}, which failed (")
    assert " ".join(str(failure).split()) in told
    assert "\n" not in told
    assert told.endswith("free space there or repair the connection, or name a root that has the set with --data-dir")
