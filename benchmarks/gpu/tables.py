"""What the documentation shows of the committed visit."""

from __future__ import annotations

import functools
import statistics
from pathlib import Path

import attrs

from benchmarks.gpu.records import Record
from benchmarks.interval import Interval
from benchmarks.page import markdown
from benchmarks.reproduction.accuracy import interval_of
from tasks.common.report import cell_of
from tasks.common.results import ResultsFile
from tasks.common.settings import Scale
from tasks.knn.config import DataSet, Method, Run
from tasks.knn.report import described, paper_percent
from tasks.knn.results import Result

_HERE = Path(__file__).parent
_NAMES = {DataSet.MNIST: "MNIST", DataSet.FASHION_MNIST: "Fashion-MNIST", DataSet.CIFAR_10: "CIFAR-10"}
_TABLE_4 = ", k = 3, "
_CIFAR_10 = 50_000  # training images


@functools.cache
def records() -> list[Record]:
    return ResultsFile(_HERE / "gpu.jsonl", Record).read()


@functools.cache
def accuracies() -> list[Result]:
    return ResultsFile(_HERE / "gpu-knn.jsonl", Result).read()


def answers() -> list[str]:
    """How many cases were compared with the CPU, and which differ."""
    cases = [record for record in records() if record.stage == "smoke"]
    same = sum("equal" in record.values for record in cases)
    machines, commits = (" and ".join(sorted(it)) for it in ({c.machine for c in cases}, {c.commit for c in cases}))
    return [f"{same} of {len(cases)} cases answer as on the CPU ({machines}, commit {commits})."]


def speeds() -> list[str]:
    """A row for each set and way of computing."""
    rows = []
    for record in records():
        if record.stage in ("speed", "compiled") and _TABLE_4 not in record.name:
            values = record.values
            milliseconds = [f"{values[name]:.1f} ms" for name in ("step_ms", "networks_ms", "objective_ms")]
            share = f"**{100 * values['objective_share']:.0f} %**"
            rows.append([_named(record.name), *milliseconds, share, f"{values['images_per_second']:,.0f}"])
    return markdown(["set, networks in", "step", "networks", "objective", "its share", "images/s"], *rows)


def table_4() -> list[str]:
    """Whole steps, and the objectives alone, of the direct loss and of stochastic NeuralSort."""
    steps = {record.name: record.values for record in records() if _TABLE_4 in record.name}
    rows = []
    for dataset, name in _NAMES.items():
        direct, rival = (
            steps[f"{dataset.value}{_TABLE_4}{method.value}"]
            for method in (Method.DIRECT, Method.STOCHASTIC_NEURAL_SORT)
        )
        for part, key in (("whole step", "step_ms"), ("without networks", "objective_ms")):
            ours, theirs = direct[key], rival[key]
            rows.append([f"{name}: {part}", f"{ours:.1f} ms", f"{theirs:.1f} ms", f"**{ours / theirs:.2f}**"])
    return markdown(["k = 3, on a GPU", "direct", "stochastic NeuralSort", "ratio"], *rows)


def table_2() -> list[str]:
    """An epoch of sorting by each of the two methods."""
    rows = []
    for record in records():
        if record.stage == "table-2":
            direct, rival = (f"{record.values[key]:.1f} ms" for key in ("direct_ms", "gumbel_sinkhorn_ms"))
            rows.append([record.name.removeprefix("d = "), direct, rival, f"**{record.values['ratio']:.2f}**"])
    return markdown(["d, on a GPU", "direct", "Gumbel-Sinkhorn", "ratio"], *rows)


def _cells() -> dict[Run, dict[int, Result]]:
    """The accuracies of each seed, by what they share but for it: by set and k, then in the order of the file."""
    found: dict[Run, dict[int, Result]] = {}
    order = list(_NAMES)
    for result in sorted(accuracies(), key=lambda it: (order.index(it.run.training.dataset), -it.run.k)):
        found.setdefault(cell_of(result.run), {})[result.run.seed] = result
    return found


def table_3() -> list[str]:
    """The test images in the right class, beside the paper's figure: of the direct loss that with a learned sigma."""
    rows = []
    for run, seeds in _cells().items():
        training, results = run.training, list(seeds.values())
        interval = interval_of(results)
        direct = run.method is Method.DIRECT
        paper = paper_percent(attrs.evolve(run, scale=Scale.LEARNED) if direct else run)
        seconds = statistics.median(sum(epoch.seconds for epoch in result.epochs) for result in results)
        rows.append(
            [
                _described(run),
                f"{paper:.2f}",
                f"{interval.value:.2f} [{interval.low:.2f}, {interval.high:.2f}]",
                str(len(results)),
                str(training.epochs),
                str(training.queries),
                str(training.num_samples) if direct else "",
                f"{seconds:.0f} s",
            ]
        )
    header = ["on a GPU", "paper, 220 epochs", "here", "seeds", "epochs", "queries a step", "draws", "steps' time"]
    return markdown(header, *rows)


def beside_baselines() -> list[str]:
    """By how many points the direct loss is ahead on the same images, paired by their seeds."""
    rows = []
    for direct, ours in _cells().items():
        for run, theirs in _cells().items():
            rival = attrs.evolve(direct, method=run.method, scale=run.scale)
            seeds = sorted(ours.keys() & theirs.keys())
            if direct.method is Method.DIRECT and run == rival != direct and len(seeds) > 1:
                ahead = Interval.student([100 * (_test(ours[seed]) - _test(theirs[seed])) for seed in seeds])
                name = f"{_NAMES[run.training.dataset]}, k = {run.k}"
                points = f"{ahead.value:+.2f} [{ahead.low:+.2f}, {ahead.high:+.2f}]"
                rows.append([name, described(run), points, str(len(seeds))])
    return markdown(["on a GPU", "against", "points ahead", "seeds"], *rows)


def _test(result: Result) -> float:
    assert result.test is not None
    return result.test


def _described(run: Run) -> str:
    method = "direct" if run.method is Method.DIRECT else described(run)
    return f"{_NAMES[run.training.dataset]}, k = {run.k}, {method}"


def choice() -> list[str]:
    """Held-out images of CIFAR-10 in the right class after short trainings on a CPU, by what was chosen."""
    path = _HERE.parents[1] / "tasks" / "knn" / "results" / "cifar.jsonl"
    rows: dict[tuple[int, str, int, float, int], dict[int, str]] = {}
    for result in ResultsFile(path, Result).read():
        training, scale = result.run.training, result.run.scale
        start = training.initial_scale or (0.7 if scale is Scale.LEARNED else 1.0)
        steps = training.epochs * ((_CIFAR_10 - training.held_out) // training.candidates)
        images = steps * result.run.images_a_step
        row = rows.setdefault((training.queries, scale.value, training.num_samples, start, images), {})
        row[result.run.k] = f"{100 * (result.held_out or 0.0):.1f}"
    lines = []
    for (queries, sigma, samples, start, images), row in sorted(rows.items()):
        lines.append(
            [f"{queries}, {sigma}, {samples}, {start:g}", f"{images:,}", *(row.get(k, "") for k in (5, 1))],
        )
    return markdown(["queries a step, sigma, draws, sigma at the start", "images seen", "k = 5", "k = 1"], *lines)


def _named(name: str) -> str:
    dataset, _, way = name.partition(", ")
    return f"{_NAMES[DataSet(dataset)]}, {way}"
