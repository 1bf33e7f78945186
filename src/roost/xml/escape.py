"""Escaping, by libvirt's rules for its own text and by libxml2's for kept subtrees."""

from __future__ import annotations

import re

_NAMED = {"<": "&lt;", ">": "&gt;", "&": "&amp;", '"': "&quot;", "'": "&apos;"}
#: Control characters vanish, as in libvirt; so do code points XML cannot carry.
_SPECIAL = re.compile(r"[<>&\"'\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_search, _sub = _SPECIAL.search, _SPECIAL.sub


def escape(text: str) -> str:
    """`text` for an attribute or an element."""
    if _search(text) is None:
        return text
    return _sub(lambda match: _NAMED.get(match[0], ""), text)


def escape_raw_text(text: str) -> str:
    """Text inside a kept subtree."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def escape_raw_attribute(text: str) -> str:
    """An attribute inside a kept subtree."""
    text = escape_raw_text(text)
    return text.replace('"', "&quot;").replace("\n", "&#10;").replace("\t", "&#9;")
