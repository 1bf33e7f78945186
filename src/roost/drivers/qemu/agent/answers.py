"""What the agent's answers mean, as typed records; numbers are held to what the API can carry. Dry."""

from __future__ import annotations

import functools
import re
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta

from roost.drivers.qemu.agent.messages import Answer
from roost.errors import From, InternalError

T = TypeVar("T")

Int = Annotated[int, Meta(ge=-(2**31), lt=2**31)]
UInt = Annotated[int, Meta(ge=0, lt=2**32)]
#: A bit less than the API can carry, which is as far as a decoder checks.
ULong = Annotated[int, Meta(ge=0, le=2**63 - 1)]

#: The same where they are a whole answer.
Count: type[int] = Int
Nanoseconds: type[int] = ULong


class Kebab(msgspec.Struct, frozen=True, rename="kebab"):
    """The agent's field names have hyphens."""


class Vcpu(Kebab, frozen=True):
    logical_id: UInt
    online: bool
    can_offline: bool


class HostName(Kebab, frozen=True):
    host_name: str


class PciPlace(Kebab, frozen=True):
    domain: int
    bus: int
    slot: int
    function: int


class CcwPlace(Kebab, frozen=True):
    cssid: int
    ssid: int
    devno: int


class DiskPlace(Kebab, frozen=True):
    """Where the guest sees a disk. dev: its node in the guest."""

    bus: int
    target: int
    unit: int
    pci_controller: PciPlace
    ccw_address: CcwPlace | None = None
    serial: str | None = None
    dev: str | None = None


class FileSystem(Kebab, frozen=True):
    """sizes: bytes; None from agents that do not tell."""

    mountpoint: str
    name: str
    type: str
    disk: list[DiskPlace]
    used_bytes: ULong | None = None
    total_bytes: ULong | None = None


class GuestDisk(Kebab, frozen=True):
    """alias: the guest's own name for it."""

    name: str
    partition: bool
    dependencies: list[str] = []
    address: DiskPlace | None = None
    alias: str | None = None


class User(Kebab, frozen=True):
    """login_time: seconds since 1970. domain: of Windows guests."""

    user: str
    login_time: Annotated[float, Meta(ge=0, lt=2**53)]
    domain: str | None = None


class OsInfo(Kebab, frozen=True):
    id: str | None = None
    name: str | None = None
    pretty_name: str | None = None
    version: str | None = None
    version_id: str | None = None
    machine: str | None = None
    variant: str | None = None
    variant_id: str | None = None
    kernel_release: str | None = None
    kernel_version: str | None = None


class TimeZone(Kebab, frozen=True):
    """offset: seconds east of Greenwich."""

    offset: Int
    zone: str | None = None


class IpAddress(Kebab, frozen=True):
    ip_address_type: str
    ip_address: str
    prefix: UInt


class NetworkInterface(Kebab, frozen=True):
    name: str
    hardware_address: str | None = None
    ip_addresses: list[IpAddress] = []


class SshKeys(Kebab, frozen=True):
    keys: list[str]


#: A list with an end.
Many = Annotated[list[T], Meta(max_length=4096)]

_MISSING = re.compile(r"missing required field `([^`]*)`")


@functools.cache
def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)


def compact(answer: Answer, command: str) -> bytes:
    """The whole answer as JSON without white space. Raises InternalError for one that is none."""
    try:
        # Not decoded: it is as large as it likes, and its numbers stay as they were written.
        return b'{"return":%b}' % msgspec.json.format(bytes(answer.result), indent=-1)  # type: ignore[arg-type]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InternalError(f"malformed return value of {command}: {error}", domain=From.QEMU) from error


def read(answer: Answer, kind: type[T], command: str) -> T:
    """The result as `kind`. Raises InternalError for one that is something else."""
    try:
        found: T = _decoder(kind).decode(answer.result)  # type: ignore[arg-type]  # an answer without an error has one
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        missing = _MISSING.search(str(error))
        if missing is not None:
            raise InternalError(f"'{missing[1]}' missing in reply of {command}", domain=From.QEMU) from error
        raise InternalError(f"malformed return value of {command}: {error}", domain=From.QEMU) from error
    return found
