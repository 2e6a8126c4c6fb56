"""What one visit to a machine with a GPU measures, the most valuable first.

1. ``smoke``: every space, objective and layer there against the CPU;
2. ``speed``: the objective's share of a step, and images a second, for three image sets in three ways of computing, and
   Table 4's step against stochastic NeuralSort's;
3. ``table-2``: an epoch of sorting against Gumbel-Sinkhorn's;
4. ``table-3``: accuracies of direct loss minimization, and of baselines if asked for, for k = 5 and 1, on short
   schedules;
5. ``compiled``: the speeds through a compiler, a minute for each network;
6. ``paper``: accuracies by the paper's protocol, which takes hours for the residual networks.

Each result is written when it is there, and trainings are saved as they go: the same command goes on where a killed one
was. It needs no command-line library and no integer-program solver.
"""

from __future__ import annotations

import argparse
import functools
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from rich.console import Console

from benchmarks.gpu import smoke, trainings
from benchmarks.gpu.records import Records
from benchmarks.gpu.speed import measure, measure_sorting
from benchmarks.rows.rivals import LENGTHS
from tasks.common.checkpoint import Checkpoint, checkpoint_beside
from tasks.common.results import ResultsFile, commit
from tasks.common.table import progress_bar
from tasks.knn.config import DataSet, Execution, Method, Run
from tasks.knn.data import Data, Images
from tasks.knn.results import Result
from tasks.knn.session import Session, Source

STAGES = ("smoke", "speed", "table-2", "table-3", "compiled", "paper")
_SAVE_EVERY = 20.0  # seconds


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.gpu", description=__doc__)
    parser.add_argument("--data-dir", type=Path, default=Path("data"), help="the root that holds the image sets")
    parser.add_argument("--output", type=Path, default=Path("results"), help="the folder to write to and go on from")
    parser.add_argument("--stages", nargs="+", choices=STAGES, default=STAGES, help="what to measure; all unless named")
    parser.add_argument(
        "--datasets", nargs="+", type=DataSet, default=list(trainings.PAPER), help="what to train on; all unless named"
    )
    parser.add_argument("--ks", nargs="+", type=int, default=trainings.KS, help="how many neighbours vote")
    parser.add_argument("--epochs", type=int, default=trainings.EPOCHS, help="of the short schedules of large networks")
    parser.add_argument(
        "--methods",
        nargs="+",
        type=Method,
        default=[Method.DIRECT],
        help="what short ones train on; direct if not said",
    )
    parser.add_argument("--seeds", nargs="+", type=int, default=[0], help="of short schedules; 0 if not said")
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--tiny", action="store_true", help="a rehearsal of seconds, on images of noise")
    options = parser.parse_args(arguments)
    console = Console(soft_wrap=True)
    execution = Execution(device=options.device)
    device, _ = execution.resolve()
    options.output.mkdir(parents=True, exist_ok=True)
    machine = torch.cuda.get_device_name(device) if device.type == "cuda" else "cpu"
    records = Records(options.output / "gpu.jsonl", f"{machine}, torch {torch.__version__}", commit(), console)
    if "smoke" in options.stages:
        for name, case in smoke.cases().items():
            records.make("smoke", name, partial(smoke.differences, case, device))
    steps = trainings.steps(options.device, options.tiny) if "speed" in options.stages else {}
    rounds, count = (1, 100) if options.tiny else (20, None)
    for name, step in steps.items():
        records.make("speed", name, partial(measure, step, rounds, count))
    for length in LENGTHS if "table-2" in options.stages else ():
        records.make("table-2", f"d = {length}", partial(measure_sorting, length, device, rounds))

    def train(stage: str, runs: Mapping[str, Run]) -> None:
        source, kind = Source(data_dir=options.data_dir), _OfNoise if options.tiny else Session
        for name, run in runs.items():
            session = kind(run.training.dataset, source, execution)
            records.make(stage, name, partial(_train, run, options.output / "gpu-knn.jsonl", session, console))

    if "table-3" in options.stages:
        runs = trainings.short_runs(
            options.datasets, options.ks, options.epochs, options.methods, options.seeds, options.tiny
        )
        train("table-3", runs)
    if "compiled" in options.stages and not options.tiny:
        for name, step in trainings.compiled_steps(options.device).items():
            records.make("compiled", name, partial(measure, step, rounds, count))
    if "paper" in options.stages:
        train("paper", trainings.paper_runs(options.datasets, options.ks, options.tiny))
    for failed in records.errors():
        console.print(f"failed: {failed}", style="red", markup=False)
    return 1 if records.errors() else 0


def _train(run: Run, results: Path, session: Session, console: Console) -> dict[str, Any]:
    """Trains and tests a run, and appends the experiment's own result, unless the file has it."""
    file, path = ResultsFile(results, Result), checkpoint_beside(results, run)
    result = next((known for known in file.read() if known.run == run), None)
    if result is None:
        with progress_bar(console) as progress:
            state = session.train(run, path, _SAVE_EVERY, progress)
        result = session.result(run, state, session.test(Checkpoint(run, state), path))
        file.append([result])
    path.unlink(missing_ok=True)
    return {"test": result.test, "held_out": result.held_out, "seconds": result.seconds}


class _OfNoise(Session):
    """Few images, of noise, in the place of a set."""

    @functools.cached_property
    def data(self) -> Data:
        generator = torch.Generator().manual_seed(0)

        def images(count: int) -> Images:
            pixels = torch.randint(256, (count, 3, 32, 32), dtype=torch.uint8, generator=generator)
            return Images(pixels, torch.randint(10, (count,), generator=generator))

        return Data(images(48), images(8))


if __name__ == "__main__":
    sys.exit(main())
