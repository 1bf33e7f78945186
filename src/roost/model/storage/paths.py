"""Paths as libvirt tidies them."""

from __future__ import annotations

import re

_SLASHES = re.compile("/+")


def tidy_path(path: str) -> str:
    """`path` without repeated and trailing slashes. URIs, and exactly two slashes at the front, stay as they are."""
    scheme = path.find("://")
    if 0 < scheme < path.find("/"):
        return path
    if path.startswith("//") and not path.startswith("///"):
        return "//" + _SLASHES.sub("/", path[2:]).rstrip("/")
    tidied = _SLASHES.sub("/", path)
    return tidied.rstrip("/") or tidied[:1]


__all__ = ["tidy_path"]
