"""A cryptographic accelerator: <crypto>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import XmlError
from roost.model.domain.device import Device, VirtioOptions
from roost.xml import Complaint, Record, UInt, at


class CryptoBackend(Record):
    """model: builtin computes in QEMU, lkcf in the host's kernel."""

    model: Literal["builtin", "lkcf"]
    queues: Annotated[UInt | None, at("@queues", unset=("0",))] = None


class Crypto(Device):
    model: Literal["virtio"]
    type: Literal["qemu"]
    backend: Annotated[CryptoBackend, at("backend", missing=Complaint(XmlError, "missing crypto device backend"))]
    driver: Annotated[VirtioOptions | None, at("driver", order=1)] = None


__all__ = ["Crypto", "CryptoBackend"]
