"""What the tables of the comparison are made of."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from roost.errors import ConfigUnsupported, From


class Seen(NamedTuple):
    """Something the guest sees. text: libvirt's, with {new} and {old}; of: its value in a record, as it is shown."""

    text: str
    of: Callable[[Any], object]


def same(what: str, of: Callable[[Any], object], quote: str = "") -> Seen:
    """The usual sentence."""
    return Seen(f"Target {what} {quote}{{new}}{quote} does not match source {quote}{{old}}{quote}", of)


def switch(value: bool | None) -> str:
    """A setting that is on, off, or left to the hypervisor."""
    return "default" if value is None else "on" if value else "off"


def answer(value: bool | None) -> str:
    """The same of those that are yes or no."""
    return "default" if value is None else "yes" if value else "no"


def part(*path: str, default: object = "<null>") -> Callable[[Any], object]:
    """A getter that walks down attributes; `default` where one is None or not there."""

    def get(record: Any) -> object:
        for name in path:
            record = getattr(record, name, None)
        return default if record is None else record

    return get


def number(*path: str, default: int = 0) -> Callable[[Any], object]:
    """The same for numbers that are `default` when nothing is said."""
    return part(*path, default=default)


def switched(*path: str) -> Callable[[Any], object]:
    """The same for settings that are on or off."""
    get = part(*path, default=None)
    return lambda record: switch(get(record))  # type: ignore[arg-type] # the paths lead to booleans


def check(seen: Iterable[Seen], old: object, new: object, where: str, origin: int = From.DOMAIN) -> None:
    """Raises ConfigUnsupported for the first row whose value differs. where: what must stay as it is."""
    for one in seen:
        before, after = one.of(old), one.of(new)
        if before != after:
            text = one.text.format(old=before, new=after)
            raise ConfigUnsupported(text, domain=origin, hint=f"{where} must stay as it is")


__all__ = ["Seen", "answer", "check", "number", "part", "same", "switch", "switched"]
