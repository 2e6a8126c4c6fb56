"""Trains the networks of many seeds at once, each as if it were alone."""

from __future__ import annotations

from collections.abc import Callable

import torch
from attrs import field, frozen, validators
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from tasks.common.settings import at_least_one, positive
from tasks.planning.data import Instances
from tasks.planning.networks import cost_networks
from tasks.planning.objectives import Objective
from tasks.planning.seeds import Stream, generators

Observer = Callable[[int, Tensor], None]
"""Called after every epoch with its number, from 1, and the mean loss of each seed in it, ``(seeds,)``."""


@frozen
class Training:
    """How networks are trained, whatever the objective."""

    epochs: int = field(default=20, validator=at_least_one)
    batch_size: int = field(default=32, validator=at_least_one)
    """Rows of each seed in a step; the last step of an epoch has what is left."""
    learning_rate: float = field(default=0.03, validator=positive)
    """Adam's."""
    hidden: int | None = field(default=None, validator=validators.optional(at_least_one))
    """The width of a hidden layer; the network is linear if None."""
    averaged: bool = True
    """Whether the weights that are used are the mean of those after each step of the second half of the epochs."""


def untrained(training: Training, instances: Instances) -> nn.Module:
    """A network for each seed, from features to costs: ``(seeds, rows, features) -> (seeds, rows, parts)``."""
    features, parts = instances.train.features.shape[-1], instances.train.costs.shape[-1]
    hidden = () if training.hidden is None else (training.hidden,)
    return cost_networks(features, parts, hidden, generators(instances.seeds, Stream.WEIGHTS))


def train(training: Training, instances: Instances, objective: Objective, observe: Observer | None = None) -> nn.Module:
    """The networks of ``untrained``, trained.

    Costs are in units of their mean size in the seed's training rows.

    Args:
        training: how.
        instances: whose training rows are trained on.
        objective: the loss of each row.
        observe: for a progress bar, say.
    """
    rows, seeds = instances.train.in_units_of_the_costs(), instances.seeds
    networks = untrained(training, instances)
    averaged = AveragedModel(networks)
    optimizer = torch.optim.Adam(networks.parameters(), lr=training.learning_rate, fused=True)
    shuffling = generators(seeds, Stream.ORDER)
    for epoch in range(training.epochs):
        order = torch.stack([torch.randperm(rows.features.shape[1], generator=own) for own in shuffling])
        total = torch.zeros(len(seeds))
        for index in order.split(training.batch_size, dim=1):  # (seeds, batch_size)
            batch = rows.take(index)
            loss = objective(-networks(batch.features), batch)  # (seeds, batch_size)
            optimizer.zero_grad()
            loss.mean(1).sum().backward()  # the sum leaves each seed the gradient that it has alone
            optimizer.step()
            total += loss.detach().sum(1)
            if 2 * epoch >= training.epochs:
                averaged.update_parameters(networks)
        if observe is not None:
            observe(epoch + 1, total / order.shape[1])
    deployed: nn.Module = averaged.module if training.averaged else networks
    return deployed
