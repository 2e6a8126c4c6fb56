"""How a command is parsed and how it ends: its exit status, and one line about it."""

import importlib
import os
from collections.abc import Callable

import attrs
import pytest
from rich.console import Console

import structpred as sp
from tasks.common import cli
from tasks.knn.__main__ import main as knn
from tasks.sorting.__main__ import main as sorting

TASKS = ["tasks.sorting", "tasks.knn"]


def end(error: BaseException | None, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """The exit status of a command that ends so, and what is printed."""

    @attrs.frozen
    class Command:
        """Ends as told."""

        def run(self, _: Console) -> None:
            if error:
                raise error

    return cli.main(Command, "tasks.sorting", []), capsys.readouterr().out


ENDS = [
    (None, (0, "")),
    (ValueError("seed: expected 3, got 'x'"), (2, "error: seed: expected 3, got 'x'\n")),
    (sp.ArgumentError("got " + "long/" * 50 + "[/of]"), (2, "error: got " + "long/" * 50 + "[/of]\n")),
    (sp.MissingExtraError("write this"), (2, "error: write this\n")),
    (KeyboardInterrupt(), (130, "stopped; the same command goes on from what its files hold\n")),
]


@pytest.mark.parametrize(("error", "ended"), ENDS, ids=lambda value: type(value).__name__)
def test_a_command_ends_with_a_status_and_at_most_one_line(
    error: BaseException | None, ended: tuple[int, str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert end(error, capsys) == ended


@pytest.mark.parametrize("main", [sorting, knn], ids=TASKS)
def test_a_closed_pipe_ends_a_command_without_a_word(
    main: Callable[[list[str]], int], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """As in ``table --help | head``: the help is longer than the pipe's reader."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", buffering=1) as pipe:
        monkeypatch.setattr("sys.stdout", pipe)
        assert main(["table", "--help"]) == 1
        pipe.write("what is still printed goes nowhere")
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("task", "package"), [("tasks.sorting", "rich"), ("tasks.knn", "tyro"), ("tasks.knn", "torchvision")]
)
def test_a_missing_extra_is_named(task: str, package: str, without: Callable[[str], None]) -> None:
    without(package)
    with pytest.raises(sp.MissingExtraError) as caught:
        importlib.import_module(f"{task}.__main__")
    assert str(caught.value) == f"{task} needs {package}; write pip install '.[tasks]' in the checkout"


@pytest.mark.parametrize(("task", "command"), list(zip(TASKS, ["figure", "picture"], strict=True)))
def test_a_picture_without_matplotlib_names_the_extra(
    task: str, command: str, without: Callable[[str], None], capsys: pytest.CaptureFixture[str]
) -> None:
    without("matplotlib")
    assert importlib.import_module(f"{task}.__main__").main([command]) == 2
    told = f"error: {task} needs matplotlib; write pip install '.[tasks]' in the checkout\n"
    assert capsys.readouterr().out == told
