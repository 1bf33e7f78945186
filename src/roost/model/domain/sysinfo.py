"""What the guest's firmware tells of the machine: <sysinfo>."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from roost.errors import XmlError
from roost.xml import Complaint, Record, Text, at

#: The tables of SMBIOS by their field in `SmbiosSysinfo`, and the entries of each in the order in which they are kept.
SMBIOS_ENTRIES = {
    "bios": ("vendor", "version", "date", "release"),
    "system": ("manufacturer", "product", "version", "serial", "uuid", "sku", "family"),
    "base_boards": ("manufacturer", "product", "version", "serial", "asset", "location"),
    "chassis": ("manufacturer", "version", "serial", "asset", "sku"),
}


class SysinfoEntry(Record):
    """One text of an SMBIOS table; entries of a name that the table does not have are dropped."""

    name: str = ""
    value: Text[str | None] = None


class BaseBoard(Record):
    """A board of the machine: manufacturer, product, version, serial, asset, location."""

    entries: Annotated[tuple[SysinfoEntry, ...], at("entry")] = ()


class FwCfgEntry(Record):
    """A file in QEMU's firmware configuration: its text, or the path of a file that holds it.

    name: below opt/, but not opt/ovmf/ and opt/org.qemu/.
    """

    name: Annotated[str, at("@name", missing=Complaint(XmlError, "Firmware entry is missing 'name' attribute"))]
    file: str | None = None
    value: Text[str | None] = None


class Sysinfo(Record, tag_field="type"):
    """Texts for the guest's firmware; `AnySysinfo` is the union."""


class SmbiosSysinfo(Sysinfo, tag="smbios"):
    """Shown to the guest when `<smbios mode='sysinfo'/>` says so.

    bios: vendor, version, date (mm/dd/yyyy), release. system: manufacturer, product, version, serial, uuid (the
    domain's own), sku, family. chassis: manufacturer, version, serial, asset, sku.
    """

    bios: Annotated[tuple[SysinfoEntry, ...], at("bios/entry")] = ()
    system: Annotated[tuple[SysinfoEntry, ...], at("system/entry")] = ()
    base_boards: Annotated[tuple[BaseBoard, ...], at("baseBoard")] = ()
    chassis: Annotated[tuple[SysinfoEntry, ...], at("chassis/entry")] = ()
    oem_strings: Annotated[tuple[str, ...], at("oemStrings/entry")] = ()


class FwCfgSysinfo(Sysinfo, tag="fwcfg"):
    entries: Annotated[tuple[FwCfgEntry, ...], at("entry")] = ()


AnySysinfo = SmbiosSysinfo | FwCfgSysinfo


def sysinfo_of(tables: Mapping[str, Mapping[str, str]]) -> SmbiosSysinfo | None:
    """Tables by the names of `SMBIOS_ENTRIES` as a section of a document; None without any."""
    if not tables:
        return None
    entries = {
        table: tuple(SysinfoEntry(name=name, value=found[name]) for name in names if name in found)
        for table, names in SMBIOS_ENTRIES.items()
        for found in (tables.get(table, {}),)
    }
    boards = entries["base_boards"]
    return SmbiosSysinfo(
        bios=entries["bios"],
        system=entries["system"],
        base_boards=(BaseBoard(entries=boards),) if boards else (),
        chassis=entries["chassis"],
    )


__all__ = [
    "SMBIOS_ENTRIES", "AnySysinfo", "BaseBoard", "FwCfgEntry", "FwCfgSysinfo", "SmbiosSysinfo", "Sysinfo",
    "SysinfoEntry", "sysinfo_of",
]  # fmt: skip
