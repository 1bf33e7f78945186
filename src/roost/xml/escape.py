"""Escaping, by libvirt's rules for its own text and by libxml2's for kept subtrees."""

from __future__ import annotations

import re

#: White space a parser would change comes as a reference, where libvirt loses it.
_NAMED = {
    "<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;",
}  # fmt: skip
#: Control characters vanish, as in libvirt; so do code points XML cannot carry.
_TEXT = re.compile(r"[<>&\"'\x00-\x08\x0b-\x1f\ufffe\uffff\ud800-\udfff]")
_ATTRIBUTE = re.compile(r"[<>&\"'\x00-\x1f\ufffe\uffff\ud800-\udfff]")


def escape(text: str) -> str:
    """`text` for an element."""
    if _TEXT.search(text) is None:
        return text
    return _TEXT.sub(_replacement, text)


def escape_attribute(text: str) -> str:
    """`text` for an attribute."""
    if _ATTRIBUTE.search(text) is None:
        return text
    return _ATTRIBUTE.sub(_replacement, text)


def _replacement(match: re.Match[str]) -> str:
    return _NAMED.get(match[0], "")


_RAW_TEXT = re.compile(r"[&<>\r]")
_RAW_ATTRIBUTE = re.compile(r"[&<>\"\r\n\t\x80-\U0010ffff]")


def escape_raw_text(text: str) -> str:
    """Text inside a kept subtree."""
    if _RAW_TEXT.search(text) is None:
        return text
    return _RAW_TEXT.sub(_replacement, text)


def escape_raw_attribute(text: str) -> str:
    """An attribute inside a kept subtree."""
    if _RAW_ATTRIBUTE.search(text) is None:
        return text
    return _RAW_ATTRIBUTE.sub(_raw_replacement, text)


def _raw_replacement(match: re.Match[str]) -> str:
    return _NAMED.get(match[0]) or f"&#x{ord(match[0]):X};"
