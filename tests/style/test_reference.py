"""docs/reference is what the declarations give, and its links lead somewhere."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
PAGES = ROOT / "docs" / "reference"


@pytest.fixture(scope="module")
def reference() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reference", ROOT / "scripts" / "reference.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_current(reference: ModuleType) -> None:
    made: dict[str, str] = reference.pages()
    kept = {str(path.relative_to(PAGES)): path.read_text() for path in PAGES.rglob("*.md")}
    stale = sorted(name for name in made.keys() | kept.keys() if made.get(name) != kept.get(name))
    assert stale == [], "run ./dev reference"


def test_links_lead_somewhere(reference: ModuleType) -> None:
    made: dict[str, str] = reference.pages()
    anchors = {
        name: {heading.lower().replace("`", "") for heading in re.findall(r"^#+ (.*)$", text, re.MULTILINE)}
        for name, text in made.items()
    }
    for name, text in made.items():
        for target in re.findall(r"\]\(([^)]+)\)", text):
            file, _, anchor = target.partition("#")
            page = str((PAGES / name).parent.joinpath(file).resolve().relative_to(PAGES))
            assert page in made, (name, target)
            assert not anchor or anchor in anchors[page], (name, target)


def test_every_table_lines_up(reference: ModuleType) -> None:
    for name, text in reference.pages().items():
        for table in re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE):
            rows = [re.split(r"(?<!\\)\|", row) for row in table.splitlines()]
            assert len({len(row) for row in rows}) == 1, (name, rows[0])
            assert len({len(row[1]) for row in rows}) == 1, (name, rows[0])
