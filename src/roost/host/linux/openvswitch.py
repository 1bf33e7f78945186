"""Ports of Open vSwitch, by its `ovs-vsctl`."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

from roost.errors import InternalError
from roost.host.api import Rate, SwitchPort

_TIMEOUT = 5
_PROGRAM = ("ovs-vsctl", f"--timeout={_TIMEOUT}")
#: Bits in what rates and bursts are counted in.
_KILOBYTE, _KIBIBYTE = 8000, 8192
#: What it polices incoming traffic in are kilobits.
_POLICED = 8

Words = tuple[str, ...]


def _vlan(port: SwitchPort) -> Words:
    words: list[str] = []
    if port.native_tag is not None:
        words += [f"vlan_mode=native-{port.native_mode}", f"tag={port.native_tag}"]
    if port.trunk:
        words.append("trunk=" + ",".join(map(str, port.tags)))
    elif port.tags:
        words.append(f"tag={port.tags[0]}")
    return tuple(words)


def add_command(interface: str, bridge: str, port: SwitchPort) -> Words:
    """What makes `interface` a port of `bridge`, known to its controller by the guest and the port's own id."""
    ids = [f'attached-mac="{port.mac}"', f'iface-id="{port.interface_id}"', f'vm-id="{port.guest}"']
    if port.profile:
        ids += [f'port-profile="{port.profile}"', f'ifname="{interface}"']
    settings: list[str] = []
    for setting in (*ids, "iface-status=active"):
        settings += ["--", "set", "Interface", interface, f"external-ids:{setting}"]
    return (*_PROGRAM, "--", "--may-exist", "add-port", bridge, interface, *_vlan(port), *settings)


def remove_command(interface: str) -> Words:
    return (*_PROGRAM, "--", "--if-exists", "del-port", interface)


def limit_commands(interface: str, guest: str, *, sent: Rate | None, received: Rate | None) -> tuple[Words, ...]:
    """What limits a port. sent, received: as the host sees them. guest: its UUID, to find the queues again."""
    found: list[Words] = []
    ids = (f'external-ids:vm-id="{guest}"', f'external-ids:ifname="{interface}"')
    if sent is not None and sent.average:
        config = [f"other_config:min-rate={sent.average * _KILOBYTE}"]
        if sent.burst:
            config.append(f"other_config:burst={sent.burst * _KIBIBYTE}")
        if sent.peak:
            config.append(f"other_config:max-rate={sent.peak * _KILOBYTE}")
        found.append(
            (
                *_PROGRAM, "set", "port", interface, "qos=@qos1", *ids,
                "--", "--id=@qos1", "create", "qos", "type=linux-htb", *config, "queues:0=@queue0", *ids,
                "--", "--id=@queue0", "create", "queue", *config, *ids,
            )
        )  # fmt: skip
    if received is not None and received.average:
        police = [f"ingress_policing_rate={received.average * _POLICED}"]
        if received.burst:
            police.append(f"ingress_policing_burst={received.burst * _POLICED}")
        found.append((*_PROGRAM, "set", "Interface", interface, *police))
    return tuple(found)


def run(words: Sequence[str], what: str) -> None:
    """Raises InternalError: `what`, and the program's own words."""
    try:
        done = subprocess.run(list(words), capture_output=True, text=True, timeout=2 * _TIMEOUT, check=False)
    except FileNotFoundError as error:
        raise InternalError(what, hint="install openvswitch-switch, whose bridge this is to be") from error
    if done.returncode:
        raise InternalError(f"{what}: {done.stderr.strip()}", hint="is ovs-vswitchd running, and the bridge its own?")


__all__ = ["add_command", "limit_commands", "remove_command", "run"]
