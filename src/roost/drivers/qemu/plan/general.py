"""What every command line has: name, identity, monitor, sandbox; and the document's own arguments."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context
from roost.drivers.qemu.plan.pieces import Piece, escape, option

_SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"


def start_section(ctx: Context) -> Iterator[Piece]:
    yield option("-name", f"guest={escape(ctx.domain.name)},debug-threads=on")
    yield option("-S")
    yield from _deprecation(ctx)


#: What a document may want of QEMU about deprecated input, and the words for it.
_DEPRECATION = {
    "omit": '{"deprecated-output":"hide"}',
    "reject": '{"deprecated-input":"reject","deprecated-output":"hide"}',
    "crash": '{"deprecated-input":"crash","deprecated-output":"hide"}',
}


def _deprecation(ctx: Context) -> Iterator[Piece]:
    asked = ctx.domain.qemu_deprecation
    words = _DEPRECATION.get(asked.behavior or "") if asked is not None else None
    if words is not None:
        yield option("-compat", words)


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


def incoming_section(ctx: Context) -> Iterator[Piece]:
    if ctx.grants.incoming:
        yield option("-incoming", "defer")


def custom_section(ctx: Context) -> Iterator[Piece]:
    custom = ctx.domain.qemu_commandline
    if custom is not None and custom.args:
        yield option(*(arg.value for arg in custom.args))


def sandbox_section(ctx: Context) -> Iterator[Piece]:
    if ctx.caps.has("option:sandbox"):
        yield option("-sandbox", _SANDBOX)


def messages_section(ctx: Context) -> Iterator[Piece]:
    yield option("-msg", "timestamp=on")
