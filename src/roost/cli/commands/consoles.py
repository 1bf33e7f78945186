"""Ways to a domain's consoles and displays."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import TEXT, Command, Option, domain_argument, flag
from roost.cli.xmltree import parse
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.xmltree import Element
    from roost.client.records import Domain

_SCHEMES = ("vnc", "spice", "rdp", "dbus")
_ANY_ADDRESS = ("0.0.0.0", "::")
_VNC_BASE = 5900


def _console(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.console import attach

    domain = shell.domain(arguments)
    device = arguments.text("devname")
    flags = constants.CONSOLE_FORCE * arguments.has("force") | constants.CONSOLE_SAFE * arguments.has("safe")
    attach(shell, domain, device, flags)


def _document(shell: Shell, domain: Domain, flags: int = 0) -> Element:
    with failing("Failed to get domain description xml"):
        return parse(shell.xml(domain, flags))


def _ttyconsole(shell: Shell, arguments: Arguments) -> None:
    tty = _document(shell, shell.domain(arguments)).attribute("devices/console", "tty")
    if tty is None:
        raise CommandFailed
    shell.write(tty + "\n")


def _running_document(shell: Shell, arguments: Arguments, flags: int = 0) -> Element:
    domain = shell.domain(arguments)
    if not shell.client.call("DOMAIN_IS_ACTIVE", domain)[0]:
        raise CommandFailed("Domain is not running")
    return _document(shell, domain, flags)


def _graphics(document: Element, kind: str) -> list[Element]:
    return [element for element in document.all("devices/graphics") if element.attributes.get("type") == kind]


def _number(elements: list[Element], name: str) -> int | None:
    for element in elements:
        if name in element.attributes:
            try:
                return int(element.attributes[name])
            except ValueError:
                return None
    return None


def _text(elements: list[Element], path: str, name: str) -> str | None:
    return next((value for element in elements if (value := element.attribute(path, name)) is not None), None)


def _vncdisplay(shell: Shell, arguments: Arguments) -> None:
    displays = _graphics(_running_document(shell, arguments), "vnc")
    port = _number(displays, "port")
    if port is None:
        raise CommandFailed("Failed to get VNC port. Is this domain using VNC?")
    address = _text(displays, "", "listen")
    if address is None:
        address = _text(displays, "listen", "address")
    shown = "" if address is None or address == "0.0.0.0" else address
    shell.write(f"{shown}:{port - _VNC_BASE}\n")


def _domdisplay(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("all", "type"))
    wanted = arguments.text("type")
    secure = constants.XML_SECURE if arguments.has("include-password") else 0
    document = _running_document(shell, arguments, secure)
    shown = [
        uri
        for scheme in _SCHEMES
        if wanted is None or wanted == scheme
        if (uri := _display(shell, document, scheme)) is not None
    ]
    if not shown:
        raise CommandFailed(
            f"No graphical display with type '{wanted}' found" if wanted else "No graphical display found"
        )
    if arguments.has("all"):
        shell.write("".join(f"{uri}\n" for uri in shown))
    else:
        shell.write(shown[0])


def _display(shell: Shell, document: Element, scheme: str) -> str | None:
    """The URI by which a viewer finds the display, None when there is none."""
    displays = _graphics(document, scheme)
    if scheme == "dbus":
        return _dbus_display(shell, displays)
    port = _number(displays, "port") or 0
    tls_port = _number(displays, "tlsPort") or 0
    socket = _text(displays, "listen", "socket") if _text(displays, "listen", "type") == "socket" else None
    if not port and not tls_port and socket is None:
        return None
    password = _text(displays, "", "passwd")
    uri = f"{scheme}+unix://" if socket is not None else f"{scheme}://"
    if password is not None and scheme == "vnc":
        uri += f":{password}@"
    uri += socket if socket is not None else _display_host(displays)
    if port:
        uri += f":{port - _VNC_BASE if scheme == 'vnc' else port}"
    query = [f"tls-port={tls_port}"] * bool(tls_port)
    if password is not None and scheme == "spice":
        query.append(f"password={password}")
    return uri + ("?" + "&".join(query) if query else "")


def _display_host(displays: list[Element]) -> str:
    address = _text(displays, "", "listen")
    if address in _ANY_ADDRESS:
        # It listens everywhere, and the daemon runs on this machine.
        return "localhost"
    if address is None:
        address = _text(displays, "listen", "address")
    if address is None:
        return "localhost"
    return f"[{address}]" if ":" in address else address


def _dbus_display(shell: Shell, displays: list[Element]) -> str | None:
    address = _text(displays, "", "address")
    if address is None:
        return None
    if not address.startswith("unix:path="):
        shell.error(f"'{address}' D-Bus address is not handled")
        return None
    return "dbus+unix://" + address.removeprefix("unix:path=")


COMMANDS = (
    Command(
        "console",
        _console,
        "talk to a domain's console",
        "What is typed goes to the guest, until the escape character (^] unless --escape says\n"
        "otherwise). With a pipe instead of a terminal, what comes in goes to the guest.",
        domain_argument("active_domains"),
        Option("devname", TEXT, "alias of the serial port, console or channel"),
        flag("force", "throw out whoever is attached to it"),
        flag("safe", "only if the daemon can keep others out"),
    ),
    Command(
        "domdisplay",
        _domdisplay,
        "the URI of a domain's display",
        "As viewers such as remote-viewer take it.",
        domain_argument("active_domains"),
        flag("include-password", "with the password in it"),
        Option("type", TEXT, "only a display of this kind: vnc, spice, rdp, dbus", completes="display_types"),
        flag("all", "every display"),
    ),
    Command(
        "ttyconsole",
        _ttyconsole,
        "the terminal device of a domain's console",
        "",
        domain_argument("active_domains"),
    ),
    Command(
        "vncdisplay",
        _vncdisplay,
        "the address of a domain's VNC display",
        "As HOST:NUMBER, without the host when it listens everywhere.",
        domain_argument("active_domains"),
    ),
)
