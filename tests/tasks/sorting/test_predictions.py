"""Figure 1 shows what it says: the largest score where there is no noise to speak of, and all alike where it is all."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from matplotlib.figure import Figure

import structpred as sp
from tasks.sorting import predictions
from tasks.sorting.__main__ import main
from tasks.sorting.losses import sorting
from tasks.sorting.predictions import ELEMENTS, SCORES, draw, shares_of

EVERY = sp.Matching(3).enumerate()


def test_a_run_writes_one_picture_and_nothing_else(tmp_path: Path) -> None:
    output = tmp_path / "figure.png"
    assert main(["predictions", "--draws", "10", "--output", str(output)]) == 0
    assert output.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
    assert list(tmp_path.rglob("*.*")) == [output]


def test_with_next_to_no_noise_y_has_the_largest_score_and_y_of_epsilon_is_right() -> None:
    shares = shares_of(1e-6, 20)
    assert shares.y.tolist() == (sp.Matching(3).argmax(torch.tensor(SCORES)) == EVERY).all(-1).all(-1).tolist()
    right = (sorting(torch.tensor(ELEMENTS)) == EVERY).all(-1).all(-1)
    assert shares.augmented.tolist() == right.tolist()
    assert not torch.equal(shares.y, shares.augmented)


def test_with_nothing_but_noise_all_are_alike() -> None:
    """The draws are those of one seed: with another, a share is off by 5 standard errors in less than one of 10^5."""
    shares = shares_of(1e6, 10_000)
    for share in (shares.y, shares.augmented):
        assert share.sum().item() == pytest.approx(1)
        assert share.tolist() == pytest.approx([1 / 6] * 6, abs=5 * (5 / 36 / 10_000) ** 0.5)


def test_bars_stand_from_the_largest_score_to_the_least_over_the_lists_that_they_sort_to(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    figures: list[Figure] = []
    monkeypatch.setattr(predictions, "FigureCanvasAgg", figures.append)
    monkeypatch.setattr(Figure, "savefig", lambda *_, **__: None)
    shares = [shares_of(sigma, 50) for sigma in (0.1, 0.5, 1.0, 2.0)]
    draw(shares, 50, tmp_path / "p")
    panel = figures[0].axes[0]
    labels = [label.get_text() for label in panel.get_xticklabels()]
    assert labels[:2] == ["0.2  0.9  0.5\nscore 4.0", "0.2  0.5  0.9  (right)\nscore 3.7"]
    scores = [float(label.rsplit(" ", 1)[1]) for label in labels]
    assert scores == sorted(scores, reverse=True)
    right = (sorting(torch.tensor(ELEMENTS)) == EVERY).all(-1).all(-1)
    heights = [[bar.get_height() for bar in bars] for bars in panel.containers]
    assert [of[1] for of in heights] == pytest.approx(
        [100 * s[right].item() for s in (shares[0].y, shares[0].augmented)]
    )
