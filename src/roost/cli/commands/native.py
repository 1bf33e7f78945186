"""Domain documents as the hypervisor's own configuration, and back."""

from __future__ import annotations

from roost.cli.failure import CommandFailed
from roost.cli.shell import read_document
from roost.cli.table import DATA, TEXT, Command, Option

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


def _to_native(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("domain", "xml"))
    path = arguments.text("xml")
    if arguments.has("domain"):
        document = shell.xml(shell.domain(arguments))
    elif path is not None:
        document = read_document(path)
    else:
        raise CommandFailed("need either domain or domain XML")
    format = arguments.required("format")
    shell.write(shell.client.call("CONNECT_DOMAIN_XML_TO_NATIVE", format, document, 0)[0])


def _from_native(shell: Shell, arguments: Arguments) -> None:
    config = read_document(arguments.required("config"))
    shell.write(shell.client.call("CONNECT_DOMAIN_XML_FROM_NATIVE", arguments.required("format"), config, 0)[0])


COMMANDS = (
    Command(
        "domxml-from-native",
        _from_native,
        "the XML of a domain that a command line describes",
        "Reads a QEMU command line, as a script has it, and prints the domain to define. Options without an element of"
        " their own are kept in <qemu:commandline>.",
        Option("format", DATA, "the kind of configuration: qemu-argv", required=True),
        Option("config", DATA, "the file that has it", required=True),
    ),
    Command(
        "domxml-to-native",
        _to_native,
        "the command line that a domain's XML means",
        "Prints how QEMU would be started. Nothing is acquired or started.",
        Option("format", DATA, "the kind of configuration: qemu-argv", required=True),
        Option("domain", TEXT, "a domain that is defined, by name, id or UUID", named_only=True, completes="domains"),
        Option("xml", TEXT, "a file with the domain's XML", named_only=True),
    ),
)
