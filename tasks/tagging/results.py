"""A line of the experiment's results, one training, and the table of many."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import frozen
from rich.console import Console

from tasks.common.treebank import results as treebank
from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.session import in_batches
from tasks.tagging.config import Method, Run
from tasks.tagging.tagger import Tagger

_WORDS_AT_ONCE = 4000


@frozen
class Measures:
    """Of each sentence, in the order of the file."""

    words: list[int]
    right: list[int]
    """Words with the right tag."""

    @property
    def accuracy(self) -> float:
        return sum(self.right) / sum(self.words)

    def told(self) -> str:
        return f"{100 * self.accuracy:.2f} % of the tags are right"


_MEASURES = (treebank.Measure[Measures]("right", lambda own: own.accuracy, lambda own: own.right),)


@frozen(kw_only=True)
class Result(treebank.Result[Measures]):
    """What was trained, and what came of it."""

    run: Run
    dev: Measures
    test: Measures | None
    """None if not asked for."""


def print_results(results: Sequence[Result], console: Console, *, test: bool) -> None:
    """A row for each method, compared with cross-entropy."""
    title = "Percent of words with the right tag"
    treebank.print_results(title, _MEASURES, results, Method.CROSS_ENTROPY, console, test=test)


def judge(tagger: Tagger, sentences: Sequence[Sentence]) -> Measures:
    """How good a tagger is on sentences."""
    right = [0] * len(sentences)
    for places in in_batches(sentences, _WORDS_AT_ONCE):
        for place, tags in zip(places, tagger.tags_of([sentences[place] for place in places]), strict=True):
            right[place] = sum(tag == gold for tag, gold in zip(tags, sentences[place].tags, strict=True))
    return Measures([len(sentence) for sentence in sentences], right)
