"""Disks and network interfaces, attached by options instead of XML, and detached by name."""

from __future__ import annotations

import os
import stat

from roost.cli import impact
from roost.cli.commands.hotplug import find_disk
from roost.cli.failure import CommandFailed, failing
from roost.cli.parser import parse_integer
from roost.cli.table import ALIAS, DATA, TEXT, Command, Option, domain_argument, flag
from roost.cli.xmltree import Element, escaped, parse, written
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell


# -- addresses ---------------------------------------------------------------------------------

#: What stands between the colons and dots, and the base of the numbers.
_PARTS = {
    "pci": (("domain", "bus", "slot", "function"), 16, ("0x{:04x}", "0x{:02x}", "0x{:02x}", "0x{:x}")),
    **dict.fromkeys(("scsi", "ide", "sata"), (("controller", "bus", "unit"), 10, ("{}", "{}", "{}"))),
    "ccw": (("cssid", "ssid", "devno"), 16, ("0x{:02x}", "0x{:01x}", "0x{:04x}")),
    "usb": (("bus", "port"), 10, ("{}", "{}")),
}
#: The kinds of address that a disk may have, by how its target begins.
_EXPECTED = (
    ("vd", ("pci", "ccw"), "expecting a pci:0000.00.00.00 or ccw:00.0.0000 address."),
    ("sd", ("scsi", "usb", "sata"), "expecting a scsi:00.00.00 or usb:00.00 or sata:00.00.00 address."),
    ("hd", ("ide",), "expecting an ide:00.00.00 address."),
)


def _address(text: str, *, multifunction: bool = False) -> str | None:
    """The element for an address such as pci:0000.00.05.0; None for what is none."""
    kind, _, rest = text.partition(":")
    if kind not in _PARTS:
        return None
    names, base, formats = _PARTS[kind]
    # Any one character separates the numbers.
    words = rest.replace(":", ".").replace("-", ".").split(".")
    numbers = [parse_integer(word, base) for word in words]
    if len(numbers) < len(names) or any(number is None or number < 0 for number in numbers[: len(names)]):
        return None
    attributes: dict[str, str | None] = {"type": "drive" if names[0] == "controller" else kind}
    attributes |= {name: form.format(n) for name, form, n in zip(names, formats, numbers, strict=False)}
    if multifunction and kind == "pci":
        attributes["multifunction"] = "on"
    return written("address", attributes)


def _disk_address(arguments: Arguments, target: str) -> str:
    text = arguments.text("address")
    if text is None:
        return ""
    element = _address(text, multifunction=arguments.has("multifunction"))
    if element is None:
        raise CommandFailed("Invalid address.")
    for prefix, kinds, complaint in _EXPECTED:
        if target.startswith(prefix) and text.partition(":")[0] not in kinds:
            raise CommandFailed(complaint)
    return element


# -- disks -------------------------------------------------------------------------------------

_REQUIRED = (
    ("source-host-name", "source-protocol"),
    ("source-host-transport", "source-protocol"),
    ("source-host-socket", "source-protocol"),
    ("source-host-socket", "source-host-transport"),
)


def _attach_disk(shell: Shell, arguments: Arguments) -> None:
    impact.check(arguments)
    for option, needed in _REQUIRED:
        if arguments.has(option) and not arguments.has(needed):
            raise CommandFailed(f"Option --{needed} is required by option --{option}")
    arguments.exclude(("source-host-name", "source-host-socket"))
    _attach(shell, arguments, "disk", _disk(arguments))


def _attach(shell: Shell, arguments: Arguments, what: str, xml: str) -> None:
    if arguments.has("print-xml"):
        shell.write(xml)
        return
    domain = shell.domain(arguments)
    flags = impact.flags_for(shell, arguments, domain)
    with failing(f"Failed to attach {what}"):
        impact.change(shell, arguments, domain, "DOMAIN_ATTACH_DEVICE", xml, flags)
    shell.extra(f"{what.capitalize()} attached successfully\n")


def _disk(arguments: Arguments) -> str:
    kind = _source_type(arguments)
    mode = arguments.text("mode")
    if mode not in (None, "readonly", "shareable"):
        raise CommandFailed(f"No support for {mode} in command 'attach-disk'")
    target = arguments.required("target")
    parts = [
        written(
            "driver",
            {
                "name": arguments.text("driver"),
                "type": arguments.text("subdriver"),
                "iothread": arguments.text("iothread"),
                "cache": arguments.text("cache"),
                "io": arguments.text("io"),
            },
        ),
        _source(arguments, kind),
        written("target", {"dev": target, "bus": arguments.text("targetbus")}),
        f"<{mode}/>\n" if mode else "",
        *(
            f"<{name}>{escaped(value)}</{name}>\n"
            for name in ("serial",)
            if (value := arguments.text(name)) is not None
        ),
        written("alias", {"name": arguments.text("alias")}),
        f"<wwn>{escaped(wwn)}</wwn>\n" if (wwn := _wwn(arguments)) is not None else "",
        _disk_address(arguments, target),
    ]
    rawio = "yes" if arguments.has("rawio") else None
    return written("disk", {"type": kind, "device": arguments.text("type"), "rawio": rawio}, "".join(parts))


def _source_type(arguments: Arguments) -> str:
    kind, source = arguments.text("sourcetype"), arguments.required("source")
    protocol = arguments.text("source-protocol")
    if kind not in (None, "file", "block", "network"):
        raise CommandFailed(f"Unknown source type: '{kind}'")
    if kind is None:
        plain = arguments.text("driver") in ("file", "tap")
        kind = "network" if protocol is not None else "block" if not plain and _is_block_device(source) else "file"
    if (kind == "network") != (protocol is not None):
        raise CommandFailed("--source-protocol option requires --sourcetype network")
    return kind


def _is_block_device(path: str) -> bool:
    try:
        return stat.S_ISBLK(os.stat(path).st_mode)
    except OSError:
        return False


def _source(arguments: Arguments, kind: str) -> str:
    source = arguments.required("source")
    if kind != "network":
        return written("source", {"dev" if kind == "block" else "file": source or None})
    host: dict[str, str | None] = {
        "transport": arguments.text("source-host-transport"),
        "socket": arguments.text("source-host-socket"),
    }
    name = arguments.text("source-host-name")
    if name is not None:
        host["name"], colon, port = name.partition(":")
        host["port"] = port if colon else None
    protocol = arguments.text("source-protocol")
    return written("source", {"protocol": protocol, "name": source or None}, written("host", host))


def _wwn(arguments: Arguments) -> str | None:
    wwn = arguments.text("wwn")
    digits = wwn.removeprefix("0x") if wwn is not None else ""
    if wwn is not None and (len(digits) != 16 or parse_integer(digits, 16) is None):
        raise CommandFailed(f"Malformed wwn: {wwn}")
    return wwn


def _detach_disk(shell: Shell, arguments: Arguments) -> None:
    impact.check(arguments)
    domain = shell.domain(arguments)
    target = arguments.required("target")
    inactive = impact.flags_of(arguments) == constants.AFFECT_CONFIG
    document = parse(shell.xml(domain, constants.XML_INACTIVE if inactive else 0))
    flags = impact.flags_for(shell, arguments, domain)
    xml = find_disk(document, target).xml()
    if arguments.has("print-xml"):
        shell.write(xml)
        return
    with failing("Failed to detach disk"):
        impact.change(shell, arguments, domain, "DOMAIN_DETACH_DEVICE", xml, flags)
    shell.extra("Disk detached successfully\n")


# -- interfaces --------------------------------------------------------------------------------

#: The kinds that the command makes, and the attribute of <source> for each.
_SOURCES = {"network": "network", "bridge": "bridge", "direct": "dev", "hostdev": "", "vhostuser": ""}
_RATE = ("average", "peak", "burst", "floor")


def _attach_interface(shell: Shell, arguments: Arguments) -> None:
    impact.check(arguments)
    _attach(shell, arguments, "interface", _interface(arguments))


def _interface(arguments: Arguments) -> str:
    kind = arguments.required("type")
    if kind not in _SOURCES:
        raise CommandFailed(f"No support for {kind} in command 'attach-interface'")
    if arguments.text("source-mode") not in (None, "server", "client"):
        raise CommandFailed(f"Invalid source mode: {arguments.text('source-mode')}")
    bandwidth = "".join(_rates(arguments))
    parts = [
        _interface_source(arguments, kind),
        *(
            written(name, {attribute: arguments.text(option)})
            for option, name, attribute in (
                ("target", "target", "dev"),
                ("mac", "mac", "address"),
                ("script", "script", "path"),
                ("model", "model", "type"),
                ("alias", "alias", "name"),
            )
        ),
        written("bandwidth", {}, bandwidth) if bandwidth else "",
    ]
    managed = "yes" if arguments.has("managed") else None
    return written("interface", {"type": kind, "managed": managed}, "".join(parts))


def _interface_source(arguments: Arguments, kind: str) -> str:
    source = arguments.required("source")
    if kind == "hostdev":
        address = _address(f"pci:{source}")
        if address is None:
            raise CommandFailed(f"cannot parse pci address '{source}' for network interface")
        return written("source", {}, address)
    if kind == "vhostuser":
        mode = arguments.text("source-mode")
        if mode is None:
            raise CommandFailed("source-mode is mandatory")
        return written("source", {"type": "unix", "path": source, "mode": mode})
    return written("source", {_SOURCES[kind]: source})


def _rates(arguments: Arguments) -> Iterator[str]:
    for direction in ("inbound", "outbound"):
        text = arguments.text(direction)
        if text is None:
            continue
        words = text.split(",")
        if len(words) > len(_RATE):
            raise CommandFailed(f"Rate string '{text}' has too many fields")
        rate: dict[str, int] = {}
        for field, word in zip(_RATE, words, strict=False):
            number = parse_integer(word) if word else 0
            if number is None or number < 0:
                raise CommandFailed(f"field '{field}' is malformed")
            rate[field] = number
        if direction == "inbound" and not rate.get("average") and not rate.get("floor"):
            raise CommandFailed("either inbound average or floor is mandatory")
        if direction == "outbound" and not rate.get("average"):
            raise CommandFailed("outbound average is mandatory")
        if direction == "outbound" and rate.get("floor"):
            raise CommandFailed("outbound floor is unsupported yet")
        yield written(direction, {field: str(value) if value else None for field, value in rate.items()})


def _detach_interface(shell: Shell, arguments: Arguments) -> None:
    """Each document has its own interface: the definition's may stand elsewhere."""
    impact.check(arguments)
    domain = shell.domain(arguments)
    config = arguments.has("config") or arguments.has("persistent")
    active = arguments.has("persistent") and shell.client.call("DOMAIN_IS_ACTIVE", domain)[0] == 1
    live = arguments.has("live") or active
    steps = [(constants.XML_INACTIVE, constants.AFFECT_CONFIG)] if config else []
    if live or not config:
        steps.append((0, constants.AFFECT_LIVE if live else 0))
    for inactive, flags in steps:
        with failing("Failed to detach interface"):
            document = parse(shell.xml(domain, inactive))
        try:
            xml = _find_interface(arguments, document).xml()
        except CommandFailed as failure:
            if arguments.has("print-xml"):
                raise
            raise CommandFailed(*failure.lines, "Failed to detach interface") from None
        if arguments.has("print-xml"):
            shell.write(xml)
            continue
        with failing("Failed to detach interface"):
            impact.change(shell, arguments, domain, "DOMAIN_DETACH_DEVICE", xml, flags)
    if not arguments.has("print-xml"):
        shell.extra("Interface detached successfully\n")


def _find_interface(arguments: Arguments, document: Element) -> Element:
    kind, mac = arguments.required("type"), arguments.text("mac")
    found = [each for each in document.all("devices/interface") if each.attributes.get("type") == kind]
    if not found:
        raise CommandFailed(f"No interface found whose type is {kind}")
    if mac is None:
        if len(found) > 1:
            raise CommandFailed(f"Domain has {len(found)} interfaces. Please specify which one to detach using --mac")
        return found[0]
    matching = [each for each in found if (each.attribute("mac", "address") or "").lower() == mac.lower()]
    if not matching:
        raise CommandFailed(f"No interface with MAC address {mac} was found")
    if len(matching) > 1:
        raise CommandFailed(
            f"Domain has multiple interfaces matching MAC address {mac}. You must use detach-device and "
            "specify the device pci address to remove it."
        )
    return matching[0]


_PRINT = flag("print-xml", "print the XML document instead of using it")

COMMANDS = (
    Command(
        "attach-disk",
        _attach_disk,
        "attach a disk",
        "",
        domain_argument(),
        Option("source", DATA, "file, block device or name of the image", required=True, empty_ok=True),
        Option("target", DATA, "what the guest calls the disk, such as vdb", required=True),
        Option("targetbus", TEXT, "bus of the disk"),
        Option("driver", TEXT, "driver of the disk"),
        Option("subdriver", TEXT, "format of the image"),
        Option("iothread", TEXT, "the I/O thread that serves it"),
        Option("cache", TEXT, "cache mode"),
        Option("io", TEXT, "how requests are made"),
        Option("type", TEXT, "disk, cdrom, floppy or lun"),
        Option("shareable", ALIAS, target="mode=shareable"),
        Option("mode", TEXT, "readonly or shareable"),
        Option("sourcetype", TEXT, "file, block or network"),
        Option("serial", TEXT, "serial number"),
        Option("wwn", TEXT, "world wide name"),
        Option("alias", TEXT, "a name for the device, beginning with ua-"),
        flag("rawio", "the guest may send any SCSI command"),
        Option("address", TEXT, "where the guest finds it, such as pci:0000.00.05.0"),
        flag("multifunction", "the PCI slot has several functions"),
        _PRINT,
        Option("source-protocol", TEXT, "protocol of the server that has the image"),
        Option("source-host-name", TEXT, "the server, and its port after a colon"),
        Option("source-host-transport", TEXT, "tcp, rdma or unix"),
        Option("source-host-socket", TEXT, "the server's socket"),
        *impact.OPTIONS,
    ),
    Command(
        "detach-disk",
        _detach_disk,
        "detach a disk",
        "",
        domain_argument(),
        Option("target", DATA, "target or source of the disk", required=True, completes="disks"),
        *impact.OPTIONS,
        _PRINT,
    ),
    Command(
        "attach-interface",
        _attach_interface,
        "attach a network interface",
        "",
        domain_argument(),
        Option("type", DATA, "network, bridge, direct, hostdev or vhostuser", required=True),
        Option("source", DATA, "what it is connected to", required=True),
        Option("target", TEXT, "name of the host's end"),
        Option("mac", TEXT, "MAC address"),
        Option("script", TEXT, "script that connects the host's end"),
        Option("model", TEXT, "model of the card"),
        Option("alias", TEXT, "a name for the device, beginning with ua-"),
        Option("inbound", TEXT, "limits of what comes in: average,peak,burst,floor"),
        Option("outbound", TEXT, "limits of what goes out: average,peak,burst"),
        *impact.OPTIONS,
        _PRINT,
        flag("managed", "the host's driver is taken off the device first"),
        Option("source-mode", TEXT, "server or client, of a vhostuser socket"),
    ),
    Command(
        "detach-interface",
        _detach_interface,
        "detach a network interface",
        "",
        domain_argument(),
        Option("type", DATA, "its kind, such as network or bridge", required=True),
        Option("mac", TEXT, "its MAC address"),
        *impact.OPTIONS,
        _PRINT,
    ),
)
