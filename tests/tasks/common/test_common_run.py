"""How a command ends: its exit status, and one line about it."""

import io
import os
from collections.abc import Callable

import pytest
from rich.console import Console

import structpred as sp
from tasks.common.run import exit_status
from tasks.knn.__main__ import main as knn
from tasks.sorting.__main__ import main as sorting


def end(error: BaseException | None) -> tuple[int, str]:
    """The exit status of a command that ends so, and what is printed."""
    printed = io.StringIO()

    def command() -> None:
        if error:
            raise error

    return exit_status(command, Console(file=printed, width=80), if_stopped="stopped; go on"), printed.getvalue()


def test_a_command_that_ends_well_gives_0_and_nothing_is_said() -> None:
    assert end(None) == (0, "")


@pytest.mark.parametrize("kind", [ValueError, sp.ArgumentError, sp.MissingExtraError])
def test_bad_input_or_a_missing_extra_gives_2_and_its_message(kind: type[ValueError]) -> None:
    assert end(kind("seed: expected 3, got 'x'")) == (2, "error: seed: expected 3, got 'x'\n")


def test_a_message_is_one_line_as_it_is_whatever_its_length_and_brackets() -> None:
    path = "/a folder/" + "with-a-long-name/" * 20 + "[/of] [red]results.jsonl"
    assert end(sp.ArgumentError(f"got {path}")) == (2, f"error: got {path}\n")


def test_a_stopped_command_gives_130_and_says_how_to_go_on() -> None:
    assert end(KeyboardInterrupt()) == (130, "stopped; go on\n")


@pytest.mark.parametrize("error", [RuntimeError("a defect"), TypeError("a defect")])
def test_any_other_error_comes_out_with_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        end(error)


@pytest.mark.parametrize("main", [sorting, knn], ids=["sorting", "knn"])
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
