"""Words, characters and labels as numbers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import torch
from attrs import frozen
from torch import Tensor

from tasks.common.treebank.conllu_files import Sentence

_LEAST_COUNT = 2
_LONGEST_WORD = 24  # characters that are looked at
PADDING, UNKNOWN = 0, 1


@frozen(eq=False)
class Inputs:
    """What a network reads of some sentences."""

    words: Tensor
    """``(sentences, longest)``: 0 past the end, 1 for words that the vocabulary lacks."""
    characters: Tensor
    """``(different words, characters)``, those of each different word once."""
    spelling: Tensor
    """``(sentences, longest)``: each word's row in ``characters``; row 0 is padding."""
    lengths: Tensor
    """``(sentences)``."""

    @property
    def inside(self) -> Tensor:
        """``(sentences, longest)``: where there is a word."""
        return torch.arange(self.words.shape[1]) < self.lengths[:, None]


@frozen(eq=False)
class Vocabulary:
    """What stands for which number; made of the training sentences, and saved with a training."""

    words: tuple[str, ...]
    """In lower case, of those that occur twice or more; the first two places are padding and unknown."""
    characters: tuple[str, ...]
    labels: tuple[str, ...]
    """What words are labelled with: relations or tags."""

    @classmethod
    def of(cls, sentences: Sequence[Sentence], labels: Iterable[str]) -> Vocabulary:
        counts = Counter(form.lower() for sentence in sentences for form in sentence.forms)
        characters = sorted({character for sentence in sentences for form in sentence.forms for character in form})
        known = sorted(word for word, count in counts.items() if count >= _LEAST_COUNT)
        return cls(("", "", *known), ("", "", *characters), tuple(sorted(set(labels))))

    def inputs(self, sentences: Sequence[Sentence]) -> Inputs:
        word_number, character_number = (
            {item: number for number, item in enumerate(items)} for items in (self.words, self.characters)
        )
        longest = max(map(len, sentences))
        words, spelling = (torch.zeros(len(sentences), longest, dtype=torch.int64) for _ in range(2))
        rows: dict[str, int] = {"": 0}
        for row, sentence in enumerate(sentences):
            numbers = [word_number.get(form.lower(), UNKNOWN) for form in sentence.forms]
            words[row, : len(sentence)] = torch.tensor(numbers)
            spelling[row, : len(sentence)] = torch.tensor(
                [rows.setdefault(form[:_LONGEST_WORD], len(rows)) for form in sentence.forms]
            )
        characters = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
        for form, row in rows.items():
            numbers = [character_number.get(character, UNKNOWN) for character in form]
            characters[row, : len(form)] = torch.tensor(numbers, dtype=torch.int64)
        return Inputs(words, characters, spelling, torch.tensor([len(sentence) for sentence in sentences]))

    def label_numbers(self, labels: Sequence[Sequence[str]]) -> Tensor:
        """``(sentences, longest)``: 0 past the end, and for labels that are not known -1, which no prediction is."""
        number = {label: place for place, label in enumerate(self.labels)}
        numbers = torch.zeros(len(labels), max(map(len, labels)), dtype=torch.int64)
        for row, of_sentence in zip(numbers, labels, strict=True):
            row[: len(of_sentence)] = torch.tensor([number.get(label, -1) for label in of_sentence])
        return numbers

    def state(self) -> dict[str, Any]:
        return {"words": list(self.words), "characters": list(self.characters), "labels": list(self.labels)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Vocabulary:
        return cls(*(tuple(map(str, state[name])) for name in ("words", "characters", "labels")))
