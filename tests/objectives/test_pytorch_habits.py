"""What users of PyTorch do with a model: compile it, transform it, distribute it, load in workers, cast it."""

from __future__ import annotations

import pytest
import torch
import torch.multiprocessing
from torch import Tensor, nn

import structpred as sp

SPACE = sp.Matching(3)
TARGET = torch.eye(3).expand(4, 3, 3)


def x_of(seed: int) -> Tensor:
    return torch.randn(4, 5, generator=torch.Generator().manual_seed(seed))


class Model(nn.Module):
    """A network, the objective, and more network after it."""

    def __init__(self) -> None:
        super().__init__()
        self.score = nn.Sequential(nn.Linear(5, 9), nn.Unflatten(-1, (3, 3)))
        self.scale = nn.Sequential(nn.Linear(5, 1), nn.Softplus(), nn.Unflatten(-1, (1, 1)))
        self.objective = sp.PerturbedDirectLoss(SPACE, num_samples=10)

    def forward(self, x: Tensor, generator: torch.Generator | None = None) -> Tensor:
        loss = self.objective(self.score(x), SPACE.hamming(TARGET), scale=self.scale(x), generator=generator)
        return 3 * loss.relu() + 1


def gradients(model: nn.Module, call, x: Tensor) -> list[Tensor]:
    value = call(x, torch.Generator().manual_seed(0))
    return [value.detach(), *torch.autograd.grad(value, list(model.parameters()))]


# --- torch.compile

# What torch's own compiler warns of, within itself.
loading_the_compiler = pytest.mark.filterwarnings("ignore")


@loading_the_compiler
def test_a_compiled_model_breaks_its_graph_at_the_objective():
    torch.manual_seed(0)
    model = Model()
    graphs = []

    def backend(graph, inputs):
        graphs.append(graph)
        return graph.forward

    compiled = torch.compile(model, backend=backend)
    for got, expected in zip(gradients(model, compiled, x_of(0)), gradients(model, model, x_of(0)), strict=True):
        torch.testing.assert_close(got, expected)
    assert len(graphs) >= 2  # before and after
    torch._dynamo.reset()


@loading_the_compiler
def test_a_compiled_function_may_solve():
    compiled = torch.compile(lambda scores: 2 * SPACE.argmax(scores + 1) + 1, backend="eager")
    scores = torch.randn(4, 3, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(compiled(scores), 2 * SPACE.argmax(scores) + 1)
    torch._dynamo.reset()


# --- torch.func


@loading_the_compiler
@pytest.mark.parametrize(
    "transform",
    [
        lambda f: torch.func.grad(f),
        lambda f: torch.func.vmap(f, randomness="different"),
        lambda f: torch.func.vmap(f, in_dims=1, randomness="same"),
        lambda f: torch.func.jacrev(f),
        lambda f: lambda x: torch.func.jvp(f, (x,), (x,)),
    ],
    ids=["grad", "vmap", "vmap-1", "jacrev", "jvp"],
)
def test_transforms_of_torch_func_are_refused(transform):
    message = "scores: expected a plain tensor, got one inside a transform of torch.func; write "
    objective = sp.PerturbedDirectLoss(SPACE)
    for function in (lambda s: objective(s, SPACE.hamming(torch.eye(3))), lambda s: SPACE.argmax(s).sum()):
        with pytest.raises(sp.ArgumentError, match=message):
            transform(function)(torch.randn(3, 3, 3))


# --- distributed


def _rank(rank: int, meeting: str, results) -> None:
    torch.distributed.init_process_group("gloo", init_method=meeting, rank=rank, world_size=2)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = nn.parallel.DistributedDataParallel(nn.Linear(5, 9))
    torch.manual_seed(100 + rank)  # after the weights: each rank draws noise of its own
    solution = sp.PerturbedDirectLoss(SPACE).solve(network(x_of(rank)).unflatten(-1, (3, 3)), SPACE.hamming(TARGET))
    solution.loss.mean().backward()
    results.put((rank, solution.noise.tolist(), network.module.weight.grad.tolist()))
    torch.distributed.barrier()  # a rank that leaves first aborts the other
    torch.distributed.destroy_process_group()


@pytest.mark.skipif(not torch.distributed.is_available(), reason="torch is built without torch.distributed")
def test_ranks_share_gradients_and_draw_noise_of_their_own(tmp_path):
    meeting = (tmp_path / "meeting").as_uri()
    results = torch.multiprocessing.get_context("spawn").SimpleQueue()
    torch.multiprocessing.spawn(_rank, (meeting, results), nprocs=2)
    (_, one_noise, one_grad), (_, other_noise, other_grad) = (results.get() for _ in range(2))
    assert one_noise != other_noise
    assert one_grad == other_grad
    assert torch.tensor(one_grad).any()


# --- DataLoader


class Solved(torch.utils.data.Dataset):
    """Each example has its best structure, which the worker solves for."""

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Tensor, Tensor]:
        scores = torch.randn(6, 3, 3, generator=torch.Generator().manual_seed(index))
        return scores, SPACE.argmax(scores)


def test_spaces_solve_in_the_workers_of_a_data_loader():
    SPACE.argmax(torch.randn(100, 3, 3))  # the threads of this process are not those of its children
    for scores, y in torch.utils.data.DataLoader(Solved(), batch_size=4, num_workers=1):
        assert torch.equal(y, SPACE.argmax(scores))


# --- autocast


def test_under_autocast_the_objective_computes_in_float32():
    torch.manual_seed(0)
    model = Model()
    with torch.autocast("cpu", torch.bfloat16):
        scores = model.score(x_of(0))
        solution = model.objective.solve(scores, SPACE.hamming(TARGET), scale=model.scale(x_of(0)))
    assert scores.dtype == torch.bfloat16
    assert solution.loss.dtype == solution.gradient.dtype == solution.noise.dtype == torch.float32
    solution.loss.mean().backward()
    assert all(parameter.grad.dtype == torch.float32 and parameter.grad.any() for parameter in model.parameters())


# --- another loss beside it


@pytest.mark.parametrize("unit", [0.01, 1.0, 100.0])
def test_times_the_step_the_gradient_of_a_part_is_of_size_one_in_any_unit_of_the_loss(unit):
    scores = torch.randn(200, 3, 3, generator=torch.Generator().manual_seed(0), requires_grad=True)
    objective = sp.PerturbedDirectLoss(SPACE)
    wrong = sp.LinearLoss(unit * SPACE.hamming(torch.eye(3).expand(200, 3, 3)).coefficients, event_dims=2)
    solution = objective.solve(scores, wrong, generator=torch.Generator().manual_seed(0))
    (solution.loss.mean(0) * solution.epsilon.abs()).sum().backward()
    assert 0.9 < scores.grad.abs().max() <= 1
