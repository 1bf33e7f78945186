"""A virtio crypto device: <crypto>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Crypto(Device):
    pass


__all__ = ["Crypto"]
