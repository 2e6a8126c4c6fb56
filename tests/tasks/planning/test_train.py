"""Training many seeds together is training each alone; it learns; and it is the plain loop that one would write."""

import attrs
import pytest
import torch
from torch import nn

from tasks.planning.data import Instances, Knapsacks, Rows, ShortestPaths
from tasks.planning.networks import cost_networks
from tasks.planning.objectives import Method, objective
from tasks.planning.regret import normalised_regret
from tasks.planning.seeds import Stream, generators
from tasks.planning.train import Training, train, untrained

SEEDS = [100_000, 100_001, 100_002]
GRID = ShortestPaths(height=3, width=3, train_rows=50, test_rows=100, noise_width=0.25)
SHORT = Training(epochs=3, batch_size=16)


def regret(networks: nn.Module, instances: Instances) -> torch.Tensor:
    test = instances.test
    return normalised_regret(instances.space, networks(test.features), test)


def parameters(networks: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in networks.parameters()]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("training", [SHORT, attrs.evolve(SHORT, hidden=8, averaged=False)], ids=["linear", "mlp"])
@pytest.mark.parametrize("method", Method)
def test_seeds_together_are_each_of_them_alone(training: Training, method: Method) -> None:
    def trained(seeds: list[int]) -> tuple[list[torch.Tensor], torch.Tensor]:
        (instances,) = GRID.draw(seeds)
        losses: list[torch.Tensor] = []
        loss = objective(method, instances, [method.default] * len(seeds))
        networks = train(training, instances, loss, lambda _, loss: losses.append(loss))
        return parameters(networks), torch.stack(losses, dim=1)

    together, losses = trained(SEEDS)
    for index, seed in enumerate(SEEDS):
        alone, own_losses = trained([seed])
        torch.testing.assert_close([parameter[index] for parameter in together], [own[0] for own in alone])
        torch.testing.assert_close(losses[index], own_losses[0])


@pytest.mark.parametrize("averaged", [False, True])
def test_it_is_the_plain_loop_with_one_network(averaged: bool) -> None:
    (instances,) = GRID.draw(SEEDS[:1])
    training = attrs.evolve(SHORT, averaged=averaged)
    x, costs = instances.train.features[0], instances.train.costs[0] / instances.train.costs[0].mean()
    network = cost_networks(5, 12, (), generators(SEEDS[:1], Stream.WEIGHTS))
    optimizer = torch.optim.Adam(network.parameters(), lr=training.learning_rate)
    (shuffling,) = generators(SEEDS[:1], Stream.ORDER)
    weights, losses = [], []
    for epoch in range(3):
        order, total = torch.randperm(50, generator=shuffling), 0.0
        for index in order.split(16):  # 16, 16, 16 and 2
            loss = nn.functional.mse_loss(network(x[None, index])[0], costs[index])
            total += loss.item() * len(index)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            if averaged and epoch >= 2:  # the second half of three
                weights.append([parameter.clone() for parameter in parameters(network)])
        losses.append(total / 50)
    wanted = parameters(network)
    if averaged:
        wanted = [torch.stack(steps).mean(0) for steps in zip(*weights, strict=True)]

    seen: list[tuple[int, float]] = []
    squared_error = objective(Method.MSE, instances, [1.0])
    networks = train(training, instances, squared_error, lambda epoch, loss: seen.append((epoch, loss.item())))
    torch.testing.assert_close(parameters(networks), wanted)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [loss for _, loss in seen] == pytest.approx(losses, rel=1e-5)


def test_every_row_of_every_seed_is_used_once_an_epoch_in_an_order_of_its_own() -> None:
    (instances,) = GRID.draw(SEEDS)
    used: list[torch.Tensor] = []
    squared_error = objective(Method.MSE, instances, [1.0] * 3)

    def keep(scores: torch.Tensor, rows: Rows) -> torch.Tensor:
        used.append(rows.features[..., 0])
        return squared_error(scores, rows)

    train(attrs.evolve(SHORT, epochs=2), instances, keep)
    assert [step.shape[1] for step in used] == [16, 16, 16, 2] * 2
    first, second = torch.cat(used[:4], dim=1), torch.cat(used[4:], dim=1)
    for epoch in (first, second):
        assert torch.equal(epoch.sort().values, instances.train.features[..., 0].sort().values)
    assert not torch.equal(first, second)
    orders = [torch.searchsorted(*pair) for pair in zip(first.sort().values, first, strict=True)]
    assert not torch.equal(orders[0], orders[1])


def test_training_leaves_the_global_generator_alone() -> None:
    (instances,) = GRID.draw(SEEDS[:1])
    torch.manual_seed(0)
    before = torch.get_rng_state()
    train(SHORT, instances, objective(Method.DIRECT, instances, [1.0]))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "problem", [GRID, Knapsacks(items=12, train_rows=50, test_rows=100, noise_width=0)], ids=["paths", "knapsacks"]
)
@pytest.mark.parametrize("method", [Method.MSE, Method.DIRECT, Method.FENCHEL_YOUNG, Method.SPO_PLUS])
def test_regret_falls(problem: ShortestPaths | Knapsacks, method: Method) -> None:
    for instances in problem.draw(SEEDS):
        training = Training(epochs=20, batch_size=16, learning_rate=0.05)
        before = regret(untrained(training, instances), instances)
        loss = objective(method, instances, [method.default] * len(instances.seeds))
        after = regret(train(training, instances, loss), instances)
        assert (after < before / 2).all(), (before, after)


@pytest.mark.parametrize("unit", [2.0**-10, 2.0**10])
@pytest.mark.parametrize("method", [Method.DIRECT, Method.SPO_PLUS])
def test_the_unit_of_the_costs_changes_nothing(method: Method, unit: float) -> None:
    (instances,) = GRID.draw(SEEDS)
    own = instances.train
    other = attrs.evolve(instances, train=Rows(own.features, unit * own.costs, own.solutions))
    networks = [train(SHORT, it, objective(method, it, [method.default] * 3)) for it in (instances, other)]
    for one, two in zip(*map(parameters, networks), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "'epochs' must be >= 1: 0"),
        ({"batch_size": 0}, "'batch_size' must be >= 1: 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected a positive finite number, got 0.0"),
        ({"hidden": 0}, "must be >= 1: 0"),
    ],
)
def test_settings_that_train_nothing_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Training(**settings)
