"""What is changed: each mutant is one small change of one expression or statement of one file.

Strings, annotations and docstrings are left as they are: messages have tests of their own.
"""

from __future__ import annotations

import ast
import collections
import copy
import functools
from collections.abc import Iterator
from pathlib import Path

from attrs import evolve, frozen

ROOT = Path(__file__).parents[2]

_OTHER: dict[type[ast.AST], type[ast.AST]] = {
    ast.Lt: ast.LtE, ast.LtE: ast.Lt, ast.Gt: ast.GtE, ast.GtE: ast.Gt, ast.Eq: ast.NotEq, ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot, ast.IsNot: ast.Is, ast.In: ast.NotIn, ast.NotIn: ast.In, ast.And: ast.Or, ast.Or: ast.And,
    ast.Add: ast.Sub, ast.Sub: ast.Add, ast.Mult: ast.Div, ast.Div: ast.Mult, ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult, ast.Pow: ast.Mult, ast.BitAnd: ast.BitOr, ast.BitOr: ast.BitAnd, ast.BitXor: ast.BitAnd,
    ast.LShift: ast.RShift, ast.RShift: ast.LShift, ast.Continue: ast.Break, ast.Break: ast.Continue,
}  # fmt: skip
_PAIRS = (
    "any all",
    "min max",
    "amin amax",
    "argmin argmax",
    "zeros ones",
    "zeros_like ones_like",
    "sum mean",
    "new_zeros new_ones",
    "isneginf isposinf",
    "floor ceil",
    "minimum maximum",
    "exp expm1",
    "log log1p",
)
_RENAMED = {a: b for pair in _PAIRS for a, b in (pair.split(), reversed(pair.split()))}


@frozen
class Mutant:
    """One change, named so that changes elsewhere in the file leave the name as it is."""

    file: str
    """Relative to the repository's root."""
    scope: str
    """The function or class that holds it, as in ``Gumbel.log_prob``; empty for the module."""
    was: str
    becomes: str
    number: int
    """Which of those with the same change in the same scope, from 0."""

    def __str__(self) -> str:
        return f"{self.file} {self.scope or 'module'}: {self.was!r} becomes {self.becomes!r} ({self.number})"


@frozen
class _Place:
    """A node that can be replaced, by the way to it from the tree's root, and the scope that runs it."""

    way: tuple[tuple[str, int | None], ...]
    scope: str
    was: ast.AST
    becomes: ast.AST


def mutants_of(file: str) -> list[Mutant]:
    """Every mutant of a file, from its top to its bottom."""
    return list(_places(file))


def mutated(mutant: Mutant) -> ast.Module:
    """The file's tree with the change made.

    Raises:
        ValueError: if the file has no such place any more.
    """
    place = _places(mutant.file).get(mutant)
    if place is None:
        raise ValueError(f"mutant: expected a change that can be made, got {mutant}; was the file changed since?")
    tree = _tree(mutant.file)
    parent: ast.AST = tree
    for name, index in place.way[:-1]:
        parent = getattr(parent, name) if index is None else getattr(parent, name)[index]
    name, index = place.way[-1]
    if index is None:
        setattr(parent, name, place.becomes)
    else:
        getattr(parent, name)[index] = place.becomes
    return ast.fix_missing_locations(tree)


def _tree(file: str) -> ast.Module:
    return ast.parse((ROOT / file).read_text(encoding="utf-8"))


@functools.cache
def _places(file: str) -> dict[Mutant, _Place]:
    found: dict[Mutant, _Place] = {}
    seen: collections.Counter[Mutant] = collections.Counter()
    for place in _walk(_tree(file)):
        mutant = Mutant(file, place.scope, _shown(place.was), _shown(place.becomes), 0)
        found[evolve(mutant, number=seen[mutant])] = place
        seen[mutant] += 1
    return found


def _shown(node: ast.AST) -> str:
    """Its first line, as Python writes it."""
    return ast.unparse(node).strip().splitlines()[0]


def _walk(
    node: ast.AST, way: tuple[tuple[str, int | None], ...] = (), scope: str = "", inside: bool = False
) -> Iterator[_Place]:
    """The places in a node; ``inside`` a function, what is defined counts to that function."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return
    for variant in _variants(node):
        yield _Place(way, scope, node, ast.copy_location(variant, node))
    if isinstance(node, ast.FunctionDef | ast.ClassDef) and not inside:
        scope, inside = f"{scope}.{node.name}" if scope else node.name, isinstance(node, ast.FunctionDef)
    for name, value in ast.iter_fields(node):
        if name in ("annotation", "returns"):
            continue
        if isinstance(value, ast.AST):
            yield from _walk(value, (*way, (name, None)), scope, inside)
        elif isinstance(value, list):
            for index, entry in enumerate(value):
                if isinstance(entry, ast.AST):
                    yield from _walk(entry, (*way, (name, index)), scope, inside)


def _variants(node: ast.AST) -> Iterator[ast.AST]:
    """What a node may become."""
    match node:
        case ast.Compare(ops=ops):
            for index, op in enumerate(ops):
                yield _with(node, ops=[*ops[:index], _OTHER[type(op)](), *ops[index + 1 :]])
        case ast.BinOp(op=op) | ast.AugAssign(op=op) | ast.BoolOp(op=op) if type(op) in _OTHER:
            yield _with(node, op=_OTHER[type(op)]())
        case ast.UnaryOp(operand=operand):
            yield operand
        case ast.Constant(value=bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(value=int() | float() as value) if value + 1 != value:  # not so beyond 2^53
            yield ast.Constant(value + 1)
        case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test) if _is_plain(test):
            yield _with(node, test=ast.UnaryOp(ast.Not(), test))
        case ast.comprehension(ifs=[_, *_] as ifs):
            yield _with(node, ifs=ifs[1:])
        case ast.Call(func=func, keywords=keywords, args=args):
            for index, keyword in enumerate(keywords):
                if keyword.arg is not None:
                    yield _with(node, keywords=keywords[:index] + keywords[index + 1 :])
            if isinstance(func, ast.Attribute) and not args and not keywords:
                yield func.value
        case ast.Attribute(attr=name) if name in _RENAMED:
            yield _with(node, attr=_RENAMED[name])
        case ast.Name(id=name) if name in _RENAMED:
            yield _with(node, id=_RENAMED[name])
        case ast.Continue() | ast.Break():
            yield _OTHER[type(node)]()
    if _can_be_left_out(node):
        yield ast.Pass()


def _with(node: ast.AST, **fields: object) -> ast.AST:
    changed = copy.copy(node)
    for name, value in fields.items():
        setattr(changed, name, value)
    return changed


def _is_plain(test: ast.expr) -> bool:
    """Whether no other rule changes the condition: comparisons, ``not``, ``and`` and ``or`` have their own."""
    return isinstance(test, ast.Name | ast.Attribute | ast.Call | ast.Subscript | ast.NamedExpr)


def _can_be_left_out(node: ast.AST) -> bool:
    match node:
        case ast.Expr(value=ast.Constant()):
            return False
        case ast.Expr() | ast.AugAssign() | ast.Raise():
            return True
        case ast.Assign(targets=[target]):
            return isinstance(target, ast.Attribute | ast.Subscript)
    return False
