"""Whether a disk may be changed: not while a job works on its images."""

from __future__ import annotations

from roost.drivers.qemu.context import require_guest
from roost.drivers.qemu.guest import GuestRecord
from roost.errors import BlockCopyActive, From, OperationUnsupported
from roost.model.domain.devices.disk import Disk


def require_no_job(record: GuestRecord, disk: Disk) -> None:
    """Raises BlockCopyActive or OperationUnsupported, as libvirt does, for a disk that a job works on."""
    dev = disk.target.dev
    text = f"disk '{dev}' already in active block job"
    hint = f"roost blockjob {record.name} {dev} --info tells about it; --abort ends it"
    if disk.mirror is not None:
        raise BlockCopyActive(text, domain=From.QEMU, hint=hint)
    if require_guest(record).blocks.of_disk(dev) is not None:
        raise OperationUnsupported(text, domain=From.QEMU, hint=hint)


__all__ = ["require_no_job"]
