"""Every shipped space: the laws of the test kit, the number of its structures, and the words of its errors."""

import inspect
import re

import attrs
import networkx
import pytest
import torch
from scipy.optimize import LinearConstraint

import structpred as sp
from structpred.testing import parametrize_with_checks
from tests.spaces.costly import COSTLY, QUICK

# Each with the number of its structures, counted by hand.
COUNTS = {
    sp.OneHot(1): 1,
    sp.OneHot(4): 4,
    sp.KSubset(1, 1): 1,
    sp.KSubset(5, 2): 10,
    sp.KSubset(4, 4): 1,
    sp.KSubset(3, (1, 2, 3)): 9,
    sp.Knapsack([2], 1): 1,
    sp.Knapsack([3, 4, 5], 8): 6,
    sp.Knapsack([0, 2, 2, 7], 4): 8,
    sp.Matching(1): 1,
    sp.Matching(3): 6,
    sp.Matching(2, 4): 12,
    sp.Matching(1, 4): 4,
    sp.Matching(4, 1): 4,
    sp.Chain(3, 1): 1,
    sp.Chain(2, 3): 9,
    sp.Chain(3, 2): 8,
    sp.DagPath(networkx.DiGraph(["ab"]), "a", "b"): 1,
    sp.DagPath(networkx.DiGraph(["cd", "bc", "ac", "ab", "xa", "dy", "ad", "xb"]), "a", "d"): 3,
    sp.DagPath.grid(2, 3): 3,
    sp.DagPath.grid(2, 2, diagonal=True): 3,
    sp.SpanningTree(networkx.Graph(["ab"])): 1,
    sp.SpanningTree(networkx.cycle_graph(5)): 5,
    sp.SpanningTree(networkx.complete_graph(4)): 16,
    sp.Arborescence(1): 1,
    sp.Arborescence(3): 16,
    sp.Arborescence(3, single_root=True): 9,
}
# Their values are exact but for the solvers' tolerances.
PROGRAMS = {
    sp.IntegerProgram(4, LinearConstraint([1, 1, 1, 1], 2, 2)): 6,
    sp.IntegerProgram((2, 2), LinearConstraint([[1, 1, 0, 0], [0, 0, 1, 1]], 1, 1), solver=sp.LinearSolver.HIGHS): 4,
    sp.IntegerProgram(4, LinearConstraint([[1, 1, 1, 1], [3, 4, 5, 6]], 2, [2, 9]), solver=sp.LinearSolver.CP_SAT): 4,
}
TOO_LARGE_TO_LIST = [
    sp.KSubset(40, 20),
    sp.Knapsack(range(300, 800, 16), 2000),
    sp.Matching(10),
    sp.Matching(3, 60),
    sp.Chain(12, 5),
    sp.DagPath.grid(8, 8),
    sp.SpanningTree(networkx.grid_graph((4, 5))),
    sp.Arborescence(12, single_root=True),
]

COUNTS_OF_ALL = COUNTS | PROGRAMS
ONE_OF_EACH = {type(space): space for space in sorted(COUNTS, key=COUNTS.__getitem__)}.values()  # with most structures

every_space = pytest.mark.parametrize("space", COUNTS_OF_ALL, ids=repr)


@parametrize_with_checks([*COUNTS, *TOO_LARGE_TO_LIST], only=QUICK, max_examples=6, max_seconds=0.05)
def test_laws(space, law):
    law(space)


@parametrize_with_checks(ONE_OF_EACH, only=COSTLY, max_seconds=0.05)
def test_costly_laws(space, law):
    law(space)


@parametrize_with_checks(PROGRAMS, tolerance=1e-9, max_examples=6, max_seconds=0.1)
def test_laws_of_programs(space, law):
    law(space)


@pytest.mark.slow
@parametrize_with_checks([*COUNTS, *TOO_LARGE_TO_LIST], seed=1)
def test_laws_as_a_user_checks_them(space, law):
    law(space)


@pytest.mark.slow
@parametrize_with_checks(PROGRAMS, tolerance=1e-9, seed=1)
def test_laws_of_programs_as_a_user_checks_them(space, law):
    law(space)


def test_every_public_concrete_space_has_a_row():
    public = {value for value in vars(sp).values() if inspect.isclass(value) and issubclass(value, sp.StructuredSpace)}
    concrete = {space for space in public if not inspect.isabstract(space)} - {sp.SpaceBatch}  # test_space_batch.py
    assert concrete == {type(space) for space in COUNTS_OF_ALL}


@every_space
@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (torch.nan, "got NaN in 1 of {n} entries; look for a division by zero or a diverging step before this call"),
        (torch.inf, "got +inf in 1 of {n} entries; only -inf has a meaning: it forbids a part"),
    ],
)
def test_nan_and_plus_inf_are_refused_before_any_solver_runs(space, bad, message):
    scores = torch.zeros(3, *space.shape)
    scores.view(-1)[-1] = bad
    expected = "scores: expected finite numbers or -inf, " + message.format(n=scores.numel())
    with pytest.raises(sp.ArgumentError, match=re.escape(expected)):
        space.argmax(scores)


@every_space
def test_nan_is_seen_beside_infinities(space):
    scores = torch.full((3, *space.shape), -torch.inf)
    scores.view(-1)[-1] = torch.nan
    scores.view(-1)[0] = torch.inf
    with pytest.raises(sp.ArgumentError, match="scores: expected finite numbers or -inf, got NaN in 1 of"):
        space.argmax(scores)


@every_space
@pytest.mark.parametrize("dtype", [torch.int64, torch.bool, torch.complex64], ids=str)
def test_scores_that_are_not_floating_point_are_refused(space, dtype):
    with pytest.raises(
        sp.ArgumentError, match=r"^scores: expected a floating point tensor, got .*; write scores.float"
    ):
        space.argmax(torch.ones(2, *space.shape, dtype=dtype))


@every_space
def test_scores_of_another_shape_are_refused(space):
    sizes = ", ".join(map(str, space.shape))
    for wrong in [(*space.shape[:-1], space.shape[-1] + 1), space.shape[1:], (*space.shape, space.shape[-1] + 1)]:
        message = (
            f"scores: expected a tensor of shape (*batch, {sizes}) for {space!r}, "
            f"got a float32 tensor of shape {tuple(wrong)}"
        )
        with pytest.raises(sp.ArgumentError, match=re.escape(message)):
            space.argmax(torch.zeros(wrong))


@every_space
def test_what_is_no_tensor_is_refused(space):
    scores = torch.zeros(space.shape)
    for call, name in [
        (space.argmax, "scores"),
        (space.contains, "y"),
        (space.hamming, "target"),
        (lambda bad: space.score(bad, scores), "scores"),
        (lambda bad: space.score(scores, bad), "y"),
    ]:
        message = rf"^{name}: expected a torch tensor, got .* \(list\); write torch.as_tensor\({name}\)"
        with pytest.raises(sp.ArgumentError, match=message):
            call(scores.tolist())


@every_space
def test_enumerate_lists_as_many_structures_as_there_are(space):
    structures = space.enumerate()
    assert len(structures) == COUNTS_OF_ALL[space]
    assert structures.is_floating_point()
    assert structures.is_contiguous()


@every_space
def test_membership_of_another_shape_is_refused(space):
    with pytest.raises(sp.ArgumentError, match=r"^y: expected a tensor of shape \(\*batch, "):
        space.contains(torch.zeros(2, *space.shape[:-1], space.shape[-1] + 1))


@pytest.mark.parametrize(
    ("space", "count"),
    [
        (sp.OneHot(10**8), 10**8),
        (sp.OneHot(10**5), 10**5),
        (sp.KSubset(40, 20), 137846528820),
        (sp.Knapsack([1] * 30, 15), 614429672),
        (sp.Knapsack([1] * 200, 100), "more than 10**30"),
        (sp.Matching(10), 3628800),
        (sp.Matching(3, 200), 7880400),
        (sp.Chain(20, 3), 3486784401),
        (sp.Chain(5000, 20), "more than 10**30"),
        (sp.DagPath.grid(30, 30), 30067266499541040),
    ],
    ids=repr,
)
def test_a_list_that_would_fill_the_memory_is_refused(space, count):
    message = f"enumerate: {space!r} has {count} structures, too many to list"
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        space.enumerate()


@every_space
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_score_keeps_the_dtype_of_the_scores(space, dtype):
    scores = torch.zeros(3, *space.shape, dtype=dtype)
    assert space.score(scores, space.argmax(scores.float())).dtype == dtype


@every_space
def test_hamming_refuses_targets_outside_the_space(space):
    target = space.enumerate()[0].expand(4, *space.shape).clone()
    target[2] = 2
    name = type(space).__name__
    message = (
        f"target: expected structures of {space!r}, got others in example 2; "
        f"{name}.contains(target) says which are inside"
    )
    with pytest.raises(sp.ArgumentError, match=re.escape(message)):
        space.hamming(target)
    with pytest.raises(sp.ArgumentError, match="others in the only example"):
        space.hamming(target[2])


@every_space
@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float64], ids=str)
def test_hamming_takes_targets_of_any_dtype_and_batch(space, dtype):
    target = space.enumerate()[:1].expand(2, 3, *space.shape).to(dtype)
    assert space.hamming(target)(space.enumerate()[0].expand_as(target).double()).tolist() == [[0.0] * 3] * 2


@every_space
def test_a_space_is_a_frozen_value(space):
    assert [other for other in COUNTS_OF_ALL if other == space] == [space]
    if space in COUNTS and "<" not in repr(space):  # graphs and matrices are told by their sizes alone
        assert eval(repr(space), vars(sp)) == space
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        setattr(space, attrs.fields(type(space))[0].name, 2)
