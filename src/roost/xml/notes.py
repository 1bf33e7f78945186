"""What declarations say to a reader: the docstrings of records, taken apart.

A docstring is a summary, then what single fields mean: `name: text`, the next
name ending it. A member of a union that has none is described by its name only.
"""

from __future__ import annotations

import re

from roost.xml.record import Record


def summary(cls: type[Record]) -> str:
    """What the record is, in one line of text; "" when nothing is said."""
    return _parts(cls)[0]


def field_notes(cls: type[Record]) -> dict[str, str]:
    """What the docstrings of the class and its bases say of single fields."""
    notes: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Record) and base is not Record:
            notes |= _parts(base)[1]
    return notes


def _parts(cls: type[Record]) -> tuple[str, dict[str, str]]:
    text = " ".join((cls.__dict__.get("__doc__") or "").split())
    names = "|".join(map(re.escape, sorted(cls.__struct_fields__, key=len, reverse=True)))
    if not names:
        return text, {}
    # Several names may share a text: `soft, hard: ...`.
    begin = re.compile(rf"(?:^|(?<=[.;:] ))((?:{names})(?:, (?:{names}))*): ")
    found = list(begin.finditer(text))
    notes = {}
    for number, match in enumerate(found):
        end = found[number + 1].start() if number + 1 < len(found) else len(text)
        for name in match[1].split(", "):
            notes[name] = text[match.end() : end].strip()
    return text[: found[0].start()].strip() if found else text, notes
