"""A lock that a guest holds in a lock manager while it runs: <lease>."""

from __future__ import annotations

from typing import Annotated

from roost.errors import XmlError
from roost.xml import Complaint, Record, ULong, at


def _missing(text: str) -> Complaint:
    return Complaint(XmlError, text)


class LeaseTarget(Record):
    """The file that holds the lock, and where in it, in bytes."""

    path: Annotated[str, at("@path", missing=_missing("Missing 'path' attribute to 'target' element for lease"))]
    offset: Annotated[ULong | None, at("@offset", unset=("0",))] = None


class Lease(Record):
    """The lock `key` in a lockspace."""

    lockspace: Annotated[str, at("lockspace", missing=_missing("Missing 'lockspace' element for lease"))]
    key: Annotated[str, at("key", missing=_missing("Missing 'key' element for lease"))]
    target: Annotated[LeaseTarget, at("target", missing=_missing("Missing 'target' element for lease"))]


__all__ = ["Lease", "LeaseTarget"]
