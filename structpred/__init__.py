"""structpred trains a PyTorch network through a combinatorial argmax, on the task's own loss."""

from structpred.epsilon import Epsilon, FixedEpsilon, GrowUntilNonzero, RelativeToNoise, RelativeToScores
from structpred.errors import (
    ArgumentError,
    ExamplesError,
    InfeasibleError,
    MissingExtraError,
    NoGradientError,
    SolverTimeoutError,
    SolverTimeoutWarning,
    SpaceError,
    StructpredError,
    ZeroGradientWarning,
)
from structpred.loss import LinearLoss
from structpred.noise import Gumbel, Logistic, Noise, Normal, Uniform
from structpred.objectives.direct import PerturbedDirectLoss, Solution
from structpred.spaces._integer_program.solvers import LinearSolver
from structpred.spaces.base import OutOfTimeError, SolverPlacement, StructuredSpace
from structpred.spaces.chain import Chain
from structpred.spaces.dagpath import DagPath
from structpred.spaces.integer_program import IntegerProgram
from structpred.spaces.ksubset import KSubset
from structpred.spaces.matching import Matching
from structpred.spaces.onehot import OneHot
from structpred.spaces.spanningtree import SpanningTree

__version__ = "0.1.0"

__all__ = [
    "ArgumentError",
    "Chain",
    "DagPath",
    "DirectSolution",
    "Epsilon",
    "ExamplesError",
    "FixedEpsilon",
    "GrowUntilNonzero",
    "Gumbel",
    "InfeasibleError",
    "IntegerProgram",
    "KSubset",
    "LinearLoss",
    "LinearSolver",
    "Logistic",
    "Matching",
    "MissingExtraError",
    "NoGradientError",
    "Noise",
    "Normal",
    "Objective",
    "OneHot",
    "OutOfTimeError",
    "PerturbedDirectLoss",
    "RelativeToNoise",
    "RelativeToScores",
    "Solution",
    "SolverPlacement",
    "SolverTimeoutError",
    "SolverTimeoutWarning",
    "SpaceError",
    "SpanningTree",
    "StructpredError",
    "StructuredSpace",
    "Uniform",
    "ZeroGradientWarning",
]
