"""The virtual processors of a domain."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.table import Command, config_live_current, domain_argument, flag
from roost.constants import domain as constants
from roost.errors import InvalidArg, NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_ALL = (
    ("maximum", "config", constants.AFFECT_CONFIG | constants.VCPU_MAXIMUM),
    ("maximum", "live", constants.AFFECT_LIVE | constants.VCPU_MAXIMUM),
    ("current", "config", constants.AFFECT_CONFIG),
    ("current", "live", constants.AFFECT_LIVE),
)


def _vcpucount(shell: Shell, arguments: Arguments) -> None:
    given = {name for name in ("maximum", "active", "config", "live", "current", "guest") if arguments.has(name)}
    if not given & {"maximum", "active"}:
        given.discard("current")  # It once meant the opposite of --maximum, which is the default.
    for first, second in (
        ("live", "config"),
        ("current", "live"),
        ("current", "config"),
        ("active", "maximum"),
        ("guest", "config"),
    ):
        if {first, second} <= given:
            raise CommandFailed(f"Options --{first} and --{second} are mutually exclusive")
    domain = shell.domain(arguments)
    if not given and not arguments.has("current"):
        _print_all(shell, domain)
        return
    flags = (
        constants.AFFECT_LIVE * ("live" in given)
        | constants.AFFECT_CONFIG * ("config" in given)
        | constants.VCPU_MAXIMUM * ("maximum" in given)
        | constants.VCPU_GUEST * ("guest" in given)
    )
    shell.write(f"{_count(shell, domain, flags)}\n")


def _print_all(shell: Shell, domain: Domain) -> None:
    active = shell.client.call("DOMAIN_IS_ACTIVE", domain)[0] == 1
    persistent = shell.client.call("DOMAIN_IS_PERSISTENT", domain)[0] == 1
    for which, state, flags in _ALL:
        if active if state == "live" else persistent:
            shell.write(f"{which:<12} {state:<12} {_count(shell, domain, flags):3d}\n")


def _count(shell: Shell, domain: Domain, flags: int) -> int:
    """The number; from daemons without the call that takes flags, by older means."""
    client = shell.client
    cause: RoostError
    try:
        return int(client.call("DOMAIN_GET_VCPUS_FLAGS", domain, flags)[0])
    except (NoSupport, InvalidArg) as error:
        cause = error
    if flags & constants.VCPU_GUEST:
        raise CommandFailed("Failed to retrieve vCPU count from the guest", cause=cause)
    affected = flags & (constants.AFFECT_LIVE | constants.AFFECT_CONFIG)
    if flags & constants.AFFECT_LIVE or (not affected and client.call("DOMAIN_IS_ACTIVE", domain)[0] == 1):
        if flags & constants.VCPU_MAXIMUM:
            return int(client.call("DOMAIN_GET_MAX_VCPUS", domain)[0])
        return int(client.call("DOMAIN_GET_INFO", domain)[3])
    from roost.cli.xmltree import parse

    vcpu = next(parse(shell.xml(domain, constants.XML_INACTIVE)).all("vcpu"), None)
    maximum = vcpu.text.strip() if vcpu is not None else "1"
    current = vcpu.attributes.get("current", maximum) if vcpu is not None else "1"
    return int(maximum if flags & constants.VCPU_MAXIMUM else current)


COMMANDS = (
    Command(
        "vcpucount",
        _vcpucount,
        "the number of virtual processors",
        "Without options, a table of the largest and present numbers, in the configuration\n"
        "and in the running domain. With options, one number.",
        domain_argument(),
        flag("maximum", "how many there can be"),
        flag("active", "how many there are"),
        *(
            option
            for name in ("live", "config", "current")
            for option in config_live_current("read")
            if option.name == name
        ),
        flag("guest", "as the agent in the guest counts them"),
    ),
)
