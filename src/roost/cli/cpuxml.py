"""The <cpu> documents inside other documents, as they stand there."""

from __future__ import annotations

import pyexpat

from roost.cli.failure import CommandFailed

#: Where a processor is described, below the file itself.
_PLACES = (("cpu",), ("domain", "cpu"), ("capabilities", "host", "cpu"))
#: Under another name, in what an emulator can do.
_MODE = ("domainCapabilities", "cpu", "mode")
_OUTER = b"<container>"


def processors(text: str, name: str) -> list[str]:
    """The documents in the order of the file. name: what messages call it. Raises CommandFailed."""
    if text.startswith("<?xml") and "?>" in text:
        text = text.partition("?>")[2]
    data = _OUTER + text.encode("utf-8", "surrogateescape") + b"</container>"
    found: list[str] = []
    path: list[str] = []
    begun: list[tuple[int, tuple[str, ...]]] = []

    def start(tag: str, attributes: dict[str, str]) -> None:
        path.append(tag)
        here = tuple(path[1:])
        host_model = attributes.get("name") == "host-model" and attributes.get("supported") == "yes"
        if here in _PLACES or (here == _MODE and host_model):
            begun.append((parser.CurrentByteIndex, here))

    def end(_tag: str) -> None:
        here = tuple(path[1:])
        path.pop()
        if begun and begun[-1][1] == here:
            first, _ = begun.pop()
            found.append(_cut(data, first, parser.CurrentByteIndex, here))

    parser = pyexpat.ParserCreate()
    parser.StartElementHandler = start
    parser.EndElementHandler = end
    try:
        parser.Parse(data, True)
    except pyexpat.ExpatError as error:
        raise CommandFailed(f"{name}: {error}") from None
    if not found:
        raise CommandFailed(
            f"File '{name}' does not contain any <cpu> element or valid domain XML, host capabilities XML, "
            "or domain capabilities XML"
        )
    return found


def _cut(data: bytes, first: int, last: int, path: tuple[str, ...]) -> str:
    """The element that starts at `first`; `last` is where its end tag starts, or where an empty element ends."""
    empty = not data.startswith(b"</" + path[-1].encode(), last)
    closing = last if empty else data.index(b">", last) + 1
    element = data[first:closing].decode("utf-8", "surrogateescape")
    if path != _MODE:
        return element
    inside = b"" if empty else data[data.index(b">", first) + 1 : last]
    return f"<cpu>{inside.decode('utf-8', 'surrogateescape')}</cpu>"
