"""Training many seeds together is training each alone; it learns; and it is the plain loop that one would write."""

import attrs
import pytest
import torch
from torch import nn

from tasks.planning.data import Instances, Knapsacks, Rows, ShortestPaths
from tasks.planning.networks import cost_networks
from tasks.planning.objectives import perturbed_direct_loss, squared_error
from tasks.planning.regret import normalised_regret
from tasks.planning.seeds import Stream, generators
from tasks.planning.train import Training, train

SEEDS = [100_000, 100_001, 100_002]
GRID = ShortestPaths(height=3, width=3, train_rows=50, test_rows=100, noise_width=0.25)
SHORT = Training(epochs=3, batch_size=16)


def regret(networks: nn.Module, instances: Instances) -> torch.Tensor:
    test = instances.test
    return normalised_regret(instances.space, networks(test.features), test)


def parameters(networks: nn.Module) -> list[torch.Tensor]:
    return [parameter.detach() for parameter in networks.parameters()]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("training", [SHORT, attrs.evolve(SHORT, hidden=(8,), average_from=1)], ids=["linear", "mlp"])
@pytest.mark.parametrize("direct", [False, True], ids=["squared", "direct"])
def test_seeds_together_are_each_of_them_alone(training: Training, direct: bool) -> None:
    def trained(seeds: list[int]) -> tuple[list[torch.Tensor], torch.Tensor]:
        (instances,) = GRID.draw(seeds)
        losses: list[torch.Tensor] = []
        objective = perturbed_direct_loss(instances, num_samples=2) if direct else squared_error
        networks = train(training, instances, objective, lambda _, loss: losses.append(loss))
        return parameters(networks), torch.stack(losses, dim=1)

    together, losses = trained(SEEDS)
    for index, seed in enumerate(SEEDS):
        alone, own_losses = trained([seed])
        torch.testing.assert_close([parameter[index] for parameter in together], [own[0] for own in alone])
        torch.testing.assert_close(losses[index], own_losses[0])


@pytest.mark.parametrize("average_from", [None, 0, 2])
def test_it_is_the_plain_loop_with_one_network(average_from: int | None) -> None:
    (instances,) = GRID.draw(SEEDS[:1])
    training = attrs.evolve(SHORT, average_from=average_from)
    x, costs = instances.train.features[0], instances.train.costs[0]
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
            if average_from is not None and epoch >= average_from:
                weights.append([parameter.clone() for parameter in parameters(network)])
        losses.append(total / 50)
    wanted = parameters(network)
    if average_from is not None:
        wanted = [torch.stack(steps).mean(0) for steps in zip(*weights, strict=True)]

    seen: list[tuple[int, float]] = []
    networks = train(training, instances, squared_error, lambda epoch, loss: seen.append((epoch, loss.item())))
    torch.testing.assert_close(parameters(networks), wanted)
    assert [epoch for epoch, _ in seen] == [1, 2, 3]
    assert [loss for _, loss in seen] == pytest.approx(losses, rel=1e-5)


def test_every_row_of_every_seed_is_used_once_an_epoch_in_an_order_of_its_own() -> None:
    (instances,) = GRID.draw(SEEDS)
    used: list[torch.Tensor] = []

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
    train(SHORT, instances, perturbed_direct_loss(instances))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "problem", [GRID, Knapsacks(items=12, train_rows=50, test_rows=100, noise_width=0)], ids=["paths", "knapsacks"]
)
@pytest.mark.parametrize("direct", [False, True], ids=["squared", "direct"])
def test_regret_falls(problem: ShortestPaths | Knapsacks, direct: bool) -> None:
    for instances in problem.draw(SEEDS):
        training = Training(epochs=20, batch_size=16, learning_rate=0.05, average_from=10)
        untrained = regret(train(attrs.evolve(training, learning_rate=1e-9), instances, squared_error), instances)
        objective = perturbed_direct_loss(instances, num_samples=2) if direct else squared_error
        trained = regret(train(training, instances, objective), instances)
        assert (trained < untrained / 2).all(), (trained, untrained)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"epochs": 0}, "'epochs' must be >= 1: 0"),
        ({"batch_size": 0}, "'batch_size' must be >= 1: 0"),
        ({"learning_rate": 0.0}, "learning_rate: expected a positive finite number, got 0.0"),
        ({"hidden": (8, 0)}, "must be >= 1: 0"),
        ({"average_from": -1}, "'average_from' must be >= 0: -1"),
        ({"epochs": 5, "average_from": 5}, "average_from: expected an epoch before epochs = 5, got 5"),
    ],
)
def test_settings_that_train_nothing_are_refused(settings: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Training(**settings)
