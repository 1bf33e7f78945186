"""A trusted platform module: <tpm>."""

from __future__ import annotations

from roost.model.domain.device import Device


class Tpm(Device):
    pass


__all__ = ["Tpm"]
