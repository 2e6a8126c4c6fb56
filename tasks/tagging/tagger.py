"""The tagger: scores of each word's tags and of neighbouring tags, and the best sequences of a ``Chain``."""

from __future__ import annotations

from collections.abc import Sequence

import attrs
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

import structpred as sp
from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.encoder import Encoder
from tasks.common.treebank.settings import WARM
from tasks.common.treebank.trainer import Learner
from tasks.common.treebank.vocabulary import Vocabulary
from tasks.tagging.config import Method, Run


class Tagger(Learner):
    """Tags for the words of sentences.

    Args:
        run: its method, and the sizes.
        vocabulary: of words and characters; its labels are the tags.
    """

    def __init__(self, run: Run, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._method, self._vocabulary = run.method, vocabulary
        tags = len(vocabulary.labels)
        self.encoder = Encoder(run.training, vocabulary)
        self.tag = nn.Linear(2 * run.training.hidden, tags)
        self.transition = nn.Parameter(torch.zeros(tags, tags))
        self.objective = _objective(run.method, run.training.num_samples)

    def loss(self, sentences: Sequence[Sentence], progress: float) -> tuple[Tensor, float]:
        unary, lengths = self._scores(sentences)
        tags = self._vocabulary.label_numbers([sentence.tags for sentence in sentences])
        inside = torch.arange(tags.shape[1]) < lengths[:, None]
        if self.objective is None or (self._method is Method.DIRECT_WARM and progress < WARM):
            of_words = unary[:, : tags.shape[1]]
            return cross_entropy(of_words[inside], tags[inside]), 1.0
        tags, inside = (pad(each, (0, unary.shape[1] - each.shape[1])) for each in (tags, inside))
        chain = sp.Chain(unary.shape[1], unary.shape[2])
        self.objective.space = chain
        target = chain.from_labels(tags, lengths)
        wrong = (tags[..., None] != torch.arange(unary.shape[2])) & inside[..., None]
        wrong_tags = attrs.evolve(sp.LinearLoss(chain.spread(wrong.to(unary.dtype))), best=target)
        solution = self.objective.solve(chain.edge_scores(unary, self.transition, lengths), wrong_tags)
        if isinstance(solution, sp.DirectSolution):
            nonzero = solution.nonzero_fraction.item()
        else:
            nonzero = (solution.prediction != target).any(0).flatten(1).any(1).float().mean().item()
        return solution.loss.mean(0).sum() / lengths.sum(), nonzero

    @torch.no_grad()
    def tags_of(self, sentences: Sequence[Sentence]) -> list[list[str]]:
        """The best tags of each sentence."""
        self.eval()
        unary, lengths = self._scores(sentences)
        chain = sp.Chain(unary.shape[1], unary.shape[2])
        numbers = chain.to_labels(chain.argmax(chain.edge_scores(unary, self.transition, lengths)))
        return [
            [self._vocabulary.labels[number] for number in row[: len(sentence)]]
            for row, sentence in zip(numbers.tolist(), sentences, strict=True)
        ]

    def _scores(self, sentences: Sequence[Sentence]) -> tuple[Tensor, Tensor]:
        """``(sentences, longest, tags)``, of two words or more, which a chain has, and ``(sentences)``, the lengths."""
        inputs = self._vocabulary.inputs(sentences)
        unary = self.tag(self.encoder(inputs))
        return pad(unary, (0, 0, 0, max(0, 2 - unary.shape[1]))), inputs.lengths


def _objective(method: Method, num_samples: int) -> sp.Objective | None:
    any_space = sp.Chain(2, 1)  # each batch has its own
    match method:
        case Method.CROSS_ENTROPY:
            return None
        case Method.PERCEPTRON:
            return sp.StructuredPerceptronLoss(any_space)
        case Method.DIRECT | Method.DIRECT_WARM:
            return sp.PerturbedDirectLoss(any_space, num_samples=num_samples)
