"""Tables as virsh prints them: columns as wide as their widest cell, on screens with wide characters too."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def render(header: Sequence[str], rows: Sequence[Sequence[str]], *, with_header: bool = True) -> str:
    """The table as text with a line end after each row; without rows only the header is left."""
    printable = [[_cell(text) for text in row] for row in rows]
    if with_header:
        printable.insert(0, [_cell(text) for text in header])
    widths = [max((row[column][1] for row in printable), default=0) for column in range(len(header))]
    last = len(header) - 1
    lines = [
        "".join(
            f" {text}" if column == last else f" {text}" + " " * (widths[column] - width + 2)
            for column, (text, width) in enumerate(row)
        )
        for row in printable
    ]
    if with_header:
        lines.insert(1, "-" * sum(width + 3 for width in widths))
    return "".join(line + "\n" for line in lines)


def _cell(text: str) -> tuple[str, int]:
    """The text with control characters made visible, and the columns it takes."""
    if text.isascii() and text.isprintable() and "\\x" not in text:
        return text, len(text)
    return _measure(text)


def _measure(text: str) -> tuple[str, int]:
    # Loaded only for names that are not plain ASCII.
    from unicodedata import category, east_asian_width

    shown: list[str] = []
    columns = 0
    for index, character in enumerate(text):
        kind = category(character)
        if kind in ("Cc", "Cs", "Cn", "Zl", "Zp") or (character == "\\" and text[index + 1 : index + 2] == "x"):
            raw = character.encode("utf-8", "surrogateescape")
            escaped = "".join(f"\\x{byte:02x}" for byte in raw)
            shown.append(escaped)
            columns += len(escaped)
        else:
            shown.append(character)
            if kind in ("Mn", "Me", "Cf") and character != "\u00ad":
                continue
            columns += 2 if east_asian_width(character) in ("W", "F") else 1
    return "".join(shown), columns
