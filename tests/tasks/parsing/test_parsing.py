"""The parser: what it learns, its measures, its commands, and trainings that go on after being killed."""

import io
import re

import attrs
import pytest
import torch
from rich.console import Console

from tasks.common.results import ResultsFile
from tasks.common.treebank.conllu_files import read_sentences
from tasks.common.treebank.settings import Training
from tasks.common.treebank.trainer import Trainer
from tasks.parsing.__main__ import main
from tasks.parsing.comparison import Word, words_of
from tasks.parsing.config import Method, Run
from tasks.parsing.drawing import draw
from tasks.parsing.measures import measure
from tasks.parsing.parser import Parser, Tree, spaces_of
from tasks.parsing.results import Result
from tasks.parsing.session import judge
from tests.tasks.tiny_treebank import SMALL, conllu, sentence, write

TINY = Training(epochs=8, batch_words=40, hidden=16, word_size=18, layers=1, rate=0.02, dropout=0.1)


@pytest.fixture
def call(tmp_path, capsys, monkeypatch):
    """Runs a command in a folder with a treebank; its exit status, and what it printed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")
    write(tmp_path)

    def run(*arguments):
        try:
            status = main([str(argument) for argument in arguments])
        except SystemExit as stop:
            status = stop.code
        return status, "".join(capsys.readouterr())

    return run


FILES = [word for name in ("train", "dev", "test") for word in (f"--{name}-file", f"{name}.conllu")]


def sentences_of(tmp_path, *rows):
    path = tmp_path / "some.conllu"
    path.write_text("".join(conllu(own) for own in rows))
    return read_sentences(path, "train", trees=True)


def trainer_of(run, sentences):
    return Trainer(run, sentences, lambda sentence: sentence.relations, Parser)


@pytest.mark.parametrize("method", Method)
def test_every_method_learns_trees_that_follow_from_the_words(method, tmp_path):
    sentences = sentences_of(tmp_path, *map(sentence, range(60)))
    trainer = trainer_of(Run(TINY, method, 0), sentences)
    while not trainer.finished:
        trainer.step()
    unseen = sentences_of(tmp_path, *map(sentence, range(100, 130)))
    measures = judge(trainer.network, unseen)
    assert measures.uas > 0.9
    assert measures.las > 0.85
    assert all(0 <= epoch.nonzero <= 1 for epoch in trainer.epochs)


def test_a_training_that_goes_on_takes_the_same_steps(tmp_path):
    sentences = sentences_of(tmp_path, *map(sentence, range(20)))
    run = Run(attrs.evolve(TINY, epochs=2), Method.DIRECT, 3)
    whole, first = trainer_of(run, sentences), trainer_of(run, sentences)
    for _ in range(first.steps_per_epoch + 1):  # within the second epoch
        first.step()
    second = trainer_of(run, sentences)
    second.load_state(first.state())
    for trainer in (whole, second):
        while not trainer.finished:
            trainer.step()
    for name, value in whole.network.state_dict().items():
        assert torch.equal(value, second.network.state_dict()[name]), name
    assert [epoch.loss for epoch in whole.epochs] == [epoch.loss for epoch in second.epochs]


def test_a_sentence_of_one_word_and_one_of_three_hundred(tmp_path):
    one = [["yes", "INTJ", 0, "root"]]
    many = [["word", "NOUN", max(0, number - 1), "dep"] for number in range(1, 301)]
    sentences = sentences_of(tmp_path, one, many)
    trainer = trainer_of(Run(attrs.evolve(TINY, epochs=1), Method.DIRECT, 0), sentences)
    while not trainer.finished:
        trainer.step()
    trees = trainer.network.parse(sentences)
    assert trees[0].heads == [0]
    assert trees[1].heads.count(0) == 1
    assert spaces_of(sentences).shape == (301, 300)


def test_words_are_counted_as_right_with_their_relation_or_without(tmp_path):
    gold = sentences_of(tmp_path, [["a", "X", 0, "root"], ["b", "X", 1, "obj:x"]], [["c", "X", 0, "root"]])
    trees = [Tree([0, 1], ["root", "iobj"]), Tree([0], ["root"])]
    measures = measure(trees, gold)
    assert (measures.uas, measures.las, measures.trees) == (1.0, 2 / 3, 1.0)
    measures = measure([Tree([2, 0], ["obj", "root"]), Tree([0], ["root"])], gold)
    assert (measures.uas, measures.las, measures.trees, measures.whole) == (1 / 3, 1 / 3, 0.5, [0, 1])


def test_the_parser_has_its_relation_from_the_training_set_alone(tmp_path):
    train = sentences_of(tmp_path, *map(sentence, range(8)))
    trainer = trainer_of(Run(attrs.evolve(TINY, epochs=1), Method.CROSS_ENTROPY, 0), train)
    unknown = sentences_of(tmp_path, [["Ωmega", "X", 0, "other"], ["b", "X", 1, "new"]])
    loss, _ = trainer.network.loss(unknown, 0.0)
    assert loss.isfinite()
    assert measure(trainer.network.parse(unknown), unknown).las == 0


def test_a_tree_is_drawn_beneath_its_heads():
    console = Console(width=60, file=io.StringIO())
    console.print(draw(["the", "cat", "sleeps"], Tree([2, 3, 0], ["det", "nsubj", "root"]), [2, 3, 0]))
    lines = [" ".join(re.findall(r"\w+", line)) for line in console.file.getvalue().splitlines()]
    assert lines == ["the cat sleeps", "sleeps root", "cat nsubj", "the det"]


def test_train_evaluate_parse(call, tmp_path):
    status, printed = call("train", "--method", "cross-entropy", *SMALL, *FILES, "--checkpoint", "p.pt")
    assert status == 0, printed
    assert "dev set: UAS" in printed
    status, printed = call("evaluate", "--checkpoint", "p.pt", "--results", "r.jsonl", *FILES)
    assert status == 0, printed
    assert "test set: UAS" in printed
    call("evaluate", "--checkpoint", "p.pt", "--results", "r.jsonl", *FILES)
    (result,) = ResultsFile(tmp_path / "r.jsonl", Result).read()
    assert result.test is not None
    assert len(result.test.words) == 24

    rows = [["old", "ADJ", "_", "_"], ["cat", "NOUN", "_", "_"], ["sees", "VERB", "_", "_"]]
    (tmp_path / "raw.conllu").write_text(conllu(rows, "raw"))
    arguments = ("--input", "raw.conllu", "--output", "out.conllu", "--checkpoint", "p.pt")
    status, printed = call("parse", *arguments, "--draw", 1)
    assert status == 0, printed
    assert "old cat sees" in printed
    (parsed,) = read_sentences(tmp_path / "out.conllu", "output", trees=True)
    assert parsed.forms == ("old", "cat", "sees")
    status, printed = call("parse", *arguments, "--draw", 2)
    assert (status, "draw: expected at most 1, the sentences of the file, got 2" in printed) == (2, True)


def test_table_trains_what_the_file_lacks_and_compares(call, tmp_path):
    options = ("--repetitions", 1, "--results", "r.jsonl", *SMALL, *FILES)
    assert call("table", "--methods", "cross-entropy", "--no-test", *options)[0] == 0
    status, printed = call("table", "--methods", "cross-entropy", "hinge", *options)
    assert status == 0, printed
    rows = [line.split() for line in printed.splitlines() if line.split()[:1] in (["cross-entropy"], ["hinge"])]
    assert [len(row) for row in rows] == [7, 10]  # cross-entropy is not compared with itself
    results = ResultsFile(tmp_path / "r.jsonl", Result).read()
    assert [(r.run.method, r.test is None) for r in results] == [
        (Method.CROSS_ENTROPY, True),
        (Method.CROSS_ENTROPY, False),
        (Method.HINGE, False),
    ]
    assert not list(tmp_path.glob("*.pt"))


def test_compare_counts_the_words_whose_head_one_parser_alone_finds(call, tmp_path):
    gold = sentences_of(tmp_path, [["a", "X", 2, "det"], ["b", "X", 0, "root"], [".", "X", 2, "punct"]])
    words = words_of(gold, [Tree([2, 0, 1], ["x"] * 3)], [Tree([3, 0, 2], ["x"] * 3)])
    assert words == [Word(3, 1, False, True, False), Word(3, 0, False, True, True), Word(3, 1, True, False, True)]
    for method in ("cross-entropy", "direct"):
        call("train", "--method", method, *SMALL, *FILES, "--checkpoint", f"{method}.pt")
    status, printed = call("compare", "--checkpoint", "cross-entropy.pt", "--other", "direct.pt", *FILES)
    assert status == 0, printed
    assert re.search(r"direct, seed 0: gradients in \d+, \d+ % of the sentences, sigma [\d.]+\n", printed)
    rows = {line.split("  ")[0].strip(): line.split() for line in printed.splitlines()}
    number, ours, theirs, alone, other = map(float, rows["all words"][2:])
    assert (ours - theirs) * number / 100 == pytest.approx(alone - other, abs=0.02 * number)


REFUSED = [
    ("train --train-file no.conllu", "train_file: expected a CoNLL-U file, got 'no.conllu'"),
    ("train --epochs 0", "epochs"),
    ("train --dropout 1", "dropout"),
    ("train --method magic", "magic"),
    ("evaluate --checkpoint no.pt", "checkpoint: expected a file that can be read"),
    ("parse --input dev.conllu --output nowhere/out.conllu", "output: expected a file that can be written"),
    ("parse --input dev.conllu --output out.conllu --checkpoint train.conllu", "checkpoint: expected a checkpoint"),
    ("table --methods", "methods"),
]


@pytest.mark.parametrize(("arguments", "said"), REFUSED, ids=[arguments for arguments, _ in REFUSED])
def test_a_bad_value_is_refused_with_status_2_and_named(arguments, said, call):
    status, printed = call(*arguments.split())
    assert status == 2
    assert said in printed
    assert "Traceback" not in printed


def test_an_unfinished_training_is_not_evaluated(call, tmp_path):
    from tasks.common.checkpoint import Checkpoint

    run = Run(attrs.evolve(TINY, epochs=2), Method.HINGE, 0)
    trainer = trainer_of(run, read_sentences(tmp_path / "train.conllu", "train"))
    for _ in range(trainer.steps_per_epoch):
        trainer.step()
    Checkpoint(run, trainer.state()).save(tmp_path / "p.pt")
    status, printed = call("evaluate", "--checkpoint", "p.pt", *FILES)
    assert (status, "expected a finished training, got one of 1 of 2 epochs" in printed) == (2, True)
