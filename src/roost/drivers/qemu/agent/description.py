"""What the agent tells of the guest as a whole, as typed parameters."""

from __future__ import annotations

import itertools
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence

from roost.constants import domain as D
from roost.contract.typed_params import TypedParam, string
from roost.drivers.qemu.agent import answers as A
from roost.drivers.qemu.agent import facts
from roost.drivers.qemu.agent.disks import DiskPlaces
from roost.drivers.qemu.agent.messages import AgentCommandError
from roost.drivers.qemu.agent.turn import Turn

#: One more than a reply can carry: the guest may tell of more than anybody wants to know.
_ENOUGH = 2049


def _within(params: Iterator[TypedParam]) -> list[TypedParam]:
    return list(itertools.islice(params, _ENOUGH))


async def _users(agent: Turn) -> Sequence[TypedParam]:
    return _within(facts.users(await agent.ask("guest-get-users", A.Many[A.User])))


async def _operating_system(agent: Turn) -> Sequence[TypedParam]:
    return _within(facts.operating_system(await agent.ask("guest-get-osinfo", A.OsInfo)))


async def _time_zone(agent: Turn) -> Sequence[TypedParam]:
    return _within(facts.time_zone(await agent.ask("guest-get-timezone", A.TimeZone)))


async def _hostname(agent: Turn) -> Sequence[TypedParam]:
    return [string("hostname", (await agent.ask("guest-get-host-name", A.HostName)).host_name)]


async def _file_systems(agent: Turn) -> Sequence[TypedParam]:
    found = await agent.ask("guest-get-fsinfo", A.Many[A.FileSystem])
    return _within(facts.file_systems(found[::-1], DiskPlaces(agent.live))) if found else []


async def _disks(agent: Turn) -> Sequence[TypedParam]:
    found = await agent.ask("guest-get-disks", A.Many[A.GuestDisk])
    return _within(facts.disks(found, DiskPlaces(agent.live))) if found else []


async def _interfaces(agent: Turn) -> Sequence[TypedParam]:
    found = facts.interfaces(await agent.ask("guest-network-get-interfaces", A.Many[A.NetworkInterface]))
    return _within(facts.interface_params(found)) if found else []


#: GUEST_INFO_* -> what collects it, in libvirt's order.
_COLLECTORS: Mapping[int, Callable[[Turn], Awaitable[Sequence[TypedParam]]]] = {
    D.GUEST_INFO_USERS: _users,
    D.GUEST_INFO_OS: _operating_system,
    D.GUEST_INFO_TIMEZONE: _time_zone,
    D.GUEST_INFO_HOSTNAME: _hostname,
    D.GUEST_INFO_FILESYSTEM: _file_systems,
    D.GUEST_INFO_DISKS: _disks,
    D.GUEST_INFO_INTERFACES: _interfaces,
}

#: All that can be asked for.
KNOWN = sum(_COLLECTORS)


async def describe(agent: Turn, types: int) -> list[TypedParam]:
    """types: GUEST_INFO_*; with 0 all that this agent can tell."""
    params: list[TypedParam] = []
    for kind, collect in _COLLECTORS.items():
        if types and not types & kind:
            continue
        try:
            params += await collect(agent)
        except AgentCommandError as error:
            if types or not error.is_unsupported:
                raise
    return params
