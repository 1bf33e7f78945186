"""Directories of the host in the guest: 9p, served by QEMU, and virtiofs, served by a process beside it."""

from __future__ import annotations

from collections.abc import Iterator

from roost.drivers.qemu.plan.context import Context, alias_of
from roost.drivers.qemu.plan.pieces import Piece, Props, device, escape, option
from roost.drivers.qemu.plan.resources import File, Need, VirtioFs
from roost.errors import ConfigUnsupported, From
from roost.model.domain.devices.filesystem import Filesystem, FilesystemBinary, MountSource

_SECURITY = {"mapped": "mapped", "passthrough": "passthrough", "squash": "none"}


def _source(filesystem: Filesystem) -> MountSource:
    if not isinstance(filesystem.source, MountSource):
        raise ConfigUnsupported("only supports mount filesystem type", domain=From.QEMU, hint="type='mount'")
    return filesystem.source


def _is_virtiofs(filesystem: Filesystem) -> bool:
    return filesystem.driver is not None and filesystem.driver.type == "virtiofs"


def _export(filesystem: Filesystem) -> str:
    """The words of -fsdev."""
    driver = filesystem.driver
    if driver is not None and driver.type in ("loop", "nbd", "ploop"):
        raise ConfigUnsupported(
            "Filesystem driver type not supported", domain=From.QEMU, hint="type='path' or 'virtiofs'"
        )
    words = ["local"]
    if driver is not None and driver.type == "handle":
        words = ["handle"]
    else:
        if filesystem.access_mode is not None:
            words.append(f"security_model={_SECURITY[filesystem.access_mode]}")
        if filesystem.multidevs is not None:
            words.append(f"multidevs={filesystem.multidevs}")
        words.extend(
            f"{name}={mode:04o}" for name, mode in (("fmode", filesystem.fmode), ("dmode", filesystem.dmode)) if mode
        )
    if driver is not None and driver.wrpolicy is not None:
        words.append(f"writeout={driver.wrpolicy}")
    words += [f"id=fsdev-{alias_of(filesystem)}", f"path={escape(_source(filesystem).dir or '')}"]
    if filesystem.readonly:
        words.append("readonly")
    return ",".join(words)


def _plan9(filesystem: Filesystem, ctx: Context) -> Iterator[Piece]:
    yield option("-fsdev", _export(filesystem))
    alias = alias_of(filesystem)
    props = ctx.virtio("virtio-9p", filesystem, filesystem.driver, filesystem.model)
    yield device(
        props | {"id": alias, "fsdev": f"fsdev-{alias}", "mount_tag": filesystem.target, **ctx.address(filesystem)}
    )


def socket_path(filesystem: Filesystem, ctx: Context) -> str:
    """Where virtiofsd listens: the document's socket, or one in the guest's directory."""
    return _source(filesystem).socket or f"{ctx.grants.directory}/{alias_of(filesystem)}-fs.sock"


def _virtiofs(filesystem: Filesystem, ctx: Context) -> Iterator[Piece]:
    alias = alias_of(filesystem)
    chardev = f"chr-vu-{alias}"
    data: Props = {"addr": {"type": "unix", "data": {"path": socket_path(filesystem, ctx)}}}
    yield Piece("chardev", {"id": chardev, "backend": {"type": "socket", "data": data}})
    driver = filesystem.driver
    props = ctx.virtio("vhost-user-fs", filesystem, driver)
    yield device(
        props
        | {
            "id": alias,
            "chardev": chardev,
            "queue-size": driver.queue if driver is not None else None,
            "tag": filesystem.target,
            "bootindex": filesystem.boot.order if filesystem.boot is not None else None,
            **ctx.address(filesystem),
        }
    )


def pieces(filesystem: Filesystem, ctx: Context) -> Iterator[Piece]:
    """Everything of one file system."""
    yield from _virtiofs(filesystem, ctx) if _is_virtiofs(filesystem) else _plan9(filesystem, ctx)


def section(ctx: Context) -> Iterator[Piece]:
    for filesystem in ctx.domain.devices.filesystems:
        yield from pieces(filesystem, ctx)


def _arguments(binary: FilesystemBinary) -> Iterator[str]:
    """The words that libvirt gives virtiofsd, which both its implementations understand."""
    options = []
    if binary.cache is not None:
        options.append(f"cache={binary.cache}")
    if binary.sandbox is not None:
        options.append(f"sandbox={binary.sandbox}")
    if binary.xattr is not None:
        options.append("xattr" if binary.xattr else "no_xattr")
    if binary.flock is not None:
        options.append("flock" if binary.flock else "no_flock")
    if binary.posix_lock is not None:
        options.append("posix_lock" if binary.posix_lock else "no_posix_lock")
    for each in options:
        yield "-o"
        yield each
    if binary.thread_pool_size is not None:
        yield f"--thread-pool-size={binary.thread_pool_size}"


def needs(ctx: Context) -> Iterator[Need]:
    for filesystem in ctx.domain.devices.filesystems:
        source = _source(filesystem)
        user = filesystem.target or ""
        if not _is_virtiofs(filesystem):
            yield File(source.dir or "", write=not filesystem.readonly, user=user, kind="export", shared=True)
        elif source.socket is not None:
            yield File(source.socket, write=True, user=user, kind="socket")
        else:
            yield _virtiofsd(filesystem, source)


def _virtiofsd(filesystem: Filesystem, source: MountSource) -> VirtioFs:
    binary, idmap = filesystem.binary or FilesystemBinary(), filesystem.idmap
    return VirtioFs(
        alias_of(filesystem),
        source.dir or "",
        binary.path or "",
        tuple(_arguments(binary)),
        binary.max_open_files or 0,
        tuple((each.start, each.target, each.count) for each in idmap.uids) if idmap is not None else (),
        tuple((each.start, each.target, each.count) for each in idmap.gids) if idmap is not None else (),
    )


__all__ = ["needs", "pieces", "section", "socket_path"]
