"""A checkpoint is read as it was written, or refused: another's, a damaged one, no checkpoint at all."""

import io
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch

import structpred as sp
from tasks.common.checkpoint import Checkpoint, checkpoint_beside, on_cpu
from tasks.common.settings import Scale
from tasks.common.structure import plain


@attrs.frozen
class Training:
    epochs: int
    epsilon: float | None


@attrs.frozen
class Run:
    training: Training
    scale: Scale
    seed: int = attrs.field(validator=attrs.validators.ge(0))


RUN = Run(Training(epochs=3, epsilon=-0.5), Scale.LEARNED, 7)
WEIGHTS = torch.arange(600.0)
STATE = {"weights": WEIGHTS, "optimizer": {0: [0.1, (0.9, 0.99)]}, "best": None, "steps": 3}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "model.pt"


def saved(content: Any, **how: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file, **how)
    return file.getvalue()


def content(**changes: Any) -> dict[str, Any]:
    """What a checkpoint's file holds."""
    return {"format": 1, "run": plain(RUN), "state": STATE} | changes


def assert_as_saved(checkpoint: Checkpoint) -> None:
    rest = {name: value for name, value in checkpoint.state.items() if name != "weights"}
    assert (checkpoint.run, rest) == (RUN, {name: STATE[name] for name in rest})
    assert torch.equal(checkpoint.state["weights"], WEIGHTS)


def test_what_is_saved_is_loaded_whatever_a_kill_left_half_written(path: Path) -> None:
    (path.parent / ".model.pt.unfinished").write_bytes(b"half" * 10_000)
    Checkpoint(RUN, STATE | {"steps": 1}).save(path)
    Checkpoint(RUN, STATE).save(path)
    for checkpoint in (Checkpoint.load(path, Run), Checkpoint.resume(path, RUN)):
        assert_as_saved(checkpoint)
    assert list(path.parent.iterdir()) == [path]


def test_without_a_file_there_is_nothing_to_resume_but_an_error_to_load(path: Path) -> None:
    assert Checkpoint.resume(path, RUN) is None
    for absent, why in ((path, "No such file or directory"), (path.parent, "Is a directory")):
        with pytest.raises(sp.ArgumentError) as caught:
            Checkpoint.load(absent, Run)
        assert str(caught.value) == (
            f"checkpoint: expected a file that can be read, got {str(absent)!r} ({why}); "
            "write one with the train command, or name another with --checkpoint"
        )


def test_another_runs_checkpoint_is_refused_with_each_field_that_differs(path: Path) -> None:
    other = Run(Training(epochs=3, epsilon=-0.25), Scale.ONE, 7)
    Checkpoint(other, STATE).save(path)
    before = path.read_bytes()
    with pytest.raises(sp.ArgumentError) as caught:
        Checkpoint.resume(path, RUN)
    assert str(caught.value) == (
        f"checkpoint: expected one of this run in {str(path)!r}, got another's "
        "(epsilon is -0.25 there and -0.5 here; scale is one there and learned here); "
        "delete it, or name another with --checkpoint"
    )
    assert path.read_bytes() == before


def test_each_run_has_a_checkpoint_of_its_own_beside_the_results() -> None:
    others = [attrs.evolve(RUN, seed=8), attrs.evolve(RUN, training=Training(4, None))]
    names = [checkpoint_beside(Path("folder/results.jsonl"), run) for run in (RUN, attrs.evolve(RUN), *others)]
    assert names[0] == names[1]
    assert len(set(names)) == 3
    assert all(name.parent == Path("folder") and name.name.startswith("results-") for name in names)


def test_a_state_on_the_cpu_is_a_copy_that_knows_of_no_gradient() -> None:
    weight = torch.ones(2, requires_grad=True)
    copy = on_cpu({"a": [weight, None], "b": 3})
    with torch.no_grad():
        weight.zero_()
    assert copy["a"][0].tolist() == [1, 1]
    assert not copy["a"][0].requires_grad
    assert (copy["a"][1], copy["b"]) == (None, 3)


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


def test_no_changed_byte_changes_what_is_loaded(path: Path) -> None:
    whole = bytearray(saved(content()))
    for position in range(0, len(whole), 67):
        whole[position] ^= 0x10
        path.write_bytes(whole)
        whole[position] ^= 0x10
        try:
            assert_as_saved(Checkpoint.load(path, Run))  # a byte that says nothing
        except sp.ArgumentError:
            continue
    whole[whole.index(WEIGHTS.numpy().tobytes()) + 1203] ^= 1
    assert "in it is damaged" in refused(path, bytes(whole))


NO_CHECKPOINTS = {
    "empty": (b"", "not a zip file"),
    "a pickle": (pickle.dumps(content()), "not a zip file"),
    "no state": (saved({"format": 1, "run": plain(RUN)}), "(it has no 'state')"),
    "another format": (saved(content(format=2)), "(its format is 2, not 1)"),
    "a run of another kind": (saved(content(run=[1, 2])), "(run: expected an object, got [1, 2])"),
    "a field less": (saved(content(run=plain(RUN) | {"training": {"epochs": 3}})), "(run.training.epsilon: expected a"),
    "a value that cannot be": (saved(content(run=plain(RUN) | {"seed": -1})), "'seed' must be >= 0: -1"),
    "the form of old": (saved(content(), _use_new_zipfile_serialization=False), "not a zip file"),
}


@pytest.mark.parametrize("name", NO_CHECKPOINTS)
def test_what_is_no_checkpoint_is_refused_and_named(name: str, path: Path) -> None:
    content, told = NO_CHECKPOINTS[name]
    assert told in refused(path, content)


class Trap:
    """Makes a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_code_in_a_file_is_refused_and_not_executed(path: Path) -> None:
    sprung = path.with_name("sprung")
    assert "holds more than numbers and words" in refused(path, saved(content(state=Trap(sprung))))
    assert not sprung.exists()
    pickle.loads(pickle.dumps(Trap(sprung)))  # the trap does work
    assert sprung.exists()


def test_a_full_disk_keeps_the_checkpoint_of_before_byte_for_byte(path: Path, small_disk: Callable) -> None:
    Checkpoint(RUN, STATE).save(path)
    before = path.read_bytes()
    refused = r"^checkpoint: expected a file that can be written.*\(File too large\)"
    with small_disk(), pytest.raises(sp.ArgumentError, match=refused):
        Checkpoint(RUN, STATE | {"weights": torch.zeros(5000)}).save(path)
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]
