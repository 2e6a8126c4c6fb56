"""A checkpoint is read as it was written, or refused: another's, a damaged one, no checkpoint at all."""

import enum
import io
import pickle
import re
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from tiny_knn import TINY, differences, files

import structpred as sp
from tasks.common.results import plain
from tasks.common.settings import Scale
from tasks.knn.checkpoint import Checkpoint
from tasks.knn.config import Loss, Run

RUN = Run(TINY, 3, Scale.LEARNED, 7)
STATE = {
    "embedding": {"0.weight": torch.arange(600.0), "1.count": torch.tensor(3)},
    "optimizer": {"state": {0: {"step": torch.tensor(2.0)}}, "param_groups": [{"lr": 0.1, "betas": (0.9, 0.99)}]},
    "best": None,
    "steps": 3,
    "epochs": [{"number": 1, "measures": {"loss": 1 / 3}, "held_out": None}],
}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "knn.pt"


def saved(content: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def content(**changes: Any) -> dict[str, Any]:
    """What a checkpoint's file holds."""
    return {"format": 1, "run": plain(RUN), "state": STATE} | changes


def test_what_is_saved_is_loaded(path: Path) -> None:
    Checkpoint(RUN, STATE).save(path)
    for checkpoint in (Checkpoint.load(path), Checkpoint.resume(path, RUN)):
        assert checkpoint.run == RUN
        assert differences(checkpoint.state, STATE) == []
    assert files(path.parent) == ["knn.pt"]


def test_each_save_takes_the_place_of_the_one_before(path: Path) -> None:
    Checkpoint(RUN, STATE | {"steps": 1}).save(path)
    content = path.read_bytes()
    with path.open("rb") as reader:
        Checkpoint(RUN, STATE | {"steps": 2}).save(path)
        assert reader.read() == content  # in one move: whoever reads has the one or the other
    assert Checkpoint.load(path).state["steps"] == 2
    assert files(path.parent) == ["knn.pt"]


def test_what_a_kill_left_half_written_goes_with_the_next_save(path: Path) -> None:
    (path.parent / ".knn.pt.unfinished").write_bytes(b"half" * 10_000)
    Checkpoint(RUN, STATE).save(path)
    assert differences(Checkpoint.load(path).state, STATE) == []
    assert files(path.parent) == ["knn.pt"]


def test_without_a_file_there_is_nothing_to_resume_but_an_error_to_load(path: Path) -> None:
    assert Checkpoint.resume(path, RUN) is None
    with pytest.raises(sp.ArgumentError) as caught:
        Checkpoint.load(path)
    assert str(caught.value) == (
        f"checkpoint: expected a file that can be read, got {str(path)!r} (No such file or directory); "
        "write one with the train command, or name another with --checkpoint"
    )


def test_a_folder_is_no_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(
        sp.ArgumentError, match=r"^checkpoint: expected a file that can be read, got .*\(Is a directory\)"
    ):
        Checkpoint.load(tmp_path)


# Another run's.

OTHERS = [
    (Run(TINY, 4, Scale.LEARNED, 7), ["k is 4 there and 3 here"]),
    (Run(TINY, 3, Scale.ONE, 8), ["scale is one there and learned here", "seed is 8 there and 7 here"]),
    (
        Run(attrs.evolve(TINY, epsilon=-0.25, loss=Loss.MATCH, initial_scale=2.0), 3, Scale.LEARNED, 7),
        [
            "loss is match there and distance here",
            "epsilon is -0.25 there and -0.5 here",
            "initial_scale is 2.0 there and None here",
        ],
    ),
]


@pytest.mark.parametrize(("other", "differing"), OTHERS)
def test_another_runs_checkpoint_is_refused_with_each_field_that_differs(
    other: Run, differing: list[str], path: Path
) -> None:
    Checkpoint(other, STATE).save(path)
    before = path.read_bytes()
    with pytest.raises(sp.ArgumentError) as caught:
        Checkpoint.resume(path, RUN)
    assert str(caught.value) == (
        f"checkpoint: expected one of this run in {str(path)!r}, got another's ({'; '.join(differing)}); "
        "delete it, or name another with --checkpoint"
    )
    assert path.read_bytes() == before
    assert Checkpoint.load(path).run == other


def another(value: Any) -> Any:
    """A value that the field of a training could have too."""
    match value:
        case enum.Enum():
            return next(member for member in type(value) if member is not value)
        case bool():
            return not value
        case int():
            return value + 1
        case float():
            return 1.5 * value
    return 2.0


@pytest.mark.parametrize("name", [field.name for field in attrs.fields(type(TINY))])
def test_no_field_of_a_training_may_differ(name: str, path: Path) -> None:
    other = attrs.evolve(TINY, **{name: another(getattr(TINY, name))})
    Checkpoint(attrs.evolve(RUN, training=other), STATE).save(path)
    there, here = plain(other)[name], plain(TINY)[name]
    with pytest.raises(sp.ArgumentError, match=re.escape(f"got another's ({name} is {there} there and {here} here);")):
        Checkpoint.resume(path, RUN)


# Damaged.


def refused(path: Path, content: bytes) -> str:
    """The message, of a file that stays as it is."""
    path.write_bytes(content)
    with pytest.raises(sp.ArgumentError) as caught:
        Checkpoint.resume(path, RUN)
    message = str(caught.value)
    assert message.startswith(f"checkpoint: expected a checkpoint of this experiment, got {str(path)!r} (")
    assert message.endswith("); delete it, or name another with --checkpoint")
    assert "\n" not in message
    assert path.read_bytes() == content
    return message


def test_a_file_cut_anywhere_is_refused(path: Path) -> None:
    whole = saved(content())
    for length in (*range(0, len(whole), 97), len(whole) - 1):
        refused(path, whole[:length])


def test_no_changed_byte_changes_what_is_loaded(path: Path) -> None:
    whole = bytearray(saved(content()))
    named = same = 0
    for position in range(0, len(whole), 23):
        whole[position] ^= 0x10
        path.write_bytes(whole)
        whole[position] ^= 0x10
        try:
            checkpoint = Checkpoint.load(path)
        except sp.ArgumentError:
            named += 1
            continue
        assert (checkpoint.run, differences(checkpoint.state, STATE)) == (RUN, [])  # a byte that says nothing
        same += 1
    assert named > 2 * same


def test_a_damaged_weight_is_told_as_damage(path: Path) -> None:
    whole = bytearray(saved(content()))
    whole[whole.index(torch.arange(600.0).numpy().tobytes()) + 1203] ^= 1
    assert "in it is damaged" in refused(path, bytes(whole))


def test_what_is_missing_or_of_another_type_is_named(path: Path) -> None:
    assert "(it has no 'state')" in refused(path, saved({"format": 1, "run": plain(RUN)}))
    assert "(run.k: expected an integer, got None)" in refused(path, saved(content(run=plain(RUN) | {"k": None})))


NO_CHECKPOINTS = {
    "empty": b"",
    "text": b"some text\n" * 100,
    "zeros": bytes(3000),
    "a pickle": pickle.dumps(content()),
    "a zip of something else": None,
    "a tensor": saved(torch.zeros(3)),
    "a list": saved([1, 2]),
    "no format": saved({"run": plain(RUN), "state": STATE}),
    "no run": saved({"format": 1, "state": STATE}),
    "no state": saved({"format": 1, "run": plain(RUN)}),
    "a run of another kind": saved(content(run=[1, 2])),
    "a field less": saved(content(run={"training": plain(TINY), "k": 3, "scale": "one"})),
    "a training of another kind": saved(content(run=plain(RUN) | {"training": {"epochs": 3}})),
    "a field more in the training": saved(content(run=plain(RUN) | {"training": plain(TINY) | {"more": 1}})),
    "a value that cannot be": saved(content(run=plain(RUN) | {"k": -1})),
    "the form of old": saved(content(), _use_new_zipfile_serialization=False),
}


@pytest.mark.filterwarnings("ignore:Using a non-tuple")  # torch's, as it looks for the format in a tensor
@pytest.mark.parametrize("name", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_refused(name: str, path: Path) -> None:
    content = NO_CHECKPOINTS[name]
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("folder/file", "content")
        content = path.read_bytes()
    refused(path, content)


def test_another_format_is_named(path: Path) -> None:
    assert "(its format is 2, not 1)" in refused(path, saved(content(format=2)))


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_file_is_refused_and_not_executed(path: Path) -> None:
    sprung = path.with_name("sprung")
    trap = Trap(sprung)
    for bait in (saved(content(state=trap)), saved(trap), saved(content(run=trap)), pickle.dumps(trap)):
        message = refused(path, bait)
        assert "holds more than numbers and words" in message or "not a zip file" in message
        assert not sprung.exists()
    pickle.loads(pickle.dumps(trap))  # the trap does work
    assert sprung.exists()


# Where it cannot be written.


def test_a_folder_in_its_place_or_a_file_on_the_way_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("kept")
    (tmp_path / "folder").mkdir()
    for path, reason in (
        (tmp_path / "folder", "Is a directory"),
        (tmp_path / "file" / "knn.pt", f"there is no folder {str(tmp_path / 'file')!r}"),
    ):
        with pytest.raises(sp.ArgumentError) as caught:
            Checkpoint(RUN, STATE).save(path)
        assert str(caught.value) == (
            f"checkpoint: expected a file that can be written, got {str(path)!r} ({reason}); "
            "name another with --checkpoint"
        )
    assert files(tmp_path) == ["file"]
    assert (tmp_path / "file").read_text() == "kept"


def test_a_full_disk_keeps_the_checkpoint_of_before_byte_for_byte(path: Path, small_disk: Callable) -> None:
    Checkpoint(RUN, STATE).save(path)
    before = path.read_bytes()
    assert 3000 < len(before) < 6000
    with (
        small_disk(6000),
        pytest.raises(sp.ArgumentError, match=r"^checkpoint: expected a file that can be written.*\(File too large\)"),
    ):
        Checkpoint(RUN, STATE | {"embedding": {"0.weight": torch.zeros(5000)}}).save(path)
    assert path.read_bytes() == before
    assert files(path.parent) == ["knn.pt"]
    assert differences(Checkpoint.load(path).state, STATE) == []


def test_a_full_disk_leaves_no_half_of_a_first_checkpoint(path: Path, small_disk: Callable) -> None:
    with small_disk(), pytest.raises(sp.ArgumentError, match=r"^checkpoint: expected a file that can be written"):
        Checkpoint(RUN, {"weight": torch.zeros(5000)}).save(path)
    assert files(path.parent) == []
