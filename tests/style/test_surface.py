"""What a reader meets first: every module and every public name says what it is for; nothing names one machine."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

from style.house import REPOSITORY, SOURCE, Module, modules

# Directories that exist on one developer's machine only; built here so that this file does not name them itself.
ONE_MACHINE = re.compile(r"/(?:" + "|".join(("work/", "tmp/w/", "opt/wheels", "home/[a-z]+/src")) + ")")


def public(tree: ast.Module) -> list[ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef]:
    """Classes and functions at the top of a module whose name does not start with an underscore."""
    kinds = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef
    return [node for node in tree.body if isinstance(node, kinds) and not node.name.startswith("_")]


def test_modules_say_what_they_are() -> None:
    silent = [module.at(1) for module in modules().values() if not ast.get_docstring(module.tree)]
    assert not silent, "no docstring:\n" + "\n".join(silent)


# What other rooms build on. Elsewhere names follow a shape that the package's docstring tells once.
SURFACE = ("client", "contract", "engine", "host.api", "protocol", "wire", "xml")
# What is shorter than this is read faster than a sentence about it.
SPEAKS_FOR_ITSELF = 8


def test_what_others_build_on_says_what_it_is() -> None:
    silent = [
        f"{module.at(node.lineno)} {node.name}"
        for module in modules().values()
        if any(f"{module.name}.".startswith(f"roost.{room}.") for room in SURFACE)
        for node in public(module.tree)
        if not ast.get_docstring(node) and (node.end_lineno or 0) - node.lineno >= SPEAKS_FOR_ITSELF
    ]
    assert not silent, "no docstring:\n" + "\n".join(silent)


def tracked_files() -> list[Path]:
    try:
        listing = subprocess.run(["git", "ls-files", "-z"], cwd=REPOSITORY, capture_output=True, text=True, check=True)
    except (FileNotFoundError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [REPOSITORY / name for name in listing.stdout.split("\0") if name]


def test_no_file_names_one_machine() -> None:
    wrong = []
    for path in tracked_files():
        if path.is_file() and (found := ONE_MACHINE.search(path.read_bytes().decode(errors="replace"))):
            wrong.append(f"{path.relative_to(REPOSITORY)}: {found.group()}")
    assert not wrong, "\n".join(wrong)


def test_nothing_is_left_for_later() -> None:
    marks = re.compile(r"#\s*(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b")
    wrong = [
        module.at(number)
        for module in modules().values()
        for number, line in enumerate(module.path.read_text().splitlines(), 1)
        if marks.search(line)
    ]
    assert not wrong, "\n".join(wrong)


def mirrored() -> list[Path]:
    unit = REPOSITORY / "tests" / "unit"
    return sorted({path.parent.relative_to(unit) for path in unit.rglob("test_*.py")})


@pytest.mark.parametrize("directory", mirrored(), ids=str)
def test_unit_tests_stand_where_the_source_stands(directory: Path) -> None:
    source = SOURCE / "roost" / directory
    assert source.is_dir() or source.with_suffix(".py").is_file()


def is_typed(module: Module, function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether the signature is whole: mypy checks it, this keeps `# mypy:` comments from switching that off."""
    return function.returns is not None and "# mypy:" not in module.path.read_text()


def test_public_functions_are_typed() -> None:
    wrong = [
        f"{module.at(node.lineno)} {node.name}"
        for module in modules().values()
        for node in public(module.tree)
        if not isinstance(node, ast.ClassDef) and not is_typed(module, node)
    ]
    assert not wrong, "\n".join(wrong)
