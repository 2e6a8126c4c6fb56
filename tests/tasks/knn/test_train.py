"""A training learns, and measures what it solved; in what it solves, no image is a neighbour of its own."""

import math

import pytest
import torch

import structpred as sp
from tasks.common.settings import Scale
from tasks.knn.config import Growth, Loss
from tasks.knn.neighbours import accuracy
from tasks.knn.train import Trainer
from tests.tasks.knn.tiny import HELD_OUT, TRAIN, Watch, trained, trainer_of


@pytest.mark.parametrize(("scale", "loss"), [(Scale.NONE, Loss.DISTANCE), (Scale.LEARNED, Loss.MATCH)])
def test_training_lowers_the_loss_and_its_neighbours_classify_images_never_seen(scale: Scale, loss: Loss) -> None:
    trainer = trainer_of(scale, epochs=8, queries=20, loss=loss, scale_rate=1e-4)
    untrained = accuracy(trainer.embedding, HELD_OUT, TRAIN, 3)
    trained(trainer)
    first, last = trainer.epochs[0], trainer.epochs[-1]
    assert last.measures.loss < 0.6 * first.measures.loss
    assert last.measures.right > first.measures.right
    assert last.held_out == accuracy(trainer.embedding, HELD_OUT, TRAIN, 3) > untrained + 0.05


# In ``solve``.


def test_an_image_is_never_a_neighbour_of_its_own() -> None:
    """All others are equally far and all are chosen, and only the image itself is left."""
    for scale in (None, 1.0):
        trainer = trainer_of(k=19, margin=1.0)
        queries, candidates = torch.arange(10), torch.arange(20).flip(0)
        watch = Watch(trainer)
        solution, _ = trainer.solve(torch.zeros(30, 4), scale, queries, candidates)
        itself = queries[:, None] == candidates
        assert itself.sum() == 10
        assert torch.equal(watch.scores[0] == -math.inf, itself)
        for y in (solution.prediction, solution.augmented):
            assert torch.equal(y[0], (~itself).float())


def test_scores_are_the_negative_distances_and_the_loss_that_of_the_right_ones() -> None:
    trainer = trainer_of(k=2)
    queries, candidates = torch.arange(10), torch.arange(10, 30)
    places = torch.randn(30, 4, generator=torch.Generator().manual_seed(0))
    watch = Watch(trainer)
    trainer.solve(places, None, queries, candidates)
    distances = (places[:10, None] - places[None, 10:]).norm(dim=-1)
    same = TRAIN.labels[queries][:, None] == TRAIN.labels[candidates]
    torch.testing.assert_close(watch.scores[0], -distances)
    torch.testing.assert_close(watch.losses[0].coefficients, -distances * same)


def test_the_image_itself_is_nothing_that_could_be_gained() -> None:
    """A query whose only companion of its class is itself has no loss, however it chooses."""
    trainer = trainer_of(k=2)
    alone = TRAIN.labels.bincount().argmin()
    query = (TRAIN.labels == alone).nonzero()[:1, 0]
    others = (TRAIN.labels != alone).nonzero()[:19, 0]
    solution, right = trainer.solve(torch.randn(21, 4), None, query, torch.cat([query, others]))
    assert solution.loss.item() == 0
    assert right.item() == 0


# Measures.


@pytest.mark.parametrize("scale", [Scale.NONE, Scale.ONE, Scale.LEARNED])
def test_measures_are_the_means_of_what_the_objective_solved(scale: Scale) -> None:
    trainer = trainer_of(scale, epochs=2, num_samples=2, k=2)
    watch = Watch(trainer)
    for step in range(5):  # an epoch of three, and two of the next
        trainer.step()
        since = 3 * (step // 3)
        measures = trainer.epochs[-1].measures if step == 2 else trainer.measures
        losses, rights, nonzeros, sigmas = [], [], [], []
        for past in range(since, step + 1):
            solution, (queries, candidates) = watch.solutions[past], trainer.batches(past)
            losses.append(solution.loss.mean().item())
            nonzeros.append(solution.nonzero_fraction.item())
            sigma = watch.scales[past]
            sigmas.append(0.0 if sigma is None else torch.as_tensor(sigma).mean().item())
            draw, query, chosen = solution.prediction.nonzero(as_tuple=True)
            assert len(chosen) == draw.unique().numel() * 10 * 2
            rights.append((TRAIN.labels[queries[query]] == TRAIN.labels[candidates[chosen]]).double().mean().item())
        for measure, values in (("loss", losses), ("right", rights), ("nonzero", nonzeros), ("scale", sigmas)):
            assert getattr(measures, measure) == pytest.approx(sum(values) / len(values), rel=1e-5, abs=1e-7), measure
    assert 0 < trainer.epochs[0].measures.right < 1
    assert 0 < trainer.epochs[0].measures.nonzero < 1


def test_an_adaptive_sigma_moves_is_measured_and_goes_on_from_a_checkpoint() -> None:
    def fresh() -> Trainer:
        return trainer_of(Scale.ADAPTIVE, epsilon=None, growth=Growth.NONE)

    trainer, resumed = trained(fresh(), 2), fresh()
    resumed.load_state(trainer.state())
    sigmas = []
    for goes_on in (trainer, resumed):
        trained(goes_on, 3)
        assert isinstance(goes_on.objective.scale, sp.AdaptiveScale)
        sigmas.append(goes_on.objective.scale().item())
    assert sigmas[0] == sigmas[1] != 1
    assert trainer.epochs[0].measures == resumed.epochs[0].measures
    assert trainer.epochs[0].measures.scale != trainer.measures.scale
