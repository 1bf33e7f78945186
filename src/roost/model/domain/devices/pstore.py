"""Storage for the dying words of a kernel: <pstore>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Pstore(Device):
    pass


__all__ = ["Pstore"]
