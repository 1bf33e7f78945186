"""What is known of a domain's disks: sizes and errors."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.table import TEXT, Command, Option, domain_argument, flag
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_ERRORS = {constants.DISK_ERROR_UNSPEC: "unspecified error", constants.DISK_ERROR_NO_SPACE: "no space"}


def _domblkerror(shell: Shell, arguments: Arguments) -> None:
    domain, client = shell.domain(arguments), shell.client
    count = client.call("DOMAIN_GET_DISK_ERRORS", domain, 0, 0)[1]
    found = client.call("DOMAIN_GET_DISK_ERRORS", domain, count, 0)[0] if count else ()
    if not found:
        shell.write("No errors found\n")
    for disk, error in found:
        shell.write(f"{disk}: {_ERRORS.get(error, 'unspecified error')}\n")


def _domblkinfo(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.scale import show_size

    arguments.exclude(("all", "device"))
    domain, client = shell.domain(arguments), shell.client
    device = arguments.text("device")
    show = show_size if arguments.has("human") else str
    if arguments.has("all"):
        shell.table(["Target", "Capacity", "Allocation", "Physical"], _all_sizes(shell, domain, show))
        return
    if device is None:
        raise CommandFailed("command 'domblkinfo' requires <device> option")
    allocation, capacity, physical = client.call("DOMAIN_GET_BLOCK_INFO", domain, device, 0)
    for label, value in (("Capacity:", capacity), ("Allocation:", allocation), ("Physical:", physical)):
        shell.write(f"{label:<15} {show(value)}\n")


def _all_sizes(shell: Shell, domain: Domain, show: Callable[[int], str]) -> list[list[str]]:
    from roost.cli.xmltree import parse

    rows = []
    for disk in parse(shell.xml(domain)).all("devices/disk"):
        target = disk.attribute("target", "dev") or ""
        sizes = (0, 0, 0)
        if any(True for _ in disk.all("source")):
            allocation, capacity, physical = shell.client.call("DOMAIN_GET_BLOCK_INFO", domain, target, 0)
            sizes = capacity, allocation, physical
        rows.append([target, *map(show, sizes)])
    return rows


COMMANDS = (
    Command("domblkerror", _domblkerror, "errors of a domain's disks", "", domain_argument("active_domains")),
    Command(
        "domblkinfo",
        _domblkinfo,
        "sizes of a disk",
        "What the guest sees, what is taken of it, and what it takes on the host.",
        domain_argument(),
        Option("device", TEXT, "target or source of the disk", completes="disks"),
        flag("human", "with units"),
        flag("all", "all disks"),
    ),
)
