"""The plan of the house (docs/architecture.md): which room may import which, checked from the imports themselves."""

from __future__ import annotations

import ast
import functools
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter

import pytest

from style.house import SOURCE, Import, Module, imports, modules, room_of

# What each room may import besides itself, `errors` and `constants`. A name with a dot is that part of the room only.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "errors": (),
    "constants": (),
    "wire": (),
    "protocol": ("wire",),
    "xml": (),
    "model": ("xml",),
    "contract": ("model",),
    "host": ("contract",),
    "engine": ("contract", "model", "host.api"),
    "drivers": ("engine", "contract", "model", "host.api"),
    "rpc": ("wire", "protocol", "model", "contract"),
    "client": ("wire", "protocol"),
    "cli": ("client", "model"),
    "web": ("client", "model"),
    "daemon": ("wire", "protocol", "model", "contract", "host", "engine", "drivers", "rpc", "client"),
}
FOUNDATION = ("errors", "constants")

# Data in, data out: no sockets, files, clock, processes or event loop.
DRY = ("errors", "constants", "wire", "protocol", "xml", "model", "drivers.qemu.plan")
WET_MODULES = frozenset(
    {"asyncio", "fcntl", "multiprocessing", "os", "pathlib", "select", "selectors", "shutil", "signal"}
)
WET_MODULES |= {"_socket", "socket", "ssl", "subprocess", "tempfile", "threading", "time", "uvloop"}
# Methods that the standard library names with an underscore so that they cannot clash with a field.
PUBLIC_UNDERSCORES = frozenset({"_asdict", "_fields", "_make", "_replace", "_field_defaults", "_exit"})

# What importing takes too long for a command that is over in milliseconds.
SLOW_MODULES = frozenset(
    ("argparse", "asyncio", "collections", "dataclasses", "enum", "inspect", "msgspec", "re", "typing", "urllib")
)
QUICK_TO_IMPORT = ("roost.errors", "roost.protocol", "roost.client.blocking", "roost.cli.app")


def is_allowed(found: Import) -> bool:
    here, there = found.module.room, room_of(found.target)
    if not here or not there or here == there:
        return True
    top = there.split(".")[0]
    allowed = MAY_IMPORT[here.split(".")[0]]
    if top in FOUNDATION:
        return here not in FOUNDATION and not (here == "wire" and top == "constants")
    if top == "drivers" and here.startswith("drivers"):
        return False
    inside = found.target.removeprefix("roost.")
    return any(
        inside == room or inside.startswith(f"{room}.") or (inside == "host" and f"host.{found.name}" == room)
        for room in allowed
    )


def project_imports() -> list[Import]:
    return [found for found in imports() if found.target.split(".")[0] == "roost"]


def test_every_room_is_in_the_plan() -> None:
    rooms = {path.stem for path in (SOURCE / "roost").iterdir() if path.is_dir() or path.suffix == ".py"}
    assert rooms - {"__init__", "__main__", "__pycache__", "py"} <= set(MAY_IMPORT)


def test_rooms_import_only_downward() -> None:
    wrong = [str(found) for found in project_imports() if not is_allowed(found)]
    assert not wrong, "\n".join(wrong)


def test_no_import_cycles() -> None:
    graph: dict[str, set[str]] = {}
    for found in project_imports():
        # A package that imports its own parts is how it presents them; the parts must not import it back.
        if not found.for_types and found.target != found.module.name:
            graph.setdefault(found.module.name, set()).add(found.target)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail("import cycle: " + " -> ".join(reversed(error.args[1])))


def test_no_private_names_across_rooms() -> None:
    wrong = [
        str(found)
        for found in project_imports()
        if found.module.room != room_of(found.target)
        and any(part.startswith("_") and not part.startswith("__") for part in [*found.target.split("."), found.name])
    ]
    for module in modules().values():
        known = private_names(module.room)
        wrong += [
            f"{module.at(node.lineno)} uses .{node.attr}, which is not of this room"
            for node in ast.walk(module.tree)
            if isinstance(node, ast.Attribute) and is_private(node.attr) and node.attr not in known
        ]
    assert not wrong, "\n".join(wrong)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__") and name not in PUBLIC_UNDERSCORES


@functools.cache
def private_names(room: str) -> set[str]:
    """Underscored names that a room defines: functions, classes, variables, attributes, slots."""
    found = set()
    for module in modules().values():
        if module.room != room:
            continue
        for node in ast.walk(module.tree):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                    found.add(name)
                case ast.Constant(value=str(name)):
                    found.add(name)
                case ast.alias(name=name, asname=alias):
                    found.add(alias or name)
    return found


def test_lazy_imports_only_where_the_room_says_so() -> None:
    wrong = [str(found) for found in imports() if found.in_function and not is_lazy(found.module)]
    assert not wrong, "imported inside a function, and the room's docstring does not say lazy:\n" + "\n".join(wrong)


# How a room says that it imports some of its parts late.
SAYS_LAZY = re.compile(r"\blaz|on demand|on first use|on call|inside the functions|first one is needed")


def is_lazy(module: Module) -> bool:
    """Whether the docstring of the module's package, or of one above it, allows imports inside functions."""
    parts = module.name.split(".")
    packages = [modules().get(".".join(parts[:length])) for length in range(2, len(parts) + 1)]
    return any(package and SAYS_LAZY.search(ast.get_docstring(package.tree) or "") for package in packages)


def is_entropy_only(module: Module) -> bool:
    """Whether all that a module takes from `os` is random bytes, for UUIDs and MAC addresses."""
    used = {
        node.attr
        for node in ast.walk(module.tree)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "os"
    }
    return used == {"urandom"}


def test_dry_rooms_touch_nothing() -> None:
    wrong = [
        str(found)
        for found in imports()
        if not found.for_types
        and found.target.split(".")[0] in WET_MODULES
        and not (found.target == "os" and is_entropy_only(found.module))
        and any(f"{found.module.name}.".startswith(f"roost.{room}.") for room in DRY)
    ]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("name", [name for name, module in modules().items() if module.is_package and name != "roost"])
def test_packages_say_what_they_are_for(name: str) -> None:
    text = ast.get_docstring(modules()[name].tree)
    assert text, f"{name}/__init__.py has no docstring"
    assert len(text.splitlines()) <= 15


@pytest.mark.parametrize("name", QUICK_TO_IMPORT)
def test_quick_imports_stay_quick(name: str) -> None:
    # -S: what `site` imports for editable installations is not the project's doing.
    code = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import {name}; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert not SLOW_MODULES & {loaded.split(".")[0] for loaded in done.stdout.split()}
