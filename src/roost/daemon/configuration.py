"""`roostd.conf`: libvirtd.conf's syntax and, where they mean the same, its keys."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from roost.errors import ConfSyntax, From

#: libvirtd's keys that have no meaning here, and why.
NOT_NEEDED: Mapping[str, str] = {
    **dict.fromkeys(
        ("min_workers", "max_workers", "prio_workers", "admin_min_workers", "admin_max_workers"),
        "there are no worker threads to count",
    ),
    "keepalive_required": "clients that do not ask for keepalive are never pinged",
    "admin_keepalive_required": "clients that do not ask for keepalive are never pinged",
}


class Configuration(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The file's keys with their defaults.

    *_perms: octal, as text; empty for what suits authentication and the daemon's user.
    unix_sock_dir: where the sockets are; empty for the run directory.
    log_level: 1 debug, 2 information, 3 warnings, 4 errors. log_file: empty
    for standard error, or for log/roostd.log in the background.
    busy_poll: microseconds; see roost.rpc.attention.
    event_loop: "auto" takes uvloop where it is installed.
    libvirt_sock_dir: where `--libvirt-sockets` puts its sockets; empty for libvirt's own directory.
    """

    unix_sock_group: str = ""
    unix_sock_ro_perms: str = ""
    unix_sock_rw_perms: str = ""
    unix_sock_admin_perms: str = "0700"
    unix_sock_dir: str = ""
    libvirt_sock_dir: str = ""
    auth_unix_ro: str = "none"
    auth_unix_rw: str = "none"
    max_clients: int = 5000
    max_queued_clients: int = 1000
    max_anonymous_clients: int = 20
    max_client_requests: int = 5
    keepalive_interval: int = 5
    keepalive_count: int = 5
    busy_poll: int = 100
    admin_max_clients: int = 5000
    admin_max_queued_clients: int = 20
    admin_max_client_requests: int = 5
    admin_keepalive_interval: int = 5
    admin_keepalive_count: int = 5
    log_level: int = 2
    log_file: str = ""
    event_loop: str = "auto"


_CHOICES: Mapping[str, tuple[str, ...]] = {
    "auth_unix_ro": ("none", "polkit"),
    "auth_unix_rw": ("none", "polkit"),
    "event_loop": ("auto", "uvloop", "asyncio"),
}

_RANGES: Mapping[str, tuple[int, int]] = {
    "log_level": (1, 4),
    "max_clients": (1, 1_000_000),
    "max_queued_clients": (1, 65535),
    "max_anonymous_clients": (1, 1_000_000),
    "max_client_requests": (1, 10_000),
    "keepalive_interval": (-1, 86400),
    "keepalive_count": (0, 10_000),
    "busy_poll": (0, 1000),
}

_ENTRY = re.compile(
    r"""
    \s* (?P<key> [A-Za-z_][A-Za-z0-9_]* ) \s* = \s*
    (?: (?P<number> -?[0-9]+ ) | "(?P<double> [^"\n]* )" | '(?P<single> [^'\n]* )' )
    \s* (?: \#.* )? $
    """,
    re.VERBOSE,
)


def load(path: Path, *, required: bool) -> Configuration:
    """Raises ConfSyntax with file and line; a missing file means the defaults unless `required`."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        if required:
            raise ConfSyntax(f"{path}: no such file", domain=From.CONF) from None
        return Configuration()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfSyntax(f"{path}: {error}", domain=From.CONF) from error
    return parse(text, str(path))


def parse(text: str, name: str) -> Configuration:
    """name: what to call the file in errors."""
    values: dict[str, str | int] = {}
    for line_number, line in enumerate(text.splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        where = f"{name}:{line_number}"
        match = _ENTRY.match(line)
        if match is None:
            raise ConfSyntax(
                f"{where}: cannot read '{line.strip()}'",
                domain=From.CONF,
                hint='a line is key = number or key = "text"',
            )
        key = match["key"]
        value: str | int = (
            int(match["number"]) if match["number"] is not None else match["double"] or match["single"] or ""
        )
        _check(where, key, value)
        if key in values:
            raise ConfSyntax(f"{where}: {key} is set a second time", domain=From.CONF)
        values[key] = value
    return msgspec.convert(values, Configuration)


def _check(where: str, key: str, value: str | int) -> None:
    if key in NOT_NEEDED:
        raise ConfSyntax(f"{where}: {key} has no meaning here: {NOT_NEEDED[key]}", domain=From.CONF, hint="remove it")
    known = {field.name: field for field in msgspec.structs.fields(Configuration)}
    if key not in known:
        raise ConfSyntax(f"{where}: unknown key '{key}'", domain=From.CONF, hint=_similar(key, list(known)))
    if not isinstance(value, type(known[key].default)):
        wanted = "a number" if isinstance(known[key].default, int) else "text in quotes"
        raise ConfSyntax(f"{where}: {key} must be {wanted}", domain=From.CONF)
    if isinstance(value, str):
        if key in _CHOICES and value not in _CHOICES[key]:
            raise ConfSyntax(f"{where}: {key} must be one of {', '.join(_CHOICES[key])}", domain=From.CONF)
        if key.endswith("_perms") and value != known[key].default and not re.fullmatch(r"0?[0-7]{3}", value):
            raise ConfSyntax(f'{where}: {key} must be an octal mode such as "0770"', domain=From.CONF)
        return
    low, high = _RANGES.get(key.removeprefix("admin_"), (value, value))
    if not low <= value <= high:
        raise ConfSyntax(f"{where}: {key} must be from {low} to {high}", domain=From.CONF)


def _similar(key: str, known: list[str]) -> str:
    from difflib import get_close_matches  # start-up: only a mistake needs it

    close = get_close_matches(key, known, 1)
    return f"did you mean '{close[0]}'?" if close else f"known keys: {', '.join(sorted(known))}"
