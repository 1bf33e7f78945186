"""`list`: the domains."""

from __future__ import annotations

from roost.cli.failure import failing
from roost.cli.names import STATES
from roost.cli.shell import format_uuid
from roost.cli.table import Command, flag
from roost.constants import domain as constants
from roost.errors import NoSupport, RoostError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.client.records import Domain

_FILTERS = (
    ("transient", constants.LIST_DOMAINS_TRANSIENT, "only domains without a persistent configuration"),
    ("persistent", constants.LIST_DOMAINS_PERSISTENT, "only domains with a persistent configuration"),
    ("with-snapshot", constants.LIST_DOMAINS_HAS_SNAPSHOT, "only domains with a snapshot"),
    ("without-snapshot", constants.LIST_DOMAINS_NO_SNAPSHOT, "only domains without a snapshot"),
    ("with-checkpoint", constants.LIST_DOMAINS_HAS_CHECKPOINT, "only domains with a checkpoint"),
    ("without-checkpoint", constants.LIST_DOMAINS_NO_CHECKPOINT, "only domains without a checkpoint"),
    ("state-running", constants.LIST_DOMAINS_RUNNING, "only running domains"),
    ("state-paused", constants.LIST_DOMAINS_PAUSED, "only paused domains"),
    ("state-shutoff", constants.LIST_DOMAINS_SHUTOFF, "only domains that are shut off"),
    ("state-other", constants.LIST_DOMAINS_OTHER, "only domains in any other state"),
    ("autostart", constants.LIST_DOMAINS_AUTOSTART, "only domains that start with the host"),
    ("no-autostart", constants.LIST_DOMAINS_NO_AUTOSTART, "only domains that do not start with the host"),
    ("with-managed-save", constants.LIST_DOMAINS_MANAGEDSAVE, "only domains with a managed save image"),
    ("without-managed-save", constants.LIST_DOMAINS_NO_MANAGEDSAVE, "only domains without a managed save image"),
)
_BOTH = constants.LIST_DOMAINS_ACTIVE | constants.LIST_DOMAINS_INACTIVE


def _list(shell: Shell, arguments: Arguments) -> None:
    flags = constants.LIST_DOMAINS_ACTIVE
    if arguments.has("inactive") or arguments.has("state-shutoff"):
        flags = constants.LIST_DOMAINS_INACTIVE
    if arguments.has("all"):
        flags = _BOTH
    flags |= arguments.flags(_FILTERS)
    arguments.exclude(("table", "name"), ("table", "uuid"), ("table", "id"))
    domains = sorted(_collect(shell, flags), key=_order)
    if arguments.has("uuid") or arguments.has("name") or arguments.has("id"):
        _print_lines(shell, arguments, domains)
    else:
        _print_table(shell, arguments, domains)


def _collect(shell: Shell, flags: int) -> list[Domain]:
    with failing("Failed to list domains"):
        return list(shell.client.call("CONNECT_LIST_ALL_DOMAINS", 1, flags)[0])


def _order(domain: Domain) -> tuple[bool, int, bytes]:
    """Running domains by id, then the others by name, as strcasecmp compares them."""
    active = domain.id != -1
    return not active, domain.id, b"" if active else domain.name.encode("utf-8", "surrogateescape").lower()


def _print_table(shell: Shell, arguments: Arguments, domains: list[Domain]) -> None:
    client = shell.client
    rows: list[list[str]] = []
    states = client.call_each("DOMAIN_GET_STATE", [(domain, 0) for domain in domains])
    if any(isinstance(answer, NoSupport) for answer in states):
        states = client.call_each("DOMAIN_GET_INFO", [(domain,) for domain in domains])
    for domain, answer in zip(domains, states, strict=True):
        if isinstance(answer, RoostError):
            continue  # It went away since the list was made.
        state = answer[0]
        shown = STATES.get(state, "no state")
        if (
            arguments.has("managed-save")
            and state == constants.SHUTOFF
            and client.call("DOMAIN_HAS_MANAGED_SAVE_IMAGE", domain, 0)[0] > 0
        ):
            shown = "saved"
        row = ["-" if domain.id == -1 else str(domain.id), domain.name, shown]
        if arguments.has("title"):
            from roost.cli.descriptions import describe

            row.append(describe(shell, domain, title=True))
        rows.append(row)
    shell.table(["Id", "Name", "State"] + ["Title"] * arguments.has("title"), rows)


def _print_lines(shell: Shell, arguments: Arguments, domains: list[Domain]) -> None:
    only_ids = not arguments.has("uuid") and not arguments.has("name")
    for domain in domains:
        words: list[str] = []
        if arguments.has("uuid"):
            words.append(format_uuid(domain.uuid))
        if arguments.has("id"):
            if domain.id == -1 and only_ids:
                continue
            words.append("-" if domain.id == -1 else str(domain.id))
        if arguments.has("name"):
            words.append(domain.name)
        shell.write(" ".join(words) + "\n")


COMMANDS = (
    Command(
        "list",
        _list,
        "list domains",
        "Running domains, unless options say otherwise. Filters of one kind add up,\n"
        "filters of different kinds must all match.",
        flag("inactive", "domains that are not running instead"),
        flag("all", "domains that are not running as well"),
        *(flag(name, text) for name, _, text in _FILTERS),
        flag("uuid", "print only UUIDs"),
        flag("name", "print only names"),
        flag("id", "print only ids"),
        flag("table", "print a table, which is the default"),
        flag("managed-save", "show domains with a managed save image as 'saved'"),
        flag("title", "show the titles of the domains"),
    ),
)
