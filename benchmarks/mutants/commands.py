"""The command line: each class is a command, each field an option."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import pytest
import tyro
from attrs import field, frozen
from rich.console import Console

from benchmarks.mutants import judges
from benchmarks.mutants.mutations import ROOT, Mutant, mutants_of
from benchmarks.mutants.report import Explained, Outcome, Result, print_report
from tasks.common.results import commit, open_results
from tasks.common.settings import at_least_one
from tasks.common.table import progress_bar

RESULTS = Path("benchmarks/mutants/results.jsonl")
EXPLAINED = Path("benchmarks/mutants/explained.jsonl")
REACHES = Path("build/mutants-reaches.jsonl")

_LEFT_OUT = ("structpred/testing/", "structpred/_eager.py", "structpred/errors.py")


@frozen
class Run:
    """Judge the mutants that the results file lacks, and print what survived."""

    sample: int | None = None
    """How many, drawn at random; all unless given. A larger sample of the same seed has the smaller one in it."""
    seed: int = 0
    """Of the sample."""
    only: str = ""
    """The beginning of the files' names, as ``structpred/spaces``."""
    again: bool = False
    """Judge survivors in the file that have no reason once more, after tests were added."""
    judge_seconds: int = field(default=40, validator=at_least_one)
    """The fastest tests that run what was changed are its judges, as many as take so long."""
    results: Path = RESULTS
    """The file that results are read from and appended to."""
    explained: Path = EXPLAINED
    """Survivors with the reasons why."""
    reaches: Path = REACHES
    """Which test runs which function. Remove it to find that anew; tests that it lacks are added."""

    def run(self, console: Console) -> None:
        judges.preload()
        judged_by = self._reaches(console)
        chosen = _mutants(self.only, self.sample, self.seed)
        with (
            open_results(self.results, Result, console) as file,
            open_results(self.explained, Explained, console) as explained,
        ):
            done = {result.run: result for result in file.read()}
            if self.again:
                right = {each.run for each in explained.read()}
                survived = [it.run for it in done.values() if it.outcome is Outcome.SURVIVED and it.run not in right]
                done = {mutant: result for mutant, result in done.items() if mutant not in survived}
            with progress_bar(console) as progress:
                task = progress.add_task("mutants", total=len(chosen))
                for mutant in chosen:
                    if mutant not in done:
                        file.append([done.setdefault(mutant, self._judge(mutant, judged_by))])
                    progress.advance(task)
            print_report([done[mutant] for mutant in chosen], explained.read(), console)

    def _reaches(self, console: Console) -> list[judges.Reach]:
        self.reaches.parent.mkdir(exist_ok=True)
        with progress_bar(console) as progress:
            task = progress.add_task("judges", total=None)
            for count in judges.record(self.reaches):
                progress.update(task, completed=count)
        reaches = judges.read(self.reaches)
        fastest = sorted(reaches, key=lambda reach: reach.seconds)[:300]
        if failed := judges.judge(None, fastest).test:
            raise ValueError(f"judges: expected tests that the library passes, got a failure of {failed}")
        return reaches

    def _judge(self, mutant: Mutant, judged_by: Sequence[judges.Reach]) -> Result:
        chosen = judges.judges_of(mutant, judged_by, self.judge_seconds)
        start = time.monotonic()
        verdict = judges.judge(mutant, chosen) if chosen else judges.Verdict(0, "")
        match verdict.exit_code:
            case pytest.ExitCode.OK | pytest.ExitCode.NO_TESTS_COLLECTED:
                outcome = Outcome.SURVIVED
            case code if code < 0:
                outcome = Outcome.TIMED_OUT
            case _:
                outcome = Outcome.KILLED
        return Result(mutant, outcome, verdict.test, len(chosen), round(time.monotonic() - start, 2), commit())


@frozen
class Report:
    """Print what a results file says."""

    results: Path = RESULTS
    """What ``run`` wrote."""
    explained: Path = EXPLAINED
    """Survivors with the reasons why."""

    def run(self, console: Console) -> None:
        with (
            open_results(self.results, Result, console) as file,
            open_results(self.explained, Explained, console) as explained,
        ):
            print_report(list({result.run: result for result in file.read()}.values()), explained.read(), console)


def _mutants(only: str, sample: int | None, seed: int) -> list[Mutant]:
    """All in the order of their files, or some in a random order that depends on the seed and their names alone."""
    files = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "structpred").rglob("*.py"))
    files = [file for file in files if file.startswith(only) and not file.startswith(_LEFT_OUT)]
    mutants = [mutant for file in files for mutant in mutants_of(file)]
    if sample is None:
        return mutants
    return sorted(mutants, key=lambda mutant: random.Random(f"{seed} {mutant}").random())[:sample]


Command = Annotated[Run, tyro.conf.subcommand("run")] | Annotated[Report, tyro.conf.subcommand("report")]
