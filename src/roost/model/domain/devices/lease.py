"""A lock that a guest holds in a lock manager while it runs: <lease>."""

from __future__ import annotations

from typing import Annotated

from roost.errors import XmlError
from roost.xml import Complaint, Record, ULong, at


def _missing(text: str) -> Complaint:
    return Complaint(XmlError, text)


class Lease(Record):
    """The lock `key` in a lockspace, kept in the file `path` at `offset` bytes."""

    lockspace: Annotated[str, at("lockspace", missing=_missing("Missing 'lockspace' element for lease"))]
    key: Annotated[str, at("key", missing=_missing("Missing 'key' element for lease"))]
    path: Annotated[
        str, at("target/@path", missing=_missing("Missing 'path' attribute to 'target' element for lease"))
    ]  # fmt: skip
    offset: Annotated[ULong | None, at("target/@offset", unset=("0",))] = None


__all__ = ["Lease"]
