"""Layers: what turns scores into structures, with gradients for any loss of them."""

from structpred.layers.base import Layer
from structpred.layers.blackbox import Blackbox
from structpred.layers.identity import Identity, Projection
from structpred.layers.implicit_mle import ImplicitMLE
from structpred.layers.perturbed_argmax import PerturbedArgmax

__all__ = ["Blackbox", "Identity", "ImplicitMLE", "Layer", "PerturbedArgmax", "Projection"]
