"""What a step changes, in which network and by how much, and where and how it computes."""

import attrs
import pytest
import torch
from tiny_knn import CPU, HELD_OUT, TINY, TRAIN, Watch, trained, trainer_of
from torch import Tensor, nn

from tasks.common.settings import Optimizer, Scale
from tasks.knn.config import Execution, Run, Schedule, Training
from tasks.knn.train import Trainer

LEAST_SCALE = 1e-6


def weights(network: nn.Module) -> list[Tensor]:
    return [parameter.detach().clone() for parameter in network.parameters()]


def unchanged(before: list[Tensor], network: nn.Module) -> list[bool]:
    """For each parameter whether it is, bit for bit, what it was."""
    return [torch.equal(was, parameter) for was, parameter in zip(before, network.parameters(), strict=True)]


# Sigma.


def test_sigma_none_and_one_are_given_as_such_and_their_network_rests() -> None:
    for scale, given in ((Scale.NONE, None), (Scale.ONE, 1.0)):
        trainer = trainer_of(scale)
        watch, before = Watch(trainer), weights(trainer.scale_network)
        trained(trainer, 4)
        assert watch.scales == [given] * 4
        assert all(parameter.grad is None for parameter in trainer.scale_network.parameters())
        assert all(unchanged(before, trainer.scale_network))
        assert all((solution.noise is None) == (scale is Scale.NONE) for solution in watch.solutions)


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
    gradients = [parameter.grad for parameter in trainer.scale_network.parameters()]
    assert all(gradient is not None and gradient.any() for gradient in gradients)
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


def test_each_seed_has_networks_of_its_own_and_the_two_of_a_run_have_nothing_in_common() -> None:
    first, again, other = (trainer_of(seed=seed) for seed in (0, 0, 1))
    for name in ("embedding", "scale_network"):
        before = weights(getattr(first, name))
        assert all(unchanged(before, getattr(again, name)))
        assert not any(unchanged(before, getattr(other, name)))
    (one, *_), (two, *_) = weights(first.embedding), weights(first.scale_network)
    assert one.shape == two.shape == (20, 1, 5, 5)
    assert not torch.equal(one, two)


def rates(training: Training) -> list[float]:
    trainer = Trainer(Run(training, 3, Scale.NONE, 0), TRAIN, HELD_OUT[:0], CPU)
    used = []
    while not trainer.finished:
        used.append(trainer.state()["optimizer"]["param_groups"][0]["lr"])
        trainer.step()
    return used


def test_a_constant_rate_stays_and_a_one_cycle_rate_goes_up_for_a_quarter_and_down_to_nearly_nothing() -> None:
    assert rates(attrs.evolve(TINY, rate=0.01)) == [0.01] * 9
    cycle = rates(attrs.evolve(TINY, rate=0.01, schedule=Schedule.ONE_CYCLE, epochs=8))  # 24 steps
    top = cycle.index(max(cycle))
    assert top in (5, 6)
    assert cycle[top] == pytest.approx(0.01, rel=0.05)
    assert cycle[: top + 1] == sorted(cycle[: top + 1])
    assert cycle[top:] == sorted(cycle[top:], reverse=True)
    assert cycle[0] < 0.001
    assert cycle[-1] < 0.0002


# Where and how.


@pytest.mark.parametrize("bf16", [True, False])
def test_distances_scores_and_sigma_are_float32_whatever_the_networks_compute_in(bf16: bool) -> None:
    trainer = trainer_of(execution=Execution(device="cpu", bf16=bf16))
    watch = Watch(trainer)
    embedded, scale = trainer.embed(*trainer.batches(0))
    for given in (embedded, scale):
        assert given.dtype == torch.float32
        assert torch.equal(given, given.bfloat16().float()) == bf16  # where the networks computed in it
    trained(trainer)
    for scores, sigma, loss, solution in zip(watch.scores, watch.scales, watch.losses, watch.solutions, strict=True):
        for tensor in (scores, sigma, loss.coefficients, solution.loss, solution.gradient):
            assert tensor.dtype == torch.float32
    assert not torch.equal(watch.scores[0], watch.scores[0].bfloat16().float())
    assert all(parameter.dtype == torch.float32 for parameter in trainer.embedding.parameters())


def test_channels_last_changes_the_layout_and_next_to_nothing_else() -> None:
    first, other = (trainer_of(execution=Execution(device="cpu", channels_last=last)) for last in (True, False))
    for trainer, last in ((first, True), (other, False)):
        convolutions = [p for n in (trainer.embedding, trainer.scale_network) for p in n.parameters() if p.ndim == 4]
        assert [p.shape[1] for p in convolutions] == [1, 20, 1, 20]
        assert all(p.is_contiguous(memory_format=torch.channels_last) for p in convolutions) == last
        assert all(p.is_contiguous() for p in convolutions) != last
    torch.testing.assert_close(first.embed(*first.batches(0)), other.embed(*other.batches(0)))
    one, two = (trained(trainer, 1).measures for trainer in (first, other))  # later steps may differ by a close call
    assert attrs.astuple(one) == pytest.approx(attrs.astuple(two), rel=1e-4)


@pytest.mark.parametrize("compiled", [True, False])
def test_both_networks_are_compiled_if_that_is_asked_for(compiled: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []
    monkeypatch.setattr(nn.Module, "compile", lambda network: asked.append(network))
    trainer = trainer_of(execution=Execution(device="cpu", compile=compiled))
    assert asked == ([trainer.embedding, trainer.scale_network] if compiled else [])
