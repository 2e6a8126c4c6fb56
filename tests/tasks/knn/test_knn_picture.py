"""The picture shows what it says, of the images that are worth a look, and is written whole or not at all."""

import functools
import struct
from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text
from rich.console import Console
from tiny_knn import TINY, data, files, trained
from torch import Tensor

from tasks.common.checkpoint import Checkpoint
from tasks.common.settings import Scale
from tasks.knn import picture, session
from tasks.knn.__main__ import main
from tasks.knn.commands import Picture
from tasks.knn.config import Execution, Run
from tasks.knn.data import Images
from tasks.knn.neighbours import embed, nearest, vote
from tasks.knn.picture import Neighbours, choose, draw, run_picture
from tasks.knn.train import Trainer, deployed, networks_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
QUIET = Console(quiet=True)
RIGHT, WRONG = "#2a9d3a", "#d62728"


# Which images.


def chosen(before: str, after: str, count: int) -> list[int]:
    """One letter an image: r for right, w for wrong."""
    wrong = [torch.tensor([letter == "w" for letter in letters], dtype=torch.bool) for letters in (before, after)]
    return choose(*wrong, count).tolist()


def test_half_of_them_were_put_right_and_half_are_still_wrong() -> None:
    before = "wrwwwrwrww"
    after_ = "rrwrwrrrww"
    assert chosen(before, after_, 4) == [0, 3, 2, 4]
    assert chosen(before, after_, 6) == [0, 3, 6, 2, 4, 8]
    assert chosen(before, after_, 3) == [0, 3, 2]  # the odd one was put right
    assert chosen(before, after_, 1) == [0]


def test_where_there_are_too_few_of_one_kind_the_other_fills_up_and_then_the_rest() -> None:
    assert chosen("wrwwwr", "rrwwwr", 4) == [0, 2, 3, 4]
    assert chosen("wwwwrr", "rrrwrr", 4) == [0, 1, 2, 3]
    assert chosen("wwrrrr", "rwrrrr", 4) == [0, 1, 2, 3]
    assert chosen("rrr", "rrr", 2) == [0, 1]
    assert chosen("rrr", "www", 2) == [0, 1]  # made wrong by training: wrong now
    assert chosen("rw", "wr", 9) == [1, 0]
    assert chosen("", "", 3) == []


# What is drawn.


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """The figures that are drawn on."""
    figures, canvas = [], picture.FigureCanvasAgg

    def watch(figure: Figure) -> Any:
        figures.append(figure)
        return canvas(figure)

    monkeypatch.setattr(picture, "FigureCanvasAgg", watch)
    return figures


def flat(labels: list[int], first: int, channels: int = 1) -> Images:
    """Images of one colour each, by which to know them."""
    shades = torch.arange(first, first + len(labels) * channels, dtype=torch.uint8).view(-1, channels, 1, 1)
    return Images(shades.expand(-1, -1, 4, 4).contiguous(), torch.tensor(labels))


def shown(axes: Any) -> tuple[list[int], str] | None:
    """The colour of a panel's image and that of its frame; None where it shows nothing."""
    if not axes.images:
        assert not axes.axison
        return None
    (colour,) = {tuple(pixel) for row in axes.images[0].get_array().tolist() for pixel in row}
    (frame,) = {to_hex(side.get_edgecolor()) for side in axes.spines.values()}
    return list(colour), frame


def said(axes: Any) -> list[tuple[str, str]]:
    """Which votes stand above a panel, and in which colour."""
    texts = [text for text in axes.findobj(Text) if text.get_text().startswith("vote")]
    return [(text.get_text(), to_hex(text.get_color())) for text in texts]


@pytest.mark.parametrize("channels", [1, 3])
def test_a_row_has_the_image_and_its_neighbours_before_and_after_in_frames_of_their_kind(
    channels: int, drawn: list[Figure], tmp_path: Path
) -> None:
    queries, references = flat([7, 3], 0, channels), flat([7, 3, 3, 7], 100, channels)
    before = Neighbours(torch.tensor([[1, 0], [1, 2]]), torch.tensor([3, 3]))
    after = Neighbours(torch.tensor([[3, 0], [0, 2]]), torch.tensor([7, 7]))
    draw(queries, references, before, after, tmp_path / "p")
    (figure,) = drawn
    grid = figure.axes[0].get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 7)  # the image, a gap, two, a gap, two
    panels = [figure.axes[row * 7 : row * 7 + 7] for row in range(2)]

    def colour(images: Images, index: int) -> list[int]:
        of_channels = images.pixels[index, :, 0, 0].tolist()
        return of_channels * (3 // channels)

    for row, (own, old, new) in enumerate(((7, (1, 0), (3, 0)), (3, (1, 2), (0, 2)))):
        frames = [(index, RIGHT if references.labels[index] == own else WRONG) for index in (*old, *new)]
        expected = [(colour(references, index), frame) for index, frame in frames]
        assert [shown(panel) for panel in panels[row]] == [
            (colour(queries, row), "#000000"),
            None,
            *expected[:2],
            None,
            *expected[2:],
        ]
        assert panels[row][0].get_title() == f"class {own}"
    votes = [[said(panel) for panel in panels_of_row] for panels_of_row in panels]
    nothing: list[tuple[str, str]] = []
    assert votes == [
        [nothing, nothing, [("vote: 3", WRONG)], nothing, nothing, [("vote: 7", RIGHT)], nothing],
        [nothing, nothing, [("vote: 3", RIGHT)], nothing, nothing, [("vote: 7", WRONG)], nothing],
    ]
    assert "its 2 nearest before training, and after" in figure.get_suptitle()


# The command.


@functools.cache
def checkpoint() -> Checkpoint:
    """A training of one epoch of three, whose weights are those of its best epoch."""
    run = Run(attrs.evolve(TINY, best_epoch=True), 3, Scale.ONE, 0)
    trainer = trained(Trainer(run, *data().hold_out(20), Execution(device="cpu")), 4)
    return Checkpoint(run, trainer.state())


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the checkpoint lies."""
    monkeypatch.setattr(session, "load", data)
    checkpoint().save(tmp_path / "knn.pt")
    return tmp_path


def command(folder: Path, output: str = "knn.png", queries: int = 5) -> Picture:
    return Picture(folder / "knn.pt", queries, folder / output, execution=Execution(device="cpu"))


def test_a_run_writes_one_picture_and_nothing_else(folder: Path) -> None:
    paths = ["--checkpoint", str(folder / "knn.pt"), "--output", str(folder / "new.png")]
    assert main(["picture", *paths, "--queries", "2", "--device", "cpu"]) == 0
    content = (folder / "new.png").read_bytes()
    assert content.startswith(SIGNATURE)
    assert content.rstrip().endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">II", content[16:24])
    assert width > height > 200
    assert files(folder) == ["knn.pt", "new.png"]


def test_the_picture_is_of_held_out_images_among_those_trained_on_with_the_networks_before_and_after(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[Any] = []
    monkeypatch.setattr(picture, "draw", lambda *arguments: seen.extend(arguments))
    run_picture(command(folder), QUIET)
    queries, references, before, after, _ = seen
    train, held_out = data().hold_out(20)
    assert torch.equal(references.pixels, train.pixels)
    run, state = checkpoint().run, checkpoint().state
    networks = networks_of(run, train)[0], deployed(run, state, train)
    votes: list[Tensor] = []
    for found, network in zip((before, after), networks, strict=True):
        expected = nearest(embed(network, queries), embed(network, train), 3)
        assert torch.equal(found.nearest, expected)
        assert torch.equal(found.voted, vote(train.labels[expected]))
        all_held_out = nearest(embed(network, held_out), embed(network, train), 3)
        votes.append(vote(train.labels[all_held_out]))
    worth_a_look = choose(*(voted != held_out.labels for voted in votes), 5)
    assert torch.equal(queries.pixels, held_out.pixels[worth_a_look])
    assert not torch.equal(before.nearest, after.nearest)
