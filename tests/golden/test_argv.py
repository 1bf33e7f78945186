"""The command line of every document is the one kept beside it."""

from __future__ import annotations

import pytest

from support import plans


@pytest.mark.parametrize("name", plans.names())
def test_command_line(name: str) -> None:
    # A newline inside a word would make two lines of it; none of the documents has one.
    kept = (plans.GOLDEN / f"{name}.args").read_text().splitlines()
    assert plans.translate(name) == kept


def test_every_command_line_has_its_document() -> None:
    assert {path.stem for path in plans.GOLDEN.glob("*.args")} == set(plans.names())
