"""Which CPUs of the host a domain's threads may run on."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import DATA, NUMBER, TEXT, Command, Option, config_live_current, domain_argument, flag
from roost.cli.tunable import affected
from roost.constants import domain as constants
from roost.errors import InvalidArg, NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_SHUTOFF = 5
_VCPU_STATES = ("offline", "running", "blocked")
_UINT_MAX = 2**32 - 1
#: CPUs that a list may name.
_MOST_CPUS = 1024


def _host_cpus(shell: Shell) -> int:
    """How many CPUs the host can have."""
    client = shell.client
    try:
        return int(client.call("NODE_GET_CPU_MAP", 0, 0, 0)[2])
    except NoSupport:
        info = client.call("NODE_GET_INFO")
        return int(info[4] * info[5] * info[6] * info[7])


def _bitmap(text: str, host: int) -> bytes:
    """The map of a list of CPUs; of all when it begins with r. Raises CommandFailed."""
    cpus = set(range(host)) if text.startswith("r") else _parse_list(text)
    if not cpus:
        cause = InvalidArg(f"Failed to parse bitmap '{text}'") if cpus is None else None
        raise CommandFailed(f"Invalid cpulist '{text}'", cause=cause)
    last = max(cpus)
    if last >= host:
        raise CommandFailed(f"CPU {last} in cpulist '{text}' exceed the maxcpu {host}")
    data = bytearray(last // 8 + 1)
    for cpu in cpus:
        data[cpu // 8] |= 1 << cpu % 8
    return bytes(data)


def _parse_list(text: str) -> set[int] | None:
    """The numbers of a list such as 0-3,^2; None when it is no such list."""
    cpus: set[int] = set()
    for part in text.split(","):
        word = part.strip()
        out = word.startswith("^")
        first, dash, last = word.removeprefix("^").partition("-")
        bounds = (first.strip(), last.strip() if dash else first.strip())
        if not all(bound.isascii() and bound.isdecimal() for bound in bounds) or (out and dash):
            return None
        low, high = int(bounds[0]), int(bounds[1])
        if low > high or high >= _MOST_CPUS:
            return None
        numbers = range(low, high + 1)
        cpus = cpus.difference(numbers) if out else cpus.union(numbers)
    return cpus


def _show(bitmap: bytes) -> str:
    """The list of a map's CPUs: `0-3,7`."""
    runs: list[list[int]] = []
    for cpu in range(8 * len(bitmap)):
        if bitmap[cpu // 8] >> cpu % 8 & 1:
            if runs and runs[-1][1] == cpu - 1:
                runs[-1][1] = cpu
            else:
                runs.append([cpu, cpu])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in runs)


def _map_length(host: int) -> int:
    return (host + 7) // 8


# -- processors


def _vcpupin(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    cpus = arguments.text("cpulist")
    if cpus is None:
        arguments.exclude(("live", "config"))
    vcpu = arguments.number("vcpu", 0, _UINT_MAX)
    if cpus is not None and vcpu is None:
        raise CommandFailed("vcpupin: Missing vCPU number in pin mode.")
    host = _host_cpus(shell)
    domain = shell.domain(arguments)
    if cpus is None:
        _show_pins(shell, domain, vcpu, host, flags)
    elif flags or arguments.has("current"):
        shell.client.call("DOMAIN_PIN_VCPU_FLAGS", domain, vcpu, _bitmap(cpus, host), flags)
    else:
        shell.client.call("DOMAIN_PIN_VCPU", domain, vcpu, _bitmap(cpus, host))


def _show_pins(shell: Shell, domain: Domain, vcpu: int | None, host: int, flags: int) -> None:
    client = shell.client
    live, config = bool(flags & constants.AFFECT_LIVE), bool(flags & constants.AFFECT_CONFIG)
    active = client.call("DOMAIN_IS_ACTIVE", domain)[0] == 1
    if live and not active:
        raise CommandFailed("cannot get vcpupin for offline domain")
    if config and client.call("DOMAIN_IS_PERSISTENT", domain)[0] != 1:
        raise CommandFailed("cannot get vcpupin for transient domain")
    count = _count(shell, domain, flags)
    if vcpu is not None and vcpu >= count:
        which = "live" if live or (not config and active) else "persistent"
        raise CommandFailed(f"vcpu {vcpu} is out of range of {which} cpu count {count}")
    length = _map_length(host)
    maps, found = client.call("DOMAIN_GET_VCPU_PIN_INFO", domain, count, length, flags)
    rows = [
        (str(number), _show(maps[number * length : (number + 1) * length]))
        for number in range(found)
        if vcpu in (None, number)
    ]
    shell.table(("VCPU", "CPU Affinity"), rows)


def _count(shell: Shell, domain: Domain, flags: int) -> int:
    """How many processors there can be."""
    try:
        return int(shell.client.call("DOMAIN_GET_VCPUS_FLAGS", domain, flags | constants.VCPU_MAXIMUM)[0])
    except (NoSupport, InvalidArg):
        return int(shell.client.call("DOMAIN_GET_MAX_VCPUS", domain)[0])


def _vcpuinfo(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    host = _host_cpus(shell)
    state, _, _, count, _ = shell.client.call("DOMAIN_GET_INFO", domain)
    pretty, length = arguments.has("pretty"), _map_length(host)
    try:
        infos, maps = shell.client.call("DOMAIN_GET_VCPUS", domain, count, length)
    except RoostError:
        if state != _SHUTOFF:
            raise
        maps = shell.client.call("DOMAIN_GET_VCPU_PIN_INFO", domain, count, length, constants.AFFECT_CONFIG)[0]
        blocks = [f"{'VCPU:':<15} {number}\n{'CPU:':<15} N/A\n{'State:':<15} N/A\n{'CPU time':<15} N/A\n"
                  for number in range(count)]  # fmt: skip
    else:
        blocks = [_vcpu_lines(*info) for info in infos]
    shell.write(
        "\n".join(
            block + _affinity(maps[place * length : (place + 1) * length], host, pretty=pretty)
            for place, block in enumerate(blocks)
        )
    )


def _vcpu_lines(number: int, state: int, time: int, cpu: int) -> str:
    shown = _VCPU_STATES[state] if 0 <= state < len(_VCPU_STATES) else "no state"
    lines = f"{'VCPU:':<15} {number}\n{'CPU:':<15} {cpu}\n{'State:':<15} {shown}\n"
    return lines + (f"{'CPU time:':<15} {time / 1e9:.1f}s\n" if time else "")


def _affinity(bitmap: bytes, host: int, *, pretty: bool) -> str:
    if pretty:
        return f"{'CPU Affinity:':<15} {_show(bitmap)} (out of {host})\n"
    places = "".join("y" if bitmap[cpu // 8] >> cpu % 8 & 1 else "-" for cpu in range(host))
    return f"{'CPU Affinity:':<15} {places}\n"


# -- the other threads


def _emulatorpin(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    domain = shell.domain(arguments)
    cpus = arguments.text("cpulist")
    host = _host_cpus(shell)
    if cpus is None:
        bitmap = shell.client.call("DOMAIN_GET_EMULATOR_PIN_INFO", domain, _map_length(host), flags)[0]
        shell.extra("emulator: CPU Affinity\n----------------------------------\n       *: ")
        shell.write(f"{_show(bitmap)}\n")
        return
    if not flags and not arguments.has("current"):
        flags = constants.AFFECT_LIVE
    shell.client.call("DOMAIN_PIN_EMULATOR", domain, _bitmap(cpus, host), flags)


def _iothreadinfo(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    domain = shell.domain(arguments)
    with failing("Unable to get domain IOThreads information"):
        infos = shell.client.call("DOMAIN_GET_IOTHREAD_INFO", domain, flags)[0]
    if infos:
        shell.table(("IOThread ID", "CPU Affinity"), [(str(id), _show(bitmap)) for id, bitmap in infos])
    else:
        shell.extra("No IOThreads found for the domain")


def _iothreadpin(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
    domain = shell.domain(arguments)
    thread = arguments.number("iothread", 0, _UINT_MAX)
    cpus = arguments.required("cpulist")
    shell.client.call("DOMAIN_PIN_IOTHREAD", domain, thread, _bitmap(cpus, _host_cpus(shell)), flags)


_CPULIST = Option("cpulist", TEXT, "CPUs of the host, as in 0-3,^2; r for all", empty_ok=True)

COMMANDS = (
    Command(
        "emulatorpin",
        _emulatorpin,
        "pin what emulates a domain to CPUs of the host",
        "Says where the threads run that are neither processors nor I/O threads, or where they are to run.",
        domain_argument(),
        _CPULIST,
        *config_live_current(),
    ),
    Command(
        "iothreadinfo",
        _iothreadinfo,
        "the I/O threads of a domain",
        "Their numbers, and which CPUs of the host they may run on.",
        domain_argument(),
        *config_live_current(),
    ),
    Command(
        "iothreadpin",
        _iothreadpin,
        "pin an I/O thread to CPUs of the host",
        "",
        domain_argument(),
        Option("iothread", NUMBER, "the thread's number", required=True),
        Option("cpulist", DATA, "CPUs of the host, as in 0-3,^2; r for all", required=True),
        *config_live_current(),
    ),
    Command(
        "vcpuinfo",
        _vcpuinfo,
        "what the processors of a domain do",
        "Where each runs, for how long it has, and where it may run.",
        domain_argument(),
        flag("pretty", "CPUs as a list"),
    ),
    Command(
        "vcpupin",
        _vcpupin,
        "pin processors of a domain to CPUs of the host",
        "Says where they may run, or where one is to run.",
        domain_argument(),
        Option("vcpu", NUMBER, "the processor's number"),
        _CPULIST,
        *config_live_current(),
    ),
)
