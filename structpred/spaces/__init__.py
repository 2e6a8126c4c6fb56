"""Spaces: the sets of structures, each with its exact solver."""

from structpred.spaces._integer_program.solvers import LinearSolver
from structpred.spaces._out_of_time import OutOfTimeError
from structpred.spaces._placement import SolverPlacement
from structpred.spaces.arborescence import Arborescence
from structpred.spaces.base import StructuredSpace
from structpred.spaces.chain import Chain
from structpred.spaces.dagpath import DagPath
from structpred.spaces.integer_program import IntegerProgram
from structpred.spaces.knapsack import Knapsack
from structpred.spaces.ksubset import KSubset
from structpred.spaces.matching import Matching
from structpred.spaces.onehot import OneHot
from structpred.spaces.space_batch import SpaceBatch
from structpred.spaces.spanningtree import SpanningTree

__all__ = [
    "Arborescence",
    "Chain",
    "DagPath",
    "IntegerProgram",
    "KSubset",
    "Knapsack",
    "LinearSolver",
    "Matching",
    "OneHot",
    "OutOfTimeError",
    "SolverPlacement",
    "SpaceBatch",
    "SpanningTree",
    "StructuredSpace",
]
