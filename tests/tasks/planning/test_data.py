"""The instances against their formula, entry by entry, and as functions of the data seed."""

import math

import attrs
import numpy as np
import pytest
import torch

import structpred as sp
from tasks.planning.data import Instances, Knapsacks, Problem, ShortestPaths

SMALL = {"train_rows": 6, "test_rows": 3, "features": 4, "degree": 3, "noise_width": 0.25}
SEED = 100_000


def entry_by_entry(problem: Problem, random: np.random.RandomState, parts: int) -> tuple[np.ndarray, np.ndarray]:
    """The formula in plain Python, drawn in the order that the module documents."""
    count = problem.train_rows + problem.test_rows
    mixing = random.binomial(1, 0.5, (parts, problem.features))
    x = random.normal(0, 1, (count, problem.features))
    costs = np.zeros((count, parts))
    for row in range(count):
        for part in range(parts):
            mixed = sum(float(b) * float(v) for b, v in zip(mixing[part], x[row], strict=True))
            noise = random.uniform(1 - problem.noise_width, 1 + problem.noise_width)
            base = (mixed / math.sqrt(problem.features) + 3) ** problem.degree + 1
            costs[row, part] = base / 3.5**problem.degree * noise
    return x, costs


def both(instances: Instances, name: str) -> torch.Tensor:
    return torch.cat([getattr(instances.train, name), getattr(instances.test, name)], dim=1)


@pytest.mark.usefixtures("double")
def test_shortest_paths_are_those_of_the_formula_with_the_edges_put_in_place() -> None:
    problem = ShortestPaths(**SMALL, height=2, width=3)
    (instances,) = problem.draw([SEED, SEED + 1])
    # By hand: the edges that PyEPO numbers 0 to 6, in the order in which ``DagPath.grid`` has them.
    edges = instances.space.graph.edges
    theirs = [(0, 0, 0, 1), (0, 1, 0, 2), (0, 0, 1, 0), (0, 1, 1, 1), (0, 2, 1, 2), (1, 0, 1, 1), (1, 1, 1, 2)]
    columns = [theirs.index((*tail, *head)) for tail, head in edges]
    for index, seed in enumerate([SEED, SEED + 1]):
        x, costs = entry_by_entry(problem, np.random.RandomState(seed), 7)
        np.testing.assert_allclose(both(instances, "features")[index], x, rtol=1e-12)
        np.testing.assert_allclose(both(instances, "costs")[index], costs[:, columns], rtol=1e-12)
    assert instances.train.features.shape == (2, 6, 4)
    assert instances.test.costs.shape == (2, 3, 7)


@pytest.mark.usefixtures("double")
@pytest.mark.parametrize("resources", [1, 2])
def test_knapsacks_are_those_of_the_formula(resources: int) -> None:
    problem = Knapsacks(**SMALL, items=12, resources=resources)
    for seed, instances in zip([SEED, SEED + 1], problem.draw([SEED, SEED + 1]), strict=True):
        random = np.random.RandomState(seed)
        weights = random.choice(range(300, 800), size=(resources, 12))
        x, costs = entry_by_entry(problem, random, 12)
        np.testing.assert_allclose(both(instances, "features")[0], x, rtol=1e-12)
        np.testing.assert_array_equal(both(instances, "costs")[0], -np.ceil(5 * costs))
        assert instances.seeds == (seed,)
        y = (torch.rand(200, 12, generator=torch.Generator().manual_seed(0)) < 0.3).double()
        fits = (y @ torch.from_numpy(weights).double().mT <= 2000).all(-1)
        assert fits.any()
        assert not fits.all()
        assert torch.equal(instances.space.contains(y), fits)
        assert isinstance(instances.space, sp.Knapsack if resources == 1 else sp.IntegerProgram)


@pytest.mark.parametrize("problem", [ShortestPaths(**SMALL), Knapsacks(**SMALL, items=10)], ids=["paths", "knapsacks"])
def test_solutions_are_best_plans(problem: Problem) -> None:
    instances = problem.draw([SEED])[0]
    every = instances.space.enumerate()
    for rows in (instances.train, instances.test):
        assert instances.space.contains(rows.solutions).all()
        torch.testing.assert_close(rows.optima, (rows.costs @ every.mT).amin(-1))


@pytest.mark.parametrize("problem", [ShortestPaths(**SMALL), Knapsacks(**SMALL, items=10)], ids=["paths", "knapsacks"])
def test_a_seed_fixes_its_instances_whatever_the_others_are(problem: Problem) -> None:
    def drawn(seeds: list[int]) -> dict[int, torch.Tensor]:
        drawn = problem.draw(seeds)
        return {s: both(some, "costs")[i] for some in drawn for i, s in enumerate(some.seeds)}

    alone, among_others = drawn([SEED + 1]), drawn([SEED, SEED + 1, SEED + 2])
    assert torch.equal(alone[SEED + 1], among_others[SEED + 1])
    assert not torch.equal(among_others[SEED], among_others[SEED + 1])


def test_seeds_of_the_global_generators_do_not_matter_and_stay() -> None:
    np.random.seed(0)
    torch.manual_seed(0)
    numpy_before, torch_before = np.random.get_state()[1].copy(), torch.get_rng_state()
    ShortestPaths(**SMALL).draw([SEED])
    assert (np.random.get_state()[1] == numpy_before).all()
    assert torch.equal(torch.get_rng_state(), torch_before)


def test_the_default_grid_has_40_edges_and_instances_are_float32() -> None:
    (instances,) = ShortestPaths(train_rows=1, test_rows=1).draw([SEED])
    assert instances.train.costs.shape == (1, 1, 40)
    assert {field.dtype for field in attrs.astuple(instances.train, recurse=False)} == {torch.float32}


def test_rows_are_taken_of_each_seed_by_its_own_index() -> None:
    (instances,) = ShortestPaths(**SMALL).draw([SEED, SEED + 1])
    rows = instances.train
    taken = rows.take(torch.tensor([[5, 0], [2, 2]]))
    for before, after in zip(attrs.astuple(rows, recurse=False), attrs.astuple(taken, recurse=False), strict=True):
        assert torch.equal(after[0], before[0, [5, 0]])
        assert torch.equal(after[1], before[1, [2, 2]])


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"degree": 0}, "'degree' must be >= 1: 0"),
        ({"features": 0}, "'features' must be >= 1: 0"),
        ({"train_rows": 0}, "'train_rows' must be >= 1: 0"),
        ({"test_rows": 0}, "'test_rows' must be >= 1: 0"),
        ({"noise_width": -0.1}, "noise_width: expected a number from 0 to 1, got -0.1"),
        ({"noise_width": 1.5}, "noise_width: expected a number from 0 to 1, got 1.5"),
        ({"noise_width": math.nan}, "noise_width: expected a number from 0 to 1, got nan"),
    ],
)
def test_settings_that_make_no_instances_are_refused(settings: dict[str, float], message: str) -> None:
    for kind in (ShortestPaths, Knapsacks):
        with pytest.raises(ValueError, match=message):
            kind(**settings)


@pytest.mark.parametrize("seeds", [[], [-1], [2**32], [SEED, 0.5]])
def test_other_seeds_are_refused(seeds: list[float]) -> None:
    for problem in (ShortestPaths(), Knapsacks()):
        with pytest.raises(ValueError, match=r"^seeds: expected one or more integers from 0 to 2\*\*32 - 1, got \["):
            problem.draw(seeds)


def test_a_grid_of_one_cell_is_refused() -> None:
    with pytest.raises(sp.ArgumentError, match="expected at least 2 cells in the grid"):
        ShortestPaths(height=1, width=1).draw([SEED])
