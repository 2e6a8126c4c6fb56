"""Objectives: what turns scores, scale and supervision into a number with gradients."""

from structpred.objectives._potential import PotentialSolution
from structpred.objectives.base import Objective, Reduction, Solution
from structpred.objectives.direct import DirectSolution, PerturbedDirectLoss
from structpred.objectives.fenchel_young import PerturbedFenchelYoungLoss
from structpred.objectives.hinge import StructuredHingeLoss
from structpred.objectives.perceptron import StructuredPerceptronLoss
from structpred.objectives.presets import blackbox_loss, perturbation_gradient_loss
from structpred.objectives.score_function import ScoreFunctionLoss
from structpred.objectives.spo_plus import SPOPlusLoss

__all__ = [
    "DirectSolution",
    "Objective",
    "PerturbedDirectLoss",
    "PerturbedFenchelYoungLoss",
    "PotentialSolution",
    "Reduction",
    "SPOPlusLoss",
    "ScoreFunctionLoss",
    "Solution",
    "StructuredHingeLoss",
    "StructuredPerceptronLoss",
    "blackbox_loss",
    "perturbation_gradient_loss",
]
