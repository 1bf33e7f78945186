"""What a guest knows of itself: its time and its addresses."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import NUMBER, TEXT, Command, Option, domain_argument, flag
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_LONG = 2**63
_SOURCES = {
    "lease": constants.INTERFACE_ADDRESSES_SRC_LEASE,
    "agent": constants.INTERFACE_ADDRESSES_SRC_AGENT,
    "arp": constants.INTERFACE_ADDRESSES_SRC_ARP,
}
_TYPES = ("ipv4", "ipv6")


def _domtime(shell: Shell, arguments: Arguments) -> None:
    import time

    arguments.exclude(("time", "now"), ("time", "sync"), ("now", "sync"))
    domain = shell.domain(arguments)
    seconds = arguments.number("time", -_LONG, _LONG - 1)
    if arguments.has("sync"):
        shell.client.call("DOMAIN_SET_TIME", domain, 0, 0, constants.TIME_SYNC)
        return
    if arguments.has("now"):
        seconds = int(time.time())
    if seconds is not None:
        shell.client.call("DOMAIN_SET_TIME", domain, seconds, 0, 0)
        return
    found = shell.client.call("DOMAIN_GET_TIME", domain, 0)[0]
    shown = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(found)) if arguments.has("pretty") else found
    shell.write(f"Time: {shown}")


def _domifaddr(shell: Shell, arguments: Arguments) -> None:
    name = arguments.text("source")
    if name is not None and name not in _SOURCES:
        raise CommandFailed(f"Unknown data source '{name}'")
    source = _SOURCES[name or "lease"]
    domain = shell.domain(arguments)
    with failing("Failed to query for interfaces addresses"):
        found = shell.client.call("DOMAIN_INTERFACE_ADDRESSES", domain, source, 0)[0]
    shell.extra(f" {'Name':<10} {'MAC address':<20} {'Protocol':<8}     Address\n{'-' * 79}\n")
    wanted = arguments.text("interface")
    for interface, hwaddr, addresses in found:
        if wanted not in (None, interface):
            continue
        if not addresses:
            shell.write(f" {interface:<10} {hwaddr or 'N/A':<17}    {'N/A':<12} N/A\n")
        for number, (kind, address, prefix) in enumerate(addresses):
            names = (interface, hwaddr or "") if not number or arguments.has("full") else ("-", "-")
            shell.write(f" {names[0]:<10} {names[1]:<17}    {_TYPES[kind]:<12} {address}/{prefix}\n")


COMMANDS = (
    Command(
        "domifaddr",
        _domifaddr,
        "the addresses of a guest",
        "",
        domain_argument("running_domains"),
        Option("interface", TEXT, "only of this interface, by its name"),
        flag("full", "repeat name and MAC address for each address"),
        Option("source", TEXT, "who is asked: lease (the default), agent, arp", completes="address_sources"),
    ),
    Command(
        "domtime",
        _domtime,
        "the time in a guest",
        "In seconds since 1970, or sets it.",
        domain_argument("running_domains"),
        flag("now", "set it to the time here"),
        flag("pretty", "print it as a date, in UTC"),
        flag("sync", "set it from the guest's own hardware clock"),
        Option("time", NUMBER, "set it to this"),
    ),
)
