"""What users of PyTorch do with a model that contains a layer: compile it, cast it, transform it, checkpoint it."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import structpred as sp

SPACE = sp.KSubset(5, 2)
LAYERS = [sp.Blackbox(SPACE), sp.ImplicitMLE(SPACE), sp.Identity(SPACE), sp.PerturbedArgmax(SPACE)]
X = torch.randn(4, 3, generator=torch.Generator().manual_seed(0))

every_layer = pytest.mark.parametrize("layer", LAYERS, ids=lambda layer: type(layer).__name__)


class Model(nn.Module):
    """A network, the layer, and more network after it."""

    def __init__(self, layer: sp.Layer) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.before, self.layer, self.after = nn.Linear(3, 5), layer, nn.Linear(5, 2)

    def forward(self, x: Tensor) -> Tensor:
        y = self.layer(self.before(x), generator=torch.Generator().manual_seed(0))
        return self.after(y).square().sum()


def gradients(model: Model, call, x: Tensor) -> list[Tensor]:
    return [gradient.float() for gradient in torch.autograd.grad(call(x), list(model.parameters()))]


@pytest.mark.filterwarnings("ignore")  # what torch's own compiler warns of, within itself
@every_layer
def test_a_compiled_model_breaks_its_graph_at_the_layer(layer):
    model = Model(layer)
    compiled = torch.compile(model, backend="eager")
    torch.testing.assert_close(gradients(model, compiled, X), gradients(model, model, X))
    torch._dynamo.reset()


@every_layer
def test_autocast_runs_through(layer):
    model = Model(layer)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        found = gradients(model, model, X)
    assert all(gradient.isfinite().all() for gradient in found)
    assert found[0].any()


@every_layer
def test_a_checkpointed_layer_has_the_same_gradients(layer):
    model = Model(layer)
    again = gradients(model, lambda x: checkpoint(model, x, use_reentrant=False), X)
    torch.testing.assert_close(again, gradients(model, model, X))


@every_layer
def test_transforms_of_torch_func_are_refused(layer):
    with pytest.raises(sp.ArgumentError, match="scores: expected a plain tensor, got one inside a transform"):
        torch.func.grad(lambda scores: layer(scores).sum())(torch.zeros(2, 5))
