"""A directory of the host in the guest: <filesystem>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Filesystem(Device):
    pass


__all__ = ["Filesystem"]
