"""How good trees are, by the official definition: of all words, punctuation too, those with the right head (UAS), and
with the right head and relation, subtypes left out (LAS)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from attrs import frozen

from tasks.common.treebank.conllu_files import Sentence
from tasks.parsing.parser import Tree


@frozen
class Measures:
    """Of each sentence, in the order of the file."""

    words: list[int]
    heads: list[int]
    """Words with the right head."""
    labelled: list[int]
    """Words with the right head and relation."""

    @property
    def uas(self) -> float:
        return sum(self.heads) / sum(self.words)

    @property
    def las(self) -> float:
        return sum(self.labelled) / sum(self.words)

    def told(self) -> str:
        return f"UAS {100 * self.uas:.2f} %, LAS {100 * self.las:.2f} %, whole trees {100 * self.trees:.2f} %"

    @property
    def whole(self) -> list[int]:
        """1 for each sentence all of whose heads are right."""
        return [int(right == words) for right, words in zip(self.heads, self.words, strict=True)]

    @property
    def trees(self) -> float:
        return sum(self.whole) / len(self.words)


def measure(trees: Iterable[Tree], sentences: Sequence[Sentence]) -> Measures:
    """Trees against those of the sentences."""
    heads, labelled = list[int](), list[int]()
    for tree, gold in zip(trees, sentences, strict=True):
        right = [head == wanted for head, wanted in zip(tree.heads, gold.heads, strict=True)]
        same = [label == wanted for label, wanted in zip(tree.relations, gold.relations, strict=True)]
        heads.append(sum(right))
        labelled.append(sum(map(bool.__and__, right, same)))
    return Measures([len(sentence) for sentence in sentences], heads, labelled)
