"""A line of the experiment's results: one training."""

from __future__ import annotations

from collections.abc import Sequence

from attrs import field, frozen, validators

from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.session import in_batches
from tasks.common.treebank.trainer import Epoch
from tasks.tagging.config import Run
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


@frozen
class Result:
    """What was trained, and what came of it."""

    run: Run
    dev: Measures
    test: Measures | None
    """None if not asked for."""
    epochs: list[Epoch] = field(validator=validators.min_len(1))
    machine: str
    """What it ran on."""
    commit: str

    @property
    def seconds(self) -> float:
        """The training steps."""
        return sum(epoch.seconds for epoch in self.epochs)


def judge(tagger: Tagger, sentences: Sequence[Sentence]) -> Measures:
    """How good a tagger is on sentences."""
    right = [0] * len(sentences)
    for places in in_batches(sentences, _WORDS_AT_ONCE):
        for place, tags in zip(places, tagger.tags_of([sentences[place] for place in places]), strict=True):
            right[place] = sum(tag == gold for tag, gold in zip(tags, sentences[place].tags, strict=True))
    return Measures([len(sentence) for sentence in sentences], right)
