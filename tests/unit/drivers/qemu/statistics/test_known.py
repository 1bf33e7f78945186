"""When QEMU needs not be asked about images again."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import msgspec
import pytest

from roost.drivers.qemu.guest import Guest, GuestRecord
from roost.drivers.qemu.log import GuestLog
from roost.drivers.qemu.resources import Resources
from roost.drivers.qemu.statistics.answers import Image, NamedNode
from roost.drivers.qemu.statistics.known import KnownImages, files_of, moment
from roost.drivers.qemu.taints import CUSTOM_MONITOR
from roost.model import domain as model
from support.scenes import fake_context

XML = """<domain type='qemu' id='1'><name>g</name><memory>65536</memory><os><type>hvm</type></os><devices>{}</devices>
</domain>"""
TOP = "<source file='/top' index='2'/>"
BASE = "<backingStore type='file' index='1'><format type='raw'/><source file='/base'/></backingStore>"
DISK = "<disk type='file'><driver name='qemu' type='qcow2'/>{}<target dev='vda' bus='virtio'/></disk>"
EMPTY = "<disk type='file' device='cdrom'><target dev='sda' bus='sata'/></disk>"
AT_SERVER = (
    "<disk type='network'><source protocol='nbd' name='n' index='3'><host name='h'/></source><target dev='vdb'/></disk>"
)

#: As QEMU has them.
NODES = (
    NamedNode("libvirt-2-format", Image(1 << 30, 8192)),
    NamedNode("libvirt-2-storage", Image(200_000, 8192)),
    NamedNode("libvirt-1-storage", Image(1 << 20, 4096)),
    NamedNode("libvirt-pflash0-storage", Image(1 << 20, 0)),
)
ALLOCATED = {"/top": 8192, "/base": 4096}


@pytest.fixture
def record(tmp_path: Path) -> Iterator[GuestRecord]:
    context = fake_context(tmp_path)
    record: GuestRecord = context.table.add("g", bytes(16))
    context.table.activate(record)
    record.runtime = Guest(Resources(context.host), GuestLog(context.paths.log_file("g")), "/nowhere")
    record.live = document(DISK.format(TOP + BASE), EMPTY)
    yield record
    record.runtime.log.close()


def document(*disks: str) -> model.Domain:
    return model.parse(XML.format("".join(disks)), live=True)


def learnt(
    record: GuestRecord, nodes: tuple[NamedNode, ...] = NODES, allocated: Mapping[str, int] = ALLOCATED
) -> KnownImages:
    images, now = KnownImages(), moment(record)
    assert now is not None
    images.learn(record, now, nodes, allocated)
    return images


def test_files_of_a_chain(record: GuestRecord) -> None:
    assert files_of(record) == {"2": "/top", "1": "/base"}
    record.live = document(DISK.format(TOP + BASE), AT_SERVER)
    assert files_of(record) == {}
    assert learnt(record).of(record) is None


def test_what_was_told_and_how_much_the_host_has_now(record: GuestRecord) -> None:
    known = learnt(record).of(record)
    assert known is not None
    top, storage, base = known.now({"/top": 16384, "/base": 4096})
    assert top == NamedNode("libvirt-2-format", Image(1 << 30, 16384))
    assert storage.image.actual_size == 16384
    assert base == NODES[2]
    # A file system that does not answer.
    assert known.now({}) == list(NODES[:3])


@pytest.mark.parametrize(
    ("nodes", "allocated"),
    [
        (NODES, {"/top": 8192}),
        (NODES, {"/top": 4096, "/base": 4096}),
        ((*NODES, NamedNode("#block123", Image(1, 1))), ALLOCATED),
        ((*NODES[:2], msgspec.structs.replace(NODES[2], write_threshold=7)), ALLOCATED),
        ((NamedNode("libvirt-2-format", Image(1 << 30, 0)),), {"/top": 0, "/base": 0}),
        ((), ALLOCATED),
    ],
    ids=["not told", "another size", "a file that an image names", "threshold", "only holes", "nothing"],
)
def test_what_is_asked_again(record: GuestRecord, nodes: tuple[NamedNode, ...], allocated: Mapping[str, int]) -> None:
    assert learnt(record, nodes, allocated).of(record) is None


def replaced(record: GuestRecord) -> None:
    record.live = document(DISK.format(TOP), EMPTY)


def restarted(record: GuestRecord) -> None:
    assert record.runtime is not None
    record.runtime = Guest(record.runtime.resources, record.runtime.log, "/nowhere")


def changed(record: GuestRecord) -> None:
    async def change() -> None:
        async with record.job("resize"):
            pass

    asyncio.run(change())


@pytest.mark.parametrize("happens", [replaced, restarted, changed])
def test_forgotten(record: GuestRecord, happens: Callable[[GuestRecord], None]) -> None:
    images = learnt(record)
    assert images.of(record) is not None
    happens(record)
    assert images.of(record) is None


def test_nothing_is_known_while_something_changes(record: GuestRecord) -> None:
    images = learnt(record)
    before = moment(record)
    assert before is not None

    async def main() -> None:
        async with record.job("resize"):
            assert moment(record) is None
            assert images.of(record) is None
            late = KnownImages()
            late.learn(record, before, NODES, ALLOCATED)
            assert late.of(record) is None

    asyncio.run(main())


def test_commands_to_the_monitor_may_change_all(record: GuestRecord) -> None:
    images = learnt(record)
    assert record.runtime is not None
    record.runtime.facts.taints = (CUSTOM_MONITOR,)
    assert moment(record) is None
    assert images.of(record) is None
