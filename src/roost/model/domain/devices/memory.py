"""Memory that is plugged in as a device: <memory>."""

from __future__ import annotations

from roost.model.domain.device import Device


class MemoryDevice(Device):
    pass


__all__ = ["MemoryDevice"]
