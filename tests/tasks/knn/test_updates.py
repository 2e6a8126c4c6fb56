"""What a step changes, in which network and by how much, and where and how it computes."""

import attrs
import pytest
import torch
from torch import Tensor, nn

from tasks.common.settings import Optimizer, Scale
from tasks.knn.config import Execution, Run, Schedule, Training
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import CPU, HELD_OUT, TINY, TRAIN, Watch, trained, trainer_of

LEAST_SCALE = 1e-6


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def unchanged(before: list[Tensor], network: nn.Module) -> list[bool]:
    """For each parameter whether it is, bit for bit, what it was."""
    return [torch.equal(was, parameter) for was, parameter in zip(before, network.parameters(), strict=True)]


# Sigma.


def test_learned_sigma_is_one_for_each_query_image_and_its_network_learns() -> None:
    trainer = trainer_of(Scale.LEARNED)
    watch, before = Watch(trainer), weights(trainer.scale_network)
    queries, _ = trainer.batches(0)
    with torch.no_grad():
        expected = trainer.scale_network(TRAIN.pixels[queries])
    trained(trainer, 4)
    torch.testing.assert_close(watch.scales[0], expected)
    assert expected.shape == (10, 1)
    assert len(expected.unique()) == 10
    assert not any(unchanged(before, trainer.scale_network))


def test_a_sigma_that_went_to_zero_stays_a_scale() -> None:
    trainer = trainer_of(Scale.LEARNED)
    watch = Watch(trainer)
    with torch.no_grad():
        trainer.scale_network[2].bias.fill_(-1000)  # Softplus rounds it to 0
    trained(trainer, 1)
    assert watch.scales[0].unique().tolist() == [pytest.approx(LEAST_SCALE)]
    assert trainer.measures.scale == pytest.approx(LEAST_SCALE)


def test_sigmas_optimizer_and_both_rates_are_the_trainings() -> None:
    trainer = trainer_of(scale_optimizer=Optimizer.SGD, scale_rate=0.25)
    before = weights(trainer.scale_network)
    trained(trainer, 1)
    for was, parameter in zip(before, trainer.scale_network.parameters(), strict=True):
        torch.testing.assert_close(parameter.detach(), was - 0.25 * parameter.grad)

    trainer = trainer_of(scale_optimizer=Optimizer.ADAM, scale_rate=0.25, rate=0.5)
    for network, rate in ((trainer.scale_network, 0.25), (trainer.embedding, 0.5)):
        before = weights(network)
        trainer.update(sum(parameter.sum() for parameter in network.parameters()))  # every gradient is 1
        for was, parameter in zip(before, network.parameters(), strict=True):
            torch.testing.assert_close(parameter.detach(), was - rate)  # as Adam's first step is its rate


def rates(training: Training) -> list[float]:
    trainer = Trainer(Run(training, 3, Scale.NONE, 0), TRAIN, HELD_OUT[:0], CPU)
    used = []
    while not trainer.finished:
        used.append(trainer.state()["optimizer"]["param_groups"][0]["lr"])
        trainer.step()
    return used


def test_a_constant_rate_stays_and_a_one_cycle_rate_goes_up_for_a_quarter_and_down_to_nearly_nothing() -> None:
    assert rates(attrs.evolve(TINY, rate=0.01)) == [0.01] * 9
    cycle = rates(attrs.evolve(TINY, rate=0.01, schedule=Schedule.ONE_CYCLE, epochs=4))  # 12 steps
    top = cycle.index(max(cycle))
    assert top in (2, 3)
    assert cycle[top] == pytest.approx(0.01, rel=0.05)
    assert cycle == sorted(cycle[:top]) + sorted(cycle[top:], reverse=True)
    assert max(cycle[0], cycle[-1]) < 0.001


# Where and how.


@pytest.mark.parametrize("bf16", [True, False])
def test_distances_scores_and_sigma_are_float32_whatever_the_networks_compute_in(bf16: bool) -> None:
    trainer = trainer_of(execution=Execution(device="cpu", bf16=bf16))
    watch = Watch(trainer)
    for given in trainer.embed(*trainer.batches(0)):
        assert given.dtype == torch.float32
        assert torch.equal(given, given.bfloat16().float()) == bf16  # where the networks computed in it
    trained(trainer, 2)
    for scores, sigma, loss, solution in zip(watch.scores, watch.scales, watch.losses, watch.solutions, strict=True):
        for tensor in (scores, sigma, loss.coefficients, solution.loss, solution.gradient):
            assert tensor.dtype == torch.float32
    assert not torch.equal(watch.scores[0], watch.scores[0].bfloat16().float())


def test_networks_are_compiled_and_channels_last_as_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[nn.Module] = []
    monkeypatch.setattr(nn.Module, "compile", lambda network: compiled.append(network))
    for asked in (False, True):
        trainer = trainer_of(execution=Execution(device="cpu", compile=asked, channels_last=asked))
        networks = [trainer.embedding, trainer.scale_network]
        assert compiled == (networks if asked else [])
        filters = [p for network in networks for p in network.parameters() if p.ndim == 4 and p.shape[1] > 1]
        assert [p.is_contiguous(memory_format=torch.channels_last) for p in filters] == [asked] * 2
