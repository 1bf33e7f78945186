"""What boots and how: <os>."""

from __future__ import annotations

from typing import Annotated, Literal

from roost.errors import ConfigUnsupported, XmlError
from roost.model.domain.devices.disk import AnyDiskSource, BlockSource, FileSource
from roost.xml import Child, Complaint, Int, Record, Text, UInt, YesNo, at, inline

BootDevice = Literal["fd", "hd", "cdrom", "network"]
NO_OS_TYPE = Complaint(XmlError, "an os <type> must be specified")

#: The format of an image for the machine's flash.
FlashFormat = Literal["raw", "qcow2"]
OsType = Literal["hvm", "xen", "linux", "xenpvh", "exe", "uml"]


class FirmwareFeature(Record):
    """What the firmware that is chosen must have, or must not."""

    enabled: YesNo
    name: Literal["enrolled-keys", "secure-boot"]


class Loader(Record):
    """The firmware image; without a path one is chosen by `Os.firmware`.

    secure: the image keeps its variables from the guest, which needs SMM. stateless: it keeps no variables.
    """

    readonly: YesNo | None = None
    secure: YesNo | None = None
    type: Literal["rom", "pflash"] | None = None
    stateless: YesNo | None = None
    format: Annotated[FlashFormat | None, at("@format", unset=("raw",))] = None
    path: Text[str | None] = None


class Nvram(Record):
    """The firmware's variables: a plain `path`, or a `source` of any kind. template: what they start from."""

    template: str | None = None
    template_format: Annotated[FlashFormat | None, at("@templateFormat", unset=("raw",))] = None
    source: Annotated[AnyDiskSource | None, inline(after="template_format")] = None
    format: Annotated[FlashFormat | None, at("@format", unset=("raw",))] = None
    path: Text[str | None] = None


class VarStore(Record):
    """Variables that QEMU keeps by itself, in a file of JSON."""

    template: str | None = None
    path: str | None = None


class AcpiTable(Record):
    """A table added to those of the machine, from a file. raw and rawset take it as it is."""

    type: Annotated[
        Literal["slic", "msdm", "raw", "rawset"],
        at(
            "@type",
            wrong=Complaint(XmlError, "Unknown acpi table type: %s"),
            missing=Complaint(XmlError, "Missing acpi table type"),
        ),
    ]
    path: Text[str | None] = None


class InitEnv(Record):
    name: Annotated[str, at("@name", missing=Complaint(XmlError, "No name supplied for <initenv> element"))]
    value: Text[str | None] = None


class Os(Record):
    """init and what follows it start a container, and mean nothing to a virtual machine."""

    firmware: Annotated[
        Literal["bios", "efi"] | None, at("@firmware", wrong=Complaint(XmlError, "unknown firmware value %s"))
    ] = None
    arch: Annotated[str | None, at("type/@arch")] = None
    machine: Annotated[str | None, at("type/@machine")] = None
    type: Annotated[OsType, at("type", missing=NO_OS_TYPE, wrong=Complaint(ConfigUnsupported, "unknown OS type '%s'"))]
    firmware_features: Annotated[tuple[FirmwareFeature, ...], at("firmware/feature")] = ()
    init: Child[str | None] = None
    init_args: Annotated[tuple[str, ...], at("initarg")] = ()
    init_env: Annotated[tuple[InitEnv, ...], at("initenv")] = ()
    init_directory: Annotated[str | None, at("initdir")] = None
    init_user: Annotated[str | None, at("inituser")] = None
    init_group: Annotated[str | None, at("initgroup")] = None
    loader: Loader | None = None
    nvram: Nvram | None = None
    varstore: VarStore | None = None
    kernel: Child[str | None] = None
    initrd: Child[str | None] = None
    cmdline: Child[str | None] = None
    dtb: Child[str | None] = None
    shim: Child[str | None] = None
    root: Child[str | None] = None
    acpi_tables: Annotated[tuple[AcpiTable, ...], at("acpi/table")] = ()
    boot: Annotated[tuple[BootDevice, ...], at("boot/@dev")] = ()
    bootmenu: Annotated[YesNo | None, at("bootmenu/@enable")] = None
    bootmenu_timeout: Annotated[UInt | None, at("bootmenu/@timeout")] = None
    bios_useserial: Annotated[YesNo | None, at("bios/@useserial")] = None
    bios_reboot_timeout: Annotated[Int | None, at("bios/@rebootTimeout")] = None
    smbios_mode: Annotated[
        Literal["emulate", "host", "sysinfo"] | None,
        at("smbios/@mode", wrong=Complaint(ConfigUnsupported, "unknown smbios mode '%s'")),
    ] = None


def nvram_path(directory: str, name: str) -> str:
    """Where a guest's firmware keeps its variables unless told otherwise."""
    return f"{directory}/{name}_VARS.fd"


def variables_path(nvram: Nvram | None) -> str | None:
    """The host path of the firmware's variables; None where they have none, or are elsewhere."""
    if nvram is None:
        return None
    source = nvram.source
    if isinstance(source, FileSource):
        return source.file
    if isinstance(source, BlockSource):
        return source.dev
    return nvram.path


__all__ = [
    "NO_OS_TYPE", "AcpiTable", "BootDevice", "FirmwareFeature", "FlashFormat", "InitEnv", "Loader", "Nvram", "Os",
    "OsType", "VarStore", "nvram_path", "variables_path",
]  # fmt: skip
