"""What runs before the guest's own system, and what it tells that: flash, BIOS, kernel, SMBIOS, fw_cfg, ACPI tables."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, Props, escape, on_off, option
from roost.drivers.qemu.plan.protocols import Keys, network_props
from roost.drivers.qemu.plan.resources import File, Made
from roost.errors import ConfigUnsupported, From, XmlError
from roost.model.domain.devices.disk import BlockSource, NetworkSource
from roost.model.domain.os import AcpiTable, Loader, Nvram, variables_path
from roost.model.domain.sysinfo import SMBIOS_ENTRIES, FwCfgSysinfo, SmbiosSysinfo, SysinfoEntry


def is_pflash(loader: Loader | None) -> bool:
    return loader is not None and loader.type == "pflash" and bool(loader.path)


# -- flash -------------------------------------------------------------------------------------


def flash_section(ctx: Context) -> Iterator[Piece]:
    """The images of the flash, which the machine names."""
    os = ctx.domain.os
    if not is_pflash(os.loader):
        return
    assert os.loader is not None
    storage: Props = {"driver": "file", "filename": os.loader.path}
    yield from _flash("libvirt-pflash0", storage, os.loader.format, readonly=bool(os.loader.readonly))
    if _has_variables(ctx):
        assert os.nvram is not None
        yield from _flash("libvirt-pflash1", _storage(os.nvram), os.nvram.format, readonly=False)


def _flash(node: str, storage: Props, format: str | None, *, readonly: bool) -> Iterator[Piece]:
    common = {"node-name": f"{node}-storage", "auto-read-only": True, "discard": "unmap"}
    yield Piece("blockdev", storage | common)
    data = {"node-name": f"{node}-format", "read-only": readonly, "driver": format or "raw", "file": f"{node}-storage"}
    yield Piece("blockdev", data)


def _storage(nvram: Nvram) -> Props:
    if isinstance(nvram.source, NetworkSource):
        return network_props(nvram.source, nvram.source.auth, Keys())
    driver = "host_device" if isinstance(nvram.source, BlockSource) else "file"
    return {"driver": driver, "filename": variables_path(nvram)}


def _has_variables(ctx: Context) -> bool:
    nvram = ctx.domain.os.nvram
    return nvram is not None and (nvram.path is not None or nvram.source is not None)


def machine_words(ctx: Context) -> Iterator[str]:
    """The flash, in `-machine`."""
    if is_pflash(ctx.domain.os.loader):
        yield "pflash0=libvirt-pflash0-format"
        if _has_variables(ctx):
            yield "pflash1=libvirt-pflash1-format"


def loader_section(ctx: Context) -> Iterator[Piece]:
    loader = ctx.domain.os.loader
    if loader is None or not loader.path:
        return
    if loader.type in (None, "rom"):
        yield option("-bios", loader.path)
    elif loader.secure:
        yield option("-global", "driver=cfi.pflash01,property=secure,value=on")


# -- what is booted ----------------------------------------------------------------------------


def boot_section(ctx: Context) -> Iterator[Piece]:
    os = ctx.domain.os
    words = []
    if os.bootmenu is not None:
        words.append(f"menu={on_off(os.bootmenu)}")
    if os.bios_reboot_timeout is not None:
        words.append(f"reboot-timeout={os.bios_reboot_timeout}")
    if os.bootmenu_timeout is not None:
        words.append(f"splash-time={os.bootmenu_timeout}")
    words.append("strict=on")
    yield option("-boot", ",".join(words))
    for flag, value in (
        ("-kernel", os.kernel), ("-initrd", os.initrd), ("-append", os.cmdline), ("-dtb", os.dtb), ("-shim", os.shim),
    ):  # fmt: skip
        if value:
            yield option(flag, value)
    for table in os.acpi_tables:
        yield option("-acpitable", f"{_acpi_words(table)}={escape(table.path or '')}")


def _acpi_words(table: AcpiTable) -> str:
    """raw: one table with its own header; rawset: several of them; the others get a header of the type's name."""
    return "file" if table.type in ("raw", "rawset") else f"sig={table.type.upper()},file"


#: Tables for which QEMU would fill in a maker of its own.
_ALWAYS_MANUFACTURED = ("base_boards", "chassis")


# -- what the firmware tells -------------------------------------------------------------------


def identity_section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    if domain.uuid is not None:
        yield option("-uuid", domain.hwuuid or domain.uuid)
    yield from _smbios(ctx)
    for info in domain.sysinfo:
        if isinstance(info, FwCfgSysinfo):
            for entry in info.entries:
                kind, value = ("string", entry.value) if entry.value else ("file", entry.file)
                yield option("-fw_cfg", f"name={entry.name},{kind}={escape(value or '')}")
    if domain.genid is not None:
        ctx.require("vmgenid", "this QEMU does not support the 'genid' capability", "drop <genid>")
        yield Piece("device", {"driver": "vmgenid", "guid": domain.genid.value, "id": "vmgenid0"})


def _smbios(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    if domain.os.smbios_mode in (None, "emulate"):
        return
    if domain.os.smbios_mode == "host":
        info = ctx.grants.host_smbios
        if info is None:
            raise ConfigUnsupported(
                "Host SMBIOS information is not available",
                domain=From.QEMU,
                hint="this host tells none, or only to root; use <smbios mode='sysinfo'/> and write it down",
            )
    else:
        found = next((each for each in domain.sysinfo if isinstance(each, SmbiosSysinfo)), None)
        if found is None:
            raise XmlError(
                f"Domain '{domain.name}' sysinfo are not available",
                domain=From.QEMU,
                hint="<smbios mode='sysinfo'/> needs <sysinfo type='smbios'>",
            )
        info = found
    yield from _smbios_tables(info, with_uuid=domain.os.smbios_mode == "sysinfo")


def _smbios_tables(info: SmbiosSysinfo, *, with_uuid: bool) -> Iterator[Piece]:
    if len(info.base_boards) > 1:
        raise ConfigUnsupported(
            "qemu does not support more than one entry to Type 2 in SMBIOS table",
            domain=From.QEMU,
            hint="keep one <baseBoard>",
        )
    boards = info.base_boards[0].entries if info.base_boards else ()
    tables = (("bios", info.bios), ("system", info.system), ("base_boards", boards), ("chassis", info.chassis))
    for number, (table, entries) in enumerate(tables):
        words = _smbios_words(table, [entry for entry in entries if with_uuid or entry.name != "uuid"])
        if words:
            yield option("-smbios", ",".join((f"type={number}", *words)))
    if info.oem_strings:
        yield option("-smbios", ",".join(("type=11", *(f"value={escape(text)}" for text in info.oem_strings))))


def _smbios_words(table: str, entries: list[SysinfoEntry]) -> list[str]:
    values = {entry.name: entry.value for entry in entries}
    if values and table in _ALWAYS_MANUFACTURED:
        values.setdefault("manufacturer", "")
    return [f"{name}={escape(values[name] or '')}" for name in SMBIOS_ENTRIES[table] if name in values]


# -- what it takes -----------------------------------------------------------------------------


def needs(ctx: Context) -> Iterator[File | Made]:
    os = ctx.domain.os
    loaded = [(os.kernel, "kernel"), (os.initrd, "initrd"), (os.dtb, "dtb"), (os.shim, "shim")]
    loaded += [(table.path, "acpi table") for table in os.acpi_tables]
    for path, user in loaded:
        if path:
            yield File(path, write=False, user=user, kind="kernel")
    if os.loader is not None and os.loader.path:
        # Without a word about it flash can be written, but firmware that all guests share is not theirs to write.
        writable = is_pflash(os.loader) and os.loader.readonly is False
        yield File(os.loader.path, write=writable, user="loader", kind="kernel")
    path = variables_path(os.nvram)
    if path is not None and is_pflash(os.loader):
        assert os.nvram is not None
        if not isinstance(os.nvram.source, BlockSource):
            yield Made(
                path, template=os.nvram.template or "", user=(os.loader.path or "") if os.loader is not None else ""
            )
        yield File(path, write=True, user="nvram")
    for info in ctx.domain.sysinfo:
        if isinstance(info, FwCfgSysinfo):
            for entry in info.entries:
                if entry.file and not entry.value:
                    yield File(entry.file, write=False, user=entry.name, kind="kernel")
