"""Processor time that a domain may use and has used, and what is counted of it."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.params import show
from roost.cli.parser import parse_integer
from roost.cli.table import NUMBER, REST, TEXT, Command, Option, config_live_current, domain_argument, flag
from roost.cli.tunable import affected, line
from roost.constants import domain as constants
from roost.constants import typed_params as kinds
from roost.errors import InvalidArg

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.tunable import Sent
    from roost.client.records import TypedParam

_UINT_MAX, _LLONG_MAX, _ULLONG_MAX = 2**32 - 1, 2**63 - 1, 2**64 - 1
#: CPUs that one request may ask about.
_CPUS_AT_ONCE = 128
_CONFIG, _LIVE, _CURRENT = config_live_current()

# -- processor time


def _schedinfo(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    both = constants.AFFECT_CONFIG | constants.AFFECT_LIVE
    query = 0 if flags == both else flags
    domain = shell.domain(arguments)
    call = shell.client.call
    name, count = call("DOMAIN_GET_SCHEDULER_TYPE", domain)
    line(shell, "Scheduler", name)
    if not count:
        return
    with_flags = bool(flags) or arguments.has("current")

    def read() -> Sequence[TypedParam]:
        if with_flags:
            found = call("DOMAIN_GET_SCHEDULER_PARAMETERS_FLAGS", domain, count, query | kinds.STRING_OKAY)
        else:
            found = call("DOMAIN_GET_SCHEDULER_PARAMETERS", domain, count)
        params: Sequence[TypedParam] = found[0]
        return params

    params = read()
    updates = _updates(arguments, params)
    if updates:
        if with_flags:
            call("DOMAIN_SET_SCHEDULER_PARAMETERS_FLAGS", domain, updates, flags)
        else:
            call("DOMAIN_SET_SCHEDULER_PARAMETERS", domain, updates)
        params = read()
    elif flags == both:
        raise CommandFailed("cannot query both live and config at once")
    for param in params:
        line(shell, param.field, show(param))


def _updates(arguments: Arguments, params: Sequence[TypedParam]) -> list[Sent]:
    """What is to be set, of the types that the daemon says the parameters have. Raises CommandFailed."""
    wanted = []
    for word in arguments.rest():
        name, found, value = word.partition("=")
        if not found:
            raise CommandFailed("Invalid syntax for --set, expecting name=value")
        wanted.append((name, value))
    wanted += [(name, arguments.required(name)) for name in ("cap", "weight") if arguments.has(name)]
    known = {param.field: param.value[0] for param in params}
    updates: list[Sent] = []
    for name, value in wanted:
        if name not in known:
            raise CommandFailed(f"invalid scheduler option: {name}")
        updates.append((name, (known[name], _typed(name, known[name], value))))
    return updates


#: How C reads each type: what it is called, and its bounds; without a sign, numbers below 0 are taken for large ones.
_TYPES = {
    kinds.INT: ("int", -(2**31), 2**31 - 1),
    kinds.UINT: ("unsigned int", -_UINT_MAX, _UINT_MAX),
    kinds.LLONG: ("long long", -(2**63), _LLONG_MAX),
    kinds.ULLONG: ("unsigned long long", -_ULLONG_MAX, _ULLONG_MAX),
}


def _typed(name: str, kind: int, text: str) -> int:
    called, low, high = _TYPES.get(kind, _TYPES[kinds.ULLONG])
    value = parse_integer(text)
    if value is None or not low <= value <= high:
        raise CommandFailed(cause=InvalidArg(f"Invalid value for field '{name}': expected {called}"))
    return value % (high + 1) if low == -high else value


# -- counters


def _perf(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    wanted = [(arguments.text(name) or "", name == "enable") for name in ("enable", "disable")]
    params = [(event, (kinds.BOOLEAN, int(enabled))) for text, enabled in wanted for event in text.split(",") if event]
    domain = shell.domain(arguments)
    if params:
        with failing("Unable to enable/disable perf events"):
            shell.client.call("DOMAIN_SET_PERF_EVENTS", domain, params, flags)
        states = [(event, value[1]) for event, value in params]
    else:
        with failing("Unable to get perf events"):
            found = shell.client.call("DOMAIN_GET_PERF_EVENTS", domain, flags | kinds.STRING_OKAY)[0]
        states = [(param.field, param.value[1]) for param in found]
    for event, enabled in states:
        shell.extra(f"{event:<15}: {'enabled' if enabled else 'disabled'}\n")


_CPU_STATS_FAILED = "Failed to retrieve CPU statistics for domain '{}'"


def _cpu_stats(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    total = arguments.has("total")
    start, count = arguments.number("start"), arguments.number("count")
    if start is not None and start < 0:
        raise CommandFailed("Invalid value for start CPU")
    if count is not None and count < 0:
        raise CommandFailed("Invalid value for number of CPUs to show")
    each = start is not None or count is not None

    def ask(room: int, first: int, number: int) -> tuple[Sequence[TypedParam], int]:
        with failing(_CPU_STATS_FAILED.format(domain.name)):
            params, found = shell.client.call("DOMAIN_GET_CPU_STATS", domain, room, first, number, 0)
        return params, found

    if each or not total:
        _each_cpu(shell, ask, start or 0, count)
    if total or not each:
        room = ask(0, -1, 1)[1]
        if not room:
            shell.write("No total stats available")
            raise CommandFailed
        shell.write("Total:\n")
        _times(shell, ask(room, -1, 1)[0])


def _each_cpu(
    shell: Shell,
    ask: Callable[[int, int, int], tuple[Sequence[TypedParam], int]],
    first: int,
    count: int | None,
) -> None:
    most = ask(0, 0, 0)[1]
    if first >= most:
        raise CommandFailed(f"Start CPU {first} is out of range (min: 0, max: {most - 1})")
    if count is None or count > most:
        if count is not None:
            shell.write(f"Only {most} CPUs available to show\n")
        count = most - first
    room = ask(0, 0, 1)[1]
    if not room:
        shell.write("No per-CPU stats available")
        return
    while count > 0:
        number = min(count, _CPUS_AT_ONCE)
        params, found = ask(room, first, number)
        for place in range(len(params) // max(found, 1)):
            shell.write(f"CPU{first + place}:\n")
            _times(shell, params[place * found : (place + 1) * found])
        first, count = first + number, count - number


def _times(shell: Shell, params: Sequence[TypedParam]) -> None:
    for param in params:
        seconds, rest = divmod(int(param.value[1]), 1_000_000_000)
        shell.write(f"\t{param.field:<12} {seconds:9d}.{rest:09d} seconds\n")


COMMANDS = (
    Command(
        "cpu-stats",
        _cpu_stats,
        "processor time that a domain has used",
        "By CPU of the host, and in all.",
        domain_argument(),
        flag("total", "only in all"),
        Option("start", NUMBER, "the first CPU to tell of"),
        Option("count", NUMBER, "how many CPUs to tell of"),
    ),
    Command(
        "perf",
        _perf,
        "counters of processors and kernel",
        "Shows what is counted for a domain, or changes it. domstats --perf tells what was.",
        domain_argument(),
        Option("enable", TEXT, "events to count, with commas between them"),
        Option("disable", TEXT, "events not to count"),
        *config_live_current(),
    ),
    Command(
        "schedinfo",
        _schedinfo,
        "parts of processor time",
        "Shows what part of the host's processor time the domain has, or changes it.",
        domain_argument(),
        Option("weight", NUMBER, "for Xen", named_only=True),
        Option("cap", NUMBER, "for Xen", named_only=True),
        _CURRENT,
        _CONFIG,
        _LIVE,
        Option("set", REST, "name=value"),
    ),
)
