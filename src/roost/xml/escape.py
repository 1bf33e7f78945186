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


def escape_raw_text(text: str) -> str:
    """Text inside a kept subtree."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_raw_attribute(text: str) -> str:
    """An attribute inside a kept subtree."""
    text = escape_raw_text(text)
    text = text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
    return text if text.isascii() else "".join(c if c < "\x80" else f"&#x{ord(c):X};" for c in text)
