"""The NVRAM of a pSeries guest: <nvram>."""

from __future__ import annotations

from roost.model.domain.device import Device


class NvramDevice(Device):
    """Its address is of type spapr-vio."""


__all__ = ["NvramDevice"]
