"""What only the guest itself can tell or do, mostly through the agent that runs in it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from roost.contract.interface import Interface, optional
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam


class FileSystemInfo(NamedTuple):
    """name: the device in the guest. devices: targets of the domain's disks that it is on."""

    mountpoint: str
    name: str
    type: str
    devices: Sequence[str]


class IpAddress(NamedTuple):
    """type: constants.network.IP_ADDR_TYPE_*."""

    type: int
    address: str
    prefix: int


class InterfaceInfo(NamedTuple):
    """hwaddr: None where the source does not know."""

    name: str
    hwaddr: str | None
    addresses: Sequence[IpAddress]


class GuestAgent(Interface):
    """Calls wait for the guest as long as the domain's response timeout allows, for ever by default.

    They take turns with each other and with nothing else. All raise OperationInvalid unless the domain is running,
    ArgumentUnsupported when it has no channel for an agent, AgentUnresponsive when none answers.
    """

    @optional
    async def command(self, domain: DomainIdentity, command: str, patience: int, flags: int) -> str:
        """The agent's whole answer to a JSON command.

        patience: seconds, or constants.domain.AGENT_RESPONSE_TIMEOUT_*; not the domain's.
        """
        raise NotImplementedError

    @optional
    def set_response_timeout(self, domain: DomainIdentity, timeout: int, flags: int) -> None:
        """timeout: seconds, or constants.domain.AGENT_RESPONSE_TIMEOUT_*."""
        raise NotImplementedError

    @optional
    async def freeze(self, domain: DomainIdentity, mountpoints: Sequence[str], flags: int) -> int:
        """Freeze file systems, all without mountpoints. How many."""
        raise NotImplementedError

    @optional
    async def thaw(self, domain: DomainIdentity, mountpoints: Sequence[str], flags: int) -> int:
        """How many were thawed."""
        raise NotImplementedError

    @optional
    async def trim(self, domain: DomainIdentity, mountpoint: str | None, minimum: int, flags: int) -> None:
        """minimum: bytes of a range worth discarding."""
        raise NotImplementedError

    @optional
    async def file_systems(self, domain: DomainIdentity, flags: int) -> Sequence[FileSystemInfo]:
        """Mounted file systems, in the order of mounting."""
        raise NotImplementedError

    @optional
    async def time(self, domain: DomainIdentity, flags: int) -> tuple[int, int]:
        """(seconds since 1970, nanoseconds)."""
        raise NotImplementedError

    @optional
    async def set_time(self, domain: DomainIdentity, seconds: int, nanoseconds: int, flags: int) -> None:
        """TIME_SYNC: from the guest's own hardware clock instead."""
        raise NotImplementedError

    @optional
    async def info(self, domain: DomainIdentity, types: int, flags: int) -> Sequence[TypedParam]:
        """types: constants.domain.GUEST_INFO_*; 0 for all that the agent can tell."""
        raise NotImplementedError

    @optional
    async def hostname(self, domain: DomainIdentity, flags: int) -> str:
        raise NotImplementedError

    @optional
    async def addresses(self, domain: DomainIdentity, source: int, flags: int) -> Sequence[InterfaceInfo]:
        """source: constants.domain.INTERFACE_ADDRESSES_SRC_*."""
        raise NotImplementedError

    @optional
    async def set_password(self, domain: DomainIdentity, user: str | None, password: str | None, flags: int) -> None:
        raise NotImplementedError

    @optional
    async def ssh_keys(self, domain: DomainIdentity, user: str, flags: int) -> Sequence[str]:
        """Lines of the user's authorized_keys."""
        raise NotImplementedError

    @optional
    async def set_ssh_keys(self, domain: DomainIdentity, user: str, keys: Sequence[str], flags: int) -> None:
        raise NotImplementedError

    @optional
    async def vcpus(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        """Bitmaps: vcpus, online, offlinable."""
        raise NotImplementedError

    @optional
    async def set_vcpus(self, domain: DomainIdentity, cpumap: str, state: int, flags: int) -> None:
        """cpumap: a list such as 0-2,4. state: 1 online, 0 offline."""
        raise NotImplementedError

    @optional
    async def vcpu_count(self, domain: DomainIdentity, flags: int) -> int:
        """The number that the guest counts: VCPU_GUEST with the other flags of Inspection.vcpus."""
        raise NotImplementedError

    @optional
    async def set_vcpu_count(self, domain: DomainIdentity, count: int, flags: int) -> None:
        """Let the guest use that many: VCPU_GUEST with the other flags of setting the number of vCPUs."""
        raise NotImplementedError

    @optional
    async def suspend(self, domain: DomainIdentity, target: int, duration: int, flags: int) -> None:
        """target: constants.node.SUSPEND_TARGET_*. duration: seconds until it wakes up; 0 for until woken."""
        raise NotImplementedError

    @optional
    async def wake_up(self, domain: DomainIdentity, flags: int) -> None:
        raise NotImplementedError
