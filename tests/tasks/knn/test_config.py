"""The presets have the paper's numbers, a training makes its objective, and an impossible value is refused."""

import attrs
import pytest
import torch

from tasks.common.settings import Optimizer, Scale
from tasks.knn.config import (
    PAPER_CIFAR_10,
    PAPER_FASHION_MNIST,
    PAPER_MNIST,
    DataSet,
    Execution,
    Growth,
    Loss,
    Network,
    Run,
    Schedule,
    Training,
)
from tests.tasks.knn.tiny import TINY


@pytest.mark.parametrize(
    ("preset", "dataset", "network", "candidates", "scale_rate"),
    [
        (PAPER_MNIST, DataSet.MNIST, Network.LENET, 800, 1e-5),
        (PAPER_FASHION_MNIST, DataSet.FASHION_MNIST, Network.RESNET_18, 800, 1e-5),
        (PAPER_CIFAR_10, DataSet.CIFAR_10, Network.RESNET_18, 600, 1e-6),
    ],
)
def test_the_paper_presets_have_its_numbers(
    preset: Training, dataset: DataSet, network: Network, candidates: int, scale_rate: float
) -> None:
    assert preset == Training(
        dataset=dataset,
        network=network,
        loss=Loss.DISTANCE,
        epochs=220,
        epsilon=-0.2,
        epsilon_limit=-0.9999,
        growth=Growth.BATCH,
        epsilon_factor=1.1,
        rate=1e-3,
        schedule=Schedule.CONSTANT,
        scale_optimizer=Optimizer.SGD,
        scale_rate=scale_rate,
        initial_scale=None,
        candidates=candidates,
        queries=100,
        best_epoch=True,
    )


IMPOSSIBLE = [
    ({"epochs": 0}, "epochs"),
    ({"epsilon": float("nan")}, "epsilon: expected a finite number other than 0, got nan"),
    ({"epsilon_factor": 1.0}, "epsilon_factor"),
    ({"rate": 0.0}, "rate: expected a positive finite number, got 0.0"),
    ({"initial_scale": 0.0}, "initial_scale"),
    ({"candidates": 0}, "candidates"),
    ({"held_out": -1}, "held_out"),
    ({"epsilon_limit": -0.4999}, "epsilon_limit: expected a number beyond epsilon = -0.5, with its sign, got -0.4999"),
    ({"epsilon_limit": 5.0}, "epsilon_limit: expected a number beyond epsilon = -0.5, with its sign, got 5.0"),
    ({"epsilon": None}, "growth: expected none, as epsilon is the default step"),
    ({"best_epoch": True, "held_out": 0}, "held_out: expected at least 1, to tell which epoch is best, got 0; or --no"),
]


@pytest.mark.parametrize(("changes", "told"), IMPOSSIBLE, ids=lambda value: str(value)[:25])
def test_an_impossible_value_of_a_training_is_named(changes: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        attrs.evolve(TINY, **changes)


def test_fewer_neighbours_than_candidates_are_left_by_the_query_itself() -> None:
    assert Run(TINY, 19, Scale.ONE, 0).k == 19
    with pytest.raises(ValueError, match=r"^k: expected less than candidates = 20, got 20$"):
        Run(TINY, 20, Scale.ONE, 0)


# Where it runs.


@pytest.mark.parametrize("gpu", [False, True])
def test_the_device_is_a_gpu_if_there_is_one_which_computes_in_bfloat16(
    gpu: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = torch.device("cuda", 0) if gpu else torch.device("cpu")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: gpu)
    monkeypatch.setattr(torch, "empty", lambda _, device: type("There", (), {"device": chosen}))
    assert Execution().resolve() == (chosen, gpu)
    assert Execution(bf16=not gpu).resolve() == (chosen, not gpu)
