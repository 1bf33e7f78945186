"""Reading: text becomes a tree of plain lists, or an error that shows the line.

What comes in may be hostile, so: no document type declaration and hence no
entities, and limits on size, elements and depth. A node is the list
`[tag, attributes, children, text]`; children is None or a dictionary from tag
to the nodes of that name, in order.
"""

from __future__ import annotations

import contextlib
import pyexpat
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

from roost.errors import From, XmlDetail
from roost.xml.raw import MAX_DEPTH, RawCapture, TooDeep

#: Bytes. The largest string that a call of the wire protocol carries.
MAX_SIZE = 4 * 1024 * 1024
#: Elements in one document.
MAX_ELEMENTS = 60_000

#: tag, attributes, children by tag, text
Node = list[Any]


class _Doctype(Exception):
    pass


def to_bytes(text: str | bytes) -> bytes:
    """The document's bytes; undecodable ones come back as they were on the wire."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)


def read(
    data: bytes,
    name: str,
    texts: frozenset[str] = frozenset(),
    raw: frozenset[tuple[str, ...]] = frozenset(),
    groups: Mapping[str, str] = MappingProxyType({}),
) -> Node:
    """The tree of a document.

    name: what the document is called in messages, `(domain_definition)`.
    texts: tags whose text matters; of others it is not even looked at.
    raw: elements whose content is kept as text, by the tags that lead to them from below the root.
    groups: for tags whose order among others matters, the name under which
        the parent has them all, too.
    Raises XmlDetail (code 35).
    """
    if len(data) > MAX_SIZE:
        raise _refused(name, f"Document of {len(data)} bytes is larger than {MAX_SIZE}")
    if data.count(b"<") > 2 * MAX_ELEMENTS:
        raise _refused(name, f"Document has more than {MAX_ELEMENTS} elements")
    parser = pyexpat.ParserCreate()
    parser.buffer_text = True
    top: Node = ["", {}, None, ""]
    node = top
    stack: list[Node] = []
    push, pop = stack.append, stack.pop
    chunks: list[str] = []
    collect = chunks.append
    collecting = False
    raw_tags = frozenset(path[-1] for path in raw)
    special = texts | raw_tags | groups.keys()

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal node, collecting
        if collecting:
            # Text counts only in elements without children.
            parser.CharacterDataHandler = None
            collecting = False
        new: Node = [tag, attributes, None, ""]
        children = node[2]
        if children is None:
            node[2] = {tag: [new]}
            # Only a first child can be deeper than everything before it.
            if len(stack) >= MAX_DEPTH:
                raise TooDeep
        elif tag in children:
            children[tag].append(new)
        else:
            children[tag] = [new]
        push(node)
        node = new
        if tag in special:
            if tag in groups:
                stack[-1][2].setdefault(groups[tag], []).append(new)
            if tag in raw_tags and (*[parent[0] for parent in stack[2:]], tag) in raw:
                RawCapture(parser, tag, attributes, new)
            elif tag in texts:
                chunks.clear()
                parser.CharacterDataHandler = collect
                collecting = True

    def end(tag: str) -> None:
        nonlocal node, collecting
        if collecting:
            node[3] = "".join(chunks)
            parser.CharacterDataHandler = None
            collecting = False
        node = pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except pyexpat.ExpatError as error:
        raise _not_well_formed(data, name, error) from None
    except _Doctype:
        raise _refused(name, "Document type declarations are not accepted", data, parser) from None
    except TooDeep:
        raise _refused(name, f"Excessive depth in document: {MAX_DEPTH}", data, parser) from None
    except (ValueError, LookupError) as error:
        raise _refused(name, f"Unsupported encoding: {error}", data, parser) from None
    finally:
        # Handlers and parser refer to each other; left so, each tree would live until the next garbage collection.
        parser.StartElementHandler = parser.EndElementHandler = parser.CharacterDataHandler = None
    ((root,),) = top[2].values()
    return cast(Node, root)


def _refuse_doctype(*_args: object) -> None:
    raise _Doctype


def line_of(data: bytes, steps: list[tuple[str, int]]) -> int:
    """The line on which an element starts.

    steps: from the root on, each element's tag and its number, from 0, among the children of that name.
    """
    parser = pyexpat.ParserCreate()
    line = 1
    #: How many steps the open elements follow; the elements open below that; how many of its like were seen.
    followed, below, seen = 0, 0, 0

    def start(tag: str, _attributes: object) -> None:
        nonlocal line, followed, below, seen
        if below == 0 and followed < len(steps) and tag == steps[followed][0]:
            if seen == steps[followed][1]:
                followed, seen = followed + 1, 0
                line = parser.CurrentLineNumber
                return
            seen += 1
        below += 1

    def end(_tag: str) -> None:
        nonlocal followed, below
        if below:
            below -= 1
        else:
            # The last step has been left: nothing more is to be found.
            followed = len(steps)

    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(data, True)
    parser.StartElementHandler = parser.EndElementHandler = None
    return line


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
