"""The records that calls take and give, for those above the client that name their types."""

from __future__ import annotations

from roost.protocol.types import Domain, TypedParam

__all__ = ["Domain", "TypedParam"]
