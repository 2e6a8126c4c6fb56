"""What the paper compares with: relaxations, called as ``structpred``'s objectives are."""

from tasks.baselines.gumbel_sinkhorn import GumbelSinkhorn
from tasks.baselines.neural_sort import NeuralSort
from tasks.baselines.relax_subsample import RelaxSubSample
from tasks.baselines.relaxation import Relaxation

__all__ = ["GumbelSinkhorn", "NeuralSort", "RelaxSubSample", "Relaxation"]
