"""Reading: text becomes a list of events, or an error that shows the line.

What comes in may be hostile, so: no document type declaration and hence no
entities, and limits on size, elements and depth. The list is cheaper to make
than a tree, and records are made of it in one pass; a tree of it is made only
to explain what is wrong.
"""

from __future__ import annotations

import contextlib
import pyexpat
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from roost.errors import From, XmlDetail
from roost.xml.raw import MAX_DEPTH, RawCapture, TooDeep

#: Bytes. The largest string that a call of the wire protocol carries.
MAX_SIZE = 4 * 1024 * 1024
#: Elements in one document.
MAX_ELEMENTS = 60_000

#: The start of an element (its tag and attributes), its end (its tag), or text: a list with one string.
Event = tuple[str, dict[str, str]] | str | list[str]


class Tags(NamedTuple):
    """What is to be read besides elements and attributes.

    texts: tags whose text matters; of others it is not even looked at.
    raw: elements whose content is kept as text, by the tags that lead to them from below the root.
    """

    texts: frozenset[str] = frozenset()
    raw: frozenset[tuple[str, ...]] = frozenset()


NO_TAGS = Tags()


class Node:
    """An element of a tree. text: of elements without children. line: where it starts."""

    __slots__ = ("attributes", "children", "line", "tag", "text")

    def __init__(self, tag: str, attributes: dict[str, str], line: int = 1) -> None:
        self.tag, self.attributes, self.line = tag, attributes, line
        self.children: list[Node] = []
        self.text = ""


class _Doctype(Exception):
    pass


def to_bytes(text: str | bytes) -> bytes:
    """The document's bytes; undecodable ones come back as they were on the wire."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)


def read(data: bytes, name: str, tags: Tags = NO_TAGS, lines: list[int] | None = None) -> list[Event]:
    """The events of a document.

    name: what the document is called in messages, `(domain_definition)`.
    lines: receives the line on which each element starts.
    Raises XmlDetail (code 35).
    """
    if len(data) > MAX_SIZE:
        raise _refused(name, f"Document of {len(data)} bytes is larger than {MAX_SIZE}")
    # `<a/>` is the shortest element: counting takes longer than it seems.
    if len(data) > 4 * MAX_ELEMENTS and data.count(b"<") > 2 * MAX_ELEMENTS:
        raise _refused(name, f"Document has more than {MAX_ELEMENTS} elements")
    parser = pyexpat.ParserCreate()
    parser.buffer_text = True
    events: list[Event] = []
    add = events.append
    collecting = False
    raw_tags = frozenset(path[-1] for path in tags.raw)
    special = tags.texts | raw_tags
    #: The elements that were open after the first `counted` events.
    path: list[str] = []
    counted = 0

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal collecting, counted
        add((tag, attributes))
        if tag in special:
            if tag in raw_tags:
                _follow(path, events, counted)
                counted = len(events)
                if tuple(path[1:]) in tags.raw:
                    RawCapture(parser, tag, attributes, text)
                    return
            parser.CharacterDataHandler = text
            collecting = True
        elif collecting:
            parser.CharacterDataHandler = None
            collecting = False

    def text(data: str) -> None:
        add([data])

    def start_with_line(tag: str, attributes: dict[str, str]) -> None:
        assert lines is not None
        lines.append(parser.CurrentLineNumber)
        start(tag, attributes)

    parser.StartElementHandler = start if lines is None else start_with_line
    parser.EndElementHandler = add
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
        if len(events) > 2 * MAX_DEPTH:
            _refuse_depth(events)
    except pyexpat.ExpatError as error:
        raise _not_well_formed(data, name, error) from None
    except _Doctype:
        raise _refused(name, "Document type declarations are not accepted", data, parser) from None
    except TooDeep:
        raise _too_deep(data, name) from None
    except (ValueError, LookupError) as error:
        raise _refused(name, f"Unsupported encoding: {error}", data, parser) from None
    finally:
        # Handlers and parser refer to each other; left so, all would live until the next garbage collection.
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
    return events


def _refuse_doctype(*_args: object) -> None:
    raise _Doctype


def _follow(path: list[str], events: list[Event], counted: int) -> None:
    """Brings `path`, the elements open after the first `counted` events, to the end of the events."""
    for number in range(counted, len(events)):
        event = events[number]
        if event.__class__ is tuple:
            path.append(event[0])
        elif event.__class__ is str:
            path.pop()


def _refuse_depth(events: list[Event]) -> None:
    depth = 0
    for event in events:
        if event.__class__ is tuple:
            depth += 1
            if depth > MAX_DEPTH:
                raise TooDeep
        elif event.__class__ is str:
            depth -= 1


def _too_deep(data: bytes, name: str) -> XmlDetail:
    """The error for a document known to be nested too deep, with the place where it becomes so."""
    parser = pyexpat.ParserCreate()
    depth = 0

    def start(_tag: str, _attributes: object) -> None:
        nonlocal depth
        depth += 1
        if depth > MAX_DEPTH:
            raise TooDeep

    def end(_tag: str) -> None:
        nonlocal depth
        depth -= 1

    parser.StartElementHandler, parser.EndElementHandler = start, end
    with contextlib.suppress(TooDeep):
        parser.Parse(data, True)
    parser.StartElementHandler = parser.EndElementHandler = None
    return _refused(name, f"Excessive depth in document: {MAX_DEPTH}", data, parser)


def tree_of(events: Iterable[Event], lines: Iterable[int] = ()) -> Node:
    """The tree that the events make up. lines: of each element, as `read` gives them."""
    numbers = iter(lines)
    top = Node("", {})
    path = [top]
    for event in events:
        if isinstance(event, tuple):
            node = Node(*event, next(numbers, 1))
            path[-1].children.append(node)
            path[-1].text = ""
            path.append(node)
        elif isinstance(event, str):
            path.pop()
        elif not path[-1].children:
            path[-1].text += event[0]
    return top.children[0]


def events_of(node: Node) -> Iterator[Event]:
    """The events that make up a tree."""
    yield node.tag, node.attributes
    if node.text:
        yield [node.text]
    for child in node.children:
        yield from events_of(child)
    yield node.tag


_CODES = pyexpat.errors.codes
_TOKEN = _CODES[pyexpat.errors.XML_ERROR_INVALID_TOKEN]
_MISMATCH = _CODES[pyexpat.errors.XML_ERROR_TAG_MISMATCH]
_DUPLICATE = _CODES[pyexpat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]
_JUNK = _CODES[pyexpat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]
_ENTITY = _CODES[pyexpat.errors.XML_ERROR_UNDEFINED_ENTITY]
_ENDED = {
    _CODES[pyexpat.errors.XML_ERROR_NO_ELEMENTS],
    _CODES[pyexpat.errors.XML_ERROR_UNCLOSED_TOKEN],
    _CODES[pyexpat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
}


def _not_well_formed(data: bytes, name: str, error: pyexpat.ExpatError) -> XmlDetail:
    """The error in libxml2's words where it has some for this mistake, in expat's otherwise."""
    reason = pyexpat.ErrorString(error.code)
    line, column = error.lineno, error.offset
    text = _line(data, line)
    rest = text[column:]
    tag, tag_line = _open_element(data)
    if not data.strip():
        reason = "Document is empty"
    elif not tag and not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        reason = "Start tag expected, '<' not found"
    elif error.code == _MISMATCH and tag:
        closing = rest.split(">")[0]
        reason = f"Opening and ending tag mismatch: {tag} line {tag_line} and {closing.strip('</ ')}"
        column += len(closing) + 1
    elif error.code in _ENDED and tag:
        reason = f"Premature end of data in tag {tag} line {tag_line}"
    elif error.code == _DUPLICATE:
        reason = f"Attribute {rest.split('=')[0].strip()} redefined"
    elif error.code == _ENTITY:
        reason = f"Entity '{rest.split(';')[0].strip('&')}' not defined"
        column += rest.find(";") + 1
    elif error.code == _JUNK:
        reason = "Extra content at the end of the document"
    elif _bad_utf8(data):
        reason = "Input is not proper UTF-8, indicate encoding !"
    elif error.code == _TOKEN and text[:column].endswith("&"):
        reason = "xmlParseEntityRef: no name"
    elif error.code == _TOKEN and text[:column].rstrip().endswith("="):
        reason = "AttValue: \" or ' expected"
    return _detail(name, line, reason, text, column)


def _open_element(data: bytes) -> tuple[str, int]:
    """The innermost element that is open where the text stops being XML, and the line it starts on."""
    parser = pyexpat.ParserCreate()
    stack: list[tuple[str, int]] = []

    def start(tag: str, _attributes: object) -> None:
        stack.append((tag, parser.CurrentLineNumber))

    parser.StartElementHandler, parser.EndElementHandler = start, lambda _tag: stack.pop()
    with contextlib.suppress(pyexpat.ExpatError, ValueError, LookupError):
        parser.Parse(data, True)
    parser.StartElementHandler = parser.EndElementHandler = None
    return stack[-1] if stack else ("", 0)


def _bad_utf8(data: bytes) -> bool:
    if b"encoding" in data[:100]:
        return False
    try:
        data.decode()
    except UnicodeDecodeError:
        return True
    return False


def _line(data: bytes, line: int) -> str:
    lines = data.split(b"\n", line)
    return lines[line - 1].decode("utf-8", "replace").rstrip("\r")[:200] if len(lines) >= line else ""


def _refused(name: str, reason: str, data: bytes = b"", parser: Any = None) -> XmlDetail:
    line, column = (parser.CurrentLineNumber, parser.CurrentColumnNumber) if parser else (1, 0)
    return _detail(name, line, reason, _line(data, line), column)


def _detail(name: str, line: int, reason: str, text: str, column: int) -> XmlDetail:
    """libvirt's layout: where and what, the line itself, a caret below the column."""
    caret = "-" * min(column, len(text)) + "^"
    return XmlDetail(f"{name}:{line}: {reason}\n{text or '(null)'}\n{caret}", domain=From.DOMAIN)
