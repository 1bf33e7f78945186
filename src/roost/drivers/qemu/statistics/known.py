"""What QEMU says of a guest's images and only changes of the guest change: asked once. Their sizes the host knows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple
from weakref import WeakKeyDictionary

import msgspec

from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.statistics.answers import Image, NamedNode
from roost.drivers.qemu.statistics.blocks import Volumes, actual, images_of, is_vhost_user
from roost.drivers.qemu.taints import CUSTOM_MONITOR
from roost.model.domain import Domain
from roost.model.domain.devices.disk import FileSource

_NODE = re.compile(r"libvirt-(\d+)-(format|storage)")
#: What QEMU calls the nodes that nobody named: of a file that an image names itself, for example.
_NAMELESS = "#"
Numbers = Mapping[str, str]


class Moment(NamedTuple):
    """A time at which nothing of a guest is being changed: what was known of its images then holds while it lasts.

    job: when its last change began.
    """

    live: Domain
    job: float

    def lasts(self, record: GuestRecord) -> bool:
        return record.live is self.live and record.job.started == self.job and _rests(record)


def moment(record: GuestRecord) -> Moment | None:
    """Now; None while something changes, or where others may change it behind the daemon's back."""
    return Moment(record.live, record.job.started) if record.live is not None and _rests(record) else None


def _rests(record: GuestRecord) -> bool:
    guest = record.runtime
    return guest is not None and record.job.holder is None and CUSTOM_MONITOR not in guest.facts.taints


class Known(NamedTuple):
    """images: as QEMU told of them at `moment`. paths: of the files that they are in, by number."""

    moment: Moment
    images: Sequence[NamedNode]
    paths: Numbers

    def now(self, allocated: Mapping[str, int]) -> Sequence[NamedNode]:
        """What QEMU would say. allocated: bytes that the host has now of each file."""
        return [_with_size(image, self.paths, allocated) for image in self.images]


class KnownImages:
    """Of all guests."""

    def __init__(self) -> None:
        self._known: WeakKeyDictionary[Guest, Known] = WeakKeyDictionary()

    def of(self, record: GuestRecord) -> Known | None:
        """None when QEMU is to be asked."""
        known = self._known.get(record.runtime) if record.runtime is not None else None
        return known if known is not None and known.moment.lasts(record) else None

    def learn(
        self, record: GuestRecord, then: Moment, images: Sequence[NamedNode], allocated: Mapping[str, int]
    ) -> None:
        """Keep what QEMU has said, if nothing has changed since `then` and the host says the same of all files."""
        guest, paths = record.runtime, files_of(record)
        if guest is None or not then.lasts(record) or not paths or not allocated.keys() >= {*paths.values()}:
            return
        if any(image.node_name.startswith(_NAMELESS) or image.write_threshold for image in images):
            return
        numbered = [image for image in images if _NODE.fullmatch(image.node_name)]
        if numbered and all(
            image.image.actual_size and _with_size(image, paths, allocated) == image for image in numbered
        ):
            self._known[guest] = Known(then, numbered, paths)


def files_of(record: GuestRecord) -> Numbers:
    """The paths of a running guest's images, by number; none unless all of them are files."""
    if record.live is None or record.runtime is None:
        return {}
    return dict(_files(record.live, record.runtime.resources.volumes))


def _files(live: Domain, volumes: Volumes) -> Iterator[tuple[str, str]]:
    found: list[tuple[str, str]] = []
    for disk in live.devices.disks:
        if is_vhost_user(disk):
            continue
        for source, number in images_of(disk, backing=True):
            if number is None:
                continue
            file = actual(source, volumes)
            if not isinstance(file, FileSource) or file.file is None:
                return
            found.append((str(number), file.file))
    yield from found


def _with_size(image: NamedNode, paths: Numbers, allocated: Mapping[str, int]) -> NamedNode:
    """The same with as much as the host has of its file; as it was where that is not known."""
    found = _NODE.fullmatch(image.node_name)
    size = allocated.get(paths.get(found[1], "")) if found is not None else None
    if size is None:
        return image
    return msgspec.structs.replace(image, image=Image(image.image.virtual_size, size))


__all__ = ["Known", "KnownImages", "Moment", "files_of", "moment"]
