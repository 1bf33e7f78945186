"""What the guest is asked or told through its agent."""

from __future__ import annotations

from collections.abc import Sequence

from roost.constants import domain as D
from roost.contract.agent import FileSystemInfo, GuestAgent, InterfaceInfo
from roost.contract.typed_params import TypedParam
from roost.errors import From, RpcError
from roost.protocol import limits
from roost.rpc import access
from roost.rpc.routes import Values, fields, nothing, one, row


def _done(_: object) -> Values:
    """For a call whose reply has a number that says nothing."""
    return (0,)


def _limited(found: Sequence[object], most: int, what: str) -> None:
    """A guest says what it likes; a reply holds so much."""
    if len(found) > most:
        raise RpcError(f"Too many {what}: {len(found)} for limit {most}", domain=From.RPC)


def _file_systems(found: Sequence[FileSystemInfo]) -> Values:
    _limited(found, limits.DOMAIN_FSINFO, "mountpoints in fsinfo")
    for each in found:
        _limited(each.devices, limits.DOMAIN_FSINFO_DISKS, "disks in fsinfo")
    return found, len(found)


def _interfaces(found: Sequence[InterfaceInfo]) -> Values:
    _limited(found, limits.DOMAIN_INTERFACE, "interfaces")
    for interface in found:
        _limited(interface.addresses, limits.DOMAIN_IP_ADDR, "addresses of an interface")
    return (found,)


def _params(found: Sequence[TypedParam]) -> Values:
    _limited(found, limits.DOMAIN_GUEST_INFO_PARAMS, "parameters")
    return (found,)


def _keys(found: Sequence[str]) -> Values:
    _limited(found, limits.DOMAIN_AUTHORIZED_SSH_KEYS, "keys")
    return (found,)


_asks_agent = access.writing_when(
    "virDomainInterfaceAddresses", 1, lambda source: source == D.INTERFACE_ADDRESSES_SRC_AGENT
)

ROWS = (
    row("DOMAIN_AGENT_SET_RESPONSE_TIMEOUT", GuestAgent, "set_response_timeout", _done),
    row("DOMAIN_FSFREEZE", GuestAgent, "freeze", one),
    row("DOMAIN_FSTHAW", GuestAgent, "thaw", one),
    row("DOMAIN_FSTRIM", GuestAgent, "trim", nothing),
    row("DOMAIN_GET_FSINFO", GuestAgent, "file_systems", _file_systems),
    row("DOMAIN_GET_TIME", GuestAgent, "time", fields),
    row("DOMAIN_SET_TIME", GuestAgent, "set_time", nothing),
    row("DOMAIN_GET_GUEST_INFO", GuestAgent, "info", _params),
    row("DOMAIN_GET_HOSTNAME", GuestAgent, "hostname", one),
    row("DOMAIN_INTERFACE_ADDRESSES", GuestAgent, "addresses", _interfaces, guard=_asks_agent),
    row("DOMAIN_SET_USER_PASSWORD", GuestAgent, "set_password", nothing),
    row("DOMAIN_AUTHORIZED_SSH_KEYS_GET", GuestAgent, "ssh_keys", _keys),
    row("DOMAIN_AUTHORIZED_SSH_KEYS_SET", GuestAgent, "set_ssh_keys", nothing),
    row("DOMAIN_GET_GUEST_VCPUS", GuestAgent, "vcpus", one),
    row("DOMAIN_SET_GUEST_VCPUS", GuestAgent, "set_vcpus", nothing),
    row("DOMAIN_PM_SUSPEND_FOR_DURATION", GuestAgent, "suspend", nothing),
    row("DOMAIN_PM_WAKEUP", GuestAgent, "wake_up", nothing),
)

#: Of the QEMU program.
QEMU_ROWS = (row("DOMAIN_AGENT_COMMAND", GuestAgent, "command", one),)
