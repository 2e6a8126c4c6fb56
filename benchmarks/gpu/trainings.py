"""What is trained and timed: Table 3's direct stochastic learning, and the step of Table 4."""

from __future__ import annotations

from collections.abc import Iterable

import attrs

from benchmarks.gpu.speed import Step
from tasks.common.settings import Scale
from tasks.knn.config import (
    PAPER_CIFAR_10,
    PAPER_FASHION_MNIST,
    PAPER_MNIST,
    QUICK,
    DataSet,
    Execution,
    Method,
    Network,
    Run,
    Training,
)

PAPER = {
    DataSet.CIFAR_10: PAPER_CIFAR_10,
    DataSet.FASHION_MNIST: PAPER_FASHION_MNIST,
    DataSet.MNIST: PAPER_MNIST,
}
KS = (5, 1)
EPOCHS = 60
"""Of a short schedule with a residual network."""

_WAYS = {
    "float32": Execution(bf16=False, channels_last=False),
    "bfloat16": Execution(bf16=True, channels_last=False),
    "bfloat16, channels last": Execution(bf16=True, channels_last=True),
}
_COMPILED = {"bfloat16, channels last, compiled": Execution(bf16=True, channels_last=True, compile=True)}
_TABLE_4 = (Method.DIRECT, Method.STOCHASTIC_NEURAL_SORT)


def steps(device: str, tiny: bool) -> dict[str, Step]:
    """The paper's step of each set in each way of computing, then that of Table 4: k = 3, by two methods."""
    found = _in(_WAYS)
    for dataset, training in PAPER.items():
        for method in _TABLE_4:
            found[f"{dataset.value}, k = 3, {method.value}"] = Step(training, Execution(), 3, method)
    return {name: _on(device, step, tiny) for name, step in found.items()}


def compiled_steps(device: str) -> dict[str, Step]:
    """Those of ``steps`` through a compiler, which takes a minute for a network on a GPU, and many on a CPU."""
    return {name: _on(device, step, tiny=False) for name, step in _in(_COMPILED).items()}


def short_runs(
    datasets: Iterable[DataSet],
    ks: Iterable[int],
    epochs: int,
    methods: Iterable[Method],
    seeds: Iterable[int],
    tiny: bool,
) -> dict[str, Run]:
    """Trainings of minutes at most, on the same images by each method; direct with the library's step and scale."""
    return {
        f"{dataset.value}, {training.epochs} epochs, k = {k}, {method.value}, seed {seed}": Run(
            _small(training) if tiny else training, k, method.scale or Scale.ADAPTIVE, seed, method=method
        )
        for dataset in datasets
        for seed in seeds
        for k in ks
        for training in [_short(dataset, epochs)]
        for method in methods
    }


def paper_runs(datasets: Iterable[DataSet], ks: Iterable[int], tiny: bool) -> dict[str, Run]:
    """The paper's protocol; k = 1 takes five draws."""
    return {
        f"{dataset.value}, paper, k = {k}": Run(_small(training) if tiny else training, k, Scale.LEARNED, seed=0)
        for k in ks
        for dataset in datasets
        for training in [attrs.evolve(PAPER[dataset], validate_every=10, num_samples=5 if k == 1 else 1)]
    }


def _short(dataset: DataSet, epochs: int) -> Training:
    """What short trainings of residual networks have: one cycle of the rate, moved and mirrored images, decay.

    Queries, draws and a sigma that starts low were chosen on held-out images, with the small network.
    """
    if dataset is DataSet.MNIST:
        return attrs.evolve(QUICK, epochs=20, validate_every=5)
    return attrs.evolve(
        QUICK,
        dataset=dataset,
        network=Network.RESNET_18,
        epochs=epochs,
        rate=2e-3,
        candidates=PAPER[dataset].candidates,
        augment=True,
        weight_decay=0.05,
        validate_every=10,
        queries=600,
        num_samples=10,
        initial_scale=0.1,
    )


def _in(ways: dict[str, Execution]) -> dict[str, Step]:
    return {f"{of.value}, {way}": Step(training, how) for of, training in PAPER.items() for way, how in ways.items()}


def _on(device: str, step: Step, tiny: bool) -> Step:
    training = _small(step.training) if tiny else step.training
    return attrs.evolve(step, training=training, execution=attrs.evolve(step.execution, device=device))


def _small(training: Training) -> Training:
    """With the small network, as the large one takes minutes a step in bfloat16 on a CPU."""
    return attrs.evolve(training, network=Network.LENET, epochs=1, candidates=16, queries=4, held_out=8)
