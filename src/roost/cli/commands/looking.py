"""Looking at a running guest: its screen, and how fast it writes to its memory."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import NUMBER, TEXT, Command, Option, domain_argument
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.streams import Stream

_SUFFIXES = {"image/x-portable-pixmap": ".ppm", "image/png": ".png"}
_MODES = {
    "page-sampling": constants.DIRTYRATE_MODE_PAGE_SAMPLING,
    "dirty-bitmap": constants.DIRTYRATE_MODE_DIRTY_BITMAP,
    "dirty-ring": constants.DIRTYRATE_MODE_DIRTY_RING,
}


def _screenshot(shell: Shell, arguments: Arguments) -> None:
    name, path = arguments.required("domain"), arguments.text("file")
    screen = arguments.number("screen", 0) or 0
    domain = shell.domain(arguments)
    with failing(f"could not take a screenshot of {name}"):
        stream = shell.client.open_stream("DOMAIN_SCREENSHOT", domain, screen, 0)
    (mime,) = stream.answer
    if path is None:
        from time import strftime

        path = f"{domain.name}-{strftime('%Y-%m-%d-%H:%M:%S')}{_SUFFIXES.get(mime, '')}"
    _store(stream, path, name)
    shell.extra(f"Screenshot saved to {path}, with type of {mime}")


def _store(stream: Stream, path: str, name: str) -> None:
    import os

    is_new = not os.path.lexists(path)
    try:
        try:
            file = open(path, "wb")  # noqa: SIM115 - closed below
        except OSError:
            stream.abort()
            raise CommandFailed(f"cannot create file {path}") from None
        with file, failing(f"could not receive data from domain '{name}'"):
            while data := stream.read():
                file.write(data)
        with failing(f"cannot close stream on domain '{name}'"):
            stream.finish()
    except BaseException:
        if is_new and os.path.lexists(path):
            os.unlink(path)
        raise


def _domdirtyrate_calc(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    seconds = arguments.number("seconds")
    mode = arguments.text("mode")
    if mode is not None and mode not in _MODES:
        raise CommandFailed(f"Unknown calculation mode '{mode}'")
    flags = _MODES[mode] if mode is not None else 0
    shell.client.call("DOMAIN_START_DIRTY_RATE_CALC", domain, 1 if seconds is None else seconds, flags)
    shell.extra("Start to calculate domain's memory dirty rate successfully.\n")


COMMANDS = (
    Command(
        "domdirtyrate-calc",
        _domdirtyrate_calc,
        "measure how fast a domain writes to its memory",
        "The result is shown by domstats --dirtyrate.",
        domain_argument("active_domains"),
        Option("seconds", NUMBER, "how long to measure, 1 by default"),
        Option("mode", TEXT, "how: page-sampling, dirty-bitmap or dirty-ring"),
    ),
    Command(
        "screenshot",
        _screenshot,
        "a picture of a domain's screen",
        "",
        domain_argument("active_domains"),
        Option("file", TEXT, "where to put it; a name is made of the domain's and the time", completes="files"),
        Option("screen", NUMBER, "which screen, 0 by default"),
    ),
)
