"""What is trained: Table 3's direct stochastic learning."""

from __future__ import annotations

import attrs

from tasks.common.settings import Scale
from tasks.knn.config import (
    PAPER_CIFAR_10,
    PAPER_FASHION_MNIST,
    PAPER_MNIST,
    QUICK,
    DataSet,
    Execution,
    Network,
    Run,
    Training,
)

PAPER = {
    DataSet.MNIST: PAPER_MNIST,
    DataSet.FASHION_MNIST: PAPER_FASHION_MNIST,
    DataSet.CIFAR_10: PAPER_CIFAR_10,
}

# CIFAR-10 in a fourth of the paper's epochs, with what short trainings of residual networks do: one cycle of the rate,
# moved and mirrored images, decaying weights. The objective is that of the quick preset.
STRONG_CIFAR_10 = attrs.evolve(
    QUICK,
    dataset=DataSet.CIFAR_10,
    network=Network.RESNET_18,
    epochs=60,
    rate=2e-3,
    candidates=600,
    augment=True,
    weight_decay=0.05,
    validate_every=10,
)

_SETTINGS = {
    "float32": Execution(bf16=False, channels_last=False),
    "bfloat16": Execution(bf16=True, channels_last=False),
    "bfloat16, channels last": Execution(bf16=True, channels_last=True),
    "bfloat16, channels last, compiled": Execution(bf16=True, channels_last=True, compile=True),
}


def speeds(device: str, tiny: bool) -> dict[str, tuple[Training, Execution]]:
    """The paper's step of each set, in each way of computing."""
    return {
        f"{dataset.value}, {how}": (_small(training) if tiny else training, attrs.evolve(execution, device=device))
        for dataset, training in PAPER.items()
        for how, execution in _SETTINGS.items()
        if not (tiny and execution.compile)  # a compiler that takes minutes, on the CPU
    }


def runs(tiny: bool) -> list[Run]:
    """In the order of their worth: k = 5, then 1, which takes five draws as in the paper."""
    trainings = [attrs.evolve(PAPER[dataset], validate_every=10) for dataset in (DataSet.FASHION_MNIST, DataSet.MNIST)]
    found = [
        Run(attrs.evolve(training, num_samples=5 if k == 1 else 1), k, Scale.LEARNED, seed=0)
        for k in (5, 1)
        for training in trainings
    ]
    found += [Run(STRONG_CIFAR_10, k, Scale.LEARNED, seed=0) for k in (5, 1)]
    return [attrs.evolve(run, training=_small(run.training)) for run in found] if tiny else found


def _small(training: Training) -> Training:
    """With the small network, as the large one takes minutes a step in bfloat16 on a CPU."""
    return attrs.evolve(training, network=Network.LENET, epochs=1, candidates=16, queries=4, held_out=8)
