"""How much memory a domain has, what bounds it, and where it comes from."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.params import show
from roost.cli.parser import parse_integer
from roost.cli.scale import parse_scaled, scaled
from roost.cli.table import ALIAS, NUMBER, TEXT, Command, Option, config_live_current, domain_argument
from roost.cli.tunable import Tunable, affected
from roost.constants import domain as constants
from roost.constants import typed_params as kinds
from roost.errors import InvalidArg, NumericOverflow

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.tunable import Sent
    from roost.client.records import TypedParam
    from roost.errors import RoostError

_LLONG_MAX = 2**63 - 1
#: KiB of a limit that is none.
_UNLIMITED = _LLONG_MAX >> 10
_MODES = ("strict", "preferred", "interleave", "restrictive")


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
    affected(arguments)
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
    flags = affected(arguments)
    if not flags and not arguments.has("current"):
        flags = constants.AFFECT_LIVE
    domain = shell.domain(arguments)
    shell.client.call("DOMAIN_SET_MEMORY_FLAGS", domain, _kibibytes(arguments), flags)


def _setmaxmem(shell: Shell, arguments: Arguments) -> None:
    flags = affected(arguments)
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
    affected(arguments)
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


def _memory_options() -> tuple[Option, ...]:
    return (
        domain_argument(),
        Option("kilobytes", ALIAS, target="size"),
        Option("size", NUMBER, "the size, in KiB unless it has a unit", required=True),
        *config_live_current(),
    )


COMMANDS = (
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
