"""The options of a command line, one by one, and the document that comes of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from xml.etree import ElementTree as ET

from roost.drivers.qemu.native import backends
from roost.drivers.qemu.native.devices import add_device
from roost.drivers.qemu.native.draft import Draft, add
from roost.drivers.qemu.native.words import Props, is_on, properties, split
from roost.errors import From, InternalError
from roost.model import domain as D

_ARCH = re.compile(r"qemu-system-([a-z0-9_]+)$")
_ARCHES = {"i386": "i686", "arm": "armv7l"}
_SIZES = {"": 20, "b": 0, "k": 10, "m": 20, "g": 30, "t": 40}
_BOOT = {"a": "fd", "b": "fd", "c": "hd", "d": "cdrom", "n": "network"}
_VGA = {"std": "vga", "cirrus": "cirrus", "qxl": "qxl", "vmware": "vmvga", "virtio": "virtio", "none": "none"}
_OUTPUTS = {"gtk": "sdl", "sdl": "sdl", "egl-headless": "egl-headless"}
#: -drive if=
_BUSES = {"virtio": "virtio", "scsi": "scsi", "floppy": "fdc", "ide": "ide", "none": "none", "": "ide", "sd": "sd"}
#: Switches of -machine that <features> has, and how it writes them.
_FEATURES = ("vmport", "smm")
#: Processor features that libvirt writes otherwise.
_FEATURE_NAMES = {"lahf-lm": "lahf_lm", "pclmulqdq": "pclmuldq"}


def parse(text: str) -> D.Domain:
    """The domain that a command line describes, as a user would write it. Raises RoostError."""
    line = split(text)
    draft = Draft()
    if line.emulator.startswith("/"):
        draft.text("devices/emulator", line.emulator)
    system = add(draft.at("os"), "type", "hvm")
    found = _ARCH.search(line.emulator)
    if found is not None:
        system.set("arch", _ARCHES.get(found[1], found[1]))
    draft.text("name", "unnamed")
    draft.text("vcpu", 1)
    draft.text("memory", 128 << 10).set("unit", "KiB")
    add(draft.at("features"), "acpi")
    _options(draft, iter(line.words))
    for props in draft.devices:
        try:
            known = add_device(draft, props)
        except (KeyError, ValueError, TypeError) as error:
            raise InternalError(f"cannot parse -device {_written(props)}", domain=From.QEMU) from error
        if not known:
            draft.pass_on("-device", _written(props))
    for drive in draft.drives.values():
        _board_drive(draft, drive)
    _say_what_is_missing(draft)
    return D.parse(draft.close(line.env))


def _say_what_is_missing(draft: Draft) -> None:
    """A balloon and a card are added to documents without: say that there is none, or which QEMU has of itself."""
    listed = draft.listed
    if listed.find("memballoon") is None:
        add(listed, "memballoon", model="none")
    if listed.find("graphics") is not None and listed.find("video") is None:
        add(add(listed, "video"), "model", type="vga")


def _written(props: Props) -> str:
    driver = props.get("driver")
    rest = [f"{key}={str(value).replace(',', ',,')}" for key, value in props.items() if key != "driver"]
    return ",".join([str(driver), *rest])


def _options(draft: Draft, words: Iterator[str]) -> None:
    waiting: str | None = None
    while (word := waiting or next(words, None)) is not None:
        waiting = None
        name = "-" + word.lstrip("-") if word.startswith("-") else word
        if name in _BARE:
            _BARE[name](draft)
        elif name in _VALUED:
            value = next(words, None)
            if value is None:
                raise InternalError(f"missing value for {word} argument", domain=From.QEMU)
            try:
                _VALUED[name](draft, value)
            except (KeyError, ValueError, TypeError) as error:
                raise InternalError(f"cannot parse {word} {value}", domain=From.QEMU) from error
        elif not word.startswith("-"):
            draft.drives[f"hd{len(draft.drives)}"] = {"file": word, "if": "ide"}
        else:
            # Whether an unknown option takes a value shows in what follows it.
            value = next(words, None)
            draft.pass_on(word, *([value] if value is not None and not value.startswith("-") else []))
            waiting = value if value is not None and value.startswith("-") else None


# -- the machine -----------------------------------------------------------------------------------


def _name(draft: Draft, value: str) -> None:
    draft.text("name", properties(value, "guest")["guest"])


def _memory(draft: Draft, value: str) -> None:
    props = properties(value, "size")
    draft.text("memory", _kib(str(props["size"])))
    if "maxmem" in props:
        ceiling = draft.text("maxMemory", _kib(str(props["maxmem"])))
        ceiling.set("slots", str(props.get("slots", 0)))


def _kib(size: str) -> int:
    """A size in KiB; QEMU's unit is MiB. Raises InternalError."""
    found = re.fullmatch(r"(\d+)([bkmgt]?)", size.lower())
    if found is None:
        raise InternalError(f"cannot parse memory level '{size}'", domain=From.QEMU)
    return (int(found[1]) << _SIZES[found[2]]) >> 10


def _smp(draft: Draft, value: str) -> None:
    props = properties(value, "cpus")
    count = str(props.get("cpus", props.get("maxcpus", "1")))
    most = str(props.get("maxcpus", count))
    vcpu = draft.text("vcpu", most)
    if most != count:
        vcpu.set("current", count)
    topology = {key: str(props[key]) for key in ("sockets", "dies", "cores", "threads") if key in props}
    if {"sockets", "cores", "threads"} <= topology.keys() and topology.get("sockets") != most:
        add(draft.at("cpu"), "topology", **topology)


def _machine(draft: Draft, value: str) -> None:
    props = properties(value, "type")
    kind = draft.at("os/type")
    if "type" in props:
        kind.set("machine", str(props.pop("type")))
    for accelerator in str(props.pop("accel", "")).split(":")[:1]:
        _accelerate(draft, accelerator)
    for name in _FEATURES:
        switch = is_on(props.get(name)) if name in props else None
        if switch is not None:
            add(draft.at("features"), name, state="on" if switch else "off")
    if "acpi" in props and not is_on(props["acpi"]):
        _no_acpi(draft)
    if "gic-version" in props:
        add(draft.at("features"), "gic", version=props["gic-version"])
    if is_on(props.get("dump-guest-core", "unset")) is True:
        draft.at("memory").set("dumpCore", "on")
    if is_on(props.get("mem-merge", "on")) is False:
        add(draft.at("memoryBacking"), "nosharepages")
    if "hpet" in props:
        _timer(draft, "hpet", bool(is_on(props["hpet"])))


def _accelerate(draft: Draft, value: str) -> None:
    name = value.partition(",")[0]
    if name == "kvm":
        draft.root.set("type", "kvm")


def _no_acpi(draft: Draft) -> None:
    features = draft.at("features")
    acpi = features.find("acpi")
    if acpi is not None:
        features.remove(acpi)


def _timer(draft: Draft, name: str, present: bool) -> None:
    clock = draft.at("clock")
    if "offset" not in clock.attrib:
        clock.set("offset", "utc")
    add(clock, "timer", name=name, present="yes" if present else "no")


def _cpu(draft: Draft, value: str) -> None:
    model, *features = value.split(",")
    cpu = draft.at("cpu")
    if model in ("host", "max"):
        cpu.set("mode", "host-passthrough" if model == "host" else "maximum")
    else:
        cpu.set("mode", "custom")
        cpu.set("match", "exact")
        add(cpu, "model", model, fallback="forbid")
    for feature in features:
        _cpu_feature(draft, cpu, feature)
    topology = cpu.find("topology")
    if topology is not None:
        cpu.remove(topology)
        cpu.append(topology)


def _cpu_feature(draft: Draft, cpu: ET.Element, feature: str) -> None:
    name, equals, value = feature.partition("=")
    if name.startswith(("+", "-")):
        add(cpu, "feature", policy="require" if name[0] == "+" else "disable", name=_feature_name(name[1:]))
    elif equals and name == "vendor":
        add(cpu, "vendor", value.removeprefix("Genuine").removeprefix("Authentic") or value)
    elif (equals and name.startswith("hv-")) or name.startswith("hv_"):
        _hyperv(draft, name[3:].replace("-", "_"), value)
    elif equals and is_on(value) is not None and not name.startswith("kvm"):
        add(cpu, "feature", policy="require" if is_on(value) else "disable", name=_feature_name(name))
    elif name == "kvm" and is_on(value) is False:
        add(draft.at("features/kvm"), "hidden", state="on")


def _feature_name(name: str) -> str:
    """libvirt's spelling of a processor feature."""
    return _FEATURE_NAMES.get(name, name)


def _hyperv(draft: Draft, name: str, value: str) -> None:
    if name == "time":
        _timer(draft, "hypervclock", True)
        return
    hyperv = draft.at("features/hyperv")
    if name == "spinlocks":
        add(hyperv, name, state="on", retries=int(value or "0", 0))
    elif name == "vendor_id":
        add(hyperv, name, state="on", value=value)
    else:
        add(hyperv, name, state="on")


def _boot(draft: Draft, value: str) -> None:
    props = properties(value, "order")
    for letter in str(props.get("order", "")):
        if letter in _BOOT:
            add(draft.at("os"), "boot", dev=_BOOT[letter])
    if "menu" in props:
        menu = add(draft.at("os"), "bootmenu", enable="yes" if is_on(props["menu"]) else "no")
        if "splash-time" in props:
            menu.set("timeout", str(props["splash-time"]))


def _rtc(draft: Draft, value: str) -> None:
    props = properties(value)
    base = str(props.get("base", "utc"))
    clock = draft.at("clock")
    clock.set("offset", base if base in ("utc", "localtime") else "utc")
    if "driftfix" in props and props["driftfix"] == "slew":
        add(clock, "timer", name="rtc", tickpolicy="catchup")


# -- displays --------------------------------------------------------------------------------------


def _vnc(draft: Draft, value: str) -> None:
    where, *options = value.split(",")
    if where.startswith("unix:"):
        add(draft.listed, "graphics", type="vnc", socket=where.removeprefix("unix:"))
        return
    if where == "none":
        return
    host, _, display = where.rpartition(":")
    graphics = add(draft.listed, "graphics", type="vnc", port=5900 + int(display or "0"), autoport="no")
    if host:
        graphics.set("listen", host.strip("[]"))
    for option in options:
        name, _, given = option.partition("=")
        if name == "websocket" and given.isdigit():
            graphics.set("websocket", given)


def _spice(draft: Draft, value: str) -> None:
    props = properties(value)
    add(
        draft.listed, "graphics", type="spice", port=props.get("port"), tlsPort=props.get("tls-port"),
        listen=props.get("addr"), autoport="no",
    )  # fmt: skip


def _display(draft: Draft, value: str) -> None:
    kind = value.partition(",")[0]
    if kind in _OUTPUTS:
        add(draft.listed, "graphics", type=_OUTPUTS[kind])
    elif kind.startswith("vnc="):
        _vnc(draft, value.removeprefix("vnc="))


def _vga(draft: Draft, value: str) -> None:
    if value in _VGA:
        add(add(draft.listed, "video"), "model", type=_VGA[value])


# -- backends --------------------------------------------------------------------------------------


def _drive(draft: Draft, value: str) -> None:
    props = properties(value)
    if props.get("if") == "pflash":
        _flash(draft, props)
        return
    draft.drives[str(props.get("id", f"drive-{len(draft.drives)}"))] = props


def _flash(draft: Draft, props: Props) -> None:
    system = draft.at("os")
    if str(props.get("unit", "0")) == "0":
        loader = add(system, "loader", props.get("file"), type="pflash")
        loader.set("readonly", "yes" if is_on(props.get("readonly", "off")) else "no")
    else:
        add(system, "nvram", props.get("file"))


def _board_drive(draft: Draft, drive: Props) -> None:
    """A drive whose device the board makes."""
    bus = _BUSES.get(str(drive.get("if", "")), "ide")
    if bus in ("none", "sd"):
        draft.pass_on("-drive", ",".join(f"{key}={str(value).replace(',', ',,')}" for key, value in drive.items()))
        return
    if bus == "ide" and draft.is_q35:
        bus = "sata"
    device = "floppy" if bus == "fdc" else "cdrom" if drive.get("media") == "cdrom" else "disk"
    backends.add_disk(draft, drive, bus, device, {})


def _image(media: str, bus: str) -> Callable[[Draft, str], None]:
    def keep(draft: Draft, value: str) -> None:
        draft.drives[f"image-{len(draft.drives)}"] = {"file": value, "if": bus, "media": media}

    return keep


def _nic(draft: Draft, value: str) -> None:
    props = properties(value, "type")
    if props.get("type") == "none":
        return
    model = str(props.get("model", "")).removesuffix("-net-pci").removesuffix("-pci") or None
    backends.add_interface(draft, props, model, props)


def _by_id(table: str, implied: str, key: str = "id") -> Callable[[Draft, str], None]:
    def keep(draft: Draft, value: str) -> None:
        props = properties(value, implied)
        getattr(draft, table)[str(props.get(key, ""))] = props

    return keep


def _port(tag: str) -> Callable[[Draft, str], None]:
    def keep(draft: Draft, value: str) -> None:
        if value == "none":
            return
        known = draft.chardevs.get(value.removeprefix("chardev:")) if value.startswith("chardev:") else None
        if backends.chardev_element(draft, tag, known or backends.short_chardev(value)) is None:
            draft.pass_on(f"-{tag}", value)

    return keep


def _device(draft: Draft, value: str) -> None:
    draft.devices.append(properties(value, "driver"))


def _usb_device(draft: Draft, value: str) -> None:
    if value in ("tablet", "mouse", "keyboard"):
        add(draft.listed, "input", type=value, bus="usb")
    else:
        draft.pass_on("-usbdevice", value)


def _text(path: str) -> Callable[[Draft, str], None]:
    def keep(draft: Draft, value: str) -> None:
        draft.text(path, value)

    return keep


def _no_reboot(draft: Draft) -> None:
    draft.text("on_reboot", "destroy")


def _ignore(draft: Draft, value: str = "") -> None:
    """What the driver sets by itself."""


#: Options without a value.
_BARE: dict[str, Callable[[Draft], None]] = {
    "-enable-kvm": lambda draft: _accelerate(draft, "kvm"),
    "-no-acpi": _no_acpi,
    "-no-hpet": lambda draft: _timer(draft, "hpet", False),
    "-no-reboot": _no_reboot,
    "-localtime": lambda draft: draft.at("clock").set("offset", "localtime"),
    **dict.fromkeys(
        ("-S", "-no-user-config", "-nodefaults", "-no-shutdown", "-nographic", "-usb", "-daemonize"),
        _ignore,
    ),
}
#: Options with one.
_VALUED: dict[str, Callable[[Draft, str], None]] = {
    "-name": _name, "-uuid": _text("uuid"), "-m": _memory, "-smp": _smp, "-machine": _machine, "-M": _machine,
    "-accel": _accelerate, "-cpu": _cpu, "-boot": _boot, "-rtc": _rtc, "-kernel": _text("os/kernel"),
    "-initrd": _text("os/initrd"), "-append": _text("os/cmdline"), "-dtb": _text("os/dtb"),
    "-bios": _text("os/loader"), "-vnc": _vnc, "-spice": _spice, "-display": _display, "-vga": _vga,
    "-drive": _drive, "-hda": _image("disk", "ide"), "-hdb": _image("disk", "ide"), "-hdc": _image("disk", "ide"),
    "-hdd": _image("disk", "ide"), "-cdrom": _image("cdrom", "ide"), "-fda": _image("disk", "floppy"),
    "-fdb": _image("disk", "floppy"), "-blockdev": _by_id("nodes", "driver", "node-name"),
    "-netdev": _by_id("netdevs", "type"), "-nic": _nic, "-chardev": _by_id("chardevs", "backend"),
    "-object": _by_id("objects", "qom-type"), "-device": _device, "-serial": _port("serial"),
    "-parallel": _port("parallel"), "-usbdevice": _usb_device,
    **dict.fromkeys(
        ("-monitor", "-mon", "-qmp", "-overcommit", "-sandbox", "-msg", "-audiodev", "-pidfile", "-D", "-add-fd",
         "-runas", "-L"),
        _ignore,
    ),
}  # fmt: skip
