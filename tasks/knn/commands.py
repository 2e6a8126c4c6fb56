"""The command line: each class is a command, each field an option."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Annotated, Any

import tyro
from attrs import Attribute, field, frozen, validators

from tasks.common.files import DEFAULT_FOLDER
from tasks.common.settings import Scale, at_least_one, not_negative, some_at_least_one
from tasks.knn.config import PAPER_CIFAR_10, PAPER_FASHION_MNIST, PAPER_MNIST, QUICK, Execution, Training

_PAPER = "The paper's, 5.2 and C.2; wants a GPU."

Preset = (
    Annotated[Training, tyro.conf.subcommand("quick", default=QUICK, description="MNIST on two CPU cores.")]
    | Annotated[Training, tyro.conf.subcommand("paper-mnist", default=PAPER_MNIST, description=_PAPER)]
    | Annotated[Training, tyro.conf.subcommand("paper-fashion-mnist", default=PAPER_FASHION_MNIST, description=_PAPER)]
    | Annotated[Training, tyro.conf.subcommand("paper-cifar-10", default=PAPER_CIFAR_10, description=_PAPER)]
)


def _seconds(_: object, attribute: Attribute[Any], value: float) -> None:
    if not (value >= 0 and math.isfinite(value)):
        raise ValueError(f"{attribute.name}: expected a number of seconds, at least 0, got {value}")


@frozen(kw_only=True)
class Source:
    """Where the images are."""

    data_dir: Path = Path("data")
    """The root that holds the sets, as torchvision lays it out."""
    download: bool = False
    """Fetch with torchvision what the root lacks."""


_SOURCE, _EXECUTION = Source(), Execution()


@frozen
class Train:
    """Train one embedding, or go on with it, and say how good it is on held-out images."""

    training: Preset = QUICK
    k: int = field(default=5, validator=at_least_one)
    """How many neighbours vote."""
    scale: Scale = Scale.LEARNED
    """The noise: sigma = 0, sigma = 1, or learned."""
    seed: int = field(default=0, validator=not_negative)
    """Fixes weights, batches and noise."""
    checkpoint: Path = DEFAULT_FOLDER / "knn.pt"
    """The file that holds the training; if it exists, it goes on from there."""
    save_every: float = field(default=60.0, validator=_seconds)
    """Seconds between two saves within an epoch."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION


@frozen
class Evaluate:
    """Classify the test images by a checkpoint's neighbours among all training images."""

    checkpoint: Path = DEFAULT_FOLDER / "knn.pt"
    """A finished training."""
    results: Path = DEFAULT_FOLDER / "knn.jsonl"
    """The file that the result is appended to."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION


@frozen
class Table:
    """Run many trainings, skipping those in the results file, and print Table 3's measure."""

    training: Preset = QUICK
    ks: tuple[int, ...] = field(default=(1, 3, 5, 9), validator=some_at_least_one)
    """How many neighbours vote."""
    scales: tuple[Scale, ...] = field(default=tuple(Scale), validator=validators.min_len(1))
    """The noise settings."""
    repetitions: int = field(default=3, validator=at_least_one)
    """How many for each k and scale."""
    first_seed: int = field(default=0, validator=not_negative)
    """The seeds are this one and those after it."""
    test: bool = True
    """Classify the test images; else only the held-out ones, as for any choice."""
    results: Path = DEFAULT_FOLDER / "knn.jsonl"
    """The file that results are read from and appended to; checkpoints of unfinished runs lie beside it."""
    save_every: float = field(default=60.0, validator=_seconds)
    """Seconds between two saves within an epoch."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION


@frozen
class Picture:
    """Draw held-out images with their nearest neighbours, before training and after."""

    checkpoint: Path = DEFAULT_FOLDER / "knn.pt"
    """A training."""
    queries: int = field(default=8, validator=at_least_one)
    """How many images."""
    output: Path = DEFAULT_FOLDER / "knn.png"
    """The picture."""
    source: Source = _SOURCE
    execution: Execution = _EXECUTION


Command = (
    Annotated[Train, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("train")]
    | Annotated[Evaluate, tyro.conf.subcommand("evaluate")]
    | Annotated[Table, tyro.conf.CascadeSubcommandArgs, tyro.conf.subcommand("table")]
    | Annotated[Picture, tyro.conf.subcommand("picture")]
)


def parse(arguments: list[str] | None = None) -> Train | Evaluate | Table | Picture:
    """The command that the arguments (those of the process unless given) ask for."""
    command: Train | Evaluate | Table | Picture = tyro.cli(
        Command,
        args=arguments,
        prog="python -m tasks.knn",
        description="Learn an embedding in which the nearest neighbours tell an image's class.",
        config=(
            tyro.conf.OmitSubcommandPrefixes,
            tyro.conf.OmitArgPrefixes,
            tyro.conf.EnumChoicesFromValues,
        ),
    )
    return command
