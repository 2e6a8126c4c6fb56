"""The parser: scores of arcs and relations from words in their sentence, and the best trees.

    arc[h, d]      = head(h)^T W dependent(d) + head(h)^T u
    relation[d, r] = [head(h); 1]^T U_r [dependent(d); 1],    h the head of d

with the states of a bidirectional LSTM through a layer each (Dozat & Manning 2017, "Deep biaffine attention for neural
dependency parsing").
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import attrs
import torch
from attrs import frozen
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, pad

import structpred as sp
from tasks.common.treebank.conllu_files import Sentence
from tasks.common.treebank.encoder import Encoder
from tasks.common.treebank.settings import WARM
from tasks.common.treebank.trainer import Learner
from tasks.common.treebank.vocabulary import Vocabulary
from tasks.parsing.config import Method, Run

_ARC_SIZE, _RELATION_SIZE = 200, 100


@frozen(eq=False)
class Tree:
    """What a parser finds for one sentence."""

    heads: list[int]
    relations: list[str]


@frozen(eq=False)
class _Read:
    """What the networks make of some sentences."""

    arcs: Tensor
    """``(sentences, longest + 1, longest)``, laid out as the structures of ``Arborescence``."""
    head: Tensor
    """``(sentences, longest + 1, size)``: words and the root as heads of relations."""
    dependent: Tensor
    """``(sentences, longest, size)``."""
    inside: Tensor
    """``(sentences, longest)``."""


class Parser(Learner):
    """Arcs and relations for the words of sentences.

    Args:
        run: its method, and the sizes.
        vocabulary: of words and characters; its labels are the relations.
    """

    def __init__(self, run: Run, vocabulary: Vocabulary) -> None:
        super().__init__()
        self._method, self._vocabulary = run.method, vocabulary
        states = 2 * run.training.hidden
        self.encoder = Encoder(run.training, vocabulary)
        self.root = nn.Parameter(torch.zeros(states))
        self.arc_head, self.arc_dependent = (_layer(states, _ARC_SIZE, run.training.dropout) for _ in range(2))
        self.arc = nn.Linear(_ARC_SIZE, _ARC_SIZE)  # its bias is u
        self.relation_head, self.relation_dependent = (
            _layer(states, _RELATION_SIZE, run.training.dropout) for _ in range(2)
        )
        with_one = _RELATION_SIZE + 1
        self.relation = nn.Linear(with_one, len(vocabulary.labels) * with_one, bias=False)  # nn.Bilinear is far slower
        nn.init.zeros_(self.relation.weight)
        self.objective = _objective(run.method, run.training.num_samples)

    @property
    def sigma(self) -> float | None:
        """That of direct loss."""
        scale = getattr(self.objective, "scale", None)
        return scale().item() if isinstance(scale, sp.AdaptiveScale) else None

    def loss(self, sentences: Sequence[Sentence], progress: float) -> tuple[Tensor, float]:
        read = self._read(sentences)
        heads = _padded([sentence.heads for sentence in sentences])
        relations = self._vocabulary.label_numbers([sentence.relations for sentence in sentences])
        words = int(read.inside.sum())
        if self.objective is None or (self._method is Method.DIRECT_WARM and progress < WARM):
            of_arcs, nonzero = _each_head_alone(read, heads), 1.0
        else:
            of_arcs, nonzero = _through_the_tree(self.objective, read, heads, spaces_of(sentences))
        of_relations = cross_entropy(
            self._relations(read, heads)[read.inside], relations[read.inside], ignore_index=-1, reduction="sum"
        )
        return (of_arcs + of_relations) / words, nonzero

    @torch.no_grad()
    def parse(self, sentences: Sequence[Sentence]) -> list[Tree]:
        """The best tree of each sentence."""
        self.eval()
        read = self._read(sentences)
        heads = spaces_of(sentences).argmax(read.arcs).argmax(1)  # (sentences, longest)
        numbers = self._relations(read, heads).argmax(-1)
        trees = []
        for sentence, of_words, its in zip(sentences, heads.tolist(), numbers.tolist(), strict=True):
            relations = [self._vocabulary.labels[number] for number in its[: len(sentence)]]
            trees.append(Tree(of_words[: len(sentence)], relations))
        return trees

    def _read(self, sentences: Sequence[Sentence]) -> _Read:
        inputs = self._vocabulary.inputs(sentences)
        states = self.encoder(inputs)  # (sentences, longest, states)
        with_root = torch.cat([self.root.expand(len(states), 1, -1), states], 1)
        arcs = self.arc(self.arc_head(with_root)) @ self.arc_dependent(states).mT
        return _Read(arcs, self.relation_head(with_root), self.relation_dependent(states), inputs.inside)

    def _relations(self, read: _Read, heads: Tensor) -> Tensor:
        """``(sentences, longest, relations)``: the scores of each word's relation to its head."""
        head = read.head.gather(1, heads[..., None].expand(-1, -1, read.head.shape[-1]))
        head, dependent = (pad(each, (0, 1), value=1) for each in (head, read.dependent))
        by_relation = self.relation(head).unflatten(-1, (len(self._vocabulary.labels), -1))
        scores: Tensor = (by_relation @ dependent[..., None]).squeeze(-1)
        return scores


def spaces_of(sentences: Sequence[Sentence]) -> sp.SpaceBatch:
    """The trees of each sentence, with one word on the root."""
    return sp.SpaceBatch(_trees(len(sentence)) for sentence in sentences)


@functools.cache
def _trees(length: int) -> sp.Arborescence:
    return sp.Arborescence(length, single_root=True)


def _objective(method: Method, num_samples: int) -> sp.Objective | None:
    any_space = sp.Arborescence(1)  # each batch has its own
    match method:
        case Method.CROSS_ENTROPY:
            return None
        case Method.HINGE:
            return sp.StructuredHingeLoss(any_space)
        case Method.FENCHEL_YOUNG:
            return sp.PerturbedFenchelYoungLoss(any_space, num_samples=num_samples)
        case Method.DIRECT | Method.DIRECT_WARM:
            return sp.PerturbedDirectLoss(any_space, num_samples=num_samples)


def _each_head_alone(read: _Read, heads: Tensor) -> Tensor:
    """Cross-entropy of each word's head, summed over the words."""
    words = torch.arange(heads.shape[1])
    is_head = pad(read.inside, (1, 0), value=True)[:, :, None]
    allowed = is_head & (torch.arange(heads.shape[1] + 1)[:, None] != words + 1)  # not a word itself
    choices = read.arcs.masked_fill(~allowed, -torch.inf).mT  # (sentences, longest, heads)
    return cross_entropy(choices[read.inside], heads[read.inside], reduction="sum")


def _through_the_tree(
    objective: sp.Objective, read: _Read, heads: Tensor, spaces: sp.SpaceBatch
) -> tuple[Tensor, float]:
    """An objective's loss in wrong heads, summed over the sentences, and the fraction of these with a gradient."""
    target = torch.zeros_like(read.arcs).scatter_(1, heads[:, None], read.inside[:, None].to(read.arcs.dtype))
    wrong_heads = attrs.evolve(sp.LinearLoss.missed(target), best=target)
    objective.space = spaces
    solution = objective.solve(read.arcs, wrong_heads)
    loss = solution.loss.mean(0)
    if isinstance(solution, sp.DirectSolution):
        nonzero = solution.nonzero_fraction.item()
        # Else the gradient of a long step is so small beside that of the relations that these alone shape the words.
        loss = loss * solution.epsilon.abs()
    else:
        nonzero = (solution.prediction != target).any(0).flatten(1).any(1).float().mean().item()
    return loss.sum(), nonzero


def _layer(inputs: int, outputs: int, dropout: float) -> nn.Sequential:
    return nn.Sequential(nn.Linear(inputs, outputs), nn.LeakyReLU(0.1), nn.Dropout(dropout))


def _padded(rows: Sequence[Sequence[int | None]]) -> Tensor:
    padded = torch.zeros(len(rows), max(map(len, rows)), dtype=torch.int64)
    for row, own in zip(padded, rows, strict=True):
        row[: len(own)] = torch.tensor(own)
    return padded
