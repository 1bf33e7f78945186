"""What a guest holds of the host, as its status on disk says it. Dry."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import msgspec

from roost.drivers.qemu import connections, nodes, plan
from roost.host.api import Owner

#: The name of the process file of the helper for persistent reservations.
PR_HELPER = "pr-helper"


class Held(msgspec.Struct, frozen=True):
    """owners: files lent to QEMU's user. sockets: paths to unlink.

    directory: the guest's own, removed with it. helpers: files with the number of a process beside QEMU, whose
    command line has the file's name. links: interfaces of the host that outlive the guest by themselves.
    """

    owners: tuple[Owner, ...] = ()
    ports: tuple[int, ...] = ()
    sockets: tuple[str, ...] = ()
    directory: str = ""
    helpers: tuple[str, ...] = ()
    #: Directories of huge pages, removed with the guest.
    pages: tuple[str, ...] = ()
    links: tuple[connections.Link, ...] = ()
    #: What its control group lets it open; none where that is everything.
    nodes: tuple[nodes.Node, ...] = ()
    #: The path of its control group.
    group: str = ""
    #: Bytes that its process could lock before it was let lock more; 0 while it was not.
    locked: int = 0
    #: What the names of its groups of resctrl begin with, and their paths, parents first.
    task_prefix: str = ""
    task_groups: tuple[str, ...] = ()


_LISTS = ("owners", "ports", "sockets", "helpers", "pages", "links", "nodes")


def combined(held: Held, part: Held) -> Held:
    """Both."""
    return msgspec.structs.replace(held, **{name: (*getattr(held, name), *getattr(part, name)) for name in _LISTS})


def without(held: Held, part: Held) -> Held:
    """The one without the other."""
    left = {
        name: tuple(each for each in getattr(held, name) if each not in getattr(part, name)) for name in _LISTS
    }  # fmt: skip
    return msgspec.structs.replace(held, **left)


def helper_names(needs: plan.Needs) -> list[str]:
    """The names of the processes beside QEMU that are found again by a file."""
    return [
        *(["swtpm"] if needs.tpms else []),
        *([PR_HELPER] if needs.reservations else []),
        *_passts(needs),
    ]


def _passts(needs: plan.Needs) -> Iterable[str]:
    return (f"{passt.key}-passt" for passt in needs.passts)


def part_of(held: Held, needs: plan.Needs, others: plan.Needs, names: Iterable[str]) -> Held:
    """What is held for devices that leave. others: what those need that stay. names: of the host's interfaces.

    The helper that disks share goes by itself: see `reservations`.
    """
    left = {os.path.realpath(file.path) for file in needs.files} - {
        os.path.realpath(file.path) for file in others.files
    }
    gone, unused = set(names), nodes.sources(needs) - nodes.sources(others)
    helpers = {str(Path(held.directory) / f"{name}.pid") for name in _passts(needs)}
    return Held(
        owners=tuple(owner for owner in held.owners if owner.path in left),
        sockets=(
            *(listener.path for listener in needs.listeners),
            *(path for path in held.sockets if os.path.realpath(path) in left),
        ),
        links=tuple(link for link in held.links if link.name in gone),
        nodes=tuple(node for node in held.nodes if node.source in unused),
        helpers=tuple(path for path in held.helpers if path in helpers),
    )


__all__ = ["PR_HELPER", "Held", "combined", "helper_names", "part_of", "without"]
