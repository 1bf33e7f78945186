"""Devices, attached, detached and changed by their documents."""

from __future__ import annotations

from roost.cli import impact
from roost.cli.failure import CommandFailed, failing
from roost.cli.scale import scaled
from roost.cli.shell import read_document
from roost.cli.table import ALIAS, DATA, NUMBER, TEXT, Command, Option, config_live_current, domain_argument, flag
from roost.cli.xmltree import Element, parse
from roost.constants import domain as constants

TYPE_CHECKING = False
if TYPE_CHECKING:
    from roost.cli.parser import Arguments
    from roost.cli.shell import Shell

_UINT_MAX = 0xFFFFFFFF


def _attach(shell: Shell, arguments: Arguments) -> None:
    _change(shell, arguments, "DOMAIN_ATTACH_DEVICE", "attach", "attached")


def _detach(shell: Shell, arguments: Arguments) -> None:
    _change(shell, arguments, "DOMAIN_DETACH_DEVICE", "detach", "detached")


def _change(shell: Shell, arguments: Arguments, call: str, verb: str, done: str) -> None:
    impact.check(arguments)
    domain = shell.domain(arguments)
    path = arguments.required("file")
    flags = impact.flags_for(shell, arguments, domain)
    xml = read_document(path)
    with failing(f"Failed to {verb} device from {path}"):
        impact.change(shell, arguments, domain, call, xml, flags)
    shell.extra(f"Device {done} successfully\n")


def _detach_alias(shell: Shell, arguments: Arguments) -> None:
    impact.check(arguments)
    domain = shell.domain(arguments)
    alias = arguments.required("alias")
    with failing(f"Failed to detach device with alias {alias}"):
        shell.client.call("DOMAIN_DETACH_DEVICE_ALIAS", domain, alias, impact.flags_of(arguments))
    shell.extra("Device detach request sent successfully\n")


def _update(shell: Shell, arguments: Arguments) -> None:
    impact.check(arguments)
    domain = shell.domain(arguments)
    path = arguments.required("file")
    flags = impact.flags_for(shell, arguments, domain)
    xml = read_document(path)
    if arguments.has("force"):
        flags |= constants.DEVICE_MODIFY_FORCE
    with failing(f"Failed to update device from {path}"):
        shell.client.call("DOMAIN_UPDATE_DEVICE_FLAGS", domain, xml, flags)
    shell.extra("Device updated successfully\n")


# -- media -------------------------------------------------------------------------------------

#: Attributes that name what is in a drive.
_NAMES = ("file", "dev", "dir", "name")
_DONE = {"eject": "ejected", "insert": "inserted", "update": "updated"}


def find_disk(document: Element, path: str, *, removable: bool = False) -> Element:
    """The disk with that target or source. Raises CommandFailed. removable: only drives are looked at."""
    disks = list(document.all("devices/disk"))
    if not disks:
        raise CommandFailed("Failed to get disk information")
    for disk in disks:
        if removable and disk.attributes.get("device", "cdrom") not in ("cdrom", "floppy"):
            continue
        source = disk.first("source")
        named = [source.attributes.get(name) for name in _NAMES] if source is not None else []
        if path in (disk.attribute("target", "dev"), *named):
            disk.remove("backingStore")
            return disk
    raise CommandFailed(f"No disk found whose source path or target is {path}")


def _change_media(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("eject", "insert"), ("eject", "update"), ("insert", "update"), ("eject", "block"))
    source = arguments.text("source")
    eject = arguments.has("eject") or (arguments.has("update") and source is None)
    action = "eject" if eject else "insert" if arguments.has("insert") else "update"
    arguments.exclude(("current", "live"), ("current", "config"))
    flags = impact.flags_of(arguments) | constants.DEVICE_MODIFY_FORCE * arguments.has("force")
    domain = shell.domain(arguments)
    path = arguments.required("path")
    config = flags & constants.AFFECT_CONFIG
    disk = find_disk(parse(shell.xml(domain, constants.XML_INACTIVE if config else 0)), path, removable=True)
    _put(disk, path, None if eject else source, action, block=arguments.has("block") and not eject)
    if arguments.has("print-xml"):
        shell.write(disk.xml())
        return
    with failing(f"Failed to complete action {action} on media"):
        shell.client.call("DOMAIN_UPDATE_DEVICE_FLAGS", domain, disk.xml(), flags)
    shell.write(f"Successfully {_DONE[action]} media.")


def _put(disk: Element, path: str, source: str | None, action: str, *, block: bool) -> None:
    """Change what the document has in a drive. Raises CommandFailed where that makes no sense."""
    before = disk.first("source")
    if action == "eject" and before is None:
        raise CommandFailed(f"The disk device '{path}' doesn't have media")
    if action != "eject" and source is None:
        raise CommandFailed("New disk media source was not specified")
    policy = None
    if before is not None:
        if action == "insert" and any(name in before.attributes for name in (*_NAMES, "pool")):
            raise CommandFailed(f"The disk device '{path}' already has media")
        policy = before.attributes.get("startupPolicy")
        disk.remove("source")
    disk.attributes["type"] = "block" if block else "file"
    if source is not None:
        made = Element("source", {"dev" if block else "file": source})
        if policy is not None:
            made.attributes["startupPolicy"] = policy
        place = next(
            n for n, child in enumerate(disk.children) if isinstance(child, Element) and child.name == "target"
        )
        space = [child for child in disk.children[:place] if isinstance(child, str)][-1:]
        disk.children[place:place] = [made, *space]


# -- memory ------------------------------------------------------------------------------------


def _update_memory(shell: Shell, arguments: Arguments) -> None:
    arguments.exclude(("current", "live"), ("current", "config"), ("node", "alias"))
    flags = impact.flags_of(arguments)
    domain = shell.domain(arguments)
    config = flags & constants.AFFECT_CONFIG
    document = parse(shell.xml(domain, constants.XML_INACTIVE if config else 0))
    memory = _find_memory(arguments, list(document.all("devices/memory")))
    size = scaled(arguments, "requested-size", 1024)
    if size is not None:
        requested = memory.first("target/requested")
        if requested is None:
            raise CommandFailed("virtio-mem device is missing <requested/>")
        requested.children[:] = [str(-(-size // 1024))]
    if arguments.has("print-xml"):
        shell.write(memory.xml())
    else:
        shell.client.call("DOMAIN_UPDATE_DEVICE_FLAGS", domain, memory.xml(), flags)


def _find_memory(arguments: Arguments, memories: list[Element]) -> Element:
    node, alias = arguments.number("node", 0, _UINT_MAX), arguments.text("alias")
    if node is not None:
        memories = [each for each in memories if (each.first("target/node") or each).children == [str(node)]]
    elif alias is not None:
        memories = [each for each in memories if each.attribute("alias", "name") == alias]
    if not memories:
        raise CommandFailed("no memory device found")
    if len(memories) > 1:
        raise CommandFailed("multiple memory devices found, use --alias or --node to select one")
    return memories[0]


# -- links -------------------------------------------------------------------------------------


def _setlink(shell: Shell, arguments: Arguments) -> None:
    domain = shell.domain(arguments)
    name, state = arguments.required("interface"), arguments.required("state")
    if state not in ("up", "down"):
        raise CommandFailed(f"invalid link state '{state}'")
    config = arguments.has("config")
    flags = constants.AFFECT_CONFIG if config else constants.AFFECT_LIVE
    if shell.client.call("DOMAIN_IS_ACTIVE", domain)[0] == 0:
        flags = constants.AFFECT_CONFIG
    document = parse(shell.xml(domain, constants.XML_INACTIVE if config else 0))
    interfaces = list(document.all("devices/interface"))
    if not interfaces:
        raise CommandFailed("Failed to extract interface information or no interfaces found")
    for interface in interfaces:
        names = (interface.attribute("mac", "address"), interface.attribute("target", "dev"))
        if name.lower() in (each.lower() for each in names if each is not None):
            break
    else:
        raise CommandFailed(f"interface '{name}' not found")
    link = interface.first("link")
    if link is None:
        link = Element("link", {})
        interface.children.append(link)
    link.attributes["state"] = state
    if arguments.has("print-xml"):
        shell.write(interface.xml())
        return
    with failing("Failed to update interface link state"):
        shell.client.call("DOMAIN_UPDATE_DEVICE_FLAGS", domain, interface.xml(), flags)
    shell.extra("Device updated successfully\n")


_FILE = Option("file", DATA, "file with the device's XML", required=True)
_PRINT = flag("print-xml", "print the XML document instead of using it")
_INTERFACE = Option("interface", DATA, "name or MAC address of the interface", required=True, completes="interfaces")
_PERSISTENT = Option("persistent", ALIAS, target="config")
_CONFIG = flag("config", "of the configuration used at the next start")

COMMANDS = (
    Command(
        "attach-device", _attach, "attach a device", "Its XML is in a file.", domain_argument(), _FILE, *impact.OPTIONS
    ),
    Command(
        "detach-device",
        _detach,
        "detach a device",
        "Its XML is in a file. The command waits until the guest has let go of it.",
        domain_argument(),
        _FILE,
        *impact.OPTIONS,
    ),
    Command(
        "detach-device-alias",
        _detach_alias,
        "ask a guest to let go of a device",
        "By the name that the running domain's document has for it; events tell the outcome.",
        domain_argument(),
        Option("alias", DATA, "alias of the device", required=True),
        *config_live_current(),
    ),
    Command(
        "update-device",
        _update,
        "change a device",
        "To what the XML in a file says.",
        domain_argument(),
        _FILE,
        *impact.OPTIONS,
        flag("force", "even if the guest holds on to it"),
    ),
    Command(
        "change-media",
        _change_media,
        "change the medium in a CD-ROM or floppy drive",
        "Without --eject or --insert, what is in the drive is exchanged.",
        domain_argument(),
        Option("path", DATA, "target or source of the drive", required=True, completes="disks"),
        Option("source", TEXT, "the new medium"),
        flag("eject", "take the medium out"),
        flag("insert", "put a medium into an empty drive"),
        flag("update", "exchange the medium"),
        *(option for name in ("current", "live", "config") for option in config_live_current() if option.name == name),
        flag("force", "even if the guest has locked the drive"),
        _PRINT,
        flag("block", "the source is a block device"),
    ),
    Command(
        "update-memory-device",
        _update_memory,
        "change how much memory a virtio-mem device should have",
        "",
        domain_argument(),
        *config_live_current(),
        _PRINT,
        Option("alias", TEXT, "alias of the device"),
        Option("node", NUMBER, "the guest's NUMA node that it is for"),
        Option("requested-size", NUMBER, "the size, in KiB unless it has a unit"),
    ),
    Command(
        "domif-setlink",
        _setlink,
        "pull or plug the cable of an interface",
        "",
        domain_argument(),
        _INTERFACE,
        Option("state", DATA, "up or down", required=True),
        _PERSISTENT,
        _CONFIG,
        _PRINT,
    ),
)
