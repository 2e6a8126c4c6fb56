"""What a training of the parser or the tagger is, and where the sentences are."""

from __future__ import annotations

from pathlib import Path

from attrs import field, frozen, validators

from tasks.common.settings import at_least_one, positive

_EWT = Path("data/UD_English-EWT")

WARM = 0.5
"""The part of the training that comes before direct loss, where that starts warm."""


@frozen(kw_only=True)
class Files:
    """CoNLL-U files of any treebank."""

    train_file: Path = _EWT / "en_ewt-ud-train.conllu"
    """The sentences trained on."""
    dev_file: Path = _EWT / "en_ewt-ud-dev.conllu"
    """Those that choices are made on."""
    test_file: Path = _EWT / "en_ewt-ud-test.conllu"
    """Those of the table."""


@frozen(kw_only=True)
class Training:
    """How a network is trained, whatever the method."""

    epochs: int = field(default=10, validator=at_least_one)
    """Passes over the training sentences."""
    sentences: int | None = field(default=None, validator=validators.optional(at_least_one))
    """So many of the training sentences, the first ones; all if None."""
    batch_words: int = field(default=1000, validator=at_least_one)
    """Words a step, about: a step has at least one sentence."""
    rate: float = field(default=3e-3, validator=positive)
    """The highest learning rate of Adam's, which goes up over the first tenth, then down to nearly nothing."""
    word_size: int = field(default=120, validator=validators.ge(3))
    """Of a form's embedding, and of what its characters make."""
    hidden: int = field(default=200, validator=at_least_one)
    """Of each direction of the LSTM."""
    layers: int = field(default=2, validator=at_least_one)
    """Of the LSTM."""
    dropout: float = field(default=0.33, validator=[validators.ge(0.0), validators.lt(1.0)])
    """Of forms, inputs and states."""
    num_samples: int = field(default=1, validator=at_least_one)
    """Noise draws a sentence, for methods with noise."""
