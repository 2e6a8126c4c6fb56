"""Objectives: what turns scores, scale and supervision into a number with gradients."""

from structpred.objectives.base import Objective, Reduction, Solution
from structpred.objectives.direct import DirectSolution, PerturbedDirectLoss

__all__ = ["DirectSolution", "Objective", "PerturbedDirectLoss", "Reduction", "Solution"]
