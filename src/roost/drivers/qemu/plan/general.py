"""What every command line has: name, identity, monitor, sandbox; and the document's own arguments."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, escape, option
from roost.drivers.qemu.plan.resources import File
from roost.model.domain.general import FwCfgSysinfo, SmbiosSysinfo

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def start_section(ctx: Context) -> Iterator[Piece]:
    yield option("-name", f"guest={escape(ctx.domain.name)},debug-threads=on")
    yield option("-S")


def identity_section(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    if domain.uuid is not None:
        yield option("-uuid", domain.uuid)
    yield from _smbios(ctx)
    if domain.genid is not None:
        ctx.require("vmgenid", "this QEMU does not support the 'genid' capability", "drop <genid>")
        yield Piece("device", {"driver": "vmgenid", "guid": domain.genid, "id": "vmgenid0"})


#: SMBIOS tables by number: where the document has their entries, and the entries in QEMU's order.
_SMBIOS = (
    ("bios", ("vendor", "version", "date", "release")),
    ("system", ("manufacturer", "product", "version", "serial", "uuid", "sku", "family")),
    ("base_board", ("manufacturer", "product", "version", "serial", "asset", "location")),
    ("chassis", ("manufacturer", "version", "serial", "asset", "sku")),
)


def _smbios(ctx: Context) -> Iterator[Piece]:
    domain = ctx.domain
    for info in domain.sysinfo:
        if isinstance(info, SmbiosSysinfo) and domain.os.smbios_mode == "sysinfo":
            for number, (field, names) in enumerate(_SMBIOS):
                values = {entry.name: entry.value for entry in getattr(info, field)}
                words = [f"{name}={escape(values[name] or '')}" for name in names if name in values]
                if words:
                    yield option("-smbios", ",".join((f"type={number}", *words)))
            if info.oem_strings:
                words = [f"value={escape(text)}" for text in info.oem_strings]
                yield option("-smbios", ",".join(("type=11", *words)))
        elif isinstance(info, FwCfgSysinfo):
            for entry in info.entries:
                kind, value = ("file", entry.file) if entry.file else ("string", entry.value)
                yield option("-fw_cfg", f"name={escape(entry.name)},{kind}={escape(value or '')}")


def needs(ctx: Context) -> Iterator[File]:
    for info in ctx.domain.sysinfo:
        if isinstance(info, FwCfgSysinfo):
            for entry in info.entries:
                if entry.file:
                    yield File(entry.file, write=False, user=entry.name, kind="kernel")


def display_section(ctx: Context) -> Iterator[Piece]:
    if not ctx.domain.devices.graphics:
        yield option("-display", "none")
    yield option("-no-user-config")
    yield option("-nodefaults")


def monitor_section(ctx: Context) -> Iterator[Piece]:
    grants = ctx.grants
    where = f"fd={ctx.use(grants.monitor)}" if grants.monitor is not None else f"path={escape(grants.monitor_path)}"
    yield option("-chardev", f"socket,id=charmonitor,{where},server=on,wait=off")
    yield option("-mon", "chardev=charmonitor,id=monitor,mode=control")


def vmcoreinfo_section(ctx: Context) -> Iterator[Piece]:
    features = ctx.domain.features
    if features is not None and features.vmcoreinfo:
        yield Piece("device", {"driver": ctx.driver("vmcoreinfo", "vmcoreinfo")})


def custom_section(ctx: Context) -> Iterator[Piece]:
    custom = ctx.domain.qemu_commandline
    if custom is not None and custom.args:
        yield option(*custom.args)


def sandbox_section(ctx: Context) -> Iterator[Piece]:
    if ctx.caps.has("option:sandbox"):
        yield option("-sandbox", _SANDBOX)


def messages_section(ctx: Context) -> Iterator[Piece]:
    yield option("-msg", "timestamp=on")
