"""The settings of objectives and layers: what they are by default, and that each arrives."""

from __future__ import annotations

import inspect

import pytest
import torch

import structpred as sp

SPACE = sp.OneHot(3)
GUMBEL = sp.Gumbel()
AS_OBJECTIVES = {"scale": 1.0, "num_samples": 1, "reduction": "mean"}
AS_LAYERS = {"scale": 1.0, "num_samples": None}
STEP = sp.RelativeToNoise(-8.0, margin=0.0)
DEFAULTS = {
    sp.PerturbedDirectLoss: {"noise": GUMBEL, "epsilon": sp.RelativeToNoise(), "num_samples": 1, "reduction": "mean"},
    sp.PerturbedFenchelYoungLoss: {"noise": GUMBEL, **AS_OBJECTIVES},
    sp.ScoreFunctionLoss: {"noise": GUMBEL, **AS_OBJECTIVES, "num_samples": 10},
    sp.SPOPlusLoss: {"noise": None, **AS_OBJECTIVES},
    sp.StructuredHingeLoss: {"noise": None, **AS_OBJECTIVES},
    sp.StructuredPerceptronLoss: {"noise": None, **AS_OBJECTIVES},
    sp.Blackbox: {"noise": None, "epsilon": STEP, **AS_LAYERS},
    sp.ImplicitMLE: {"noise": GUMBEL, "epsilon": STEP, **AS_LAYERS},
    sp.Identity: {"noise": None, "projection": sp.Projection.NONE, **AS_LAYERS},
    sp.PerturbedArgmax: {"noise": GUMBEL, "scale": 1.0, "num_samples": 10},
}
OTHERS = {
    "noise": sp.Logistic(),
    "scale": 0.25,
    "num_samples": 3,
    "reduction": "none",
    "epsilon": sp.FixedEpsilon(-3.0),
    "projection": sp.Projection.STD,
}

every_kind = pytest.mark.parametrize("kind", DEFAULTS, ids=lambda kind: kind.__name__)


def test_every_public_objective_and_layer_has_a_row():
    public = {
        value for value in vars(sp).values() if inspect.isclass(value) and issubclass(value, sp.Objective | sp.Layer)
    }
    assert {kind for kind in public if not inspect.isabstract(kind)} == set(DEFAULTS)


@every_kind
def test_what_the_settings_are_by_default(kind):
    module = kind(SPACE)
    assert {name: getattr(module, name) for name in DEFAULTS[kind]} == DEFAULTS[kind]


@pytest.mark.parametrize(("base", "defaults"), [(sp.Objective, AS_OBJECTIVES), (sp.Layer, AS_LAYERS)])
def test_what_a_class_of_ones_own_has_by_default(base, defaults):
    own = type("Own", (base,), dict.fromkeys(base.__abstractmethods__))
    module = own(SPACE, noise=None)
    assert {name: getattr(module, name) for name in defaults} == defaults


@every_kind
def test_each_setting_arrives(kind):
    names = [name for name in inspect.signature(kind).parameters if name != "space"]
    module = kind(SPACE, **{name: OTHERS[name] for name in names})
    assert {name: getattr(module, name) for name in names} == {name: OTHERS[name] for name in names}
    assert module.space == SPACE


@every_kind
def test_a_setting_may_be_assigned_anew(kind):
    module = kind(SPACE)
    module.space, module.noise, module.scale = sp.OneHot(4), sp.Normal(), torch.tensor(2.0)
    assert (module.space, module.noise) == (sp.OneHot(4), sp.Normal())
    assert "scale" in module.state_dict()
    module.scale = 3.0
    assert "scale" not in module.state_dict()
    assert module.scale == 3.0
