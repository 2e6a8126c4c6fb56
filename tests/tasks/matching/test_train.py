"""What a training learns, and what its network is judged by."""

from __future__ import annotations

import attrs
import pytest
import torch

from tasks.matching.board import Board
from tasks.matching.config import EdgeWeights, Method
from tasks.matching.data import Grids, Truth
from tasks.matching.methods import hamming, learner, regret, squared_error, true_weights
from tasks.matching.networks import WeightNetwork
from tasks.matching.train import judge, measure, new_grids, steps_of, train
from tests.tasks.matching.tiny import TINY, data, digits, run_of


@pytest.mark.parametrize("method", Method)
def test_every_method_learns(method: Method) -> None:
    """By chance, about half of the 2 x 2 grids have an optimal matching."""
    run = run_of(method)
    losses: list[float] = []
    network, _ = train(run, data(), lambda step, loss: losses.append(loss))
    assert len(losses) == steps_of(run) == 30
    assert measure(run, network, data().test).optimal > 0.8


def test_learned_edge_weights_learn_too() -> None:
    run = run_of(Method.FENCHEL_YOUNG, attrs.evolve(TINY, edge_weights=EdgeWeights.LEARNED))
    network, _ = train(run, data())
    assert measure(run, network, data().test).optimal > 0.8


def test_a_seed_trains_the_same_network_again_and_another_seed_another() -> None:
    def weights(seed: int) -> torch.Tensor:
        network, _ = train(run_of(Method.DIRECT_HAMMING, attrs.evolve(TINY, epochs=1), seed=seed), data())
        return network.digit[1].weight

    torch.manual_seed(1)
    one = weights(seed=5)
    torch.manual_seed(2)
    assert torch.equal(one, weights(seed=5))
    assert not torch.equal(one, weights(seed=6))


def test_a_training_sees_as_many_images_as_it_asks_for(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    forward = WeightNetwork.forward
    monkeypatch.setattr(
        WeightNetwork, "forward", lambda network, grids: seen.append(len(grids.digits)) or forward(network, grids)
    )
    train(run_of(Method.HINGE, attrs.evolve(TINY, epochs=1, digits=11)), data())
    assert seen == [11] * 10


def test_no_grid_that_a_network_is_judged_on_was_trained_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[int, ...]] = []
    forward = WeightNetwork.forward

    def note(network: WeightNetwork, grids: Grids) -> torch.Tensor:
        seen.extend(map(tuple, grids.index.tolist()))
        return forward(network, grids)

    monkeypatch.setattr(WeightNetwork, "forward", note)
    run = run_of(Method.HINGE, attrs.evolve(TINY, epochs=1), k=4)
    train(run, data())
    assert len(set(seen)) == 200
    assert not set(seen) & set(map(tuple, new_grids(run, data().train).index.tolist()))


def test_the_network_sees_each_distinct_image_once_and_reads_its_numbers_as_one() -> None:
    board, images = Board(4), digits(5, seed=0)
    network, grids = WeightNetwork(board, EdgeWeights.KNOWN, seed=0), Grids.draw(board, images, 3, seed=0)
    sizes: list[int] = []
    network.digit.register_forward_hook(lambda _, inputs, __: sizes.append(len(inputs[0])))
    weights = network(grids)
    assert sizes == [5]
    values = network.digit((images.pixels[:, None].float() - 33) / 79)[:, 0]
    for grid, index in enumerate(grids.index):
        for edge, (one, other) in enumerate(zip(board.first, board.second, strict=True)):
            expected = values[index[one]] + values[index[other]] / 10
            assert weights[grid, edge].item() == pytest.approx(expected.item(), abs=1e-5)


def test_the_losses_are_those_that_they_are_called() -> None:
    """On a board of four cells with the numbers 12, 34 below it, 13 and 24: 12 + 34 against 13 + 24."""
    board = Board(2)
    weights = torch.tensor([[12.0, 34.0, 13.0, 24.0]])
    upright = board.lightest(weights)
    assert board.edges(upright).tolist() == [[0, 0, 1, 1]]
    flat = 1 - upright
    truth = Truth(upright, board.parts(weights, 0.0))
    assert hamming(board.space, truth)(torch.stack([upright, flat])).tolist() == [[0], [4]]
    assert squared_error(board.space, truth)(torch.stack([upright, flat, upright / 2])).tolist() == [[0], [4], [0.5]]
    assert regret(board.space, truth)(flat).item() == pytest.approx((46 - 37) / 30)
    scores = board.parts(-weights / 30 + torch.tensor([0.1, 0, 0, 0.3]), -torch.inf)
    assert true_weights(scores, truth, torch.Generator()).item() == pytest.approx((0.01 + 0.09) / 4)


def test_the_papers_step_is_that_of_the_mean_of_the_batch() -> None:
    """Scores in which the other matching wins by a little more, or less, than lambda / batch moves them."""
    board = Board(2)
    upright = board.lightest(torch.tensor([[12.0, 34.0, 13.0, 24.0]])).expand(2, 2, 2)
    truth = Truth(upright, torch.zeros(2, 2, 2))
    moved = 4 * 10 / 2  # by 10 / 2 on each of the four edges
    for lead, moves in ((moved + 0.1, False), (moved - 0.1, True)):
        scores = ((1 - upright) * lead / 2).requires_grad_()
        learner(Method.BLACKBOX_PAPER, board.space, 1)(scores, truth, torch.Generator()).backward()
        assert scores.grad.any().item() == moves


def test_a_tie_is_optimal_though_its_edges_are_not_the_targets() -> None:
    board = Board(2)
    weights = torch.tensor([[11.0, 22.0, 13.0, 20.0]] * 3)
    target = board.parts(torch.tensor([[1.0, 1.0, 0.0, 0.0]] * 3), 0.0)
    truth = Truth(target, board.parts(weights, 0.0))
    worse = Truth(target, board.parts(weights + torch.tensor([0.0, 0.0, 0.0, 1.0]), 0.0))
    other = 1 - target
    assert [found.tolist() for found in judge(torch.stack([target[0], other[0], target[0]]), truth)] == [
        [True, True, True],
        [1.0, 0.0, 1.0],
    ]
    assert judge(other, worse)[0].tolist() == [False] * 3


@pytest.mark.parametrize(
    ("setting", "value"), [("epochs", 0), ("batch_size", 301), ("rate", 0.0), ("num_samples", 0), ("digits", 0)]
)
def test_settings_out_of_bounds_are_refused_and_named(setting: str, value: float) -> None:
    with pytest.raises(ValueError, match=setting):
        attrs.evolve(TINY, **{setting: value})
