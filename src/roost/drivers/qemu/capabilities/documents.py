"""<capabilities> and <domainCapabilities>, from what was probed. Dry.

A first form: everything in it is true, and what is not known yet (the host's
CPU as libvirt's model names, the enums of later devices) is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.sax.saxutils import escape

from roost.drivers.qemu.capabilities.record import Capabilities, MachineType
from roost.host.api import Account, NodeFacts

_WORD_SIZE = {"x86_64": 64, "aarch64": 64, "ppc64": 64, "ppc64le": 64, "s390x": 64, "riscv64": 64}
_MIGRATION_TRANSPORTS = ("tcp", "rdma")

#: Features of a guest, by architecture.
_FEATURES = {
    "i686": ("<pae/>", "<nonpae/>", "<acpi default='on' toggle='yes'/>", "<apic default='on' toggle='no'/>"),
    "x86_64": ("<acpi default='on' toggle='yes'/>", "<apic default='on' toggle='no'/>"),
}
_COMMON_FEATURES = ("<cpuselection/>", "<deviceboot/>", "<disksnapshot default='on' toggle='no'/>")

#: CPU models of QEMU that stand for another or for none, and so are no models of a guest.
_NO_MODELS = ("base", "host", "max")


def _quoted(value: str) -> str:
    return "'" + escape(value, {"'": "&apos;"}) + "'"


class Writer:
    """Indented lines of XML."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._depth = 0

    def line(self, text: str) -> None:
        self.lines.append("  " * self._depth + text if text else "")

    def open(self, text: str) -> None:
        self.line(text)
        self._depth += 1

    def close(self, tag: str) -> None:
        self._depth -= 1
        self.line(f"</{tag}>")

    def text(self, tag: str, value: object) -> None:
        self.line(f"<{tag}>{escape(str(value))}</{tag}>")

    def enum(self, name: str, values: Iterable[str]) -> None:
        self.open(f"<enum name='{name}'>")
        for value in values:
            self.text("value", value)
        self.close("enum")

    def __str__(self) -> str:
        return "\n".join(self.lines) + "\n"


# -- <capabilities> ----------------------------------------------------------------------------


def capabilities(node: NodeFacts, guests: Sequence[Capabilities], account: Account | None) -> str:
    """The host, and each emulator on it."""
    out = Writer()
    out.open("<capabilities>")
    out.line("")
    out.open("<host>")
    out.text("uuid", node.uuid())
    _host_cpu(out, node)
    out.line("<power_management/>")
    out.open("<migration_features>")
    out.line("<live/>")
    out.open("<uri_transports>")
    for transport in _MIGRATION_TRANSPORTS:
        out.text("uri_transport", transport)
    out.close("uri_transports")
    out.close("migration_features")
    _host_topology(out, node)
    out.open("<secmodel>")
    out.text("model", "none")
    out.text("doi", 0)
    out.close("secmodel")
    if account is not None:
        out.open("<secmodel>")
        out.text("model", "dac")
        out.text("doi", 0)
        for kind in ("kvm", "qemu"):
            out.line(f"<baselabel type='{kind}'>+{account.uid}:+{account.gid}</baselabel>")
        out.close("secmodel")
    out.close("host")
    out.line("")
    for guest in guests:
        _guest(out, guest)
        out.line("")
    out.close("capabilities")
    return str(out)


def _host_cpu(out: Writer, node: NodeFacts) -> None:
    identity, info = node.cpu_identity(), node.info()
    out.open("<cpu>")
    out.text("arch", node.machine())
    vendor = {"AuthenticAMD": "AMD", "GenuineIntel": "Intel", "HygonGenuine": "Hygon"}.get(
        identity.get("vendor_id", "")
    )
    if vendor:
        out.text("vendor", vendor)
    family, model, stepping = (identity.get(key) for key in ("cpu family", "model", "stepping"))
    if family and model and stepping:
        out.line(f"<signature family={_quoted(family)} model={_quoted(model)} stepping={_quoted(stepping)}/>")
    out.line(f"<topology sockets='{info.sockets}' dies='1' cores='{info.cores}' threads='{info.threads}'/>")
    out.close("cpu")


def _host_topology(out: Writer, node: NodeFacts) -> None:
    cells, places = node.cells_memory(), node.topology()
    out.open("<topology>")
    out.open(f"<cells num='{len(cells)}'>")
    for number, memory in enumerate(cells):
        out.open(f"<cell id='{number}'>")
        out.line(f"<memory unit='KiB'>{memory['MemTotal']}</memory>")
        # One cell has them all; which of several has which is part of the full document.
        if len(cells) == 1:
            out.open(f"<cpus num='{len(places)}'>")
            for place in places:
                out.line(
                    f"<cpu id='{place.cpu}' socket_id='{place.socket}' die_id='{place.die}' "
                    f"core_id='{place.core}' siblings={_quoted(place.siblings)}/>"
                )
            out.close("cpus")
        out.close("cell")
    out.close("cells")
    out.close("topology")


def _guest(out: Writer, caps: Capabilities) -> None:
    out.open("<guest>")
    out.text("os_type", "hvm")
    out.open(f"<arch name={_quoted(caps.arch)}>")
    out.text("wordsize", _WORD_SIZE.get(caps.arch, 32))
    out.text("emulator", caps.binary)
    for machine in caps.machines:
        deprecated = " deprecated='yes'" if machine.deprecated else ""
        out.line(f"<machine maxCpus='{machine.max_cpus}'{deprecated}>{escape(machine.name)}</machine>")
        if machine.alias:
            canonical = _quoted(machine.name)
            out.line(f"<machine canonical={canonical} maxCpus='{machine.max_cpus}'>{escape(machine.alias)}</machine>")
    if "tcg" in caps.accelerators:
        out.line("<domain type='qemu'/>")
    if "kvm" in caps.accelerators:
        out.line("<domain type='kvm'/>")
    out.close("arch")
    out.open("<features>")
    for feature in (*_FEATURES.get(caps.arch, ()), *_COMMON_FEATURES):
        out.line(feature)
    out.close("features")
    out.close("guest")


# -- <domainCapabilities> ----------------------------------------------------------------------

#: (element, (enum, ((value, what QEMU must have: any of), ...)), ...): a value without a condition is always there.
_Choice = tuple[str, tuple[str, ...]]
_DEVICES: tuple[tuple[str, tuple[tuple[str, tuple[_Choice, ...]], ...]], ...] = (
    ("disk", (
        ("diskDevice", (("disk", ()), ("cdrom", ()), ("floppy", ()), ("lun", ()))),
        ("bus", (
            ("ide", ("ide-hd",)), ("fdc", ("floppy",)), ("scsi", ("scsi-hd",)),
            ("virtio", ("virtio-blk-pci", "virtio-blk-device")), ("usb", ("usb-storage",)), ("sata", ("ich9-ahci",)),
        )),
        ("model", (
            ("virtio", ("virtio-blk-pci",)), ("virtio-transitional", ("virtio-blk-pci-transitional",)),
            ("virtio-non-transitional", ("virtio-blk-pci-non-transitional",)),
        )),
    )),
    ("graphics", (("type", (("vnc", ("option:vnc",)),)),)),
    ("video", (
        ("modelType", (
            ("vga", ("VGA",)), ("cirrus", ("cirrus-vga",)), ("vmvga", ("vmware-svga",)), ("qxl", ("qxl-vga",)),
            ("virtio", ("virtio-vga", "virtio-gpu-pci")), ("none", ()), ("bochs", ("bochs-display",)),
            ("ramfb", ("ramfb",)),
        )),
    )),
    ("rng", (
        ("model", (
            ("virtio", ("virtio-rng-pci",)), ("virtio-transitional", ("virtio-rng-pci-transitional",)),
            ("virtio-non-transitional", ("virtio-rng-pci-non-transitional",)),
        )),
        ("backendModel", (("random", ("rng-random",)), ("egd", ("rng-egd",)), ("builtin", ("rng-builtin",)))),
    )),
)  # fmt: skip


#: Devices of libvirt's document that this driver does not serve.
_NOT_YET = ("hostdev", "filesystem", "tpm", "redirdev")


def domain_capabilities(caps: Capabilities, machine: MachineType, virt_type: str) -> str:
    """What a guest of that machine may have."""
    out = Writer()
    out.open("<domainCapabilities>")
    out.text("path", caps.binary)
    out.text("domain", virt_type)
    out.text("machine", machine.name)
    out.text("arch", caps.arch)
    out.line(f"<vcpu max='{machine.max_cpus}'/>")
    out.line(f"<iothreads supported={_yes_no(caps.has('iothread'))}/>")
    _cpu_modes(out, caps, virt_type)
    for element, enums in _DEVICES:
        if element == _DEVICES[0][0]:
            out.open("<devices>")
        out.open(f"<{element} supported='yes'>")
        for name, choices in enums:
            out.enum(name, (value for value, needed in choices if not needed or any(map(caps.has, needed))))
        out.close(element)
    for element in _NOT_YET:
        out.line(f"<{element} supported='no'/>")
    out.close("devices")
    out.open("<features>")
    out.line("<gic supported='no'/>")
    out.line(f"<vmcoreinfo supported={_yes_no(caps.has('vmcoreinfo'))}/>")
    out.line(f"<genid supported={_yes_no(caps.has('vmgenid'))}/>")
    out.line(f"<backingStoreInput supported={_yes_no(caps.has('command:blockdev-add'))}/>")
    out.line("<backup supported='no'/>")
    out.close("features")
    out.close("domainCapabilities")
    return str(out)


def _yes_no(value: bool) -> str:
    return "'yes'" if value else "'no'"


def _cpu_modes(out: Writer, caps: Capabilities, virt_type: str) -> None:
    out.open("<cpu>")
    out.line(f"<mode name='host-passthrough' supported={_yes_no(virt_type == 'kvm')}/>")
    out.line(f"<mode name='maximum' supported={_yes_no(any(model.name == 'max' for model in caps.cpu_models))}/>")
    out.line("<mode name='host-model' supported='no'/>")
    models = [model for model in caps.cpu_models if model.name not in _NO_MODELS and model.name[-3:-1] != "-v"]
    out.open(f"<mode name='custom' supported={_yes_no(bool(models))}>")
    for model in sorted(models, key=lambda model: model.name, reverse=True):
        usable = "unknown" if model.unavailable is None else "no" if model.unavailable else "yes"
        out.line(f"<model usable='{usable}'>{escape(model.name)}</model>")
    out.close("mode")
    out.close("cpu")
