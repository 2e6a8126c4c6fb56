"""Layers whose structures lead to no gradient say so, once."""

import copy
import pickle
import warnings

import pytest
import torch

import structpred as sp


def run(layer, loss, calls):
    scores = torch.zeros(2, 4, requires_grad=True)
    for _ in range(calls):
        value = loss(layer(scores))
        if value.requires_grad:
            value.backward()


@pytest.mark.parametrize(
    "loss",
    [
        lambda y: (y.argmax(-1) == 1).float().mean(),
        lambda y: y.detach().sum(),
        lambda y: (0 * y).sum(),
    ],
    ids=["not differentiable", "detached", "zero"],
)
def test_one_warning_where_no_gradient_arrives(loss):
    layer = sp.Blackbox(sp.OneHot(4))
    run(layer, loss, 50)
    with pytest.warns(sp.ZeroGradientWarning, match=r"no gradient reached the structures of the last 50 calls of Bl"):
        run(layer, loss, 1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(layer, loss, 120)


def test_no_warning_where_some_arrive_or_none_are_wanted():
    layer, idle = sp.ImplicitMLE(sp.OneHot(4)), sp.Blackbox(sp.OneHot(4))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(4):
            run(layer, lambda y: y.detach().sum(), 40)
            run(layer, lambda y: (y * torch.arange(4.0)).sum(), 1)
        with torch.no_grad():
            run(idle, lambda y: y.sum(), 120)
        run(idle.eval(), lambda y: y.detach().sum(), 120)


def test_layers_copy_and_pickle():
    layer = sp.ImplicitMLE(sp.OneHot(4), epsilon=sp.AdaptiveEpsilon())
    run(layer, lambda y: y.square().sum(), 3)
    for other in (copy.deepcopy(layer), pickle.loads(pickle.dumps(layer))):
        assert other.state_dict() == layer.state_dict()
        assert (other.space, other.noise) == (layer.space, layer.noise)
