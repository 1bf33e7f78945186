"""The source as the style tests see it: modules, their rooms and what they import, read with `ast`."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

REPOSITORY = Path(__file__).resolve().parents[2]
SOURCE = REPOSITORY / "src"


class Module(NamedTuple):
    """One source file. `name` is dotted; a package is named without `__init__`."""

    name: str
    path: Path
    tree: ast.Module
    is_package: bool

    @property
    def room(self) -> str:
        """The room it stands in; each driver is a room of its own."""
        return room_of(self.name)

    def at(self, line: int) -> str:
        """Where a line is, to be clicked on."""
        return f"{self.path.relative_to(REPOSITORY)}:{line}"


class Import(NamedTuple):
    """One imported name. `target` is the imported module; `name` what is taken from it, "" for the module itself."""

    module: Module
    target: str
    name: str
    alias: str
    line: int
    in_function: bool
    for_types: bool

    def __str__(self) -> str:
        what = f"{self.target}.{self.name}" if self.name else self.target
        return f"{self.module.at(self.line)} imports {what}"


def room_of(name: str) -> str:
    """`roost.drivers.qemu.plan` -> `drivers.qemu`, `roost.wire.xdr` -> `wire`, `roost` -> ``."""
    parts = name.split(".")[1:]
    if not parts:
        return ""
    return ".".join(parts[:2]) if parts[0] == "drivers" else parts[0]


@functools.cache
def modules() -> dict[str, Module]:
    """Every module of the project by its dotted name."""
    found = {}
    for path in sorted((SOURCE / "roost").rglob("*.py")):
        parts = path.relative_to(SOURCE).with_suffix("").parts
        is_package = parts[-1] == "__init__"
        name = ".".join(parts[:-1] if is_package else parts)
        found[name] = Module(name, path, ast.parse(path.read_text(), str(path)), is_package)
    return found


@functools.cache
def imports() -> tuple[Import, ...]:
    """Every import statement of the project, one item for each imported name."""
    return tuple(found for module in modules().values() for found in _imports_in(module))


def _imports_in(module: Module) -> Iterator[Import]:
    def visit(node: ast.AST, in_function: bool, for_types: bool) -> Iterator[Import]:
        if isinstance(node, ast.Import):
            for item in node.names:
                alias = item.asname or item.name
                yield Import(module, item.name, "", alias, node.lineno, in_function, for_types)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(module, node)
            for item in node.names:
                # `from package import module` imports a module, not a name in one.
                whole = f"{base}.{item.name}"
                target, name = (whole, "") if whole in modules() else (base, item.name)
                yield Import(module, target, name, item.asname or item.name, node.lineno, in_function, for_types)
        inside = in_function or isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
        types = for_types or (isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test))
        for child in ast.iter_child_nodes(node):
            yield from visit(child, inside, types)

    yield from visit(module.tree, False, False)


def _absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parts = module.name.split(".")
    base = parts[: len(parts) - node.level + module.is_package]
    return ".".join([*base, node.module] if node.module else base)
