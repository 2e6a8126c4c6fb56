"""The images of each step: passes over all of them, as a function of the seed and the step alone."""

import itertools

import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from tasks.knn.batches import Batches

SEEDS = st.integers(0, 2**70)
batches = st.integers(1, 30).flatmap(
    lambda images: st.builds(Batches, st.just(images), st.integers(1, images), st.integers(1, images), SEEDS)
)
SMALL = Batches(images=23, queries=4, candidates=5, seed=0)


def seen(steps: list[tuple[Tensor, Tensor]]) -> tuple[list[int], list[int]]:
    """All queries and all candidates, in their order."""
    queries, candidates = zip(*steps, strict=True)
    return torch.cat(queries).tolist(), torch.cat(candidates).tolist()


@given(batches)
def test_an_epoch_shows_each_image_at_most_once_as_a_candidate(batches: Batches) -> None:
    for epoch in range(3):
        first = epoch * batches.steps_per_epoch
        _, candidates = seen([batches(step) for step in range(first, first + batches.steps_per_epoch)])
        assert len(set(candidates)) == len(candidates) == batches.steps_per_epoch * batches.candidates
        assert batches.images - len(candidates) < batches.candidates  # too few are left for a step
        assert set(candidates) <= set(range(batches.images))


@given(batches, st.permutations(range(9)))
def test_a_step_is_the_same_in_any_order_of_steps(batches: Batches, order: list[int]) -> None:
    again = Batches(batches.images, batches.queries, batches.candidates, batches.seed)
    in_order = [batches(step) for step in range(9)]
    for step in order:
        for index, same in zip(again(step), in_order[step], strict=True):
            assert torch.equal(index, same)
            assert index.dtype == torch.int64


def test_every_pass_and_every_seed_has_its_own_order() -> None:
    def orders(seed: int) -> list[tuple[int, ...]]:
        one_pass_a_step = Batches(images=50, queries=50, candidates=50, seed=seed)
        return [tuple(index.tolist()) for step in range(10) for index in one_pass_a_step(step)]

    of_all = list(itertools.chain.from_iterable(orders(seed) for seed in range(5)))  # queries' and candidates'
    assert len(set(of_all)) == len(of_all) == 5 * 10 * 2
    assert all(sorted(order) == list(range(50)) for order in of_all)
