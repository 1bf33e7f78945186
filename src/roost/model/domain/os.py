"""What boots and how: <os>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain.devices.disk import AnyDiskSource
from roost.xml import Child, Complaint, Int, Record, Text, UInt, YesNo, at, inline

BootDevice = Literal["fd", "hd", "cdrom", "network"]
NO_OS_TYPE = Complaint(XmlError, "an os <type> must be specified")

OsType = Literal["hvm", "xen", "linux", "xenpvh", "exe", "uml"]


class FirmwareFeature(Record):
    enabled: YesNo
    name: Literal["enrolled-keys", "secure-boot"]


class Loader(Record):
    """The firmware image; without a path one is chosen by `Os.firmware`."""

    readonly: YesNo | None = None
    secure: YesNo | None = None
    type: Literal["rom", "pflash"] | None = None
    stateless: YesNo | None = None
    path: Text[str | None] = None


class Nvram(Record):
    """The firmware's variables: a plain `path`, or a `source` of any kind."""

    template: str | None = None
    source: Annotated[AnyDiskSource | None, inline(after="template")] = None
    path: Text[str | None] = None


class Os(Record):
    firmware: Annotated[Literal["bios", "efi"] | None, at("@firmware")] = None
    arch: Annotated[str | None, at("type/@arch")] = None
    machine: Annotated[str | None, at("type/@machine")] = None
    type: Annotated[OsType, at("type", missing=NO_OS_TYPE, wrong=Complaint(ConfigUnsupported, "unknown OS type '%s'"))]
    firmware_features: Annotated[tuple[FirmwareFeature, ...], at("firmware/feature")] = ()
    loader: Loader | None = None
    nvram: Nvram | None = None
    kernel: Child[str | None] = None
    initrd: Child[str | None] = None
    cmdline: Child[str | None] = None
    dtb: Child[str | None] = None
    root: Child[str | None] = None
    acpi_table_type: Annotated[Literal["slic"] | None, at("acpi/table/@type")] = None
    acpi_table: Annotated[str | None, at("acpi/table")] = None
    boot: Annotated[tuple[BootDevice, ...], at("boot/@dev")] = ()
    bootmenu: Annotated[YesNo | None, at("bootmenu/@enable")] = None
    bootmenu_timeout: Annotated[UInt | None, at("bootmenu/@timeout")] = None
    bios_useserial: Annotated[YesNo | None, at("bios/@useserial")] = None
    bios_reboot_timeout: Annotated[Int | None, at("bios/@rebootTimeout")] = None
    smbios_mode: Annotated[Literal["emulate", "host", "sysinfo"] | None, at("smbios/@mode")] = None


__all__ = ["NO_OS_TYPE", "BootDevice", "FirmwareFeature", "Loader", "Nvram", "Os", "OsType"]
