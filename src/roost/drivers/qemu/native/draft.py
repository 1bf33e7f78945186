"""The document while it grows: elements, and the backends that devices will name."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

from roost.drivers.qemu.native.words import Props
from roost.model.domain.boards import is_q35

_QEMU = "http://libvirt.org/schemas/domain/qemu/1.0"
ET.register_namespace("qemu", _QEMU)
_PCI_BUS = re.compile(r"pcie?\.(\d+)")


class Draft:
    """root: <domain>. The tables hold backends by the id that devices know them by."""

    def __init__(self) -> None:
        self.root = ET.Element("domain", type="qemu")
        for name in ("name", "memory", "vcpu", "os", "devices"):
            ET.SubElement(self.root, name)
        self.drives: dict[str, Props] = {}
        self.nodes: dict[str, Props] = {}
        self.netdevs: dict[str, Props] = {}
        self.chardevs: dict[str, Props] = {}
        self.objects: dict[str, Props] = {}
        self.devices: list[Props] = []
        self.passed: list[str] = []
        self._names: dict[str, int] = {}

    @property
    def listed(self) -> ET.Element:
        """<devices>"""
        return self.at("devices")

    @property
    def is_q35(self) -> bool:
        """Whether the board's drives are SATA ones."""
        return is_q35(self.at("os/type").get("machine", ""))

    def at(self, path: str) -> ET.Element:
        """The element below the root, made where it is missing."""
        found = self.root
        for step in path.split("/"):
            child = found.find(step)
            found = child if child is not None else ET.SubElement(found, step)
        return found

    def text(self, path: str, value: object) -> ET.Element:
        element = self.at(path)
        element.text = str(value)
        return element

    def disk_name(self, prefix: str, number: int | None) -> str:
        """vda, vdb, … vdaa by number, from 0; the next one when it is None."""
        if number is None:
            number = self._names.get(prefix, 0)
        self._names[prefix] = max(self._names.get(prefix, 0), number + 1)
        letters = ""
        number += 1
        while number:
            number, rest = divmod(number - 1, 26)
            letters = chr(ord("a") + rest) + letters
        return prefix + letters

    def pass_on(self, *words: str) -> None:
        """Keep words that have no element."""
        self.passed.extend(words)

    def place(self, element: ET.Element, props: Props) -> None:
        """The PCI address a device was given by hand, where the document can say it."""
        bus = _PCI_BUS.fullmatch(str(props.get("bus", "")))
        if bus is None or "addr" not in props:
            return
        slot, _, function = str(props["addr"]).partition(".")
        add(
            element, "address", type="pci", domain="0x0000", bus=f"{int(bus[1]):#04x}",
            slot=f"{int(slot, 16):#04x}", function=f"{int(function or '0', 16):#x}",
        )  # fmt: skip

    def boot(self, element: ET.Element, props: Props) -> None:
        """Its place in the boot order."""
        if "bootindex" in props:
            add(element, "boot", order=props["bootindex"])

    def close(self, env: dict[str, str]) -> str:
        """The document as text; env: variables the user set."""
        if self.passed or env:
            commandline = ET.SubElement(self.root, f"{{{_QEMU}}}commandline")
            for word in self.passed:
                ET.SubElement(commandline, f"{{{_QEMU}}}arg", value=word)
            for name, value in env.items():
                ET.SubElement(commandline, f"{{{_QEMU}}}env", name=name, value=value)
        return ET.tostring(self.root, encoding="unicode")


def add(parent: ET.Element, tag: str, text: object = None, **attributes: object) -> ET.Element:
    """A child element; attributes that are None are left out."""
    element = ET.SubElement(parent, tag, {name: str(value) for name, value in attributes.items() if value is not None})
    if text is not None:
        element.text = str(text)
    return element
