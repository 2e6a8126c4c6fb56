"""The picture shows what it says, of the images that are worth a look."""

from pathlib import Path
from typing import Any

import attrs
import pytest
import torch
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from torch import Tensor

from tasks.common.checkpoint import Checkpoint
from tasks.common.settings import Scale
from tasks.knn import picture, session
from tasks.knn.__main__ import main
from tasks.knn.config import Execution, Run
from tasks.knn.data import Images
from tasks.knn.neighbours import embed, nearest, vote
from tasks.knn.networks import deployed, networks_of
from tasks.knn.picture import Neighbours, choose, draw
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import TINY, data, files, trained

RIGHT, WRONG = "#2a9d3a", "#d62728"


@pytest.mark.parametrize(
    ("before", "after", "count", "chosen"),  # one letter an image: r for right, w for wrong
    [
        ("wrwwwrwrww", "rrwrwrrrww", 4, [0, 3, 2, 4]),  # half were put right, half are still wrong
        ("wrwwwrwrww", "rrwrwrrrww", 3, [0, 3, 2]),
        ("wrwwwr", "rrwwwr", 4, [0, 2, 3, 4]),  # too few of one kind: the other fills up
        ("wwwwrr", "rrrwrr", 4, [0, 1, 2, 3]),
        ("wwrrrr", "rwrrrr", 4, [0, 1, 2, 3]),  # and then the rest
        ("rrr", "www", 2, [0, 1]),  # made wrong by training
        ("rw", "wr", 9, [1, 0]),
    ],
)
def test_half_of_the_images_were_put_right_and_half_are_wrong(
    before: str, after: str, count: int, chosen: list[int]
) -> None:
    wrong = [torch.tensor([letter == "w" for letter in letters]) for letters in (before, after)]
    assert choose(*wrong, count).tolist() == chosen


def flat(labels: list[int], first: int) -> Images:
    """Gray images of one shade each, by which to know them."""
    shades = torch.arange(first, first + len(labels), dtype=torch.uint8).view(-1, 1, 1, 1)
    return Images(shades.expand(-1, -1, 4, 4).contiguous(), torch.tensor(labels))


def shown(axes: Any) -> tuple[int, str] | None:
    """The shade of a panel's image and the colour of its frame; None where it shows nothing."""
    if not axes.images:
        return None
    (frame,) = {to_hex(side.get_edgecolor()) for side in axes.spines.values()}
    return int(axes.images[0].get_array()[0, 0, 0]), frame


def test_a_row_has_the_image_and_its_neighbours_before_and_after_in_frames_of_their_kind(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(picture, "FigureCanvasAgg", figures.append)
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    before = Neighbours(torch.tensor([[1, 0], [1, 2]]), torch.tensor([3, 3]))
    after = Neighbours(torch.tensor([[3, 0], [0, 2]]), torch.tensor([7, 7]))
    draw(flat([7, 3], 0), flat([7, 3, 3, 7], 100), before, after, tmp_path / "p")
    panels = figures[0].axes
    assert [shown(panel) for panel in panels] == [
        *[(0, "#000000"), None, (101, WRONG), (100, RIGHT), None, (103, RIGHT), (100, RIGHT)],
        *[(1, "#000000"), None, (101, RIGHT), (102, RIGHT), None, (100, WRONG), (102, RIGHT)],
    ]
    titles = [panel.get_title() + panel.get_title(loc="left") for panel in panels]
    assert titles == ["class 7", "", "vote: 3", "", "", "vote: 7", "", "class 3", "", "vote: 3", "", "", "vote: 7", ""]


def test_the_picture_is_of_held_out_images_among_those_trained_on_with_the_networks_before_and_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Run(attrs.evolve(TINY, best_epoch=True), 3, Scale.ONE, 0)
    train, held_out = data().hold_out(20)
    state = trained(Trainer(run, train, held_out, Execution(device="cpu")), 4).state()
    Checkpoint(run, state).save(tmp_path / "knn.pt")
    drawn: list[Any] = []
    monkeypatch.setattr(session, "load", data)
    monkeypatch.setattr(picture, "draw", lambda *arguments: (drawn.extend(arguments), draw(*arguments)))
    paths = ["--checkpoint", str(tmp_path / "knn.pt"), "--output", str(tmp_path / "new.png")]
    assert main(["picture", *paths, "--queries", "5", "--device", "cpu"]) == 0
    assert (tmp_path / "new.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert files(tmp_path) == ["knn.pt", "new.png"]

    queries, references, before, after, _ = drawn
    assert torch.equal(references.pixels, train.pixels)
    votes: list[Tensor] = []
    for found, network in ((before, networks_of(run, train)[0]), (after, deployed(run, state, train))):
        expected = nearest(embed(network, queries), embed(network, train), 3)
        assert torch.equal(found.nearest, expected)
        assert torch.equal(found.voted, vote(train.labels[expected]))
        all_held_out = nearest(embed(network, held_out), embed(network, train), 3)
        votes.append(vote(train.labels[all_held_out]))
    worth_a_look = choose(*(voted != held_out.labels for voted in votes), 5)
    assert torch.equal(queries.pixels, held_out.pixels[worth_a_look])
    assert not torch.equal(before.nearest, after.nearest)
