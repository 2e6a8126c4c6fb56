"""The check of spaces: every broken space is caught by the law meant for it, and every right one passes.

``max_seconds`` is raised, so that a busy machine tries as many inputs as an idle one does by default.
"""

import math

import attrs
import networkx as nx
import pytest
import torch

import structpred as sp
from structpred.testing import SPACE_LAWS, LawError, check_space
from structpred.testing.space_laws.structures import members_are_zeros_and_ones
from tests.testing.broken import answers, every  # noqa: F401
from tests.testing.pairs import BROKEN_SPACES, Pairs
from tests.testing.pasted import shows_again

# What they answer depends on what was asked before, or no code makes them.
CANNOT_BE_PASTED = {
    "AnswersTheCallBefore",
    "OneBufferForAllAnswers",
    "OneBufferForAllChunks",
    "RemembersByAddress",
    "RemembersByAddressAndVersion",
    "CachesByAddress",
    "ReturnsTheCachedAnswerItself",
    "HoldsALambda",
    "NoRepr",
}


def forget_calls_of(space):
    """Empties what the class keeps, which would hide the second time what it found the first."""
    for state in vars(type(space)).values():
        if isinstance(state, dict):
            state.clear()


cases = [pytest.param(space, law, id=f"{type(space).__name__}-{law}") for space, law in BROKEN_SPACES]


@pytest.mark.parametrize(("space", "law"), cases)
def test_a_broken_space_is_caught_by_the_law_meant_for_it(space, law, as_found):
    with pytest.raises(LawError, match=f"breaks the law {law}:") as caught:
        check_space(space, only=[law], max_seconds=10)
    if type(space).__name__ not in CANNOT_BE_PASTED:
        forget_calls_of(space)
        shows_again(str(caught.value))


@pytest.mark.parametrize(
    ("space", "examples"),
    [
        (answers.BySize(5), 1),
        *(
            pytest.param(space, examples, marks=pytest.mark.slow)
            for space, examples in [
                (answers.GreedyMatching(3), 1),
                (answers.GivesUpEarly(4), 1),
                (answers.GreedyMatchingWithoutAList(4), 1),
                (answers.ByDistanceFromTheLeast(5), 1),
                (answers.MinusInfIsMinusThree(5), 1),
            ]
        ),
    ],
    ids=lambda it: type(it).__name__,
)  # fmt: skip
def test_the_input_of_a_failure_has_the_fewest_examples_and_short_numbers(space, examples):
    law = next(law for other, law in BROKEN_SPACES if other == space)
    with pytest.raises(LawError) as caught:
        check_space(space, only=[law], max_seconds=10)
    inputs = caught.value.inputs
    assert len(inputs["scores"]) == examples
    for values in inputs.values():
        if isinstance(values, torch.Tensor):
            assert len(values) == examples
            assert values[values.isfinite()].double().mul(4).remainder(1).eq(0).all()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 21))
def test_no_seed_lets_a_broken_space_through(seed, as_found):
    passed = []
    for space, law in BROKEN_SPACES:
        forget_calls_of(space)
        if check_space(space, only=[law], seed=seed, max_seconds=10, raises=False).passed:
            passed.append((type(space).__name__, law))
    assert passed == []


def test_every_law_has_a_broken_space():
    # Nothing in a space decides what LinearLoss computes.
    assert {law.name for law in SPACE_LAWS} - {law for _, law in BROKEN_SPACES} == {"linear_loss_is_its_definition"}


@attrs.frozen
class Arborescence(sp.StructuredSpace):
    """Trees from node 0 to all of the nodes, by networkx, which adds numbers near 1 to the scores."""

    shape = (4,)
    arcs = ((0, 1), (0, 2), (1, 2), (2, 1))

    def _argmax(self, scores):
        y = torch.zeros_like(scores)
        for example, structure in zip(scores.tolist(), y, strict=True):
            scored = zip(self.arcs, example, strict=True)
            graph = nx.DiGraph([(*arc, {"weight": score}) for arc, score in scored if score > -math.inf])
            graph.add_nodes_from(range(3))
            try:
                tree = nx.maximum_spanning_arborescence(graph)
            except nx.NetworkXException:  # none is left: any structure will do
                tree = nx.DiGraph(self.arcs[:2])
            structure[[self.arcs.index(arc) for arc in tree.edges]] = 1
        return y

    def contains(self, y):
        return (y[..., None, :] == self.enumerate().to(y.dtype)).all(-1).any(-1)

    def enumerate(self):
        return torch.tensor([[1.0, 1, 0, 0], [1, 0, 1, 0], [0, 1, 0, 1]])


@pytest.mark.parametrize(("examples", "seconds"), [(10, 0.1), pytest.param(200, 60, marks=pytest.mark.slow)])
def test_a_right_solver_that_adds_numbers_near_1_passes(examples, seconds):
    values = [law.name for law in SPACE_LAWS if "tolerance" in law.options]
    assert check_space(Arborescence(), only=values, max_examples=examples, max_seconds=seconds).passed


@pytest.mark.parametrize(("examples", "seconds"), [(4, 0.5), pytest.param(50, 60, marks=pytest.mark.slow)])
@pytest.mark.parametrize("size", [5, 12])
def test_the_space_that_is_right_passes(size, examples, seconds):
    assert check_space(Pairs(size), max_examples=examples, max_seconds=seconds).passed


def test_a_structure_is_spoilt_however_its_memory_lies():
    target = torch.eye(3, dtype=torch.float64).expand(3, 3, 3).clone().mT
    assert not target.is_contiguous()
    for part in range(9):
        members_are_zeros_and_ones(sp.Matching(3), target=target, part=part)
