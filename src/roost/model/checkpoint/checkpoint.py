"""The checkpoint document's root: <domaincheckpoint>."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from roost.errors import From, InternalError
from roost.model.domain import Domain
from roost.xml import Child, Complaint, Integer, Pattern, Record, ULong, at

#: Also the name of a file, and of bitmaps.
_Name = Annotated[
    str, Pattern(r"[a-zA-Z0-9_\-][a-zA-Z0-9_\-.]*", "letters, digits, '_', '-', and '.' but at the front")
]


_DiskName = Annotated[
    str, Pattern(r"(?:ioemu:)?(?:fd|hd|sd|vd|xvd|ubd)[a-zA-Z0-9_]+|/.+", "a disk's target such as vda, or its path")
]


class CheckpointDisk(Record):
    """One disk: with a dirty bitmap, or not part of it. size: bytes changed since, when asked for."""

    name: _DiskName
    checkpoint: Literal["no", "bitmap"] = "bitmap"
    bitmap: str | None = None
    size: ULong | None = None


class Checkpoint(Record):
    """A checkpoint. creation_time: seconds since 1970. domain: as it was then."""

    namespaces: ClassVar[dict[str, str]] = Domain.namespaces

    name: Child[_Name | None] = None
    description: Child[str | None] = None
    parent: Annotated[_Name | None, at("parent/name")] = None
    creation_time: Annotated[
        Annotated[int, Integer(0, 2**63 - 1)] | None,
        at(
            "creationTime",
            wrong=Complaint(
                InternalError, "missing creationTime from existing checkpoint", domain=From.DOMAIN_CHECKPOINT
            ),
        ),
    ] = None
    disks: Annotated[tuple[CheckpointDisk, ...], at("disks/disk")] = ()
    domain: Annotated[Domain | None, at("domain", only_with="type")] = None


__all__ = ["Checkpoint", "CheckpointDisk"]
