"""A file is written whole or not at all, and what cannot be written is refused in words."""

import subprocess
import sys
from pathlib import Path

import pytest

import structpred as sp
from tasks.common.files import DEFAULT_FOLDER, exclusive, require_writable, whole_file


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.pt"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_what_the_block_wrote_takes_the_place_of_the_file_when_it_ends(path: Path) -> None:
    path.write_bytes(b"before")
    with whole_file(path, "checkpoint") as unfinished:
        unfinished.write_bytes(b"after")
        assert path.read_bytes() == b"before"
    assert contents(path.parent) == {"model.pt": b"after"}


def test_the_folder_of_the_defaults_is_made_and_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with whole_file(DEFAULT_FOLDER / "model.pt", "checkpoint") as unfinished:
        unfinished.write_bytes(b"whole")
    assert contents(tmp_path) == {"results/model.pt": b"whole"}
    with pytest.raises(sp.ArgumentError, match="there is no folder 'result'"):
        require_writable(Path("result/model.pt"), "checkpoint")
    assert list(tmp_path.iterdir()) == [tmp_path / "results"]


@pytest.mark.parametrize("before", [{}, {"model.pt": b"before"}], ids=["new", "replaced"])
def test_a_block_that_fails_keeps_what_was_there_and_its_error_comes_out(path: Path, before: dict[str, bytes]) -> None:
    def fail_half_way() -> None:
        with whole_file(path, "checkpoint") as unfinished:
            unfinished.write_bytes(b"half")
            raise KeyboardInterrupt

    for name, content in before.items():
        (path.parent / name).write_bytes(content)
    with pytest.raises(KeyboardInterrupt):
        fail_half_way()
    assert contents(path.parent) == before


def test_a_path_that_cannot_be_written_is_refused_before_the_block(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"kept")
    (tmp_path / "folder").mkdir()
    refusals = {
        tmp_path / "folder": "Is a directory",
        tmp_path / "file" / "model.pt": f"there is no folder {str(tmp_path / 'file')!r}",
        tmp_path / "mistyped" / "model.pt": f"there is no folder {str(tmp_path / 'mistyped')!r}",
        Path("/dev/full"): "a device or a pipe",
        tmp_path / ("x" * 300): "File name too long",
    }
    for path, why in refusals.items():
        with pytest.raises(sp.ArgumentError) as refused, whole_file(path, "output"):
            pytest.fail("the block ran")
        assert str(refused.value) == (
            f"output: expected a file that can be written, got {str(path)!r} ({why}); name another with --output"
        )
    assert contents(tmp_path) == {"file": b"kept"}


# One process at a time.


HOLD = """
import sys
from filelock import FileLock

lock = FileLock(sys.argv[1])
lock.acquire()
print(flush=True)
sys.stdin.read()
"""


def test_another_process_is_kept_out_and_a_killed_one_keeps_nobody_out(path: Path) -> None:
    lock = path.with_name(".model.pt.lock")
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(lock)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        other.stdout.readline()  # it has the file
        with pytest.raises(sp.ArgumentError, match="no other process"), exclusive(path, "results"):
            pytest.fail("the block ran")
        other.kill()
    assert lock.exists()
    with exclusive(path, "results"):
        pass
    assert contents(path.parent) == {}
