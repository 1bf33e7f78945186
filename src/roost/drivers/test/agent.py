"""Guests with an agent that knows what every guest of this driver knows, and remembers what it was told."""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Address

from roost.constants import domain as D
from roost.constants import network as N
from roost.contract import flags as F
from roost.contract.agent import FileSystemInfo, GuestAgent, InterfaceInfo, IpAddress
from roost.contract.references import DomainIdentity
from roost.engine.table import DomainTable
from roost.errors import ArgumentUnsupported, From, OperationInvalid
from roost.model.domain.devices.interface import NetworkNet

#: What is mounted in each guest, with the number of its partition.
MOUNTPOINTS = {"/": 1, "/boot": 2}

#: The time in a guest that has not been told another.
FIRST_TIME = (627319920, 0)

#: Where the addresses of the default network begin.
FIRST_ADDRESS = IPv4Address("192.168.122.2")


class TestGuestAgent(GuestAgent):
    """contract.GuestAgent."""

    __test__ = False  # for pytest, which collects classes by this name

    def __init__(self, table: DomainTable[None]) -> None:
        self._table = table
        self._times: dict[bytes, tuple[int, int]] = {}
        self._frozen: dict[bytes, frozenset[str]] = {}

    async def hostname(self, domain: DomainIdentity, flags: int) -> str:
        F.check(flags, 0, "testDomainGetHostname", From.TEST)
        return f"{self._table.get_active(domain).name}host"

    async def time(self, domain: DomainIdentity, flags: int) -> tuple[int, int]:
        F.check(flags, 0, "testDomainGetTime", From.TEST)
        record = self._table.get(domain)
        if record.state != D.RUNNING:
            raise OperationInvalid("domain is not running", domain=From.TEST)
        return self._times.get(record.uuid, FIRST_TIME)

    async def set_time(self, domain: DomainIdentity, seconds: int, nanoseconds: int, flags: int) -> None:
        F.check(flags, D.TIME_SYNC, "testDomainSetTime", From.TEST)
        self._times[self._table.get_active(domain).uuid] = seconds, nanoseconds

    async def set_password(self, domain: DomainIdentity, user: str | None, password: str | None, flags: int) -> None:
        F.check(flags, D.PASSWORD_ENCRYPTED, "testDomainSetUserPassword", From.TEST)
        self._table.get_active(domain)

    async def freeze(self, domain: DomainIdentity, mountpoints: Sequence[str], flags: int) -> int:
        F.check(flags, 0, "testDomainFSFreeze", From.TEST)
        uuid = self._table.get_active(domain).uuid
        before = self._frozen.get(uuid, frozenset())
        self._frozen[uuid] = before | _known(mountpoints)
        return len(self._frozen[uuid] - before)

    async def thaw(self, domain: DomainIdentity, mountpoints: Sequence[str], flags: int) -> int:
        F.check(flags, 0, "testDomainFSThaw", From.TEST)
        uuid = self._table.get_active(domain).uuid
        before = self._frozen.get(uuid, frozenset())
        self._frozen[uuid] = before - _known(mountpoints)
        return len(before - self._frozen[uuid])

    async def trim(self, domain: DomainIdentity, mountpoint: str | None, minimum: int, flags: int) -> None:
        F.check(flags, 0, "testDomainFSTrim", From.TEST)
        self._table.get_active(domain)
        _known([mountpoint] if mountpoint is not None else [])

    async def set_vcpu_count(self, domain: DomainIdentity, count: int, flags: int) -> None:
        """No guest of this driver does that: flags that ask for it are not known."""
        F.check(flags, D.AFFECT_LIVE | D.AFFECT_CONFIG | D.VCPU_MAXIMUM, "testDomainSetVcpusFlags", From.TEST)

    async def file_systems(self, domain: DomainIdentity, flags: int) -> Sequence[FileSystemInfo]:
        """On the first disk that is neither a medium nor a LUN."""
        F.check(flags, 0, "testDomainGetFSInfo", From.TEST)
        disks = self._table.get_active(domain).document.devices.disks
        disk = next((disk.target.dev for disk in disks if disk.device == "disk"), None)
        if disk is None:
            return []
        return [FileSystemInfo(path, f"{disk}{number}", "ext4", [disk]) for path, number in MOUNTPOINTS.items()]

    async def addresses(self, domain: DomainIdentity, source: int, flags: int) -> Sequence[InterfaceInfo]:
        """One for each interface; at a network, another for each domain."""
        F.check(flags, 0, "testDomainInterfaceAddresses", From.TEST)
        if source > D.INTERFACE_ADDRESSES_SRC_ARP:
            raise ArgumentUnsupported(
                f"Unknown IP address data source {source}", domain=From.TEST, hint="0 leases, 1 agent, 2 ARP table"
            )
        record = self._table.get_active(domain)
        found = []
        for number, interface in enumerate(record.document.devices.interfaces, 1):
            if isinstance(interface.source, NetworkNet):
                address = str(FIRST_ADDRESS + 20 * (record.id - 1) + number)
            else:
                address = f"192.168.0.{number}"
            name = (interface.target.dev if interface.target is not None else None) or ""
            found.append(InterfaceInfo(name, interface.mac, [IpAddress(N.IP_ADDR_TYPE_IPV4, address, 24)]))
        return found


def _known(mountpoints: Sequence[str]) -> frozenset[str]:
    """The mount points named; all when none is. Raises OperationInvalid for one that is not there."""
    for path in mountpoints:
        if path not in MOUNTPOINTS:
            raise OperationInvalid(
                f"mount point not found: {path}", domain=From.TEST, hint=f"there are {' and '.join(MOUNTPOINTS)}"
            )
    return frozenset(mountpoints or MOUNTPOINTS)
