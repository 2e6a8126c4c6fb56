"""What trains a table's runs can be sent to another process, which reads the images itself."""

import pickle
from collections.abc import Sequence
from pathlib import Path

import attrs
import pytest
from rich.progress import Progress

from tasks.common.settings import Scale
from tasks.knn import session
from tasks.knn.commands import _Trainings
from tasks.knn.config import DataSet, Run
from tasks.knn.results import Result
from tasks.knn.session import Session, Source
from tests.tasks.knn.tiny import CPU, TINY, data, files


def test_trainings_that_were_sent_read_the_images_anew_and_train_as_those_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(session, "load", lambda *arguments: (asked.append(arguments[1]), data())[1])
    here = _Trainings(Session(DataSet.MNIST, Source(data_dir=Path("images")), CPU), tmp_path / "r.jsonl", 60.0, True)

    def learned(trainings: _Trainings) -> Sequence[Result]:
        runs = [Run(attrs.evolve(TINY, epochs=1), 3, scale, 0) for scale in (Scale.NONE, Scale.LEARNED)]
        results = list(trainings(runs, Progress(disable=True)))
        assert [Path(name) for name in files(tmp_path)] == sorted(
            trainings.checkpoint(run).relative_to(tmp_path) for run in runs
        )
        for run in runs:
            trainings.checkpoint(run).unlink()
        return [(result.run, result.test, result.epochs[0].measures, result.epochs[0].held_out) for result in results]

    expected = learned(here)
    assert learned(pickle.loads(pickle.dumps(here))) == expected
    assert asked == [Path("images"), tmp_path / "images"]
