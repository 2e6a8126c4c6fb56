"""How a command ends: its exit status, and one line about it."""

import io

import pytest
from rich.console import Console

import structpred as sp
from tasks.common.run import exit_status


def end(error: BaseException | None) -> tuple[int, str]:
    """The exit status of a command that ends so, and what is printed."""
    printed = io.StringIO()

    def command() -> None:
        if error:
            raise error

    return exit_status(command, Console(file=printed, width=80), if_stopped="stopped; go on"), printed.getvalue()


def test_a_command_that_ends_well_gives_0_and_nothing_is_said() -> None:
    assert end(None) == (0, "")


@pytest.mark.parametrize("kind", [ValueError, sp.ArgumentError])
def test_bad_input_gives_2_and_its_message(kind: type[ValueError]) -> None:
    assert end(kind("seed: expected 3, got 'x'")) == (2, "error: seed: expected 3, got 'x'\n")


def test_a_message_is_one_line_as_it_is_whatever_its_length_and_brackets() -> None:
    path = "/a folder/" + "with-a-long-name/" * 20 + "[/of] [red]results.jsonl"
    assert end(sp.ArgumentError(f"got {path}")) == (2, f"error: got {path}\n")


def test_a_stopped_command_gives_130_and_says_how_to_go_on() -> None:
    assert end(KeyboardInterrupt()) == (130, "stopped; go on\n")


@pytest.mark.parametrize("error", [RuntimeError("a defect"), TypeError("a defect"), sp.MissingExtraError("no extra")])
def test_any_other_error_comes_out_with_its_traceback(error: Exception) -> None:
    with pytest.raises(type(error), match=str(error)):
        end(error)
