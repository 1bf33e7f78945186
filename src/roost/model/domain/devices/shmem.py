"""Memory that guests share: <shmem>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Shmem(Device):
    pass


__all__ = ["Shmem"]
