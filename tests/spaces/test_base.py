"""The base class, by way of small spaces such as a user writes."""

import re
import threading
from typing import ClassVar

import attrs
import pytest
import torch

import structpred as sp
from structpred import SolverPlacement
from structpred._threads import threads_for_all


@attrs.frozen
class EvenSubset(sp.StructuredSpace):
    """An even number of n parts: all those above 0, less or plus the nearest to 0 where they are odd."""

    n: int

    @property
    def shape(self):
        return (self.n,)

    def _argmax(self, scores):
        y = scores > 0
        nearest = torch.nn.functional.one_hot(scores.abs().argmin(-1), self.n).bool()
        return y ^ (nearest & (y.sum(-1, keepdim=True) % 2 == 1))

    def contains(self, y):
        return ((y == 0) | (y == 1)).all(-1) & (y.sum(-1) % 2 == 0)


def even_subset(placement, seen=None):
    """The space above, run as asked; what its solver is given is appended to ``seen``."""

    class Recorded(EvenSubset):
        def _argmax(self, scores):
            if seen is not None:
                seen.append((threading.current_thread(), scores))
            return super()._argmax(scores)

    Recorded.placement = placement
    return Recorded(4)


def returning(answer, where=SolverPlacement.IN_THREADS):
    """A space whose solver gives what ``answer`` makes of the scores."""

    class Careless(sp.StructuredSpace):
        placement: ClassVar[SolverPlacement] = where
        shape = (3,)

        def _argmax(self, scores):
            return answer(scores)

        def contains(self, y):
            return torch.ones(y.shape[:-1], dtype=torch.bool)

    return Careless()


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def scores_of(*shape, dtype=torch.float32):
    return torch.randn(*shape, dtype=dtype, generator=torch.Generator().manual_seed(0))


every_place = pytest.mark.parametrize("placement", SolverPlacement, ids=str)


# --- a space of one's own


@every_place
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize("batch", [(), (0,), (9,), (3, 2)])
def test_a_space_of_ones_own_works_wherever_it_runs(placement, dtype, batch):
    space = even_subset(placement)
    scores = scores_of(*batch, 4, dtype=dtype)
    y = space.argmax(scores)
    assert y.shape == scores.shape
    assert y.dtype == dtype
    assert space.contains(y).all()
    members = torch.cartesian_prod(*[torch.tensor([0.0, 1.0])] * 4)
    members = members[space.contains(members)].double()  # (8, 4)
    best = (scores.double() @ members.mT).amax(-1)
    torch.testing.assert_close((scores * y).double().sum(-1), best, rtol=0, atol=1e-6)


@every_place
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64], ids=str)
def test_the_solver_gets_detached_scores_in_the_precision_of_its_place(placement, dtype):
    seen = []
    scores = scores_of(3, 3, 4, dtype=dtype).requires_grad_()
    even_subset(placement, seen).argmax(scores)
    wanted = torch.promote_types(dtype, torch.float32) if placement is SolverPlacement.ON_DEVICE else torch.float64
    assert all(given.dtype == wanted and given.ndim == 2 and not given.requires_grad for _, given in seen)
    rows = torch.cat([given for _, given in seen])
    assert sorted(rows.tolist()) == sorted(scores.detach().to(wanted).flatten(0, 1).tolist())


def test_on_the_device_numbers_whose_sums_could_overflow_are_solved_in_float64():
    for scores, dtype in [
        (torch.tensor([1e38, 0, 0, 0]), torch.float64),
        (torch.tensor([-1e38, 0, 0, -torch.inf]), torch.float64),
        (torch.tensor([1e30, 0, 0, -torch.inf]), torch.float32),
        (torch.tensor([-1e38, 0, 0, 0]), torch.float64),
        (torch.tensor([1e38, 0, 0, 0], dtype=torch.bfloat16), torch.float64),
        (torch.tensor([65504.0, 0, 0, 0], dtype=torch.float16), torch.float32),
    ]:
        seen = []
        y = even_subset(SolverPlacement.ON_DEVICE, seen).argmax(scores)
        assert [given.dtype for _, given in seen] == [dtype]
        assert y.dtype == scores.dtype


@pytest.mark.parametrize("placement", [SolverPlacement.ON_CPU, SolverPlacement.ON_DEVICE], ids=str)
def test_outside_threads_one_call_in_the_callers_thread_gets_the_whole_batch(placement):
    seen = []
    even_subset(placement, seen).argmax(scores_of(9, 4))
    assert [(thread, len(given)) for thread, given in seen] == [(threading.current_thread(), 9)]


def test_in_threads_each_call_gets_a_part_of_the_batch():
    seen = []
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        with threads_for_all():
            even_subset(SolverPlacement.IN_THREADS, seen).argmax(scores_of(9, 4))
    finally:
        torch.set_num_threads(before)
    assert len(seen) > 1
    assert {thread for thread, _ in seen} - {threading.current_thread()}
    assert sum(len(given) for _, given in seen) == 9


def test_a_cpu_solver_gets_contiguous_scores():
    seen = []
    even_subset(SolverPlacement.IN_THREADS, seen).argmax(scores_of(4, 9, dtype=torch.float64).mT)
    even_subset(SolverPlacement.ON_CPU, seen).argmax(scores_of(4, 9, dtype=torch.float64).mT)
    assert all(given.is_contiguous() for _, given in seen)


@every_place
def test_the_solver_is_not_called_for_an_empty_batch_nor_for_bad_scores(placement):
    seen = []
    space = even_subset(placement, seen)
    space.argmax(torch.zeros(0, 4))
    for bad in (torch.nan, torch.inf):
        with pytest.raises(sp.ArgumentError, match="expected finite numbers or -inf"):
            space.argmax(torch.full((2, 4), bad))
    assert seen == []


@every_place
def test_a_forbidden_part_is_never_used_by_a_space_of_ones_own(placement):
    scores = scores_of(9, 4)
    scores[:, 1] = -torch.inf
    assert even_subset(placement).argmax(scores)[:, 1].eq(0).all()


def test_structures_may_be_listed_or_not():
    with pytest.raises(NotImplementedError, match=re.escape("EvenSubset(n=3) does not enumerate its structures")):
        EvenSubset(3).enumerate()


def test_a_space_must_give_shape_solver_and_membership():
    class Half(sp.StructuredSpace):
        shape = (3,)

        def _argmax(self, scores):
            return scores

    with pytest.raises(TypeError, match=r"abstract.*contains"):
        Half()
    with pytest.raises(TypeError, match="abstract"):
        sp.StructuredSpace()


def test_variables_need_not_be_parts():
    class RowNoise(type(returning(None))):
        shape = (2, 3)
        noise_shape = (2,)

        def spread(self, noise):
            return noise[..., None].expand(*noise.shape, 3)

    space = RowNoise()
    assert space.spread(torch.ones(5, *space.noise_shape)).shape == (5, *space.shape)


# --- a solver that breaks the contract


@every_place
@pytest.mark.parametrize("examples", [1, 5])
@pytest.mark.parametrize(
    "answer",
    [
        lambda scores: scores[:, :2],
        lambda scores: scores[:, :, None],
        lambda scores: scores[0],
        lambda scores: scores[:0],
        lambda scores: scores.sum(),
        lambda scores: scores.numpy(),
        lambda scores: scores.tolist(),
        lambda scores: None,
    ],
    ids=["fewer parts", "more dimensions", "no batch", "no examples", "scalar", "array", "list", "None"],
)
def test_an_answer_of_another_shape_or_type_is_the_spaces_fault(placement, examples, answer):
    with pytest.raises(
        sp.SpaceError, match=r"^Careless\._argmax: expected to return a tensor of its scores' shape \(\d, 3\), but"
    ):
        returning(answer, placement).argmax(torch.zeros(examples, 3))


def test_the_message_says_what_was_returned():
    returned = "its scores' shape (5, 3), but it returned a float64 tensor of shape (5, 2)"
    with pytest.raises(sp.SpaceError, match=re.escape(returned)):
        returning(lambda scores: scores[:, :2], SolverPlacement.ON_CPU).argmax(torch.zeros(5, 3))
    with pytest.raises(sp.SpaceError, match="but it returned ndarray"):
        returning(lambda scores: scores.numpy(), SolverPlacement.ON_CPU).argmax(torch.zeros(5, 3))


@every_place
def test_a_solvers_own_error_reaches_the_caller(placement):
    def fail(scores):
        raise ZeroDivisionError("in the solver")

    with pytest.raises(ZeroDivisionError, match="in the solver"):
        returning(fail, placement).argmax(torch.zeros(5, 3))


# --- naming examples


def infeasible(*shape, forbidden):
    scores = torch.zeros(*shape, 2)
    for example in forbidden:
        scores[example] = -torch.inf
    return scores


@pytest.mark.parametrize(
    ("scores", "named"),
    [
        (infeasible(forbidden=[...]), "the only example"),
        (infeasible(1, forbidden=[0]), "example 0"),
        (infeasible(4, forbidden=[2]), "example 2"),
        (infeasible(4, forbidden=[3, 0]), "examples 0, 3"),
        (infeasible(9, forbidden=[0, 1, 2, 3, 8]), "examples 0, 1, 2, 3, 8"),
        (infeasible(9, forbidden=range(1, 9)), "examples 1, 2, 3, 4, 5 and 3 more"),
        (infeasible(2, 3, forbidden=[(1, 2)]), "example (1, 2)"),
        (infeasible(2, 3, forbidden=[(1, 2), (0, 1)]), "examples (0, 1), (1, 2)"),
    ],
)
@every_place
def test_infeasible_examples_are_named_by_index(placement, scores, named):
    class Choice(sp.StructuredSpace):
        shape = (2,)

        def _argmax(self, scores):
            return torch.nn.functional.one_hot(scores.argmax(-1), 2)

        def contains(self, y):
            return y.sum(-1) == 1

    Choice.placement = placement
    message = f"scores: every structure needs a part forbidden by -inf in {named}; allow more parts there"
    with pytest.raises(sp.InfeasibleError, match=re.escape(message) + "$") as caught:
        Choice().argmax(scores)
    assert caught.value.examples == [tuple(index) for index in scores.isneginf().all(-1).nonzero().tolist()]


def test_targets_outside_the_space_are_named_the_same_way():
    target = torch.zeros(2, 3, 4)
    target[0, 2, 0] = target[1, 1, 3] = 1
    message = re.escape("target: expected structures of EvenSubset(n=4), got others in examples (0, 2), (1, 1); ")
    with pytest.raises(sp.ArgumentError, match=message):
        EvenSubset(4).hamming(target)


def test_check_members_returns_the_members():
    y = torch.tensor([[1, 1, 0, 0], [0, 0, 0, 0]])
    assert EvenSubset(4).validate_members("y", y) is y


# --- helpers


def test_batch_shape_is_what_stands_before_the_structure():
    space = sp.Matching(2, 3)
    for batch in [(), (5,), (0,), (4, 5)]:
        assert space.batch_shape("scores", torch.zeros(*batch, 2, 3)) == batch


def test_where_all_costs_are_0_every_structure_is_the_best():
    space, best = sp.KSubset(4, 2), torch.tensor([[1.0, 0.0, 0.0, 1.0]])
    assert torch.equal(space.regret(torch.zeros(1, 4), best)(best), torch.zeros(1))


def test_score_is_differentiated_for_structures_too_and_at_parts_that_they_do_not_have():
    scores = torch.tensor([[1.0, 2.0, -torch.inf], [3.0, torch.nan, 5.0]], requires_grad=True)
    y = torch.tensor([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]], requires_grad=True)
    value = sp.OneHot(3).score(scores, y)
    assert value.tolist() == [2.0, 3.0]
    for_scores, for_y = torch.autograd.grad(value.sum(), [scores, y])
    assert torch.equal(for_scores, y.detach())
    assert for_y.tolist() == [[1.0, 2.0, 0.0], [3.0, 0.0, 5.0]]
