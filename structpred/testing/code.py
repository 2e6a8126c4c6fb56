"""Values as Python code, so that a failure can be pasted and seen again."""

from __future__ import annotations

import ast
import enum
import itertools
import sys
from collections.abc import Iterable, Mapping
from types import ModuleType

import attrs
import numpy as np
import torch
from torch import Tensor

import structpred
from structpred.loss import LinearLoss
from structpred.testing.law import Law

_MOST_ENTRIES = 500
_PACKAGES = ("structpred", "structpred.testing")


def reproduction(law: Law, subject: object, inputs: Mapping[str, object], options: Mapping[str, object]) -> str:
    """A program that calls the law on the subject with these inputs."""
    subject_name = "space" if isinstance(subject, structpred.StructuredSpace) else "subject"
    if law.inputs and not inputs:  # the space failed while it gave the structures that they are made of
        space = getattr(subject, "space", subject)
        lines = [*_imports([type(space)]), "from structpred.testing import check_space"]
        return "\n".join([*lines, "", f"space = {expression(space)}", "check_space(space)"])
    given = [f"{name} = {_on_lines(value)}" for name, value in inputs.items()]
    arguments = [subject_name, *(f"{name}={name}" for name in inputs), *(f"{k}={v!r}" for k, v in options.items())]
    made, call = f"{subject_name} = {expression(subject)}", f"{law.name}({', '.join(arguments)})"
    torch_itself = ["import torch"] if any("torch." in line for line in (made, *given, call)) else []
    of_subject = _named_in(subject)
    of_inputs = [law.check, *itertools.chain.from_iterable(map(_named_in, inputs.values()))]
    imports = _imports([*of_inputs, *of_subject])
    names = [name for it in imports if it.startswith("from") for name in it.partition(" import ")[2].split(", ")]
    if len(names) == len(set(names)):
        return "\n".join([*torch_itself, *imports, "", made, *given, call])
    # A class of the subject has the name of one of the inputs', which are made before it is imported.
    return "\n".join([*torch_itself, *_imports(of_inputs), "", *given, "", *_imports(of_subject), "", made, call])


def expression(value: object) -> str:
    """Code for a value, as exact as its repr; tensors keep dtype, strides and whether they require grad."""
    if isinstance(value, Tensor):
        return _tensor(value)
    if isinstance(value, LinearLoss):
        best = "" if value.best is None else f", best={expression(value.best)}"
        arguments = f"{expression(value.coefficients)}, {expression(value.constant)}, event_dims={value.event_dims}"
        return f"LinearLoss({arguments}{best})"
    if isinstance(value, torch.dtype):
        return str(value)
    if isinstance(value, float):
        return _numbers(value)
    if isinstance(value, type):
        return value.__qualname__
    if _is_of_the_kit(value):
        fields = attrs.asdict(value, recurse=False)  # type: ignore[arg-type]
        return f"{type(value).__name__}({', '.join(f'{k}={expression(v)}' for k, v in fields.items())})"
    if isinstance(value, tuple):
        return f"({', '.join(map(expression, value))}{',' * (len(value) == 1)})"
    if isinstance(value, enum.Enum):
        return f"{type(value).__name__}.{value.name}"
    text = " ".join(repr(value).split())
    return text if _is_code(text) else f"...  # {text}"


def _on_lines(value: object) -> str:
    """Code for one input: that of a value with fields has a line for each."""
    if not _is_of_the_kit(value):
        return expression(value)
    fields = attrs.asdict(value, recurse=False)  # type: ignore[arg-type]
    lines = (f"    {name}={expression(it)}," for name, it in fields.items())
    return "\n".join([f"{type(value).__name__}(", *lines, ")"])


def _is_of_the_kit(value: object) -> bool:
    return attrs.has(type(value)) and type(value).__module__.startswith("structpred.testing")


def _is_code(text: str) -> bool:
    try:
        ast.parse(text, mode="eval")
    except SyntaxError:
        return False
    return True


def _tensor(tensor: Tensor) -> str:
    detached = tensor.detach().cpu()
    if detached.numel() > _MOST_ENTRIES:
        return f"...  # a {detached.dtype} tensor of shape {tuple(detached.shape)}, too large to show"
    if detached.is_contiguous() or not detached.numel():
        code = _contiguous(detached)
    else:
        size = 1 + sum((n - 1) * step for n, step in zip(detached.shape, detached.stride(), strict=True))
        storage = detached.as_strided((size,), (1,))
        code = f"torch.as_strided({_contiguous(storage)}, {tuple(detached.shape)}, {detached.stride()})"
    return f"{code}.requires_grad_()" if tensor.requires_grad else code


def _contiguous(tensor: Tensor) -> str:
    dtype = "" if tensor.dtype == torch.float32 else f", dtype={tensor.dtype}"
    if not tensor.numel():
        return f"torch.empty({tuple(tensor.shape)}{dtype})"
    return f"torch.tensor({_numbers(tensor.tolist())}{dtype})"


def _numbers(numbers: object) -> str:
    return repr(numbers).replace("inf", "torch.inf").replace("nan", "torch.nan")


def _named_in(value: object) -> list[object]:
    """What the code for a value names: its class, and those of the values in it."""
    if isinstance(value, Tensor | float | int | str | None):
        return []
    if _is_of_the_kit(value):
        within = attrs.asdict(value, recurse=False).values()  # type: ignore[arg-type]
        return [type(value), *itertools.chain.from_iterable(map(_named_in, within))]
    text = expression(value)
    names = {node.id for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)} if _is_code(text) else set()
    parts = _within(value)
    own = [type(it) for it in parts if type(it).__name__ in names]
    others = sorted(names - {it.__name__ for it in (type(value), *own)})
    public = [getattr(structpred, name) for name in others if hasattr(structpred, name)]
    arrays = [getattr(np, name) for name in sorted(names) if "array" in names and hasattr(np, name)]  # and their dtypes
    modules = [sys.modules[type(it).__module__] for it in parts if type(it).__module__ in names]  # as of datetime.date
    return [type(value), *public, *arrays, *own, *modules]


def _within(value: object) -> list[object]:
    """What is in a value, however deep: in containers, and in the fields of objects, which may hold one another."""
    found: dict[int, object] = {}
    open_ones = [value]
    while open_ones:
        for part in _parts(open_ones.pop()):
            if id(part) not in found and not isinstance(part, Tensor | float | int | str | type | None):
                found[id(part)] = part
                open_ones.append(part)
    return list(found.values())


def _parts(value: object) -> Iterable[object]:
    if isinstance(value, Mapping):
        return itertools.chain(value.keys(), value.values())
    if isinstance(value, list | tuple | set | frozenset):
        return value
    if attrs.has(type(value)):
        return [getattr(value, it.name) for it in attrs.fields(type(value)) if it.repr]  # type: ignore[arg-type]
    return list(getattr(value, "__dict__", {}).values())


def _imports(used: list[object]) -> list[str]:
    modules: dict[str, set[str]] = {}
    whole = {f"import {item.__name__}" for item in used if isinstance(item, ModuleType)}
    for item in used:
        if isinstance(item, ModuleType):
            continue
        name, module = item.__qualname__.split(".")[0], item.__module__  # type: ignore[attr-defined]
        if module != "builtins":
            itself = getattr(sys.modules.get(module), name, None)
            public = [
                it for it in _PACKAGES if itself is not None and getattr(sys.modules.get(it), name, None) is itself
            ]
            modules.setdefault(public[0] if public else module, set()).add(name)
    return sorted(whole) + [
        f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(modules.items())
    ]
