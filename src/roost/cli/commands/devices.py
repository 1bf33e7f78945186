"""The disks and network interfaces of a domain."""

from __future__ import annotations

from roost.cli.failure import CommandFailed, failing
from roost.cli.table import ALIAS, DATA, TEXT, Command, Option, domain_argument, flag
from roost.cli.xmltree import parse
from roost.constants import domain as constants
from roost.constants import typed_params
from roost.errors import NoSupport

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell
    from roost.cli.xmltree import Element

#: Block statistics in the order in which they are printed: field, short name, what --human says.
_BLOCK = (
    ("rd_operations", "rd_req", "number of read operations:"),
    ("rd_bytes", "rd_bytes", "number of bytes read:"),
    ("wr_operations", "wr_req", "number of write operations:"),
    ("wr_bytes", "wr_bytes", "number of bytes written:"),
    ("errs", "errs", "error count:"),
    ("flush_operations", "flush_operations", "number of flush operations:"),
    ("rd_total_times", "rd_total_times", "total duration of reads (ns):"),
    ("wr_total_times", "wr_total_times", "total duration of writes (ns):"),
    ("flush_total_times", "flush_total_times", "total duration of flushes (ns):"),
)
_INTERFACE = ("rx_bytes", "rx_packets", "rx_errs", "rx_drop", "tx_bytes", "tx_packets", "tx_errs", "tx_drop")


def _document(shell: Shell, arguments: Arguments) -> Element:
    flags = constants.XML_INACTIVE if arguments.has("inactive") else 0
    domain = shell.domain(arguments)
    with failing("Failed to get domain description xml"):
        text = shell.xml(domain, flags)
    return parse(text)


def _domblklist(shell: Shell, arguments: Arguments) -> None:
    details = arguments.has("details")
    rows = []
    for disk in _document(shell, arguments).all("devices/disk"):
        target = disk.attribute("target", "dev")
        if target is None:
            raise CommandFailed("unable to query block list")
        row = [target, _disk_source(disk) or "-"]
        if details:
            row = [disk.attributes.get("type", ""), disk.attributes.get("device", ""), *row]
        rows.append(row)
    shell.table(["Type", "Device"] * details + ["Target", "Source"], rows)


def _disk_source(disk: Element) -> str | None:
    if disk.attributes.get("type") != "nvme":
        return disk.attribute("source", "file", "dev", "dir", "name", "volume", "path")
    namespace = disk.attribute("source", "namespace")
    address = next(disk.all("source/address"), None)
    try:
        assert namespace is not None
        assert address is not None
        bus = [int(address.attributes.get(part, "0"), 0) for part in ("domain", "bus", "slot", "function")]
    except (AssertionError, ValueError):
        raise CommandFailed("Unable to query NVMe disk address") from None
    return f"nvme://{bus[0]:04x}:{bus[1]:02x}:{bus[2]:02x}.{bus[3]}/{namespace}"


def _domiflist(shell: Shell, arguments: Arguments) -> None:
    rows = [
        [
            interface.attribute("target", "dev") or "-",
            interface.attributes.get("type", ""),
            interface.attribute("source", "bridge", "dev", "network", "name", "path") or "-",
            interface.attribute("model", "type") or "-",
            interface.attribute("mac", "address") or "-",
        ]
        for interface in _document(shell, arguments).all("devices/interface")
    ]
    shell.table(["Interface", "Type", "Source", "Model", "MAC"], rows)


def _domblkstat(shell: Shell, arguments: Arguments) -> None:
    from roost.cli.params import show

    name = arguments.required("domain")
    domain = shell.domain(arguments)
    device = arguments.text("device") or ""
    client = shell.client
    flags = typed_params.STRING_OKAY
    try:
        count = client.call("DOMAIN_BLOCK_STATS_FLAGS", domain, device, 0, flags)[1]
    except NoSupport:
        with failing(f"Failed to get block stats {name} {device}"):
            numbers = client.call("DOMAIN_BLOCK_STATS", domain, device)
        known = zip((field for field, _, _ in _BLOCK), numbers, strict=False)
        values = {field: str(number) for field, number in known if number >= 0}
    else:
        with failing(f"Failed to get block stats for domain '{name}' device '{device}'"):
            params = client.call("DOMAIN_BLOCK_STATS_FLAGS", domain, device, count, flags)[0]
        values = {param.field: show(param) for param in params}
    human = arguments.has("human")
    if human:
        shell.write(f"Device: {device}\n")
        device = ""
    for field, short, words in _BLOCK:
        if field in values:
            label = f"{words:<31}" if human else short
            shell.write(f"{device} {label} {values.pop(field)}\n")
    for field, value in values.items():
        shell.write(f"{device} {field} {value}\n")


def _domifstat(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("domain")
    domain = shell.domain(arguments)
    device = arguments.required("interface")
    with failing(f"Failed to get interface stats {name} {device}"):
        values = shell.client.call("DOMAIN_INTERFACE_STATS", domain, device)
    for field, value in zip(_INTERFACE, values, strict=True):
        if value >= 0:
            shell.write(f"{device} {field} {value}\n")


def _getlink(shell: Shell, arguments: Arguments) -> None:
    name = arguments.required("interface")
    domain = shell.domain(arguments)
    document = parse(shell.xml(domain, constants.XML_INACTIVE if arguments.has("config") else 0))
    mac = _normal_mac(name)
    found = [
        interface
        for interface in document.all("devices/interface")
        if (mac and interface.attribute("mac", "address") == mac) or interface.attribute("target", "dev") == name
    ]
    if not found:
        raise CommandFailed(f"Interface (mac: {mac}) not found." if mac else f"Interface (dev: {name}) not found.")
    if len(found) > 1:
        raise CommandFailed("multiple matching interfaces found")
    shell.write(f"{name} {found[0].attribute('link', 'state') or 'up'}")


def _normal_mac(text: str) -> str:
    """A MAC address with two digits for each byte; "" for what is none."""
    parts = text.split(":")
    try:
        numbers = [int(part, 16) for part in parts]
    except ValueError:
        return ""
    if len(numbers) != 6 or any(not 0 <= number <= 0xFF for number in numbers):
        return ""
    return ":".join(f"{number:02x}" for number in numbers)


_INACTIVE = flag("inactive", "from the configuration used at the next start")

COMMANDS = (
    Command(
        "domblklist",
        _domblklist,
        "the disks of a domain",
        "Targets and sources.",
        domain_argument(),
        _INACTIVE,
        flag("details", "add the kinds of source and device"),
    ),
    Command(
        "domblkstat",
        _domblkstat,
        "statistics of a disk",
        "Of one disk, or the sums over all of them. --human says what the numbers mean.",
        domain_argument("active_domains"),
        Option("device", TEXT, "target or source of the disk", empty_ok=True, completes="disks"),
        flag("human", "in words"),
    ),
    Command("domiflist", _domiflist, "the network interfaces of a domain", "", domain_argument(), _INACTIVE),
    Command(
        "domifstat",
        _domifstat,
        "statistics of a network interface",
        "",
        domain_argument("active_domains"),
        Option("interface", DATA, "name or MAC address of the interface", required=True, completes="interfaces"),
    ),
    Command(
        "domif-getlink",
        _getlink,
        "whether the cable of an interface is plugged in",
        "",
        domain_argument(),
        Option("interface", DATA, "name or MAC address of the interface", required=True, completes="interfaces"),
        Option("persistent", ALIAS, target="config"),
        flag("config", "of the configuration used at the next start"),
    ),
)
