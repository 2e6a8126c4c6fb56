"""Treebanks: what is read, refused and written again; vocabulary, batches, significance, and trainings that go on."""

import os
from pathlib import Path

import pytest
import torch

import structpred as sp
from tasks.common.treebank.conllu_files import read_sentences, with_tree, write_sentences
from tasks.common.treebank.session import in_batches
from tasks.common.treebank.significance import chance_of_worse
from tasks.common.treebank.trainer import batches
from tasks.common.treebank.vocabulary import Vocabulary
from tests.tasks.tiny_treebank import conllu, sentence

# "vamonos al mar" with a multiword token, an empty node, a subtype, features and an enhanced tree.
RICH = """# newdoc id = d
# sent_id = rich
1-2\tvámonos\t_\t_\t_\t_\t_\t_\t_\tSpaceAfter=No
1\tvamos\tir\tVERB\t_\tMood=Imp|Number=Plur\t0\troot\t0:root\t_
2\tnos\tyo\tPRON\t_\t_\t1\tobl:arg\t1:obl:arg\t_
2.1\tmar\tmar\tNOUN\t_\t_\t_\t_\t1:obl\tCopyOf=2
3\t!\t!\tPUNCT\t_\t_\t1\tpunct\t1:punct\tSpacesAfter=\\n

"""


@pytest.fixture
def file(tmp_path):
    def write(content) -> Path:
        path = tmp_path / "file.conllu"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def read(path, **wanted):
    return read_sentences(path, "train", **wanted)


def test_words_are_read_without_multiword_tokens_and_empty_nodes(file):
    (rich,) = read(file(RICH), trees=True, tags=True)
    assert rich.forms == ("vamos", "nos", "!")
    assert rich.heads == (0, 1, 1)
    assert rich.relations == ("root", "obl", "punct")
    assert rich.tags == ("VERB", "PRON", "PUNCT")


def test_what_was_read_is_written_as_it_was(file, tmp_path):
    write_sentences(tmp_path / "out.conllu", "output", read(file(RICH + conllu(sentence(1)))))
    assert (tmp_path / "out.conllu").read_text() == RICH + conllu(sentence(1))


def test_another_tree_takes_the_place_of_the_former(file, tmp_path):
    (rich,) = read(file(RICH))
    write_sentences(tmp_path / "out.conllu", "output", [with_tree(rich, [2, 0, 2], ["a", "root", "c"])])
    rows = [line.split("\t") for line in (tmp_path / "out.conllu").read_text().splitlines() if "\t" in line]
    assert [(row[0], *row[6:9]) for row in rows] == [
        ("1-2", "_", "_", "_"),
        ("1", "2", "a", "_"),
        ("2", "0", "root", "_"),
        ("2.1", "_", "_", "1:obl"),
        ("3", "2", "c", "_"),
    ]
    assert rich.source[1]["head"] == 0  # the sentence itself is as it was


@pytest.mark.parametrize("ends", ["\r\n", "\r"])
def test_line_ends_of_other_systems_are_read(file, ends):
    (rich,) = read(file(RICH.replace("\n", ends)))
    assert rich.forms[-1] == "!"
    assert rich.source[-1]["misc"] == "SpacesAfter=\\n"


def test_a_byte_order_mark_and_a_missing_last_blank_line_are_no_matter(file):
    assert len(read(file(b"\xef\xbb\xbf" + RICH.rstrip().encode()))[0]) == 3


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "(a file without sentences); name another file"),
        (RICH[: RICH.index("\tSpacesAfter")], "9 columns in line 7); a line has 10, with tabs between"),
        (RICH.replace("\t", "  "), "1 columns in line 3)"),
        (b"1\tn\xffs" + b"\t_" * 8, "(bytes that are no UTF-8 at 3); save it as UTF-8"),
        (RICH.replace("1\tpunct\t1", "_\tpunct\t1"), "(no head of word 3 in sentence 'rich'); mend or remove it"),
        (RICH.replace("1\tobl:arg", "1\t_"), "(no relation of word 2 in sentence 'rich')"),
        (RICH.replace("\tPRON", "\t_"), "(no UPOS of word 2 in sentence 'rich')"),
        (RICH.replace("0\troot", "3\troot"), "(expected heads without a cycle, got a cycle in sentence 'rich')"),
        (RICH.replace("1\tobl:arg", "0\tobl:arg"), "(expected one node on the root, got more in sentence 'rich')"),
        (RICH.replace("1\tobl:arg", "4\tobl:arg"), "(expected numbers from 0 to 3, got 4 (int) in sentence 'rich')"),
        (RICH.replace("1\tobl:arg", "x\tobl:arg"), "after 0 sentences: Failed parsing field 'head'"),
        (RICH.replace("\n3\t", "\n4\t"), "(words that are not numbered from 1 in sentence 'rich')"),
    ],
)  # fmt: skip
def test_a_bad_file_is_refused(file, content, said):
    with pytest.raises(sp.ArgumentError) as raised:
        read(file(content), trees=True, tags=True)
    assert str(raised.value).startswith("train: expected a CoNLL-U file, got ")
    assert said in str(raised.value)


def test_words_without_heads_can_be_read_where_no_tree_is_needed(file):
    assert read(file(RICH.replace("0\troot", "_\t_")))[0].heads == (None, 1, 1)


def test_a_missing_file_is_refused(tmp_path):
    with pytest.raises(sp.ArgumentError, match=r"^dev: expected a CoNLL-U file, got '.*no.conllu' \(No such file"):
        read_sentences(tmp_path / "no.conllu", "dev")


def test_a_vocabulary_knows_words_that_occur_twice_and_all_characters(file):
    text = conllu([["Cat", "NOUN", 0, "root"]]) + conllu([["cat", "NOUN", 0, "root"], ["ox", "NOUN", 1, "dep"]])
    sentences = read(file(text))
    vocabulary = Vocabulary.of(sentences, ["b", "a", "b"])
    assert vocabulary.words == ("", "", "cat")
    assert vocabulary.characters == ("", "", *"Cacotx"[0:1], *sorted("acotx"))
    inputs = vocabulary.inputs(sentences)
    assert inputs.words.tolist() == [[2, 0], [2, 1]]
    assert inputs.lengths.tolist() == [1, 2]
    assert inputs.inside.tolist() == [[True, False], [True, True]]
    spelled = inputs.characters[inputs.spelling]  # (sentences, longest, characters)
    assert spelled[0, 1].eq(0).all()
    assert not torch.equal(spelled[0, 0], spelled[1, 0])  # in lower case they are one word, but spelled otherwise
    assert vocabulary.label_numbers([["a"], ["b", "z"]]).tolist() == [[0, 0], [1, -1]]
    assert Vocabulary.from_state(vocabulary.state()).inputs(sentences).words.equal(inputs.words)


def test_an_epoch_has_every_sentence_once_and_as_many_steps_as_any_other(file):
    sentences = read(file("".join(conllu(sentence(seed)) for seed in range(50))))
    epochs = [batches(sentences, 40, 7, epoch) for epoch in range(3)]
    for steps in epochs:
        assert sorted(index for step in steps for index in step) == list(range(50))
        assert all(sum(len(sentences[index]) for index in step) <= 40 + 7 for step in steps)
    assert len({len(steps) for steps in epochs}) == 1
    assert epochs[0] != epochs[1]
    assert epochs[0] == batches(sentences, 40, 7, 0)
    grouped = in_batches(sentences, 30)
    assert sorted(index for group in grouped for index in group) == list(range(50))
    assert all(len(group) * max(len(sentences[index]) for index in group) <= 30 for group in grouped)


def test_the_bootstrap_tells_better_from_equal():
    theirs = [3] * 200
    assert chance_of_worse([4] * 200, theirs) == 0
    assert chance_of_worse(theirs, theirs) == 1
    assert chance_of_worse([2] * 200, theirs) == 1
    mixed = [2, 4] * 100
    assert 0.4 < chance_of_worse(mixed, theirs) < 0.65
    assert chance_of_worse(mixed, theirs) == chance_of_worse(mixed, theirs)
    with pytest.raises(ValueError, match="as many sentences"):
        chance_of_worse([1], theirs)


REAL = Path(os.environ.get("STRUCTPRED_DATA", "data")) / "UD_English-EWT" / "en_ewt-ud-dev.conllu"


@pytest.mark.skipif(not REAL.exists(), reason="the treebank is not there")
def test_a_real_file_is_written_as_it_was(tmp_path):
    sentences = read_sentences(REAL, "dev_file", trees=True, tags=True)
    assert (len(sentences), sum(map(len, sentences))) == (2001, 25147)
    write_sentences(tmp_path / "out.conllu", "output", sentences)
    assert (tmp_path / "out.conllu").read_bytes() == REAL.read_bytes()
