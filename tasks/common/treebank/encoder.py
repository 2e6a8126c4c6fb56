"""Words in their sentence as vectors: forms and characters, through a bidirectional LSTM."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

from tasks.common.treebank.settings import Training
from tasks.common.treebank.vocabulary import PADDING, UNKNOWN, Inputs, Vocabulary

_CHARACTER_SIZE = 32
_WIDTHS = (2, 3, 4)  # of the n-grams that the convolutions see


class Encoder(nn.Module):
    """``Inputs`` -> ``(sentences, longest, 2 * hidden)``.

    A word is an embedding of its form in lower case, and the largest responses of convolutions over its characters. In
    training, forms are taken away at random, so that the characters must do.
    """

    def __init__(self, training: Training, vocabulary: Vocabulary) -> None:
        super().__init__()
        size = training.word_size
        self._dropout = training.dropout
        self.words = nn.Embedding(len(vocabulary.words), size, padding_idx=PADDING)
        nn.init.normal_(self.words.weight, std=0.1)
        self.characters = nn.Embedding(len(vocabulary.characters), _CHARACTER_SIZE, padding_idx=PADDING)
        self.convolutions = nn.ModuleList(
            nn.Conv1d(_CHARACTER_SIZE, size // len(_WIDTHS), width, padding=width - 1) for width in _WIDTHS
        )
        features = size + size // len(_WIDTHS) * len(_WIDTHS)
        self.dropout = nn.Dropout(training.dropout)
        self.lstm = nn.LSTM(
            features,
            training.hidden,
            training.layers,
            batch_first=True,
            bidirectional=True,
            dropout=training.dropout if training.layers > 1 else 0.0,
        )

    def forward(self, inputs: Inputs) -> Tensor:
        words = inputs.words
        if self.training:
            taken = torch.rand(words.shape) < self._dropout
            words = words.masked_fill(taken & (words != PADDING), UNKNOWN)
        letters = self.characters(inputs.characters).mT  # (different words, size, characters)
        spelling = torch.cat([convolution(letters).amax(-1) for convolution in self.convolutions], -1).relu()
        read = self.dropout(torch.cat([self.words(words), spelling[inputs.spelling]], -1))
        packed = pack_padded_sequence(read, inputs.lengths, batch_first=True, enforce_sorted=False)
        states = pad_packed_sequence(self.lstm(packed)[0], batch_first=True)[0]
        dropped: Tensor = self.dropout(states)
        return dropped
