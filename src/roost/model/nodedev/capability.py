"""What every capability is based on."""

from __future__ import annotations

from roost.xml import Record


class Capability(Record, tag_field="type"):
    """What a device is; the members of the union `AnyCapability`."""


class SubCapability(Record, tag_field="type"):
    """What a device of one kind can be besides."""


__all__ = ["Capability", "SubCapability"]
