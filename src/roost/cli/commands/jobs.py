"""Long changes of a domain: how far they have come, and ending them."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.params import show
from roost.cli.scale import show_size
from roost.cli.table import Command, domain_argument, flag
from roost.constants import domain as constants
from roost.constants import jobs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_TYPES = ("None", "Bounded", "Unbounded", "Completed", "Failed", "Cancelled")


def _speed(value: int) -> str:
    return f"{show_size(value)}/s"


def _unit(word: str, width: int = 12) -> Callable[[int], str]:
    return lambda value: f"{value:<{width}} {word}"


def _count(value: int) -> str:
    return f"{value:<12}"


def _long_count(value: int) -> str:
    return f"{value:<13}"


#: (field, label, how it is shown, whether 0 is left out), after the three amounts that are shown only together.
_MEMORY = (
    (jobs.MEMORY_BPS, "Memory bandwidth:", _speed, True),
    (jobs.MEMORY_DIRTY_RATE, "Dirty rate:", _unit("pages/s"), False),
    (jobs.MEMORY_PAGE_SIZE, "Page size:", _unit("bytes"), False),
    (jobs.MEMORY_ITERATION, "Iteration:", _count, False),
    (jobs.MEMORY_POSTCOPY_REQS, "Postcopy requests:", _count, False),
)
_FILES = ((jobs.DISK_BPS, "File bandwidth:", _speed, True),)
_AMOUNTS = (
    ("Data", (jobs.DATA_PROCESSED, jobs.DATA_REMAINING, jobs.DATA_TOTAL), ()),
    ("Memory", (jobs.MEMORY_PROCESSED, jobs.MEMORY_REMAINING, jobs.MEMORY_TOTAL), _MEMORY),
    ("File", (jobs.DISK_PROCESSED, jobs.DISK_REMAINING, jobs.DISK_TOTAL), _FILES),
)
_REST = (
    (jobs.MEMORY_CONSTANT, "Constant pages:", _count),
    (jobs.MEMORY_NORMAL, "Normal pages:", _count),
    (jobs.MEMORY_NORMAL_BYTES, "Normal data:", show_size),
    (jobs.DOWNTIME, "downtime:", _unit("ms")),
    (jobs.DOWNTIME_NET, "Downtime w/o network:", _unit("ms")),
    (jobs.SETUP_TIME, "Setup time:", _unit("ms")),
    (jobs.COMPRESSION_CACHE, "Compression cache:", show_size),
    (jobs.COMPRESSION_BYTES, "Compressed data:", show_size),
    (jobs.COMPRESSION_PAGES, "Compressed pages:", _long_count),
    (jobs.COMPRESSION_CACHE_MISSES, "Compression cache misses:", _long_count),
    (jobs.COMPRESSION_OVERFLOW, "Compression overflows:", _long_count),
    (jobs.AUTO_CONVERGE_THROTTLE, "Auto converge throttle:", _long_count),
    (jobs.DISK_TEMP_USED, "Temporary disk space use:", show_size),
    (jobs.DISK_TEMP_TOTAL, "Temporary disk space total:", show_size),
    (jobs.ERRMSG, "Error message:", str),
)


def _domjobinfo(shell: Shell, arguments: Arguments) -> None:
    if arguments.has("keep-completed") and not arguments.has("completed"):
        raise CommandFailed("Option --completed is required by option --keep-completed")
    domain = shell.domain(arguments)
    flags = jobs.STATS_COMPLETED * arguments.has("completed")
    flags |= jobs.STATS_KEEP_COMPLETED * arguments.has("keep-completed")
    kind, parameters = shell.client.call("DOMAIN_GET_JOB_STATS", domain, flags)
    if arguments.has("rawstats"):
        shell.write(f"Job type: {kind}\n\n")
        for parameter in parameters:
            shell.write(f"{parameter.field}: {show(parameter)}\n")
        return
    _line(shell, "Job type:", f"{_TYPES[kind] if kind < len(_TYPES) else 'unknown':<12}")
    if kind == jobs.NONE:
        return
    values = {parameter.field: parameter.value[1] for parameter in parameters}
    operation = values.get(jobs.OPERATION, jobs.OPERATION_UNKNOWN)
    names = jobs.OPERATION_NAMES
    _line(shell, "Operation:", f"{names[operation] if operation < len(names) else 'unknown':<12}")
    running = kind in (jobs.BOUNDED, jobs.UNBOUNDED)
    if arguments.has("anystats") or running or (flags and kind == jobs.COMPLETED):
        _statistics(shell, kind, values)


def _statistics(shell: Shell, kind: int, values: dict[str, Any]) -> None:
    milliseconds = _unit("ms")
    _line(shell, "Time elapsed:", milliseconds(values.get(jobs.TIME_ELAPSED, 0)))
    if jobs.TIME_ELAPSED_NET in values:
        _line(shell, "Time elapsed w/o network:", milliseconds(values[jobs.TIME_ELAPSED_NET]))
    if kind == jobs.BOUNDED:
        _line(shell, "Time remaining:", milliseconds(values.get(jobs.TIME_REMAINING, 0)))
    for label, amounts, details in _AMOUNTS:
        found = [values.get(field, 0) for field in amounts]
        if any(found):
            for what, value in zip(("processed", "remaining", "total"), found, strict=True):
                _line(shell, f"{label} {what}:", show_size(value))
            for field, words, format, hides_zero in details:
                if field in values and not (hides_zero and not values[field]):
                    _line(shell, words, format(values[field]))
    for field, words, format in _REST:
        if field in values:
            if field == jobs.DOWNTIME:
                words = f"{'Total' if kind == jobs.COMPLETED else 'Expected'} {words}"
            _line(shell, words, format(values[field]))


def _line(shell: Shell, label: str, value: str) -> None:
    shell.write(f"{label:<17} {value}\n")


def _domjobabort(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    if arguments.has("postcopy"):
        shell.client.call("DOMAIN_ABORT_JOB_FLAGS", domain, constants.ABORT_JOB_POSTCOPY)
    else:
        shell.client.call("DOMAIN_ABORT_JOB", domain)


COMMANDS = (
    Command(
        "domjobabort",
        _domjobabort,
        "end the job that runs on a domain",
        "The domain goes on.",
        domain_argument("active_domains"),
        flag("postcopy", "end a migration that is in post-copy mode: it can be taken up again"),
    ),
    Command(
        "domjobinfo",
        _domjobinfo,
        "what the job that runs on a domain is doing",
        "",
        domain_argument(),
        flag("completed", "of the last job that came to its end"),
        flag("keep-completed", "and do not forget it"),
        flag("anystats", "show what there is of any kind of job"),
        flag("rawstats", "show the statistics as they come"),
    ),
)
