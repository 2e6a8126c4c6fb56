"""A treebank of few words, from which its trees follow: adjectives hang on the noun after them, nouns on the verb."""

import random
from pathlib import Path

NOUNS, ADJECTIVES, VERBS = ("cat", "dog", "bird"), ("old", "big"), ("sees", "eats")


def sentence(seed):
    """The rows of a sentence: form, UPOS, head, relation."""
    draw = random.Random(seed)
    rows = []
    for place in ("nsubj", "verb", "obj"):
        if place == "verb":
            rows.append([draw.choice(VERBS), "VERB", 0, "root"])
            continue
        adjectives = [[draw.choice(ADJECTIVES), "ADJ", None, "amod"] for _ in range(draw.randint(0, 2))]
        rows += adjectives
        rows.append([draw.choice(NOUNS), "NOUN", None, place])
        for row in adjectives:
            row[2] = len(rows)
    verb = next(number for number, row in enumerate(rows, start=1) if row[1] == "VERB")
    return [[form, tag, verb if head is None else head, relation] for form, tag, head, relation in rows]


def conllu(rows, name="s"):
    lines = [f"# sent_id = {name}", f"# text = {' '.join(row[0] for row in rows)}"]
    lines += [
        "\t".join([str(number), form, form, tag, "_", "_", str(head), relation, "_", "_"])
        for number, (form, tag, head, relation) in enumerate(rows, start=1)
    ]
    return "\n".join(lines) + "\n\n"


def write(folder: Path, count=24):
    """Files of a treebank, as options of a command; dev and test are sentences of their own."""
    options = []
    for place, name in enumerate(("train", "dev", "test")):
        path = folder / f"{name}.conllu"
        path.write_text("".join(conllu(sentence(100 * place + seed), f"{name}-{seed}") for seed in range(count)))
        options += [f"--{name}-file", str(path)]
    return options


SMALL = ["--epochs", "2", "--batch-words", "40", "--hidden", "8", "--word-size", "9", "--layers", "1"]
