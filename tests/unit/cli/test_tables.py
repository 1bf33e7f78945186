"""Tables: widths, wide characters, what cannot be printed."""

from __future__ import annotations

import pytest

from roost.cli.tables import render


def test_columns_are_as_wide_as_their_widest_cell() -> None:
    assert render(["Id", "Name", "State"], [["1", "a-long-name", "running"], ["-", "b", "shut off"]]) == (
        " Id   Name          State\n"
        "------------------------------\n"
        " 1    a-long-name   running\n"
        " -    b             shut off\n"
    )


def test_no_rows() -> None:
    assert render(["Id", "Name"], []) == " Id   Name\n------------\n"


def test_without_a_header() -> None:
    assert render(["Id", "Name"], [["1", "x"]], with_header=False) == " 1   x\n"
    assert render(["Id", "Name"], [], with_header=False) == ""


@pytest.mark.parametrize(
    ("text", "shown", "columns"),
    [
        ("plain", "plain", 5),
        ("水水", "水水", 4),
        ("é", "é", 1),
        ("e\u0301", "e\u0301", 1),
        ("a\tb", "a\\x09b", 6),
        ("\x1b[31m", "\\x1b[31m", 8),
        ("\udcff", "\\xff", 4),
        ("back\\slash", "back\\slash", 10),
        ("\\x41", "\\x5cx41", 7),
        ("\u200b", "\u200b", 0),
        ("\u00ad", "\u00ad", 1),
        ("\u2028", "\\xe2\\x80\\xa8", 12),
        ("a b", "a b", 3),
    ],
)
def test_cells(text: str, shown: str, columns: int) -> None:
    width = max(columns, 1)
    table = render(["H", "E"], [[text, "e"]])
    assert table.splitlines()[2] == f" {shown}{' ' * (width - columns + 2)} e"
    assert table.splitlines()[1] == "-" * (width + 3 + 4)
