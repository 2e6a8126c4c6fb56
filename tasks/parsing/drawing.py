"""A tree on the terminal: each word beneath its head, in the order of the sentence."""

from __future__ import annotations

from collections.abc import Sequence

from rich.text import Text
from rich.tree import Tree as Branches

from tasks.parsing.parser import Tree


def draw(forms: Sequence[str], tree: Tree, gold: Sequence[int | None]) -> Branches:
    """The words of a sentence as branches, those whose head is not the right one, where it is known, in red."""
    branches = {0: Branches(Text(" ".join(forms)))}
    waiting = list(range(1, len(forms) + 1))
    while waiting:
        ready = [word for word in waiting if tree.heads[word - 1] in branches]
        for word in ready:
            head, right = tree.heads[word - 1], gold[word - 1]
            style = "red" if right is not None and right != head else ""
            label = Text.assemble((forms[word - 1], style), "  ", (tree.relations[word - 1], "dim"))
            branches[word] = branches[head].add(label)
        waiting = [word for word in waiting if word not in branches]
    return branches[0]
