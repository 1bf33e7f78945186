#!/usr/bin/env python3
"""The largest modules, classes and functions: what wants a second look."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from style.house import Module, modules

SHOWN = 3

# Past these a second look is due; `house` says nothing more about them.
MODULE_LINES, CLASS_METHODS, CLASS_ATTRIBUTES, FUNCTION_LINES = 400, 25, 15, 60


class Size(NamedTuple):
    """How large something is, and where it stands."""

    size: int
    where: str
    name: str


def module_sizes() -> list[Size]:
    """Lines of each module."""
    return [Size(len(module.path.read_text().splitlines()), module.at(1), module.name) for module in modules().values()]


def class_sizes() -> list[Size]:
    """Methods of each class."""
    return [Size(len(methods(node)), module.at(node.lineno), node.name) for module, node in classes()]


def attribute_sizes() -> list[Size]:
    """Attributes that a class's methods set on `self`; what a record declares are its fields, not these."""
    return [Size(len(attributes(node)), module.at(node.lineno), node.name) for module, node in classes()]


def function_sizes() -> list[Size]:
    """Lines of each function and method, with decorators and docstring."""
    found = []
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                found.append(Size((node.end_lineno or 0) - node.lineno + 1, module.at(node.lineno), node.name))
    return found


def classes() -> Iterator[tuple[Module, ast.ClassDef]]:
    """Each class with its module."""
    for module in modules().values():
        for node in ast.walk(module.tree):
            if isinstance(node, ast.ClassDef):
                yield module, node


def methods(node: ast.ClassDef) -> list[str]:
    """Names of the methods defined in a class's body."""
    return [item.name for item in node.body if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef)]


def attributes(node: ast.ClassDef) -> set[str]:
    """Names assigned to on `self` anywhere in a class."""
    return {
        item.attr
        for item in ast.walk(node)
        if isinstance(item, ast.Attribute)
        and isinstance(item.ctx, ast.Store)
        and isinstance(item.value, ast.Name)
        and item.value.id == "self"
    }


REPORTS = (
    ("modules, by lines", MODULE_LINES, module_sizes),
    ("classes, by methods", CLASS_METHODS, class_sizes),
    ("classes, by attributes", CLASS_ATTRIBUTES, attribute_sizes),
    ("functions, by lines", FUNCTION_LINES, function_sizes),
)


def main() -> None:
    """Print the largest of each kind."""
    for title, limit, measure in REPORTS:
        sizes = sorted(measure(), reverse=True)
        past = sum(item.size > limit for item in sizes)
        print(f"\nlargest {title} ({past} of {len(sizes)} past {limit})")
        for item in sizes[: max(SHOWN, min(past, 10))]:
            print(f"  {item.size:5}{'*' if item.size > limit else ' '} {item.name:32} {item.where}")


if __name__ == "__main__":
    main()
