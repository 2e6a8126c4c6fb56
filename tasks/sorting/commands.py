"""The command line: each class is a command, each field an option."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import tyro
from attrs import field, frozen, validators

from tasks.common.files import DEFAULT_FOLDER
from tasks.common.settings import Scale, at_least_one, some_at_least_one
from tasks.sorting.config import BEST, PAPER, Training

Preset = (
    Annotated[Training, tyro.conf.subcommand("best", default=BEST, description="This project's own training.")]
    | Annotated[Training, tyro.conf.subcommand("paper", default=PAPER, description="The paper's, 5.1 and C.1.")]
)


@frozen
class Train:
    """Train one repetition and say how well it sorts."""

    training: Preset = BEST
    length: int = field(default=25, validator=at_least_one)
    """How many numbers a sequence has."""
    scale: Scale = Scale.LEARNED
    """The noise: sigma = 0, sigma = 1, or learned."""
    seed: int = field(default=0, validator=validators.ge(0))
    """Fixes data, initial weights and noise."""
    results: Path = DEFAULT_FOLDER / "sorting.jsonl"
    """The file that the result is appended to."""


@frozen
class Table:
    """Run many repetitions, skipping those in the results file, and print Table 1's measures."""

    training: Preset = BEST
    lengths: tuple[int, ...] = field(default=(5, 10, 25, 40, 60, 100), validator=some_at_least_one)
    """How many numbers a sequence has."""
    scales: tuple[Scale, ...] = field(default=(Scale.LEARNED,), validator=validators.min_len(1))
    """The noise settings."""
    repetitions: int = field(default=200, validator=at_least_one)
    """How many for each length and scale."""
    first_seed: int = field(default=0, validator=validators.ge(0))
    """The seeds are this one and those after it."""
    together: int | None = field(default=None, validator=validators.optional(at_least_one))
    """How many train as one batch; by default as many as make a step worth its overhead."""
    results: Path = DEFAULT_FOLDER / "sorting.jsonl"
    """The file that results are read from and appended to."""


@frozen
class Figure:
    """Draw Figure 3: the loss, and the correct entries of y and y(eps), for both signs of epsilon."""

    training: Preset = PAPER
    lengths: tuple[int, ...] = field(default=(10, 100), validator=some_at_least_one)
    """How many numbers a sequence has."""
    epochs: int = field(default=500, validator=at_least_one)
    """How long every run trains; there is no early stop here."""
    runs: int = field(default=5, validator=at_least_one)
    """How many runs each curve is the mean of."""
    output: Path = DEFAULT_FOLDER / "sorting-figure-3.png"
    """The picture."""


Command = (
    Annotated[Train, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("train")]
    | Annotated[Table, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("table")]
    | Annotated[Figure, tyro.conf.subcommand("figure")]
)


def parse(arguments: list[str] | None = None) -> Train | Table | Figure:
    """The command that the arguments (those of the process unless given) ask for."""
    command: Train | Table | Figure = tyro.cli(
        Command,
        args=arguments,
        prog="python -m tasks.sorting",
        description="Learn to sort through an exact matching.",
        config=(
            tyro.conf.OmitSubcommandPrefixes,
            tyro.conf.OmitArgPrefixes,
            tyro.conf.EnumChoicesFromValues,
        ),
    )
    return command
