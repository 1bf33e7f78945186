"""USB devices that a client hands over, and which of them it may: <redirdev> and <redirfilter>."""

from __future__ import annotations

from roost.model.domain.device import Device
from roost.xml import Record


class Redirdev(Device):
    pass


class RedirFilter(Record):
    pass


__all__ = ["RedirFilter", "Redirdev"]
