"""What a backup is made of, disk by disk, and what QEMU is told of it. Dry."""

from __future__ import annotations

import base64
from typing import Any, NamedTuple

from roost.constants import jobs as J
from roost.contract.typed_params import ullong
from roost.drivers.qemu.blockjobs import bitmaps
from roost.drivers.qemu.blockjobs import chain as C
from roost.drivers.qemu.blockjobs.state import BlockJob
from roost.drivers.qemu.config import QemuConfig
from roost.engine.jobs import Amount, Measure
from roost.model.backup import BackupDisk, BackupServer
from roost.model.domain.devices.disk import AnyDiskSource, BlockSource, Disk, FileSource

#: The objects with the server's certificates, and with what opens their key.
CREDENTIALS, KEY_SECRET = "objlibvirt_backup_tls0", "libvirt_backup-tls-secret0"


class Part(NamedTuple):
    """One disk of a backup. node: of its image's format. store: a disk that reads it. bitmap: of the changes, or ""."""

    wanted: BackupDisk
    disk: Disk
    store: Disk
    bitmap: str
    job: BlockJob

    @property
    def node(self) -> str:
        return f"libvirt-{self.store.source.index}-format"


def actions(part: Part, nodes: bitmaps.Nodes, *, pull: bool) -> list[bitmaps.Action]:
    """The disk's part of the transaction: what changed, in one bitmap, and the copy from this moment on."""
    layers = C.chain_of(part.disk).layers
    made: list[bitmaps.Action] = []
    if part.bitmap:
        target = part.node if pull else layers[0].format_node
        made += bitmaps.merge(layers, target, nodes, name=part.wanted.incremental, into=part.bitmap)
    data: dict[str, Any] = {
        "device": layers[0].format_node,
        "job-id": part.job.name,
        "target": part.node,
        "sync": "none" if pull else "incremental" if part.bitmap else "full",
        "auto-finalize": True,
        "auto-dismiss": False,
    }
    if part.bitmap and not pull:
        data["bitmap"] = part.bitmap
    return [*made, {"type": "blockdev-backup", "data": data}]


def source_of(disk: BackupDisk, *, pull: bool) -> AnyDiskSource:
    """Where a disk's image is."""
    store = disk.store
    image = (store.scratch if pull else store.target) if store is not None else None
    path = getattr(image, "file", None)
    return FileSource(file=path) if path is not None else BlockSource(dev=getattr(image, "dev", None))


def address(server: BackupServer) -> dict[str, Any]:
    """Where QEMU is to listen."""
    if server.transport == "unix":
        return {"type": "unix", "data": {"path": server.socket}}
    return {"type": "inet", "data": {"host": server.name, "port": str(server.port)}}


def credentials(config: QemuConfig, secret: bytes | None) -> list[dict[str, Any]]:
    """The objects of a server with TLS, in the order they are made. secret: opens the key of its certificate."""
    made: list[dict[str, Any]] = []
    server: dict[str, Any] = {
        "qom-type": "tls-creds-x509",
        "id": CREDENTIALS,
        "dir": config.certificates("backup"),
        "endpoint": "server",
        "verify-peer": config.backup_verifies_clients,
    }
    if secret is not None:
        data = base64.b64encode(secret).decode()
        made.append({"qom-type": "secret", "id": KEY_SECRET, "data": data, "format": "base64"})
        server["passwordid"] = KEY_SECRET
    return [*made, server]


def sockets(server: BackupServer) -> list[str]:
    """The files that go with it."""
    return [server.socket] if server.transport == "unix" and server.socket else []


def amounts(done: int, total: int, *, pull: bool) -> Measure:
    """done, total: bytes; of a pull backup, of what was put aside."""
    if pull:
        used = (ullong(J.DISK_TEMP_USED, done), ullong(J.DISK_TEMP_TOTAL, total)) if done or total else ()
        return Measure(parameters=used)
    if not (done or total):
        return Measure()
    params = (
        ullong(J.DISK_TOTAL, total), ullong(J.DISK_PROCESSED, done), ullong(J.DISK_REMAINING, total - done)
    )  # fmt: skip
    return Measure(files=Amount(total, done, total - done), parameters=params)


__all__ = ["CREDENTIALS", "KEY_SECRET", "Part", "actions", "address", "amounts", "credentials", "sockets", "source_of"]
