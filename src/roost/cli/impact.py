"""--persistent, --config, --live and --current: which of a domain's two documents a command is about."""

from __future__ import annotations

from roost.cli.table import config_live_current, flag
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

#: The options of commands that had --persistent before the others came.
OPTIONS = (flag("persistent", "make live change persistent"), *config_live_current())


def check(arguments: Arguments) -> None:
    """Raises CommandFailed for options that exclude each other."""
    arguments.exclude(("persistent", "current"), ("current", "live"), ("current", "config"))


def flags_of(arguments: Arguments) -> int:
    """What the options say by themselves."""
    config = arguments.has("config") or arguments.has("persistent")
    return constants.AFFECT_CONFIG * config | constants.AFFECT_LIVE * arguments.has("live")


def flags_for(shell: Shell, arguments: Arguments, domain: Domain) -> int:
    """The same for a domain: --persistent is about the running domain too, if it runs."""
    flags = flags_of(arguments)
    if arguments.has("persistent") and shell.client.call("DOMAIN_IS_ACTIVE", domain)[0] == 1:
        flags |= constants.AFFECT_LIVE
    return flags


def change(shell: Shell, arguments: Arguments, domain: Domain, call: str, xml: str, flags: int) -> None:
    """call: DOMAIN_ATTACH_DEVICE or DOMAIN_DETACH_DEVICE; without options the older one, for daemons as old."""
    if flags or arguments.has("current"):
        shell.client.call(f"{call}_FLAGS", domain, xml, flags)
    else:
        shell.client.call(call, domain, xml)
