"""Disks, interfaces and character devices: the element that a backend and its device make together."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from roost.drivers.qemu.native.draft import Draft, add
from roost.drivers.qemu.native.words import Props, is_on, nested

_PREFIXES = {"virtio": "vd", "scsi": "sd", "sata": "sd", "usb": "sd", "ide": "hd", "fdc": "fd"}
_FILE_DRIVERS = frozenset(("file", "host_device", "host_cdrom"))
_DRIVER_OPTIONS = ("cache", "discard", "rerror", "werror", "aio", "copy-on-read", "detect-zeroes")
_ATTRIBUTES = {"rerror": "rerror_policy", "werror": "error_policy", "aio": "io", "copy-on-read": "copy_on_read",
               "detect-zeroes": "detect_zeroes"}  # fmt: skip


def add_disk(draft: Draft, drive: Props, bus: str, device: str, props: Props, number: int | None = None) -> ET.Element:
    """drive: -drive's properties, or a node's as `flatten` gives them. props: those of the device on the bus.

    number: its place on the bus, from 0, where it was given.
    """
    name = drive.get("file") or drive.get("filename")
    kind = "block" if str(name or "").startswith("/dev/") else "file"
    network = _network(str(name)) if name is not None and ":" in str(name) and not str(name).startswith("/") else None
    disk = add(draft.listed, "disk", type="network" if network else kind, device=device)
    driver: dict[str, object] = {"name": "qemu", "type": drive.get("format") or "raw"}
    for option in _DRIVER_OPTIONS:
        if option in drive:
            driver[_ATTRIBUTES.get(option, option)] = drive[option]
    add(disk, "driver", **driver)
    if network:
        protocol, path, host, port = network
        source = add(disk, "source", protocol=protocol, name=path or None)
        if host:
            add(source, "host", name=host, port=port or None)
    elif name is not None and name != "":
        add(disk, "source", **{"dev" if kind == "block" else "file": name})
    add(disk, "target", dev=draft.disk_name(_PREFIXES[bus], number), bus=bus)
    if is_on(drive.get("readonly", drive.get("read-only", "off"))):
        add(disk, "readonly")
    if "serial" in props or "serial" in drive:
        add(disk, "serial", props.get("serial", drive.get("serial")))
    draft.boot(disk, props)
    draft.place(disk, props)
    return disk


def _network(name: str) -> tuple[str, str, str, str] | None:
    """(protocol, path, host, port) of a URI that names a network disk."""
    scheme, separator, rest = name.partition("://")
    if not separator:
        return None
    authority, _, path = rest.partition("/")
    host, _, port = authority.rpartition(":") if ":" in authority else (authority, "", "")
    return scheme.partition("+")[0], path, host, port


def flatten(draft: Draft, node: str) -> Props:
    """The properties of the block node a device names, with its protocol's file name, as -drive would have them."""
    props = draft.nodes.get(node, {})
    storage: Props = props
    while isinstance(storage.get("file"), str | dict):
        below = storage["file"]
        storage = below if isinstance(below, dict) else draft.nodes.get(below, {})
    found: Props = {"format": "raw" if props.get("driver") in _FILE_DRIVERS else props.get("driver")}
    if "filename" in storage:
        found["file"] = storage["filename"]
    if is_on(props.get("read-only", False)):
        found["readonly"] = "on"
    if "discard" in props:
        found["discard"] = props["discard"]
    cache = nested(storage, "cache")
    if is_on(cache.get("direct", False)):
        found["cache"] = "none"
    return found


def add_interface(draft: Draft, netdev: Props, model: str | None, props: Props) -> None:
    """netdev: -netdev's properties, or those of -nic."""
    kind = str(netdev.get("type", "user"))
    source: dict[str, object] = {}
    if kind == "bridge":
        element = add(draft.listed, "interface", type="bridge")
        source = {"bridge": netdev.get("br", "virbr0")}
    elif kind == "tap":
        element = add(draft.listed, "interface", type="ethernet")
    elif kind == "socket" and ("listen" in netdev or "connect" in netdev):
        role = "server" if "listen" in netdev else "client"
        element = add(draft.listed, "interface", type=role)
        host, _, port = str(netdev.get("listen") or netdev.get("connect")).rpartition(":")
        source = {"address": host or "127.0.0.1", "port": port}
    elif kind == "socket" and "mcast" in netdev:
        element = add(draft.listed, "interface", type="mcast")
        host, _, port = str(netdev["mcast"]).rpartition(":")
        source = {"address": host, "port": port}
    else:
        element = add(draft.listed, "interface", type="user")
    mac = props.get("mac") or props.get("macaddr") or netdev.get("mac")
    if mac:
        add(element, "mac", address=mac)
    if source:
        add(element, "source", **source)
    if kind == "tap" and netdev.get("ifname"):
        add(element, "target", dev=netdev["ifname"])
    if kind == "tap" and netdev.get("script") not in (None, "no", ""):
        add(element, "script", path=netdev["script"])
    if model:
        add(element, "model", type=model)
    draft.boot(element, props)
    draft.place(element, props)


#: Character backends whose options are those of <source> under another name.
_SIMPLE = frozenset(("pty", "null", "vc", "stdio", "spicevmc"))


def chardev_element(draft: Draft, tag: str, backend: Props) -> ET.Element | None:
    """<serial>, <channel> … with its source; None for a backend that the document has no form for."""
    kind = str(backend.get("backend", "null"))
    if kind in _SIMPLE:
        return add(draft.listed, tag, type=kind)
    if kind in ("file", "pipe", "serial", "parallel"):
        element = add(draft.listed, tag, type={"serial": "dev", "parallel": "dev"}.get(kind, kind))
        add(element, "source", path=backend.get("path"), append=backend.get("append"))
        return element
    if kind != "socket":
        return None
    mode = "bind" if is_on(backend.get("server", "off")) else "connect"
    if "path" in backend:
        element = add(draft.listed, tag, type="unix")
        add(element, "source", mode=mode, path=backend["path"])
    else:
        element = add(draft.listed, tag, type="tcp")
        add(element, "source", mode=mode, host=backend.get("host", "0.0.0.0"), service=backend.get("port"))
        add(element, "protocol", type="telnet" if is_on(backend.get("telnet", "off")) else "raw")
    return element


def short_chardev(text: str) -> Props:
    """What -serial and -parallel take: `pty`, `file:x`, `unix:x,server`, `tcp:host:port`, `/dev/ttyS0`."""
    if text.startswith("/dev/"):
        return {"backend": "serial", "path": text}
    kind, _, rest = text.partition(":")
    value, *options = rest.split(",")
    if kind in ("file", "pipe"):
        return {"backend": kind, "path": value}
    flags = {"server": "on"} if "server" in options or "server=on" in options else {}
    if kind == "unix":
        return {"backend": "socket", "path": value, **flags}
    if kind in ("tcp", "telnet"):
        host, _, port = value.rpartition(":")
        telnet = {"telnet": "on"} if kind == "telnet" else {}
        return {"backend": "socket", "host": host or "0.0.0.0", "port": port, **flags, **telnet}
    return {"backend": kind}
