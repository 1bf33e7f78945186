"""Trusted platform modules: the host's own, swtpm's, or somebody else's."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, device, escape, option
from roost.drivers.qemu.plan.resources import File, SoftwareTpm
from roost.model.domain.devices.tpm import EmulatorTpm, ExternalTpm, PassthroughTpm, Tpm

#: The character device by which QEMU controls a swtpm.
_CHARDEV = "chrtpm"


def _control(backend: EmulatorTpm | ExternalTpm, ctx: Context) -> Piece:
    path = backend.path if isinstance(backend, ExternalTpm) else ctx.grants.tpm_socket
    if path is None:
        # Nothing was acquired: a document that is only translated.
        return Piece("chardev", {"id": _CHARDEV, "backend": {"type": "null", "data": {}}})
    address = {"addr": {"type": "unix", "data": {"path": path}}}
    return Piece("chardev", {"id": _CHARDEV, "backend": {"type": "socket", "data": address}})


def pieces(tpm: Tpm, ctx: Context) -> Iterator[Piece]:
    backend, alias = tpm.backend, alias_of(tpm)
    if tpm.model == "spapr-tpm-proxy":
        path = backend.path if isinstance(backend, PassthroughTpm) else None
        yield device({"driver": ctx.driver("spapr-tpm-proxy", "spapr-tpm-proxy"), "id": alias, "host-path": path})
        return
    if isinstance(backend, PassthroughTpm):
        yield option("-tpmdev", f"passthrough,id=tpm-{alias},path={escape(backend.path or '')}")
    else:
        yield _control(backend, ctx)
        yield option("-tpmdev", f"emulator,id=tpm-{alias},chardev={_CHARDEV}")
    yield device({"driver": _driver(tpm, ctx), "tpmdev": f"tpm-{alias}", "id": alias, **ctx.address(tpm)})


def _driver(tpm: Tpm, ctx: Context) -> str:
    # Boards without an ISA bus have the same interface as a device of theirs.
    on_arm = ctx.domain.os.arch in ("aarch64", "armv7l") and tpm.model == "tpm-tis"
    name = "tpm-tis-device" if on_arm else tpm.model or "tpm-tis"
    return ctx.driver(name, f"tpm model {tpm.model}")


def section(ctx: Context) -> Iterator[Piece]:
    for tpm in ctx.domain.devices.tpms:
        yield from pieces(tpm, ctx)


def needs(ctx: Context) -> Iterator[File | SoftwareTpm]:
    for tpm in ctx.domain.devices.tpms:
        backend, alias = tpm.backend, alias_of(tpm)
        if isinstance(backend, PassthroughTpm):
            yield File(backend.path or "", write=True, user=alias, kind="device")
        elif isinstance(backend, EmulatorTpm):
            yield SoftwareTpm(
                key=alias,
                version=backend.version or "2.0",
                banks=backend.pcr_banks,
                debug=backend.debug or 0,
                secret=backend.secret,
                state=backend.source_path,
                state_is_file=backend.source_type == "file",
                profile="" if backend.profile is None else backend.profile.source or backend.profile.name or "",
                profile_remove_disabled=None if backend.profile is None else backend.profile.remove_disabled,
            )
        elif isinstance(backend, ExternalTpm) and backend.path:
            yield File(backend.path, write=True, user=alias, kind="socket")
