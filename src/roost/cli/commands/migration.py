"""What bounds the way of a domain to another host."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.scale import show_size
from roost.cli.table import NUMBER, Command, Option, domain_argument, flag
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_LLONG_MIN, _LLONG_MAX, _ULLONG_MAX = -(2**63), 2**63 - 1, 2**64 - 1


def _migrate_setmaxdowntime(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    downtime = arguments.number("downtime", _LLONG_MIN, _LLONG_MAX)
    if downtime is None or downtime < 1:
        raise CommandFailed("migrate: Invalid downtime")
    shell.client.call("DOMAIN_MIGRATE_SET_MAX_DOWNTIME", domain, downtime, 0)


def _migrate_getmaxdowntime(shell: Shell, arguments: Arguments) -> None:
    shell.write(f"{shell.client.call('DOMAIN_MIGRATE_GET_MAX_DOWNTIME', shell.domain(arguments), 0)[0]}\n")


def _migrate_compcache(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    size = arguments.number("size", 0, _ULLONG_MAX)
    if size is not None:
        shell.client.call("DOMAIN_MIGRATE_SET_COMPRESSION_CACHE", domain, size, 0)
    size = shell.client.call("DOMAIN_MIGRATE_GET_COMPRESSION_CACHE", domain, 0)[0]
    shell.write(f"Compression cache: {show_size(size)}\n")


def _migrate_setspeed(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    bandwidth = arguments.number("bandwidth", 0, _ULLONG_MAX)
    shell.client.call("DOMAIN_MIGRATE_SET_MAX_SPEED", domain, bandwidth, _postcopy(arguments))


def _migrate_getspeed(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    shell.write(f"{shell.client.call('DOMAIN_MIGRATE_GET_MAX_SPEED', domain, _postcopy(arguments))[0]}\n")


def _postcopy(arguments: Arguments) -> int:
    return constants.MIGRATE_MAX_SPEED_POSTCOPY * arguments.has("postcopy")


def _migrate_postcopy(shell: Shell, arguments: Arguments) -> None:
    shell.client.call("DOMAIN_MIGRATE_START_POST_COPY", shell.domain(arguments), 0)


COMMANDS = (
    Command(
        "migrate-compcache",
        _migrate_compcache,
        "show or change the size of the cache of compressed migration",
        "In the cache are pages as they were sent, so that only what has changed of them is sent again.",
        domain_argument("active_domains"),
        Option("size", NUMBER, "bytes, a power of two, of a page at least", named_only=True),
    ),
    Command(
        "migrate-getmaxdowntime",
        _migrate_getmaxdowntime,
        "how long a migration may stop the domain",
        "In milliseconds.",
        domain_argument("active_domains"),
    ),
    Command(
        "migrate-getspeed",
        _migrate_getspeed,
        "how much of a domain a migration may send a second",
        "In MiB.",
        domain_argument(),
        flag("postcopy", "once the domain runs over there"),
    ),
    Command(
        "migrate-postcopy",
        _migrate_postcopy,
        "have a domain that is being migrated go on over there at once",
        "What it needs of its memory follows. The migration must have been started with --postcopy.",
        domain_argument("active_domains"),
    ),
    Command(
        "migrate-setmaxdowntime",
        _migrate_setmaxdowntime,
        "bound how long a migration may stop the domain",
        "",
        domain_argument("active_domains"),
        Option("downtime", NUMBER, "milliseconds", required=True),
    ),
    Command(
        "migrate-setspeed",
        _migrate_setspeed,
        "bound how much of a domain a migration may send a second",
        "Of a domain that does not run, too: the daemon keeps it for its next migration.",
        domain_argument(),
        Option("bandwidth", NUMBER, "MiB a second", required=True),
        flag("postcopy", "once the domain runs over there"),
    ),
)
