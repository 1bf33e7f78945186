"""What a domain is doing: state, memory, statistics."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.names import CONTROL_ERRORS, CONTROL_STATES, REASONS, STATES, pick
from roost.cli.shell import format_uuid
from roost.cli.table import NUMBER, REST, Command, Option, config_live_current, domain_argument, flag
from roost.constants import domain as constants
from roost.constants import statistics
from roost.errors import NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_UNLIMITED = 2**32 - 1
_CONTROL_OK, _CONTROL_ERROR = 0, 3

_MEMORY = {
    statistics.MEMORY_STAT_SWAP_IN: "swap_in",
    statistics.MEMORY_STAT_SWAP_OUT: "swap_out",
    statistics.MEMORY_STAT_MAJOR_FAULT: "major_fault",
    statistics.MEMORY_STAT_MINOR_FAULT: "minor_fault",
    statistics.MEMORY_STAT_UNUSED: "unused",
    statistics.MEMORY_STAT_AVAILABLE: "available",
    statistics.MEMORY_STAT_USABLE: "usable",
    statistics.MEMORY_STAT_ACTUAL_BALLOON: "actual",
    statistics.MEMORY_STAT_RSS: "rss",
    statistics.MEMORY_STAT_LAST_UPDATE: "last_update",
    statistics.MEMORY_STAT_DISK_CACHES: "disk_caches",
    statistics.MEMORY_STAT_HUGETLB_PGALLOC: "hugetlb_pgalloc",
    statistics.MEMORY_STAT_HUGETLB_PGFAIL: "hugetlb_pgfail",
}

_GROUPS = (
    ("state", statistics.STATE, "state and reason"),
    ("cpu-total", statistics.CPU_TOTAL, "processor time of the whole domain"),
    ("balloon", statistics.BALLOON, "memory balloon"),
    ("vcpu", statistics.VCPU, "virtual processors"),
    ("interface", statistics.INTERFACE, "network interfaces"),
    ("block", statistics.BLOCK, "disks"),
    ("perf", statistics.PERF, "performance events"),
    ("iothread", statistics.IOTHREAD, "I/O threads"),
    ("memory", statistics.MEMORY, "memory bandwidth"),
    ("dirtyrate", statistics.DIRTYRATE, "rate at which memory gets dirty"),
    ("vm", statistics.VM, "what the hypervisor counts itself"),
)
_SELECTIONS = (
    ("list-active", statistics.STATS_ACTIVE, "only running domains"),
    ("list-inactive", statistics.STATS_INACTIVE, "only domains that are not running"),
    ("list-persistent", statistics.STATS_PERSISTENT, "only domains with a persistent configuration"),
    ("list-transient", statistics.STATS_TRANSIENT, "only domains without a persistent configuration"),
    ("list-running", statistics.STATS_RUNNING, "only domains in state running"),
    ("list-paused", statistics.STATS_PAUSED, "only paused domains"),
    ("list-shutoff", statistics.STATS_SHUTOFF, "only domains that are shut off"),
    ("list-other", statistics.STATS_OTHER, "only domains in any other state"),
)
_MODES = (
    ("enforce", statistics.STATS_ENFORCE_STATS, "fail when the daemon does not know a group asked for"),
    ("backing", statistics.STATS_BACKING, "add the backing chains of disks"),
    ("nowait", statistics.STATS_NOWAIT, "leave out what could only be had by waiting for a job"),
)


def _dominfo(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    client = shell.client
    failure: RoostError | None = None

    def line(label: str, value: object) -> None:
        shell.write(f"{label:<15} {value}\n")

    line("Id:", "-" if domain.id == -1 else domain.id)
    line("Name:", domain.name)
    line("UUID:", format_uuid(domain.uuid))
    line("OS Type:", client.call("DOMAIN_GET_OS_TYPE", domain)[0])
    try:
        state, max_memory, memory, vcpus, cpu_time = client.call("DOMAIN_GET_INFO", domain)
    except RoostError as error:
        failure = error
    else:
        line("State:", STATES.get(state, "no state"))
        line("CPU(s):", vcpus)
        if cpu_time:
            line("CPU time:", f"{cpu_time / 1e9:.1f}s")
        line("Max memory:", "no limit" if max_memory == _UNLIMITED else f"{max_memory} KiB")
        line("Used memory:", f"{memory} KiB")
    line("Persistent:", _yes_no(shell, "DOMAIN_IS_PERSISTENT", domain))
    try:
        line("Autostart:", "enable" if client.call("DOMAIN_GET_AUTOSTART", domain)[0] else "disable")
    except RoostError as error:
        failure = failure or error
    line("Managed save:", _yes_no(shell, "DOMAIN_HAS_MANAGED_SAVE_IMAGE", domain, 0))
    for label, value in _security(shell, domain):
        line(label, value)
    try:
        messages = client.call("DOMAIN_GET_MESSAGES", domain, 0)[0]
    except RoostError:
        messages = ()
    for index, message in enumerate(messages):
        line("" if index else "Messages:", message)
    if failure is not None:
        raise failure


def _yes_no(shell: Shell, procedure: str, *arguments: object) -> str:
    try:
        return "yes" if shell.client.call(procedure, *arguments)[0] else "no"
    except RoostError:
        return "unknown"


def _security(shell: Shell, domain: Domain) -> list[tuple[str, str]]:
    """The lines about the security driver, none when there is no driver or it is off."""
    try:
        model, doi = shell.client.call("NODE_GET_SECURITY_MODEL")
    except NoSupport:
        return []
    if not _c_string(model):
        return []
    lines = [("Security model:", _c_string(model)), ("Security DOI:", _c_string(doi))]
    label, enforcing = shell.client.call("DOMAIN_GET_SECURITY_LABEL", domain)
    if _c_string(label):
        lines.append(("Security label:", f"{_c_string(label)} ({'enforcing' if enforcing else 'permissive'})"))
    return lines


def _c_string(data: bytes) -> str:
    return data.partition(b"\0")[0].decode("utf-8", "surrogateescape")


def _domstate(shell: Shell, arguments: Arguments) -> None:
    state, reason = shell.domain_state(shell.domain(arguments))
    text = STATES.get(state, "no state")
    if arguments.has("reason"):
        text += f" ({pick(REASONS.get(state, ()), reason)})"
    shell.write(text + "\n")


def _domcontrol(shell: Shell, arguments: Arguments) -> None:
    state, details, milliseconds = shell.client.call("DOMAIN_GET_CONTROL_INFO", shell.domain(arguments), 0)
    text = pick(CONTROL_STATES, state)
    if state not in (_CONTROL_OK, _CONTROL_ERROR):
        text += f" ({milliseconds / 1000:0.3f}s)"
    elif state == _CONTROL_ERROR and details > 0:
        text += f": {pick(CONTROL_ERRORS, details)}"
    shell.write(text + "\n")


def _dommemstat(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("current", "live"), ("current", "config"))
    flags = constants.AFFECT_CONFIG * arguments.has("config") | constants.AFFECT_LIVE * arguments.has("live")
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    client = shell.client
    if not flags and not arguments.has("current") and _is_active(shell, domain):
        flags = constants.AFFECT_LIVE
    period = arguments.number("period")
    if period is not None:
        if period < 0:
            raise CommandFailed(f"Invalid collection period value '{period}'")
        with failing("Unable to change balloon collection period."):
            client.call("DOMAIN_SET_MEMORY_STATS_PERIOD", domain, period, flags)
        return
    with failing(f"Failed to get memory statistics for domain {name}"):
        values = client.call("DOMAIN_MEMORY_STATS", domain, statistics.MEMORY_STAT_NR, 0)[0]
    for tag, value in values:
        if tag in _MEMORY:
            shell.write(f"{_MEMORY[tag]} {value}\n")


def _is_active(shell: Shell, domain: Domain) -> bool:
    try:
        return bool(shell.client.call("DOMAIN_IS_ACTIVE", domain)[0])
    except RoostError:
        return False


def _domstats(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.params import show

    groups = arguments.flags(_GROUPS)
    flags = arguments.flags(_SELECTIONS + _MODES)
    domains = [shell.find_domain(name) for name in arguments.rest()]
    records = shell.client.call("CONNECT_GET_ALL_DOMAIN_STATS", domains, groups, flags)[0]
    blocks = [
        f"Domain: '{domain.name}'\n" + "".join(f"  {param.field}={show(param)}\n" for param in params)
        for domain, params in records
    ]
    shell.write("\n".join(blocks))


COMMANDS = (
    Command(
        "domcontrol",
        _domcontrol,
        "whether a domain can be controlled",
        "Says whether the connection to the hypervisor process is free, busy or broken.",
        domain_argument("active_domains"),
    ),
    Command(
        "dominfo",
        _dominfo,
        "the main facts about a domain",
        "State, processors, memory, and how the domain is kept.",
        domain_argument(),
    ),
    Command(
        "dommemstat",
        _dommemstat,
        "memory statistics of a domain",
        "What the balloon driver and the host know, in KiB. With --period, sets how often\n"
        "the balloon driver reports instead.",
        domain_argument("active_domains"),
        Option("period", NUMBER, "seconds between two reports of the balloon driver", required=False, named_only=True),
        *config_live_current(),
    ),
    Command(
        "domstate",
        _domstate,
        "the state of a domain",
        "",
        domain_argument(),
        flag("reason", "say also what brought it there"),
    ),
    Command(
        "domstats",
        _domstats,
        "statistics of domains",
        "All groups of all domains, unless options choose.",
        *(flag(name, text) for name, _, text in _GROUPS),
        *(flag(name, text) for name, _, text in _SELECTIONS),
        flag("raw", "print values as the daemon sends them, which is the default"),
        *(flag(name, text) for name, _, text in _MODES),
        Option("domain", REST, "the domains to ask about", completes="domains"),
    ),
)
