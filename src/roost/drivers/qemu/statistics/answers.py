"""What QEMU is asked for statistics, and the shapes of its answers. Dry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from roost.constants import statistics as S
from roost.model.domain import Domain
from roost.model.domain.devices.disk import Disk


class BlockCounters(msgspec.Struct, frozen=True, gc=False):
    """query-blockstats' counters of a drive or node; bytes, requests, nanoseconds."""

    rd_operations: int = 0
    rd_bytes: int = 0
    rd_total_time_ns: int = 0
    wr_operations: int = 0
    wr_bytes: int = 0
    wr_total_time_ns: int = 0
    flush_operations: int = 0
    flush_total_time_ns: int = 0
    wr_highest_offset: int = 0


class BlockEntry(msgspec.Struct, frozen=True, rename={"node_name": "node-name"}):
    """An entry of query-blockstats. parent: the node that this one stores its data in."""

    stats: BlockCounters
    qdev: str = ""
    device: str = ""
    node_name: str = ""
    parent: BlockEntry | None = None
    backing: BlockEntry | None = None


class Image(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    virtual_size: int = 0
    actual_size: int | None = None


class NamedNode(msgspec.Struct, frozen=True, rename={"node_name": "node-name"}):
    """An entry of query-named-block-nodes."""

    node_name: str
    image: Image
    write_threshold: int = 0


class BalloonStats(msgspec.Struct, frozen=True, rename="kebab"):
    """A balloon's guest-stats; what the guest has not told is 2**64 - 1."""

    stats: Mapping[str, int] = {}
    last_update: int = 0


class IoThreadInfo(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    id: str
    poll_max_ns: int | None = None
    poll_grow: int | None = None
    poll_shrink: int | None = None


class VcpuDirtyRate(msgspec.Struct, frozen=True, gc=False, rename="kebab"):
    id: int
    dirty_rate: int


class DirtyRate(msgspec.Struct, frozen=True, rename="kebab"):
    status: str
    start_time: int = 0
    calc_time: int = 0
    mode: str = "page-sampling"
    dirty_rate: int = 0
    vcpu_dirty_rate: tuple[VcpuDirtyRate, ...] = ()


class NamedValue(msgspec.Struct, frozen=True):
    """A statistic of KVM's; histograms are lists."""

    name: str
    value: bool | int | list[int]


class StatsEntry(msgspec.Struct, frozen=True, rename={"qom_path": "qom-path"}):
    """An entry of query-stats: of one virtual processor, or of the machine."""

    stats: tuple[NamedValue, ...]
    qom_path: str = ""


class StatsField(msgspec.Struct, frozen=True, gc=False):
    name: str
    type: str
    unit: str = ""


class StatsSchema(msgspec.Struct, frozen=True):
    """An entry of query-stats-schemas."""

    stats: tuple[StatsField, ...]


class Answers(msgspec.Struct, frozen=True):
    """What one guest has said; None and () for what it was not asked or did not answer."""

    balloon: BalloonStats | None = None
    drives: tuple[BlockEntry, ...] | None = None
    nodes: tuple[BlockEntry, ...] = ()
    images: tuple[NamedNode, ...] = ()
    iothreads: tuple[IoThreadInfo, ...] = ()
    dirty_rate: DirtyRate | None = None
    vcpus: tuple[StatsEntry, ...] | None = None
    machine: tuple[StatsEntry, ...] | None = None
    schemas: tuple[StatsSchema, ...] = ()


class Question(NamedTuple):
    """A command whose answer becomes a field of `Answers`."""

    field: str
    command: str
    arguments: Mapping[str, Any] | None = None


DRIVES = Question("drives", "query-blockstats")
_NODES = Question("nodes", "query-blockstats", {"query-nodes": True})
_IMAGES = Question("images", "query-named-block-nodes", {"flat": True})
_SINGLE_IMAGES = Question("images", "query-named-block-nodes")
#: All that QEMU knows of storage.
BLOCKS = (DRIVES, _NODES, _IMAGES)
_IOTHREADS = Question("iothreads", "query-iothreads")
_DIRTY_RATE = Question("dirty_rate", "query-dirty-rate")
_VCPUS = Question("vcpus", "query-stats", {"target": "vcpu"})
_MACHINE = Question("machine", "query-stats", {"target": "vm"})
_SCHEMAS = Question("schemas", "query-stats-schemas")

#: What QEMU says of a rate that nobody has ever asked it to measure.
UNMEASURED = DirtyRate("unstarted")

_DECODERS = {
    field.name: msgspec.json.Decoder(field.type) for field in msgspec.structs.fields(Answers)
}  # fmt: skip


def balloon_question(live: Domain) -> Question | None:
    """What its memory balloon knows; None for a guest without one."""
    balloon = live.devices.memballoon
    if balloon is None or balloon.model == "none":
        return None
    return Question("balloon", "qom-get", {"path": f"/machine/peripheral/{balloon.alias}", "property": "guest-stats"})


def questions(live: Domain, groups: int, *, measured: bool, images: bool = True) -> Sequence[Question]:
    """What a guest is asked for the groups. measured: the rate of its writing may have been. images: not known.

    As few bytes as it can be: each costs QEMU eight system calls. Images are told of with all below them unless
    that is not wanted, and most have none.
    """
    asked: list[Question] = []
    balloon = balloon_question(live) if groups & S.BALLOON else None
    if balloon is not None:
        asked.append(balloon)
    if groups & S.BLOCK and live.devices.disks:
        asked.append(DRIVES)
        if images:
            asked.append(_IMAGES if any(_has_more_images(disk) for disk in live.devices.disks) else _SINGLE_IMAGES)
        if any(_has_other_nodes(disk) for disk in live.devices.disks):
            asked.append(_NODES)
    if groups & S.IOTHREAD and (live.iothreads or live.iothread_ids):
        asked.append(_IOTHREADS)
    if groups & S.DIRTYRATE and measured:
        asked.append(_DIRTY_RATE)
    if live.type == "kvm":  # no other accelerator has statistics of its own
        if groups & (S.CPU_TOTAL | S.VCPU):
            asked.append(_VCPUS)
        if groups & S.VM:
            asked.append(_MACHINE)
        if groups & (S.VCPU | S.VM):
            asked.append(_SCHEMAS)
    return asked


def _has_more_images(disk: Disk) -> bool:
    """Whether its image has others below it."""
    return disk.backing_store is not None and disk.backing_store.source is not None


def _has_other_nodes(disk: Disk) -> bool:
    """Whether a drive's images stand below another node or beside it: what QEMU says of drives does not name those."""
    reads_ahead = disk.driver is not None and disk.driver.copy_on_read
    return bool(disk.mirror is not None or disk.throttle_filters or reads_ahead)


def understand(
    asked: Sequence[Question], answered: Sequence[msgspec.Raw | BaseException], *, measured: bool = True
) -> Answers:
    """The answers to `asked`; one that was refused, or is not what it should be, is as if it was not asked.

    measured: as for `questions`.
    """
    found: dict[str, Any] = {} if measured else {"dirty_rate": UNMEASURED}
    for question, answer in zip(asked, answered, strict=True):
        if isinstance(answer, BaseException):
            continue
        try:
            found[question.field] = _DECODERS[question.field].decode(answer)
        except msgspec.MsgspecError:
            continue
    return Answers(**found)


__all__ = [
    "BLOCKS", "DRIVES", "UNMEASURED", "Answers", "BalloonStats", "BlockCounters", "BlockEntry", "DirtyRate", "Image",
    "IoThreadInfo", "NamedNode", "NamedValue", "Question", "StatsEntry", "StatsField", "StatsSchema", "VcpuDirtyRate",
    "balloon_question", "questions", "understand",
]  # fmt: skip
