"""Linear spaces and time limits, gaps, threads, forks and memory."""

import re
from pathlib import Path

import numpy as np
import ortools.linear_solver.pywraplp as pywraplp
import pytest
import torch
from scipy.optimize import LinearConstraint

import structpred as sp
from structpred.spaces._integer_program.solvers import Model
from tests.forks import needs_fork, status_of_forked_child

Solver = sp.LinearSolver
RNG = np.random.default_rng(0)
WEIGHTS = RNG.integers(1, 1000, (8, 90))
# Worth what they weigh, nearly: such knapsacks take very long to be proven, and have structures at once.
HARD = torch.from_numpy(WEIGHTS.mean(0) + RNG.random(90))
# Equations that a random vector fulfils, of which finding it again takes very long.
SPLIT = RNG.integers(1, 99, (4, 40))
SUMS = SPLIT @ RNG.integers(0, 2, 40)


def knapsack(**arguments):
    return sp.IntegerProgram(90, LinearConstraint(WEIGHTS, ub=WEIGHTS.sum(1) // 2), **arguments)


def market_split(**arguments):
    return sp.IntegerProgram(40, LinearConstraint(SPLIT, SUMS, SUMS), **arguments)


def scores_with_a_hard_example(*batch, at):
    scores = torch.zeros(*batch, 90, dtype=torch.float64)
    scores[at] = HARD
    return scores


@pytest.fixture(autouse=True)
def _restore_threads():
    before = torch.get_num_threads()
    yield
    torch.set_num_threads(before)


# --- time limits


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize(
    ("batch", "at", "named"),
    [((), ..., "the only example"), ((9,), 7, "example 7"), ((3, 2), (2, 0), "example (2, 0)")],
)
def test_a_time_out_names_the_example(batch, at, named, threads):
    torch.set_num_threads(threads)
    space = knapsack(time_limit=0.3)
    message = f"scores: the time limit ended the search in {named}; allow more time, a gap, or an incumbent"
    with pytest.raises(sp.SolverTimeoutError, match=re.escape(message) + "$") as caught:
        space.argmax(scores_with_a_hard_example(*batch, at=at))
    assert len(caught.value.examples) == 1


@pytest.mark.parametrize("solver", [Solver.SCIP, Solver.CP_SAT], ids=repr)
def test_an_incumbent_is_taken_with_a_warning_that_names_the_examples(solver):
    space = knapsack(time_limit=0.3, accept_incumbent=True, solver=solver)
    scores = scores_with_a_hard_example(2, 2, at=(1, 0))
    scores[0, 1] = HARD.flip(0)
    message = "the time limit ended the search in examples (0, 1), (1, 0); the best structure found is taken"
    with pytest.warns(sp.SolverTimeoutWarning, match=re.escape(message)) as caught:
        y = space.argmax(scores.float())
    assert caught[0].filename == __file__
    assert y.dtype == torch.float32
    assert space.contains(y).all()
    assert space.score(scores, y)[1, 0] > 0.8 * HARD.sum() / 2


@pytest.mark.parametrize("solver", [Solver.SCIP, Solver.CP_SAT, Solver.HIGHS], ids=repr)
@pytest.mark.parametrize("accept", [False, True])
def test_without_an_incumbent_a_time_out_is_an_error_in_any_case(solver, accept):
    space = market_split(time_limit=0.05, solver=solver, accept_incumbent=accept)
    with pytest.raises(sp.SolverTimeoutError, match=r"ended the search in example(s 0, 1| 0| 1); "):
        space.argmax(torch.ones(2, 40))


def test_after_a_time_out_the_rest_of_the_batch_is_not_solved(monkeypatch):
    torch.set_num_threads(1)
    solved = []
    maximize = Model.maximize
    monkeypatch.setattr(Model, "maximize", lambda *args, **how: solved.append(args) or maximize(*args, **how))
    with pytest.raises(sp.SolverTimeoutError, match="in example 1;"):
        knapsack(time_limit=0.2).argmax(scores_with_a_hard_example(9, at=slice(1, 9)))
    assert len(solved) == 2


@pytest.mark.parametrize("solver", [Solver.GLOP, Solver.PDLP], ids=repr)
def test_relaxations_run_out_of_time_too(solver):
    rows = np.vstack([np.kron(np.eye(60), np.ones((1, 60))), np.kron(np.ones((1, 60)), np.eye(60))])
    space = sp.IntegerProgram((60, 60), LinearConstraint(rows, 1, 1), integrality=0, solver=solver, time_limit=1e-9)
    with pytest.raises(sp.SolverTimeoutError, match="in example 0;"):
        space.argmax(torch.randn(1, 60, 60, generator=torch.Generator().manual_seed(0)))


def test_within_its_limit_a_space_answers_as_without():
    space = sp.IntegerProgram(5, LinearConstraint(np.ones(5), 2, 2), time_limit=60)
    scores = torch.randn(7, 5, generator=torch.Generator().manual_seed(0))
    assert torch.equal(space.argmax(scores), sp.KSubset(5, 2).argmax(scores))
    scores[3] = -torch.inf
    with pytest.raises(sp.InfeasibleError, match="in example 3;"):
        space.argmax(scores)


def test_a_time_out_in_search_of_auxiliary_variables_names_the_example():
    model = pywraplp.Solver.CreateSolver("SCIP")
    parts = [model.BoolVar("")]
    others = [model.BoolVar("") for _ in range(40)]
    for row in SPLIT.tolist():
        model.Add(sum(a * x for a, x in zip(row, others, strict=True)) == sum(row) // 2 + parts[0])
    space = sp.IntegerProgram.from_model(model, parts, time_limit=0.05)
    with pytest.raises(sp.SolverTimeoutError, match=r"in example \(0, 1\);"):
        space.contains(torch.tensor([[[0.5], [1.0]]]))


def test_a_gap_ends_the_search_early_and_holds():
    space = knapsack(gap=0.2)
    y = space.argmax(HARD)
    assert space.contains(y)
    relaxed = knapsack(integrality=0)
    assert space.score(HARD, y) > relaxed.score(HARD, relaxed.argmax(HARD)) / 1.2 - 1e-6


# --- threads, forks, memory


@pytest.mark.parametrize("solver", Solver, ids=repr)
def test_any_number_of_threads_and_any_history_give_the_same_values(solver):
    whole = solver not in (Solver.GLOP, Solver.PDLP)
    space = sp.IntegerProgram(12, LinearConstraint(WEIGHTS[:2, :12], ub=3000), integrality=int(whole), solver=solver)
    scores = torch.randn(30, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    answers = []
    for threads in (1, 2, 3):
        torch.set_num_threads(threads)
        answers += [space.argmax(scores), space.argmax(scores.flip(0)).flip(0)]
    assert all(torch.equal(answer, answers[0]) for answer in answers)
    alone = torch.stack([space.argmax(example) for example in scores])
    assert torch.equal(alone, answers[0])


@needs_fork
def test_a_forked_child_solves_after_its_parent():
    torch.set_num_threads(2)
    space = sp.IntegerProgram(12, LinearConstraint(WEIGHTS[:2, :12], ub=3000))
    scores = torch.randn(8, 12, generator=torch.Generator().manual_seed(0))
    expected = space.argmax(scores)
    assert status_of_forked_child(lambda: torch.equal(space.argmax(scores), expected)) == 0


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads Linux's /proc")
def test_memory_does_not_grow_over_calls_and_spaces():
    def resident():
        return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0]) / 1024

    def use(times):
        for size in range(times):
            rows = np.ones((20, 1000))
            rows[0, 0] = size
            space = sp.IntegerProgram(1000, LinearConstraint(rows, ub=2000), integrality=0)  # a model of some 300 KiB
            space.argmax(torch.ones(2, 1000))

    use(10)
    before = resident()
    use(150)
    assert resident() - before < 15  # MiB; 45 if each model stayed


def test_the_solvers_print_nothing(capfd):
    for solver in Solver:
        whole = solver not in (Solver.GLOP, Solver.PDLP)
        sp.IntegerProgram(3, LinearConstraint([1, 1, 1], 1, 2), integrality=int(whole), solver=solver).argmax(
            torch.ones(3)
        )
    assert capfd.readouterr() == ("", "")
