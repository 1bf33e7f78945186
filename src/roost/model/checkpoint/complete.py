"""What a checkpoint's document says when the domain has had its word: name, time, and every disk's bitmap."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from msgspec.structs import replace

from roost.errors import ConfigUnsupported, From, InternalError, InvalidArg, XmlError
from roost.model.checkpoint.checkpoint import Checkpoint, CheckpointDisk
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk
from roost.model.moment import check_lineage, is_empty, numbered_disks


def complete(
    checkpoint: Checkpoint, domain: Domain, *, now: int, current: str | None = None, of_qemu: bool = True
) -> Checkpoint:
    """The document of a checkpoint that is about to be made.

    domain: as it is now, without what only a running guest has. now: seconds
    since 1970. current: the checkpoint that becomes the parent. of_qemu:
    what QEMU cannot do is refused, too. Raises libvirt's errors, with what to do about them.
    """
    name = checkpoint.name or str(now)
    checkpoint = replace(checkpoint, name=name, creation_time=now, parent=current, domain=domain)
    disks = _named_bitmaps(_align(checkpoint.disks, domain), name)
    for disk, own in zip(disks, domain.devices.disks, strict=True):
        if of_qemu and disk.checkpoint == "bitmap":
            _check_new(disk, own, name)
    return replace(checkpoint, disks=disks)


def _check_new(disk: CheckpointDisk, own: Disk, name: str) -> None:
    if disk.bitmap != name:
        raise ConfigUnsupported(
            f"bitmap for disk '{disk.name}' must match checkpoint name '{name}'",
            domain=From.QEMU,
            hint="leave the bitmap's name out",
        )
    format = own.driver.type if own.driver else None
    if format != "qcow2":
        raise ConfigUnsupported(
            f"checkpoint for disk {disk.name} unsupported for storage type {format}",
            domain=From.QEMU,
            hint="it takes a qcow2 image",
        )


def complete_redefined(
    checkpoint: Checkpoint,
    domain_uuid: str,
    parents: Mapping[str, str | None],
    *,
    complete_domain: Callable[[Domain], Domain],
) -> Checkpoint:
    """The document of a checkpoint that was made before and is made known again.

    domain_uuid: of the domain. parents: its other checkpoints, with their
    parents. complete_domain: fills in the domain in the document.
    """
    if checkpoint.name is None:
        raise XmlError("a redefined checkpoint must have a name", domain=From.DOMAIN_CHECKPOINT)
    if checkpoint.creation_time is None:
        raise InternalError("missing creationTime from existing checkpoint", domain=From.DOMAIN_CHECKPOINT)
    domain = complete_domain(checkpoint.domain) if checkpoint.domain is not None else None
    check_lineage(checkpoint.name, checkpoint.parent, parents)
    disks = checkpoint.disks
    if domain is not None:
        if domain.uuid != domain_uuid:
            raise InvalidArg(
                f"definition for checkpoint {checkpoint.name} must use uuid {domain_uuid}",
                domain=From.DOMAIN_CHECKPOINT,
            )
        disks = _align(disks, domain)
    return replace(
        checkpoint,
        creation_time=checkpoint.creation_time or None,
        domain=domain,
        disks=_named_bitmaps(disks, checkpoint.name),
    )


def becomes_current(checkpoint: Checkpoint, current: str | None) -> bool:
    """Whether a checkpoint made known again is the one that the next is counted from. current: which is so far."""
    return current is None or checkpoint.parent == current


def _align(wanted: tuple[CheckpointDisk, ...], domain: Domain) -> tuple[CheckpointDisk, ...]:
    """A disk of the checkpoint for each of the domain's, in their order."""
    own = domain.devices.disks
    if len(wanted) > len(own):
        raise ConfigUnsupported("too many disk checkpoint requests for domain", domain=From.DOMAIN_CHECKPOINT)
    if not own:
        raise ConfigUnsupported(
            "domain must have at least one disk to perform checkpoints", domain=From.DOMAIN_CHECKPOINT
        )
    asked: dict[int, CheckpointDisk] = {}
    found = numbered_disks(domain, [disk.name for disk in wanted], From.DOMAIN_CHECKPOINT)
    for asking, (number, disk) in zip(wanted, found, strict=True):
        if asking.checkpoint != "no" and not _is_written(disk):
            raise ConfigUnsupported(f"disk '{asking.name}' is empty or readonly", domain=From.DOMAIN_CHECKPOINT)
        asked[number] = replace(asking, name=disk.target.dev)
    return tuple(
        asked.get(number)
        or CheckpointDisk(name=disk.target.dev, checkpoint="bitmap" if not wanted and _is_written(disk) else "no")
        for number, disk in enumerate(own)
    )


def _is_written(disk: Disk) -> bool:
    return not is_empty(disk.source) and not disk.readonly


def _named_bitmaps(disks: tuple[CheckpointDisk, ...], name: str) -> tuple[CheckpointDisk, ...]:
    return tuple(
        replace(disk, bitmap=name) if disk.checkpoint == "bitmap" and disk.bitmap is None else disk for disk in disks
    )


__all__ = ["becomes_current", "complete", "complete_redefined"]
