"""The virtual processors of a domain."""

from __future__ import annotations

from roost.cli import impact
from roost.cli.failure import CommandFailed
from roost.cli.table import DATA, NUMBER, Command, Option, config_live_current, domain_argument, flag
from roost.constants import domain as constants
from roost.constants import typed_params as kinds
from roost.errors import InvalidArg, NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_UINT_MAX = 0xFFFFFFFF
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


# -- changing ----------------------------------------------------------------------------------

_IMPACT = (("current", "live"), ("current", "config"))


def _setvcpus(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(*_IMPACT, ("guest", "config"))
    if arguments.has("maximum") and not arguments.has("config"):
        raise CommandFailed("Option --config is required by option --maximum")
    flags = (
        impact.flags_of(arguments)
        | constants.VCPU_GUEST * arguments.has("guest")
        | constants.VCPU_MAXIMUM * arguments.has("maximum")
        | constants.VCPU_HOTPLUGGABLE * arguments.has("hotpluggable")
    )
    domain = shell.domain(arguments)
    count = arguments.number("count", 0, _UINT_MAX)
    if not count:
        raise CommandFailed("Can't set 0 processors for a VM")
    if flags or arguments.has("current"):
        shell.client.call("DOMAIN_SET_VCPUS_FLAGS", domain, count, flags)
    else:
        shell.client.call("DOMAIN_SET_VCPUS", domain, count)


def _setvcpu(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("enable", "disable"), *_IMPACT)
    enable = arguments.has("enable")
    if not enable and not arguments.has("disable"):
        raise CommandFailed("one of --enable, --disable is required")
    listed = arguments.required("vcpulist")
    domain = shell.domain(arguments)
    shell.client.call("DOMAIN_SET_VCPU", domain, listed, int(enable), impact.flags_of(arguments))


def _iothread(shell: Shell, arguments: Arguments) -> tuple[Domain, int, int]:
    arguments.exclude(*_IMPACT)
    domain = shell.domain(arguments)
    number = arguments.number("id") or 0
    if number <= 0:
        raise CommandFailed(f"Invalid IOThread id value: '{number}'")
    return domain, number, impact.flags_of(arguments)


def _iothreadadd(shell: Shell, arguments: Arguments) -> None:
    shell.client.call("DOMAIN_ADD_IOTHREAD", *_iothread(shell, arguments))


def _iothreaddel(shell: Shell, arguments: Arguments) -> None:
    shell.client.call("DOMAIN_DEL_IOTHREAD", *_iothread(shell, arguments))


#: The options of iothreadset: what they set, its type, the smallest and largest value.
_POOL = (
    ("poll-max-ns", constants.IOTHREAD_POLL_MAX_NS, kinds.ULLONG, 0, 2**64 - 1),
    ("poll-grow", constants.IOTHREAD_POLL_GROW, kinds.UINT, 0, _UINT_MAX),
    ("poll-shrink", constants.IOTHREAD_POLL_SHRINK, kinds.UINT, 0, _UINT_MAX),
    ("thread-pool-min", constants.IOTHREAD_THREAD_POOL_MIN, kinds.INT, -(2**31), 2**31 - 1),
    ("thread-pool-max", constants.IOTHREAD_THREAD_POOL_MAX, kinds.INT, -(2**31), 2**31 - 1),
)


def _iothreadset(shell: Shell, arguments: Arguments) -> None:
    domain, number, flags = _iothread(shell, arguments)
    params = [
        (field, (kind, value))
        for option, field, kind, low, high in _POOL
        if (value := arguments.number(option, low, high)) is not None
    ]
    if not params:
        raise CommandFailed("Not enough arguments passed, nothing to set")
    shell.client.call("DOMAIN_SET_IOTHREAD_PARAMS", domain, number, params, flags)


_ID = Option("id", NUMBER, "number of the thread", required=True)

COMMANDS = (
    Command(
        "setvcpus",
        _setvcpus,
        "change the number of virtual processors",
        "Of the running domain unless told otherwise.",
        domain_argument(),
        Option("count", NUMBER, "how many", required=True),
        flag("maximum", "how many there can be at the next start"),
        *config_live_current(),
        flag("guest", "have the agent in the guest switch them on and off"),
        flag("hotpluggable", "new ones can be taken out again"),
    ),
    Command(
        "setvcpu",
        _setvcpu,
        "plug in or take out single virtual processors",
        "Those of one core at a time.",
        domain_argument(),
        Option("vcpulist", DATA, "numbers, such as 2-3", required=True),
        flag("enable", "plug them in"),
        flag("disable", "take them out"),
        *config_live_current(),
    ),
    Command("iothreadadd", _iothreadadd, "add an I/O thread", "", domain_argument(), _ID, *config_live_current()),
    Command("iothreaddel", _iothreaddel, "remove an I/O thread", "", domain_argument(), _ID, *config_live_current()),
    Command(
        "iothreadset",
        _iothreadset,
        "change how an I/O thread polls and works",
        "",
        domain_argument(),
        _ID,
        Option("poll-max-ns", NUMBER, "nanoseconds that it polls at most"),
        Option("poll-grow", NUMBER, "by what that time grows"),
        Option("poll-shrink", NUMBER, "by what it shrinks"),
        Option("thread-pool-min", NUMBER, "workers that are always there"),
        Option("thread-pool-max", NUMBER, "workers that there are at most"),
        *config_live_current(),
    ),
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
