"""Kept subtrees as a collection: one child for each XML namespace, as <metadata> holds them.

A collection is the compact text that a `RawXml` field has, None when empty.
Children are found by the URI of their namespace. What goes in is given a
prefix of the caller's choice; what comes out has lost it, as in libvirt.
"""

from __future__ import annotations

import re
from html import unescape
from typing import NamedTuple

from roost.errors import From, InternalError, XmlDetail
from roost.xml.escape import escape_raw_attribute
from roost.xml.raw import TOKEN, indented
from roost.xml.tree import Tags, read, to_bytes

_TAG = re.compile(r"<(/?)([^\s/>]+)")
_NAMESPACE = re.compile(r'\sxmlns(?::([^\s=]+))?="([^"]*)"')
_DECLARATION = re.compile(rb"^\s*<\?xml[^>]*\?>")
_NCNAME = re.compile(r"[^\W\d][\w.\-]*")


class Child(NamedTuple):
    """One child of a collection. prefix: "" for the default namespace."""

    uri: str
    prefix: str
    text: str


def children(collection: str) -> list[Child]:
    """The children, in order."""
    found: list[Child] = []
    inherited = _namespaces(collection[: collection.index(">")])
    depth, begun = 0, 0
    for token in TOKEN.finditer(collection):
        if not token[0].startswith("<") or token[0].startswith("<!--"):
            continue
        closing, empty = token[0].startswith("</"), token[0].endswith("/>")
        if not closing and depth == 1:
            begun = token.start()
        depth += (not closing and not empty) - closing
        if depth == 1 and (closing or empty):
            found.append(_child(collection[begun : token.end()], inherited))
    return found


def _child(text: str, inherited: dict[str, str]) -> Child:
    tag = _TAG.match(text)
    assert tag is not None
    prefix = tag[2].rpartition(":")[0]
    known = inherited | _namespaces(text[: text.index(">")])
    return Child(known.get(prefix, prefix), prefix, text)


def _namespaces(opening: str) -> dict[str, str]:
    return {prefix or "": unescape(uri) for prefix, uri in _NAMESPACE.findall(opening)}


def find(collection: str | None, uri: str) -> str | None:
    """The child of a namespace, without its prefix, laid out one element a line; None when there is none."""
    for child in children(collection) if collection else ():
        if child.uri == uri:
            bare = _without_prefix(child)
            return indented(bare, "").removesuffix("\n")
    return None


def _without_prefix(child: Child) -> str:
    declared = re.compile(rf'\sxmlns{":" + re.escape(child.prefix) if child.prefix else ""}="[^"]*"')
    text = declared.sub("", child.text)
    return re.sub(rf"(</?){re.escape(child.prefix)}:", r"\1", text) if child.prefix else text


def put(collection: str | None, uri: str, prefix: str | None, text: str | None, *, tag: str, name: str) -> str:
    """The collection with the child of a namespace replaced, or removed when `text` is None.

    prefix: for the elements of `text` that have none. tag: the collection's
    element. name: what messages call `text`, such as `(metadata_xml)`.
    Raises XmlDetail for text that is not XML, InternalError for a bad prefix.
    """
    kept = [child.text for child in children(collection) if child.uri != uri] if collection else []
    if text is not None:
        kept.append(_with_prefix(_compact(text, name), prefix or "", uri))
    opening = collection[: collection.index(">")].removesuffix("/") if collection else f"<{tag}"
    return f"{opening}>{''.join(kept)}</{tag}>" if kept else f"{opening}/>"


def _compact(text: str, name: str) -> str:
    """One element as a kept subtree has it."""
    data = to_bytes(text)
    read(data, name)
    wrapped = b'<r><kept xmlns="-">' + _DECLARATION.sub(b"", data) + b"</kept></r>"
    outer = next(event[0] for event in read(wrapped, name, Tags(raw=frozenset({("kept",)}))) if isinstance(event, list))
    found = children(outer)
    if len(found) != 1:
        raise XmlDetail(f"{name}:1: one element is expected", domain=From.DOMAIN)
    return found[0].text


def _with_prefix(text: str, prefix: str, uri: str) -> str:
    """`text` with the namespace declared and the prefix given to the elements that stand in no other."""
    if _NCNAME.fullmatch(prefix) is None:
        raise InternalError(
            "failed to validate prefix for a new XML namespace", domain=From.NONE, hint=f"'{prefix}' is no XML name"
        )
    out: list[str] = []
    #: Per open element, whether it stands in a default namespace of its own.
    foreign: list[bool] = [False]
    for token in TOKEN.findall(text):
        if not token.startswith("<") or token.startswith("<!--"):
            out.append(token)
            continue
        tag = _TAG.match(token)
        assert tag is not None
        if tag[1]:
            outside = foreign.pop()
        else:
            outside = foreign[-1] or "" in _namespaces(token)
            if not token.endswith("/>"):
                foreign.append(outside)
        if not outside and ":" not in tag[2]:
            token = f"<{tag[1]}{prefix}:{token[tag.end(1) :]}"
        if len(out) == 0:
            head = re.match(r"<[^\s/>]+", token)
            assert head is not None
            others = "".join(found[0] for found in _NAMESPACE.finditer(token))
            rest = _NAMESPACE.sub("", token[head.end() :])
            token = f'{head[0]}{others} xmlns:{prefix}="{escape_raw_attribute(uri)}"{rest}'
        out.append(token)
    return "".join(out)
