"""The presets have the paper's numbers, a training makes its objective, and an impossible value is refused."""

import attrs
import pytest
import torch
from tiny_knn import TINY

import structpred as sp
from tasks.common.settings import Optimizer, Scale
from tasks.knn.config import (
    PAPER_CIFAR_10,
    PAPER_FASHION_MNIST,
    PAPER_MNIST,
    QUICK,
    DataSet,
    Execution,
    Growth,
    Loss,
    Network,
    Run,
    Schedule,
    Training,
)

PAPER = [PAPER_MNIST, PAPER_FASHION_MNIST, PAPER_CIFAR_10]


@pytest.mark.parametrize("preset", PAPER)
def test_the_paper_presets_have_what_its_data_sets_share(preset: Training) -> None:
    assert (preset.queries, preset.epochs, preset.num_samples, preset.central) == (100, 220, 1, False)
    assert (preset.rate, preset.schedule) == (1e-3, Schedule.CONSTANT)
    assert (preset.growth, preset.epsilon_limit, preset.epsilon_factor) == (Growth.BATCH, -0.9999, 1.1)
    assert (preset.scale_optimizer, preset.initial_scale) == (Optimizer.SGD, None)
    assert preset.loss in (Loss.DISTANCE, Loss.MATCH)  # the two readings of its own
    assert preset.held_out == 5000


@pytest.mark.parametrize(
    ("preset", "dataset", "network", "candidates", "epsilons", "scale_rates"),
    [
        (PAPER_MNIST, DataSet.MNIST, Network.LENET, 800, {-0.05, -0.1, -0.2}, {1e-5, 1e-6}),
        (PAPER_FASHION_MNIST, DataSet.FASHION_MNIST, Network.RESNET_18, 800, {-0.1, -0.2}, {1e-5, 1e-6}),
        (PAPER_CIFAR_10, DataSet.CIFAR_10, Network.RESNET_18, 600, {-0.2}, {1e-6, 1e-7}),
    ],
)
def test_and_what_each_has_of_its_own(
    preset: Training,
    dataset: DataSet,
    network: Network,
    candidates: int,
    epsilons: set[float],
    scale_rates: set[float],
) -> None:
    assert (preset.dataset, preset.network, preset.candidates) == (dataset, network, candidates)
    assert preset.epsilon in epsilons
    assert preset.scale_rate in scale_rates


def test_the_quick_preset_is_mnist_by_the_small_network() -> None:
    assert (QUICK.dataset, QUICK.network) == (DataSet.MNIST, Network.LENET)


# The objective.


def test_the_objective_chooses_k_of_the_candidates_as_the_training_says() -> None:
    objective = attrs.evolve(TINY, num_samples=4, central=True).objective(3, Scale.ONE)
    assert objective.space == sp.KSubset(20, 3)
    assert (objective.num_samples, objective.central) == (4, True)
    assert objective.noise == sp.Gumbel()


@pytest.mark.parametrize("epsilon", [-0.5, 0.5])
def test_epsilon_is_fixed_or_grows_together_or_for_each_query(epsilon: float) -> None:
    training = attrs.evolve(TINY, epsilon=epsilon, epsilon_limit=6 * epsilon, epsilon_factor=1.5)
    for growth, policy in (
        (Growth.NONE, sp.FixedEpsilon(epsilon)),
        (Growth.BATCH, sp.GrowUntilNonzero(epsilon, factor=1.5, limit=6, group_dims=0)),
        (Growth.QUERY, sp.GrowUntilNonzero(epsilon, factor=1.5, limit=6, group_dims=1)),
    ):
        assert attrs.evolve(training, growth=growth).objective(3, Scale.ONE).epsilon == policy


def test_with_a_growth_for_each_query_each_has_an_epsilon_of_its_own() -> None:
    scores = torch.tensor([[0.0, -0.25, -9.0], [0.0, -2.0, -9.0], [0.0, -2.0, -9.0]])
    loss = sp.LinearLoss(
        torch.tensor([[0.0, -1.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, 0.0]]), constant=torch.tensor([1.0, 1.0, 0.0])
    )
    training = attrs.evolve(TINY, candidates=3)
    epsilons = {
        g: attrs.evolve(training, growth=g).objective(1, Scale.NONE).solve(scores, loss).epsilon for g in Growth
    }
    assert epsilons[Growth.NONE].tolist() == [-0.5, -0.5, -0.5]
    assert epsilons[Growth.BATCH].tolist() == [-0.5, -0.5, -0.5]  # the first query's is enough
    first, second, third = epsilons[Growth.QUERY].tolist()
    assert first == third == -0.5
    assert -2.5 < second < -2.0


# Values.

IMPOSSIBLE = [
    ("epochs", 0),
    ("epsilon", 0.0),
    ("epsilon", float("nan")),
    ("epsilon", float("-inf")),
    ("epsilon_limit", 0.0),
    ("epsilon_factor", 1.0),
    ("rate", 0.0),
    ("rate", float("nan")),
    ("scale_rate", -1.0),
    ("initial_scale", 0.0),
    ("candidates", 0),
    ("queries", 0),
    ("num_samples", 0),
    ("held_out", -1),
    ("validate_every", 0),
]


@pytest.mark.parametrize(("name", "value"), IMPOSSIBLE)
def test_an_impossible_value_of_a_training_is_named(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=rf"\b{name}\b"):
        attrs.evolve(TINY, **{name: value})


@pytest.mark.parametrize("limit", [-0.4999, 5.0])
def test_a_limit_that_epsilon_never_reaches_is_named_unless_epsilon_stays(limit: float) -> None:
    expected = rf"^epsilon_limit: expected a number beyond epsilon = -0.5, with its sign, got {limit}$"
    for growth in (Growth.BATCH, Growth.QUERY):
        with pytest.raises(ValueError, match=expected):
            attrs.evolve(TINY, epsilon_limit=limit, growth=growth)
    assert attrs.evolve(TINY, epsilon_limit=limit, growth=Growth.NONE).objective(
        3, Scale.ONE
    ).epsilon == sp.FixedEpsilon(-0.5)
    assert attrs.evolve(TINY, epsilon_limit=-0.5).objective(3, Scale.ONE)


def test_the_best_epoch_wants_held_out_images() -> None:
    with pytest.raises(
        ValueError, match=r"^held_out: expected at least 1, to tell which epoch is best, got 0; or --no-best"
    ):
        attrs.evolve(TINY, best_epoch=True, held_out=0)


def test_fewer_neighbours_than_candidates_are_left_by_the_query_itself() -> None:
    assert Run(TINY, 19, Scale.ONE, 0).k == 19
    for k in (20, 21):
        with pytest.raises(ValueError, match=f"^k: expected less than candidates = 20, got {k}$"):
            Run(TINY, k, Scale.ONE, 0)
    for changes in ({"k": 0}, {"seed": -1}):
        with pytest.raises(ValueError, match=f"{next(iter(changes))}"):
            attrs.evolve(Run(TINY, 3, Scale.ONE, 0), **changes)


# Where it runs.


def test_the_device_is_a_gpu_if_there_is_one_and_bfloat16_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    assert Execution(device="cpu").resolve() == (torch.device("cpu"), False)
    assert Execution(device="cpu", bf16=True).resolve() == (torch.device("cpu"), True)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert Execution().resolve() == (torch.device("cpu"), False)


def test_a_gpu_computes_in_bfloat16_unless_it_is_told_not_to(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def empty(_: int, device: torch.device) -> torch.Tensor:
        asked.append(str(device))
        return type("OnGpu", (), {"device": torch.device("cuda", 0)})

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch, "empty", empty)
    assert Execution().resolve() == (torch.device("cuda", 0), True)
    assert Execution(bf16=False).resolve() == (torch.device("cuda", 0), False)
    assert Execution(device="cuda:0").resolve() == (torch.device("cuda", 0), True)
    assert asked == ["cuda", "cuda", "cuda:0"]


@pytest.mark.parametrize("name", ["gpu", "", "cuda:x", "cuda:99", "meta", "mps", "hpu"])
def test_a_device_that_is_not_there_is_refused(name: str) -> None:
    with pytest.raises(sp.ArgumentError) as caught:
        Execution(device=name).resolve()
    message = str(caught.value)
    assert message.startswith(f"device: expected cpu, or cuda where there is a GPU, got {name!r} (")
    assert message.endswith("); write for example --device cpu")
    assert "\n" not in message


def test_without_an_epsilon_the_objective_takes_its_default_step() -> None:
    training = attrs.evolve(TINY, epsilon=None, growth=Growth.NONE)
    assert training.objective(3, Scale.ONE).epsilon == sp.PerturbedDirectLoss(sp.OneHot(2)).epsilon
    with pytest.raises(ValueError, match="growth: expected none, as epsilon is the default step"):
        attrs.evolve(training, growth=Growth.QUERY)
