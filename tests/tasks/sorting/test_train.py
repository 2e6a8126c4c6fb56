"""Training a batch of repetitions is training each alone; stopping, deployed weights, sigma's path."""

from collections.abc import Iterator

import attrs
import pytest
import torch
from torch import Tensor

import structpred as sp
from tasks.baselines import GumbelSinkhorn
from tasks.common.settings import Scale
from tasks.sorting import train as train_module
from tasks.sorting.config import AUTHORS, BEST, PAPER, Decomposition, Method, Training, Weights
from tasks.sorting.losses import linear_loss, reconstruction_error
from tasks.sorting.repetitions import Randomness, ScaleNetworks, ScoreNetworks, draw_sequences
from tasks.sorting.train import Outcome, train

SHORT = attrs.evolve(BEST, epochs=12, average_from=4)
# Reaches a training loss of exactly 0 after a few epochs, each run at its own.
STOPPING = attrs.evolve(BEST, epochs=40, patience=3, weights=Weights.LAST, average_from=0, initial_scale=0.5)


@attrs.define
class Watcher:
    """Keeps what an observer sees of a single run."""

    epochs: list[int] = attrs.field(factory=list)
    losses: list[float] = attrs.field(factory=list)
    solutions: list[sp.Solution] = attrs.field(factory=list)

    def __call__(self, epoch: int, solution: sp.Solution) -> None:
        self.epochs.append(epoch)
        self.losses.append(solution.loss.mean().item())
        self.solutions.append(solution)


@pytest.fixture
def double(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Trains in float64.

    The sums of a batch of networks are rounded unlike those of one network. In float32 what is left of gradients that
    cancel, about 1e-8, is as large as the epsilon that Adam divides by, so that a step may go anywhere: which structure
    is best soon differs. In float64 it is 1e-16, and no step shows it.
    """
    fraction_wrong = train_module._fraction_wrong
    monkeypatch.setattr(train_module, "_fraction_wrong", lambda *arguments: fraction_wrong(*arguments).double())
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(torch.float32)


def assert_a_batch_is_its_runs(training: Training, scale: Scale, method: Method = Method.DIRECT) -> list[Outcome]:
    """Epoch by epoch, and in what comes of it."""
    seeds, watcher = [3, 0, 11], Watcher()
    together = train(training, scale, 5, seeds, watcher, method=method)
    losses: list[list[float]] = [[] for _ in seeds]
    for epoch, solution in zip(watcher.epochs, watcher.solutions, strict=True):
        running = [run for run, outcome in enumerate(together) if outcome.epochs >= epoch]
        for run, loss in zip(running, solution.loss.mean((0, 2)).tolist(), strict=True):
            losses[run].append(loss)
    for seed, one, of_one in zip(seeds, together, losses, strict=True):
        alone = Watcher()
        (single,) = train(training, scale, 5, [seed], alone, method=method)
        assert (one.seed, one.wrong, one.epochs) == (seed, single.wrong, single.epochs)
        assert of_one == pytest.approx(alone.losses, rel=1e-9, abs=1e-9)
        assert one.train_loss == of_one[-1]
        assert one.scale_path == pytest.approx(single.scale_path, rel=1e-9)
    assert losses[0] != losses[1] != losses[2]
    return together


@pytest.mark.parametrize("scale", Scale)
def test_a_run_does_not_depend_on_which_others_are_in_its_batch(scale: Scale) -> None:
    watchers = Watcher(), Watcher()
    outcomes = [train(SHORT, scale, 5, seeds, w) for seeds, w in zip(([3, 0, 11], [7, 0, 4]), watchers, strict=True)]
    assert attrs.evolve(outcomes[0][1], seconds=0.0) == attrs.evolve(outcomes[1][1], seconds=0.0)
    first, second = (torch.stack([s.loss.mean((0, 2)) for s in w.solutions]) for w in watchers)  # (epochs, runs)
    assert (first == second).all(0).tolist() == [False, True, False]


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("decomposition", [Decomposition.SQUARED, Decomposition.PAPER])
def test_a_batch_is_its_runs_with_every_loss(decomposition: Decomposition) -> None:
    assert_a_batch_is_its_runs(attrs.evolve(PAPER, decomposition=decomposition, epochs=4), Scale.LEARNED)


@pytest.mark.usefixtures("double")
def test_epsilon_grows_for_the_runs_that_are_stuck_and_for_no_other() -> None:
    watcher = Watcher()
    training = attrs.evolve(SHORT, epsilon=-0.02, epochs=6, sequences=2)
    train(training, Scale.NONE, 5, [3, 0, 11], watcher)
    grown = torch.stack([(solution.epsilon != training.epsilon).any(-1) for solution in watcher.solutions])
    assert (grown.any(-1) & ~grown.all(-1)).any()
    assert_a_batch_is_its_runs(training, Scale.NONE)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("weights", Weights)
def test_runs_that_stop_at_different_epochs_give_what_they_give_alone(weights: Weights) -> None:
    outcomes = assert_a_batch_is_its_runs(attrs.evolve(STOPPING, weights=weights), Scale.LEARNED)
    assert len({outcome.epochs for outcome in outcomes}) > 1
    assert min(outcome.epochs for outcome in outcomes) < STOPPING.epochs


@pytest.mark.usefixtures("double")
def test_gumbel_sinkhorns_runs_that_stop_at_different_epochs_give_what_they_give_alone() -> None:
    training = attrs.evolve(STOPPING, patience=1, epochs=15)
    outcomes = assert_a_batch_is_its_runs(training, Scale.ONE, Method.GUMBEL_SINKHORN)
    assert len({outcome.epochs for outcome in outcomes}) > 1


@pytest.mark.usefixtures("double")
def test_the_published_estimators_runs_that_stop_at_different_epochs_give_what_they_give_alone() -> None:
    training = attrs.evolve(AUTHORS, patience=3, epochs=40, epsilon=-0.02, sequences=2, num_samples=1)
    outcomes = assert_a_batch_is_its_runs(training, Scale.NONE)
    assert len({outcome.epochs for outcome in outcomes}) > 1


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_gumbel_sinkhorn_is_the_plain_training_loop_with_one_network(temperature: float) -> None:
    training = attrs.evolve(BEST, epochs=4, average_from=0, temperature=temperature)
    random = Randomness.of(3)
    x, _ = draw_sequences(random.data, training.sequences, 4)
    scores = ScoreNetworks(4, [random.scores])
    optimizer = torch.optim.Adam(scores.parameters(), lr=training.score_rate, betas=(0.9, training.beta2))
    objective = GumbelSinkhorn(sp.Matching(4), temperature=temperature)
    losses = []
    for _ in range(training.epochs):
        loss = objective(scores(x[None])[0], reconstruction_error(x), generator=random.noise)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    watcher = Watcher()
    train(training, Scale.ONE, 4, [3], watcher, method=Method.GUMBEL_SINKHORN)
    assert watcher.losses == pytest.approx(losses, rel=1e-5)
    assert watcher.solutions[0].loss.shape == (10, 1, 10)


@pytest.mark.parametrize("scale", Scale)
def test_the_default_step_is_the_librarys_for_each_repetition_by_itself(scale: Scale) -> None:
    noise = None if scale is Scale.NONE else sp.Gumbel()
    default = sp.PerturbedDirectLoss(sp.Matching(5), noise=noise).epsilon
    assert BEST.objective(Method.DIRECT, scale, 5).epsilon == attrs.evolve(default, group_dims=1)


def test_gumbel_sinkhorn_learns_to_sort_unseen_sequences() -> None:
    training, seeds = attrs.evolve(BEST, epochs=80, average_from=40), range(8)
    outcomes = train(training, Scale.ONE, 5, seeds, method=Method.GUMBEL_SINKHORN)
    assert sum(outcome.wrong for outcome in outcomes) / len(seeds) < 0.1


@pytest.mark.parametrize("preset", [BEST, PAPER], ids=["best", "paper"])
def test_a_run_is_the_plain_training_loop_with_one_network(preset: Training) -> None:
    training = attrs.evolve(preset, epochs=6, average_from=0, patience=None)
    random = Randomness.of(3)
    x, _ = draw_sequences(random.data, training.sequences, 4)
    scores = ScoreNetworks(4, [random.scores])
    scale = ScaleNetworks(4, training.initial_scale, [random.scale])
    optimizers = [
        torch.optim.Adam(scores.parameters(), lr=training.score_rate, betas=(0.9, training.beta2)),
        training.scale_optimizer.create(scale.parameters(), training.scale_rate),
    ]
    objective = sp.PerturbedDirectLoss(
        sp.Matching(4),
        epsilon=sp.RelativeToNoise() if training.epsilon is None else sp.GrowUntilNonzero(training.epsilon),
        num_samples=training.num_samples,
    )
    losses, sigmas = [], []
    for _ in range(training.epochs):
        sigma = scale(x[None])[0]
        loss = objective(
            scores(x[None])[0], linear_loss(training.decomposition, x), scale=sigma, generator=random.noise
        )
        losses.append(loss.item())
        sigmas.append(sigma.mean().item())
        for optimizer in optimizers:
            optimizer.zero_grad()
        loss.backward()
        for optimizer in optimizers:
            optimizer.step()

    watcher = Watcher()
    (outcome,) = train(training, Scale.LEARNED, 4, [3], watcher)
    assert watcher.losses == pytest.approx(losses, rel=1e-5)
    assert outcome.scale_path == pytest.approx(sigmas, rel=1e-5)


@pytest.mark.parametrize("scale", [Scale.NONE, Scale.LEARNED])  # without noise the least loss is had again and again
def test_a_run_stops_patience_epochs_after_its_least_loss(scale: Scale) -> None:
    watcher = Watcher()
    (outcome,) = train(STOPPING, scale, 5, [0], watcher)
    assert outcome.epochs == len(watcher.losses) < STOPPING.epochs
    least_epoch = 1 + watcher.losses.index(min(watcher.losses))  # the first of equals
    assert outcome.epochs == least_epoch + STOPPING.patience
    assert outcome.train_loss == pytest.approx(watcher.losses[-1])


@pytest.fixture
def deployed(monkeypatch: pytest.MonkeyPatch) -> list[list[Tensor]]:
    """The score networks' weights, as they stand when a test sequence is sorted."""
    sort, seen = train_module._fraction_wrong, []

    def watch(networks: torch.nn.Module, x: Tensor) -> Tensor:
        seen.append([parameter.detach().clone() for parameter in networks.parameters()])
        return sort(networks, x)

    monkeypatch.setattr(train_module, "_fraction_wrong", watch)
    return seen


def train_and_keep_weights(training: Training, monkeypatch: pytest.MonkeyPatch) -> tuple[list[float], list[Tensor]]:
    """The loss of every epoch, and the weights it was had with; at the end, those after the last step."""
    made: list[ScoreNetworks] = []

    def make(*arguments: object) -> ScoreNetworks:
        made.append(ScoreNetworks(*arguments))
        return made[0]

    monkeypatch.setattr(train_module, "ScoreNetworks", make)
    losses, weights = [], []

    def keep(_: int, solution: sp.Solution) -> None:
        losses.append(solution.loss.mean().item())
        weights.append([parameter.detach().clone() for parameter in made[0].parameters()])

    train(training, Scale.LEARNED, 5, [0], keep)
    weights.append([parameter.detach().clone() for parameter in made[0].parameters()])
    return losses, weights


def test_the_weights_that_sort_are_the_last_the_best_or_the_average(
    deployed: list, monkeypatch: pytest.MonkeyPatch
) -> None:
    for kind in Weights:
        losses, weights = train_and_keep_weights(attrs.evolve(SHORT, weights=kind), monkeypatch)
        counted = weights[SHORT.average_from : SHORT.epochs]  # the epochs counted from 0
        mean = [torch.stack(parameters).mean(0) for parameters in zip(*counted, strict=True)]
        best = losses.index(min(losses))
        assert 0 < best < len(losses) - 1
        expected = {Weights.LAST: weights[-1], Weights.BEST: weights[best], Weights.AVERAGE: mean}
        torch.testing.assert_close(deployed.pop(), expected[kind])


def test_the_path_has_the_first_epoch_every_tenth_of_all_and_the_last() -> None:
    whole = train(attrs.evolve(SHORT, epochs=40, num_samples=1, sequences=2), Scale.LEARNED, 3, [0])[0]
    assert len(whole.scale_path) == 1 + 10
    stopped = train(attrs.evolve(STOPPING, epochs=1000), Scale.LEARNED, 5, [0])[0]
    assert 1 < stopped.epochs < 100
    assert len(stopped.scale_path) == 2


def test_the_best_preset_learns_to_sort_unseen_sequences() -> None:
    training, seeds = attrs.evolve(BEST, epochs=80, average_from=40), range(8)
    outcomes = train(training, Scale.LEARNED, 5, seeds)
    assert [outcome.wrong for outcome in outcomes] == [0] * len(seeds)
    assert all(outcome.perfect for outcome in outcomes)
    untrained = train(attrs.evolve(training, epochs=1, average_from=0), Scale.LEARNED, 5, seeds)
    assert sum(outcome.wrong for outcome in untrained) / len(seeds) > 0.4
