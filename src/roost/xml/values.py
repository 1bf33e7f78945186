"""Values: how one text in a document becomes one Python value, and back.

A `Value` is the codec of an attribute or of an element's text. `table` holds
the texts whose meaning is known beforehand (all of them, for an enum), so that
the compiled parser needs one dictionary look-up for the common case.
"""

from __future__ import annotations

import difflib
import functools
import re
from collections.abc import Callable, Mapping
from typing import Any


@functools.cache
def _writer(formatted: str) -> Callable[[Any], str]:
    """A function that writes a value, as what the source text `formatted` says, without escapes."""
    names = {"escape": str, "pretty": pretty}
    writer: Callable[[Any], str] = eval(f"lambda v: f{formatted!r}", names)
    return writer


class Value:
    """Plain text."""

    #: What a right value looks like, for messages.
    expected = ""
    #: libvirt's sentence after "Invalid value for ...: 'x'".
    complaint = ""
    #: The `Complaint` about a wrong text, where all fields with such values have the same.
    wrong: Any = None
    #: Every text of `table` means its value; `complete` says there are no others.
    table: Mapping[str, Any] = {}
    complete = False
    #: Source text of an f-string replacement field for the value named `v`.
    formatted = "{escape(v)}"
    #: The attribute that carries the unit of a size, else "".
    unit = ""

    def parse(self, text: str) -> Any:
        """The value of `text`; ValueError when it has none."""
        return text

    def schema(self) -> dict[str, Any]:
        """The value's JSON Schema."""
        return {"type": "string"}

    def allows(self, value: Any) -> bool:
        """Whether a document can hold the value: reading what is written of it gives it back."""
        try:
            return bool(self.parse(_writer(self.formatted)(value)) == value)
        except ValueError:
            return False

    def nearest(self, text: str) -> str:
        """The allowed text most like `text`, or ""."""
        close = difflib.get_close_matches(text.lower(), list(self.table), 1, 0.6) if self.complete else []
        return close[0] if close else ""


class Choice(Value):
    """One of a closed set of names."""

    complete = True
    formatted = "{v}"

    def __init__(self, *names: str) -> None:
        self.table = {name: name for name in names}
        self.expected = "one of " + ", ".join(names)

    def parse(self, text: str) -> Any:
        try:
            return self.table[text]
        except KeyError:
            raise ValueError(text) from None

    def schema(self) -> dict[str, Any]:
        return {"enum": list(self.table)}


class Switch(Choice):
    """A boolean written as two words."""

    def __init__(self, true: str, false: str) -> None:
        super().__init__(true, false)
        self.table = {true: True, false: False}
        self.formatted = f"{{{true!r} if v else {false!r}}}"

    def schema(self) -> dict[str, Any]:
        return {"type": "boolean"}


_NUMBER = re.compile(r"[ \t\n\v\f\r]*([+-]?)(?:0[xX]([0-9a-fA-F]+)|([0-9]+))\Z")
_DECIMAL = re.compile(r"[ \t\n\v\f\r]*[+-]?[0-9]{1,40}\Z")


def c_integer(text: str) -> int:
    """strtol's reading of `text` with base 0: decimal, 0x hexadecimal, 0 octal. ValueError otherwise."""
    match = _NUMBER.match(text)
    if match is None or len(text) > 64:
        raise ValueError(text)
    sign, hexadecimal, decimal = match.groups()
    if hexadecimal:
        number = int(hexadecimal, 16)
    else:
        number = int(decimal, 8 if decimal[0] == "0" else 10)
    return -number if sign == "-" else number


class Integer(Value):
    """A whole number between two bounds, written in decimal.

    base: 10, or 0 to read what C programs read (0x.., 0..) as well.
    """

    formatted = "{v}"
    _small: Mapping[str, int] = {str(n): n for n in range(256)}

    def __init__(self, minimum: int, maximum: int, base: int = 10) -> None:
        self.minimum, self.maximum, self.base = minimum, maximum, base
        self.table = {t: n for t, n in self._small.items() if minimum <= n <= maximum}
        self.expected = f"a whole number from {minimum} to {maximum}"
        self.complaint = " Expected non-negative integer value" if minimum >= 0 else " Expected integer value"

    def parse(self, text: str) -> int:
        if self.base == 10:
            if not _DECIMAL.match(text):
                raise ValueError(text)
            number = int(text)
        else:
            number = c_integer(text)
        if not self.minimum <= number <= self.maximum:
            raise ValueError(text)
        return number

    def allows(self, value: Any) -> bool:
        return bool(self.minimum <= value <= self.maximum)

    def schema(self) -> dict[str, Any]:
        return {"type": "integer", "minimum": self.minimum, "maximum": self.maximum}


class _HexTexts(dict[int, str]):
    """Numbers in hexadecimal, the small ones kept."""

    def __init__(self, digits: int) -> None:
        super().__init__({n: f"{n:#0{digits + 2}x}" for n in range(256)})
        self.digits = digits

    def __missing__(self, number: int) -> str:
        return f"{number:#0{self.digits + 2}x}"


class Hex(Integer):
    """A number read in any C base and written in hexadecimal, at least `digits` long."""

    def __init__(self, digits: int, maximum: int) -> None:
        super().__init__(0, maximum, base=0)
        self.formatted = f"{{v:#0{digits + 2}x}}"
        #: What `formatted` gives, as a dictionary: looking up is quicker.
        self.texts = _HexTexts(digits)
        self.table = {text: n for n, text in self.texts.items() if n <= maximum}


class TooLarge(ValueError):
    """A size that no number of quanta holds."""


#: Unit names to bytes: 1024 for one letter and for ..iB, 1000 for ..B.
UNITS: dict[str, int] = {"": 1, "b": 1, "byte": 1, "bytes": 1}
for _power, _letter in enumerate("kmgtpe", 1):
    UNITS[_letter] = UNITS[_letter + "ib"] = 1024**_power
    UNITS[_letter + "b"] = 1000**_power


class Size(Integer):
    """A size with its unit in the attribute `unit`; kept in `quantum` bytes, rounded up.

    default: the unit of a number without one. written: the unit put out; ""
    for the largest that divides the size.
    """

    unit = "unit"

    def __init__(self, quantum: int, written: str, default: str, maximum: int = 2**63 - 1) -> None:
        super().__init__(0, maximum)
        self.quantum, self.written, self.default = quantum, written, default
        self.table = {}
        self.expected = "a size such as 1048576 with unit='KiB' or 1 with unit='GiB'"
        #: Source text of the two halves of the output.
        self.formatted = "{v}" if written else "{pretty(v)[0]}"
        self.formatted_unit = written or "{pretty(v)[1]}"

    def scale(self, text: str, unit: str | None) -> int:
        """`text` in `unit`, counted in quanta. ValueError for a bad number, KeyError for an unknown unit, TooLarge."""
        number = self.parse(text)
        total = -(-number * UNITS[(unit or self.default).lower()] // self.quantum)
        if total > self.maximum:
            raise TooLarge(text)
        return total


def pretty(kib: int) -> tuple[int, str]:
    """A size in KiB as a number and the largest unit that leaves no remainder."""
    for unit in ("KiB", "MiB", "GiB", "TiB", "PiB"):
        if kib == 0 or kib % 1024:
            return kib, unit
        kib //= 1024
    return kib, "EiB"


class Pattern(Value):
    """Text of a fixed shape, brought into one spelling by `normal`."""

    formatted = "{v}"

    def __init__(self, pattern: str, expected: str) -> None:
        self.pattern, self.expected = pattern, expected
        self._match = re.compile(pattern + r"\Z").match

    def parse(self, text: str) -> str:
        if self._match(text) is None:
            raise ValueError(text)
        return self.normal(text)

    def normal(self, text: str) -> str:
        return text

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": f"^{self.pattern}$"}


class UuidText(Pattern):
    """A UUID; dashes may stand anywhere or be missing, as libvirt reads it."""

    def __init__(self) -> None:
        super().__init__(r"(?:[ -]*[0-9a-fA-F]){32}[ -]*", "a UUID such as 6c4ce3c0-44fb-4de0-9b51-1b2e9cfa3e8f")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"}

    def normal(self, text: str) -> str:
        digits = text.replace("-", "").replace(" ", "").lower()
        return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


class MacText(Pattern):
    """A MAC address, written with two lower-case digits a byte."""

    def __init__(self) -> None:
        super().__init__(r"[0-9a-fA-F]{1,2}(?::[0-9a-fA-F]{1,2}){5}", "a MAC address such as 52:54:00:12:34:56")

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "pattern": "^[0-9a-f]{2}(:[0-9a-f]{2}){5}$"}

    def normal(self, text: str) -> str:
        return ":".join(part.zfill(2).lower() for part in text.split(":"))


TEXT = Value()
