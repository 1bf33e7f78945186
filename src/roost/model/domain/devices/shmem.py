"""Memory shared between guests: <shmem>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import XmlError
from roost.model.domain.device import Device
from roost.xml import Complaint, OnOff, Record, Size, UInt, at


class _WholeMebibytes(Size):
    """Kept in bytes, shown in MiB."""

    def __init__(self) -> None:
        super().__init__(1, "M", "bytes")
        self.formatted = "{v >> 20}"


class ShmemServer(Record):
    """The ivshmem server that hands out memory and interrupts. path: of its socket."""

    path: str | None = None


class ShmemMsi(Record):
    """Interrupts between the guests, which need a server."""

    vectors: Annotated[UInt | None, at("@vectors", unset=("0",))] = None
    ioeventfd: OnOff | None = None


class Shmem(Device):
    """name: of the memory below /dev/shm. role: what happens to it in migration. size: bytes, a power of two."""

    name: Annotated[str, at("@name", missing=Complaint(XmlError, "shmem element must contain 'name' attribute"))]
    role: Literal["master", "peer"] | None = None
    model: Annotated[Literal["ivshmem", "ivshmem-plain", "ivshmem-doorbell"], at("model/@type")] = "ivshmem"
    size: Annotated[int | None, _WholeMebibytes(), at("size", unset=("0",))] = None
    server: Annotated[ShmemServer | None, at("server", keep_empty=True)] = None
    msi: Annotated[ShmemMsi | None, at("msi", keep_empty=True)] = None


__all__ = ["Shmem", "ShmemMsi", "ShmemServer"]
