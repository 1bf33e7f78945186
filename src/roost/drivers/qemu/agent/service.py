"""contract.agent for QEMU's guests."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from roost.constants import domain as D
from roost.constants import network as N
from roost.constants import node
from roost.contract import flags as F
from roost.contract.agent import FileSystemInfo, GuestAgent, InterfaceInfo, IpAddress
from roost.contract.references import DomainIdentity
from roost.contract.typed_params import TypedParam
from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent import facts, vcpus
from roost.drivers.qemu.agent.description import KNOWN, describe
from roost.drivers.qemu.agent.disks import DiskPlaces
from roost.drivers.qemu.agent.messages import Answer, check_timeout, encode_text
from roost.drivers.qemu.agent.turn import Turn, guest_of, turn
from roost.drivers.qemu.context import Context, require_guest, require_monitor
from roost.drivers.qemu.guest import GuestRecord
from roost.drivers.qemu.taints import CUSTOM_AGENT_COMMAND, taint
from roost.engine.affect import choose
from roost.engine.inspection import current_vcpus
from roost.errors import (
    ArgumentUnsupported,
    From,
    InternalError,
    InvalidArg,
    NoConnect,
    NoHostname,
    OperationUnsupported,
)
from roost.model.domain import Domain
from roost.model.domain.cpuset import parse_cpus
from roost.model.domain.devices.interface import NetworkNet

T = TypeVar("T")

#: Seconds of the time that the agent's 63 bits of nanoseconds can hold.
_MAX_SECONDS = (2**63 - 1) // 10**9

#: The longest answer that the protocol carries.
_MAX_STRING = 4 << 20

_SUSPEND = {
    node.SUSPEND_TARGET_MEM: "guest-suspend-ram",
    node.SUSPEND_TARGET_DISK: "guest-suspend-disk",
    node.SUSPEND_TARGET_HYBRID: "guest-suspend-hybrid",
}
_X86 = ("i686", "x86_64")


class QemuGuestAgent(GuestAgent):
    """contract.GuestAgent."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._table = context.table

    async def _query(self, record: GuestRecord, name: str, kind: type[T]) -> tuple[T, Domain]:
        """What one command without arguments tells, and the live document then."""
        async with turn(record, "query") as agent:
            return await agent.ask(name, kind), agent.live

    async def _change(
        self, record: GuestRecord, name: str, arguments: Mapping[str, Any] | None = None
    ) -> Answer | None:
        async with turn(record, "modify") as agent:
            return await agent.send(name, arguments)

    async def command(self, domain: DomainIdentity, command: str, patience: int, flags: int) -> str:
        F.check(flags, 0, "qemuDomainQemuAgentCommand", From.QEMU)
        record = self._table.get_active(domain)
        async with turn(record, "modify") as agent:
            guest = agent.guest
            taint(self._context, record, guest, CUSTOM_AGENT_COMMAND)
            check_timeout(patience, D.AGENT_RESPONSE_TIMEOUT_BLOCK)
            line, name = encode_text(command)
            answer = await guest.agent.ask(agent.live, line, name, patience=patience)
        assert answer is not None
        text = A.compact(answer, name)
        if len(text) > _MAX_STRING:
            raise InternalError(
                f"the answer to {name} has {len(text)} bytes, the limit is {_MAX_STRING}",
                domain=From.QEMU,
                hint="ask for less at a time",
            )
        return text.decode()

    def set_response_timeout(self, domain: DomainIdentity, timeout: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainAgentSetResponseTimeout", From.QEMU)
        check_timeout(timeout, D.AGENT_RESPONSE_TIMEOUT_BLOCK)
        record = self._table.get(domain)
        guest = require_guest(record)
        guest.agent.timeout = timeout
        self._context.save(record)

    # -- file systems and time -------------------------------------------------------------

    async def freeze(self, domain: DomainIdentity, mountpoints: Sequence[str], flags: int) -> int:
        F.check(flags, 0, "qemuDomainFSFreeze", From.QEMU)
        async with turn(self._table.get_active(domain), "modify") as agent:
            if mountpoints:
                arguments = {"mountpoints": list(mountpoints)}
                return await agent.ask("guest-fsfreeze-freeze-list", A.Count, arguments)
            return await agent.ask("guest-fsfreeze-freeze", A.Count)

    async def thaw(self, domain: DomainIdentity, mountpoints: Sequence[str], flags: int) -> int:
        F.check(flags, 0, "qemuDomainFSThaw", From.QEMU)
        if mountpoints:
            raise ArgumentUnsupported("specifying mountpoints is not supported", domain=From.QEMU, hint="thaw all")
        async with turn(self._table.get_active(domain), "modify") as agent:
            return await agent.ask("guest-fsfreeze-thaw", A.Count)

    async def trim(self, domain: DomainIdentity, mountpoint: str | None, minimum: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainFSTrim", From.QEMU)
        if mountpoint is not None:
            text = "Specifying mount point is not supported for now"
            raise ArgumentUnsupported(text, domain=From.QEMU, hint="all file systems are trimmed without")
        await self._change(self._table.get(domain), "guest-fstrim", {"minimum": minimum})

    async def file_systems(self, domain: DomainIdentity, flags: int) -> Sequence[FileSystemInfo]:
        F.check(flags, 0, "qemuDomainGetFSInfo", From.QEMU)
        found, live = await self._query(self._table.get_active(domain), "guest-get-fsinfo", A.Many[A.FileSystem])
        places = DiskPlaces(live)
        return [
            FileSystemInfo(
                each.mountpoint,
                each.name,
                each.type,
                [target for place in each.disk if (target := places.target_of(place)) is not None],
            )
            for each in reversed(found)
        ]

    async def time(self, domain: DomainIdentity, flags: int) -> tuple[int, int]:
        F.check(flags, 0, "qemuDomainGetTime", From.QEMU)
        found, _ = await self._query(self._table.get_active(domain), "guest-get-time", A.Nanoseconds)
        return divmod(found, 10**9)

    async def set_time(self, domain: DomainIdentity, seconds: int, nanoseconds: int, flags: int) -> None:
        F.check(flags, D.TIME_SYNC, "qemuDomainSetTime", From.QEMU)
        arguments = None
        if not flags & D.TIME_SYNC:
            if seconds > _MAX_SECONDS:
                raise InvalidArg(f"Time '{seconds}' is too big for guest agent", domain=From.QEMU)
            arguments = {"time": seconds * 10**9 + nanoseconds}
        await self._change(self._table.get_active(domain), "guest-set-time", arguments)
        record = self._table.get_active(domain)
        if record.document.os.arch in _X86:
            async with record.job("set-time"):
                # Ticks that the guest has missed are in the time it was given.
                await require_monitor(record).execute("rtc-reset-reinjection")

    # -- what the guest is -----------------------------------------------------------------

    async def info(self, domain: DomainIdentity, types: int, flags: int) -> Sequence[TypedParam]:
        F.check(flags, 0, "qemuDomainGetGuestInfo", From.QEMU)
        if types & ~KNOWN:
            text = f"unsupported guest information types '0x{types & ~KNOWN:x}'"
            raise InvalidArg(text, domain=From.QEMU)
        async with turn(self._table.get(domain), "query") as agent:
            return await describe(agent, types)

    async def hostname(self, domain: DomainIdentity, flags: int) -> str:
        F.check(flags, D.GET_HOSTNAME_LEASE | D.GET_HOSTNAME_AGENT, "qemuDomainGetHostname", From.QEMU)
        if flags & D.GET_HOSTNAME_LEASE and flags & D.GET_HOSTNAME_AGENT:
            text = "Flags 'VIR_DOMAIN_GET_HOSTNAME_LEASE' and 'VIR_DOMAIN_GET_HOSTNAME_AGENT' are mutually exclusive"
            raise InvalidArg(text, domain=From.QEMU, verbatim=True)
        if flags & D.GET_HOSTNAME_LEASE:
            record = self._table.get_active(domain)
            _refuse_leases(record.document)
            raise NoHostname(f"no hostname found for domain {record.name}", domain=From.QEMU)
        found, _ = await self._query(self._table.get_active(domain), "guest-get-host-name", A.HostName)
        return found.host_name

    async def addresses(self, domain: DomainIdentity, source: int, flags: int) -> Sequence[InterfaceInfo]:
        F.check(flags, 0, "qemuDomainInterfaceAddresses", From.QEMU)
        record = self._table.get_active(domain)
        if source == D.INTERFACE_ADDRESSES_SRC_LEASE:
            _refuse_leases(record.document)
            return []
        if source == D.INTERFACE_ADDRESSES_SRC_AGENT:
            found, _ = await self._query(
                self._table.get_active(domain), "guest-network-get-interfaces", A.Many[A.NetworkInterface]
            )
            return facts.interfaces(found)
        if source == D.INTERFACE_ADDRESSES_SRC_ARP:
            return _neighbours(record.document, self._context.host.network.neighbours())
        raise ArgumentUnsupported(
            f"Unknown IP address data source {source}", domain=From.QEMU, hint="0 leases, 1 agent, 2 ARP table"
        )

    # -- users -----------------------------------------------------------------------------

    async def set_password(self, domain: DomainIdentity, user: str | None, password: str | None, flags: int) -> None:
        F.check(flags, D.PASSWORD_ENCRYPTED, "qemuDomainSetUserPassword", From.QEMU)
        if user is None or password is None:
            text = f"{'user' if user is None else 'password'} in virDomainSetUserPassword must not be NULL"
            raise InvalidArg(text, domain=From.NONE)
        arguments = {
            "crypted": bool(flags & D.PASSWORD_ENCRYPTED),
            "username": user,
            "password": base64.b64encode(password.encode()).decode(),
        }
        await self._change(self._table.get_active(domain), "guest-set-user-password", arguments)

    async def ssh_keys(self, domain: DomainIdentity, user: str, flags: int) -> Sequence[str]:
        F.check(flags, 0, "qemuDomainAuthorizedSSHKeysGet", From.QEMU)
        async with turn(self._table.get(domain), "query") as agent:
            return (await agent.ask("guest-ssh-get-authorized-keys", A.SshKeys, {"username": user})).keys

    async def set_ssh_keys(self, domain: DomainIdentity, user: str, keys: Sequence[str], flags: int) -> None:
        append, remove = D.AUTHORIZED_SSH_KEYS_SET_APPEND, D.AUTHORIZED_SSH_KEYS_SET_REMOVE
        F.check(flags, append | remove, "qemuDomainAuthorizedSSHKeysSet", From.QEMU)
        arguments: dict[str, Any] = {"username": user, "keys": list(keys)}
        if flags & remove:
            await self._change(self._table.get(domain), "guest-ssh-remove-authorized-keys", arguments)
        else:
            arguments["reset"] = not flags & append
            await self._change(self._table.get(domain), "guest-ssh-add-authorized-keys", arguments)

    # -- processors ------------------------------------------------------------------------

    async def vcpus(self, domain: DomainIdentity, flags: int) -> Sequence[TypedParam]:
        F.check(flags, 0, "qemuDomainGetGuestVcpus", From.QEMU)
        found, _ = await self._query(self._table.get(domain), "guest-get-vcpus", A.Many[A.Vcpu])
        return vcpus.params(found)

    async def set_vcpus(self, domain: DomainIdentity, cpumap: str, state: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainSetGuestVcpus", From.QEMU)
        if state not in (0, 1):
            raise InvalidArg("unsupported state value in qemuDomainSetGuestVcpus", domain=From.QEMU)
        wanted = parse_cpus(cpumap)
        async with turn(self._table.get(domain), "modify") as agent:
            found = await agent.ask("guest-get-vcpus", A.Many[A.Vcpu])
            await _apply(agent, vcpus.switch(found, wanted, bool(state)))

    async def vcpu_count(self, domain: DomainIdentity, flags: int) -> int:
        known = D.VCPU_LIVE | D.VCPU_CONFIG | D.VCPU_MAXIMUM | D.VCPU_GUEST
        F.check(flags, known, "qemuDomainGetVcpusFlags", From.QEMU)
        record = self._table.get(domain)
        choose(record, flags)
        if not record.is_active:
            text = "vCPU count provided by the guest agent can only be requested for live domains"
            raise InvalidArg(text, domain=From.QEMU)
        found, _ = await self._query(self._table.get_active(domain), "guest-get-vcpus", A.Many[A.Vcpu])
        return len(found) if flags & D.VCPU_MAXIMUM else sum(vcpu.online for vcpu in found)

    async def set_vcpu_count(self, domain: DomainIdentity, count: int, flags: int) -> None:
        known = D.VCPU_LIVE | D.VCPU_CONFIG | D.VCPU_MAXIMUM | D.VCPU_GUEST | D.VCPU_HOTPLUGGABLE
        F.check(flags, known, "qemuDomainSetVcpusFlags", From.QEMU)
        async with turn(self._table.get(domain), "modify") as agent:
            enabled = current_vcpus(agent.live)
            if count > enabled:
                text = "requested vcpu count is greater than the count of enabled vcpus in the domain"
                raise InvalidArg(f"{text}: {count} > {enabled}", domain=From.QEMU)
            found = await agent.ask("guest-get-vcpus", A.Many[A.Vcpu])
            await _apply(agent, vcpus.resize(found, count))

    # -- power management ------------------------------------------------------------------

    async def suspend(self, domain: DomainIdentity, target: int, duration: int, flags: int) -> None:
        F.check(flags, 0, "qemuDomainPMSuspendForDuration", From.QEMU)
        if duration:
            raise ArgumentUnsupported("Duration not supported. Use 0 for now", domain=From.QEMU)
        if target not in _SUSPEND:
            raise InvalidArg(f"Unknown suspend target: {target}", domain=From.QEMU, hint="0 mem, 1 disk, 2 hybrid")
        record = self._table.get(domain)
        guest = guest_of(record)
        guest.agent.require(Turn(record, guest).live)
        machine = await require_monitor(record).execute("query-current-machine")
        if not machine["wakeup-suspend-support"]:
            raise OperationUnsupported("Domain does not have suspend support", domain=From.QEMU)
        async with turn(record, "modify") as agent:
            pm = agent.live.pm
            if pm is not None and pm.suspend_to_mem is False and target != node.SUSPEND_TARGET_DISK:
                raise InternalError("S3 state is disabled for this domain", domain=From.QEMU)
            if pm is not None and pm.suspend_to_disk is False and target == node.SUSPEND_TARGET_DISK:
                raise InternalError("S4 state is disabled for this domain", domain=From.QEMU)
            await agent.send(_SUSPEND[target], event="SUSPEND")

    async def wake_up(self, domain: DomainIdentity, flags: int) -> None:
        F.check(flags, 0, "qemuDomainPMWakeup", From.QEMU)
        record = self._table.get_active(domain)
        async with record.job("wake up"):
            await require_monitor(record).execute("system_wakeup")


async def _apply(agent: Turn, changes: vcpus.Changes) -> None:
    """Bring processors on and off; the agent may do only the first ones of those asked for at a time."""
    while changes:
        done = await agent.ask("guest-set-vcpus", A.Count, vcpus.request(changes))
        if not 0 < done <= len(changes):
            raise InternalError("guest agent returned malformed or invalid return value", domain=From.QEMU)
        changes = changes[done:]


def _neighbours(live: Domain, table: Sequence[tuple[str, str]]) -> list[InterfaceInfo]:
    """The domain's interfaces in the host's table of (address, MAC)."""
    return [
        InterfaceInfo(interface.target.dev or "", mac, [IpAddress(N.IP_ADDR_TYPE_IPV4, address, 0)])
        for interface in live.devices.interfaces
        if interface.target is not None
        for address, mac in table
        if mac == interface.mac
    ]


def _refuse_leases(live: Domain) -> None:
    """Raise NoConnect where somebody else may know of leases: other interfaces than those at networks have none."""
    if any(isinstance(interface.source, NetworkNet) for interface in live.devices.interfaces):
        raise NoConnect(
            "network:///system",
            domain=From.NONE,
            hint="no network driver is here yet that knows of leases; ask the agent, or for addresses the ARP table",
        )
