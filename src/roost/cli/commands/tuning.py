"""What the host gives a domain: processor time, memory, block I/O, bandwidth, counters."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.params import show
from roost.cli.parser import parse_integer
from roost.cli.scale import parse_scaled, scaled
from roost.cli.table import ALIAS, DATA, NUMBER, REST, TEXT, Command, Option, config_live_current, domain_argument, flag
from roost.constants import domain as constants
from roost.constants import typed_params as kinds
from roost.errors import InvalidArg, NumericOverflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import TypedParam
    from roost.errors import RoostError

    #: (name, (type, value)), as the protocol has it.
    Sent = tuple[str, tuple[int, int | str]]

_UINT_MAX, _LLONG_MAX, _ULLONG_MAX = 2**32 - 1, 2**63 - 1, 2**64 - 1
#: KiB of a limit that is none.
_UNLIMITED = _LLONG_MAX >> 10
_MODES = ("strict", "preferred", "interleave", "restrictive")
#: CPUs that one request may ask about.
_CPUS_AT_ONCE = 128


def _affected(arguments: Arguments) -> int:
    arguments.exclude(("current", "live"), ("current", "config"))
    return constants.AFFECT_CONFIG * arguments.has("config") | constants.AFFECT_LIVE * arguments.has("live")


def _line(shell: Shell, field: str, value: str) -> None:
    shell.write(f"{field:<15}: {value}\n")


def _plain(param: TypedParam) -> str:
    return show(param)


class Tunable:
    """A family of parameters that one command shows and sets.

    get, set: procedures. counted, shown, failed: how virsh words that their number, their values or their change
    could not be had.
    """

    __slots__ = ("counted", "failed", "get", "set", "shown", "text")

    def __init__(
        self, name: str, counted: str, shown: str, failed: str, text: Callable[[TypedParam], str] = _plain
    ) -> None:
        self.get, self.set = f"DOMAIN_GET_{name}", f"DOMAIN_SET_{name}"
        self.counted, self.shown, self.failed = counted, shown, failed
        self.text = text

    def run(self, shell: Shell, arguments: Arguments, params: Sequence[Sent], *device: str) -> None:
        """Set what is given; show all when nothing is."""
        flags = _affected(arguments)
        domain = shell.domain(arguments)
        call = shell.client.call
        if params:
            with failing(self.failed):
                call(self.set, domain, *device, params, flags)
            return
        with failing(self.counted):
            count = call(self.get, domain, *device, 0, flags)[1]
        if not count:
            return
        with failing(self.shown):
            found = call(self.get, domain, *device, count, flags | kinds.STRING_OKAY)[0]
        for param in found:
            _line(shell, param.field, self.text(param))


# -- processor time


def _schedinfo(shell: Shell, arguments: Arguments) -> None:
    flags = _affected(arguments)
    both = constants.AFFECT_CONFIG | constants.AFFECT_LIVE
    query = 0 if flags == both else flags
    domain = shell.domain(arguments)
    call = shell.client.call
    name, count = call("DOMAIN_GET_SCHEDULER_TYPE", domain)
    _line(shell, "Scheduler", name)
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
        _line(shell, param.field, show(param))


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


# -- memory


def _limit(param: TypedParam) -> str:
    return "unlimited" if param.value == (kinds.ULLONG, _UNLIMITED) else show(param)


_MEMORY = Tunable(
    "MEMORY_PARAMETERS",
    "Unable to get number of memory parameters",
    "Unable to get memory parameters",
    "Unable to change memory parameters",
    _limit,
)
_LIMITS = ("hard-limit", "soft-limit", "swap-hard-limit", "min-guarantee")


def _memtune(shell: Shell, arguments: Arguments) -> None:
    _affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    for name in _LIMITS:
        text = arguments.text(name)
        if text is None:
            continue
        params.append((name.replace("-", "_"), (kinds.ULLONG, _limit_size(name, text))))
    _MEMORY.run(shell, arguments, params)


def _limit_size(name: str, text: str) -> int:
    """KiB; below 0 there is no limit."""
    if text.lstrip().startswith("-") and parse_integer(text) is not None:
        return _UNLIMITED
    cause: RoostError | None = None
    try:
        size = parse_scaled(text, 1024, _LLONG_MAX)
    except (InvalidArg, NumericOverflow) as error:
        size, cause = None, error
    if size is None:
        raise CommandFailed(f"Unable to parse integer parameter {name}", cause=cause)
    return (size + 1023) // 1024


def _kibibytes(arguments: Arguments) -> int:
    size = scaled(arguments, "size", 1024)
    return ((size or 0) + 1023) // 1024


def _setmem(shell: Shell, arguments: Arguments) -> None:
    flags = _affected(arguments)
    if not flags and not arguments.has("current"):
        flags = constants.AFFECT_LIVE
    domain = shell.domain(arguments)
    shell.client.call("DOMAIN_SET_MEMORY_FLAGS", domain, _kibibytes(arguments), flags)


def _setmaxmem(shell: Shell, arguments: Arguments) -> None:
    flags = _affected(arguments)
    domain = shell.domain(arguments)
    size = _kibibytes(arguments)
    with failing("Unable to change MaxMemorySize"):
        shell.client.call("DOMAIN_SET_MEMORY_FLAGS", domain, size, flags | constants.MEM_MAXIMUM)


def _mode(param: TypedParam) -> str:
    if param.field != constants.NUMA_MODE:
        return show(param)
    number = int(param.value[1])
    return _MODES[number] if 0 <= number < len(_MODES) else "(null)"


_NUMA = Tunable(
    "NUMA_PARAMETERS",
    "Unable to get number of memory parameters",
    "Unable to get numa parameters",
    "Unable to change numa parameters",
    _mode,
)


def _numatune(shell: Shell, arguments: Arguments) -> None:
    _affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    nodeset, mode = arguments.text("nodeset"), arguments.text("mode")
    if nodeset is not None:
        params.append((constants.NUMA_NODESET, (kinds.STRING, nodeset)))
    if mode is not None:
        number = _MODES.index(mode) if mode in _MODES else parse_integer(mode, 0)
        if number is None:
            raise CommandFailed(f"Invalid mode: {mode}")
        params.append((constants.NUMA_MODE, (kinds.INT, number)))
    _NUMA.run(shell, arguments, params)


# -- block I/O

_BLKIO = Tunable(
    "BLKIO_PARAMETERS",
    "Unable to get number of blkio parameters",
    "Unable to get blkio parameters",
    "Unable to change blkio parameters",
)
#: Options and their parameters.
_DEVICES = {
    "device-weights": constants.BLKIO_DEVICE_WEIGHT,
    "device-read-iops-sec": constants.BLKIO_DEVICE_READ_IOPS,
    "device-write-iops-sec": constants.BLKIO_DEVICE_WRITE_IOPS,
    "device-read-bytes-sec": constants.BLKIO_DEVICE_READ_BPS,
    "device-write-bytes-sec": constants.BLKIO_DEVICE_WRITE_BPS,
}


def _blkiotune(shell: Shell, arguments: Arguments) -> None:
    _affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    weight = arguments.number("weight")
    if weight is not None:
        if weight <= 0:
            raise CommandFailed(f"Invalid value of {weight} for I/O weight")
        params.append((constants.BLKIO_WEIGHT, (kinds.UINT, weight)))
    for option, name in _DEVICES.items():
        text = arguments.text(option)
        if text is not None:
            params.append((name, (kinds.STRING, text)))
    _BLKIO.run(shell, arguments, params)


_IOTUNE = Tunable(
    "BLOCK_IO_TUNE",
    "Unable to get number of block I/O throttle parameters",
    "Unable to get block I/O throttle parameters",
    "Unable to change block I/O throttle",
)
_WHOSE = ("total", "read", "write")
_SCALED = tuple(f"{whose}-bytes-sec{burst}" for burst in ("", "-max") for whose in _WHOSE)
_COUNTS = (
    *(f"{whose}-iops-sec{burst}" for burst in ("", "-max") for whose in _WHOSE),
    "size-iops-sec",
    *(f"{whose}-{what}-sec-max-length" for what in ("bytes", "iops") for whose in _WHOSE),
)


def _blkdeviotune(shell: Shell, arguments: Arguments) -> None:
    _affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    try:
        for name in (*_SCALED, *_COUNTS):
            value = scaled(arguments, name, 1) if name in _SCALED else arguments.number(name, 0, _ULLONG_MAX)
            if value is not None:
                params.append((name.replace("-", "_"), (kinds.ULLONG, value)))
    except CommandFailed as error:
        raise CommandFailed(*error.lines, "Unable to parse integer parameter", cause=error.cause) from None
    group = arguments.text("group-name")
    if group is not None:
        params.append(("group_name", (kinds.STRING, group)))
    _IOTUNE.run(shell, arguments, params, arguments.required("device"))


# -- bandwidth

_BANDWIDTH = Tunable(
    "INTERFACE_PARAMETERS",
    "Unable to get number of interface parameters",
    "Unable to get interface parameters",
    "Unable to set interface parameters",
)
_RATE = ("average", "peak", "burst", "floor")


def _domiftune(shell: Shell, arguments: Arguments) -> None:
    _affected(arguments)
    shell.domain(arguments)
    params: list[Sent] = []
    for direction in ("inbound", "outbound"):
        text = arguments.text(direction)
        if text is None:
            continue
        rate = _rate(text)
        if any(value > _UINT_MAX for value in rate.values()):
            raise CommandFailed(f"{direction} rate larger than maximum {_UINT_MAX}")
        more = rate["burst"] or rate["peak"]
        if direction == "inbound" and more and not rate["average"] and not rate["floor"]:
            raise CommandFailed("either inbound average or floor is mandatory")
        if direction == "outbound" and more and not rate["average"]:
            raise CommandFailed("outbound average is mandatory")
        if direction == "outbound" and rate["floor"]:
            raise CommandFailed("outbound floor is unsupported yet")
        params += [
            (f"{direction}.{field}", (kinds.UINT, value))
            for field, value in rate.items()
            if value or field == "average"
        ]
    _BANDWIDTH.run(shell, arguments, params, arguments.required("interface"))


def _rate(text: str) -> dict[str, int]:
    """average, peak, burst, floor; what is left out is 0."""
    words = text.split(",")
    if len(words) > len(_RATE):
        raise CommandFailed(f"Rate string '{text}' has too many fields")
    rate = dict.fromkeys(_RATE, 0)
    for field, word in zip(_RATE, words, strict=False):
        value = parse_integer(word) if word else 0
        if value is None or not 0 <= value <= _ULLONG_MAX:
            raise CommandFailed(f"field '{field}' is malformed")
        rate[field] = value
    return rate


# -- counters


def _perf(shell: Shell, arguments: Arguments) -> None:
    flags = _affected(arguments)
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


def _spellings(name: str, kind: str, help: str) -> tuple[Option, Option]:
    """An option, and its older name with underscores."""
    return Option(name.replace("-", "_"), ALIAS, target=name), Option(name, kind, help)


def _throttles() -> tuple[Option, ...]:
    """All limits of a disk, in virsh's order."""
    found: list[Option] = []
    for burst, of in (("", ""), ("-max", ", in bursts")):
        for what, unit in (("bytes", "bytes"), ("iops", "operations")):
            for whose in _WHOSE:
                kind = TEXT if what == "bytes" else NUMBER
                found += _spellings(f"{whose}-{what}-sec{burst}", kind, f"{whose} {unit} a second{of}")
    found += _spellings("size-iops-sec", NUMBER, "bytes that count as one operation")
    found += _spellings("group-name", TEXT, "share the limits with the disks of this group")
    for what in ("bytes", "iops"):
        for whose in _WHOSE:
            name = f"{whose}-{what}-sec-max-length"
            found += _spellings(name, NUMBER, f"seconds that a burst of {whose} {what} may last")
    return tuple(found)


def _memory_options() -> tuple[Option, ...]:
    return (
        domain_argument(),
        Option("kilobytes", ALIAS, target="size"),
        Option("size", NUMBER, "the size, in KiB unless it has a unit", required=True),
        *config_live_current(),
    )


_CONFIG, _LIVE, _CURRENT = config_live_current()

COMMANDS = (
    Command(
        "blkdeviotune",
        _blkdeviotune,
        "limits of a disk",
        "Shows how fast a disk of the guest may be, or changes it. A total cannot be given beside reads and writes.",
        domain_argument(),
        Option("device", DATA, "target or image of the disk", required=True, completes="disks"),
        *_throttles(),
        *config_live_current(),
    ),
    Command(
        "blkiotune",
        _blkiotune,
        "limits of block I/O",
        "Shows what part of the host's block I/O the domain has, or changes it. Lists for devices of the host are\n"
        "of the form /dev/sda,VALUE,/dev/sdb,VALUE.",
        domain_argument(),
        Option("weight", NUMBER, "the domain's part among others"),
        *(Option(name, TEXT, f"{name.replace('device-', '').replace('-', ' ')} of devices") for name in _DEVICES),
        *config_live_current(),
    ),
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
        "domiftune",
        _domiftune,
        "limits of an interface",
        "Shows how fast an interface of the guest may be, or changes it. Rates are average,peak,burst,floor in\n"
        "kilobytes a second and kilobytes.",
        domain_argument(),
        Option("interface", DATA, "its name on the host or MAC address", required=True, completes="interfaces"),
        Option("inbound", TEXT, "what the guest receives"),
        Option("outbound", TEXT, "what the guest sends"),
        *config_live_current(),
    ),
    Command(
        "memtune",
        _memtune,
        "limits of memory",
        "Shows how much memory of the host the domain may take, or changes it: in KiB unless there is a unit, -1 for\n"
        "no limit.",
        domain_argument(),
        *(Option(name, NUMBER, f"the {name.replace('-', ' ')}") for name in _LIMITS),
        *config_live_current(),
    ),
    Command(
        "numatune",
        _numatune,
        "where memory comes from",
        "Shows which memory nodes of the host the domain's memory comes from, or changes it.",
        domain_argument(),
        Option("mode", TEXT, "strict, preferred, interleave or restrictive"),
        Option("nodeset", TEXT, "nodes, as in 0-1"),
        *config_live_current(),
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
    Command(
        "setmaxmem",
        _setmaxmem,
        "change the most memory that a domain can have",
        "",
        *_memory_options(),
    ),
    Command(
        "setmem",
        _setmem,
        "change how much memory a domain has",
        "The balloon driver in the guest gives it back, or takes it again.",
        *_memory_options(),
    ),
)
