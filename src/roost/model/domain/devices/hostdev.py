"""A device of the host handed to the guest: <hostdev>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Hostdev(Device):
    pass


__all__ = ["Hostdev"]
