"""Reading: text becomes a tree of plain lists, or an error that shows the line.

What comes in may be hostile, so: no document type declaration and hence no
entities, and limits on size, elements and depth. A node is the list
`[tag, attributes, children, text]`; the text is kept of elements without children.
"""

from __future__ import annotations

import pyexpat
from typing import Any

from roost.errors import From, XmlDetail
from roost.xml.raw import MAX_DEPTH, RawCapture, TooDeep

#: Bytes. The largest string that a call of the wire protocol carries.
MAX_SIZE = 4 * 1024 * 1024
#: Elements in one document.
MAX_ELEMENTS = 60_000

#: tag, attributes, children, text
Node = list[Any]


class _Doctype(Exception):
    pass


def to_bytes(text: str | bytes) -> bytes:
    """The document's bytes; undecodable ones come back as they were on the wire."""
    return text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)


def read(data: bytes, name: str, raw: frozenset[str] = frozenset()) -> Node:
    """The tree of a document.

    name: what the document is called in messages, `(domain_definition)`.
    raw: tags, children of the root, whose content is kept as text.
    Raises XmlDetail (code 35).
    """
    if len(data) > MAX_SIZE:
        raise _refused(name, f"Document of {len(data)} bytes is larger than {MAX_SIZE}")
    if data.count(b"<") > 2 * MAX_ELEMENTS:
        raise _refused(name, f"Document has more than {MAX_ELEMENTS} elements")
    parser = pyexpat.ParserCreate()
    parser.buffer_text = True
    node: Node = ["", {}, [], ""]
    top = node[2]
    stack: list[Node] = []
    push, pop = stack.append, stack.pop
    chunks: list[str] = []
    clear = chunks.clear

    def start(tag: str, attributes: dict[str, str]) -> None:
        nonlocal node
        if chunks:
            clear()
        new: Node = [tag, attributes, [], ""]
        node[2].append(new)
        push(node)
        node = new
        if len(stack) > MAX_DEPTH:
            raise TooDeep
        if tag in raw and len(stack) == 2:
            RawCapture(parser, tag, attributes, new)

    def end(tag: str) -> None:
        nonlocal node
        if chunks:
            if not node[2]:
                node[3] = "".join(chunks)
            clear()
        node = pop()

    parser.StartElementHandler = start
    parser.EndElementHandler = end
    parser.CharacterDataHandler = chunks.append
    parser.StartDoctypeDeclHandler = _refuse_doctype
    try:
        parser.Parse(data, True)
    except pyexpat.ExpatError as error:
        raise _not_well_formed(data, name, error, [entry[0] for entry in [*stack[1:], node] if stack]) from None
    except _Doctype:
        raise _refused(name, "Document type declarations are not accepted", data, parser) from None
    except TooDeep:
        raise _refused(name, f"Excessive depth in document: {MAX_DEPTH}", data, parser) from None
    except (ValueError, LookupError) as error:
        raise _refused(name, f"Unsupported encoding: {error}", data, parser) from None
    root: Node = top[0]
    return root


def _refuse_doctype(*_args: object) -> None:
    raise _Doctype


def line_of(data: bytes, index: int) -> int:
    """The line on which element number `index` (from 0, in document order) starts."""
    parser = pyexpat.ParserCreate()
    line, left = 1, index

    def start(_tag: str, _attributes: object) -> None:
        nonlocal line, left
        if left == 0:
            line = parser.CurrentLineNumber
        left -= 1

    parser.StartElementHandler = start
    parser.Parse(data, True)
    return line


#: expat's errors that libxml2 has its own words for.
_WORDS = {
    pyexpat.errors.codes[pyexpat.errors.XML_ERROR_DUPLICATE_ATTRIBUTE]: "Attribute redefined",
    pyexpat.errors.codes[pyexpat.errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT]: "Extra content at the end of the document",
    pyexpat.errors.codes[pyexpat.errors.XML_ERROR_UNDEFINED_ENTITY]: "Entity not defined",
}
_MISMATCH = pyexpat.errors.codes[pyexpat.errors.XML_ERROR_TAG_MISMATCH]
_ENDED = {
    pyexpat.errors.codes[pyexpat.errors.XML_ERROR_NO_ELEMENTS],
    pyexpat.errors.codes[pyexpat.errors.XML_ERROR_UNCLOSED_TOKEN],
    pyexpat.errors.codes[pyexpat.errors.XML_ERROR_UNCLOSED_CDATA_SECTION],
}


def _not_well_formed(data: bytes, name: str, error: pyexpat.ExpatError, open_tags: list[str]) -> XmlDetail:
    reason = _WORDS.get(error.code) or pyexpat.ErrorString(error.code)
    line, column = error.lineno, error.offset
    text = _line(data, line)
    if not data.strip():
        reason = "Document is empty"
    elif not open_tags and not data.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"<"):
        reason = "Start tag expected, '<' not found"
    elif error.code == _MISMATCH and open_tags:
        closing = text[column:].split(">")[0].strip("</ ") if text else ""
        reason = f"Opening and ending tag mismatch: {open_tags[-1]} and {closing}"
    elif error.code in _ENDED and open_tags:
        reason = f"Premature end of data in tag {open_tags[-1]}"
    elif _bad_utf8(data):
        reason = "Input is not proper UTF-8, indicate encoding !"
    return _detail(name, line, reason, text, column)


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
