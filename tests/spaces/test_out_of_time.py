"""A solver that runs out of time: which rows are named, and what is answered."""

import re
from typing import ClassVar

import pytest
import torch

import structpred as sp
from structpred import SolverPlacement
from structpred._threads import threads_for_all

every_place = pytest.mark.parametrize("placement", SolverPlacement, ids=str)


@pytest.fixture(autouse=True)
def _two_threads():
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(before)


def solved_by(solve, where=SolverPlacement.ON_CPU):
    """A space of three parts with this solver."""

    class Timed(sp.StructuredSpace):
        placement: ClassVar[SolverPlacement] = where
        shape = (3,)

        def _argmax(self, scores):
            return solve(scores)

        def contains(self, y):
            return torch.ones(y.shape[:-1], dtype=torch.bool)

    return Timed()


def out_of_time(rows, answer=None):
    def fail(scores):
        raise sp.OutOfTimeError(rows, None if answer is None else torch.full_like(scores, answer))

    return solved_by(fail)


def test_rows_out_of_time_are_named_by_their_batch_indices():
    with pytest.raises(
        sp.SolverTimeoutError, match=re.escape("ended the search in examples (0, 2), (1, 1); ")
    ) as caught:
        out_of_time([4, 2]).argmax(torch.zeros(2, 3, 3))
    assert caught.value.examples == [(0, 2), (1, 1)]
    with pytest.raises(sp.SolverTimeoutError, match="in the only example;"):
        out_of_time([0]).argmax(torch.zeros(3))


def test_an_answer_out_of_time_is_taken_with_a_warning():
    with pytest.warns(
        sp.SolverTimeoutWarning, match="^the time limit ended the search in example 4; the best"
    ) as caught:
        y = out_of_time([4], 1.0).argmax(torch.zeros(5, 3, dtype=torch.float16))
    assert caught[0].filename == __file__
    assert y.dtype == torch.float16
    assert y.eq(1).all()


def test_an_answer_out_of_time_must_do_without_forbidden_parts():
    scores = torch.zeros(5, 3)
    scores[2, 0] = -torch.inf
    with pytest.warns(sp.SolverTimeoutWarning), pytest.raises(sp.InfeasibleError, match="in example 2;"):
        out_of_time([4], 1.0).argmax(scores)


@pytest.mark.parametrize("answered", [True, False])
@every_place
def test_rows_out_of_time_are_counted_in_the_whole_batch(placement, answered):
    def solve(scores):
        late = scores[:, 0].gt(0).nonzero().flatten().tolist()
        y = scores.eq(0).double()
        if late:
            raise sp.OutOfTimeError(late, y if answered else None)
        return y

    scores = torch.zeros(200, 3)
    scores[150, 0] = 1
    space = solved_by(solve, placement)
    with threads_for_all():
        if answered:
            scores[[7, 199], 0] = 1
            with pytest.warns(sp.SolverTimeoutWarning, match="in examples 7, 150, 199;"):
                assert torch.equal(space.argmax(scores), scores.eq(0).float())
        else:
            with pytest.raises(sp.SolverTimeoutError, match="in example 150;"):
                space.argmax(scores)
