"""Sentences from CoNLL-U files and back, by the ``conllu`` package."""

from __future__ import annotations

import copy
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import conllu
import torch
from attrs import field, frozen
from conllu.parser import parse_id_value, parse_int_value

import structpred as sp
from tasks.common.files import whole_file

_COLUMNS = ("id", "form", "lemma", "upos", "xpos", "feats", "head", "deprel", "deps", "misc")
_PARSERS: Any = dict.fromkeys(_COLUMNS, lambda columns, place: columns[place]) | {
    "id": lambda columns, place: parse_id_value(columns[place]),
    "head": lambda columns, place: parse_int_value(columns[place]),
}


@frozen(eq=False)
class Sentence:
    """The words of a sentence, without multiword tokens (``3-4``) and empty nodes (``8.1``), which ``source`` keeps."""

    forms: tuple[str, ...]
    tags: tuple[str, ...]
    """UPOS; ``_`` where there is none."""
    heads: tuple[int | None, ...]
    """0 for the root, or the number of a word; None where there is none."""
    relations: tuple[str, ...]
    """DEPREL without its subtype, which the official LAS does not look at."""
    source: Any = field(repr=False)
    """As ``conllu`` read it, to write it again."""

    def __len__(self) -> int:
        return len(self.forms)


def read_sentences(path: Path, option: str, *, trees: bool = False, tags: bool = False) -> list[Sentence]:
    """Every sentence of a file, with any kind of line ends.

    Args:
        path: the file.
        option: the command's option that names it, for messages.
        trees: whether each sentence must have a tree with one word on the root.
        tags: whether each word must have a UPOS tag.

    Raises:
        ArgumentError: names the file, and the sentence or its line, if it is no CoNLL-U, cut short, or lacks what is
            asked for.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # which reads any line ends as \n
    except OSError as error:
        raise _refusal(option, path, error.strerror or str(error), "name another file") from error
    except UnicodeDecodeError as error:
        raise _refusal(option, path, f"bytes that are no UTF-8 at {error.start}", "save it as UTF-8") from error
    _require_whole_lines(text, path, option)
    sentences = []
    try:
        for number, source in enumerate(conllu.parse_incr(io.StringIO(text), _COLUMNS, _PARSERS), start=1):
            sentence = _sentence(source)
            name = f"sentence {source.metadata.get('sent_id', number)!r}"
            if fault := _fault(sentence, trees, tags):
                raise _refusal(option, path, f"{fault} in {name}", "mend or remove it")
            sentences.append(sentence)
    except conllu.exceptions.ParseException as error:
        raise _refusal(option, path, f"after {len(sentences)} sentences: {error}", "mend or remove it") from error
    if not sentences:
        raise _refusal(option, path, "a file without sentences", "name another file")
    return sentences


def write_sentences(path: Path, option: str, sentences: Iterable[Sentence]) -> None:
    """Writes the sources of sentences, whole or not at all."""
    with whole_file(path, option) as unfinished:
        unfinished.write_text("".join(text_of(sentence) for sentence in sentences), encoding="utf-8", newline="\n")


def text_of(sentence: Sentence) -> str:
    """The sentence as CoNLL-U."""
    text: str = sentence.source.serialize()
    return text


def with_tree(sentence: Sentence, heads: Sequence[int], relations: Sequence[str]) -> Sentence:
    """The sentence with another tree; enhanced dependencies, which are of the former one, are left out."""
    source = copy.deepcopy(sentence.source)
    for token, head, relation in zip(_words(source), heads, relations, strict=True):
        token |= {"head": head, "deprel": relation, "deps": "_"}
    return Sentence(sentence.forms, sentence.tags, tuple(heads), tuple(relations), source)


def _sentence(source: Any) -> Sentence:
    words = list(_words(source))
    return Sentence(
        tuple(word["form"] for word in words),
        tuple(word["upos"] for word in words),
        tuple(word["head"] for word in words),
        tuple(word["deprel"].partition(":")[0] for word in words),
        source,
    )


def _words(source: Any) -> Iterator[Any]:
    return (token for token in source if isinstance(token["id"], int))


def _require_whole_lines(text: str, path: Path, option: str) -> None:
    for number, line in enumerate(text.split("\n"), start=1):
        columns = line.count("\t") + 1
        if line.strip() and not line.startswith("#") and columns != len(_COLUMNS):
            fault = f"{columns} columns in line {number}"
            raise _refusal(
                option, path, fault, f"a line has {len(_COLUMNS)}, with tabs between; is the file cut short?"
            )


def _fault(sentence: Sentence, trees: bool, tags: bool) -> str:
    """What is wrong with a sentence; nothing if all is as it should be."""
    if [word["id"] for word in _words(sentence.source)] != list(range(1, len(sentence) + 1)) or not len(sentence):
        return "words that are not numbered from 1"
    if tags and "_" in sentence.tags:
        return f"no UPOS of word {sentence.tags.index('_') + 1}"
    if not trees:
        return ""
    if None in sentence.heads:
        return f"no head of word {sentence.heads.index(None) + 1}"
    if "_" in sentence.relations:
        return f"no relation of word {sentence.relations.index('_') + 1}"
    try:
        sp.Arborescence(len(sentence), single_root=True).from_heads(torch.tensor(sentence.heads))
    except sp.ArgumentError as error:
        return str(error).removeprefix("heads: ").replace(" in the only example", "")
    return ""


def _refusal(option: str, path: Path, came: str, instead: str) -> sp.ArgumentError:
    return sp.ArgumentError(f"{option}: expected a CoNLL-U file, got {str(path)!r} ({came}); {instead}")
