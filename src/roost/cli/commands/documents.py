"""The XML of domains, and what is edited in it by hand."""

from __future__ import annotations

from roost.cli.descriptions import describe
from roost.cli.failure import CommandFailed, failing
from roost.cli.table import DATA, PARTS, REST, TEXT, Command, Option, config_live_current, domain_argument, flag
from roost.constants import domain as constants
from roost.errors import NoDomainMetadata

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


_DUMP_FLAGS = (
    ("inactive", constants.XML_INACTIVE),
    ("security-info", constants.XML_SECURE),
    ("update-cpu", constants.XML_UPDATE_CPU),
    ("migratable", constants.XML_MIGRATABLE),
)


def _dumpxml(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    arguments.exclude(("json", "xpath"))
    text = shell.xml(domain, arguments.flags(_DUMP_FLAGS))
    if arguments.has("json"):
        from roost.model.documents import document_type, json_of

        shell.write(json_of(text, document_type("domain")))
    else:
        from roost.cli.xpath import show

        show(shell, arguments, text)


def _edit(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.editor import edit

    domain = shell.domain(arguments)
    client = shell.client
    validate = not arguments.has("skip-validate")

    def define(text: str, *, relaxed: bool) -> str:
        flags = constants.DEFINE_VALIDATE if validate and not relaxed else 0
        name: str = client.call("DOMAIN_DEFINE_XML_FLAGS", text, flags)[0].name
        return name

    name = edit(
        shell,
        read=lambda: shell.xml(domain, constants.XML_SECURE | constants.XML_INACTIVE),
        write=define,
        can_relax=True,
    )
    if name is None:
        shell.extra(f"Domain '{domain.name}' XML configuration not changed.\n")
    else:
        shell.extra(f"Domain '{name}' XML configuration edited.\n")


def _affected(arguments: Arguments) -> int:
    arguments.exclude(("current", "live"), ("current", "config"))
    return constants.AFFECT_CONFIG * arguments.has("config") | constants.AFFECT_LIVE * arguments.has("live")


def _desc(shell: Shell, arguments: Arguments) -> None:
    flags = _affected(arguments)
    domain = shell.domain(arguments)
    title = arguments.has("title")
    what = "title" if title else "description"
    words = arguments.rest()
    if not arguments.has("edit") and not words:
        text = describe(shell, domain, title=title, flags=flags & constants.AFFECT_CONFIG)
        if text:
            shell.write(text)
        else:
            shell.extra(f"No {what} for domain: {domain.name}")
        return
    new = " ".join(words)
    if arguments.has("edit"):
        from roost.cli.editor import edit_once

        old = describe(shell, domain, title=title, flags=flags & constants.AFFECT_CONFIG)
        new = edit_once(new or old)
        if title:
            new = new.removesuffix("\n")
        if new == old:
            shell.extra(f"Domain {what} not changed\n")
            return
    kind = constants.METADATA_TITLE if title else constants.METADATA_DESCRIPTION
    with failing(f"Failed to set new domain {what}"):
        shell.client.call("DOMAIN_SET_METADATA", domain, kind, new, None, None, flags)
    shell.extra(f"Domain {what} updated successfully")


def _metadata(shell: Shell, arguments: Arguments) -> None:
    flags = _affected(arguments)
    arguments.exclude(("edit", "set"), ("remove", "set"), ("remove", "edit"))
    domain = shell.domain(arguments)
    uri, key, new = arguments.required("uri"), arguments.text("key"), arguments.text("set")
    client = shell.client

    def read() -> str:
        text: str = client.call("DOMAIN_GET_METADATA", domain, constants.METADATA_ELEMENT, uri, flags)[0]
        return text

    def write(text: str | None, *, relaxed: bool = False) -> str:
        client.call("DOMAIN_SET_METADATA", domain, constants.METADATA_ELEMENT, text, key, uri, flags)
        return ""

    if (new is not None or arguments.has("edit")) and key is None:
        raise CommandFailed("namespace key is required when modifying metadata")
    if new is not None or arguments.has("remove"):
        write(new)
        shell.extra("Metadata removed\n" if arguments.has("remove") else "Metadata modified\n")
    elif arguments.has("edit"):
        from roost.cli.editor import edit

        def read_or_begin() -> str:
            try:
                return read()
            except NoDomainMetadata:
                return "\n"

        changed = edit(shell, read=read_or_begin, write=write, can_relax=False)
        shell.extra("Metadata not changed" if changed is None else "Metadata modified\n")
    else:
        shell.write(read() + "\n")


_CONFIG, _LIVE, _CURRENT = config_live_current("use")
_AFFECTED = (_LIVE, _CONFIG, _CURRENT)

COMMANDS = (
    Command(
        "desc",
        _desc,
        "the description or title of a domain",
        "Prints it, or with words or --edit changes it.",
        domain_argument(),
        *_AFFECTED,
        flag("title", "the title instead of the description"),
        flag("edit", "open an editor"),
        Option("new-desc", REST, "the new text"),
    ),
    Command(
        "dumpxml",
        _dumpxml,
        "a domain as XML",
        "The running domain's, if it runs, else the configuration.",
        domain_argument(),
        flag("inactive", "the configuration used at the next start"),
        flag("security-info", "with passwords and keys"),
        flag("update-cpu", "with the processor model the host makes of it"),
        flag("migratable", "as another, perhaps older, host would take it"),
        *PARTS,
        flag("json", "as JSON, with the same fields; `define` takes it too"),
    ),
    Command(
        "edit",
        _edit,
        "edit the configuration of a domain",
        "Opens $VISUAL or $EDITOR. What is saved takes effect at the next start.",
        domain_argument(),
        flag("skip-validate", "accept what the schema does not know"),
    ),
    Command(
        "metadata",
        _metadata,
        "the custom metadata of a domain",
        "XML that programs keep with a domain, by the URI of its namespace.",
        domain_argument(),
        Option("uri", DATA, "the URI of the namespace", required=True),
        *_AFFECTED,
        flag("edit", "open an editor"),
        Option("key", TEXT, "the prefix of the namespace, when changing it"),
        Option("set", TEXT, "the new XML"),
        flag("remove", "remove it"),
    ),
)
