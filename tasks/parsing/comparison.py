"""Where the trees of two parsers differ: right heads by the length of the sentence and of the arc, and by its kind."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from attrs import frozen
from rich import box
from rich.console import Console
from rich.table import Table

from tasks.common.treebank.conllu_files import Sentence
from tasks.parsing.parser import Tree


@frozen
class Word:
    """A word, and which of two parsers found its head."""

    of_sentence: int
    """The length of its sentence."""
    of_arc: int
    """Words from its head to itself; 0 if that is the root."""
    punctuation: bool
    ours: bool
    theirs: bool


_GROUPS: dict[str, Callable[[Word], bool]] = {
    "all words": lambda word: True,
    "in sentences of 1 to 10 words": lambda word: word.of_sentence <= 10,
    "of 11 to 20": lambda word: 10 < word.of_sentence <= 20,
    "of 21 to 40": lambda word: 20 < word.of_sentence <= 40,
    "of 41 and more": lambda word: word.of_sentence > 40,
    "on the root": lambda word: word.of_arc == 0,
    "beside their head": lambda word: word.of_arc == 1,
    "2 to 5 words from it": lambda word: 2 <= word.of_arc <= 5,
    "6 and more from it": lambda word: word.of_arc >= 6,
    "punctuation": lambda word: word.punctuation,
}


def words_of(sentences: Sequence[Sentence], ours: Sequence[Tree], theirs: Sequence[Tree]) -> list[Word]:
    """The words of sentences that have trees, with the trees of two parsers."""
    words = []
    for sentence, own, other in zip(sentences, ours, theirs, strict=True):
        rows = zip(sentence.heads, own.heads, other.heads, sentence.relations, strict=True)
        for number, (gold, mine, its, relation) in enumerate(rows, start=1):
            assert gold is not None  # read with trees
            arc = abs(number - gold) if gold else 0
            words.append(Word(len(sentence), arc, relation == "punct", mine == gold, its == gold))
    return words


def print_comparison(names: tuple[str, str], words: Sequence[Word], console: Console) -> None:
    """A row for each group of words: how many, percent with the right head, and how many of one parser alone."""
    table = Table(box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0))
    table.add_column("words")
    for heading in ("number", f"% {names[0]}", f"% {names[1]}", "first alone", "second alone"):
        table.add_column(heading, justify="right")
    for name, belongs in _GROUPS.items():
        group = [word for word in words if belongs(word)]
        if not group:
            continue
        shares = [100 * sum(right) / len(group) for right in zip(*((w.ours, w.theirs) for w in group), strict=True)]
        alone = [sum(w.ours > w.theirs for w in group), sum(w.theirs > w.ours for w in group)]
        table.add_row(name, f"{len(group):,}", *(f"{share:.2f}" for share in shares), *map(str, alone))
    console.print(table, crop=False)
