"""Names, ids and UUIDs of domains."""

from __future__ import annotations

from roost.cli.shell import BY_ID, BY_NAME, BY_UUID, format_uuid
from roost.cli.table import DATA, Command, Option, domain_argument

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def _domid(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments, BY_NAME | BY_UUID)
    shell.write("-\n" if domain.id == -1 else f"{domain.id}\n")


def _domname(shell: Shell, arguments: Arguments) -> None:
    shell.write(shell.domain(arguments, BY_ID | BY_UUID).name + "\n")


def _domuuid(shell: Shell, arguments: Arguments) -> None:
    shell.write(format_uuid(shell.domain(arguments, BY_NAME | BY_ID).uuid) + "\n")


def _domrename(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    shell.client.call("DOMAIN_RENAME", domain, arguments.required("new-name"), 0)
    shell.extra("Domain successfully renamed\n")


def _domain(help: str, completes: str) -> Option:
    return Option("domain", DATA, help, required=True, completes=completes)


COMMANDS = (
    Command("domid", _domid, "the id of a domain", "", _domain("name or UUID of the domain", "active_domains")),
    Command("domname", _domname, "the name of a domain", "", _domain("id or UUID of the domain", "domain_uuids")),
    Command(
        "domrename",
        _domrename,
        "give a domain another name",
        "The domain must not be running.",
        domain_argument("inactive_domains"),
        Option("new-name", DATA, "the new name", required=True),
    ),
    Command("domuuid", _domuuid, "the UUID of a domain", "", _domain("name or id of the domain", "domains")),
)
