"""The NVRAM of a pSeries guest: <nvram>."""

from __future__ import annotations

from roost.model.domain.device import Device


class NvramDevice(Device):
    pass


__all__ = ["NvramDevice"]
