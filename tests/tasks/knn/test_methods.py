"""What each method makes of distances: its objective, its scores and its loss; and that embeddings learn by it."""

import attrs
import pytest
import torch

import structpred as sp
from tasks.baselines import NeuralSort, RelaxSubSample
from tasks.common.settings import Scale
from tasks.knn.config import Growth, Loss, Method, Run
from tasks.knn.losses import linear_loss
from tasks.knn.methods import TEMPERATURES, objective, supervised
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import CPU, HELD_OUT, TINY, TRAIN

SOFT = {
    Method.NEURAL_SORT: (NeuralSort, None),
    Method.STOCHASTIC_NEURAL_SORT: (NeuralSort, sp.Gumbel()),
    Method.RELAX_SUBSAMPLE: (RelaxSubSample, sp.Gumbel()),
}


def run_of(method: Method, **changes: object) -> Run:
    return Run(attrs.evolve(TINY, **changes), 3, method.scale or Scale.ONE, 0, method=method)


def test_the_objective_chooses_k_of_the_candidates_as_the_training_says() -> None:
    training = attrs.evolve(TINY, epsilon=-0.5, growth=Growth.NONE, num_samples=4, margin=1.0)
    chosen = objective(Run(training, 3, Scale.ONE, 0))
    assert chosen.space == sp.KSubset(20, 3)
    assert (chosen.num_samples, chosen.noise) == (4, sp.Gumbel())
    assert chosen.epsilon == sp.FixedEpsilon(-0.5, margin=1.0)
    assert objective(Run(TINY, 3, Scale.NONE, 0)).noise is None


def test_epsilon_is_the_default_or_fixed_or_grows_together_or_for_each_query() -> None:
    training = attrs.evolve(TINY, epsilon=0.5, epsilon_limit=3.0, epsilon_factor=1.5)
    for growth, policy in (
        (Growth.NONE, sp.FixedEpsilon(0.5)),
        (Growth.BATCH, sp.GrowUntilNonzero(0.5, factor=1.5, limit=6, group_dims=0)),
        (Growth.QUERY, sp.GrowUntilNonzero(0.5, factor=1.5, limit=6, group_dims=1)),
    ):
        assert objective(Run(attrs.evolve(training, growth=growth), 3, Scale.ONE, 0)).epsilon == policy
    default = objective(Run(attrs.evolve(TINY, epsilon=None, growth=Growth.NONE), 3, Scale.ONE, 0))
    assert default.epsilon == sp.PerturbedDirectLoss(sp.OneHot(2)).epsilon


@pytest.mark.parametrize("method", SOFT)
def test_soft_neighbours_have_the_methods_relaxation_noise_and_temperature(method: Method) -> None:
    kind, noise = SOFT[method]
    chosen = objective(run_of(method, num_samples=4))
    assert type(chosen) is kind
    assert (chosen.space, chosen.noise, chosen.num_samples) == (sp.KSubset(20, 3), noise, 4)
    assert chosen.temperature == TEMPERATURES[method]
    assert objective(run_of(method, temperature=2.5)).temperature == 2.5


@pytest.mark.parametrize("method", SOFT)
def test_other_noise_than_the_methods_is_refused(method: Method) -> None:
    for scale in Scale:
        if scale is not method.scale:
            with pytest.raises(ValueError, match=f"scale: expected {method.scale.value}, as {method.value} has it"):
                Run(attrs.evolve(TINY, epsilon=None, growth=Growth.NONE), 3, scale, 0, method=method)


def test_the_direct_loss_takes_distances_and_the_relaxations_their_squares_and_class_match() -> None:
    distances = torch.tensor([[1.0, 2.0, 3.0, 5.0]])
    same_class = torch.tensor([[True, False, True, True]])
    itself = torch.tensor([[False, False, False, True]])
    scores, loss = supervised(run_of(Method.DIRECT), distances, same_class, itself)
    assert torch.equal(scores, torch.tensor([[-1.0, -2.0, -3.0, -torch.inf]]))
    expected = linear_loss(Loss.DISTANCE, distances, same_class & ~itself, 3)
    assert torch.equal(loss.coefficients, expected.coefficients)
    for method in SOFT:
        scores, loss = supervised(run_of(method), distances, same_class, itself)
        assert torch.equal(scores, torch.tensor([[-1.0, -4.0, -9.0, -torch.inf]]))
        assert torch.equal(loss.coefficients, torch.tensor([[-1.0, 0.0, -1.0, 0.0]]))


@pytest.mark.parametrize("method", SOFT)
def test_an_embedding_learns_by_soft_neighbours_that_are_never_the_query_itself(method: Method) -> None:
    trainer = Trainer(run_of(method, epochs=10), TRAIN, HELD_OUT, CPU)
    queries = torch.arange(5)
    embedded, scale = trainer.embed(queries, torch.arange(20))
    solution, right = trainer.solve(embedded, scale, queries, torch.arange(20))
    assert (solution.prediction[..., torch.arange(5), torch.arange(5)] == 0).all()
    torch.testing.assert_close(solution.prediction.sum(-1), torch.full((1, 5), 3.0))
    assert 0 <= right.item() <= 1
    while not trainer.finished:
        trainer.step()
    first, last = (trainer.epochs[at].measures for at in (0, -1))
    assert last.right > first.right
    assert (last.nonzero, last.scale) == (1.0, 0.0 if method.scale is Scale.NONE else 1.0)
