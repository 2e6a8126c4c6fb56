"""The tagger: what it learns, and its commands."""

import pytest
import torch

from tasks.common.results import ResultsFile
from tasks.common.treebank.conllu_files import read_sentences
from tasks.common.treebank.settings import Training
from tasks.common.treebank.trainer import Trainer
from tasks.tagging.__main__ import main
from tasks.tagging.config import Method, Run
from tasks.tagging.results import Result, judge
from tasks.tagging.tagger import Tagger
from tests.tasks.tiny_treebank import SMALL, conllu, sentence, write

TINY = Training(epochs=6, batch_words=40, hidden=16, word_size=18, layers=1, rate=0.02, dropout=0.1)


def trained(method, sentences):
    trainer = Trainer(Run(TINY, method, 0), sentences, lambda sentence: sentence.tags, Tagger)
    while not trainer.finished:
        trainer.step()
    return trainer


@pytest.mark.parametrize("method", Method)
def test_every_method_learns_tags_that_follow_from_the_words(method, tmp_path):
    path = tmp_path / "some.conllu"
    short = conllu([["cat", "NOUN", 0, "root"]])  # of one word, which a chain has not
    path.write_text(short + "".join(conllu(sentence(seed)) for seed in range(60)))
    trainer = trained(method, read_sentences(path, "train", tags=True))
    path.write_text(short + "".join(conllu(sentence(seed)) for seed in range(100, 120)))
    measures = judge(trainer.network, read_sentences(path, "dev", tags=True))
    assert measures.accuracy > 0.95
    assert measures.words[0] == 1


@pytest.mark.parametrize("method", Method)
def test_sentences_of_one_word_alone(method, tmp_path):
    path = tmp_path / "some.conllu"
    path.write_text(conllu([["cat", "NOUN", 0, "root"]]) + conllu([["sees", "VERB", 0, "root"]]))
    sentences = read_sentences(path, "train", tags=True)
    trainer = trained(method, sentences)
    assert trainer.network.tags_of(sentences) == [["NOUN"], ["VERB"]]


def test_the_number_of_wrong_tags_is_the_loss(tmp_path):
    path = tmp_path / "some.conllu"
    path.write_text("".join(conllu(sentence(seed)) for seed in range(8)))
    sentences = read_sentences(path, "train", tags=True)
    trainer = Trainer(Run(TINY, Method.DIRECT, 0), sentences, lambda sentence: sentence.tags, Tagger)
    network = trainer.network
    network.eval()  # without noise and dropout
    loss, _ = network.loss(sentences, 0.0)
    assert torch.isclose(loss, torch.tensor(1 - judge(network, sentences).accuracy), atol=1e-6)


def test_train_evaluate_table(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "2000")
    files = write(tmp_path)

    def call(*arguments):
        status = main([str(argument) for argument in arguments])
        return status, "".join(capsys.readouterr())

    status, printed = call("train", *SMALL, *files, "--checkpoint", "t.pt")
    assert (status, "of the tags are right" in printed) == (0, True)
    status, printed = call("evaluate", *files, "--checkpoint", "t.pt", "--results", "r.jsonl")
    assert (status, "test set:" in printed) == (0, True)
    options = ("--repetitions", 1, "--results", "r.jsonl", *SMALL, *files)
    status, printed = call("table", "--methods", "cross-entropy", "direct", *options)
    assert status == 0
    rows = [line.split() for line in printed.splitlines() if line.split()[:1] in (["cross-entropy"], ["direct"])]
    assert [len(row) for row in rows] == [5, 6]
    results = ResultsFile(tmp_path / "r.jsonl", Result).read()
    assert [result.run.method for result in results] == [Method.DIRECT, Method.CROSS_ENTROPY]
    (tmp_path / "dev.conllu").write_text(conllu([["cat", "_", 0, "root"]]))
    status, printed = call("train", *SMALL, *files, "--checkpoint", "t.pt")
    assert (status, "no UPOS of word 1" in printed) == (2, True)
