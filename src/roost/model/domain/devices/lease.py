"""A lock that a guest holds in a lock manager while it runs: <lease>."""

from __future__ import annotations

from roost.xml import Record


class Lease(Record):
    pass


__all__ = ["Lease"]
