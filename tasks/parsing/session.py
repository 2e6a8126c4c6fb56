"""Trainings of the parser, and how good they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.session import Session, in_batches
from tasks.common.treebank.settings import Files
from tasks.parsing.config import Run
from tasks.parsing.measures import Measures, measure
from tasks.parsing.parser import Parser, Tree

_WORDS_AT_ONCE = 2000


def session_of(files: Files) -> Session[Run, Parser]:
    return Session(files, Parser, lambda sentence: sentence.relations, trees=True)


def judge(parser: Parser, sentences: Sequence[Sentence]) -> Measures:
    return measure(parse_all(parser, sentences), sentences)


def parse_all(
    parser: Parser, sentences: Sequence[Sentence], observe: Callable[[int], None] = lambda count: None
) -> list[Tree]:
    """The tree of each sentence, in their order; ``observe`` is told how many more are done."""
    trees: dict[int, Tree] = {}
    for places in in_batches(sentences, _WORDS_AT_ONCE):
        trees |= zip(places, parser.parse([sentences[place] for place in places]), strict=True)
        observe(len(places))
    return [trees[place] for place in range(len(sentences))]
