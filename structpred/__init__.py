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
from structpred.objectives import DirectSolution, Objective, PerturbedDirectLoss, Solution
from structpred.spaces import (
    Chain,
    DagPath,
    IntegerProgram,
    Knapsack,
    KSubset,
    LinearSolver,
    Matching,
    OneHot,
    OutOfTimeError,
    SolverPlacement,
    SpanningTree,
    StructuredSpace,
)

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
    "Knapsack",
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
