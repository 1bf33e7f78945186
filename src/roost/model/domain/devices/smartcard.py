"""A smart card reader: <smartcard>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Smartcard(Device):
    pass


__all__ = ["Smartcard"]
