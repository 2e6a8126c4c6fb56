"""What a command cannot do it says in one line, with status 2, before it trains; no file comes of it."""

import functools
import hashlib
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest
import torch
from tiny_knn import CPU, FINISHED, OPTIONS, TINY, data, files, run, trained, trainer_of

from tasks.common.files import exclusive
from tasks.common.settings import Scale
from tasks.knn import experiment, picture
from tasks.knn.checkpoint import Checkpoint
from tasks.knn.commands import parse
from tasks.knn.config import Run
from tasks.knn.train import Trainer

Refused = Callable[..., str]
TRAIN = ["train", *OPTIONS]
TABLE = ["table", *OPTIONS, "--ks", "3", "--repetitions", "1"]


@pytest.fixture(autouse=True)
def loaded(monkeypatch: pytest.MonkeyPatch) -> list[tuple[object, ...]]:
    """What was asked of ``load``; the images are tiny."""
    asked = []

    def load(*arguments: object) -> object:
        asked.append(arguments)
        return data()

    monkeypatch.setattr(experiment, "load", load)
    monkeypatch.setattr(picture, "load", load)
    return asked


@pytest.fixture
def refused(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refused:
    """Runs a command in an own folder; the one line that it says, of a run that left the files as they were."""
    monkeypatch.chdir(tmp_path)

    def run_refused(*arguments: object) -> str:
        before = {name: Path(name).read_bytes() for name in files(tmp_path)}
        status, printed = run(arguments, capsys, monkeypatch)
        assert status == 2
        *progress, line = (line.rstrip() for line in printed.splitlines() if line.strip())
        assert line.startswith("error: ")
        assert not [line for line in progress if "error" in line]
        assert {name: Path(name).read_bytes() for name in files(tmp_path)} == before
        return line.removeprefix("error: ")

    return run_refused


@pytest.mark.parametrize("k", [20, 21, 60])
def test_more_neighbours_than_there_can_be(k: int, refused: Refused, loaded: list) -> None:
    expected = f"k: expected less than candidates = 20, got {k}"
    assert refused(*TRAIN, "--k", k) == refused(*TABLE, "--ks", 3, k) == expected
    assert loaded == []


def test_more_candidates_or_queries_than_training_images(refused: Refused) -> None:
    for name in ("candidates", "queries"):
        for command in (TRAIN, TABLE):
            message = refused(*command, f"--{name}", 61)
            assert message == f"{name}: expected at most 60, the training images, got 61"


def test_more_images_held_out_than_there_are(refused: Refused) -> None:
    for command in (TRAIN, TABLE):
        assert refused(*command, "--held-out", 80) == "held_out: expected less than 80, all training images, got 80"


@pytest.mark.parametrize("command", [TRAIN, TABLE, ["evaluate"], ["picture"]], ids=lambda command: command[0])
@pytest.mark.parametrize(
    "name",
    ["tpu", "meta", pytest.param("cuda", marks=pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU"))],
)
def test_a_device_that_is_not_there(name: str, command: list[str], refused: Refused, loaded: list) -> None:
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), FINISHED).save(Path("results/knn.pt"))
    message = refused(*command, "--device", name)
    assert message.startswith(f"device: expected cpu, or cuda where there is a GPU, got {name!r} (")
    assert message.endswith("); write for example --device cpu")
    assert loaded == []


# Files that are not there, or not what they should be.


@pytest.fixture
def really_load(monkeypatch: pytest.MonkeyPatch) -> None:
    from tasks.knn.data import load

    monkeypatch.setattr(experiment, "load", load)
    monkeypatch.setattr(picture, "load", load)


@pytest.mark.usefixtures("really_load")
@pytest.mark.parametrize("command", [TRAIN, TABLE, ["evaluate"], ["picture"]], ids=lambda command: command[0])
def test_a_root_without_the_set(command: list[str], refused: Refused) -> None:
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), FINISHED).save(Path("results/knn.pt"))
    options = ["--checkpoint", "new.pt"] if command is TRAIN else []
    assert refused(*command, *options, "--device", "cpu", "--data-dir", "root") == (
        "data_dir: expected mnist in 'root/MNIST/raw', found no such folder; add --download to fetch it, "
        "or name a root that has it with --data-dir"
    )


@pytest.mark.usefixtures("really_load")
def test_a_file_of_the_set_that_is_cut_or_missing(refused: Refused) -> None:
    folder = Path("root/MNIST/raw")
    folder.mkdir(parents=True)
    instead = "the mnist files are damaged or incomplete: delete the folder 'root/MNIST/raw' and add --download"
    checksum = "6bbc9ace898e44ae57da46a324031adb"
    expected = f"data_dir: expected 'root/MNIST/raw/train-images-idx3-ubyte' with the MD5 {checksum}, got"
    assert refused(*TRAIN, "--data-dir", "root") == f"{expected} No such file or directory; {instead}"
    start = b"\0\0\x08\x03\0\0\xea\x60"  # of the true file
    (folder / "train-images-idx3-ubyte").write_bytes(start)
    assert refused(*TRAIN, "--data-dir", "root") == f"{expected} {hashlib.md5(start).hexdigest()}; {instead}"


def test_the_checkpoint_of_another_training(refused: Refused, loaded: list) -> None:
    trainer = trainer_of()
    Checkpoint(trainer.run, trainer.state()).save(Path("knn.pt"))
    message = refused(*TRAIN, "--checkpoint", "knn.pt", "--k", 4, "--seed", 5, "--epsilon-factor", 1.5)
    assert message.startswith("checkpoint: expected one of this run in 'knn.pt', got another's (")
    for difference in (
        "k is 3 there and 4 here",
        "seed is 0 there and 5 here",
        "epsilon_factor is 1.1 there and 1.5 here",
        "epochs is 3 there and 2 here",
    ):
        assert difference in message
    assert message.endswith("); delete it, or name another with --checkpoint")


@pytest.mark.parametrize("command", [TRAIN, ["evaluate"], ["picture"]], ids=lambda command: command[0])
def test_a_damaged_checkpoint(command: list[str], refused: Refused) -> None:
    for content in (b"", b"something else\n"):
        Path("knn.pt").write_bytes(content)
        assert refused(*command, "--checkpoint", "knn.pt") == (
            "checkpoint: expected a checkpoint of this experiment, got 'knn.pt' (File is not a zip file); "
            "delete it, or name another with --checkpoint"
        )


@functools.cache
def finished() -> Trainer:
    """What TRAIN trains."""
    return trained(Trainer(Run(parse(TRAIN).training, 5, Scale.LEARNED, 0), *data().hold_out(20), CPU))


@pytest.mark.parametrize("command", [TRAIN, ["evaluate"], ["picture"]], ids=lambda command: command[0])
@pytest.mark.parametrize("part", ["embedding", "best"])
def test_a_checkpoint_without_a_part_of_its_state(command: list[str], part: str, refused: Refused) -> None:
    trainer = finished()
    state = trainer.state()
    del state[part]
    Checkpoint(trainer.run, state).save(Path("knn.pt"))
    assert refused(*command, "--checkpoint", "knn.pt", *([] if command is TRAIN else ["--device", "cpu"])) == (
        f"checkpoint: expected a checkpoint of this experiment, got 'knn.pt' (it has no '{part}'); "
        "delete it, or name another with --checkpoint"
    )


def test_a_checkpoint_whose_epochs_are_damaged(refused: Refused, loaded: list) -> None:
    measures = FINISHED["epochs"][1]["measures"] | {"loss": None}
    epochs = [*FINISHED["epochs"][:1], FINISHED["epochs"][1] | {"measures": measures}]
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), {"epochs": epochs}).save(Path("knn.pt"))
    message = refused("evaluate", "--checkpoint", "knn.pt")
    assert "got 'knn.pt' (epochs[1].measures.loss: expected a finite number, got None)" in message
    assert loaded == []


def test_weights_of_another_shape(refused: Refused) -> None:
    trainer = finished()
    state = trainer.state()
    state["embedding"]["1.0.weight"] = torch.zeros(2)
    Checkpoint(trainer.run, state).save(Path("knn.pt"))
    assert "got 'knn.pt' (Error(s) in loading" in refused("evaluate", "--checkpoint", "knn.pt", "--device", "cpu")


@pytest.mark.parametrize(("command", "option"), [(TRAIN, "checkpoint"), (TABLE, "results"), (["evaluate"], "results")])
def test_a_file_that_another_process_writes(command: list[str], option: str, refused: Refused, loaded: list) -> None:
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), FINISHED).save(Path("results/knn.pt"))
    with exclusive(Path("taken"), option):
        message = refused(*command, f"--{option}", "taken")
    assert message == (
        f"{option}: expected a file that no other process writes, got 'taken', which one does; "
        f"wait until it ends, or name another with --{option}"
    )
    assert loaded == []


@pytest.mark.parametrize("command", ["evaluate", "picture"])
def test_a_checkpoint_that_is_not_there(command: str, refused: Refused, loaded: list) -> None:
    assert refused(command, "--checkpoint", "knn.pt") == (
        "checkpoint: expected a file that can be read, got 'knn.pt' (No such file or directory); "
        "write one with the train command, or name another with --checkpoint"
    )
    assert loaded == []


def test_to_evaluate_a_training_that_is_not_finished(refused: Refused, loaded: list) -> None:
    trainer = trainer_of()
    for _ in range(4):
        trainer.step()
    Checkpoint(trainer.run, trainer.state()).save(Path("knn.pt"))
    assert refused("evaluate", "--checkpoint", "knn.pt") == (
        "checkpoint: expected a finished training, got one of 1 of 3 epochs in 'knn.pt'; "
        "finish it with the train command"
    )
    assert loaded == []


def test_a_picture_of_a_training_without_held_out_images(refused: Refused, loaded: list) -> None:
    Checkpoint(Run(attrs.evolve(TINY, held_out=0), 3, Scale.ONE, 0), {}).save(Path("knn.pt"))
    assert refused("picture", "--checkpoint", "knn.pt") == (
        "checkpoint: expected a training with held-out images, to draw them, got one without in 'knn.pt'; "
        "train with --held-out 1 or more, or name another with --checkpoint"
    )
    assert loaded == []


@pytest.mark.parametrize(
    ("command", "option"),
    [(TRAIN, "checkpoint"), (TABLE, "results"), (["evaluate"], "results"), (["picture"], "output")],
)
def test_a_path_that_cannot_be_written(command: list[str], option: str, refused: Refused, loaded: list) -> None:
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), FINISHED).save(Path("results/knn.pt"))
    Path("file").write_text("kept")
    Path("folder").mkdir()
    for path in ("file/below", "folder", "mistyped/file", "/dev/full"):
        message = refused(*command, f"--{option}", path)
        assert message.startswith(f"{option}: expected a file that can be written, got {path!r} (")
        assert message.endswith(f"); name another with --{option}")
    assert loaded == []


def test_a_results_file_that_is_damaged(refused: Refused, loaded: list) -> None:
    Checkpoint(Run(TINY, 3, Scale.ONE, 0), FINISHED).save(Path("results/knn.pt"))
    for content in ("damaged\n", '{"run": {}, "test": null}\n', '{"name": "a JSON file"}'):
        Path("results.jsonl").write_text(content)
        for command in (TABLE, ["evaluate"]):
            message = refused(*command, "--results", "results.jsonl")
            assert message.startswith("results: expected a JSON line of this experiment, got another in line 1 of")
    message = refused("evaluate", "--results", "results/knn.pt")  # the checkpoint itself
    assert message.startswith("results: expected a JSON line of this experiment, got another in line 1 of")
    assert loaded == []


def test_a_training_that_diverges_is_stopped(refused: Refused) -> None:
    assert "NaN" in refused(*TRAIN, "--rate", "1e30")
