"""Device nodes of the host that a guest's QEMU opens by itself, and nobody else's its control group lets it open.

`Held` lists them with what each is for: what leaves the guest takes its own
along, and a device that is there for two things stays as long as one of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from roost.drivers.qemu import connections, plan
from roost.host.api import DeviceRule, Host

#: Kinds of files that are no device nodes, or lie below a directory.
_NO_NODES = frozenset(("directory", "export", "socket", "pipe"))
#: What `plan.ReservationsHelper`s are listed under, and what they open where there is a device mapper.
RESERVATIONS, _DEVICE_MAPPER = "reservations", "/dev/mapper/control"


class Node(NamedTuple):
    """source: what it is for: a path of a document, or the name of a device of the host."""

    source: str
    rule: DeviceRule


class Opening(NamedTuple):
    """A path that QEMU opens. access: r or rw."""

    source: str
    path: str
    access: str


def openings(needs: plan.Needs) -> Iterator[Opening]:
    """Paths that may be device nodes."""
    for file in needs.files:
        if file.kind not in _NO_NODES:
            yield Opening(file.path, file.path, "rw" if file.write or file.kind == "device" else "r")
    for device in needs.devices:
        for path in connections.device_paths(device):
            yield Opening(_source(device), path, "rw" if device.write else "r")
    if needs.reservations:
        yield for_reservations()


def for_reservations() -> Opening:
    """What the helper for persistent reservations opens."""
    return Opening(RESERVATIONS, _DEVICE_MAPPER, "rw")


def _source(device: plan.HostDevice) -> str:
    return f"{device.kind} {device.name}"


def sources(needs: plan.Needs) -> frozenset[str]:
    """What they are for that come and go with devices."""
    return frozenset((*(file.path for file in needs.files), *map(_source, needs.devices)))


def found(host: Host, wanted: Iterable[Opening]) -> tuple[Node, ...]:
    """Those that are device nodes."""
    return tuple(
        dict.fromkeys(
            Node(each.source, rule) for each in wanted for rule in host.groups.device_rules(each.path, each.access)
        )
    )


def joining(host: Host, held: tuple[Node, ...], wanted: Iterable[Opening]) -> tuple[Node, ...]:
    """Those that a guest does not have yet. held: what it has; () for one that may open anything."""
    return tuple(node for node in found(host, wanted) if node not in held) if held else ()


__all__ = ["RESERVATIONS", "Node", "Opening", "for_reservations", "found", "joining", "openings", "sources"]
